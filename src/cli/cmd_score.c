/* vortex score: how well a picture or film shows what a prompt says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "slot/verify.h"
#include "media/video.h"

/* As many prompts as a table that people still read. */
enum { PROMPTS_MAX = 256 };

typedef struct score_params {
    bool embeddings;
    const char *background;
} score_params;

/* The frames that are judged. */
typedef struct media {
    vx_picture frame[VX_KEY_FRAMES];
    int64_t index[VX_KEY_FRAMES];
    int count;
} media;

/* A still image is tried first: most files of that kind also open as a film of one frame. */
static vx_status read_media(const vx_cli *cli, const score_params *p, media *m, vx_error *err)
{
    vx_error not_image = {0};
    const char *path = cli->words[0];
    uint8_t background[3];
    vx_image_reading reading = {.cancel = cli->cancel, .background = background};
    *m = (media){.count = 1};
    VX_TRY(vx_cli_colour(p->background, background, err));
    vx_status status = vx_image_read(&m->frame[0], path, &reading, &not_image);
    if (status == VX_OK) return VX_OK;
    if (status == VX_ERR_CANCELLED || status == VX_ERR_MISSING) {
        *err = not_image;
        return status;
    }
    vx_video *video;
    int64_t frames;
    if (vx_video_open(&video, path, cli->cancel, err) != VX_OK) {
        /* Of a file that is plainly a broken picture, that is what to say. */
        vx_error not_video = *err;
        if (not_image.status != VX_ERR_INPUT || strstr(not_image.message, "no image") == NULL) {
            *err = not_image;
            return not_image.status;
        }
        return vx_fail_at(err, VX_ERR_INPUT, "bad_media", path, 0, "%.300s; as a film: %.300s",
                          not_image.message, not_video.message);
    }
    m->count = VX_KEY_FRAMES;
    status = vx_video_key_frames(video, VX_KEY_FRAMES, m->index, m->frame, &frames, err);
    vx_video_close(&video);
    return status;
}

static void free_media(media *m)
{
    for (int i = 0; i < VX_KEY_FRAMES; i++)
        vx_image_free(&m->frame[i]);
}

static int longest_side(const media *m)
{
    int side = 1;
    for (int i = 0; i < m->count; i++) {
        side = m->frame[i].width > side ? m->frame[i].width : side;
        side = m->frame[i].height > side ? m->frame[i].height : side;
    }
    return side;
}

static json_t *embedding_json(const vx_verifier *verifier, vx_component which)
{
    int width;
    const float *values = vx_verifier_embedding(verifier, which, &width);
    json_t *list = json_array();
    for (int i = 0; i < width; i++)
        json_array_append_new(list, json_real((double)values[i]));
    return list;
}

static json_t *scores_json(const vx_cli *cli, const media *m, const vx_score *scores,
                           const double *share)
{
    json_t *frames = json_array(), *prompts = json_array();
    for (int i = 0; i < m->count; i++)
        json_array_append_new(frames, json_integer(m->index[i]));
    for (int i = 0; i + 1 < cli->word_count; i++)
        json_array_append_new(prompts, json_pack("{s:o, s:f, s:f, s:f, s:f, s:b, s:b}", "text",
                                                 vx_json_text(cli->words[i + 1]), "b", scores[i].b,
                                                 "l", scores[i].l, "ensemble", scores[i].ensemble,
                                                 "softmax", share[i], "pass", scores[i].pass,
                                                 "outlier", scores[i].outlier));
    return json_pack("{s:o, s:o, s:o}", "media", vx_json_text(cli->words[0]), "frames", frames,
                     "prompts", prompts);
}

static const vx_score *sort_scores;

static int by_ensemble(const void *a, const void *b)
{
    double x = sort_scores[*(const int *)a].ensemble, y = sort_scores[*(const int *)b].ensemble;
    return (x < y) - (x > y);
}

static void print_scores(const vx_cli *cli, const vx_score *scores, const double *share)
{
    int order[PROMPTS_MAX], count = cli->word_count - 1;
    for (int i = 0; i < count; i++)
        order[i] = i;
    sort_scores = scores;
    qsort(order, (size_t)count, sizeof *order, by_ensemble);
    printf("%8s %8s %8s %8s  %-4s %-7s  prompt\n", "ensemble", "B/32", "L/14", "softmax", "pass",
           "outlier");
    for (int i = 0; i < count; i++) {
        const vx_score *s = &scores[order[i]];
        printf("%8.4f %8.4f %8.4f %8.4f  %-4s %-7s  %s\n", s->ensemble, s->b, s->l, share[order[i]],
               s->pass ? "yes" : "no", s->outlier ? "yes" : "no", cli->words[order[i] + 1]);
    }
}

static vx_status judge(vx_cli *cli, const score_params *p, vx_engine *engine, const media *m,
                       vx_error *err)
{
    const vx_pack *pack = vx_engine_pack(engine);
    vx_verifier *verifier;
    vx_score scores[PROMPTS_MAX];
    double share[PROMPTS_MAX];
    vx_ctx ctx = vx_engine_ctx(engine, VX_LANE_PICTURE, cli->cancel, err);
    vx_thresholds thresholds = {pack->threshold_b, pack->threshold_l, pack->outlier};
    VX_TRY(vx_verifier_open(&verifier, engine, longest_side(m), err));
    vx_status status = vx_verifier_show(verifier, &ctx, m->frame, m->count);
    for (int i = 0; i + 1 < cli->word_count && status == VX_OK; i++)
        status = vx_verifier_score(verifier, &ctx, cli->words[i + 1], &thresholds, &scores[i]);
    if (status == VX_OK) {
        vx_score_softmax(scores, cli->word_count - 1, share);
        if (cli->json) {
            json_t *doc = scores_json(cli, m, scores, share);
            if (p->embeddings)
                json_object_set_new(doc, "embeddings",
                                    json_pack("{s:o, s:o}", "b",
                                              embedding_json(verifier, VX_COMPONENT_CLIP_B), "l",
                                              embedding_json(verifier, VX_COMPONENT_CLIP_L)));
            status = vx_json_print(doc, err);
        } else {
            print_scores(cli, scores, share);
        }
    }
    vx_verifier_close(&verifier);
    return status;
}

static vx_status run_score(vx_cli *cli, void *raw, vx_error *err)
{
    const score_params *p = raw;
    vx_pack pack = {0};
    vx_engine *engine = NULL;
    media m = {0};
    if (p->embeddings && !cli->json)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "--embeddings goes with --json");
    vx_status status = read_media(cli, p, &m, err);
    if (status == VX_OK) status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &cli->settings, .pack = &pack,
                               .wants = VX_WANT_VERIFY, .cancel = cli->cancel};
    if (status == VX_OK) status = vx_engine_open(&engine, &params, err);
    if (status == VX_OK) status = judge(cli, p, engine, &m, err);
    vx_engine_close(&engine);
    vx_pack_close(&pack);
    free_media(&m);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("embeddings", 0, NULL, score_params, embeddings, BOOL,
            "with --json: the picture's embeddings"),
    VX_FLAG("background", 0, "#rrggbb", score_params, background, WORD,
            "what shows through transparency; else #ffffff"),
    VX_FLAGS_END,
};

const vx_command vx_command_score = {
    .name = "score",
    .usage = "IMAGE|VIDEO PROMPT…",
    .summary = "how well a picture or film shows what a prompt says",
    .details = "CLIPScore under ViT-B/32 and ViT-L/14; a film is judged by five key frames. The "
               "table is sorted\n"
               "by the ensemble, 0.4 B + 0.6 L; JSON keeps the order given.",
    .flags = flags,
    .params_bytes = sizeof(score_params),
    .words_min = 2,
    .words_max = PROMPTS_MAX,
    .word = {{VX_USE_IN, "the picture"}},
    .run = run_score,
};
