#include "checkop_memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"

static const size_t LEAST = 64 << 20; /* of a backend's reservation */

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * 1099511628211ull;
    return hash;
}

static void *copy_of(const co_block *b)
{
    return b->copy ? b->copy + CO_GUARD : NULL;
}

void co_must(vx_status status, const vx_error *err)
{
    if (status == VX_OK) return;
    fprintf(stderr, "checkop: %s\n", err->message);
    exit(1);
}

/* Nobody may touch the guards meanwhile: builds that look for mistakes stop who does. */
static void forbid_guards(const co *c, const co_block *b, bool forbid)
{
    vx_backend *backend = c->device->backend;
    void (*hook)(vx_backend *, vx_dev, size_t) =
        forbid ? backend->ops->released : backend->ops->taken;
    if (hook == NULL) return;
    size_t behind = vx_align_up(b->bytes);
    hook(backend, b->at, CO_GUARD);
    hook(backend, vx_dev_plus(b->at, (int64_t)(CO_GUARD + behind)), CO_GUARD);
}

bool co_is_untouched(const co_slot *s)
{
    return s->block.copy == NULL || s->hash == hash_bytes(copy_of(&s->block), s->block.bytes);
}

/* Cuts a block; its copy is full of NaNs. In a plan only the size counts. */
static co_block block_open(co *c, size_t bytes)
{
    co_block b = {.bytes = bytes};
    size_t all = vx_align_up(bytes) + 2 * (size_t)CO_GUARD;
    co_must(vx_arena_take(&c->blocks, all, &b.at, &c->err), &c->err);
    if (c->ctx.plan) return b;
    b.copy = vx_heap_alloc(all);
    if (b.copy == NULL) {
        fprintf(stderr, "checkop: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memset(b.copy, CO_POISON, all);
    return b;
}

static void block_send(co *c, const co_block *b)
{
    size_t all = vx_align_up(b->bytes) + 2 * (size_t)CO_GUARD;
    co_must(vx_write(&c->device->lane, b->at, b->copy, all, &c->err), &c->err);
    forbid_guards(c, b, true);
}

/* After a finish the bytes are there. */
static void block_fetch(co *c, const co_block *b)
{
    size_t all = vx_align_up(b->bytes) + 2 * (size_t)CO_GUARD;
    if (b->copy == NULL) return;
    forbid_guards(c, b, false);
    co_must(vx_read(&c->device->lane, b->at, b->copy, all, &c->err), &c->err);
}

bool co_guards_whole(const co_block *b)
{
    size_t behind = vx_align_up(b->bytes);
    for (size_t i = 0; i < CO_GUARD && b->copy; i++)
        if ((unsigned char)b->copy[i] != CO_POISON ||
            (unsigned char)b->copy[CO_GUARD + behind + i] != CO_POISON)
            return false;
    for (size_t i = b->bytes; i < behind && b->copy; i++)
        if ((unsigned char)b->copy[CO_GUARD + i] != CO_POISON) return false;
    return true;
}

/* Memory for a case that takes so much of it; what the last case left there is gone. */
static void device_room(co_device *d, size_t bytes, vx_error *err)
{
    if (d->memory != NULL && d->room.bytes >= bytes) return;
    vx_backend_unreserve(d->backend, &d->memory);
    d->room = (vx_room){.place = VX_PLACE_DEVICE, .bytes = bytes < LEAST ? LEAST : bytes};
    co_must(vx_backend_reserve(d->backend, &d->room, 1, &d->memory, err), err);
}

void co_open(co *c, co_device *d, const co *plan, uint64_t seed)
{
    *c = (co){.seed = seed, .reference = c->reference, .magnitude = c->magnitude, .device = d};
    c->arena = vx_arena_measure("plan");
    c->blocks = vx_arena_measure("blocks");
    c->ctx = (vx_ctx){.backend = d->backend,
                      .lane = plan ? &d->lane : NULL,
                      .workspace = &c->arena,
                      .plan = plan == NULL,
                      .err = &c->err};
    if (plan == NULL) return;
    size_t workspace = plan->arena.peak;
    device_room(d, plan->blocks.peak + vx_align_up(workspace) + 2 * (size_t)CO_GUARD, &c->err);
    c->blocks = vx_arena_over("blocks", d->room.at, d->room.bytes);
    c->workspace = block_open(c, workspace);
    block_send(c, &c->workspace);
    c->arena = vx_arena_over("workspace", vx_dev_plus(c->workspace.at, CO_GUARD), workspace);
}

/* The stack's own poison is lifted first. */
vx_status co_finish(co *c)
{
    VX_TRY(vx_finish(&c->ctx));
    if (c->device->backend->ops->taken != NULL)
        c->device->backend->ops->taken(c->device->backend, c->arena.base,
                                       vx_align_up(c->workspace.bytes));
    block_fetch(c, &c->workspace);
    for (int i = 0; i < c->slots; i++)
        block_fetch(c, &c->slot[i].block);
    return vx_finish(&c->ctx);
}

void co_close(co *c)
{
    for (int i = 0; i < c->slots; i++)
        vx_heap_free(c->slot[i].block.copy);
    vx_heap_free(c->workspace.copy);
}

vx_ctx *co_ctx(co *c)
{
    return &c->ctx;
}

static vx_dtype native = VX_F32; /* of the backend under test */

void co_native(vx_dtype dtype)
{
    native = dtype;
}

vx_dtype co_compute(vx_dtype compute)
{
    return compute == VX_BF16 ? native : compute;
}

vx_act co_act(const co *c, vx_act act)
{
    return c->magnitude ? (vx_act){VX_ACT_NONE, 0} : act;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void store(vx_dtype dtype, void *row, int64_t i, float value)
{
    switch (dtype) {
    case VX_F32:
        ((float *)row)[i] = value;
        break;
    case VX_BF16:
        ((uint16_t *)row)[i] = vx_f32_to_bf16(value);
        break;
    default:
        assert(dtype == VX_F16);
        ((uint16_t *)row)[i] = vx_f32_to_f16(value);
    }
}

float co_load(vx_dtype dtype, const void *row, int64_t i)
{
    switch (dtype) {
    case VX_F32:
        return ((const float *)row)[i];
    case VX_BF16:
        return vx_bf16_to_f32(((const uint16_t *)row)[i]);
    default:
        assert(dtype == VX_F16);
        return vx_f16_to_f32(((const uint16_t *)row)[i]);
    }
}

/* Values [4q, 4q+4) of stream `stream`. */
static void four_values(const co *c, int stream, co_fill fill, uint64_t q, float out[4])
{
    uint32_t word[4];
    vx_philox(c->seed, VX_STREAM_TEST, (uint64_t)stream << 48 | q, word);
    for (int i = 0; i < 4; i++) {
        double unit = (word[i] >> 8) / 8388608.0 - 1; /* 24 bits in [-1, 1) */
        double v = fill.offset + fill.scale * unit;
        if (fill.outlier != 0 && (word[i] & 63) == 0) v *= fill.outlier;
        out[i] = (float)(c->magnitude ? fabs(v) : v);
    }
}

/* `rounding` is the dtype asked for: on the reference an f32 tensor holds values of a bf16 one. */
static void fill_tensor(co *c, const vx_tensor *t, vx_dtype rounding, int stream, co_fill fill)
{
    float four[4] = {0};
    uint64_t n = 0;
    for (int64_t r = -t->halo; r < vx_rows(t) + t->halo; r++) {
        void *row = vx_row(t, r);
        bool zero = r < 0 || r >= vx_rows(t);
        for (int64_t i = 0; i < vx_cols(t); i++) {
            if (zero) {
                store(t->dtype, row, i, 0);
                continue;
            }
            if (n % 4 == 0) four_values(c, stream, fill, n / 4, four);
            uint16_t half;
            float v = four[n++ % 4];
            store(rounding, rounding == VX_F32 ? (void *)&v : (void *)&half, 0, v);
            store(t->dtype, row, i, rounding == VX_F32 ? v : co_load(rounding, &half, 0));
        }
    }
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* The next slot; *fresh tells whether it must be made, which it is not when a bench repeats. */
static co_slot *next_slot(co *c, bool *fresh)
{
    *fresh = c->next == c->slots;
    if (*fresh) {
        assert(c->slots < CO_SLOTS);
        c->slots++;
    }
    return &c->slot[c->next++];
}

static co_slot *tensor_slot(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                            bool *fresh)
{
    co_slot *s = next_slot(c, fresh);
    if (!*fresh) return s;
    s->place = place;
    s->view = vx_view2(VX_DEV_PLAN, dtype, rows, cols);
    s->view.ld = place.lead + cols + place.gap;
    s->view.halo = place.halo;
    int64_t room = place.seq ? (rows + VX_SEQ_TILE - 1) / VX_SEQ_TILE * VX_SEQ_TILE : rows;
    size_t element = vx_dtype_bytes(dtype);
    int64_t first = (place.halo * s->view.ld + place.lead) * (int64_t)element;
    s->block = block_open(c, (size_t)((room + 2 * place.halo) * s->view.ld) * element);
    s->view.data = vx_dev_plus(s->block.at, CO_GUARD + first);
    s->here = s->view;
    if (!c->ctx.plan) s->here.data = vx_host_dev((char *)copy_of(&s->block) + first);
    return s;
}

/* An input's contents, here and on the backend. */
static void seal(co *c, co_slot *s)
{
    block_send(c, &s->block);
    s->hash = hash_bytes(copy_of(&s->block), s->block.bytes);
}

vx_tensor *co_input(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill)
{
    bool fresh;
    co_slot *s = tensor_slot(c, dtype, rows, cols, place, &fresh);
    if (fresh && !c->ctx.plan) {
        fill_tensor(c, &s->here, dtype, c->next, fill);
        seal(c, s);
    }
    return &s->view;
}

static co_slot *output_slot(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                            co_tolerance tolerance, bool *fresh)
{
    co_slot *s = tensor_slot(c, c->reference ? VX_F32 : dtype, rows, cols, place, fresh);
    s->output = true;
    s->tolerance = tolerance;
    return s;
}

vx_tensor *co_output(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                     co_tolerance tolerance)
{
    bool fresh;
    co_slot *s = output_slot(c, dtype, rows, cols, place, tolerance, &fresh);
    if (fresh && !c->ctx.plan) block_send(c, &s->block);
    return &s->view;
}

vx_tensor *co_inout(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill,
                    co_tolerance tolerance)
{
    bool fresh;
    co_slot *s = output_slot(c, dtype, rows, cols, place, tolerance, &fresh);
    if (fresh && !c->ctx.plan) {
        fill_tensor(c, &s->here, dtype, c->next, fill);
        block_send(c, &s->block);
    }
    return &s->view;
}

vx_tensor *co_vector(co *c, bool present, int64_t n, co_fill fill)
{
    if (!present) return NULL;
    vx_tensor *t = co_input(c, VX_F32, 1, n, (co_place){0}, fill);
    t->rank = 1;
    t->dim[0] = n;
    t->dim[1] = 1;
    return t;
}

const vx_tensor *co_index(co *c, int64_t n, int32_t limit)
{
    bool fresh;
    co_slot *s = tensor_slot(c, VX_I32, n, 1, (co_place){0}, &fresh);
    if (fresh && !c->ctx.plan) {
        co_random random = {.seed = c->seed, .next = (uint64_t)c->next << 48};
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)copy_of(&s->block))[i] = (int32_t)co_range(&random, 0, limit - 1);
        seal(c, s);
    }
    return &s->view;
}

vx_tensor *co_bytes(co *c, int64_t rows, int64_t cols)
{
    bool fresh;
    co_slot *s = tensor_slot(c, VX_U8, rows, cols, (co_place){0}, &fresh);
    if (fresh && !c->ctx.plan) {
        co_random random = {.seed = c->seed, .next = (uint64_t)c->next << 48};
        for (int64_t i = 0; i < rows * cols; i++)
            ((uint8_t *)copy_of(&s->block))[i] = (uint8_t)co_range(&random, 0, 255);
        seal(c, s);
    }
    return &s->view;
}

typedef struct weight_values {
    const co *c;
    int stream;
    co_fill fill;
    int64_t row; /* floats */
} weight_values;

static vx_status fetch_values(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    const weight_values *v = arg;
    float four[4];
    for (int64_t i = 0; i < count * v->row; i++) {
        uint64_t n = (uint64_t)(first * v->row + i);
        if (n % 4 == 0 || i == 0) four_values(v->c, v->stream, v->fill, n / 4, four);
        dst[i] = four[n % 4];
    }
    return VX_OK;
}

const vx_weight *co_weight(co *c, vx_weight description, co_fill fill)
{
    bool fresh;
    co_slot *s = next_slot(c, &fresh);
    if (!fresh) return &s->weight;
    s->weight = description;
    vx_weight *w = &s->weight;
    if (vx_weight_plan(c->ctx.backend, w, &c->err) != VX_OK) return NULL;
    s->block = block_open(c, w->bytes);
    w->data = vx_dev_plus(s->block.at, CO_GUARD);
    if (c->ctx.plan) return w;
    block_send(c, &s->block);
    weight_values values = {.c = c, .stream = c->next, .fill = fill};
    values.row = w->kind == VX_WEIGHT_LSTM ? w->in + w->out / 8
                                           : w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    /* Room for a few rows, so that packing passes through the staging buffer more than once. */
    size_t floats = (size_t)(values.row * (w->out < 40 ? (w->out + 1) / 2 : 33));
    float *staging = vx_heap_alloc(floats * sizeof *staging);
    vx_status status =
        vx_weight_pack(c->ctx.lane, w, fetch_values, &values, staging, floats, &c->err);
    vx_heap_free(staging);
    if (status != VX_OK) return NULL;
    block_fetch(c, &s->block);
    if (vx_finish(&c->ctx) != VX_OK) return NULL;
    forbid_guards(c, &s->block, true);
    s->hash = hash_bytes(copy_of(&s->block), s->block.bytes);
    return w;
}

void co_check(co *c, co_check_fn check)
{
    assert(c->next > 0 && c->slot[c->next - 1].output);
    c->slot[c->next - 1].check = check;
}

/* ---- random variants ------------------------------------------------------------------------- */

int64_t co_range(co_random *random, int64_t low, int64_t high)
{
    uint32_t word[4];
    vx_philox(random->seed, VX_STREAM_TEST, random->next++, word);
    return low + (int64_t)(word[0] % (uint64_t)(high - low + 1));
}

vx_dtype co_dtype(co_random *random)
{
    return co_range(random, 0, 1) ? VX_BF16 : VX_F32;
}

co_place co_anywhere(co_random *random, bool halo)
{
    co_place place = {0};
    if (co_range(random, 0, 1)) {
        place.lead = co_range(random, 0, 9);
        place.gap = co_range(random, 0, 9);
    }
    if (halo && co_range(random, 0, 1)) place.halo = co_range(random, 1, 3);
    return place;
}
