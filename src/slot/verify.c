#include "slot/verify.h"

#include <math.h>

#include "base/warnings.h"
#include "media/resize.h"
#include "text/clip_bpe.h"

/* What stands for one of the two models. */
typedef struct eye {
    vx_clip *clip;
    vx_clip_bpe *bpe;
    int size, width; /* pixels of a side, of an embedding */
    uint8_t *pixels; /* [VX_KEY_FRAMES, size, size, 3] */
    float *frames;   /* [VX_KEY_FRAMES, width], each of length 1 */
    float *mean;     /* [width], of length 1 */
    float *text;     /* [width] */
} eye;

struct vx_verifier {
    eye b, l;
    int count; /* frames shown */
    int max_side;
    void *resize;
};

static float *take_floats(size_t count)
{
    return vx_heap_alloc(count * sizeof(float));
}

static vx_status open_eye(eye *e, vx_engine *engine, vx_component which, vx_error *err)
{
    const vx_pack_component *c = &vx_engine_pack(engine)->components[which];
    e->clip = vx_engine_clip(engine, which);
    assert(e->clip != NULL);
    const vx_clip_config *config = vx_clip_configuration(e->clip);
    e->size = config->image_size;
    e->width = config->embed;
    size_t pixels = (size_t)VX_KEY_FRAMES * (size_t)e->size * (size_t)e->size * 3;
    e->pixels = vx_heap_alloc(pixels);
    e->frames = take_floats((size_t)VX_KEY_FRAMES * (size_t)e->width);
    e->mean = take_floats((size_t)e->width);
    e->text = take_floats((size_t)e->width);
    if (e->pixels == NULL || e->frames == NULL || e->mean == NULL || e->text == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for verification");
    if (c->tokenizer.name == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_tokenizer", "the pack names no tokenizer for %s",
                       vx_component_name(which));
    VX_TRY(vx_clip_bpe_open(&e->bpe, c->tokenizer.path, err));
    if (vx_clip_bpe_size(e->bpe) > config->vocab)
        return vx_fail(
            err, VX_ERR_INPUT, "bad_tokenizer",
            "the tokenizer of %s has %d ids where the model has %d; it belongs to another model",
            vx_component_name(which), vx_clip_bpe_size(e->bpe), config->vocab);
    return VX_OK;
}

static void close_eye(eye *e)
{
    vx_clip_bpe_close(&e->bpe);
    vx_heap_free(e->pixels);
    vx_heap_free(e->frames);
    vx_heap_free(e->mean);
    vx_heap_free(e->text);
}

vx_status vx_verifier_open(vx_verifier **out, vx_engine *engine, int max_side, vx_error *err)
{
    assert(max_side >= 1 && max_side <= VX_IMAGE_SIDE_MAX);
    vx_verifier *v = *out = vx_heap_alloc(sizeof *v);
    if (v == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for verification");
    v->max_side = max_side;
    vx_status status = open_eye(&v->b, engine, VX_COMPONENT_CLIP_B, err);
    if (status == VX_OK) status = open_eye(&v->l, engine, VX_COMPONENT_CLIP_L, err);
    int size = v->b.size > v->l.size ? v->b.size : v->l.size;
    if (status == VX_OK) {
        v->resize = vx_heap_alloc(vx_clip_pixels_bytes(max_side, max_side, size));
        if (v->resize == NULL)
            status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to resize frames");
    }
    if (status != VX_OK) vx_verifier_close(out);
    return status;
}

void vx_verifier_close(vx_verifier **verifier)
{
    if (*verifier == NULL) return;
    close_eye(&(*verifier)->b);
    close_eye(&(*verifier)->l);
    vx_heap_free((*verifier)->resize);
    vx_heap_free(*verifier);
    *verifier = NULL;
}

static vx_status look(vx_verifier *v, eye *e, vx_ctx *ctx, const vx_picture *frames, int count)
{
    size_t stride = (size_t)e->size * (size_t)e->size * 3;
    for (int i = 0; i < count; i++)
        vx_clip_pixels(&frames[i], e->size, e->pixels + (size_t)i * stride, v->resize);
    VX_TRY(vx_clip_image(e->clip, ctx, e->pixels, VX_U8, count, e->frames));
    double square = 0;
    for (int c = 0; c < e->width; c++) {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += (double)e->frames[(ptrdiff_t)i * e->width + c];
        e->mean[c] = (float)(sum / count);
        square += (double)e->mean[c] * (double)e->mean[c];
    }
    for (int c = 0; c < e->width && square > 0; c++)
        e->mean[c] = (float)((double)e->mean[c] / sqrt(square));
    return VX_OK;
}

vx_status vx_verifier_show(vx_verifier *v, vx_ctx *ctx, const vx_picture *frames, int count)
{
    assert(count >= 1 && count <= VX_KEY_FRAMES);
    for (int i = 0; i < count; i++)
        assert(frames[i].width <= v->max_side && frames[i].height <= v->max_side);
    VX_TRY(look(v, &v->b, ctx, frames, count));
    VX_TRY(look(v, &v->l, ctx, frames, count));
    v->count = count;
    return VX_OK;
}

/* Where the part of a prompt begins that the tower does not see: the longest beginning that fits,
 * found by halving, since a longer one never has fewer tokens. */
static size_t cut_at(eye *e, const char *prompt, vx_clip_ids *tokens)
{
    size_t fits = 0, over = strlen(prompt);
    while (over - fits > 1) {
        size_t middle = fits + (over - fits) / 2;
        while (middle > fits && ((unsigned char)prompt[middle] & 0xC0) == 0x80)
            middle--;
        if (middle == fits) break;
        if (vx_clip_bpe_encode(e->bpe, prompt, middle, tokens, NULL) == VX_OK &&
            tokens->dropped == 0)
            fits = middle;
        else
            over = middle;
    }
    return fits;
}

/* Mean over the frames of the cosine (*cosine) and of its positive part (*positive). */
static vx_status compare(const vx_verifier *v, eye *e, vx_ctx *ctx, const char *prompt,
                         double *cosine, double *positive)
{
    int32_t ids[VX_CLIP_CONTEXT_MAX];
    vx_clip_ids tokens = {
        .ids = ids, .length = vx_clip_configuration(e->clip)->context, .pad = VX_CLIP_PAD_END};
    VX_TRY(vx_clip_bpe_encode(e->bpe, prompt, strlen(prompt), &tokens, ctx->err));
    if (tokens.count <= 2)
        return vx_fail(ctx->err, VX_ERR_INPUT, "bad_prompt",
                       "the prompt is empty; say what to look for");
    if (tokens.dropped > 0) {
        vx_clip_ids rest = tokens;
        int32_t unused[VX_CLIP_CONTEXT_MAX];
        rest.ids = unused;
        vx_warn("prompt_cut", "visual_track.prompt",
                "a prompt has %d tokens too many for CLIP's %d; this part was cut: \"%.200s\"",
                tokens.dropped, tokens.length, prompt + cut_at(e, prompt, &rest));
    }
    VX_TRY(vx_clip_text(e->clip, ctx, ids, tokens.count, NULL, e->text));
    *cosine = *positive = 0;
    for (int i = 0; i < v->count; i++) {
        double dot = 0;
        for (int c = 0; c < e->width; c++)
            dot += (double)e->frames[(ptrdiff_t)i * e->width + c] * (double)e->text[c];
        *cosine += dot / v->count;
        *positive += fmax(dot, 0) / v->count;
    }
    return VX_OK;
}

/* CLIPScore is 2.5 max(cos, 0) (Hessel et al. 2021); 100 is the logit scale at which CLIP's
 * training clips and where both models ended (Radford et al. 2021). The shares are the contract's
 * (docs/CONTRACTS.md, score). */
static const double CLIPSCORE = 2.5, LOGIT_SCALE = 100, SHARE_B = 0.4, SHARE_L = 0.6;

vx_status vx_verifier_score(vx_verifier *v, vx_ctx *ctx, const char *prompt,
                            const vx_thresholds *thresholds, vx_score *score)
{
    double cosine_b, cosine_l, b, l;
    assert(v->count > 0);
    VX_TRY(compare(v, &v->b, ctx, prompt, &cosine_b, &b));
    VX_TRY(compare(v, &v->l, ctx, prompt, &cosine_l, &l));
    *score = (vx_score){.b = CLIPSCORE * b,
                        .l = CLIPSCORE * l,
                        .logit = LOGIT_SCALE * (SHARE_B * cosine_b + SHARE_L * cosine_l)};
    score->ensemble = SHARE_B * score->b + SHARE_L * score->l;
    score->pass = score->b >= thresholds->b && score->l >= thresholds->l;
    score->outlier = fabs(score->b - score->l) > thresholds->outlier;
    return VX_OK;
}

const float *vx_verifier_embedding(const vx_verifier *v, vx_component which, int *width)
{
    const eye *e = which == VX_COMPONENT_CLIP_B ? &v->b : &v->l;
    *width = e->width;
    return e->mean;
}

void vx_score_softmax(const vx_score *scores, int count, double *share)
{
    double largest = scores[0].logit, sum = 0;
    for (int i = 1; i < count; i++)
        largest = fmax(largest, scores[i].logit);
    for (int i = 0; i < count; i++)
        sum += share[i] = exp(scores[i].logit - largest);
    for (int i = 0; i < count; i++)
        share[i] /= sum;
}
