/* The engine: plans, reserves, loads and holds the models of a pack.
 *
 * Opening runs the three steps of docs/ARCHITECTURE.md: the models are described, walked in plan mode, and
 * the sum is checked against the budget; one reservation is made, buffers first, then a workspace per lane,
 * then weights; files are mapped and packed. After that nothing grows.
 *
 * Lanes: audio (Kokoro) and picture (actor, then video, then verification, which share one workspace since
 * they run one after the other). Calls on one lane are the caller's to keep apart; two threads may use two
 * lanes. */
#ifndef VX_ENGINE_ENGINE_H
#define VX_ENGINE_ENGINE_H

#include "base/mem.h"
#include "slot/actor.h"
#include "config/pack.h"
#include "engine/plan.h"
#include "config/settings.h"
#include "models/clip/clip.h"
#include "models/flux/t5.h"
#include "models/kokoro/kokoro.h"
#include "models/liveportrait/liveportrait.h"

typedef enum vx_lane { VX_LANE_AUDIO, VX_LANE_PICTURE, VX_LANES } vx_lane;

/* What the caller is going to do; only the components that it takes are planned and loaded. */
enum {
    VX_WANT_SPEECH = 1, /* kokoro */
    VX_WANT_VERIFY = 2, /* clip_b and clip_l */
    VX_WANT_ACTOR = 4,  /* flux.*: a picture from a prompt */
    VX_WANT_VIDEO = 8,  /* liveportrait */
    VX_WANT_FILM = 16,  /* no component: frames that outlive the video stage; the encoder */
    VX_WANT_ALL = 31    /* whatever the pack has, for plans */
};

typedef struct vx_engine_params {
    const vx_settings *settings;
    const vx_pack *pack;
    int wants;
    double speech_seconds;         /* the longest speech that is asked for; 0: the pack's slot */
    int frame_width, frame_height; /* the largest film that is asked for; 0: the pack's */
    int64_t frames;                /* of the longest; 0: the pack's */
    int sets; /* of the buffers that leases hold; 0: the settings' pipeline_depth */
    int image_width, image_height, image_steps; /* the largest actor image; 0: the pack's */
    bool image_to_image; /* actor images may begin with a picture: takes the encoder too */
    vx_cancel *cancel;   /* ends opening between two tensors; may be NULL */
    /* Called while loading with the component's name and the share that is done, 0..1; may be NULL. */
    void (*progress)(void *arg, const char *component, double share);
    void *progress_arg;
} vx_engine_params;

/* Key frames of a film: what verification looks at (docs/CONTRACTS.md, score). */
enum { VX_KEY_FRAMES = 5 };

/* Buffers that outlive a stage, by name. */
typedef enum vx_buffer {
    VX_BUFFER_SAMPLES,    /* f32 [speech_seconds * 24000] */
    VX_BUFFER_SPEECH,     /* the speech stage's own tables */
    VX_BUFFER_VOICE,      /* style rows of the voice that speaks */
    VX_BUFFER_KEY_FRAMES, /* u8 [VX_KEY_FRAMES, frame_height, frame_width, 3] */
    VX_BUFFER_PROMPT,     /* f32: T5's rows of the prompt, then CLIP's pooled vector */
    VX_BUFFER_LATENTS,    /* f32: three latents */
    VX_BUFFER_ACTOR,      /* the actor image, u8 RGB */
    VX_BUFFER_PORTRAIT,   /* features of the one who moves */
    VX_BUFFER_MOTION,     /* the motion table and memory for driving (animate.h) */
    VX_BUFFER_RING,       /* frames between the network and the encoder, u8 RGB (animate.h) */
    VX_BUFFERS
} vx_buffer;

typedef struct vx_engine vx_engine;

/* The VX_WANT_* that takes a component. */
int vx_component_want(vx_component component);

/* The plan alone, for a device by name ("cpu" or one known by its datasheet); loads nothing and needs no
 * model file. Whether it fits is in the plan, not in the status. */
vx_status vx_engine_plan(const vx_engine_params *params, const char *device, vx_plan *plan,
                         vx_error *err);

/* Plans, checks, reserves, loads. VX_ERR_MISSING when a file is not there, VX_ERR_MEMORY when the plan does
 * not fit, VX_ERR_INPUT for bad weights. *engine is NULL on failure. */
vx_status vx_engine_open(vx_engine **engine, const vx_engine_params *params, vx_error *err);
void vx_engine_close(vx_engine **engine); /* safe on NULL; sets NULL */

const vx_plan *vx_engine_planned(const vx_engine *engine);
const vx_pack *vx_engine_pack(const vx_engine *engine);
const vx_settings *vx_engine_settings(const vx_engine *engine);
vx_pool *vx_engine_pool(const vx_engine *engine);
vx_backend *vx_engine_backend(const vx_engine *engine);
/* Memory of a buffer and its size. */
void *vx_engine_buffer(const vx_engine *engine, vx_buffer buffer, size_t *bytes);
/* The same for VX_BUFFER_SAMPLES and VX_BUFFER_KEY_FRAMES, which leases hold and which there are `sets` of;
 * set 0 is vx_engine_buffer's. */
void *vx_engine_set_buffer(const vx_engine *engine, vx_buffer buffer, int set, size_t *bytes);
/* The lanes' workspaces as one block, for a stage beside which no other runs; 0 bytes where the host does not
 * see them. */
void *vx_engine_idle(const vx_engine *engine, size_t *bytes);
int vx_engine_sets(const vx_engine *engine);
int vx_engine_wants(const vx_engine *engine); /* VX_WANT_* that it was opened with */

/* Seconds that the device needs at least for the stages of the parts of one VX_WANT_*, once each at their
 * largest; 0 when there are none. */
double vx_engine_roofline_s(const vx_engine *engine, int want);

/* The models; NULL when not wanted. Owned by the engine. */
const vx_kokoro *vx_engine_kokoro(const vx_engine *engine);
/* VX_COMPONENT_CLIP_B, _L or _FLUX_CLIP_TEXT; the last may be the same model as one of the others. */
vx_clip *vx_engine_clip(const vx_engine *engine, vx_component which);
vx_t5 *vx_engine_t5(const vx_engine *engine);
vx_flux *vx_engine_flux(const vx_engine *engine);
vx_vae *vx_engine_vae(const vx_engine *engine);
vx_liveportrait *vx_engine_liveportrait(const vx_engine *engine);
/* The largest actor image, and whether it may begin with a picture. */
const vx_actor_size *vx_engine_actor(const vx_engine *engine);
bool vx_engine_image_to_image(const vx_engine *engine);

/* A context on a lane. The engine must outlive it. */
vx_ctx vx_engine_ctx(vx_engine *engine, vx_lane lane, vx_cancel *cancel, vx_error *err);

/* What the process has used at its highest since just before the reservation, in bytes, and what the lane's
 * workspace has been stacked to. 0 where the system does not say. */
size_t vx_engine_measured_bytes(const vx_engine *engine);

/* Heap allocations of Vortex since the end of opening. */
vx_heap_counts vx_engine_heap_since_open(const vx_engine *engine);

#endif
