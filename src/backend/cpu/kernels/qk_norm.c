/* Kernel of qk_norm.h, for one level. */
#include "backend/cpu/qk_norm.h"

/* One pair at a time: where vectors hold no pair, and behind the last whole vector. */
static inline void turn_pairs(float *y, const float *table, int64_t from, int64_t width)
{
    for (int64_t i = from; i < width; i += 2) {
        float a = y[i], b = y[i + 1];
        y[i] = table[i] * a - table[i + 1] * b;
        y[i + 1] = table[i + 1] * a + table[i] * b;
    }
}

static inline void turn(float *y, const float *table, int64_t width)
{
    int64_t whole = 0;
#if defined(__AVX2__)
    static const float signs[16] = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
    const vf sign = vf_load(signs);
    whole = width - width % VF_LANES;
    for (int64_t i = 0; i < whole; i += VF_LANES) {
        vf v = vf_load(y + i), t = vf_load(table + i);
        vf sine = vf_mul(vf_seconds(t), sign);
        vf_store(y + i, vf_add(vf_mul(vf_firsts(t), v), vf_mul(sine, vf_swap(v))));
    }
#endif
    turn_pairs(y, table, whole, width);
}

/* Loads, norms, turns and stores a head of `width` channels from column `first` on. */
static inline void head(const vx_qk_norm_args *a, int64_t first, int64_t width, const void *x,
                        const float *table, void *out)
{
    const float *weight = vx_host(a->weight->data);
    float y[QK_HEAD_MAX];
    int64_t whole = width - width % VF_LANES;
    int rest = (int)(width - whole);
    vf squares = vf_set(0);
    for (int64_t i = 0; i < whole; i += VF_LANES) {
        vf v = vf_get(x, a->x->dtype, first + i);
        squares = vf_fma(v, v, squares);
        vf_store(y + i, v);
    }
    if (rest > 0) {
        vf v = vf_getn(x, a->x->dtype, first + whole, rest);
        squares = vf_fma(v, v, squares);
        vf_storen(y + whole, v, rest);
    }
    vf factor = vf_set(1 / sqrtf(vf_sum(squares) / (float)width + a->eps));
    for (int64_t i = 0; i < whole; i += VF_LANES)
        vf_store(y + i, vf_mul(vf_mul(vf_load(y + i), factor), vf_load(weight + i)));
    if (rest > 0)
        vf_storen(y + whole,
                  vf_mul(vf_mul(vf_loadn(y + whole, rest), factor), vf_loadn(weight + whole, rest)),
                  rest);
    if (table != NULL) turn(y, table, width);
    for (int64_t i = 0; i < whole; i += VF_LANES)
        vf_put(out, a->out->dtype, first + i, vf_load(y + i));
    if (rest > 0) vf_putn(out, a->out->dtype, first + whole, vf_loadn(y + whole, rest), rest);
}

void VX_SIMD(vx_cpu_qk_norm_row)(const vx_qk_norm_args *a, int64_t row)
{
    int64_t cols = vx_cols(a->x), width = cols / a->heads;
    const void *x = vx_row(a->x, row);
    const float *table = a->table != NULL ? vx_row(a->table, row) : NULL;
    void *out = vx_row(a->out, row);
    for (int64_t first = 0; first < cols; first += width)
        head(a, first, width, x, table, out);
}
