/* The VAE's configuration: diffusers' config.json of an AutoencoderKL. */
#include "models/flux/vae.h"

#include "models/config.h"

typedef struct vae_read {
    vx_vae_config c;
    int act;
    bool quant_conv, post_quant_conv;
    int image_channels;
} vae_read;

static vx_status read_levels(const json_t *json, vx_vae_config *c, vx_error *err)
{
    const json_t *channels = json_object_get(json, "block_out_channels");
    if (channels == NULL) return VX_OK;
    size_t count = json_array_size(channels);
    if (!json_is_array(channels) || count < 1 || count > VX_VAE_LEVELS_MAX)
        return vx_fail(err, VX_ERR_INPUT, "bad_config",
                       "the configuration of flux.vae must list 1 to %d block_out_channels",
                       VX_VAE_LEVELS_MAX);
    c->levels = (int)count;
    for (size_t i = 0; i < count; i++) {
        json_int_t n = json_integer_value(json_array_get(channels, i));
        if (n < 1 || n > VX_VAE_CHANNELS_MAX || n % c->groups != 0)
            return vx_fail(
                err, VX_ERR_INPUT, "bad_config",
                "the configuration of flux.vae has block_out_channels that are no multiples of "
                "norm_num_groups %d",
                c->groups);
        c->channels[i] = (int)n;
    }
    return VX_OK;
}

vx_status vx_vae_config_read(const json_t *json, vx_vae_config *config, vx_error *err)
{
    vae_read read = {.c = {.levels = 4,
                           .channels = {128, 256, 512, 512},
                           .blocks = 2,
                           .z = 16,
                           .groups = 32,
                           .scale = 0.3611f,
                           .shift = 0.1159f,
                           .mid_attention = true}};
#define KEY(key, type, field, low, high)                                                           \
    {                                                                                              \
        .name = key, .kind = type, .offset = offsetof(vae_read, field), .min = (low),              \
        .max = (high)                                                                              \
    }
#define IGNORED(key) VX_CONFIG_NO_EFFECT(key)
    static const vx_config_key keys[] = {
        KEY("latent_channels", VX_CONFIG_INT, c.z, 1, 256),
        KEY("layers_per_block", VX_CONFIG_INT, c.blocks, 1, VX_VAE_BLOCKS_MAX - 1),
        KEY("norm_num_groups", VX_CONFIG_INT, c.groups, 1, 256),
        KEY("scaling_factor", VX_CONFIG_FLOAT, c.scale, 1e-3, 1e3),
        KEY("shift_factor", VX_CONFIG_FLOAT, c.shift, -1e3, 1e3),
        KEY("mid_block_add_attention", VX_CONFIG_BOOL, c.mid_attention, 0, 0),
        KEY("use_quant_conv", VX_CONFIG_BOOL, quant_conv, 0, 0),
        KEY("use_post_quant_conv", VX_CONFIG_BOOL, post_quant_conv, 0, 0),
        KEY("in_channels", VX_CONFIG_INT, image_channels, 3, 3),
        KEY("out_channels", VX_CONFIG_INT, image_channels, 3, 3),
        {.name = "act_fn",
         .kind = VX_CONFIG_CHOICE,
         .offset = offsetof(vae_read, act),
         .choices = "silu"},
        IGNORED("block_out_channels"),
        IGNORED("down_block_types"),
        IGNORED("up_block_types"),
        IGNORED("force_upcast"),
        IGNORED("sample_size"),
        IGNORED("latents_mean"),
        IGNORED("latents_std"),
        {0},
    };
    VX_TRY(vx_config_read(json, keys, &read, "flux.vae", err));
    if (read.quant_conv || read.post_quant_conv)
        return vx_fail(
            err, VX_ERR_INPUT, "bad_config",
            "the configuration of flux.vae asks for quant_conv, which FLUX does not have and "
            "which is not implemented");
    VX_TRY(read_levels(json, &read.c, err));
    *config = read.c;
    return VX_OK;
}
