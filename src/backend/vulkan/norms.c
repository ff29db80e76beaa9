/* Norms of rows. */
#include "backend/vulkan/vulkan.h"

typedef struct row_push {
    uint64_t x, add, gamma, beta, scale, shift, sum, out;
    uint32_t cols, ldx, lda, lds, ldo;
    float eps;
} row_push;

/* A workgroup for each row, of one subgroup where that is a CPU's vector, else of 128. */
static uint32_t row_group(const vx_vk *vk)
{
    return vk->engine == VX_VK_LANES ? vk->facts.subgroup : 128;
}

void vx_vk_layer_norm(vx_vk_work *work, const vx_layer_norm_args *a)
{
    const row_push push = {.x = vx_vk_at(a->x),
                           .add = vx_vk_at(a->add),
                           .gamma = vx_vk_at(a->gamma),
                           .beta = vx_vk_at(a->beta),
                           .scale = vx_vk_at(a->scale),
                           .shift = vx_vk_at(a->shift),
                           .sum = vx_vk_at(a->sum_out),
                           .out = vx_vk_at(a->out),
                           .cols = (uint32_t)vx_cols(a->x),
                           .ldx = vx_vk_ld(a->x),
                           .lda = vx_vk_ld(a->add),
                           .lds = vx_vk_ld(a->sum_out),
                           .ldo = vx_vk_ld(a->out),
                           .eps = a->eps};
    const uint32_t has = (a->add ? 1 : 0) | (a->gamma ? 2 : 0) | (a->beta ? 4 : 0) |
                         (a->scale ? 8 : 0) | (a->shift ? 16 : 0) | (a->sum_out ? 32 : 0);
    vx_vk_dispatch d = {.shader = VX_VK_rows,
                        .constant = {row_group(work->vk), vx_vk_type(a->x), vx_vk_type(a->add),
                                     vx_vk_type(a->sum_out), vx_vk_type(a->out), has, a->rms},
                        .constants = 7,
                        .push = &push,
                        .push_bytes = sizeof push};
    const vx_tensor *reads[] = {a->x, a->add, a->gamma, a->beta, a->scale, a->shift};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        vx_vk_reads(&d, reads[i]);
    vx_vk_writes(&d, a->sum_out);
    vx_vk_writes(&d, a->out);
    vx_vk_each(&d, vx_rows(a->x) * d.constant[0]);
    vx_vk_do(work, &d);
    if (a->sum_out != NULL) vx_vk_zero_halo(work, a->sum_out);
    vx_vk_zero_halo(work, a->out);
}

typedef struct head_push {
    uint64_t x, weight, table, out;
    uint32_t heads, width, ldx, ldo;
    float eps;
} head_push;

void vx_vk_qk_norm(vx_vk_work *work, const vx_qk_norm_args *a)
{
    const head_push push = {.x = vx_vk_at(a->x),
                            .weight = vx_vk_at(a->weight),
                            .table = vx_vk_at(a->table),
                            .out = vx_vk_at(a->out),
                            .heads = (uint32_t)a->heads,
                            .width = (uint32_t)(vx_cols(a->x) / a->heads),
                            .ldx = vx_vk_ld(a->x),
                            .ldo = vx_vk_ld(a->out),
                            .eps = a->eps};
    vx_vk_dispatch d = {.shader = VX_VK_heads,
                        .constant = {row_group(work->vk), vx_vk_type(a->x), vx_vk_type(a->out),
                                     (a->weight ? 1 : 0) | (a->table ? 2 : 0)},
                        .constants = 4,
                        .push = &push,
                        .push_bytes = sizeof push};
    vx_vk_reads(&d, a->x);
    vx_vk_reads(&d, a->weight);
    vx_vk_reads(&d, a->table);
    vx_vk_writes(&d, a->out);
    vx_vk_each(&d, vx_rows(a->x) * a->heads * d.constant[0]);
    vx_vk_do(work, &d);
    vx_vk_zero_halo(work, a->out);
}
