/* vortex bench: how long a stage takes on this machine, and what share of the
 * machine's peak that is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench_portrait.h"
#include "cli/bench_slot.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "base/random.h"
#include "slot/imagine.h"
#include "slot/speak.h"
#include "slot/verify.h"

enum { RUNS_MAX = 100 };

typedef struct bench_params {
    int64_t runs;
    const char *phonemes, *recipe;
    int64_t size;
} bench_params;

/* 300 symbols, 18 s in the voice af_heart: long enough that the model's throughput shows. */
static const char SPEECH[] =
    "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ, ænd ðə sˈʌn ɡOz dˈWn bəhˈInd ðə hˈɪlz. "
    "ˈɛvɹi mˈɔɹnɪŋ ðə bˈAkəɹ ˈOpᵊnz hɪz stˈɔɹ ət sˈɪks əklˈɑk, ænd ðə smˈɛl ʌv fɹˈɛʃ bɹˈɛd fˈɪlz "
    "ðə stɹˈit. wˈɪntəɹ kˈʌmz slˈOli tə ðə vˈæli, wɪð fˈɔɡ ɪn ðə tɹˈiz ænd fɹˈɔst ɑn ðə fˈildz; "
    "ðə ɹˈɪvəɹ kˈips ɪts sˈɔŋ.";

/* One stage that can be timed. */
typedef struct bench {
    vx_cli *cli;
    const bench_params *params;
    vx_pack pack;
    vx_engine *engine;
    vx_speaker *speaker;
    vx_verifier *verifier;
    vx_imaginer *imaginer;
    vx_bench_portrait *portrait;
    vx_picture frame[VX_KEY_FRAMES];
    vx_profile profile; /* of the last run: its parts */
    vx_profile ops;     /* and its ops, where those are not the parts */
    double work_s;      /* seconds of media that a run makes */
    double flops;       /* of one run */
    double seconds;     /* of what counts in a run; 0: all of it */
    int frames;         /* a batch, where there are some */
    vx_error *err;
} bench;

typedef struct bench_stage {
    const char *name;
    int wants;
    vx_status (*run)(bench *b);
} bench_stage;

static vx_status run_kokoro(bench *b)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_AUDIO, b->cli->cancel, b->err);
    const char *phonemes = b->params->phonemes != NULL ? b->params->phonemes : SPEECH;
    vx_spoken spoken;
    vx_speak_request request = {.text = phonemes, .bytes = strlen(phonemes), .phonemes = true};
    ctx.lane->profile = &b->profile;
    VX_TRY(vx_speaker_run(b->speaker, &ctx, &request, &spoken));
    b->work_s = (double)spoken.count / VX_KOKORO_RATE;
    b->flops = ctx.counts.flops;
    return VX_OK;
}

/* Five frames and one prompt through both models, preprocessing included. */
static vx_status run_clip(bench *b)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, b->cli->cancel, b->err);
    vx_thresholds thresholds = {0};
    vx_score score;
    ctx.lane->profile = &b->profile;
    VX_TRY(vx_verifier_show(b->verifier, &ctx, b->frame, VX_KEY_FRAMES));
    VX_TRY(vx_verifier_score(b->verifier, &ctx,
                             "A portrait of a smiling woman, studio lighting, 35mm.", &thresholds,
                             &score));
    b->flops = ctx.counts.flops;
    return VX_OK;
}

/* A picture in one step; the parts are its stages. */
static vx_status run_flux(bench *b)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, b->cli->cancel, b->err);
    vx_imagined made;
    vx_imagine_request request = {.prompt =
                                      "A portrait of a smiling woman, studio lighting, 35mm."};
    VX_TRY(vx_imaginer_run(b->imaginer, &ctx, &request, &made));
    b->profile.rows = made.stages;
    for (int i = 0; i < made.stages; i++)
        b->profile.row[i] = (vx_profile_row){.op = made.stage[i].name,
                                             .calls = made.stage[i].runs,
                                             .seconds = made.stage[i].seconds,
                                             .flops = made.stage[i].flops};
    b->flops = ctx.counts.flops;
    return VX_OK;
}

/* What counts is one frame; the source's networks are parts beside. */
static vx_status run_liveportrait(bench *b)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, b->cli->cancel, b->err);
    vx_profile_row frame;
    b->ops = (vx_profile){0};
    ctx.lane->profile = &b->ops;
    VX_TRY(vx_bench_portrait_run(b->portrait, &ctx, &b->profile, &frame));
    b->seconds = frame.seconds;
    b->flops = frame.flops;
    b->frames = (int)frame.calls;
    b->work_s = 1.0 / (double)b->pack.fps;
    return VX_OK;
}

/* The portrait and its frames lie where a film's do. */
static vx_status open_liveportrait(bench *b)
{
    vx_liveportrait *model = vx_engine_liveportrait(b->engine);
    size_t side = (size_t)vx_liveportrait_frame_side(vx_liveportrait_configuration(model));
    const vx_room *ring = vx_engine_room(b->engine, VX_BUFFER_RING, 0);
    if (ring->bytes < side * side * 3 * (size_t)vx_liveportrait_batch(model))
        return vx_fail(
            b->err, VX_ERR_INPUT, "bad_pack",
            "the pack's film is smaller than LivePortrait's frames of %zu x %zu; set the "
            "pack's slot to that size",
            side, side);
    return vx_bench_portrait_open(&b->portrait, model,
                                  vx_engine_room(b->engine, VX_BUFFER_PORTRAIT, 0)->at, ring->at,
                                  b->err);
}

/* Frames of noise: scoring takes the same time whatever they show. */
static vx_status open_clip(bench *b)
{
    enum { SIDE = 512 };
    for (int i = 0; i < VX_KEY_FRAMES; i++) {
        VX_TRY(vx_image_new(&b->frame[i], SIDE, SIDE, b->err));
        for (size_t k = 0; k < (size_t)SIDE * SIDE * 3; k++) {
            uint32_t words[4];
            vx_philox((uint64_t)i, VX_STREAM_TEST, k, words);
            b->frame[i].rgb[k] = (uint8_t)words[0];
        }
    }
    return vx_verifier_open(&b->verifier, b->engine, SIDE, b->err);
}

static const bench_stage stages[] = {
    {"kokoro", VX_WANT_SPEECH, run_kokoro},
    {"clip", VX_WANT_VERIFY, run_clip},
    {"flux", VX_WANT_ACTOR, run_flux},
    {"liveportrait", VX_WANT_VIDEO, run_liveportrait},
};

static vx_status find_stage(const char *name, const bench_stage **stage, vx_error *err)
{
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (strcmp(stages[i].name, name) == 0) {
            *stage = &stages[i];
            return VX_OK;
        }
    return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                   "there is no bench \"%.32s\"; there are: kokoro, clip, flux, liveportrait, slot",
                   name);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Time and work of every op by name: the median over the runs. */
static json_t *parts_json(const vx_profile *profiles, int runs, double yardstick)
{
    json_t *parts = json_array();
    for (int i = 0; i < profiles[0].rows; i++) {
        double seconds[RUNS_MAX];
        for (int run = 0; run < runs; run++)
            seconds[run] = profiles[run].row[i].seconds;
        double middle = median(seconds, runs), flops = profiles[0].row[i].flops;
        json_array_append_new(parts,
                              json_pack("{s:s, s:f, s:f, s:f}", "name", profiles[0].row[i].op,
                                        "median_s", middle, "flops", flops, "share_of_yardstick",
                                        middle > 0 ? flops / middle / yardstick : 0));
    }
    return parts;
}

static json_t *report(bench *b, const char *name, double *seconds, const vx_profile *profiles,
                      int runs, double yardstick, size_t peak_bytes)
{
    double total[RUNS_MAX];
    memcpy(total, seconds, sizeof *total * (size_t)runs);
    double middle = median(total, runs);
    json_t *doc = json_pack(
        "{s:s, s:i, s:f, s:f, s:f, s:f, s:i, s:b, s:I, s:I, s:f, s:f, s:f, s:o}", "stage", name,
        "runs", runs, "median_s", middle, "min_s", total[0], "max_s", total[runs - 1], "flops",
        b->flops, "threads", vx_pool_workers(vx_engine_pool(b->engine)), "synthetic",
        b->pack.synthetic, "planned_bytes", (json_int_t)vx_engine_planned(b->engine)->total_bytes,
        "peak_rss_bytes", (json_int_t)peak_bytes, "yardstick_flops_per_s", yardstick,
        "share_of_yardstick", b->flops / middle / yardstick, "work_s", b->work_s, "parts",
        parts_json(profiles, runs, yardstick));
    if (b->frames > 0) json_object_set_new(doc, "frames_per_batch", json_integer(b->frames));
    if (b->ops.rows > 0) json_object_set_new(doc, "ops", parts_json(&b->ops, 1, yardstick));
    return doc;
}

static void print_rows(const char *title, const json_t *rows)
{
    size_t i;
    json_t *part;
    printf("\n%-20s %10s %10s %8s\n", title, "seconds", "GFLOP", "share");
    json_array_foreach(rows, i, part)
    {
        printf("%-20s %10.4f %10.2f %8.2f\n", json_string_value(json_object_get(part, "name")),
               json_real_value(json_object_get(part, "median_s")),
               json_real_value(json_object_get(part, "flops")) / 1e9,
               json_real_value(json_object_get(part, "share_of_yardstick")));
    }
}

static void print_report(json_t *doc)
{
    printf("%s: median %.3f s of %lld runs (%.3f to %.3f), %.1f s of media, %.1f GFLOP\n",
           json_string_value(json_object_get(doc, "stage")),
           json_real_value(json_object_get(doc, "median_s")),
           json_integer_value(json_object_get(doc, "runs")),
           json_real_value(json_object_get(doc, "min_s")),
           json_real_value(json_object_get(doc, "max_s")),
           json_real_value(json_object_get(doc, "work_s")),
           json_real_value(json_object_get(doc, "flops")) / 1e9);
    printf("yardstick %.1f GFLOP/s; share %.2f; planned %.1f MB, measured peak %.1f MB\n",
           json_real_value(json_object_get(doc, "yardstick_flops_per_s")) / 1e9,
           json_real_value(json_object_get(doc, "share_of_yardstick")),
           (double)json_integer_value(json_object_get(doc, "planned_bytes")) / 1e6,
           (double)json_integer_value(json_object_get(doc, "peak_rss_bytes")) / 1e6);
    const json_t *ops = json_object_get(doc, "ops");
    print_rows(ops ? "part" : "op", json_object_get(doc, "parts"));
    if (ops) print_rows("op, last run", ops);
}

/* Memory is read before the yardstick is taken, which needs some of its own. */
static vx_status time_stage(bench *b, const bench_stage *stage)
{
    int runs = (int)b->params->runs;
    double seconds[RUNS_MAX];
    vx_profile *profiles = vx_heap_alloc(sizeof *profiles * (size_t)runs);
    if (profiles == NULL)
        return vx_fail(b->err, VX_ERR_MEMORY, "no_memory", "no memory for the profile");
    vx_progress progress;
    double yardstick;
    vx_progress_start(&progress, b->cli->quiet, stage->name, "runs");
    vx_status status = stage->run(b); /* warm */
    for (int run = 0; run < runs && status == VX_OK; run++) {
        b->profile = (vx_profile){0};
        double start = vx_now_s();
        status = stage->run(b);
        seconds[run] = b->seconds > 0 ? b->seconds : vx_now_s() - start;
        profiles[run] = b->profile;
        vx_progress_update(&progress, (uint64_t)run + 1, (uint64_t)runs);
    }
    vx_progress_end(&progress);
    size_t peak_bytes = vx_engine_measured_bytes(b->engine);
    if (status == VX_OK) status = vx_backend_peak(vx_engine_backend(b->engine), &yardstick, b->err);
    if (status == VX_OK) {
        json_t *doc = report(b, stage->name, seconds, profiles, runs, yardstick, peak_bytes);
        if (b->cli->json) {
            status = vx_json_print(doc, b->err);
        } else {
            print_report(doc);
            json_decref(doc);
        }
    }
    vx_heap_free(profiles);
    return status;
}

static vx_status run_bench(vx_cli *cli, void *raw, vx_error *err)
{
    const bench_stage *stage = NULL;
    bench b = {.cli = cli, .params = raw, .err = err};
    if (strcmp(cli->words[0], "slot") == 0)
        return vx_bench_slot(cli, (int)b.params->runs, b.params->recipe, err);
    VX_TRY(find_stage(cli->words[0], &stage, err));
    vx_status status = vx_pack_open(&b.pack, cli->settings.pack, err);
    int side = (int)b.params->size;
    vx_engine_params params = {VX_OUR_PARTS,          .settings = &cli->settings,
                               .pack = &b.pack,       .wants = stage->wants,
                               .cancel = cli->cancel, .image_width = side,
                               .image_height = side,  .image_steps = 1};
    if (status == VX_OK) status = vx_engine_open(&b.engine, &params, err);
    if (status == VX_OK && stage->wants & VX_WANT_SPEECH)
        status = vx_speaker_open(&b.speaker, b.engine, 0, err);
    if (status == VX_OK && stage->wants & VX_WANT_VERIFY) status = open_clip(&b);
    if (status == VX_OK && stage->wants & VX_WANT_ACTOR)
        status = vx_imaginer_open(&b.imaginer, b.engine, err);
    if (status == VX_OK && stage->wants & VX_WANT_VIDEO) status = open_liveportrait(&b);
    if (status == VX_OK) status = time_stage(&b, stage);
    for (int i = 0; i < VX_KEY_FRAMES; i++)
        vx_image_free(&b.frame[i]);
    vx_bench_portrait_close(&b.portrait);
    vx_imaginer_close(&b.imaginer);
    vx_verifier_close(&b.verifier);
    vx_speaker_close(&b.speaker);
    vx_engine_close(&b.engine);
    vx_pack_close(&b.pack);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("runs", 'n', "N", bench_params, runs, INT, "how often, after one warm run", .min = 1,
            .max = RUNS_MAX, .fallback = "5"),
    VX_FLAG("phonemes", 0, "STRING", bench_params, phonemes, TEXT,
            "kokoro: what to speak instead of the built-in 18 s"),
    VX_FLAG("recipe", 0, "FILE", bench_params, recipe, WORD,
            "slot: what to make instead of the built-in prompt with 8 s of speech"),
    VX_FLAG("size", 0, "N", bench_params, size, INT, "flux: the picture's side; else the pack's",
            .min = 64, .max = 1024, .multiple = 16, .fallback = "0"),
    VX_FLAGS_END,
};

const vx_command vx_command_bench = {
    .name = "bench",
    .usage = "STAGE [-n N]",
    .summary = "time a stage at the pack's size: kokoro, clip, flux, liveportrait, slot",
    .details =
        "Prints the median, the work and its share of the yardstick, oneDNN's matrix product of\n"
        "1280 x 3072 x 3072 measured in the same run. flux makes a picture in one step; "
        "liveportrait's\n"
        "figures are of one frame of a batch.",
    .flags = flags,
    .params_bytes = sizeof(bench_params),
    .words_min = 1,
    .words_max = 1,
    .run = run_bench,
};
