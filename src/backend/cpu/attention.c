/* Attention. Keys and values of each head are packed once as panels for oneDNN's products:
 *
 *     keys     [head][block of 64 keys] panels of D rows and 64 columns
 *     values   [head][64 channels]      panels of all keys (up to whole blocks) and 64 columns
 *
 * A unit of work is one head and one tile of queries: scores of all the keys they see, softmax, the
 * product with the values by groups of keys. So the bounded set of products (D, and 256 and 64
 * keys) serves every length, and of the score matrix only a tile's rows exist. */
#include "backend/cpu/attention.h"

#include <stdatomic.h>

#include "backend/cpu/product.h"

typedef void (*block_fn)(const vx_softmax *s, const float *products, int64_t block);
typedef void (*finish_fn)(const vx_softmax *s);
static const block_fn softmax_block[VX_CPU_LEVELS] = VX_SIMD_TABLE_BF16(vx_softmax_block);
static const finish_fn softmax_finish[VX_CPU_LEVELS] = VX_SIMD_TABLE_BF16(vx_softmax_finish);

/* Everything that follows from the arguments' shapes. */
typedef struct plan {
    vx_dtype type;
    int64_t nq, nk, width, blocks, panels; /* per head: channels, key blocks, value panels */
    const vx_product *scores;              /* [T, D] x [D, 64 keys] */
    /* [T, keys] x [keys, channels], keys VX_KEY_GROUP or VX_KEY_BLOCK; the last panel apart. */
    const vx_product *group, *block, *last_group, *last_block;
    size_t key_panel, value_panel;                    /* bytes */
    size_t keys, values, slices, slice, bytes;        /* offsets of the scratch, its size */
    size_t q, tile, score, weight, sum, largest, pad; /* offsets of a worker's slice */
} plan;

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static vx_status find_product(vx_cpu *cpu, vx_dtype type, int64_t in, int64_t cols,
                              const vx_product **product, vx_error *err)
{
    const vx_product_shape shape = {.compute = type,
                                    .cols = (int)cols,
                                    .in = in,
                                    .taps = 1,
                                    .stride = 1,
                                    .dilation = 1,
                                    .open = true};
    return vx_onednn_product(cpu->onednn, &shape, product, err);
}

static vx_status find_products(vx_cpu *cpu, plan *p, vx_error *err)
{
    int64_t rest = p->width % VX_PANEL, full = rest == 0 || p->width > VX_PANEL ? VX_PANEL : rest;
    if (rest == 0) rest = VX_PANEL;
    VX_TRY(find_product(cpu, p->type, p->width, VX_KEY_BLOCK, &p->scores, err));
    VX_TRY(find_product(cpu, p->type, VX_KEY_GROUP, full, &p->group, err));
    VX_TRY(find_product(cpu, p->type, VX_KEY_BLOCK, full, &p->block, err));
    VX_TRY(find_product(cpu, p->type, VX_KEY_GROUP, rest, &p->last_group, err));
    return find_product(cpu, p->type, VX_KEY_BLOCK, rest, &p->last_block, err);
}

static vx_status make_plan(vx_cpu *cpu, const vx_attention_args *a, plan *p, vx_error *err)
{
    *p = (plan){.nq = vx_rows(a->q), .nk = vx_rows(a->k), .width = vx_cols(a->q) / a->heads};
    p->type = a->compute == VX_BF16 && cpu->backend.native == VX_BF16 ? VX_BF16 : VX_F32;
    p->blocks = (p->nk + VX_KEY_BLOCK - 1) / VX_KEY_BLOCK;
    p->panels = (p->width + VX_PANEL - 1) / VX_PANEL;
    VX_TRY(find_products(cpu, p, err));
    size_t element = vx_dtype_bytes(p->type), heads = (size_t)a->heads;
    size_t rows = VX_TILE_ROWS, keys = (size_t)(p->blocks * VX_KEY_BLOCK);
    p->key_panel = (size_t)round_up(p->width, VX_PANEL_ROWS) * VX_KEY_BLOCK * element;
    p->value_panel = keys * VX_PANEL * element;
    p->values = heads * (size_t)p->blocks * p->key_panel;
    p->slices = p->values + heads * (size_t)p->panels * p->value_panel;
    /* A worker's slice; `q` also takes the rows of a block on their way into panels. */
    p->tile = vx_align_up(rows * (size_t)p->width * element);
    p->score = p->tile + rows * VX_PANEL * sizeof(float);
    p->weight = p->score + rows * keys * sizeof(float);
    p->sum = p->weight + rows * keys * element;
    p->largest = p->sum + rows * (size_t)p->panels * VX_PANEL * sizeof(float);
    p->pad = p->largest + vx_align_up(rows * sizeof(float));
    size_t pad = vx_product_scratch_bytes(p->scores);
    const vx_product *others[] = {p->group, p->block, p->last_group, p->last_block};
    for (int i = 0; i < 4; i++)
        if (vx_product_scratch_bytes(others[i]) > pad) pad = vx_product_scratch_bytes(others[i]);
    p->slice = p->pad + vx_align_up(pad);
    p->bytes = p->slices + p->slice * (size_t)cpu->backend.workers;
    return VX_OK;
}

size_t vx_cpu_attention_scratch(vx_backend *backend, const vx_attention_args *a)
{
    plan p;
    /* A failure shows again, with its words, when the op runs. */
    return make_plan(vx_cpu_of(backend), a, &p, NULL) == VX_OK ? p.bytes : 0;
}

typedef struct run {
    const vx_cpu *cpu;
    const vx_attention_args *a;
    plan plan;
    char *scratch;
    int64_t tiles, first_of_size[VX_TILE_SIZES + 1]; /* of queries */
    atomic_bool failed;
} run;

/* ---- packing ------------------------------------------------------------------------------- */

/* Dense rows [rows, cols] as the columns of an open panel. Pairs of channels move as one word. */
static void pack_keys(vx_dtype type, const void *rows_of, int64_t rows, int64_t cols, void *panel)
{
    if (type == VX_F32) {
        float *out = panel;
        for (int64_t c = 0; c < cols; c++)
            for (int64_t r = 0; r < rows; r++)
                out[c * VX_KEY_BLOCK + r] = ((const float *)rows_of)[r * cols + c];
        return;
    }
    const uint16_t *in = rows_of;
    uint32_t *out = panel;
    for (int64_t c = 0; c + 1 < cols; c += 2) {
        for (int64_t r = 0; r < rows; r++)
            memcpy(out + c / 2 * VX_KEY_BLOCK + r, in + r * cols + c, sizeof *out);
    }
    for (int64_t r = 0; r < rows && cols % 2 != 0; r++)
        out[cols / 2 * VX_KEY_BLOCK + r] = in[r * cols + cols - 1];
}

/* Dense rows, `cols` of each from `first` on, as rows of an open panel. */
static void pack_values(vx_dtype type, const void *rows_of, int64_t ld, int64_t first, int64_t rows,
                        int64_t cols, void *panel, int64_t panel_ld)
{
    if (type == VX_F32) {
        for (int64_t r = 0; r < rows; r++)
            memcpy((float *)panel + r * panel_ld, (const float *)rows_of + r * ld + first,
                   (size_t)cols * sizeof(float));
        return;
    }
    for (int64_t r = 0; r < rows; r += 2) {
        const uint16_t *even = (const uint16_t *)rows_of + r * ld + first, *odd = even + ld;
        uint32_t *out = (uint32_t *)panel + r / 2 * panel_ld;
        bool pair = r + 1 < rows;
        for (int64_t c = 0; c < cols; c++)
            out[c] = (uint32_t)even[c] | (pair ? (uint32_t)odd[c] << 16 : 0);
    }
}

/* One block of keys and values of one head. What a partial block or panel does not fill is zero. */
static void pack_block(void *arg, int64_t index, int worker)
{
    const run *r = arg;
    const plan *p = &r->plan;
    const vx_attention_args *a = r->a;
    int64_t head = index / p->blocks, block = index % p->blocks, first = block * VX_KEY_BLOCK;
    int64_t rows = p->nk - first < VX_KEY_BLOCK ? p->nk - first : VX_KEY_BLOCK;
    int64_t element = (int64_t)vx_dtype_bytes(p->type);
    vx_tile_convert_fn convert = vx_tile_convert[r->cpu->level];
    char *dense = r->scratch + p->slices + (size_t)worker * p->slice;

    vx_tensor k = vx_slice_cols(a->k, head * p->width, p->width);
    convert(vx_row(&k, first), k.dtype, k.ld, rows, p->width, dense, p->type);
    char *keys = r->scratch + (size_t)index * p->key_panel;
    memset(keys, 0, p->key_panel);
    pack_keys(p->type, dense, rows, p->width, keys);

    vx_tensor v = vx_slice_cols(a->v, head * p->width, p->width);
    convert(vx_row(&v, first), v.dtype, v.ld, rows, p->width, dense, p->type);
    for (int64_t panel = 0; panel < p->panels; panel++) {
        int64_t cols =
            p->width - panel * VX_PANEL < VX_PANEL ? p->width - panel * VX_PANEL : VX_PANEL;
        int64_t ld = vx_product_panel_ld(panel + 1 < p->panels ? p->group : p->last_group);
        char *values = r->scratch + p->values +
                       (size_t)(head * p->panels + panel) * p->value_panel + first * ld * element;
        memset(values, 0, (size_t)(VX_KEY_BLOCK * ld * element));
        pack_values(p->type, dense, p->width, panel * VX_PANEL, rows, cols, values, ld);
    }
}

/* ---- tiles --------------------------------------------------------------------------------- */

/* One panel of 64 channels of a tile: weights x values over groups, then over the other blocks. */
static bool values_panel(const run *r, int64_t head, int64_t panel, int size, int64_t row,
                         const vx_softmax *s, char *slice)
{
    enum { PER_GROUP = VX_KEY_GROUP / VX_KEY_BLOCK };
    const plan *p = &r->plan;
    const vx_attention_args *a = r->a;
    bool is_last = panel + 1 == p->panels;
    int64_t cols = is_last ? p->width - panel * VX_PANEL : VX_PANEL;
    int64_t element = (int64_t)vx_dtype_bytes(p->type);
    float *tile = (float *)(void *)(slice + p->tile), *sum = (float *)(void *)(slice + p->sum);
    const char *values =
        r->scratch + p->values + (size_t)(head * p->panels + panel) * p->value_panel;
    vx_tensor target = vx_slice_cols(a->out, head * p->width + panel * VX_PANEL, cols);
    vx_epilogue partial = {.out = sum, .out_dtype = VX_F32, .out_ld = VX_PANEL};
    vx_epilogue whole = {
        .out = vx_row(&target, row), .out_dtype = target.dtype, .out_ld = target.ld};
    for (int64_t block = 0; block < s->blocks;) {
        bool group = block + PER_GROUP <= s->blocks;
        const vx_product *product =
            group ? (is_last ? p->last_group : p->group) : (is_last ? p->last_block : p->block);
        int64_t first = block * VX_KEY_BLOCK, ld = vx_product_panel_ld(product);
        const char *weights = (const char *)s->weights + first * s->rows * element;
        if (!vx_product_run(product, size, weights, values + first * ld * element, tile,
                            slice + p->pad))
            return false;
        vx_epilogue *e = block + (group ? PER_GROUP : 1) < s->blocks ? &partial : &whole;
        if (block > 0) {
            e->residual = sum;
            e->residual_dtype = VX_F32;
            e->residual_ld = VX_PANEL;
        }
        vx_tile_finish[r->cpu->level](e, tile, cols, 0, s->rows, 0, cols);
        block += group ? PER_GROUP : 1;
    }
    return true;
}

static bool query_tile(const run *r, int64_t head, int size, int64_t row, char *slice)
{
    const plan *p = &r->plan;
    const vx_attention_args *a = r->a;
    vx_softmax s = {.rows = vx_tile_rows[size],
                    .blocks = p->blocks,
                    .keys = a->causal ? row + 1 : p->nk,
                    .causal = a->causal,
                    .scale = a->scale,
                    .scores = (float *)(void *)(slice + p->score),
                    .largest = (float *)(void *)(slice + p->largest),
                    .weights = slice + p->weight,
                    .type = p->type};
    if (a->causal) s.blocks = (row + s.rows + VX_KEY_BLOCK - 1) / VX_KEY_BLOCK;
    if (a->bias)
        s.bias =
            (const float *)vx_host(a->bias->data) + head * (p->nq + p->nk - 1) + p->nq - 1 - row;
    vx_tensor q = vx_slice_cols(a->q, head * p->width, p->width);
    vx_tile_convert[r->cpu->level](vx_row(&q, row), q.dtype, q.ld, s.rows, p->width, slice,
                                   p->type);
    float *tile = (float *)(void *)(slice + p->tile);
    for (int64_t block = 0; block < s.blocks; block++) {
        const char *keys = r->scratch + (size_t)(head * p->blocks + block) * p->key_panel;
        if (!vx_product_run(p->scores, size, slice, keys, tile, slice + p->pad)) return false;
        softmax_block[r->cpu->level](&s, tile, block);
    }
    softmax_finish[r->cpu->level](&s);
    for (int64_t panel = 0; panel < p->panels; panel++)
        if (!values_panel(r, head, panel, size, row, &s, slice)) return false;
    return true;
}

static void unit(void *arg, int64_t index, int worker)
{
    run *r = arg;
    /* The last queries of a causal head see the most keys: they go first. */
    int64_t head = index / r->tiles, tile = r->tiles - 1 - index % r->tiles, row;
    int size = vx_cpu_tile(r->first_of_size, tile, &row);
    char *slice = r->scratch + r->plan.slices + (size_t)worker * r->plan.slice;
    if (!query_tile(r, head, size, row, slice)) atomic_store(&r->failed, true);
}

vx_status vx_cpu_attention(vx_ctx *ctx, const vx_attention_args *a, void *scratch)
{
    vx_cpu *cpu = vx_cpu_of(ctx->backend);
    run r = {.cpu = cpu, .a = a, .scratch = scratch};
    assert(vx_pool_workers(vx_cpu_pool(ctx)) <= cpu->backend.workers);
    VX_TRY(make_plan(cpu, a, &r.plan, ctx->err));
    const vx_product *products[] = {r.plan.scores, r.plan.group, r.plan.block, r.plan.last_group,
                                    r.plan.last_block};
    for (int i = 0; i < 5; i++)
        VX_TRY(vx_product_compile(products[i], ctx->err));
    r.tiles = vx_cpu_cut(r.plan.nq, r.first_of_size);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, a->heads * r.plan.blocks, pack_block, &r));
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, a->heads * r.tiles, unit, &r));
    if (atomic_load(&r.failed)) return vx_cpu_product_failed(ctx->err);
    vx_host_zero_halo(a->out);
    return VX_OK;
}
