#include "base/random.h"

#include <math.h>

/* Multipliers and Weyl constants: table 2 of the paper. */
static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u, W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;

void vx_philox(uint64_t seed, uint32_t stage, uint64_t counter, uint32_t out[4])
{
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), stage, 0};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)M0 * c[0], p1 = (uint64_t)M1 * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        k0 += W0;
        k1 += W1;
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

/* 24 bits, shifted by half a step. From 2^23 on the half is rounded away, to even: the largest word
 * would give 1, so it gives what lies before. */
static float unit(uint32_t word)
{
    float u = ((float)(word >> 8) + 0.5f) * (1.0f / 16777216.0f);
    return u < 1.0f ? u : 0x1.fffffep-1f;
}

float vx_random_uniform(uint64_t seed, uint32_t stage, uint64_t index)
{
    uint32_t words[4];
    vx_philox(seed, stage, index, words);
    return unit(words[0]);
}

float vx_random_normal(uint64_t seed, uint32_t stage, uint64_t index)
{
    uint32_t words[4];
    vx_philox(seed, stage, index, words);
    double radius = sqrt(-2.0 * log((double)unit(words[0])));
    return (float)(radius * cos(6.283185307179586 * (double)unit(words[1])));
}
