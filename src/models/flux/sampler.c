#include "models/flux/sampler.h"

#include <assert.h>
#include <stddef.h>

#include "base/random.h"

void vx_flux_schedule(int steps, double strength, float *times, int *first)
{
    assert(steps >= 1 && strength > 0 && strength <= 1);
    for (int i = 0; i <= steps; i++)
        times[i] = (float)(1.0 - (double)i / steps);
    *first = (int)(steps - steps * strength);
    if (*first == steps) *first = steps - 1; /* so small a strength that it is rounded away */
}

void vx_flux_noise(uint64_t seed, int64_t count, float *noise)
{
    for (int64_t i = 0; i < count; i++)
        noise[i] = vx_random_normal(seed, VX_STREAM_LATENT, (uint64_t)i);
}

/* Index of latent[ch, y, x] among tokens. */
static ptrdiff_t token_index(int z, int w, int ch, int y, int x)
{
    ptrdiff_t token = (ptrdiff_t)(y / 2) * (w / 2) + x / 2;
    return token * 4 * z + ch * 4 + y % 2 * 2 + x % 2;
}

void vx_flux_pack(const float *latent, int z, int h, int w, float *tokens)
{
    assert(h % 2 == 0 && w % 2 == 0);
    for (int ch = 0; ch < z; ch++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                tokens[token_index(z, w, ch, y, x)] = *latent++;
}

void vx_flux_unpack(const float *tokens, int z, int h, int w, float *latent)
{
    assert(h % 2 == 0 && w % 2 == 0);
    for (int ch = 0; ch < z; ch++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                *latent++ = tokens[token_index(z, w, ch, y, x)];
}

void vx_flux_to_decoder(const float *latent, int z, int h, int w, float scale, float shift,
                        float *out)
{
    for (ptrdiff_t p = 0; p < (ptrdiff_t)h * w; p++)
        for (int ch = 0; ch < z; ch++)
            *out++ = latent[(ptrdiff_t)ch * h * w + p] / scale + shift;
}

void vx_flux_from_encoder(const float *mean, int z, int h, int w, float scale, float shift,
                          float *out)
{
    for (int ch = 0; ch < z; ch++)
        for (ptrdiff_t p = 0; p < (ptrdiff_t)h * w; p++)
            *out++ = (mean[p * z + ch] - shift) * scale;
}
