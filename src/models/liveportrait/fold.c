#include "models/liveportrait/fold.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "models/stack.h"

/* torch's BatchNorm default, in every module of util.py. */
static const float NORM_EPS = 1e-5f;

/* ---- finding -------------------------------------------------------------------------------- */

/* What may stand before a published name: nothing; a data-parallel wrapper; the part's file name
 * where the four files were joined. */
static const char *const prefixes[] = {"",
                                       "module.",
                                       "appearance_feature_extractor.",
                                       "motion_extractor.",
                                       "warping_module.",
                                       "spade_generator."};

static bool present(const vx_binder *b, const char *name, char *found)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        snprintf(found, VX_NAME_BYTES, "%s%s", prefixes[i], name);
        if (vx_binder_find(b, found, NULL) != NULL) return true;
    }
    snprintf(found, VX_NAME_BYTES, "%s", name);
    return false;
}

static vx_status find_rows(const vx_binder *b, const char *name, int rank, const int64_t *dim,
                           vx_rows_of *out)
{
    char found[VX_NAME_BYTES];
    *out = (vx_rows_of){.rows = dim[0], .cols = 1};
    for (int i = 1; i < rank; i++)
        out->cols *= dim[i];
    present(b, name, found);
    return vx_binder_need(b, found, rank, dim, &out->tensor, &out->source);
}

static vx_status no_memory(const vx_binder *b)
{
    return vx_fail(b->err, VX_ERR_MEMORY, "no_memory",
                   "no memory to prepare LivePortrait's weights");
}

/* NAME.KIND [n] into dst. */
static vx_status read_vector(const vx_binder *b, const char *name, const char *kind, int64_t n,
                             float *dst)
{
    char full[VX_NAME_BYTES];
    vx_rows_of rows;
    snprintf(full, sizeof full, "%s%s%s", name, kind[0] ? "." : "", kind);
    VX_TRY(find_rows(b, full, 1, &n, &rows));
    vx_status status = vx_source_read(rows.source, rows.tensor, 0, n, dst, b->err);
    vx_source_release(rows.source, rows.tensor);
    return status;
}

/* Floats of the host, row by row. */
typedef struct array {
    const float *at;
    int64_t rows, cols;
} array;

static vx_status fetch_array(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)first, (void)err;
    assert(first == 0 && count == 1);
    const array *values = arg;
    memcpy(dst, values->at, (size_t)values->cols * sizeof *dst);
    return VX_OK;
}

/* n floats of the host as a vector; `values` is not looked at in a plan. */
static vx_status bind_array(vx_binder *b, float *values, int64_t n, vx_tensor *out)
{
    array host = {values, 1, n};
    VX_TRY(vx_bind_table(b, out, VX_F32, 1, n, fetch_array, &host));
    *out = vx_reshape(out, 1, &n);
    return VX_OK;
}

/* ---- folds ---------------------------------------------------------------------------------- */

bool vx_lp_fold_norm(const float *gamma, const float *beta, const float *mean, const float *var,
                     int64_t n, float *scale, float *shift)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(var[i] >= 0)) return false;
        double s = (double)gamma[i] / sqrt((double)var[i] + (double)NORM_EPS);
        scale[i] = (float)s;
        shift[i] = (float)((double)beta[i] - (double)mean[i] * s);
    }
    return true;
}

void vx_lp_fold_row(const float *row, const float *matrix, int64_t n, int64_t cols, double *out)
{
    for (int64_t c = 0; c < cols; c++)
        out[c] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < cols; c++)
            out[c] += (double)row[i] * (double)matrix[i * cols + c];
}

/* NAME as scale and shift, n floats each. */
static vx_status read_norm(const vx_binder *b, const char *name, int64_t n, float *scale,
                           float *shift)
{
    float *v = vx_heap_alloc(4 * (size_t)n * sizeof *v);
    if (v == NULL) return no_memory(b);
    vx_status status = read_vector(b, name, "weight", n, v);
    if (status == VX_OK) status = read_vector(b, name, "bias", n, v + n);
    if (status == VX_OK) status = read_vector(b, name, "running_mean", n, v + 2 * n);
    if (status == VX_OK) status = read_vector(b, name, "running_var", n, v + 3 * n);
    if (status == VX_OK && !vx_lp_fold_norm(v, v + n, v + 2 * n, v + 3 * n, n, scale, shift))
        status = vx_fail(b->err, VX_ERR_INPUT, "bad_weights",
                         "tensor \"%s.running_var\" holds a value that is not a variance", name);
    vx_heap_free(v);
    return status;
}

/* u^T W v, as torch.nn.utils.spectral_norm has it in evaluation. Rows pass
 * through the staging buffer. */
static vx_status read_sigma(const vx_binder *b, const char *name, const vx_rows_of *w,
                            double *sigma)
{
    float *u = vx_heap_alloc((size_t)(w->rows + w->cols) * sizeof *u);
    if (u == NULL) return no_memory(b);
    float *v = u + w->rows;
    vx_status status = read_vector(b, name, "weight_u", w->rows, u);
    if (status == VX_OK) status = read_vector(b, name, "weight_v", w->cols, v);
    int64_t step = VX_STAGING_FLOATS / w->cols;
    *sigma = b->record ? 1 : 0; /* where tensors are only listed there is no staging buffer */
    for (int64_t first = 0; first < w->rows && status == VX_OK && !b->record; first += step) {
        int64_t count = w->rows - first < step ? w->rows - first : step;
        status = vx_source_read(w->source, w->tensor, first * w->cols, count * w->cols, b->staging,
                                b->err);
        for (int64_t r = 0; r < count && status == VX_OK; r++) {
            double sum = 0;
            for (int64_t c = 0; c < w->cols; c++)
                sum += (double)b->staging[r * w->cols + c] * (double)v[c];
            *sigma += (double)u[first + r] * sum;
        }
    }
    vx_heap_free(u);
    if (status == VX_OK && !(isfinite(*sigma) && *sigma != 0))
        status = vx_fail(b->err, VX_ERR_INPUT, "bad_weights",
                         "tensors \"%s.weight_orig\", weight_u and weight_v give no spectral norm",
                         name);
    return status;
}

/* ---- layers --------------------------------------------------------------------------------- */

/* Rows on their way from a file: up to two tensors one below the other, a factor for each row. */
typedef struct folded {
    vx_rows_of part[2];
    int64_t first_row, row_step;
    const float *scale; /* by output row, or NULL */
    double factor;
    int64_t depth, taps; /* vx_lp_spec.depth and the filter's taps */
    float *row;          /* a row as it lies in the file; NULL where depth is 1 */
} folded;

/* The row [in/depth, depth, taps] as [depth, in/depth, taps]. */
static void depth_outside(const folded *f, float *dst)
{
    int64_t channels = f->part[0].cols / f->taps / f->depth;
    for (int64_t d = 0; d < f->depth; d++)
        for (int64_t c = 0; c < channels; c++, dst += f->taps)
            memcpy(dst, f->row + (c * f->depth + d) * f->taps, (size_t)f->taps * sizeof *dst);
}

static vx_status fetch_folded(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const folded *f = arg;
    for (int64_t r = 0; r < count; r++, dst += f->part[0].cols) {
        int64_t row = f->first_row + (first + r) * f->row_step;
        const vx_rows_of *part = &f->part[row >= f->part[0].rows];
        if (part == &f->part[1]) row -= f->part[0].rows;
        float *read = f->row ? f->row : dst;
        VX_TRY(vx_source_read(part->source, part->tensor, row * part->cols, part->cols, read, err));
        if (f->row) depth_outside(f, dst);
        double factor = f->factor * (f->scale ? (double)f->scale[first + r] : 1);
        for (int64_t c = 0; c < part->cols && factor != 1; c++)
            dst[c] = (float)((double)dst[c] * factor);
    }
    return VX_OK;
}

static int64_t or_one(int64_t value)
{
    return value ? value : 1;
}

/* The weight tensors of a specification and the factor of a spectral norm. */
static vx_status locate(const vx_binder *b, const vx_lp_spec *s, folded *f)
{
    char name[VX_NAME_BYTES], found[VX_NAME_BYTES];
    int64_t step = or_one(s->row_step);
    /* Where only some rows are taken, the tensor has as many as all such layers together. */
    const int64_t k[3] = {or_one(s->kernel[0]), or_one(s->kernel[1]), or_one(s->kernel[2])};
    const int64_t deep[5] = {s->out * step, s->in, k[0], k[1], k[2]};
    const int64_t flat[4] = {s->out * step, s->in * k[0], k[1], k[2]};
    /* A filter over the whole depth is a flat one over channel·depth in the checkpoint. */
    int rank = s->no_depth_pad ? 4 : 5;
    const int64_t *dim = s->no_depth_pad ? flat : deep;
    *f = (folded){.first_row = s->first_row, .row_step = step, .factor = 1};
    snprintf(name, sizeof name, "%s.weight_orig", s->name);
    if (s->spectral && present(b, name, found)) {
        double sigma = 1;
        VX_TRY(find_rows(b, name, rank, dim, &f->part[0]));
        VX_TRY(read_sigma(b, s->name, &f->part[0], &sigma));
        f->factor = 1 / sigma;
        return VX_OK;
    }
    snprintf(name, sizeof name, "%s.weight", s->name);
    VX_TRY(find_rows(b, name, rank, dim, &f->part[0]));
    if (s->stacked == NULL) return VX_OK;
    snprintf(name, sizeof name, "%s.weight", s->stacked);
    return find_rows(b, name, rank, dim, &f->part[1]);
}

/* The bias with the norm folded in, `rows` floats; scale receives the norm's factors. */
static vx_status read_bias(const vx_binder *b, const vx_lp_spec *s, float *bias, float *scale)
{
    int64_t step = or_one(s->row_step), all = s->out * step;
    if (s->no_bias) return VX_OK;
    if (step > 1) {
        float *whole = vx_heap_alloc((size_t)all * sizeof *whole);
        if (whole == NULL) return no_memory(b);
        vx_status status = read_vector(b, s->name, "bias", all, whole);
        for (int64_t r = 0; r < s->out; r++)
            bias[r] = whole[s->first_row + r * step];
        vx_heap_free(whole);
        return status;
    }
    VX_TRY(read_vector(b, s->name, "bias", s->out, bias));
    if (s->stacked) VX_TRY(read_vector(b, s->stacked, "bias", s->out, bias + s->out));
    if (s->norm == NULL) return VX_OK;
    float *shift = scale + s->out;
    VX_TRY(read_norm(b, s->norm, s->out, scale, shift));
    for (int64_t r = 0; r < s->out; r++)
        bias[r] = (float)((double)bias[r] * (double)scale[r] + (double)shift[r]);
    return VX_OK;
}

static vx_status bind_layer(vx_binder *b, const vx_lp_spec *s, vx_layer *layer)
{
    int64_t rows = layer->w.out;
    folded f = {.factor = 1};
    int64_t taps = layer->w.kernel[0] * layer->w.kernel[1] * layer->w.kernel[2];
    size_t row = s->depth > 1 ? (size_t)(layer->w.in * taps) : 0;
    if (layer->w.in * taps > VX_STAGING_FLOATS)
        return vx_fail(
            b->err, VX_ERR_INPUT, "bad_config",
            "the configuration of liveportrait makes \"%s\" a filter of %lld products an "
            "output; %d is the most",
            s->name, (long long)(layer->w.in * taps), VX_STAGING_FLOATS);
    float *values = NULL; /* bias, the norm's scale, its shift; a row */
    vx_status status = VX_OK;
    if (!b->plan) {
        values = vx_heap_alloc((3 * (size_t)rows + row) * sizeof *values);
        if (values == NULL) return no_memory(b);
        status = locate(b, s, &f);
        f.depth = s->depth;
        f.taps = taps;
        f.row = row ? values + 3 * rows : NULL;
        if (status == VX_OK) status = read_bias(b, s, values, values + rows);
        if (s->norm != NULL) f.scale = values + rows;
    }
    if (status == VX_OK) status = vx_bind_weight(b, &layer->w, fetch_folded, &f);
    if (status == VX_OK && !s->no_bias) status = bind_array(b, values, rows, &layer->bias);
    for (int i = 0; i < 2 && !b->plan && status == VX_OK; i++)
        if (f.part[i].tensor != NULL) vx_source_release(f.part[i].source, f.part[i].tensor);
    vx_heap_free(values);
    return status;
}

vx_status vx_lp_bind_conv(vx_liveportrait *lp, vx_binder *b, const vx_lp_spec *s, vx_layer *layer)
{
    const int64_t kernel[3] = {or_one(s->kernel[0]), or_one(s->kernel[1]), or_one(s->kernel[2])};
    layer->w = vx_weight_conv(s->out * (s->stacked ? 2 : 1), s->in, kernel,
                              s->once ? VX_F32 : lp->store, s->once ? VX_F32 : lp->compute);
    layer->w.upsample = or_one(s->upsample);
    layer->w.cells_in = s->cells_in;
    layer->w.cells_out = s->cells_out;
    if (s->no_depth_pad) layer->w.pad[0] = 0;
    if (s->stride > 1) {
        layer->w.stride[1] = layer->w.stride[2] = s->stride;
        layer->w.pad[1] = layer->w.pad[2] = 0;
    }
    return bind_layer(b, s, layer);
}

vx_status vx_lp_bind_linear(vx_liveportrait *lp, vx_binder *b, const vx_lp_spec *s, vx_layer *layer)
{
    layer->w = vx_weight_linear(s->out, s->in, s->once ? VX_F32 : lp->store,
                                s->once ? VX_F32 : lp->compute);
    return bind_layer(b, s, layer);
}

static vx_status fetch_diagonal(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    const array *scale = arg;
    int64_t n = scale->cols;
    memset(dst, 0, (size_t)(count * n) * sizeof *dst);
    for (int64_t r = 0; r < count; r++)
        dst[r * n + first + r] = scale->at[first + r];
    return VX_OK;
}

vx_status vx_lp_bind_affine(vx_liveportrait *lp, vx_binder *b, const char *norm, int64_t channels,
                            vx_layer *layer)
{
    (void)lp;
    float *values = NULL;
    vx_status status = VX_OK;
    if (!b->plan) {
        values = vx_heap_alloc(2 * (size_t)channels * sizeof *values);
        if (values == NULL) return no_memory(b);
        status = read_norm(b, norm, channels, values, values + channels);
    }
    array scale = {values, 1, channels};
    layer->w = vx_weight_linear(channels, channels, VX_F32, VX_F32);
    if (status == VX_OK) status = vx_bind_weight(b, &layer->w, fetch_diagonal, &scale);
    if (status == VX_OK)
        status = bind_array(b, values ? values + channels : NULL, channels, &layer->bias);
    vx_heap_free(values);
    return status;
}

/* ---- vectors and depthwise filters ---------------------------------------------------------- */

vx_status vx_lp_bind_vector(vx_binder *b, const char *name, int64_t n, vx_tensor *out)
{
    vx_stack stack = {.count = 1};
    if (!b->plan) VX_TRY(find_rows(b, name, 1, &n, &stack.part[0]));
    VX_TRY(vx_bind_table(b, out, VX_F32, 1, n, vx_fetch_stack_as_row, &stack));
    *out = vx_reshape(out, 1, &n);
    return VX_OK;
}

vx_status vx_lp_bind_norm(vx_binder *b, const char *name, const char *gamma, const char *beta,
                          int64_t channels, vx_lp_norm *norm)
{
    char full[VX_NAME_BYTES];
    snprintf(full, sizeof full, "%s.%s", name, gamma);
    VX_TRY(vx_lp_bind_vector(b, full, channels, &norm->gamma));
    snprintf(full, sizeof full, "%s.%s", name, beta);
    return vx_lp_bind_vector(b, full, channels, &norm->beta);
}

/* One row of [k·k, C]: tap `first` of every channel of [C, k·k]. */
static vx_status fetch_transposed(void *arg, int64_t first, int64_t count, float *dst,
                                  vx_error *err)
{
    (void)err;
    const array *whole = arg;
    int64_t channels = whole->rows, taps = whole->cols;
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0; c < channels; c++)
            *dst++ = whole->at[c * taps + first + r];
    return VX_OK;
}

vx_status vx_lp_bind_depthwise(vx_binder *b, const char *name, int64_t channels, int64_t k,
                               vx_tensor *out)
{
    const int64_t dim[4] = {channels, 1, k, k}, shape[3] = {k, k, channels};
    vx_rows_of rows;
    float *values = NULL;
    vx_status status = VX_OK;
    if (!b->plan) {
        VX_TRY(find_rows(b, name, 4, dim, &rows));
        values = vx_heap_alloc((size_t)(channels * k * k) * sizeof *values);
        if (values == NULL) return no_memory(b);
        status = vx_source_read(rows.source, rows.tensor, 0, channels * k * k, values, b->err);
    }
    array whole = {values, channels, k * k};
    if (status == VX_OK)
        status = vx_bind_table(b, out, VX_F32, k * k, channels, fetch_transposed, &whole);
    if (status == VX_OK) *out = vx_reshape(out, 3, shape);
    vx_heap_free(values);
    return status;
}

/* ---- the shortcut of a SPADE block ---------------------------------------------------------- */

/* conv_s·mlp_beta: rows of conv_s (its spectral norm included) times the whole of mlp_beta. */
typedef struct product {
    folded conv_s;
    float *beta; /* [in, hidden·9] */
    float *row;  /* [in] */
    double *sum; /* [hidden·9] */
    int64_t in, cols;
} product;

static vx_status fetch_product(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    product *p = arg;
    for (int64_t r = 0; r < count; r++, dst += p->cols) {
        VX_TRY(fetch_folded(&p->conv_s, first + r, 1, p->row, err));
        vx_lp_fold_row(p->row, p->beta, p->in, p->cols, p->sum);
        for (int64_t c = 0; c < p->cols; c++)
            dst[c] = (float)p->sum[c];
    }
    return VX_OK;
}

/* conv_s of the bias, [out]. */
static vx_status fold_bias(product *p, const float *beta_bias, int64_t out, float *bias,
                           vx_error *err)
{
    for (int64_t r = 0; r < out; r++) {
        double sum;
        VX_TRY(fetch_folded(&p->conv_s, r, 1, p->row, err));
        vx_lp_fold_row(p->row, beta_bias, p->in, 1, &sum);
        bias[r] = (float)sum;
    }
    return VX_OK;
}

/* Memory of a product and mlp_beta's values; bias receives conv_s·(mlp_beta.bias). */
static vx_status read_product(vx_binder *b, const vx_lp_spec *conv_s, const char *beta,
                              int64_t hidden, product *p, float *bias)
{
    char name[VX_NAME_BYTES];
    const int64_t dim[4] = {conv_s->in, hidden, 3, 3};
    vx_rows_of rows;
    p->in = conv_s->in;
    p->cols = hidden * 9;
    p->beta = vx_heap_alloc((size_t)(p->in * p->cols) * sizeof *p->beta);
    p->row = vx_heap_alloc(2 * (size_t)p->in * sizeof *p->row);
    p->sum = vx_heap_alloc((size_t)p->cols * sizeof *p->sum);
    if (p->beta == NULL || p->row == NULL || p->sum == NULL) return no_memory(b);
    VX_TRY(locate(b, conv_s, &p->conv_s));
    snprintf(name, sizeof name, "%s.weight", beta);
    VX_TRY(find_rows(b, name, 4, dim, &rows));
    VX_TRY(vx_source_read(rows.source, rows.tensor, 0, p->in * p->cols, p->beta, b->err));
    vx_source_release(rows.source, rows.tensor);
    float *beta_bias = p->row + p->in;
    VX_TRY(read_vector(b, beta, "bias", p->in, beta_bias));
    return fold_bias(p, beta_bias, conv_s->out, bias, b->err);
}

vx_status vx_lp_bind_shortcut(vx_liveportrait *lp, vx_binder *b, const char *prefix, int64_t out,
                              int64_t in, int64_t hidden, bool cells_in, vx_layer *conv_s,
                              vx_layer *beta_s)
{
    char name[VX_NAME_BYTES], beta[VX_NAME_BYTES];
    snprintf(name, sizeof name, "%s.conv_s", prefix);
    snprintf(beta, sizeof beta, "%s.norm_s.mlp_beta", prefix);
    vx_lp_spec s = {
        .name = name, .out = out, .in = in, .no_bias = true, .spectral = lp->config.g.spectral};
    VX_TRY(vx_lp_bind_linear(lp, b, &s, conv_s));
    product p = {0};
    float *bias = NULL;
    vx_status status = VX_OK;
    if (!b->plan) {
        bias = vx_heap_alloc((size_t)out * sizeof *bias);
        status = bias ? read_product(b, &s, beta, hidden, &p, bias) : no_memory(b);
    }
    if (status == VX_OK) status = bind_array(b, bias, out, &conv_s->bias);
    beta_s->w = vx_weight_conv(out, hidden, (const int64_t[]){1, 3, 3}, lp->store, lp->compute);
    beta_s->w.cells_in = cells_in;
    if (status == VX_OK) status = vx_bind_weight(b, &beta_s->w, fetch_product, &p);
    vx_heap_free(p.beta);
    vx_heap_free(p.row);
    vx_heap_free(p.sum);
    vx_heap_free(bias);
    return status;
}
