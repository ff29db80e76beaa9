/* The operator checker's driver. See checkop.h.
 *
 *     checkop [--backend NAME] [--filter NAME] [--threads N] [--bench] [--list]
 *
 * --backend names the device whose backend is checked (cpu); all memory is taken through it.
 * --filter keeps ops and cases whose "op/label" holds NAME; --threads gives the workers of the
 * bench (and of one more run of each case); exit 1 when anything is wrong. */
#include "checkop_memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { RANDOM_VARIANTS = 24, WORKER_COUNTS = 4 };

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
            if (co_load(t->dtype, vx_row(t, -h), i) != 0 ||
                co_load(t->dtype, vx_row(t, vx_rows(t) + h - 1), i) != 0)
                return "the halo is not zero";
    return NULL;
}

/* What lies between the rows belongs to somebody else and still holds the poison. */
static const char *gap_fault(const co_slot *s)
{
    const vx_tensor *t = &s->here;
    int64_t element = (int64_t)vx_dtype_bytes(t->dtype);
    for (int64_t r = -t->halo; r < vx_rows(t) + t->halo; r++) {
        const unsigned char *row = vx_row(t, r);
        for (int64_t i = -s->place.lead * element; i < (t->ld - s->place.lead) * element; i++)
            if ((i < 0 || i >= vx_cols(t) * element) && row[i] != CO_POISON)
                return "columns beside the tensor were written";
    }
    return NULL;
}

static void check_untouched(const co *c, verdict *v)
{
    if (!co_guards_whole(&c->workspace))
        fault(v, "guard bytes around the workspace were written", -1);
    for (int i = 0; i < c->slots; i++) {
        const co_slot *s = &c->slot[i];
        if (!co_guards_whole(&s->block)) fault(v, "guard bytes were written", i);
        if (!s->output && !co_is_untouched(s)) fault(v, "an input was written", i);
        if (s->output && gap_fault(s)) fault(v, gap_fault(s), i);
        if (s->output && halo_fault(&s->here)) fault(v, halo_fault(&s->here), i);
    }
}

/* Half a unit in the last place of bf16, relative. */
static const double BF16_HALF = 1.0 / 256;

static void compare_output(const co_slot *want, const co_slot *magnitude, const co_slot *got,
                           int index, verdict *v)
{
    const co_tolerance *tol = &got->tolerance;
    for (int64_t r = 0; r < vx_rows(&got->here); r++) {
        for (int64_t i = 0; i < vx_cols(&got->here); i++) {
            double a = co_load(VX_F32, vx_row(&want->here, r), i);
            double b = co_load(got->here.dtype, vx_row(&got->here, r), i);
            if ((isnan(a) && isnan(b)) || a == b) continue;
            double allowed = tol->abs + tol->rel * fabs(a);
            if (tol->mag > 0) allowed += tol->mag * co_load(VX_F32, vx_row(&magnitude->here, r), i);
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
    co_device ref, under[WORKER_COUNTS]; /* the backend under test, with so many workers each */
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

static bool planned_run(co *c, const co_op *op, const void *variant, co_device *d, uint64_t seed,
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

static void bench_case(co_device *d, const co_op *op, const void *variant)
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
        const co_slot *out = NULL;
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
static vx_status open_device(co_device *d, const char *name, int workers, vx_error *err)
{
    if (strcmp(name, "ref") == 0) {
        VX_TRY(vx_backend_open_ref(&d->backend, err));
    } else {
        VX_TRY(vx_pool_open(&d->pool, workers, err));
        VX_TRY(vx_backend_open_device(&d->backend, name, d->pool, err));
    }
    return vx_lane_open(&d->lane, d->backend, err);
}

static void close_device(co_device *d)
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
    co_must(status, &err);
    co_native(m->under[0].backend->native);
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
