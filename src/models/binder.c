#include "models/binder.h"

#include <stdio.h>
#include <string.h>

/* The longest name with a prefix twice before it; a longer one is cut and not found. */
enum { PREFIXED_BYTES = 384 };

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

static const vx_source_tensor *find_exactly(const vx_binder *b, const char *name,
                                            const vx_source **source)
{
    for (int i = 0; i < b->source_count; i++) {
        const vx_source_tensor *tensor = vx_source_find(b->sources[i], name);
        if (tensor == NULL) continue;
        if (source != NULL) *source = b->sources[i];
        return tensor;
    }
    return NULL;
}

const vx_source_tensor *vx_binder_find(const vx_binder *b, const char *name,
                                       const vx_source **source)
{
    if (b->record != NULL) {
        if (source != NULL) *source = vx_record_source(b->record);
        return vx_record_ask(b->record, name, -1, NULL);
    }
    const vx_source_tensor *tensor = find_exactly(b, name, source);
    for (int i = 0; tensor == NULL && b->prefixes != NULL && b->prefixes[i] != NULL; i++) {
        char full[PREFIXED_BYTES];
        snprintf(full, sizeof full, "%s%s", b->prefixes[i], name);
        tensor = find_exactly(b, full, source);
        if (tensor != NULL) break;
        snprintf(full, sizeof full, "%s%s%s", b->prefixes[i], b->prefixes[i], name);
        tensor = find_exactly(b, full, source);
    }
    return tensor;
}

/* ---- what to say when there is none */

/* The part of a name before its first number, of at most two members: "model.diffusion_model.". */
static size_t prefix_bytes(const char *name)
{
    size_t end = 0;
    for (int members = 0; members < 2; members++) {
        const char *dot = strchr(name + end, '.');
        if (dot == NULL || (name[end] >= '0' && name[end] <= '9')) break;
        end = (size_t)(dot - name) + 1;
    }
    return end;
}

/* Appends a prefix in quotes unless it is there already. False when the list is full. */
static bool list_prefix(char *list, size_t room, const char *name, size_t bytes)
{
    char quoted[PREFIXED_BYTES];
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)bytes, name);
    if (bytes == 0 || strstr(list, quoted) != NULL) return true;
    size_t used = strlen(list);
    if (used + strlen(quoted) + 8 > room) return false;
    snprintf(list + used, room - used, "%s%s", used > 0 ? ", " : "", quoted);
    return true;
}

static void list_prefixes(const vx_binder *b, char *list, size_t room)
{
    list[0] = '\0';
    for (int i = 0; i < b->source_count; i++)
        for (int64_t k = 0; k < vx_source_count(b->sources[i]); k++) {
            const char *name = vx_source_at(b->sources[i], k)->name;
            if (list_prefix(list, room, name, prefix_bytes(name))) continue;
            strcat(list, ", …"); /* list_prefix leaves room for it */
            return;
        }
}

/* What stands before that name in a file that has it further inside; NULL. */
static const char *foreign_prefix(const vx_binder *b, const char *name, char *prefix, size_t room)
{
    size_t tail = strlen(name);
    for (int i = 0; i < b->source_count; i++)
        for (int64_t k = 0; k < vx_source_count(b->sources[i]); k++) {
            const char *full = vx_source_at(b->sources[i], k)->name;
            size_t length = strlen(full);
            if (length <= tail || strcmp(full + length - tail, name) != 0) continue;
            if (full[length - tail - 1] != '.') continue;
            snprintf(prefix, room, "%.*s", (int)(length - tail), full);
            return prefix;
        }
    return NULL;
}

vx_status vx_binder_missing(const vx_binder *b, const char *name)
{
    const char *file = b->source_count > 0 ? vx_source_path(b->sources[0]) : "";
    char list[240], prefix[120];
    for (int i = 0; i < b->source_count; i++)
        VX_TRY(vx_source_check(b->sources[i], b->err));
    if (foreign_prefix(b, name, prefix, sizeof prefix) != NULL)
        return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", file, 0,
                          "%s has tensor \"%s\" under the prefix \"%s\", which is none of those "
                          "that are known here; give the model's own file, or rename its tensors",
                          file, name, prefix);
    list_prefixes(b, list, sizeof list);
    return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", file, 0,
                      "%s has no tensor \"%s\"; it is not a checkpoint of this model, or it is "
                      "incomplete (its names begin with %s)",
                      file, name, list[0] != '\0' ? list : "no prefix");
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
    *tensor = vx_binder_find(b, name, source);
    if (*tensor == NULL) return vx_binder_missing(b, name);
    VX_TRY(vx_source_usable(*source, *tensor, b->err));
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

vx_status vx_bind_place(vx_binder *b, vx_weight *w)
{
    VX_TRY(vx_binder_go_on(b));
    VX_TRY(vx_weight_plan(b->backend, w, b->err));
    return vx_arena_take(b->weights, w->bytes, &w->data, b->err);
}

vx_status vx_bind_weight(vx_binder *b, vx_weight *w, vx_fetch_fn fetch, void *arg)
{
    VX_TRY(vx_bind_place(b, w));
    if (!vx_binder_loads(b)) return VX_OK;
    return vx_weight_pack(b->lane, w, fetch, arg, b->staging, VX_STAGING_FLOATS, b->err);
}

/* Floats become 16 bits where they stand: element i is read before it is overwritten. */
static void narrow(vx_dtype dtype, float *values, int64_t n)
{
    char *at = (char *)values;
    for (int64_t i = 0; i < n; i++) {
        uint16_t half = dtype == VX_BF16 ? vx_f32_to_bf16(values[i]) : vx_f32_to_f16(values[i]);
        memcpy(at + (size_t)i * sizeof half, &half, sizeof half);
    }
}

vx_status vx_bind_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows, int64_t cols,
                        vx_fetch_fn fetch, void *arg)
{
    assert(dtype == VX_F32 || dtype == VX_F16 || dtype == VX_BF16);
    assert(cols > 0 && cols <= VX_STAGING_FLOATS);
    VX_TRY(vx_binder_go_on(b));
    *out = vx_view2((vx_dev){0}, dtype, rows, cols);
    VX_TRY(vx_arena_take(b->weights, (size_t)(rows * cols) * vx_dtype_bytes(dtype), &out->data,
                         b->err));
    if (!vx_binder_loads(b)) return VX_OK;
    int64_t step = VX_STAGING_FLOATS / cols;
    for (int64_t row = 0; row < rows; row += step) {
        int64_t count = rows - row < step ? rows - row : step;
        VX_TRY(fetch(arg, row, count, b->staging, b->err));
        if (dtype != VX_F32) narrow(dtype, b->staging, count * cols);
        VX_TRY(vx_write(b->lane, vx_row_at(out, row), b->staging,
                        (size_t)(count * cols) * vx_dtype_bytes(dtype), b->err));
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
