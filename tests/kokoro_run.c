/* Runs Kokoro once and writes what it made, for tools/kokoro_parity.py and for looking at times.
 *
 *     kokoro_run REQUEST.safetensors OUT_DIR [--backend cpu|ref] [--precision f32|bf16|int8]
 *                [--weights FILE] [--runs N] [--noise] [--taps]
 *
 * REQUEST holds `ids` [n] i32 and `style` [256] f32; and, each optional, what replaces the model's
 * own: `spans` [n] i32, `F0` and `N` [2T, 1], `spectrum` [120T+1, 22].
 * OUT_DIR receives durations.f32, samples.f32 and, with --taps, every stage as NAME.f32. */
#include <math.h>

#include "base/clock.h"
#include "kokoro_rig.h"

typedef struct options {
    const char *request, *out, *backend, *weights;
    vx_dtype precision;
    int runs;
    bool noise, taps;
} options;

typedef struct run_state {
    const options *opt;
    vx_source *request;
    bool write;
} run_state;

static void fail(const vx_error *err)
{
    fprintf(stderr, "kokoro_run: %s\n", err->message);
    exit(1);
}

static void write_floats(const char *dir, const char *name, const float *values, size_t count)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.f32", dir, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(values, sizeof *values, count, file) != count) {
        fprintf(stderr, "kokoro_run: %s cannot be written\n", path);
        exit(1);
    }
    fclose(file);
}

/* Writes a stage; puts the request's own values in its place where there are some. */
static void see(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *t)
{
    run_state *state = arg;
    int64_t rows = vx_rows(t), cols = vx_cols(t);
    float *values = rig_values(ctx, t);
    if (state->write && state->opt->taps)
        write_floats(state->opt->out, name, values, (size_t)(rows * cols));
    const vx_source_tensor *given = vx_source_find(state->request, name);
    if (given != NULL && t->dtype == VX_F32 && given->elements == rows * cols) {
        vx_source_read(state->request, given, 0, rows * cols, values, NULL);
        vx_tensor to = *t;
        vx_upload(ctx, values, &to);
    }
    vx_heap_free(values);
}

static void print_profile(const vx_profile *profile, double total)
{
    for (int i = 0; i < profile->rows; i++) {
        const vx_profile_row *row = &profile->row[i];
        printf("  %-18s %5lld calls %8.1f ms %5.1f %%  %7.1f GFLOP/s\n", row->op,
               (long long)row->calls, 1e3 * row->seconds, 100 * row->seconds / total,
               row->seconds > 0 ? row->flops / row->seconds / 1e9 : 0);
    }
}

static double once(kokoro_rig *k, run_state *state, vx_kokoro_utterance *u, int32_t *spans,
                   float *samples)
{
    double start = vx_now_s();
    vx_mark mark = vx_mark_now(&k->base.ctx);
    if (vx_kokoro_front(k->model, &k->base.ctx, u) != VX_OK) fail(&k->base.err);
    double front = vx_now_s();
    u->frames = vx_kokoro_round(u->durations, u->tokens, spans);
    if (kokoro_rig_ints(state->request, "spans", spans, u->tokens) == u->tokens) {
        u->frames = 0;
        for (int64_t i = 0; i < u->tokens; i++)
            u->frames += spans[i];
    }
    if (u->frames > vx_kokoro_frames_max(k->model)) {
        fprintf(stderr, "kokoro_run: %lld frames are too many\n", (long long)u->frames);
        exit(1);
    }
    if (vx_kokoro_decode(k->model, &k->base.ctx, u, 0, u->frames * VX_KOKORO_FRAME, samples) !=
        VX_OK)
        fail(&k->base.err);
    vx_release(&k->base.ctx, mark);
    double end = vx_now_s();
    printf("%lld tokens, %lld frames (%.2f s): front %.1f ms, decode %.1f ms, %.3f s per second\n",
           (long long)u->tokens, (long long)u->frames, (double)u->frames / 40,
           1e3 * (front - start), 1e3 * (end - front), (end - start) / ((double)u->frames / 40));
    return end - start;
}

static options parse(int argc, char **argv)
{
    static char found[512];
    options opt = {.backend = "cpu", .precision = VX_BF16, .runs = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--backend") == 0)
            opt.backend = value, i++;
        else if (strcmp(argv[i], "--precision") == 0)
            opt.precision = (vx_dtype)vx_dtype_parse(value), i++;
        else if (strcmp(argv[i], "--weights") == 0)
            opt.weights = value, i++;
        else if (strcmp(argv[i], "--runs") == 0)
            opt.runs = atoi(value), i++;
        else if (strcmp(argv[i], "--noise") == 0)
            opt.noise = true;
        else if (strcmp(argv[i], "--taps") == 0)
            opt.taps = true;
        else if (opt.request == NULL)
            opt.request = argv[i];
        else
            opt.out = argv[i];
    }
    if (opt.out == NULL) {
        fprintf(stderr, "usage: kokoro_run REQUEST.safetensors OUT_DIR [options]\n");
        exit(2);
    }
    kokoro_rig_weights(found);
    if (opt.weights == NULL) opt.weights = found;
    return opt;
}

int main(int argc, char **argv)
{
    options opt = parse(argc, argv);
    kokoro_rig k;
    vx_error err = {0};
    run_state state = {.opt = &opt, .write = true};
    if (vx_source_open(&state.request, opt.request, &err) != VX_OK) fail(&err);
    vx_kokoro_params params = {.config = vx_kokoro_config_default(), .precision = opt.precision};
    double start = vx_now_s();
    if (kokoro_rig_open(&k, opt.backend, 0, opt.weights, &params) != VX_OK) fail(&k.base.err);
    printf("loaded in %.2f s; weights %.1f MB, workspace %.1f MB\n", vx_now_s() - start,
           (double)k.base.weights_bytes / 1e6, (double)k.base.workspace_bytes / 1e6);

    int32_t ids[512], spans[512];
    float style[256], durations[512];
    vx_kokoro_utterance u = {.ids = ids,
                             .style = style,
                             .speed = 1,
                             .durations = durations,
                             .spans = spans,
                             .alignment = k.alignment,
                             .quiet = !opt.noise};
    u.tokens = kokoro_rig_ints(state.request, "ids", ids, 512);
    if (u.tokens < 3 || kokoro_rig_floats(state.request, "style", style, 256) != 256) {
        fprintf(stderr, "kokoro_run: the request lacks ids or style\n");
        return 1;
    }

    int64_t room = vx_kokoro_frames_max(k.model) * VX_KOKORO_FRAME;
    float *samples = vx_heap_alloc((size_t)room * sizeof *samples);
    static vx_profile profile;
    k.base.ctx.observe = see;
    k.base.ctx.observe_arg = &state;
    double best = INFINITY;
    for (int i = 0; i < opt.runs; i++) {
        memset(&profile, 0, sizeof profile);
        k.base.lane.profile = &profile;
        double seconds = once(&k, &state, &u, spans, samples);
        if (seconds < best) best = seconds;
        state.write = false;
        if (i + 1 == opt.runs) print_profile(&profile, seconds);
    }
    printf("workspace peak %.1f MB of %.1f planned\n", (double)k.base.workspace.peak / 1e6,
           (double)k.base.workspace_bytes / 1e6);
    write_floats(opt.out, "durations", durations, (size_t)u.tokens);
    write_floats(opt.out, "samples", samples, (size_t)(u.frames * VX_KOKORO_FRAME));
    vx_heap_free(samples);
    vx_source_close(&state.request);
    kokoro_rig_close(&k);
    return 0;
}
