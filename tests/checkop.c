/* The operator checker's driver. See checkop.h.
 *
 *     checkop [--backend NAME] [--filter NAME] [--threads N] [--bench] [--list]
 *
 * --backend names the device whose backend is checked (cpu); all memory is taken through it.
 * --filter keeps ops and cases whose "op/label" holds NAME; --threads gives the workers of the
 * bench (and of one more run of each case); exit 1 when anything is wrong. */
#include "checkop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/host.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

enum { SLOTS = 24, GUARD = 256, RANDOM_VARIANTS = 24, WORKER_COUNTS = 4 };
enum { POISON = 0xFF }; /* 0xFF.. is a NaN in every float format; guards hold it too */
static const size_t LEAST = 64 << 20; /* of a backend's reservation */

static const co_op *const ops[] = {
    &co_copy_op,
    &co_gather_op,
    &co_broadcast_op,
    &co_blend_op,
    &co_gate_op,
    &co_depthwise_up2_op,
    &co_layer_norm_op,
    &co_instance_norm_op,
    &co_harmonic_source_op,
    &co_stft_op,
    &co_istft_op,
    &co_linear_op,
    &co_conv1d_op,
    &co_conv_transpose1d_op,
    &co_attention_op,
    &co_lstm_op,
    &co_conv_op,
    &co_group_norm_op,
    &co_qk_norm_op,
    &co_spade_op,
    &co_response_norm_op,
    &co_pool2_op,
    &co_depthwise_op,
    &co_row_gate_op,
    &co_motion_input_op,
    &co_motion_field_op,
    &co_warp_op,
    &co_to_picture_op,
    &co_from_picture_op,
};

/* A backend under test: its lane, and one reservation that every case begins anew. */
typedef struct device {
    vx_pool *pool; /* NULL: the backend has none */
    vx_backend *backend;
    vx_lane lane;
    vx_memory *memory;
    vx_room room;
} device;

/* A block of the backend's memory with guards, and its copy here, which is what checks read: a tensor, a weight
 * or the workspace. */
typedef struct block {
    vx_dev at;  /* GUARD bytes, then `bytes`, then GUARD bytes */
    char *copy; /* the same; NULL in a plan */
    size_t bytes;
} block;

typedef struct slot {
    block block;
    vx_tensor view; /* the backend's */
    vx_tensor here; /* over the copy */
    vx_weight weight;
    co_place place;
    bool output;
    uint64_t hash; /* of the contents, when not an output */
    co_tolerance tolerance;
    co_check_fn check;
} slot;

struct co {
    vx_ctx ctx;
    vx_arena arena, blocks; /* the workspace; what blocks are cut from */
    device *device;
    block workspace;
    bool reference, magnitude;
    uint64_t seed;
    int slots, next; /* next < slots while a body is repeated for the bench */
    slot slot[SLOTS];
    vx_error err;
};

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * 1099511628211ull;
    return hash;
}

static void *copy_of(const block *b)
{
    return b->copy ? b->copy + GUARD : NULL;
}

static void must(vx_status status, const vx_error *err)
{
    if (status == VX_OK) return;
    fprintf(stderr, "checkop: %s\n", err->message);
    exit(1);
}

/* Nobody may touch the guards meanwhile: builds that look for mistakes stop who does. */
static void forbid_guards(const co *c, const block *b, bool forbid)
{
    vx_backend *backend = c->device->backend;
    void (*hook)(vx_backend *, vx_dev, size_t) =
        forbid ? backend->ops->released : backend->ops->taken;
    if (hook == NULL) return;
    size_t behind = vx_align_up(b->bytes);
    hook(backend, b->at, GUARD);
    hook(backend, vx_dev_plus(b->at, (int64_t)(GUARD + behind)), GUARD);
}

/* Cuts a block; its copy is full of NaNs. In a plan only the size counts. */
static block block_open(co *c, size_t bytes)
{
    block b = {.bytes = bytes};
    size_t all = vx_align_up(bytes) + 2 * (size_t)GUARD;
    must(vx_arena_take(&c->blocks, all, &b.at, &c->err), &c->err);
    if (c->ctx.plan) return b;
    b.copy = vx_heap_alloc(all);
    if (b.copy == NULL) {
        fprintf(stderr, "checkop: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memset(b.copy, POISON, all);
    return b;
}

static void block_send(co *c, const block *b)
{
    size_t all = vx_align_up(b->bytes) + 2 * (size_t)GUARD;
    must(vx_write(&c->device->lane, b->at, b->copy, all, &c->err), &c->err);
    forbid_guards(c, b, true);
}

/* After a finish the bytes are there. */
static void block_fetch(co *c, const block *b)
{
    size_t all = vx_align_up(b->bytes) + 2 * (size_t)GUARD;
    if (b->copy == NULL) return;
    forbid_guards(c, b, false);
    must(vx_read(&c->device->lane, b->at, b->copy, all, &c->err), &c->err);
}

static bool guards_whole(const block *b)
{
    size_t behind = vx_align_up(b->bytes);
    for (size_t i = 0; i < GUARD && b->copy; i++)
        if ((unsigned char)b->copy[i] != POISON ||
            (unsigned char)b->copy[GUARD + behind + i] != POISON)
            return false;
    for (size_t i = b->bytes; i < behind && b->copy; i++)
        if ((unsigned char)b->copy[GUARD + i] != POISON) return false;
    return true;
}

/* Memory for a case that takes so much of it; what the last case left there is gone. */
static void device_room(device *d, size_t bytes, vx_error *err)
{
    if (d->memory != NULL && d->room.bytes >= bytes) return;
    vx_backend_unreserve(d->backend, &d->memory);
    d->room = (vx_room){.place = VX_PLACE_DEVICE, .bytes = bytes < LEAST ? LEAST : bytes};
    must(vx_backend_reserve(d->backend, &d->room, 1, &d->memory, err), err);
}

/* `plan` is the same body's plan, NULL for the plan itself. */
static void co_open(co *c, device *d, const co *plan, uint64_t seed)
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
    device_room(d, plan->blocks.peak + vx_align_up(workspace) + 2 * (size_t)GUARD, &c->err);
    c->blocks = vx_arena_over("blocks", d->room.at, d->room.bytes);
    c->workspace = block_open(c, workspace);
    block_send(c, &c->workspace);
    c->arena = vx_arena_over("workspace", vx_dev_plus(c->workspace.at, GUARD), workspace);
}

/* Everything that ran is done, and its results are here. The stack's own poison is lifted first. */
static vx_status co_finish(co *c)
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

static void co_close(co *c)
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

static float load(vx_dtype dtype, const void *row, int64_t i)
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
            store(t->dtype, row, i, rounding == VX_F32 ? v : load(rounding, &half, 0));
        }
    }
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* The next slot; *fresh tells whether it must be made, which it is not when a bench repeats. */
static slot *next_slot(co *c, bool *fresh)
{
    *fresh = c->next == c->slots;
    if (*fresh) {
        assert(c->slots < SLOTS);
        c->slots++;
    }
    return &c->slot[c->next++];
}

static slot *tensor_slot(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                         bool *fresh)
{
    slot *s = next_slot(c, fresh);
    if (!*fresh) return s;
    s->place = place;
    s->view = vx_view2(VX_DEV_PLAN, dtype, rows, cols);
    s->view.ld = place.lead + cols + place.gap;
    s->view.halo = place.halo;
    int64_t room = place.seq ? (rows + VX_SEQ_TILE - 1) / VX_SEQ_TILE * VX_SEQ_TILE : rows;
    size_t element = vx_dtype_bytes(dtype);
    int64_t first = (place.halo * s->view.ld + place.lead) * (int64_t)element;
    s->block = block_open(c, (size_t)((room + 2 * place.halo) * s->view.ld) * element);
    s->view.data = vx_dev_plus(s->block.at, GUARD + first);
    s->here = s->view;
    if (!c->ctx.plan) s->here.data = vx_host_dev((char *)copy_of(&s->block) + first);
    return s;
}

/* An input's contents, here and on the backend. */
static void seal(co *c, slot *s)
{
    block_send(c, &s->block);
    s->hash = hash_bytes(copy_of(&s->block), s->block.bytes);
}

vx_tensor *co_input(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill)
{
    bool fresh;
    slot *s = tensor_slot(c, dtype, rows, cols, place, &fresh);
    if (fresh && !c->ctx.plan) {
        fill_tensor(c, &s->here, dtype, c->next, fill);
        seal(c, s);
    }
    return &s->view;
}

static slot *output_slot(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                         co_tolerance tolerance, bool *fresh)
{
    slot *s = tensor_slot(c, c->reference ? VX_F32 : dtype, rows, cols, place, fresh);
    s->output = true;
    s->tolerance = tolerance;
    return s;
}

vx_tensor *co_output(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                     co_tolerance tolerance)
{
    bool fresh;
    slot *s = output_slot(c, dtype, rows, cols, place, tolerance, &fresh);
    if (fresh && !c->ctx.plan) block_send(c, &s->block);
    return &s->view;
}

vx_tensor *co_inout(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill,
                    co_tolerance tolerance)
{
    bool fresh;
    slot *s = output_slot(c, dtype, rows, cols, place, tolerance, &fresh);
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
    slot *s = tensor_slot(c, VX_I32, n, 1, (co_place){0}, &fresh);
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
    slot *s = tensor_slot(c, VX_U8, rows, cols, (co_place){0}, &fresh);
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
    slot *s = next_slot(c, &fresh);
    if (!fresh) return &s->weight;
    s->weight = description;
    vx_weight *w = &s->weight;
    if (vx_weight_plan(c->ctx.backend, w, &c->err) != VX_OK) return NULL;
    s->block = block_open(c, w->bytes);
    w->data = vx_dev_plus(s->block.at, GUARD);
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

/* ---- verdicts -------------------------------------------------------------------------------- */

typedef struct verdict {
    bool wrong;
    double share; /* worst part of a tolerance that was used */
    char text[512];
} verdict;

static void fault(verdict *v, const char *what, int slot_index)
{
    if (v->wrong) return;
    v->wrong = true;
    snprintf(v->text, sizeof v->text, "%s (tensor %d of the body)", what, slot_index);
}

static const char *halo_fault(const vx_tensor *t)
{
    for (int64_t h = 1; h <= t->halo; h++)
        for (int64_t i = 0; i < vx_cols(t); i++)
            if (load(t->dtype, vx_row(t, -h), i) != 0 ||
                load(t->dtype, vx_row(t, vx_rows(t) + h - 1), i) != 0)
                return "the halo is not zero";
    return NULL;
}

/* What lies between the rows belongs to somebody else and still holds the poison. */
static const char *gap_fault(const slot *s)
{
    const vx_tensor *t = &s->here;
    int64_t element = (int64_t)vx_dtype_bytes(t->dtype);
    for (int64_t r = -t->halo; r < vx_rows(t) + t->halo; r++) {
        const unsigned char *row = vx_row(t, r);
        for (int64_t i = -s->place.lead * element; i < (t->ld - s->place.lead) * element; i++)
            if ((i < 0 || i >= vx_cols(t) * element) && row[i] != POISON)
                return "columns beside the tensor were written";
    }
    return NULL;
}

static void check_untouched(const co *c, verdict *v)
{
    if (!guards_whole(&c->workspace)) fault(v, "guard bytes around the workspace were written", -1);
    for (int i = 0; i < c->slots; i++) {
        const slot *s = &c->slot[i];
        if (!guards_whole(&s->block)) fault(v, "guard bytes were written", i);
        if (!s->output && s->block.copy &&
            s->hash != hash_bytes(copy_of(&s->block), s->block.bytes))
            fault(v, "an input was written", i);
        if (s->output && gap_fault(s)) fault(v, gap_fault(s), i);
        if (s->output && halo_fault(&s->here)) fault(v, halo_fault(&s->here), i);
    }
}

/* Half a unit in the last place of bf16, relative. */
static const double BF16_HALF = 1.0 / 256;

static void compare_output(const slot *want, const slot *magnitude, const slot *got, int index,
                           verdict *v)
{
    const co_tolerance *tol = &got->tolerance;
    for (int64_t r = 0; r < vx_rows(&got->here); r++) {
        for (int64_t i = 0; i < vx_cols(&got->here); i++) {
            double a = load(VX_F32, vx_row(&want->here, r), i);
            double b = load(got->here.dtype, vx_row(&got->here, r), i);
            if ((isnan(a) && isnan(b)) || a == b) continue;
            double allowed = tol->abs + tol->rel * fabs(a);
            if (tol->mag > 0) allowed += tol->mag * load(VX_F32, vx_row(&magnitude->here, r), i);
            if (got->here.dtype == VX_BF16) allowed += BF16_HALF * fabs(a);
            double share = fabs(a - b) / allowed;
            if (share > v->share) v->share = share;
            if (share <= 1) continue;
            fault(v, "", index);
            snprintf(v->text, sizeof v->text,
                     "tensor %d of the body, row %lld column %lld: want %.9g, got %.9g, off by "
                     "%.3g where %.3g is allowed",
                     index, (long long)r, (long long)i, a, b, fabs(a - b), allowed);
            return;
        }
    }
}

static void compare(const co *want, const co *magnitude, const co *got, verdict *v)
{
    assert(want->slots == got->slots);
    for (int i = 0; i < got->slots && !v->wrong; i++) {
        if (!got->slot[i].output) continue;
        if (got->slot[i].check == NULL) {
            compare_output(&want->slot[i], &magnitude->slot[i], &got->slot[i], i, v);
            continue;
        }
        double share = 0;
        const char *what = got->slot[i].check(&want->slot[i].here, &got->slot[i].here, &share);
        if (share > v->share) v->share = share;
        if (what) fault(v, what, i);
    }
}

/* Rows only: what lies behind a sequence is whatever the last tile left there. */
static void compare_bytes(const co *a, const co *b, verdict *v)
{
    for (int i = 0; i < a->slots && !v->wrong; i++) {
        const vx_tensor *x = &a->slot[i].here, *y = &b->slot[i].here;
        if (!a->slot[i].output) continue;
        for (int64_t r = 0; r < vx_rows(x); r++)
            if (memcmp(vx_row(x, r), vx_row(y, r), (size_t)vx_cols(x) * vx_dtype_bytes(x->dtype)) !=
                0)
                fault(v, "another number of workers gives other bytes", i);
    }
}

/* ---- one case -------------------------------------------------------------------------------- */

typedef struct machine {
    device ref, under[WORKER_COUNTS]; /* the backend under test, with so many workers each */
} machine;

static bool run_body(co *c, const co_op *op, const void *variant, verdict *v)
{
    vx_status status = op->body(c, variant);
    if (status == VX_OK && !c->ctx.plan) status = co_finish(c);
    if (status == VX_OK) return true;
    fault(v, "", 0);
    snprintf(v->text, sizeof v->text, "%s: %.400s", vx_status_name(status), c->err.message);
    return false;
}

static bool planned_run(co *c, const co_op *op, const void *variant, device *d, uint64_t seed,
                        verdict *v)
{
    co plan = {.reference = c->reference, .magnitude = c->magnitude};
    co_open(&plan, d, NULL, seed);
    bool planned = run_body(&plan, op, variant, v);
    size_t peak = plan.arena.peak;
    if (planned) co_open(c, d, &plan, seed);
    co_close(&plan);
    if (!planned || !run_body(c, op, variant, v)) return false;
    if (c->arena.peak != peak) fault(v, "the run's workspace is not the plan's", -1);
    check_untouched(c, v);
    return !v->wrong;
}

static bool wants_magnitude(const co *c)
{
    for (int i = 0; i < c->slots; i++)
        if (c->slot[i].output && c->slot[i].tolerance.mag > 0) return true;
    return false;
}

static verdict check_case(machine *m, const co_op *op, const void *variant, uint64_t seed)
{
    verdict v = {0};
    co want = {.reference = true}, magnitude = {.reference = true, .magnitude = true};
    co got[WORKER_COUNTS] = {{.slots = 0}};
    bool ok = planned_run(&want, op, variant, &m->ref, seed, &v);
    if (ok && wants_magnitude(&want)) ok = planned_run(&magnitude, op, variant, &m->ref, seed, &v);
    for (int i = 0; i < WORKER_COUNTS && ok && m->under[i].backend; i++) {
        ok = planned_run(&got[i], op, variant, &m->under[i], seed, &v);
        if (ok && i == 0) compare(&want, &magnitude, &got[0], &v);
        if (ok && i > 0) compare_bytes(&got[0], &got[i], &v);
        ok = !v.wrong;
    }
    co_close(&want);
    co_close(&magnitude);
    for (int i = 0; i < WORKER_COUNTS; i++)
        co_close(&got[i]);
    return v;
}

static bool has_kernel(const vx_backend *backend, const co_op *op)
{
    return backend->ops->op[op->op].run != NULL;
}

static const char *label_of(const void *variant)
{
    return *(const char *const *)variant;
}

static bool chosen(const co_op *op, const char *label, const char *filter)
{
    char name[160];
    snprintf(name, sizeof name, "%s/%s", vx_op_name(op->op), label);
    return filter == NULL || strstr(name, filter) != NULL;
}

static int check_op(machine *m, const co_op *op, const char *filter)
{
    union {
        char bytes[512];
        max_align_t align;
    } drawn;
    assert(op->variant_bytes <= sizeof drawn);
    if (!has_kernel(m->under[0].backend, op)) {
        printf("WRONG %s: there are cases, but the backend has no such kernel\n",
               vx_op_name(op->op));
        return 1;
    }
    int cases = 0, wrong = 0;
    double share = 0;
    char worst[64] = "";
    for (int i = 0; i < op->count + (op->draw ? RANDOM_VARIANTS : 0); i++) {
        const void *variant = (const char *)op->variants + (size_t)i * op->variant_bytes;
        char name[32];
        if (i >= op->count) {
            snprintf(name, sizeof name, "random %d", i - op->count);
            co_random random = {.seed = (uint64_t)(i - op->count)};
            memset(&drawn, 0, sizeof drawn);
            op->draw(&random, drawn.bytes);
            const char *label = name;
            memcpy(drawn.bytes, &label, sizeof label);
            variant = drawn.bytes;
        }
        if (!chosen(op, label_of(variant), filter)) continue;
        verdict v = check_case(m, op, variant, (uint64_t)i + 1);
        cases++;
        if (v.share > share || worst[0] == 0) {
            share = v.share;
            snprintf(worst, sizeof worst, "%s", label_of(variant));
        }
        if (v.wrong) {
            wrong++;
            printf("WRONG %s/%s: %s\n", vx_op_name(op->op), label_of(variant), v.text);
        }
    }
    if (cases > 0 && wrong == 0)
        printf("ok    %-18s %3d cases, at most %.2f of the tolerance used (%s)\n",
               vx_op_name(op->op), cases, share, worst);
    return wrong;
}

/* ---- bench ----------------------------------------------------------------------------------- */

static void bench_case(device *d, const co_op *op, const void *variant)
{
    co plan = {0}, c = {0};
    verdict v = {0};
    co_open(&plan, d, NULL, 1);
    bool ok = run_body(&plan, op, variant, &v);
    co_open(&c, d, &plan, 1);
    double best = INFINITY;
    /* At least three times, then until half a second is spent: the best of them counts. */
    double start = vx_now_s();
    for (int i = 0; ok && (i < 4 || vx_now_s() - start < 0.5); i++) {
        vx_profile profile = {0};
        d->lane.profile = &profile;
        c.next = 0;
        ok = op->body(&c, variant) == VX_OK && vx_finish(&c.ctx) == VX_OK;
        d->lane.profile = NULL;
        if (i == 0) start = vx_now_s(); /* the first one fills the inputs */
        if (ok && i > 0) best = fmin(best, profile.row[0].seconds);
    }
    if (!ok) {
        printf("WRONG %s/%s: %s\n", vx_op_name(op->op), label_of(variant), v.text);
    } else {
        const slot *out = NULL;
        for (int i = 0; i < c.slots && out == NULL; i++)
            if (c.slot[i].output) out = &c.slot[i];
        printf("%-18s %-34s %9.3f ms  ", vx_op_name(op->op), label_of(variant), best * 1e3);
        if (op->per_element)
            printf("%8.4f ns/element\n", best * 1e9 / (double)vx_elements(&out->view));
        else
            printf("%8.1f GFLOP/s\n", plan.ctx.counts.flops / best * 1e-9);
    }
    co_finish(&c);
    co_close(&c);
    co_close(&plan);
}

/* ---- the program ----------------------------------------------------------------------------- */

typedef struct options {
    const char *filter, *backend;
    int threads;
    bool bench, list;
} options;

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            o->bench = true;
        else if (strcmp(argv[i], "--list") == 0)
            o->list = true;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            o->filter = argv[++i];
        else if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc)
            o->backend = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            o->threads = atoi(argv[++i]);
        else
            return false;
    }
    return o->threads >= 0 && o->threads <= 256;
}

/* "ref" is the oracle against itself, which proves the checker; others by their device's name. */
static vx_status open_device(device *d, const char *name, int workers, vx_error *err)
{
    if (strcmp(name, "ref") == 0) {
        VX_TRY(vx_backend_open_ref(&d->backend, err));
    } else {
        VX_TRY(vx_pool_open(&d->pool, workers, err));
        VX_TRY(vx_backend_open_device(&d->backend, name, d->pool, err));
    }
    return vx_lane_open(&d->lane, d->backend, err);
}

static void close_device(device *d)
{
    vx_lane_close(&d->lane);
    if (d->backend != NULL) vx_backend_unreserve(d->backend, &d->memory);
    vx_backend_close(&d->backend);
    vx_pool_close(&d->pool);
}

static void open_machine(machine *m, const options *o)
{
    vx_error err = {0};
    vx_status status = open_device(&m->ref, "ref", 1, &err);
    int counts[WORKER_COUNTS] = {1, 2, 3, o->threads};
    /* A device has no workers of ours. */
    if (strcmp(o->backend, "cpu") != 0) memcpy(counts, (int[]){1, 0, 0, 0}, sizeof counts);
    if (o->bench) memcpy(counts, (int[]){o->threads ? o->threads : 2, 0, 0, 0}, sizeof counts);
    for (int i = 0; i < WORKER_COUNTS && counts[i] > 0 && status == VX_OK; i++)
        status = open_device(&m->under[i], o->backend, counts[i], &err);
    must(status, &err);
    native = m->under[0].backend->native;
}

static void close_machine(machine *m)
{
    for (int i = 0; i < WORKER_COUNTS; i++)
        close_device(&m->under[i]);
    close_device(&m->ref);
}

/* Kernels of the backend that no case covers. */
static int unchecked_kernels(const vx_backend *backend)
{
    int wrong = 0;
    for (int i = 0; i < VX_OP_COUNT; i++) {
        bool checked = backend->ops->op[i].run == NULL;
        for (size_t k = 0; k < sizeof ops / sizeof *ops && !checked; k++)
            checked = (int)ops[k]->op == i;
        if (checked) continue;
        printf("WRONG %s: the backend has a kernel, but there are no cases\n",
               vx_op_name((vx_op)i));
        wrong++;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    options o = {.backend = "cpu"};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: checkop [--backend NAME] [--filter NAME] [--threads N] [--bench] "
                        "[--list]\n");
        return 2;
    }
    machine m = {0};
    if (!o.list) open_machine(&m, &o);
    int wrong = !o.list && !o.filter ? unchecked_kernels(m.under[0].backend) : 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const co_op *op = ops[i];
        for (int k = 0; k < (o.list ? op->count : 0); k++) {
            const char *label =
                label_of((const char *)op->variants + (size_t)k * op->variant_bytes);
            if (chosen(op, label, o.filter)) printf("%s/%s\n", vx_op_name(op->op), label);
        }
        for (int k = 0;
             k < (o.bench && !o.list && has_kernel(m.under[0].backend, op) ? op->bench_count : 0);
             k++) {
            const void *variant = (const char *)op->bench + (size_t)k * op->variant_bytes;
            if (chosen(op, label_of(variant), o.filter)) bench_case(&m.under[0], op, variant);
        }
        if (!o.list && !o.bench) wrong += check_op(&m, op, o.filter);
        fflush(stdout);
    }
    close_machine(&m);
    return wrong ? 1 : 0;
}
