#include "models/binder.h"

#include <stdio.h>

/* A fetch that reads rows of a named tensor. */
typedef struct named_rows {
    const vx_source *source;
    const vx_source_tensor *tensor;
    int64_t row_elements;
} named_rows;

static vx_status fetch_named(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const named_rows *rows = arg;
    return vx_source_read(rows->source, rows->tensor, first * rows->row_elements,
                          count * rows->row_elements, dst, err);
}

const vx_source_tensor *vx_binder_find(const vx_binder *b, const char *name,
                                       const vx_source **source)
{
    if (b->record != NULL) {
        if (source != NULL) *source = vx_record_source(b->record);
        return vx_record_ask(b->record, name, -1, NULL);
    }
    for (int i = 0; i < b->source_count; i++) {
        const vx_source_tensor *tensor = vx_source_find(b->sources[i], name);
        if (tensor != NULL) {
            if (source != NULL) *source = b->sources[i];
            return tensor;
        }
    }
    return NULL;
}

static void print_shape(char *text, size_t room, int rank, const int64_t *dim)
{
    size_t at = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < rank && at + 24 < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%lld", i ? "," : "", (long long)dim[i]);
    snprintf(text + at, room - at, "]");
}

/* Equal when dims of 1 are left out on both sides. */
static bool same_shape(int rank_a, const int64_t *a, int rank_b, const int64_t *b)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < rank_a && a[i] == 1)
            i++;
        while (j < rank_b && b[j] == 1)
            j++;
        if (i == rank_a || j == rank_b) return i == rank_a && j == rank_b;
        if (a[i++] != b[j++]) return false;
    }
}

vx_status vx_binder_need(const vx_binder *b, const char *name, int rank, const int64_t *dim,
                         const vx_source_tensor **tensor, const vx_source **source)
{
    assert(!b->plan);
    if (b->record != NULL) {
        *source = vx_record_source(b->record);
        *tensor = vx_record_ask(b->record, name, rank, dim);
        if (*tensor != NULL) return VX_OK;
        return vx_fail(b->err, VX_ERR_MEMORY, "no_memory", "no memory for a list of tensors");
    }
    const char *first_file = b->source_count > 0 ? vx_source_path(b->sources[0]) : "";
    *tensor = vx_binder_find(b, name, source);
    if (*tensor == NULL)
        return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", first_file, 0,
                          "%s has no tensor \"%s\"; it is not a checkpoint of this model, or it is "
                          "incomplete",
                          first_file, name);
    if (!same_shape(rank, dim, (*tensor)->rank, (*tensor)->dim)) {
        char want[128], have[128];
        print_shape(want, sizeof want, rank, dim);
        print_shape(have, sizeof have, (*tensor)->rank, (*tensor)->dim);
        return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", vx_source_path(*source), 0,
                          "tensor \"%s\" in %s has shape %s where the configuration asks for %s",
                          name, vx_source_path(*source), have, want);
    }
    return VX_OK;
}

vx_status vx_binder_go_on(const vx_binder *b)
{
    if (!vx_cancelled(b->cancel)) return VX_OK;
    return vx_fail(b->err, VX_ERR_CANCELLED, "cancelled", "loading was cancelled");
}

vx_status vx_bind_weight(vx_binder *b, vx_weight *w, vx_fetch_fn fetch, void *arg)
{
    VX_TRY(vx_binder_go_on(b));
    VX_TRY(vx_weight_plan(b->backend, w, b->err));
    VX_TRY(vx_arena_take(b->weights, w->bytes, &w->data, b->err));
    if (b->plan || b->record != NULL) return VX_OK;
    return vx_weight_pack(b->backend, w, fetch, arg, b->staging, VX_STAGING_FLOATS, b->err);
}

static void store_row(vx_tensor *out, int64_t row, const float *src)
{
    int64_t cols = vx_cols(out);
    if (out->dtype == VX_F32) {
        memcpy(vx_row(out, row), src, (size_t)cols * sizeof *src);
        return;
    }
    uint16_t *dst = vx_row(out, row);
    for (int64_t c = 0; c < cols; c++)
        dst[c] = out->dtype == VX_BF16 ? vx_f32_to_bf16(src[c]) : vx_f32_to_f16(src[c]);
}

vx_status vx_bind_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows, int64_t cols,
                        vx_fetch_fn fetch, void *arg)
{
    assert(dtype == VX_F32 || dtype == VX_F16 || dtype == VX_BF16);
    assert(cols > 0 && cols <= VX_STAGING_FLOATS);
    VX_TRY(vx_binder_go_on(b));
    *out = vx_view2(NULL, dtype, rows, cols);
    VX_TRY(vx_arena_take(b->weights, (size_t)(rows * cols) * vx_dtype_bytes(dtype), &out->data,
                         b->err));
    if (b->plan || b->record != NULL) return VX_OK;
    int64_t step = VX_STAGING_FLOATS / cols;
    for (int64_t row = 0; row < rows; row += step) {
        int64_t count = rows - row < step ? rows - row : step;
        VX_TRY(fetch(arg, row, count, b->staging, b->err));
        for (int64_t i = 0; i < count; i++)
            store_row(out, row + i, b->staging + i * cols);
    }
    return VX_OK;
}

vx_status vx_bind_named_weight(vx_binder *b, vx_weight *w, const char *name)
{
    named_rows rows = {.row_elements = w->in * w->kernel[0] * w->kernel[1] * w->kernel[2]};
    if (!b->plan) {
        const int64_t dim[5] = {w->out, w->in, w->kernel[0], w->kernel[1], w->kernel[2]};
        VX_TRY(vx_binder_need(b, name, 5, dim, &rows.tensor, &rows.source));
    }
    VX_TRY(vx_bind_weight(b, w, fetch_named, &rows));
    if (!b->plan) vx_source_release(rows.source, rows.tensor);
    return VX_OK;
}

vx_status vx_bind_named_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows,
                              int64_t cols, const char *name)
{
    named_rows named = {.row_elements = cols};
    if (!b->plan)
        VX_TRY(vx_binder_need(b, name, 2, (const int64_t[]){rows, cols}, &named.tensor,
                              &named.source));
    VX_TRY(vx_bind_table(b, out, dtype, rows, cols, fetch_named, &named));
    if (!b->plan) vx_source_release(named.source, named.tensor);
    return VX_OK;
}
