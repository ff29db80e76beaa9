/* The operator checker's driver. See checkop.h.
 *
 *     checkop [--filter NAME] [--threads N] [--bench] [--list]
 *
 * --filter keeps ops and cases whose "op/label" holds NAME; --threads gives the workers of the
 * bench (and of one more run of each case); exit 1 when anything is wrong. */
#include "checkop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

enum { SLOTS = 24, GUARD = 256, RANDOM_VARIANTS = 24, WORKER_COUNTS = 4 };
enum { GUARD_BYTE = 0xA5, POISON = 0xFF }; /* 0xFF.. is a NaN in every float format */

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
};

/* From this size on memory comes in huge pages, as the engine's does: benches need it. */
static const size_t HUGE = 1 << 20;

/* A block of memory with guards: a tensor, a weight or the workspace. */
typedef struct block {
    char *base; /* GUARD bytes, then `bytes`, then GUARD bytes; NULL in a plan */
    size_t bytes;
} block;

typedef struct slot {
    block block;
    vx_tensor view;
    vx_weight weight;
    co_place place;
    bool output;
    uint64_t hash; /* of the contents, when not an output */
    co_tolerance tolerance;
    co_check_fn check;
} slot;

struct co {
    vx_ctx ctx;
    vx_arena arena;
    block workspace;
    bool reference, magnitude;
    uint64_t seed;
    int slots, next; /* next < slots while a body is repeated for the bench */
    slot slot[SLOTS];
    vx_error err;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * 1099511628211ull;
    return hash;
}

static void *data_of(const block *b)
{
    return b->base ? b->base + GUARD : NULL;
}

static block block_open(size_t bytes)
{
    block b = {.bytes = bytes};
    vx_error err;
    void *base;
    if (bytes < HUGE) {
        b.base = vx_heap_alloc(bytes + 2 * GUARD);
    } else if (vx_reserve(bytes + 2 * GUARD, &base, &err) == VX_OK) {
        b.base = base;
    }
    if (b.base == NULL) {
        fprintf(stderr, "checkop: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memset(b.base, GUARD_BYTE, GUARD);
    memset(b.base + GUARD, POISON, bytes);
    memset(b.base + GUARD + bytes, GUARD_BYTE, GUARD);
    return b;
}

static void block_close(block *b)
{
    if (b->bytes < HUGE)
        vx_heap_free(b->base);
    else
        vx_unreserve(b->base, b->bytes + 2 * GUARD);
}

static bool guards_whole(const block *b)
{
    for (int i = 0; i < GUARD && b->base; i++)
        if ((unsigned char)b->base[i] != GUARD_BYTE ||
            (unsigned char)b->base[GUARD + b->bytes + (size_t)i] != GUARD_BYTE)
            return false;
    return true;
}

static void co_open(co *c, vx_backend *backend, vx_pool *pool, bool plan, size_t workspace,
                    uint64_t seed)
{
    *c = (co){.seed = seed};
    c->arena = vx_arena_measure("plan");
    if (!plan) {
        c->workspace = block_open(workspace);
        c->arena = vx_arena_over("workspace", data_of(&c->workspace), workspace);
    }
    c->ctx = (vx_ctx){.backend = backend,
                      .pool = plan ? NULL : pool,
                      .workspace = &c->arena,
                      .plan = plan,
                      .err = &c->err};
}

static void co_close(co *c)
{
    for (int i = 0; i < c->slots; i++)
        block_close(&c->slot[i].block);
    /* Releasing the whole arena lifts ASan's poison before the memory goes back. */
    if (c->workspace.base) {
        void *all;
        vx_arena_release(&c->arena, 0);
        vx_status status = vx_arena_take(&c->arena, c->workspace.bytes, &all, NULL);
        assert(status == VX_OK);
    }
    block_close(&c->workspace);
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
    s->view = vx_view2(NULL, dtype, rows, cols);
    s->view.ld = place.lead + cols + place.gap;
    s->view.halo = place.halo;
    if (c->ctx.plan) return s;
    int64_t room = place.seq ? (rows + VX_SEQ_TILE - 1) / VX_SEQ_TILE * VX_SEQ_TILE : rows;
    size_t element = vx_dtype_bytes(dtype);
    s->block = block_open((size_t)((room + 2 * place.halo) * s->view.ld) * element);
    s->view.data =
        (char *)data_of(&s->block) + (size_t)(place.halo * s->view.ld + place.lead) * element;
    return s;
}

static void seal(slot *s)
{
    if (s->block.base) s->hash = hash_bytes(data_of(&s->block), s->block.bytes);
}

vx_tensor *co_input(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill)
{
    bool fresh;
    slot *s = tensor_slot(c, dtype, rows, cols, place, &fresh);
    if (fresh && !c->ctx.plan) {
        fill_tensor(c, &s->view, dtype, c->next, fill);
        seal(s);
    }
    return &s->view;
}

vx_tensor *co_output(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                     co_tolerance tolerance)
{
    bool fresh;
    slot *s = tensor_slot(c, c->reference ? VX_F32 : dtype, rows, cols, place, &fresh);
    s->output = true;
    s->tolerance = tolerance;
    return &s->view;
}

vx_tensor *co_inout(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill,
                    co_tolerance tolerance)
{
    vx_tensor *t = co_output(c, dtype, rows, cols, place, tolerance);
    if (!c->ctx.plan && c->next == c->slots) fill_tensor(c, t, dtype, c->next, fill);
    return t;
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

const int32_t *co_index(co *c, int64_t n, int32_t limit)
{
    bool fresh;
    slot *s = next_slot(c, &fresh);
    if (fresh && !c->ctx.plan) {
        s->block = block_open((size_t)n * sizeof(int32_t));
        co_random random = {.seed = c->seed, .next = (uint64_t)c->next << 48};
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)data_of(&s->block))[i] = (int32_t)co_range(&random, 0, limit - 1);
        seal(s);
    }
    return data_of(&s->block);
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
    if (c->ctx.plan) return w;
    s->block = block_open(w->bytes);
    w->data = data_of(&s->block);
    weight_values values = {.c = c, .stream = c->next, .fill = fill};
    values.row = w->kind == VX_WEIGHT_LSTM ? w->in + w->out / 8
                                           : w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    /* Room for a few rows, so that packing passes through the staging buffer more than once. */
    size_t floats = (size_t)(values.row * (w->out < 40 ? (w->out + 1) / 2 : 33));
    float *staging = vx_heap_alloc(floats * sizeof *staging);
    vx_status status =
        vx_weight_pack(c->ctx.backend, w, fetch_values, &values, staging, floats, &c->err);
    vx_heap_free(staging);
    if (status != VX_OK) return NULL;
    seal(s);
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
    const vx_tensor *t = &s->view;
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
        if (!s->output && s->block.base &&
            s->hash != hash_bytes(data_of(&s->block), s->block.bytes))
            fault(v, "an input was written", i);
        if (s->output && gap_fault(s)) fault(v, gap_fault(s), i);
        if (s->output && halo_fault(&s->view)) fault(v, halo_fault(&s->view), i);
    }
}

/* Half a unit in the last place of bf16, relative. */
static const double BF16_HALF = 1.0 / 256;

static void compare_output(const slot *want, const slot *magnitude, const slot *got, int index,
                           verdict *v)
{
    const co_tolerance *tol = &got->tolerance;
    for (int64_t r = 0; r < vx_rows(&got->view); r++) {
        for (int64_t i = 0; i < vx_cols(&got->view); i++) {
            double a = load(VX_F32, vx_row(&want->view, r), i);
            double b = load(got->view.dtype, vx_row(&got->view, r), i);
            if ((isnan(a) && isnan(b)) || a == b) continue;
            double allowed = tol->abs + tol->rel * fabs(a);
            if (tol->mag > 0) allowed += tol->mag * load(VX_F32, vx_row(&magnitude->view, r), i);
            if (got->view.dtype == VX_BF16) allowed += BF16_HALF * fabs(a);
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
        const char *what = got->slot[i].check(&want->slot[i].view, &got->slot[i].view, &share);
        if (share > v->share) v->share = share;
        if (what) fault(v, what, i);
    }
}

/* Rows only: what lies behind a sequence is whatever the last tile left there. */
static void compare_bytes(const co *a, const co *b, verdict *v)
{
    for (int i = 0; i < a->slots && !v->wrong; i++) {
        const vx_tensor *x = &a->slot[i].view, *y = &b->slot[i].view;
        if (!a->slot[i].output) continue;
        for (int64_t r = 0; r < vx_rows(x); r++)
            if (memcmp(vx_row(x, r), vx_row(y, r), (size_t)vx_cols(x) * vx_dtype_bytes(x->dtype)) !=
                0)
                fault(v, "another number of workers gives other bytes", i);
    }
}

/* ---- one case -------------------------------------------------------------------------------- */

typedef struct machine {
    vx_backend *ref;
    vx_pool *pool[WORKER_COUNTS];
    vx_backend *cpu[WORKER_COUNTS];
} machine;

static bool run_body(co *c, const co_op *op, const void *variant, verdict *v)
{
    vx_status status = op->body(c, variant);
    if (status == VX_OK) return true;
    fault(v, "", 0);
    snprintf(v->text, sizeof v->text, "%s: %.400s", vx_status_name(status), c->err.message);
    return false;
}

static bool planned_run(co *c, const co_op *op, const void *variant, vx_backend *backend,
                        vx_pool *pool, uint64_t seed, verdict *v)
{
    co plan;
    co_open(&plan, backend, pool, true, 0, seed);
    bool planned = run_body(&plan, op, variant, v);
    size_t peak = plan.arena.peak;
    co_close(&plan);
    bool reference = c->reference, magnitude = c->magnitude;
    co_open(c, backend, pool, false, peak, seed);
    c->reference = reference;
    c->magnitude = magnitude;
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

static verdict check_case(const machine *m, const co_op *op, const void *variant, uint64_t seed)
{
    verdict v = {0};
    co want = {.reference = true}, magnitude = {.reference = true, .magnitude = true};
    co got[WORKER_COUNTS] = {{.slots = 0}};
    bool ok = planned_run(&want, op, variant, m->ref, NULL, seed, &v);
    if (ok && wants_magnitude(&want))
        ok = planned_run(&magnitude, op, variant, m->ref, NULL, seed, &v);
    for (int i = 0; i < WORKER_COUNTS && ok && m->cpu[i]; i++) {
        ok = planned_run(&got[i], op, variant, m->cpu[i], m->pool[i], seed, &v);
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

/* Function pointers share one size, so a slot can be tested for NULL without its type. */
static bool has_kernel(const vx_backend *backend, const co_op *op)
{
    void (*kernel)(void);
    memcpy(&kernel, (const char *)backend->ops + op->kernel, sizeof kernel);
    return kernel != NULL;
}

static const char *label_of(const void *variant)
{
    return *(const char *const *)variant;
}

static bool chosen(const co_op *op, const char *label, const char *filter)
{
    char name[160];
    snprintf(name, sizeof name, "%s/%s", op->name, label);
    return filter == NULL || strstr(name, filter) != NULL;
}

static int check_op(const machine *m, const co_op *op, const char *filter)
{
    union {
        char bytes[512];
        max_align_t align;
    } drawn;
    assert(op->variant_bytes <= sizeof drawn);
    if (!has_kernel(m->cpu[0], op)) {
        printf("WRONG %s: there are cases, but the backend has no such kernel\n", op->name);
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
            printf("WRONG %s/%s: %s\n", op->name, label_of(variant), v.text);
        }
    }
    if (cases > 0 && wrong == 0)
        printf("ok    %-18s %3d cases, at most %.2f of the tolerance used (%s)\n", op->name, cases,
               share, worst);
    return wrong;
}

/* ---- bench ----------------------------------------------------------------------------------- */

static void bench_case(vx_backend *backend, vx_pool *pool, const co_op *op, const void *variant)
{
    co plan, c;
    verdict v = {0};
    co_open(&plan, backend, pool, true, 0, 1);
    bool ok = run_body(&plan, op, variant, &v);
    co_open(&c, backend, pool, false, plan.arena.peak, 1);
    double best = INFINITY;
    /* At least three times, then until half a second is spent: the best of them counts. */
    double start = vx_now_s();
    for (int i = 0; ok && (i < 4 || vx_now_s() - start < 0.5); i++) {
        vx_profile profile = {0};
        c.ctx.profile = &profile;
        c.next = 0;
        ok = run_body(&c, op, variant, &v);
        if (i == 0) start = vx_now_s(); /* the first one fills the inputs */
        if (ok && i > 0) best = fmin(best, profile.row[0].seconds);
    }
    if (!ok) {
        printf("WRONG %s/%s: %s\n", op->name, label_of(variant), v.text);
    } else {
        const slot *out = NULL;
        for (int i = 0; i < c.slots && out == NULL; i++)
            if (c.slot[i].output) out = &c.slot[i];
        printf("%-18s %-34s %9.3f ms  ", op->name, label_of(variant), best * 1e3);
        if (op->per_element)
            printf("%8.4f ns/element\n", best * 1e9 / (double)vx_elements(&out->view));
        else
            printf("%8.1f GFLOP/s\n", plan.ctx.counts.flops / best * 1e-9);
    }
    co_close(&c);
    co_close(&plan);
}

/* ---- the program ----------------------------------------------------------------------------- */

typedef struct options {
    const char *filter;
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
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            o->threads = atoi(argv[++i]);
        else
            return false;
    }
    return o->threads >= 0 && o->threads <= 256;
}

static void open_machine(machine *m, const options *o)
{
    vx_error err = {0};
    vx_status status = vx_backend_open_ref(&m->ref, &err);
    int counts[WORKER_COUNTS] = {1, 2, 3, o->threads};
    if (o->bench) memcpy(counts, (int[]){o->threads ? o->threads : 2, 0, 0, 0}, sizeof counts);
    for (int i = 0; i < WORKER_COUNTS && counts[i] > 0 && status == VX_OK; i++) {
        status = vx_pool_open(&m->pool[i], counts[i], &err);
        if (status == VX_OK) status = vx_backend_open_cpu(&m->cpu[i], m->pool[i], &err);
    }
    if (status == VX_OK) {
        native = m->cpu[0]->native;
        return;
    }
    fprintf(stderr, "checkop: %s\n", err.message);
    exit(1);
}

static void close_machine(machine *m)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        vx_backend_close(&m->cpu[i]);
        vx_pool_close(&m->pool[i]);
    }
    vx_backend_close(&m->ref);
}

/* Kernels of the backend that no case covers. */
static int unchecked_kernels(const vx_backend *backend)
{
    static const struct {
        const char *name;
        size_t kernel;
    } all[] = {
#define CO_LINE(op) {#op, offsetof(vx_backend_ops, op)},
        VX_OPS(CO_LINE)
#undef CO_LINE
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const co_op kernel = {.kernel = all[i].kernel};
        bool checked = !has_kernel(backend, &kernel);
        for (size_t k = 0; k < sizeof ops / sizeof *ops && !checked; k++)
            checked = ops[k]->kernel == all[i].kernel;
        if (checked) continue;
        printf("WRONG %s: the backend has a kernel, but there are no cases\n", all[i].name);
        wrong++;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    options o = {0};
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: checkop [--filter NAME] [--threads N] [--bench] [--list]\n");
        return 2;
    }
    machine m = {0};
    if (!o.list) open_machine(&m, &o);
    int wrong = !o.list && !o.filter ? unchecked_kernels(m.cpu[0]) : 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const co_op *op = ops[i];
        for (int k = 0; k < (o.list ? op->count : 0); k++) {
            const char *label =
                label_of((const char *)op->variants + (size_t)k * op->variant_bytes);
            if (chosen(op, label, o.filter)) printf("%s/%s\n", op->name, label);
        }
        for (int k = 0; k < (o.bench && !o.list && has_kernel(m.cpu[0], op) ? op->bench_count : 0);
             k++) {
            const void *variant = (const char *)op->bench + (size_t)k * op->variant_bytes;
            if (chosen(op, label_of(variant), o.filter))
                bench_case(m.cpu[0], m.pool[0], op, variant);
        }
        if (!o.list && !o.bench) wrong += check_op(&m, op, o.filter);
        fflush(stdout);
    }
    close_machine(&m);
    return wrong ? 1 : 0;
}
