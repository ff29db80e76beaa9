/* Kernels of attention.h, for one level. */
#include "backend/cpu/attention.h"

static int64_t keys_of(const vx_softmax *s, int64_t row)
{
    return s->causal ? s->keys + row : s->keys;
}

void VX_SIMD(vx_softmax_block)(const vx_softmax *s, const float *products, int64_t block)
{
    const float log2e = 1.44269504f;
    const vf scale = vf_set(s->scale * log2e), one = vf_set(log2e);
    int64_t first = block * VX_KEY_BLOCK, ld = s->blocks * VX_KEY_BLOCK;
    for (int64_t r = 0; r < s->rows; r++) {
        const float *in = products + r * VX_KEY_BLOCK;
        const float *bias = s->bias ? s->bias - r + first : NULL;
        float *out = s->scores + r * ld + first;
        int64_t n = keys_of(s, r) - first;
        if (n > VX_KEY_BLOCK) n = VX_KEY_BLOCK;
        float before = block > 0 ? s->largest[r] : -INFINITY;
        vf largest = vf_set(before);
        int64_t i = 0;
        for (; i + VF_LANES <= n; i += VF_LANES) {
            vf x = vf_mul(vf_load(in + i), scale);
            if (bias) x = vf_fma(vf_load(bias + i), one, x);
            vf_store(out + i, x);
            largest = vf_max(largest, x);
        }
        float top = vf_largest(largest);
        if (i < n) {
            float rest[VF_LANES];
            vf x = vf_mul(vf_loadn(in + i, (int)(n - i)), scale);
            if (bias) x = vf_fma(vf_loadn(bias + i, (int)(n - i)), one, x);
            vf_storen(out + i, x, (int)(n - i));
            vf_store(rest, x);
            for (int64_t k = 0; k < n - i; k++)
                if (rest[k] > top) top = rest[k];
        }
        s->largest[r] = top;
    }
}

/* Address of a row's weights of one block. */
static inline void *weights_at(const vx_softmax *s, int64_t row, int64_t block)
{
    enum { PER_GROUP = VX_KEY_GROUP / VX_KEY_BLOCK };
    int64_t in_groups = s->blocks / PER_GROUP * PER_GROUP, index;
    if (block < in_groups)
        index = block / PER_GROUP * s->rows * VX_KEY_GROUP + row * VX_KEY_GROUP +
                block % PER_GROUP * VX_KEY_BLOCK;
    else
        index = (block * s->rows + row) * VX_KEY_BLOCK;
    return (char *)s->weights + index * (s->type == VX_BF16 ? 2 : 4);
}

void VX_SIMD(vx_softmax_finish)(const vx_softmax *s)
{
    int64_t ld = s->blocks * VX_KEY_BLOCK;
    for (int64_t r = 0; r < s->rows; r++) {
        float *x = s->scores + r * ld;
        const vf largest = vf_set(s->largest[r]);
        int64_t keys = keys_of(s, r), i = 0;
        vf sum = vf_set(0);
        for (; i + VF_LANES <= keys; i += VF_LANES) {
            vf e = vf_exp2_negative(vf_sub(vf_load(x + i), largest));
            vf_store(x + i, e);
            sum = vf_add(sum, e);
        }
        float total = vf_sum(sum);
        if (i < keys) {
            float rest[VF_LANES];
            vf_store(rest, vf_exp2_negative(vf_sub(vf_loadn(x + i, (int)(keys - i)), largest)));
            for (int64_t k = 0; k < keys - i; k++) {
                x[i + k] = rest[k];
                total += rest[k];
            }
        }
        memset(x + keys, 0, (size_t)(ld - keys) * sizeof *x);
        const vf share = vf_set(1.0f / total);
        for (int64_t block = 0; block < s->blocks; block++) {
            void *out = weights_at(s, r, block);
            const float *in = x + block * VX_KEY_BLOCK;
            for (int64_t k = 0; k < VX_KEY_BLOCK; k += VF_LANES)
                vf_put(out, s->type, k, vf_mul(vf_load(in + k), share));
        }
    }
}
