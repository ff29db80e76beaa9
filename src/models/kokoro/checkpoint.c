#include "models/kokoro/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- finding -------------------------------------------------------------------------------- */

static const vx_kokoro_onnx_name *onnx_name(const char *name)
{
    int low = 0, high = vx_kokoro_onnx_count - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(name, vx_kokoro_onnx_names[middle].name);
        if (order == 0) return &vx_kokoro_onnx_names[middle];
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return NULL;
}

static vx_status onnx_part(const vx_binder *b, const char *name, int64_t elements, int64_t or_one,
                           const vx_source_tensor **tensor, const vx_source **source)
{
    *tensor = vx_binder_find(b, name, source);
    if (*tensor != NULL && ((*tensor)->elements == elements || (*tensor)->elements == or_one))
        return VX_OK;
    const char *path = b->source_count > 0 ? vx_source_path(b->sources[0]) : "";
    return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", path, 0,
                      "initialiser \"%s\" of %s is %s, so the file is not the published Kokoro-82M "
                      "v1.0 in int8; fetch it again",
                      name, path, *tensor == NULL ? "missing" : "of another size");
}

static vx_status find_onnx(const vx_binder *b, const char *name, vx_kokoro_tensor *out)
{
    const vx_kokoro_onnx_name *entry = onnx_name(name);
    const char *path = vx_source_path(b->sources[0]);
    if (entry == NULL)
        return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", path, 0,
                          "%s is the published Kokoro-82M v1.0 and has no tensor \"%s\"; the "
                          "configuration asks for another network",
                          path, name);
    out->onnx = entry;
    int64_t elements = out->rows * out->cols, scales = 1, share = 1;
    switch (entry->kind) {
    case VX_KOKORO_ONNX_COPY:
    case VX_KOKORO_ONNX_SCALAR:
        break;
    case VX_KOKORO_ONNX_LINEAR:
        scales = out->rows;
        break;
    case VX_KOKORO_ONNX_LSTM_WEIGHT:
        scales = share = 2;
        break;
    case VX_KOKORO_ONNX_LSTM_BIAS_IH:
    case VX_KOKORO_ONNX_LSTM_BIAS_HH:
        share = 4;
        break;
    }
    VX_TRY(onnx_part(b, entry->initialiser, share * elements, share * elements, &out->value,
                     &out->source));
    if (entry->scale == NULL) return VX_OK;
    VX_TRY(onnx_part(b, entry->scale, scales, scales, &out->scale, &out->source));
    return onnx_part(b, entry->zero, scales, 1, &out->zero, &out->source);
}

/* "part.rest" as "part.module.rest". */
static void with_module(char *text, size_t room, const char *name)
{
    const char *dot = strchr(name, '.');
    assert(dot != NULL);
    snprintf(text, room, "%.*s.module%s", (int)(dot - name), name, dot);
}

/* The name, or with ".module", with another ending in place of its last `cut` characters. */
static const vx_source_tensor *find_spelled(const vx_binder *b, const char *name, size_t cut,
                                            const char *ending, const vx_source **source)
{
    char plain[VX_KOKORO_NAME_MAX], module[VX_KOKORO_NAME_MAX];
    snprintf(plain, sizeof plain, "%.*s%s", (int)(strlen(name) - cut), name, ending);
    const vx_source_tensor *tensor = vx_binder_find(b, plain, source);
    if (tensor != NULL) return tensor;
    with_module(module, sizeof module, plain);
    return vx_binder_find(b, module, source);
}

static const vx_source_tensor *find_value(const vx_binder *b, const char *name,
                                          vx_kokoro_tensor *out)
{
    const vx_source_tensor *value = find_spelled(b, name, 0, "", &out->source);
    if (value != NULL) return value;
    size_t length = strlen(name);
    if (length < 7 || strcmp(name + length - 7, ".weight") != 0) return NULL;
    value = find_spelled(b, name, 0, "_v", &out->source);
    if (value != NULL) {
        out->norm = find_spelled(b, name, 0, "_g", &out->source);
    } else {
        value = find_spelled(b, name, 6, "parametrizations.weight.original1", &out->source);
        out->norm = find_spelled(b, name, 6, "parametrizations.weight.original0", &out->source);
    }
    return out->norm != NULL ? value : NULL;
}

/* Whether `tensor` has these dims, dims of 1 left out. */
static bool shaped(const vx_source_tensor *tensor, int rank, const int64_t *dim)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < tensor->rank && tensor->dim[i] == 1)
            i++;
        while (j < rank && dim[j] == 1)
            j++;
        if (i == tensor->rank || j == rank) return i == tensor->rank && j == rank;
        if (tensor->dim[i++] != dim[j++]) return false;
    }
}

vx_status vx_kokoro_find(const vx_binder *b, const char *name, int rank, const int64_t *dim,
                         vx_kokoro_tensor *out)
{
    assert(!b->plan && rank >= 1 && rank <= 3);
    *out = (vx_kokoro_tensor){.rows = dim[0], .cols = 1};
    for (int i = 1; i < rank; i++)
        out->cols *= dim[i];
    if (b->record != NULL) return vx_binder_need(b, name, rank, dim, &out->value, &out->source);
    if (b->source_count > 0 && strcmp(vx_source_format(b->sources[0]), "onnx") == 0)
        return find_onnx(b, name, out);

    out->value = find_value(b, name, out);
    if (out->value == NULL) return vx_binder_missing(b, name);
    VX_TRY(vx_source_usable(out->source, out->value, b->err));
    if (rank == 3 && !shaped(out->value, rank, dim) &&
        shaped(out->value, rank, (const int64_t[]){dim[0], dim[2], dim[1]}))
        out->turned = dim[2];
    bool fits = out->turned != 0 || shaped(out->value, rank, dim);
    if (fits && (out->norm == NULL || out->norm->elements == out->rows)) return VX_OK;
    return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", vx_source_path(out->source), 0,
                      "tensor \"%s\" in %s has another shape than the configuration asks for "
                      "(%lld rows of %lld values)",
                      name, vx_source_path(out->source), (long long)out->rows,
                      (long long)out->cols);
}

void vx_kokoro_done(const vx_kokoro_tensor *t)
{
    vx_source_release(t->source, t->value);
}

/* ---- reading -------------------------------------------------------------------------------- */

enum { BLOCK = 512 }; /* values that pass through the stack at a time */

/* Multiplies each row by g/|row|. */
static vx_status fold_norm(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                           float *dst, vx_error *err)
{
    for (int64_t r = 0; r < count; r++) {
        float g, *row = dst + r * ld;
        VX_TRY(vx_source_read(t->source, t->norm, first + r, 1, &g, err));
        double sum = 0;
        for (int64_t c = 0; c < t->cols; c++)
            sum += (double)row[c] * row[c];
        /* A zero row would divide by zero; its value is zero whatever the gain. */
        float gain = sum > 0 ? (float)(g / sqrt(sum)) : 0;
        for (int64_t c = 0; c < t->cols; c++)
            row[c] *= gain;
    }
    return VX_OK;
}

/* One row of MLX's [K, I] into torch's [I, K], by way of the stack. */
static vx_status read_turned(const vx_kokoro_tensor *t, int64_t row, float *dst, vx_error *err)
{
    float block[BLOCK];
    int64_t kernel = t->turned, inputs = t->cols / kernel;
    for (int64_t at = 0; at < t->cols; at += BLOCK) {
        int64_t n = t->cols - at < BLOCK ? t->cols - at : BLOCK;
        VX_TRY(vx_source_read(t->source, t->value, row * t->cols + at, n, block, err));
        for (int64_t i = 0; i < n; i++)
            dst[(at + i) % inputs * kernel + (at + i) / inputs] = block[i];
    }
    return VX_OK;
}

static vx_status read_plain(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                            float *dst, vx_error *err)
{
    if (ld == t->cols && t->turned == 0)
        return vx_source_read(t->source, t->value, first * t->cols, count * t->cols, dst, err);
    for (int64_t r = 0; r < count; r++) {
        if (t->turned != 0)
            VX_TRY(read_turned(t, first + r, dst + r * ld, err));
        else
            VX_TRY(vx_source_read(t->source, t->value, (first + r) * t->cols, t->cols, dst + r * ld,
                                  err));
    }
    return VX_OK;
}

static vx_status read_scalar(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                             float *dst, vx_error *err)
{
    float scale, zero;
    VX_TRY(vx_source_read(t->source, t->scale, 0, 1, &scale, err));
    VX_TRY(vx_source_read(t->source, t->zero, 0, 1, &zero, err));
    VX_TRY(read_plain(t, first, count, ld, dst, err));
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0; c < t->cols; c++)
            dst[r * ld + c] = (dst[r * ld + c] - zero) * scale;
    return VX_OK;
}

/* The place in the file of gate row `row` of 4H: i, f, g, o stand there as i, o, f, c. */
static int64_t gate_place(int64_t row, int64_t rows)
{
    static const int place[4] = {0, 2, 3, 1};
    int64_t hidden = rows / 4;
    return place[row / hidden] * hidden + row % hidden;
}

/* How many rows from `row` on lie side by side in the file, at most `count`. */
static int64_t gate_run(int64_t row, int64_t rows, int64_t count)
{
    int64_t hidden = rows / 4, rest = hidden - row % hidden;
    return rest < count ? rest : count;
}

/* Matrices that lie transposed, [in, out]: columns of the file are rows here. */
static vx_status read_transposed(const vx_kokoro_tensor *t, int64_t first, int64_t count,
                                 int64_t ld, float *dst, vx_error *err)
{
    float block[BLOCK], scale[BLOCK], zero[BLOCK];
    bool lstm = t->onnx->kind == VX_KOKORO_ONNX_LSTM_WEIGHT;
    int64_t base = lstm ? t->onnx->direction * t->rows * t->cols : 0;
    for (int64_t r = 0, n; r < count; r += n) {
        n = count - r < BLOCK ? count - r : BLOCK;
        if (lstm) n = gate_run(first + r, t->rows, n);
        int64_t place = lstm ? gate_place(first + r, t->rows) : first + r;
        int64_t scales = lstm ? 1 : n, at = lstm ? t->onnx->direction : place;
        bool one_zero = t->zero->elements == 1;
        VX_TRY(vx_source_read(t->source, t->scale, at, scales, scale, err));
        VX_TRY(vx_source_read(t->source, t->zero, one_zero ? 0 : at, one_zero ? 1 : scales, zero,
                              err));
        for (int64_t c = 0; c < t->cols; c++) {
            VX_TRY(vx_source_read(t->source, t->value, base + c * t->rows + place, n, block, err));
            for (int64_t i = 0; i < n; i++)
                dst[(r + i) * ld + c] =
                    (block[i] - zero[one_zero || lstm ? 0 : i]) * scale[lstm ? 0 : i];
        }
    }
    return VX_OK;
}

static vx_status read_lstm_bias(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                                float *dst, vx_error *err)
{
    int64_t base = t->onnx->direction * 2 * t->rows;
    if (t->onnx->kind == VX_KOKORO_ONNX_LSTM_BIAS_HH) base += t->rows;
    for (int64_t r = 0; r < count; r++)
        VX_TRY(vx_source_read(t->source, t->value, base + gate_place(first + r, t->rows), 1,
                              dst + r * ld, err));
    return VX_OK;
}

vx_status vx_kokoro_read(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                         float *dst, vx_error *err)
{
    assert(first >= 0 && count > 0 && first + count <= t->rows && ld >= t->cols);
    if (t->onnx != NULL) {
        switch (t->onnx->kind) {
        case VX_KOKORO_ONNX_COPY:
            return read_plain(t, first, count, ld, dst, err);
        case VX_KOKORO_ONNX_SCALAR:
            return read_scalar(t, first, count, ld, dst, err);
        case VX_KOKORO_ONNX_LINEAR:
        case VX_KOKORO_ONNX_LSTM_WEIGHT:
            return read_transposed(t, first, count, ld, dst, err);
        case VX_KOKORO_ONNX_LSTM_BIAS_IH:
        case VX_KOKORO_ONNX_LSTM_BIAS_HH:
            return read_lstm_bias(t, first, count, ld, dst, err);
        }
    }
    VX_TRY(read_plain(t, first, count, ld, dst, err));
    return t->norm != NULL ? fold_norm(t, first, count, ld, dst, err) : VX_OK;
}
