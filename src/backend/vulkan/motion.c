/* Dense motion and warping. */
#include "backend/vulkan/vulkan.h"

/* As shaders/motion.comp has them. */
enum { INPUT, FIELD, WARP };

typedef struct motion_push {
    uint64_t x, source, driving, out;
    uint32_t size[3], cols, ldx, ldo;
    uint32_t points, field[3];
    uint32_t folded;
    float variance;
} motion_push;

typedef struct motion {
    uint32_t kind;
    const vx_tensor *x, *source, *driving, *out;
    vx_grid grid;
    int64_t invocations;
} motion;

static void run_motion(vx_vk_work *work, const motion *m, motion_push *push)
{
    push->x = vx_vk_at(m->x);
    push->source = vx_vk_at(m->source);
    push->driving = vx_vk_at(m->driving);
    push->out = vx_vk_at(m->out);
    for (int i = 0; i < 3; i++)
        push->size[i] = (uint32_t)m->x->dim[i];
    push->cols = (uint32_t)vx_cols(m->x);
    push->ldx = vx_vk_ld(m->x);
    push->ldo = vx_vk_ld(m->out);
    vx_vk_dispatch d = {.shader = VX_VK_motion,
                        .constant = {vx_vk_group(work->vk), m->kind, vx_vk_type(m->x),
                                     vx_vk_type(m->out), m->grid == VX_GRID_CENTRES},
                        .constants = 5,
                        .push = push,
                        .push_bytes = sizeof *push};
    vx_vk_reads(&d, m->x);
    vx_vk_reads(&d, m->source);
    vx_vk_reads(&d, m->driving);
    vx_vk_writes(&d, m->out);
    vx_vk_each(&d, m->invocations);
    vx_vk_do(work, &d);
    vx_vk_zero_halo(work, m->out);
}

void vx_vk_motion_input(vx_vk_work *work, const vx_motion_input_args *a)
{
    motion_push push = {.points = (uint32_t)vx_rows(a->source), .variance = a->variance};
    run_motion(work,
               &(motion){.kind = INPUT,
                         .x = a->feature,
                         .source = a->source,
                         .driving = a->driving,
                         .out = a->out,
                         .grid = a->grid,
                         .invocations = vx_elements(a->out)},
               &push);
}

void vx_vk_motion_field(vx_vk_work *work, const vx_motion_field_args *a)
{
    motion_push push = {.points = (uint32_t)vx_rows(a->source)};
    run_motion(work,
               &(motion){.kind = FIELD,
                         .x = a->logits,
                         .source = a->source,
                         .driving = a->driving,
                         .out = a->out,
                         .invocations = vx_rows(a->out)},
               &push);
}

void vx_vk_warp(vx_vk_work *work, const vx_warp_args *a)
{
    motion_push push = {.folded = vx_rows(a->out) != vx_rows(a->x)};
    for (int i = 0; i < 3; i++)
        push.field[i] = (uint32_t)a->field->dim[i];
    run_motion(work,
               &(motion){.kind = WARP,
                         .x = a->x,
                         .source = a->field,
                         .out = a->out,
                         .grid = a->grid,
                         .invocations = vx_elements(a->x)},
               &push);
}
