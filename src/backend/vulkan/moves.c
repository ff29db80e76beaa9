/* Ops with an invocation for each element: copies, look-ups, elementwise. */
#include "backend/vulkan/vulkan.h"

/* As shaders/maps.comp has it. */
typedef enum map_kind {
    MAP_COPY,
    MAP_GATHER,
    MAP_BROADCAST,
    MAP_BLEND,
    MAP_GATE,
    MAP_ZERO
} map_kind;

typedef struct map_push {
    uint64_t x[3], out;
    uint32_t rows, cols, ldx[3], ldo;
    float scale[3], slope;
    uint64_t slopes;
} map_push;

typedef struct map {
    map_kind kind;
    const vx_tensor *x[3], *out, *slopes;
    const float *scale;
    vx_act act;
} map;

static void run_map(vx_vk_work *work, const map *m)
{
    map_push push = {.out = vx_vk_at(m->out),
                     .rows = (uint32_t)vx_rows(m->out),
                     .cols = (uint32_t)vx_cols(m->out),
                     .ldo = vx_vk_ld(m->out),
                     .slope = m->act.slope,
                     .slopes = vx_vk_at(m->slopes)};
    vx_vk_dispatch d = {.shader = VX_VK_maps,
                        .constant = {vx_vk_group(work->vk), m->kind, (uint32_t)m->act.kind,
                                     vx_vk_type(m->x[0]), vx_vk_type(m->x[1]), vx_vk_type(m->x[2]),
                                     vx_vk_type(m->out)},
                        .constants = 9,
                        .push = &push,
                        .push_bytes = sizeof push};
    for (uint32_t i = 0; i < 3; i++) {
        push.x[i] = vx_vk_at(m->x[i]);
        push.ldx[i] = vx_vk_ld(m->x[i]);
        push.scale[i] = m->scale != NULL ? m->scale[i] : 0;
        if (m->x[i] != NULL) d.constant[7] = i + 1;
        vx_vk_reads(&d, m->x[i]);
    }
    d.constant[8] = m->slopes != NULL;
    vx_vk_reads(&d, m->slopes);
    vx_vk_writes(&d, m->out);
    vx_vk_each(&d, vx_elements(m->out));
    vx_vk_do(work, &d);
    if (m->kind != MAP_ZERO) vx_vk_zero_halo(work, m->out);
}

/* The rows before and those after the tensor, each a tensor of its own. */
void vx_vk_zero_halo(vx_vk_work *work, const vx_tensor *t)
{
    if (t->halo == 0) return;
    vx_tensor part = vx_slice_rows(t, 0, 0);
    part.dim[0] = t->halo;
    for (int after = 0; after < 2; after++) {
        part.data = vx_row_at(t, after ? vx_rows(t) : -t->halo);
        run_map(work, &(map){.kind = MAP_ZERO, .out = &part});
    }
}

void vx_vk_copy(vx_vk_work *work, const vx_copy_args *a)
{
    run_map(work, &(map){.kind = MAP_COPY, .x = {a->x}, .out = a->out});
}

void vx_vk_gather(vx_vk_work *work, const vx_gather_args *a)
{
    run_map(work, &(map){.kind = MAP_GATHER, .x = {a->table, a->index}, .out = a->out});
}

void vx_vk_broadcast(vx_vk_work *work, const vx_broadcast_args *a)
{
    run_map(work, &(map){.kind = MAP_BROADCAST, .x = {a->x}, .out = a->out});
}

void vx_vk_blend(vx_vk_work *work, const vx_blend_args *a)
{
    map m = {
        .kind = MAP_BLEND, .scale = a->scale, .act = a->act, .slopes = a->slopes, .out = a->out};
    for (int i = 0; i < a->n; i++)
        m.x[i] = a->x[i];
    run_map(work, &m);
}

void vx_vk_gate(vx_vk_work *work, const vx_gate_args *a)
{
    run_map(work, &(map){.kind = MAP_GATE, .x = {a->x, a->y}, .act = a->act, .out = a->out});
}
