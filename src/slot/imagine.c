#include "slot/imagine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/warnings.h"
#include "config/schema.h"
#include "media/resize.h"
#include "models/flux/sampler.h"
#include "text/clip_bpe.h"
#include "text/expander.h"
#include "text/unigram.h"

struct vx_imaginer {
    vx_engine *engine;
    vx_unigram *unigram;
    vx_clip_bpe *bpe;
    vx_expander *expander;     /* NULL: the pack has none */
    vx_expansion expansion[2]; /* of films, of pictures beside them */
    int32_t t5_ids[VX_T5_TOKENS_MAX], clip_ids[VX_CLIP_CONTEXT_MAX];
    int clip_count;
};

/* One picture under way. */
typedef struct job {
    vx_imaginer *im;
    vx_ctx *ctx;
    const vx_imagine_request *request;
    vx_imagined *result;
    vx_actor_size size;
    vx_tensor text;                  /* [text_tokens, text_width] f32 */
    vx_tensor pooled;                /* [1, pooled] f32 */
    float *latent, *noise, *scratch; /* vx_actor_latent_count each */
    float times[VX_FLUX_STEPS_MAX + 1];
    int first;
    double start_s, flops;
} job;

static vx_status open_tokenizers(vx_imaginer *im, vx_error *err)
{
    const vx_pack *pack = vx_engine_pack(im->engine);
    const vx_pack_component *t5 = vx_pack_files(pack, VX_COMPONENT_FLUX_T5),
                            *clip = vx_pack_files(pack, VX_COMPONENT_FLUX_CLIP_TEXT);
    if (t5->tokenizer.name == NULL || clip->tokenizer.name == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_tokenizer",
                       "pack %s names no tokenizer for %s; add one", pack->name,
                       t5->tokenizer.name == NULL ? "flux.t5" : "flux.clip_text");
    VX_TRY(vx_unigram_open(&im->unigram, t5->tokenizer.path, err));
    VX_TRY(vx_clip_bpe_open(&im->bpe, clip->tokenizer.path, err));
    int t5_vocab = vx_t5_configuration(vx_engine_t5(im->engine))->vocab;
    int clip_vocab =
        vx_clip_configuration(vx_engine_clip(im->engine, VX_COMPONENT_FLUX_CLIP_TEXT))->vocab;
    if (vx_unigram_size(im->unigram) > t5_vocab)
        return vx_fail(err, VX_ERR_INPUT, "bad_tokenizer",
                       "the tokenizer of flux.t5 has %d pieces where the model has %d; it belongs "
                       "to another model",
                       vx_unigram_size(im->unigram), t5_vocab);
    if (vx_clip_bpe_size(im->bpe) > clip_vocab)
        return vx_fail(err, VX_ERR_INPUT, "bad_tokenizer",
                       "the tokenizer of flux.clip_text has %d ids where the model has %d; it "
                       "belongs to another model",
                       vx_clip_bpe_size(im->bpe), clip_vocab);
    return VX_OK;
}

vx_status vx_imaginer_open(vx_imaginer **out, vx_engine *engine, vx_error *err)
{
    vx_imaginer *im = *out = vx_heap_alloc(sizeof *im);
    if (im == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the tokenizers");
    im->engine = engine;
    vx_status status = open_tokenizers(im, err);
    const vx_pack_file *grammar = &vx_engine_pack(engine)->expand;
    if (status == VX_OK && grammar->name != NULL)
        status = vx_expander_open(&im->expander, grammar->path, err);
    if (status != VX_OK) vx_imaginer_close(out);
    if (status == VX_OK && vx_engine_pack(engine)->synthetic)
        vx_warn("synthetic", NULL, "the weights of pack %s are synthetic: pictures are noise",
                vx_engine_pack(engine)->name);
    return status;
}

void vx_imaginer_close(vx_imaginer **imaginer)
{
    if (*imaginer == NULL) return;
    vx_unigram_close(&(*imaginer)->unigram);
    vx_clip_bpe_close(&(*imaginer)->bpe);
    vx_expander_close(&(*imaginer)->expander);
    vx_heap_free(*imaginer);
    *imaginer = NULL;
}

vx_status vx_imaginer_size(const vx_imaginer *im, int width, int height, int steps,
                           vx_actor_size *size, vx_error *err)
{
    const vx_actor_size *most = vx_engine_actor(im->engine);
    VX_TRY(vx_actor_size_of(vx_engine_pack(im->engine), width > 0 ? width : most->width,
                            height > 0 ? height : most->height, steps > 0 ? steps : most->steps,
                            size, err));
    if (size->width > most->width || size->height > most->height || size->steps > most->steps)
        return vx_fail(
            err, VX_ERR_USAGE, "bad_size",
            "%d x %d in %d steps was asked for where the plan has %d x %d in %d; ask for "
            "less or plan for more",
            size->width, size->height, size->steps, most->width, most->height, most->steps);
    return VX_OK;
}

/* ---- stages --------------------------------------------------------------------------------- */

static void begin(job *j, const char *name)
{
    vx_imagine_stage *stage = &j->result->stage[j->result->stages];
    assert(j->result->stages < VX_IMAGINE_STAGES);
    *stage = (vx_imagine_stage){.name = name};
    j->start_s = vx_now_s();
    j->flops = j->ctx->counts.flops;
}

static void end(job *j, int runs)
{
    vx_imagine_stage *stage = &j->result->stage[j->result->stages++];
    stage->runs = runs;
    stage->seconds = (vx_now_s() - j->start_s) / runs;
    stage->flops = (j->ctx->counts.flops - j->flops) / runs;
    vx_log(VX_LOG_INFO, "%s took %.3f s%s", stage->name, stage->seconds,
           runs > 1 ? " each time" : "");
}

/* Between two pieces of work; shares are by floating-point operations at the published size. */
static vx_status report(job *j, const char *stage, double share)
{
    if (vx_cancelled(j->ctx->cancel))
        return vx_fail(j->ctx->err, VX_ERR_CANCELLED, "cancelled", "the picture was cancelled");
    if (j->request->progress == NULL) return VX_OK;
    return j->request->progress(j->request->progress_arg, stage, share);
}

static void warn_cut(const char *reader, int dropped, int length)
{
    if (dropped > 0)
        vx_warn("prompt_cut", "visual_track.prompt",
                "the prompt has %d tokens too many for the %d of %s; its end was cut there",
                dropped, length, reader);
}

/* What the prompt leaves open is chosen by the seed; what the pack does not understand is said. */
static const char *expand_prompt(job *j)
{
    vx_imaginer *im = j->im;
    vx_expansion *x = &im->expansion[j->request->set > 0];
    if (im->expander == NULL ||
        !vx_expander_run(im->expander, j->request->prompt, j->request->seed, x))
        return j->request->prompt;
    const char *pack = vx_engine_pack(im->engine)->name;
    if (x->named == 0)
        vx_warn("prompt_ignored", "visual_track.prompt",
                "pack %s understands nothing of the prompt: the seed alone decides", pack);
    else if (x->unknown > 0)
        vx_warn("prompt_ignored", "visual_track.prompt",
                "pack %s does not know %d of the prompt's words, which have no effect: %s", pack,
                x->unknown, x->unknown_words);
    if (x->drawn > 0) vx_log(VX_LOG_INFO, "the prompt was expanded to '%s'", x->text);
    j->result->expanded = x->text;
    j->result->ignored = x->unknown_words;
    j->result->replaced = x->replaced_words;
    if (x->replaced > 0)
        vx_warn("prompt_replaced", "visual_track.prompt",
                "pack %s reads %d of the prompt's words as ones that it knows: %s", pack,
                x->replaced, x->replaced_words);
    if (x->mood == NULL) return x->text;
    j->result->mood = vx_choice_index(VX_MOOD_NAMES, x->mood, strlen(x->mood));
    if (j->result->mood < 0)
        vx_warn("bad_mood", NULL, "the grammar of pack %s has the mood '%s', which is none of %s",
                pack, x->mood, VX_MOOD_NAMES);
    return x->text;
}

static vx_status read_prompt(job *j)
{
    vx_imaginer *im = j->im;
    const char *prompt = j->request->prompt;
    if (prompt[strspn(prompt, " \t\r\n")] == '\0')
        return vx_fail(j->ctx->err, VX_ERR_INPUT, "bad_prompt",
                       "the prompt is empty; say what the picture shows");
    prompt = expand_prompt(j);
    vx_clip *clip = vx_engine_clip(im->engine, VX_COMPONENT_FLUX_CLIP_TEXT);
    vx_unigram_ids t5 = {.ids = im->t5_ids, .length = j->size.text_tokens};
    vx_clip_ids bpe = {.ids = im->clip_ids,
                       .length = vx_clip_configuration(clip)->context,
                       .pad = VX_CLIP_PAD_END};
    VX_TRY(vx_unigram_encode(im->unigram, prompt, strlen(prompt), &t5, j->ctx->err));
    VX_TRY(vx_clip_bpe_encode(im->bpe, prompt, strlen(prompt), &bpe, j->ctx->err));
    warn_cut("T5", t5.dropped, t5.length);
    warn_cut("CLIP", bpe.dropped, bpe.length);
    im->clip_count = bpe.count;
    j->result->t5_tokens = t5.count;
    j->result->t5_dropped = t5.dropped;
    j->result->clip_tokens = bpe.count;
    j->result->clip_dropped = bpe.dropped;
    if (j->request->negative_prompt != NULL)
        vx_warn("negative_ignored", "visual_track.negative_prompt",
                "the negative prompt is ignored: this model is distilled and has no guidance");
    return VX_OK;
}

static vx_status embed_prompt(job *j)
{
    vx_imaginer *im = j->im;
    VX_TRY(report(j, "t5", 0));
    begin(j, "t5");
    VX_TRY(vx_t5_encode(vx_engine_t5(im->engine), j->ctx, im->t5_ids, &j->text));
    end(j, 1);
    begin(j, "clip_text");
    VX_TRY(vx_clip_text(vx_engine_clip(im->engine, VX_COMPONENT_FLUX_CLIP_TEXT), j->ctx,
                        im->clip_ids, im->clip_count, &j->pooled, NULL));
    end(j, 1);
    return VX_OK;
}

/* The picture at the wanted size, resized as diffusers' VaeImageProcessor does it. */
static vx_status resize_init(const job *j, vx_picture *out)
{
    const vx_picture *in = j->request->init;
    vx_resize_params p = vx_resize_whole(VX_FILTER_LANCZOS, j->size.width, j->size.height);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, in->width, in->height));
    if (scratch == NULL)
        return vx_fail(j->ctx->err, VX_ERR_MEMORY, "no_memory", "no memory to resize the picture");
    vx_resize(in, out, &p, scratch);
    vx_heap_free(scratch);
    return VX_OK;
}

/* The first latent: noise, or a picture's latent under it (scale_noise:
 * t·noise + (1 - t)·latent). */
static vx_status start_latent(job *j)
{
    const vx_imagine_request *r = j->request;
    int64_t count = vx_actor_latent_count(&j->size);
    if (r->noise != NULL)
        memcpy(j->noise, r->noise, (size_t)count * sizeof *j->noise);
    else
        vx_flux_noise(r->seed, count, j->noise);
    vx_flux_schedule(j->size.steps, r->init != NULL ? r->strength : 1, j->times, &j->first);
    float t = j->times[j->first];
    if (r->init == NULL) {
        memcpy(j->latent, j->noise, (size_t)count * sizeof *j->noise);
        return VX_OK;
    }
    begin(j, "vae_encode");
    VX_TRY(resize_init(j, &j->result->picture));
    VX_TRY(vx_actor_encode(vx_engine_vae(j->im->engine), j->ctx, &j->size, &j->result->picture,
                           j->latent, j->scratch));
    end(j, 1);
    for (int64_t i = 0; i < count; i++)
        j->latent[i] = t * j->noise[i] + (1 - t) * j->latent[i];
    return VX_OK;
}

static vx_status sample(job *j)
{
    vx_flux *flux = vx_engine_flux(j->im->engine);
    vx_mark mark = vx_mark_now(j->ctx);
    vx_sampling s;
    int runs = j->size.steps - j->first;
    begin(j, "prompt");
    VX_TRY(vx_sampling_begin(&s, flux, j->ctx, &j->size, &j->text, &j->pooled, j->times, j->latent,
                             j->scratch));
    end(j, 1);
    begin(j, "step");
    for (int i = 0; i < runs; i++) {
        VX_TRY(report(j, "step", 0.05 + 0.9 * i / runs));
        VX_TRY(vx_sampling_step(&s, flux, j->ctx, j->times, j->first + i));
    }
    end(j, runs);
    VX_TRY(vx_sampling_end(&s, j->ctx, &j->size, j->latent, j->scratch));
    vx_release(j->ctx, mark);
    return VX_OK;
}

static vx_status decode(job *j)
{
    VX_TRY(report(j, "vae", 0.95));
    begin(j, "vae");
    VX_TRY(vx_actor_decode(vx_engine_vae(j->im->engine), j->ctx, &j->size, j->latent, j->scratch,
                           &j->result->picture));
    end(j, 1);
    return report(j, "vae", 1);
}

static vx_status run(job *j)
{
    VX_TRY(read_prompt(j));
    VX_TRY(embed_prompt(j));
    VX_TRY(start_latent(j));
    VX_TRY(sample(j));
    return decode(j);
}

vx_status vx_imaginer_run(vx_imaginer *im, vx_ctx *ctx, const vx_imagine_request *request,
                          vx_imagined *imagined)
{
    vx_engine *engine = im->engine;
    job j = {.im = im, .ctx = ctx, .request = request, .result = imagined};
    *imagined = (vx_imagined){.mood = -1};
    VX_TRY(
        vx_imaginer_size(im, request->width, request->height, request->steps, &j.size, ctx->err));
    assert(request->init == NULL || (request->strength > 0 && request->strength <= 1 &&
                                     vx_engine_parameters(engine)->image_to_image));
    vx_dev prompt = vx_engine_room(engine, VX_BUFFER_PROMPT, 0)->at;
    j.text = vx_view2(prompt, VX_F32, j.size.text_tokens, j.size.text_width);
    j.pooled = vx_view2(vx_row_at(&j.text, j.size.text_tokens), VX_F32, 1, j.size.pooled);
    j.latent = vx_engine_buffer(engine, VX_BUFFER_LATENTS, NULL);
    j.noise = j.latent + vx_actor_latent_count(&j.size);
    j.scratch = j.noise + vx_actor_latent_count(&j.size);
    imagined->size = j.size;
    imagined->latent = j.latent;
    imagined->picture =
        (vx_picture){.rgb = vx_engine_set_buffer(engine, VX_BUFFER_ACTOR, request->set, NULL),
                     .width = j.size.width,
                     .height = j.size.height,
                     .stride = (ptrdiff_t)3 * j.size.width};
    vx_mark mark = vx_mark_now(ctx);
    vx_status status = run(&j);
    vx_release(ctx, mark);
    return status;
}

json_t *vx_ignored_json(const char *ignored)
{
    json_t *words = json_array();
    while (ignored != NULL && *ignored != '\0') {
        size_t length = strcspn(ignored, ",");
        json_array_append_new(words, json_stringn(ignored, length));
        ignored += length;
        ignored += strspn(ignored, ", ");
    }
    return words;
}

json_t *vx_replaced_json(const char *replaced)
{
    json_t *pairs = vx_ignored_json(replaced);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const char *from = json_string_value(json_array_get(pairs, i)), *to = strchr(from, '=');
        json_array_set_new(
            pairs, i, json_pack("{s:s%, s:s}", "from", from, (size_t)(to - from), "to", to + 1));
    }
    return pairs;
}
