/* What stands behind a body's calls (checkop.h): memory of the backend under test with guards around it, and the copy
 * of it that the checker reads. */
#ifndef VX_TESTS_CHECKOP_MEMORY_H
#define VX_TESTS_CHECKOP_MEMORY_H

#include "checkop.h"

enum { CO_SLOTS = 24, CO_GUARD = 256 };
enum { CO_POISON = 0xFF }; /* 0xFF.. is a NaN in every float format; guards hold it too */

/* A backend under test: its lane, and one reservation that every case begins anew. */
typedef struct co_device {
    vx_pool *pool; /* NULL: the backend has none */
    vx_backend *backend;
    vx_lane lane;
    vx_memory *memory;
    vx_room room;
} co_device;

/* A block of the backend's memory with guards, and its copy here, which is what checks read: a tensor, a weight
 * or the workspace. */
typedef struct co_block {
    vx_dev at;  /* CO_GUARD bytes, then `bytes`, then CO_GUARD bytes */
    char *copy; /* the same; NULL in a plan */
    size_t bytes;
} co_block;

typedef struct co_slot {
    co_block block;
    vx_tensor view; /* the backend's */
    vx_tensor here; /* over the copy */
    vx_weight weight;
    co_place place;
    bool output;
    uint64_t hash; /* of the contents, when not an output */
    co_tolerance tolerance;
    co_check_fn check;
} co_slot;

struct co {
    vx_ctx ctx;
    vx_arena arena, blocks; /* the workspace; what blocks are cut from */
    co_device *device;
    co_block workspace;
    bool reference, magnitude;
    uint64_t seed;
    int slots, next; /* next < slots while a body is repeated for the bench */
    co_slot slot[CO_SLOTS];
    vx_error err;
};

/* Ends the program with the sentence of a failure. */
void co_must(vx_status status, const vx_error *err);

/* `plan` is the same body's plan, NULL for the plan itself. */
void co_open(co *c, co_device *d, const co *plan, uint64_t seed);
/* Everything that ran is done, and its results are here. */
vx_status co_finish(co *c);
void co_close(co *c);

/* The type that co_compute gives for bf16: the backend's native one. */
void co_native(vx_dtype native);

/* Whether the bytes around a block, and behind its end, are as they were. */
bool co_guards_whole(const co_block *b);
/* Whether a block that is read holds what it was given. */
bool co_is_untouched(const co_slot *s);
/* Element i of a row, as f32. */
float co_load(vx_dtype dtype, const void *row, int64_t i);

#endif
