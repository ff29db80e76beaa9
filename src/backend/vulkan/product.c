/* Ops that are one product: linear layers and filters. */
#include "backend/vulkan/weight.h"

enum { TILE = 64, TILE_GROUP = 256, MODE_ROWS = 0, MODE_LINE = 1, MODE_PLANES = 2 };
enum { HAS_BIAS = 1, HAS_GATE = 2, HAS_RESIDUAL = 4, HAS_FOURS = 8 };

typedef struct product_push {
    uint64_t x, w, bias, gate, residual, out;
    uint32_t m, n, c, ldx, ldo, ldr;
    float slope;
    uint32_t size[3], out_size[3];
    uint32_t kernel, stride, dilation, pad_above, spread, rows;
} product_push;
_Static_assert(sizeof(product_push) <= VX_VK_PUSH_BYTES, "arguments fit what every device has");

typedef struct product {
    const vx_tensor *x, *bias, *gate, *residual, *out;
    const vx_weight *w;
    vx_act act;
    uint32_t mode;
    int64_t rows;    /* of the product */
    int64_t columns; /* of it */
    int64_t size[3], out_size[3], above, pad;
} product;

/* Three numbers of at most 8 bits. */
static uint32_t packed(vx_vk_work *work, const int64_t *v)
{
    for (int i = 0; i < 3; i++)
        if (v[i] < 0 || v[i] > 255) vx_vk_refuse(work);
    return (uint32_t)(v[0] | v[1] << 8 | v[2] << 16);
}

/* Whether four channels can be read at once. */
static bool in_fours(const vx_tensor *x)
{
    return x->data.at % (4 * vx_dtype_bytes(x->dtype)) == 0 && x->ld % 4 == 0;
}

/* Rows that an invocation owns: few where there are few, so that others are not computed twice. */
static uint32_t lane_rows(int64_t rows)
{
    return rows >= 16 ? 16 : rows > 4 ? 8 : rows > 1 ? 4 : 1;
}

static void run_product(vx_vk_work *work, const product *p)
{
    const vx_weight *w = p->w;
    bool transposed = w->kind == VX_WEIGHT_CONV_TRANSPOSE, lanes = work->vk->engine == VX_VK_LANES;
    const int64_t one[3] = {1, 1, 1}, two[3] = {1, 1, 2}, next[3] = {0, 0, 1};
    const int64_t *kernel = transposed ? two : w->kernel, *pad = transposed ? next : w->pad;
    product_push push = {.x = vx_vk_at(p->x),
                         .w = w->data.at,
                         .bias = vx_vk_at(p->bias),
                         .gate = vx_vk_at(p->gate),
                         .residual = vx_vk_at(p->residual),
                         .out = vx_vk_at(p->out),
                         .m = (uint32_t)p->rows,
                         .n = (uint32_t)p->columns,
                         .c = (uint32_t)w->in,
                         .ldx = vx_vk_ld(p->x),
                         .ldo = vx_vk_ld(p->out),
                         .ldr = vx_vk_ld(p->residual),
                         .slope = p->act.slope,
                         .kernel = packed(work, kernel),
                         .stride = packed(work, transposed ? one : w->stride),
                         .dilation = packed(work, transposed ? one : w->dilation),
                         .pad_above = packed(work, pad) | (uint32_t)p->above << 24,
                         .spread = transposed ? (uint32_t)(w->stride[2] | w->pad[2] << 16) : 0,
                         .rows = (uint32_t)vx_rows(p->out)};
    if (p->above > 255) vx_vk_refuse(work);
    for (int i = 0; i < 3; i++) {
        push.size[i] = (uint32_t)p->size[i];
        push.out_size[i] = (uint32_t)p->out_size[i];
    }
    uint32_t has = (p->bias ? HAS_BIAS : 0) | (p->gate ? HAS_GATE : 0) |
                   (p->residual ? HAS_RESIDUAL : 0) | (in_fours(p->x) ? HAS_FOURS : 0);
    vx_vk_dispatch d = {.shader = lanes ? VX_VK_product_lanes : VX_VK_product_tiles,
                        .constant = {TILE_GROUP, (uint32_t)w->store, vx_vk_type(p->x),
                                     vx_vk_type(p->out), vx_vk_type(p->residual),
                                     (uint32_t)p->act.kind, has, p->mode, (uint32_t)w->upsample,
                                     (uint32_t)w->cells_in | (uint32_t)w->cells_out << 1, TILE},
                        .constants = 11,
                        .push = &push,
                        .push_bytes = sizeof push};
    uint32_t across = TILE;
    if (lanes) {
        d.constant[0] = across = work->vk->facts.subgroup;
        d.constant[10] = lane_rows(p->rows);
    }
    d.size[0] = (uint32_t)((p->columns + across - 1) / across);
    d.size[1] = (uint32_t)((p->rows + d.constant[10] - 1) / d.constant[10]);
    d.size[2] = 1;
    if (d.size[1] > 65535) vx_vk_refuse(work);
    vx_vk_reads(&d, p->x);
    vx_vk_reads_bytes(&d, w->data.at, w->bytes);
    vx_vk_reads(&d, p->bias);
    vx_vk_reads(&d, p->gate);
    vx_vk_reads(&d, p->residual);
    vx_vk_writes(&d, p->out);
    vx_vk_do(work, &d);
    vx_vk_zero_halo(work, p->out);
}

void vx_vk_linear(vx_vk_work *work, const vx_linear_args *a)
{
    run_product(work, &(product){.x = a->x,
                                 .bias = a->bias,
                                 .gate = a->gate,
                                 .residual = a->residual,
                                 .out = a->out,
                                 .w = a->w,
                                 .act = a->act,
                                 .rows = vx_rows(a->x),
                                 .columns = a->w->out});
}

void vx_vk_conv1d(vx_vk_work *work, const vx_conv1d_args *a)
{
    run_product(work, &(product){.x = a->x,
                                 .bias = a->bias,
                                 .residual = a->accumulate ? a->out : NULL,
                                 .out = a->out,
                                 .w = a->w,
                                 .act = a->act,
                                 .mode = MODE_LINE,
                                 .rows = vx_rows(a->out),
                                 .columns = a->w->out,
                                 .size = {1, 1, vx_rows(a->x)},
                                 .out_size = {1, 1, vx_rows(a->out)}});
}

/* Input q and the one before it, for each q from the first to one behind the last. */
void vx_vk_conv_transpose1d(vx_vk_work *work, const vx_conv_transpose1d_args *a)
{
    int64_t rows = vx_rows(a->x) + 1;
    run_product(work, &(product){.x = a->x,
                                 .bias = a->bias,
                                 .out = a->out,
                                 .w = a->w,
                                 .mode = MODE_LINE,
                                 .rows = rows,
                                 .columns = a->w->stride[2] * a->w->out,
                                 .size = {1, 1, vx_rows(a->x)},
                                 .out_size = {1, 1, rows}});
}

void vx_vk_conv(vx_vk_work *work, const vx_conv_args *a)
{
    const vx_weight *w = a->w;
    product p = {.x = a->x,
                 .bias = a->bias,
                 .residual = a->residual,
                 .out = a->out,
                 .w = w,
                 .act = a->act,
                 .mode = MODE_PLANES,
                 .rows = vx_rows(a->out),
                 .columns = w->out,
                 .above = a->above};
    for (int i = 0; i < 3; i++) {
        int rank = a->x->rank, at = rank - 4 + i;
        bool there = i > 0 || rank == 5;
        int64_t size = there ? a->x->dim[at] : 1;
        if (i > 0) size = w->cells_in ? size / 3 * 4 : size * w->upsample;
        p.size[i] = size;
        p.out_size[i] = there ? a->out->dim[at] : 1;
    }
    run_product(work, &p);
}
