/* Planes and pictures. */
#include "backend/vulkan/vulkan.h"

/* As shaders/planes.comp has them. */
enum { ROW_GATE, POOL2, DEPTHWISE, UP2, TO_PICTURE, FROM_PICTURE };
enum { HAS_BIAS = 1, HAS_OTHER = 2 };

typedef struct plane_push {
    uint64_t x, s, bias, out;
    uint32_t elements, cols, ldx, lds, ldo;
    uint32_t h, w, x_h, x_w;
    uint32_t k, deep, depth;
    int32_t stride, pad;
    float divisor, slope;
    float mean[3], deviation[3];
} plane_push;
_Static_assert(sizeof(plane_push) <= VX_VK_PUSH_BYTES, "arguments fit what every device has");

typedef struct plane {
    uint32_t kind, has;
    const vx_tensor *x, *s, *bias, *out;
    vx_act act;
} plane;

static void run_plane(vx_vk_work *work, const plane *p, plane_push *push)
{
    push->x = vx_vk_at(p->x);
    push->s = vx_vk_at(p->s);
    push->bias = vx_vk_at(p->bias);
    push->out = vx_vk_at(p->out);
    push->elements = (uint32_t)vx_elements(p->out);
    push->cols = (uint32_t)vx_cols(p->out);
    push->ldx = vx_vk_ld(p->x);
    push->lds = vx_vk_ld(p->s);
    push->ldo = vx_vk_ld(p->out);
    push->slope = p->act.slope;
    vx_vk_dispatch d = {.shader = VX_VK_planes,
                        .constant = {vx_vk_group(work->vk), p->kind, vx_vk_type(p->x),
                                     vx_vk_type(p->s), vx_vk_type(p->out), (uint32_t)p->act.kind,
                                     p->has | (p->bias != NULL ? HAS_BIAS : 0)},
                        .constants = 7,
                        .push = push,
                        .push_bytes = sizeof *push};
    vx_vk_reads(&d, p->x);
    vx_vk_reads(&d, p->s);
    vx_vk_reads(&d, p->bias);
    vx_vk_writes(&d, p->out);
    vx_vk_each(&d, vx_elements(p->out));
    vx_vk_do(work, &d);
    vx_vk_zero_halo(work, p->out);
}

/* Height and width are the last two dimensions before the channels. */
static uint32_t height(const vx_tensor *t)
{
    return t->rank >= 3 ? (uint32_t)t->dim[t->rank - 3] : 1;
}
static uint32_t width(const vx_tensor *t)
{
    return t->rank >= 2 ? (uint32_t)t->dim[t->rank - 2] : 1;
}

void vx_vk_row_gate(vx_vk_work *work, const vx_row_gate_args *a)
{
    bool small = vx_rows(a->s) != vx_rows(a->x);
    plane_push push = {
        .h = height(a->x), .w = width(a->x), .x_h = height(a->s), .x_w = width(a->s)};
    run_plane(work,
              &(plane){.kind = ROW_GATE,
                       .has = small ? HAS_OTHER : 0,
                       .x = a->x,
                       .s = a->s,
                       .out = a->out,
                       .act = a->act},
              &push);
}

void vx_vk_pool2(vx_vk_work *work, const vx_pool2_args *a)
{
    bool deep = a->x->rank == 5 && a->out->dim[1] != a->x->dim[1];
    plane_push push = {.h = height(a->out),
                       .w = width(a->out),
                       .x_h = height(a->x),
                       .x_w = width(a->x),
                       .deep = deep ? 2 : 1,
                       .depth = deep ? (uint32_t)a->out->dim[1] : 1,
                       .k = deep ? (uint32_t)a->x->dim[1] % 2 : 0};
    run_plane(work,
              &(plane){.kind = POOL2, .has = a->largest ? HAS_OTHER : 0, .x = a->x, .out = a->out},
              &push);
}

void vx_vk_depthwise(vx_vk_work *work, const vx_depthwise_args *a)
{
    uint32_t k = (uint32_t)a->weight->dim[0];
    plane_push push = {.h = height(a->out),
                       .w = width(a->out),
                       .x_h = height(a->x),
                       .x_w = width(a->x),
                       .k = k,
                       .stride = a->stride > 0 ? (int32_t)a->stride : 1,
                       .pad = a->stride > 0 ? (int32_t)a->pad : (int32_t)k / 2};
    run_plane(
        work,
        &(plane){.kind = DEPTHWISE, .x = a->x, .s = a->weight, .bias = a->bias, .out = a->out},
        &push);
}

void vx_vk_depthwise_up2(vx_vk_work *work, const vx_depthwise_up2_args *a)
{
    plane_push push = {.x_h = (uint32_t)vx_rows(a->x)};
    run_plane(work,
              &(plane){.kind = UP2, .x = a->x, .s = a->weight, .bias = a->bias, .out = a->out},
              &push);
}

void vx_vk_to_picture(vx_vk_work *work, const vx_to_picture_args *a)
{
    plane_push push = {.w = width(a->out), .x_w = width(a->x), .k = (uint32_t)a->factor};
    run_plane(work,
              &(plane){.kind = TO_PICTURE,
                       .has = a->range == VX_PICTURE_SIGNED ? HAS_OTHER : 0,
                       .x = a->x,
                       .out = a->out},
              &push);
}

void vx_vk_from_picture(vx_vk_work *work, const vx_from_picture_args *a)
{
    plane_push push = {.divisor = a->divisor};
    for (int i = 0; i < 3; i++) {
        push.mean[i] = a->mean[i];
        push.deviation[i] = a->deviation[i];
    }
    run_plane(work, &(plane){.kind = FROM_PICTURE, .x = a->x, .out = a->out}, &push);
}
