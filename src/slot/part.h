/* Our parts: the six models as an engine sees them, and its buffers by name. A seventh model is a
 * row of the table in part.c. */
#ifndef VX_SLOT_PART_H
#define VX_SLOT_PART_H

#include "engine/part.h"
#include "models/clip/clip.h"
#include "models/face/face.h"
#include "models/flux/t5.h"
#include "models/kokoro/kokoro.h"
#include "models/liveportrait/liveportrait.h"
#include "slot/actor.h"

/* What the caller is going to do (vx_engine_params.wants). */
enum {
    VX_WANT_SPEECH = 1, /* kokoro */
    VX_WANT_VERIFY = 2, /* clip_b and clip_l */
    VX_WANT_ACTOR = 4,  /* flux.*: a picture from a prompt */
    VX_WANT_VIDEO = 8,  /* liveportrait */
    VX_WANT_FILM = 16,  /* no component: frames that outlive the video stage; the encoder */
    VX_WANT_FACE = 32,  /* face: where faces are */
    VX_WANT_ALL = 63    /* whatever the pack has, for plans */
};

/* Key frames of a film: what verification looks at (docs/CONTRACTS.md, score). */
enum { VX_KEY_FRAMES = 5 };
static_assert((int)VX_KEY_FRAMES <= (int)VX_CLIP_IMAGES_MAX, "CLIP sees them together");

/* Buffers that outlive a stage, by name. */
typedef enum vx_buffer {
    VX_BUFFER_SAMPLES,    /* f32 [speech_seconds * 24000]; in sets */
    VX_BUFFER_SPEECH,     /* the speech stage's own tables */
    VX_BUFFER_VOICE,      /* style rows of the voice that speaks */
    VX_BUFFER_KEY_FRAMES, /* u8 [VX_KEY_FRAMES, frame_height, frame_width, 3]; in sets */
    VX_BUFFER_CAPTIONS,   /* letters of captions that are drawn into the film (burn.h) */
    VX_BUFFER_PROMPT,     /* device, f32: T5's rows of the prompt, then CLIP's pooled vector */
    VX_BUFFER_LATENTS,    /* f32: three latents */
    VX_BUFFER_ACTOR,      /* the actor image, u8 RGB */
    VX_BUFFER_PORTRAIT,   /* device: features of the one who moves */
    VX_BUFFER_MOTION,     /* the motion table and memory for driving (animate.h) */
    VX_BUFFER_RING, /* shared: frames between the network and the encoder, u8 RGB (animate.h) */
    VX_BUFFERS
} vx_buffer;
static_assert((int)VX_BUFFERS <= (int)VX_ENGINE_BUFFERS, "the engine has room for all");

/* The table, and the check that the four networks of the actor fit each other:
 * for vx_engine_params. */
extern const vx_part_kind vx_part_kinds[];
vx_status vx_parts_check(const vx_engine *engine, vx_error *err);
#define VX_OUR_PARTS .kinds = vx_part_kinds, .check = vx_parts_check

/* The VX_WANT_* that takes a component. */
int vx_component_want(vx_component component);

/* The models by their types; NULL when not wanted. VX_COMPONENT_FLUX_CLIP_TEXT may be the same
 * model as one of the other two CLIPs. */
static inline const vx_kokoro *vx_engine_kokoro(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_KOKORO);
}
static inline vx_clip *vx_engine_clip(const vx_engine *engine, vx_component which)
{
    return vx_engine_model(engine, which);
}
static inline vx_t5 *vx_engine_t5(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_FLUX_T5);
}
static inline vx_flux *vx_engine_flux(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_FLUX_TRANSFORMER);
}
static inline vx_vae *vx_engine_vae(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_FLUX_VAE);
}
static inline vx_liveportrait *vx_engine_liveportrait(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_LIVEPORTRAIT);
}
static inline vx_face *vx_engine_face(const vx_engine *engine)
{
    return vx_engine_model(engine, VX_COMPONENT_FACE);
}
/* The largest actor image; of an engine that makes some. */
const vx_actor_size *vx_engine_actor(const vx_engine *engine);

#endif
