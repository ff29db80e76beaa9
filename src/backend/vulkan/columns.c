/* Norms by columns. Their scratch: what chunks of rows measured, then factors: columns.comp. */
#include "backend/vulkan/vulkan.h"

/* As the shader has them. */
enum { MEASURE, JOIN, GIVEN, LENGTH, RESPONSE, APPLY };
enum { HAS_SCALE = 1, HAS_SHIFT = 2, HAS_ONE = 4, HAS_ALPHA = 8, HAS_NO_MEAN = 16, HAS_BETA = 32 };
/* At least so many rows a chunk, at most so many chunks. */
enum { CHUNK = 64, CHUNKS = 256 };

typedef struct column_push {
    uint64_t x, part, factors, scale, shift, map, out;
    uint32_t rows, cols, chunk, chunks, group, ldx, ldo, ldm;
    uint32_t width, up, x_width, images;
    float eps, slope;
} column_push;
_Static_assert(sizeof(column_push) <= VX_VK_PUSH_BYTES, "arguments fit what every device has");

typedef struct columns {
    const vx_tensor *x, *scale, *shift, *alpha, *map, *out;
    const vx_tensor *factors; /* the caller's, else the scratch's */
    const vx_tensor *mean, *var;
    int64_t images, group;
    uint32_t has;
    vx_act act;
    float eps;
    int64_t up;
} columns;

static int64_t chunk_rows(int64_t rows)
{
    int64_t chunk = (rows + CHUNKS - 1) / CHUNKS;
    return chunk > CHUNK ? chunk : CHUNK;
}

static int64_t chunks_of(int64_t rows)
{
    return (rows + chunk_rows(rows) - 1) / chunk_rows(rows);
}

/* A row more for the lengths of columns. */
static size_t part_bytes(const vx_tensor *x, int64_t images)
{
    int64_t rows = images > 0 ? vx_rows(x) / images : 0;
    return vx_align_up((size_t)((2 * images * chunks_of(rows) + 1) * vx_cols(x)) * sizeof(float));
}

static size_t scratch_bytes(const vx_tensor *x, int64_t images)
{
    return part_bytes(x, images) + vx_align_up((size_t)(images * 3 * vx_cols(x)) * sizeof(float));
}

static column_push push_of(const vx_vk_work *work, const columns *n)
{
    int64_t rows = n->images > 0 ? vx_rows(n->x) / n->images : 0;
    const vx_tensor *map = n->alpha != NULL ? n->alpha : n->map;
    column_push push = {.x = vx_vk_at(n->x),
                        .part = work->scratch,
                        .factors = n->factors != NULL ? vx_vk_at(n->factors)
                                                      : work->scratch + part_bytes(n->x, n->images),
                        .scale = vx_vk_at(n->scale),
                        .shift = vx_vk_at(n->shift),
                        .map = vx_vk_at(map),
                        .out = vx_vk_at(n->out),
                        .rows = (uint32_t)rows,
                        .cols = (uint32_t)vx_cols(n->x),
                        .chunk = (uint32_t)chunk_rows(rows),
                        .chunks = (uint32_t)chunks_of(rows),
                        .group = (uint32_t)n->group,
                        .ldx = vx_vk_ld(n->x),
                        .ldo = vx_vk_ld(n->out),
                        .ldm = vx_vk_ld(map),
                        .up = (uint32_t)n->up,
                        .images = (uint32_t)n->images,
                        .eps = n->eps,
                        .slope = n->act.slope};
    if (n->up > 0) {
        push.width = (uint32_t)n->out->dim[1];
        push.x_width = (uint32_t)n->x->dim[1];
    }
    return push;
}

static void run_columns(vx_vk_work *work, const columns *n, uint32_t kind, int64_t invocations)
{
    column_push push = push_of(work, n);
    uint32_t has = n->has | (n->scale ? HAS_SCALE : 0) | (n->shift ? HAS_SHIFT : 0) |
                   (n->alpha ? HAS_ALPHA : 0);
    vx_vk_dispatch d = {.shader = VX_VK_columns,
                        .constant = {vx_vk_group(work->vk), kind, vx_vk_type(n->x),
                                     vx_vk_type(n->out), vx_vk_type(n->map),
                                     kind == APPLY ? (uint32_t)n->act.kind : 0, has},
                        .constants = 7,
                        .push = &push,
                        .push_bytes = sizeof push};
    uint64_t part = part_bytes(n->x, n->images);
    uint64_t factors = (uint64_t)(n->images * 3 * vx_cols(n->x)) * sizeof(float);
    if (kind == MEASURE || kind == APPLY) vx_vk_reads(&d, n->x);
    if (kind == MEASURE || kind == LENGTH) vx_vk_writes_bytes(&d, push.part, part);
    if (kind == JOIN || kind == RESPONSE) vx_vk_reads_bytes(&d, push.part, part);
    if (kind == JOIN || kind == RESPONSE || kind == GIVEN) {
        vx_vk_reads(&d, n->scale);
        vx_vk_reads(&d, n->shift);
        vx_vk_writes_bytes(&d, push.factors, factors);
    }
    if (kind == GIVEN) {
        push.part = vx_vk_at(n->mean);
        push.map = vx_vk_at(n->var);
        vx_vk_reads(&d, n->mean);
        vx_vk_reads(&d, n->var);
    }
    if (kind == APPLY) {
        /* One plane whose rows are out's. */
        if (n->up > 0) push.rows = (uint32_t)vx_rows(n->out);
        vx_vk_reads_bytes(&d, push.factors, factors);
        vx_vk_reads(&d, n->alpha);
        vx_vk_reads(&d, n->map);
        vx_vk_writes(&d, n->out);
    }
    vx_vk_each(&d, invocations);
    vx_vk_do(work, &d);
}

static void measure(vx_vk_work *work, const columns *n)
{
    int64_t rows = n->images > 0 ? vx_rows(n->x) / n->images : 0;
    run_columns(work, n, MEASURE, n->images * chunks_of(rows) * vx_cols(n->x));
}

static void measure_and_join(vx_vk_work *work, const columns *n)
{
    measure(work, n);
    run_columns(work, n, JOIN, n->images * vx_cols(n->x));
}

static void apply(vx_vk_work *work, const columns *n)
{
    run_columns(work, n, APPLY, vx_elements(n->out));
    vx_vk_zero_halo(work, n->out);
}

size_t vx_vk_instance_norm_scratch(vx_backend *backend, const vx_instance_norm_args *a)
{
    (void)backend;
    return scratch_bytes(a->x, 1);
}

void vx_vk_instance_norm(vx_vk_work *work, const vx_instance_norm_args *a)
{
    const columns n = {.x = a->x,
                       .scale = a->scale,
                       .shift = a->shift,
                       .alpha = a->alpha,
                       .out = a->out,
                       .images = 1,
                       .group = 1,
                       .has = HAS_ONE,
                       .act = a->act,
                       .eps = a->eps};
    measure_and_join(work, &n);
    apply(work, &n);
}

size_t vx_vk_group_norm_scratch(vx_backend *backend, const vx_group_norm_args *a)
{
    (void)backend;
    return scratch_bytes(a->x, a->x->dim[0]);
}

void vx_vk_group_norm(vx_vk_work *work, const vx_group_norm_args *a)
{
    const columns n = {.x = a->x,
                       .scale = a->gamma,
                       .shift = a->beta,
                       .factors = a->factors,
                       .out = a->out,
                       .images = a->x->dim[0],
                       .group = vx_cols(a->x) / a->groups,
                       .act = a->act,
                       .eps = a->eps};
    if (a->out == NULL || a->factors == NULL) measure_and_join(work, &n);
    if (a->out != NULL) apply(work, &n);
}

size_t vx_vk_spade_scratch(vx_backend *backend, const vx_spade_args *a)
{
    (void)backend;
    return scratch_bytes(a->x, 1);
}

void vx_vk_spade(vx_vk_work *work, const vx_spade_args *a)
{
    const columns n = {.x = a->x,
                       .map = a->map,
                       .out = a->out,
                       .mean = a->mean,
                       .var = a->var,
                       .images = 1,
                       .group = 1,
                       .has = vx_cols(a->map) > vx_cols(a->x) ? HAS_BETA : 0,
                       .act = a->act,
                       .eps = a->eps,
                       .up = a->up};
    if (a->mean != NULL)
        run_columns(work, &n, GIVEN, vx_cols(a->x));
    else
        measure_and_join(work, &n);
    apply(work, &n);
}

size_t vx_vk_response_norm_scratch(vx_backend *backend, const vx_response_norm_args *a)
{
    (void)backend;
    return scratch_bytes(a->x, 1);
}

void vx_vk_response_norm(vx_vk_work *work, const vx_response_norm_args *a)
{
    columns n = {.x = a->x,
                 .scale = a->gamma,
                 .shift = a->beta,
                 .out = a->out,
                 .images = 1,
                 .group = 1,
                 .has = HAS_NO_MEAN,
                 .eps = a->eps};
    measure(work, &n);
    run_columns(work, &n, LENGTH, vx_cols(a->x));
    run_columns(work, &n, RESPONSE, vx_cols(a->x));
    apply(work, &n);
}
