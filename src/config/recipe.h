/* Recipes: what a slot is made from (docs/CONTRACTS.md, "Recipe"), and the requests of the other
 * kinds of jobs ("Requests"), which are flat and fill the same struct (request.c).
 *
 * A recipe that was read is valid: every value is in range, texts hold no control characters but
 * newlines and tabs, and what contradicts itself was refused with its line. What depends on the
 * pack (is there such a voice?) is checked by whoever uses it. */
#ifndef VX_CONFIG_RECIPE_H
#define VX_CONFIG_RECIPE_H

#include <vortex/vortex.h>

#include "base/named.h"
#include "drive/mood.h"
#include "config/schema.h"
#include "media/loudness.h"
#include "media/mux.h"
#include "media/sound_out.h"

enum {
    VX_SCRIPT_BYTES_MAX = 16384, /* 45 s at twice the speed of a fast speaker are 2,500 letters */
    VX_PROMPT_BYTES_MAX = 4096,  /* 256 tokens are about 1,200 letters; more is cut with a word */
    VX_SLOT_SECONDS_MAX = 45,
    VX_SLOT_FPS_MAX = 60,
    VX_PROMPTS_MAX = 256, /* of a score: as many as a table that people still read */
    VX_PHONEMES_BYTES_MAX = 4096
};

/* What to do with speech that is longer than the slot. */
typedef enum vx_fit { VX_FIT_ERROR, VX_FIT_SPEED, VX_FIT_TRUNCATE } vx_fit;
#define VX_FIT_NAMES "error|speed|truncate"

/* How a film shows what is said. */
typedef enum vx_subtitles { VX_SUBTITLES_NONE, VX_SUBTITLES_TRACK, VX_SUBTITLES_BURN } vx_subtitles;
#define VX_SUBTITLES_NAMES "none|track|burn"

typedef struct vx_recipe_audio {
    const char *script;   /* at least one character that is no space; NULL: nothing is said, or */
    const char *phonemes; /* … these symbols are, verbatim; NULL */
    const char *voice_id; /* a name, an alias or a blend; NULL: the pack's first */
    double speed;         /* 0.5..2 */
    int mood;             /* vx_mood; -1: what the prompt implies, else neutral */
    int fit;              /* vx_fit */
    double loudness;      /* LUFS; VX_LOUDNESS_OFF; VX_LOUDNESS_UNSET: the settings' */
    int format;           /* vx_sound_format, where no ending says it; -1: not given */
} vx_recipe_audio;

typedef struct vx_recipe_visual {
    const char *prompt;          /* NULL when not given */
    const char *negative_prompt; /* NULL when not given */
    const char *image;           /* NULL when not given; else as it is written, for messages */
    vx_named image_file;         /* the same, to be opened (vx_named_open) */
    const void *image_data;      /* the image's bytes instead, the caller's; NULL: none */
    size_t image_bytes;
    vx_list face;       /* double[6] or empty: image-left eye, image-right eye, mouth; x, y each,
                          in pixels of the original; its word is "whole" */
    int64_t face_index; /* which of those that are found, the largest first */
    const char *background; /* #rrggbb, what shows through the image's transparency; NULL: white */
    vx_list moods;          /* vx_mood_at, at_s ascending; may be empty */
    int64_t steps;          /* 0: as planned */
    double strength;        /* how much of the image is made anew, 0 < strength <= 1; 0: no image */
    int format;             /* vx_picture_format, where no ending says it; -1: not given */
    /* For parity with other implementations: the start latent, where the last one goes. */
    const char *noise, *latents_out;
} vx_recipe_visual;

typedef enum vx_picture_format { VX_PICTURE_PNG, VX_PICTURE_JPG } vx_picture_format;
#define VX_PICTURE_FORMAT_NAMES "png|jpg"

/* "#rrggbb" into three bytes; false for anything else. */
bool vx_colour_read(const char *text, uint8_t rgb[3]);

typedef struct vx_recipe_output {
    int64_t width, height; /* 0: the pack's; else a multiple of 16 from 64 to 1024 */
    int64_t fps;           /* 0: the pack's */
    double max_seconds;    /* 0: the pack's; at most 45 */
    int container;         /* vx_container, when the output's name doesn't say; -1: not given */
    int subtitles;         /* vx_subtitles */
} vx_recipe_output;

typedef struct vx_recipe_verify {
    bool enabled;
    double threshold_b, threshold_l, outlier; /* negative: the pack's */
} vx_recipe_verify;

typedef struct vx_recipe_score {
    vx_list prompts; /* const char *, at least one of a score */
    bool embeddings; /* the report has the picture's */
} vx_recipe_score;

typedef struct vx_recipe {
    vx_kind kind;        /* which of the parts below there are */
    vx_yaml *document;   /* owns every text below */
    char sha256[65];     /* of the recipe's bytes */
    const char *slot_id; /* never NULL: "slot-" and 16 digits of the hash when not given */
    int64_t seed;        /* 0..2^63-1 */
    int64_t deadline_ms; /* 0: none */
    vx_recipe_audio audio;
    vx_recipe_visual visual;
    vx_recipe_output output;
    vx_recipe_verify verify;
    vx_recipe_score score;
} vx_recipe;

/* Where a request comes from: a path, or a text with the folder beneath which it may name files
 * (NULL: none). `named` says what stands in its place when an image comes as bytes. */
typedef struct vx_request_source {
    vx_kind kind;
    const char *path; /* or */
    const char *text;
    size_t bytes;
    const char *name; /* of the text, for messages; NULL: "recipe", "request" */
    const char *folder;
    bool confined;          /* it names no file at all, to read or to write */
    const void *image_data; /* the image's bytes; NULL: what the request names */
    size_t image_bytes;
} vx_request_source;

/* Reads a request of any kind. Those of a file are free to name files, those of a text are not
 * (below). As vx_file_read, or VX_ERR_INPUT with code "bad_recipe" for a film, else "bad_request",
 * and the line. Close it in any case. */
vx_status vx_request_read(vx_recipe *request, const vx_request_source *source, vx_error *err);

/* Reads a file that the command line names ("-": standard input). It may name any regular file; a
 * relative one lies beside the recipe. As vx_file_read, or VX_ERR_INPUT with code "bad_recipe" and
 * the line. Close it in any case. */
vx_status vx_recipe_read(vx_recipe *recipe, const char *path, vx_error *err);
/* The same from memory, confined (base/named.h): it may name files beneath `folder`, or, where that
 * is NULL, none. `name` is for messages. */
vx_status vx_recipe_parse(vx_recipe *recipe, const char *name, const char *folder, const char *text,
                          size_t bytes, vx_error *err);
/* Whether the files that it names can be opened now; as vx_named_check, with code
 * "bad_recipe" and the line. */
vx_status vx_recipe_check_files(const vx_recipe *recipe, vx_error *err);
/* Safe on a zeroed or closed one. */
void vx_recipe_close(vx_recipe *recipe);

#endif
