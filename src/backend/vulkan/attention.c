/* Attention. */
#include "backend/vulkan/vulkan.h"

/* Of a head: what an invocation can hold, its query and its sums. */
enum { WIDTH_MAX = 512 };

typedef struct attention_push {
    uint64_t q, k, v, bias, out;
    uint32_t nq, nk, ldq, ldk, ldv, ldo;
    float scale;
} attention_push;

void vx_vk_attention(vx_vk_work *work, const vx_attention_args *a)
{
    const attention_push push = {.q = vx_vk_at(a->q),
                                 .k = vx_vk_at(a->k),
                                 .v = vx_vk_at(a->v),
                                 .bias = vx_vk_at(a->bias),
                                 .out = vx_vk_at(a->out),
                                 .nq = (uint32_t)vx_rows(a->q),
                                 .nk = (uint32_t)vx_rows(a->k),
                                 .ldq = vx_vk_ld(a->q),
                                 .ldk = vx_vk_ld(a->k),
                                 .ldv = vx_vk_ld(a->v),
                                 .ldo = vx_vk_ld(a->out),
                                 .scale = a->scale};
    const uint32_t width = (uint32_t)(vx_cols(a->q) / a->heads);
    const uint32_t group = work->vk->engine == VX_VK_LANES ? work->vk->facts.subgroup : 64;
    vx_vk_dispatch d = {.shader = VX_VK_attention,
                        .constant = {group, vx_vk_type(a->q), vx_vk_type(a->k), vx_vk_type(a->v),
                                     vx_vk_type(a->out), width, a->causal, a->bias != NULL},
                        .constants = 8,
                        .push = &push,
                        .push_bytes = sizeof push,
                        .size = {(push.nq + group - 1) / group, (uint32_t)a->heads, 1}};
    if (a->compute != VX_F32 || width > WIDTH_MAX) vx_vk_refuse(work);
    vx_vk_reads(&d, a->q);
    vx_vk_reads(&d, a->k);
    vx_vk_reads(&d, a->v);
    vx_vk_reads(&d, a->bias);
    vx_vk_writes(&d, a->out);
    vx_vk_do(work, &d);
    vx_vk_zero_halo(work, a->out);
}
