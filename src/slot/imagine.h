/* Prompt to actor image: tokenizers, T5 and CLIP, the transformer's steps, the decoder.
 *
 * The picture comes into the engine's actor buffer. The same prompt, seed, size, steps and pack
 * give the same bytes. Not thread-safe: one per picture lane. All heap is taken at open, but for
 * what resizes `init`. */
#ifndef VX_SLOT_IMAGINE_H
#define VX_SLOT_IMAGINE_H

#include <jansson.h>

#include "drive/mood.h"
#include "slot/part.h"
#include "media/image.h"

typedef struct vx_imaginer vx_imaginer;

/* The engine must have been opened with VX_WANT_ACTOR. VX_ERR_MISSING without a tokenizer,
 * VX_ERR_INPUT for one of another model. */
vx_status vx_imaginer_open(vx_imaginer **imaginer, vx_engine *engine, vx_error *err);
void vx_imaginer_close(vx_imaginer **imaginer); /* safe on NULL; sets NULL */

typedef struct vx_imagine_request {
    const char *prompt;          /* UTF-8, not empty */
    const char *negative_prompt; /* ignored, with one line in the log; may be NULL */
    uint64_t seed;
    int width, height, steps; /* 0: as planned; at most what was planned */
    const float *noise;       /* [z, rows, cols] of the start instead of the seed's; may be NULL */
    /* Picture to picture (diffusers' FluxImg2ImgPipeline, with the posterior's mean in place of a
     * sample): the start is the picture's latent under noise, and the last ceil(steps·strength)
     * steps are run. NULL for none; any size, it is resized. The engine must have been opened for
     * it (image_to_image). */
    const vx_picture *init;
    double strength; /* 0 < strength <= 1 */
    /* Called before the first step and after each with the stage's name and the share of the work
     * that is done, 0..1; may be NULL. A status other than VX_OK ends the call. */
    vx_status (*progress)(void *arg, const char *stage, double share);
    void *progress_arg;
    int set; /* of VX_BUFFER_ACTOR, where the picture comes: 0, or the engine's side set */
} vx_imagine_request;

/* What a stage took. */
typedef struct vx_imagine_stage {
    const char *name; /* t5, clip_text, vae_encode, prompt, step (the mean of all), vae */
    int runs;
    double seconds, flops; /* of one run */
} vx_imagine_stage;
enum { VX_IMAGINE_STAGES = 6 };

typedef struct vx_imagined {
    vx_picture picture; /* the engine's buffer, until the next call with the set */
    vx_actor_size size;
    const float *latent;          /* [z, rows, cols], the final one; until the next call */
    const char *expanded;         /* what was read in the prompt's place: the prompt and what the
                                     seed added; NULL without an expander; as the picture */
    const char *ignored;          /* words of the prompt without effect, "dragon, castle"; NULL
                                     without an expander; as the picture */
    const char *replaced;         /* words of it that are read as others, "physician=doctor" */
    int mood;                     /* vx_mood that the prompt implies; -1 for none */
    int t5_tokens, clip_tokens;   /* of the prompt, ends included */
    int t5_dropped, clip_dropped; /* what did not fit; the log has said so */
    int stages;
    vx_imagine_stage stage[VX_IMAGINE_STAGES];
} vx_imagined;

/* ["dragon", "castle"] of what vx_imagined calls ignored (NULL: none); the caller decrefs. */
json_t *vx_ignored_json(const char *ignored);
/* [{"from": "physician", "to": "doctor"}] of what it calls replaced (NULL: none). */
json_t *vx_replaced_json(const char *replaced);

/* VX_ERR_INPUT for a prompt that is empty or no UTF-8, VX_ERR_USAGE for a size beyond the plan,
 * VX_ERR_CANCELLED between two ops. The lane is as before whatever happens. */
vx_status vx_imaginer_run(vx_imaginer *imaginer, vx_ctx *ctx, const vx_imagine_request *request,
                          vx_imagined *imagined);

/* Floats of the latent of a picture of that size (0: as planned) under the engine's autoencoder. */
vx_status vx_imaginer_size(const vx_imaginer *imaginer, int width, int height, int steps,
                           vx_actor_size *size, vx_error *err);

#endif
