#include "slot/actor.h"

#include <math.h>

#include "backend/ops.h"
#include "models/flux/sampler.h"
#include "models/flux/t5.h"

static vx_status check_side(const char *which, int side, int multiple, vx_error *err)
{
    if (side >= VX_ACTOR_SIDE_MIN && side <= VX_ACTOR_SIDE_MAX && side % multiple == 0)
        return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_size",
                   "the picture's %s is %d and must be a multiple of %d from %d to %d", which, side,
                   multiple, VX_ACTOR_SIDE_MIN, VX_ACTOR_SIDE_MAX);
}

vx_status vx_actor_size_of(const vx_pack *pack, int width, int height, int steps,
                           vx_actor_size *size, vx_error *err)
{
    vx_vae_config vae;
    vx_flux_config flux;
    VX_TRY(vx_vae_config_read(pack->components[VX_COMPONENT_FLUX_VAE].config, &vae, err));
    VX_TRY(vx_flux_config_read(pack->components[VX_COMPONENT_FLUX_TRANSFORMER].config, &flux, err));
    *size = (vx_actor_size){.width = width > 0 ? width : (int)pack->image_width,
                            .height = height > 0 ? height : (int)pack->image_height,
                            .steps = steps > 0 ? steps : (int)pack->steps,
                            .factor = 1 << (vae.levels - 1),
                            .z = vae.z,
                            .text_tokens = (int)pack->max_sequence_length,
                            .text_width = flux.context,
                            .pooled = flux.pooled};
    /* A token is two cells wide, and sizes are multiples of 16 whatever the network. */
    int multiple = 2 * size->factor > 16 ? 2 * size->factor : 16;
    VX_TRY(check_side("width", size->width, multiple, err));
    VX_TRY(check_side("height", size->height, multiple, err));
    if (size->steps < 1 || size->steps > VX_FLUX_STEPS_MAX)
        return vx_fail(err, VX_ERR_USAGE, "bad_size",
                       "%d steps were asked for; 1 to %d are possible", size->steps,
                       VX_FLUX_STEPS_MAX);
    size->rows = size->height / size->factor;
    size->cols = size->width / size->factor;
    return VX_OK;
}

/* ---- steps ---------------------------------------------------------------------------------- */

vx_status vx_sampling_begin(vx_sampling *s, vx_flux *flux, vx_ctx *ctx, const vx_actor_size *size,
                            const vx_tensor *text, const vx_tensor *pooled, const float *times,
                            const float *latent, float *scratch)
{
    int64_t tokens = vx_actor_tokens(size), channels = (int64_t)4 * size->z;
    VX_TRY(vx_take2(ctx, VX_F32, tokens, channels, &s->tokens));
    VX_TRY(vx_take2(ctx, VX_F32, tokens, channels, &s->velocity));
    if (!ctx->plan) vx_flux_pack(latent, size->z, size->rows, size->cols, scratch);
    VX_TRY(vx_upload(ctx, scratch, &s->tokens));
    return vx_flux_prepare(flux, ctx, text, pooled, times, size->steps, size->rows / 2,
                           size->cols / 2, &s->prompt);
}

vx_status vx_sampling_step(vx_sampling *s, vx_flux *flux, vx_ctx *ctx, const float *times, int step)
{
    VX_TRY(vx_flux_step(flux, ctx, &s->prompt, step, &s->tokens, &s->velocity));
    float dt = ctx->plan ? -1 : times[step + 1] - times[step];
    return vx_blend(
        ctx, &(vx_blend_args){
                 .n = 2, .x = {&s->tokens, &s->velocity}, .scale = {1, dt}, .out = &s->tokens});
}

vx_status vx_sampling_end(const vx_sampling *s, vx_ctx *ctx, const vx_actor_size *size,
                          float *latent, float *scratch)
{
    VX_TRY(vx_download(ctx, &s->tokens, scratch));
    VX_TRY(vx_finish(ctx));
    vx_flux_unpack(scratch, size->z, size->rows, size->cols, latent);
    for (int64_t i = 0; i < vx_actor_latent_count(size); i++)
        if (!isfinite(latent[i]))
            return vx_fail(ctx->err, VX_ERR_INPUT, "bad_weights",
                           "the transformer's result is not finite after the last step; its "
                           "weights are damaged, fetch or convert them again");
    return VX_OK;
}

/* ---- autoencoder ---------------------------------------------------------------------------- */

vx_status vx_actor_decode(vx_vae *vae, vx_ctx *ctx, const vx_actor_size *size, const float *latent,
                          float *scratch, const vx_picture *picture)
{
    const vx_vae_config *c = vx_vae_configuration(vae);
    vx_mark mark = vx_mark_now(ctx);
    assert(ctx->plan || picture->stride == (ptrdiff_t)3 * size->width);
    vx_tensor z, pixels, bytes;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){size->rows, size->cols, size->z}, &z));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){size->height, size->width, 3}, &pixels));
    if (!ctx->plan)
        vx_flux_to_decoder(latent, size->z, size->rows, size->cols, c->scale, c->shift, scratch);
    VX_TRY(vx_upload(ctx, scratch, &z));
    VX_TRY(vx_vae_decode(vae, ctx, &z, &pixels));
    VX_TRY(vx_take(ctx, VX_U8, 3, pixels.dim, &bytes));
    VX_TRY(vx_to_picture(
        ctx, &(vx_to_picture_args){
                 .x = &pixels, .range = VX_PICTURE_SIGNED, .factor = 1, .out = &bytes}));
    VX_TRY(vx_download(ctx, &bytes, ctx->plan ? NULL : picture->rgb));
    vx_release(ctx, mark);
    return vx_finish(ctx);
}

vx_status vx_actor_encode(vx_vae *vae, vx_ctx *ctx, const vx_actor_size *size,
                          const vx_picture *picture, float *latent, float *scratch)
{
    const vx_vae_config *c = vx_vae_configuration(vae);
    vx_mark mark = vx_mark_now(ctx);
    assert(ctx->plan || picture->stride == (ptrdiff_t)3 * size->width);
    vx_tensor mean, pixels, bytes;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){size->rows, size->cols, size->z}, &mean));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){size->height, size->width, 3}, &pixels));
    vx_mark above = vx_mark_now(ctx);
    VX_TRY(vx_take(ctx, VX_U8, 3, pixels.dim, &bytes));
    VX_TRY(vx_upload(ctx, ctx->plan ? NULL : picture->rgb, &bytes));
    VX_TRY(vx_from_picture(ctx,
                           &(vx_from_picture_args){
                               .x = &bytes, .divisor = 127.5f, .mean = {1, 1, 1}, .out = &pixels}));
    vx_release(ctx, above);
    VX_TRY(vx_vae_encode(vae, ctx, &pixels, &mean));
    VX_TRY(vx_download(ctx, &mean, scratch));
    VX_TRY(vx_finish(ctx));
    if (!ctx->plan)
        vx_flux_from_encoder(scratch, size->z, size->rows, size->cols, c->scale, c->shift, latent);
    vx_release(ctx, mark);
    return VX_OK;
}
