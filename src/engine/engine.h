/* The engine: plans, reserves, loads and holds the models of a pack.
 *
 * Opening runs the three steps of docs/ARCHITECTURE.md: the models are described, walked in plan
 * mode, and the sum is checked against the budget; one reservation is made, buffers first, then a
 * workspace per lane, then weights; files are mapped and packed. After that nothing grows.
 *
 * Lanes: audio (Kokoro) and picture (actor, then video, then verification, which share one
 * workspace since they run one after the other). Calls on one lane are the caller's to keep apart;
 * two threads may use two lanes. */
#ifndef VX_ENGINE_ENGINE_H
#define VX_ENGINE_ENGINE_H

#include "base/mem.h"
#include "config/pack.h"
#include "config/settings.h"
#include "engine/plan.h"

typedef enum vx_lane_id { VX_LANE_AUDIO, VX_LANE_PICTURE, VX_LANES } vx_lane_id;

typedef struct vx_part_kind vx_part_kind; /* engine/part.h */

typedef struct vx_engine vx_engine;

typedef struct vx_engine_params {
    const vx_settings *settings;
    const vx_pack *pack;
    /* What the engine may be made of, and whether the parts that it got fit each
     * other (may be NULL). */
    const vx_part_kind *kinds;
    vx_status (*check)(const vx_engine *engine, vx_error *err);
    int wants; /* bits of the kinds: only the components that it takes are planned and loaded */
    /* What is asked for at most; 0: what any recipe may, by the settings' slot, else the pack's. */
    double speech_seconds;
    int frame_width, frame_height;
    int64_t frames; /* of a film */
    int sets;       /* of the buffers that leases hold; 0: the settings' pipeline_depth */
    /* One more set of what a lane alone fills, for a job beside a film; speech there may last
     * side_seconds. */
    bool side;
    double side_seconds;
    int image_width, image_height, image_steps; /* the largest actor image; 0: the pack's */
    bool image_to_image; /* actor images may begin with a picture: takes the encoder too */
    vx_cancel *cancel;   /* ends opening between two tensors; may be NULL */
    /* Called while loading with the component's name and the share that is
     * done, 0..1; may be NULL. */
    void (*progress)(void *arg, const char *component, double share);
    void *progress_arg;
} vx_engine_params;

/* Most buffers of an engine, and most sets of those that leases hold. */
enum { VX_ENGINE_BUFFERS = 16, VX_ENGINE_SETS = VX_SETS_MAX + 1 };

/* The plan alone, for a device by name ("cpu" or one known by its datasheet); loads nothing and
 * needs no model file. Whether it fits is in the plan, not in the status. */
vx_status vx_engine_plan(const vx_engine_params *params, const char *device, vx_plan *plan,
                         vx_error *err);

/* Plans, checks, reserves, loads. VX_ERR_MISSING when a file is not there, VX_ERR_MEMORY when the
 * plan does not fit, VX_ERR_INPUT for bad weights. *engine is NULL on failure. */
vx_status vx_engine_open(vx_engine **engine, const vx_engine_params *params, vx_error *err);
void vx_engine_close(vx_engine **engine); /* safe on NULL; sets NULL */

const vx_plan *vx_engine_planned(const vx_engine *engine);
const vx_pack *vx_engine_pack(const vx_engine *engine);
const vx_settings *vx_engine_settings(const vx_engine *engine);
vx_pool *vx_engine_pool(const vx_engine *engine);
vx_backend *vx_engine_backend(const vx_engine *engine);
/* A buffer's memory, for the program and for ops (vx_place). Sets other than 0 of
 * those that leases hold. */
const vx_room *vx_engine_room(const vx_engine *engine, int buffer, int set);
/* The program's address of set 0 of a buffer that it can follow, and its size. */
void *vx_engine_buffer(const vx_engine *engine, int buffer, size_t *bytes);
void *vx_engine_set_buffer(const vx_engine *engine, int buffer, int set, size_t *bytes);
/* The lanes' workspaces as one block, for a stage beside which no other runs; NULL and 0 bytes
 * where the program does not see them. */
void *vx_engine_idle(const vx_engine *engine, size_t *bytes);
int vx_engine_sets(const vx_engine *engine);
/* The set for jobs beside a film: behind the others, or 0 of an engine without one. */
int vx_engine_side(const vx_engine *engine);
int vx_engine_wants(const vx_engine *engine); /* bits that it was opened with */
const vx_engine_params *vx_engine_parameters(const vx_engine *engine);

/* Seconds that the device needs at least for the stages of the parts of one want, once each at
 * their largest; 0 when there are none. */
double vx_engine_roofline_s(const vx_engine *engine, int want);

/* A component's model; NULL when not wanted. Owned by the engine. slot/part.h says of what type. */
void *vx_engine_model(const vx_engine *engine, int component);

/* A context on a lane. The engine must outlive it. */
vx_ctx vx_engine_ctx(vx_engine *engine, vx_lane_id lane, vx_cancel *cancel, vx_error *err);

/* Copies between host and device on all lanes since opening. From any thread. */
typedef struct vx_transfers {
    int64_t uploads, downloads;
} vx_transfers;
vx_transfers vx_engine_transfers(const vx_engine *engine);

/* What has been used of the device's memory at its highest since just before the reservation, in
 * bytes. 0 where the system does not say. */
size_t vx_engine_measured_bytes(const vx_engine *engine);

/* Heap allocations of Vortex since the end of opening. */
vx_heap_counts vx_engine_heap_since_open(const vx_engine *engine);

#endif
