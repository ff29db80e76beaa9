/* Planning and packing weights: linear layers and filters in panels, LSTMs as a linear layer of
 * both directions' input weights followed by the recurrent weights (lstm.h). */
#include "backend/cpu/codes.h"
#include "backend/cpu/lstm.h"
#include "backend/cpu/plane.h"
#include "backend/cpu/product.h"
#include "base/mem.h"
#include "tensor/quant.h"

/* ---- layouts ------------------------------------------------------------------------------- */

/* bf16 products are emulated, and slow, where they are not native, and byte products saturate
 * without VNNI: f32 takes their place. */
static vx_dtype product_type(const vx_cpu *cpu, vx_dtype compute)
{
    return cpu->level >= VX_CPU_AVX512_BF16 ? compute : VX_F32;
}

static bool same(const vx_weight *a, const vx_weight *b)
{
    return a->kind == b->kind && a->store == b->store && a->compute == b->compute &&
           a->out == b->out && a->in == b->in && a->kernel[2] == b->kernel[2] &&
           a->stride[2] == b->stride[2] && a->dilation[2] == b->dilation[2];
}

static vx_status describe(vx_cpu *cpu, vx_cpu_layout *l, vx_error *err)
{
    const vx_weight *w = &l->key;
    l->type = product_type(cpu, w->compute);
    l->in = w->in;
    l->columns = w->out;
    l->taps = w->kernel[2];
    l->stride = w->stride[2];
    l->dilation = w->dilation[2];
    if (w->kind == VX_WEIGHT_CONV_TRANSPOSE) {
        l->columns = w->stride[2] * w->out;
        l->taps = 2;
        l->stride = l->dilation = 1;
    }
    l->codes = w->kind == VX_WEIGHT_LINEAR && vx_codes_known(w->store, w->in);
    vx_product_shape shape = {.open = l->codes,
                              .compute = l->type,
                              .cols = VX_PANEL,
                              .in = l->in,
                              .taps = l->taps,
                              .stride = l->stride,
                              .dilation = l->dilation};
    l->panels = (l->columns + VX_PANEL - 1) / VX_PANEL;
    if (l->columns >= VX_PANEL) {
        VX_TRY(vx_onednn_product(cpu->onednn, &shape, &l->full, err));
        l->panel_bytes = vx_align_up(vx_product_weight_bytes(l->full));
    }
    l->last = l->full;
    l->last_bytes = l->panel_bytes;
    if (l->columns % VX_PANEL != 0) {
        shape.cols = (int)(l->columns % VX_PANEL);
        VX_TRY(vx_onednn_product(cpu->onednn, &shape, &l->last, err));
        l->last_bytes = vx_align_up(vx_product_weight_bytes(l->last));
    }
    l->bytes = (size_t)(l->panels - 1) * l->panel_bytes + l->last_bytes;
    if (l->codes) {
        l->panel_bytes = l->last_bytes = vx_codes_panel_bytes(w->store, w->in);
        l->bytes =
            (size_t)l->panels * l->panel_bytes + vx_codes_shared_bytes(w->store, w->out, w->in);
    }
    if (w->kind == VX_WEIGHT_LSTM) {
        l->recurrent_offset = l->bytes;
        l->bytes += 2 * vx_cpu_lstm_recurrent_bytes(l->type, w->out / 8);
    }
    if (l->type == VX_U8) {
        l->scale_offset = l->bytes;
        l->bytes += 2 * vx_align_up((size_t)l->columns * sizeof(float));
    }
    return VX_OK;
}

static vx_status find_layout(vx_cpu *cpu, const vx_weight *w, vx_cpu_layout **layout, vx_error *err)
{
    *layout = cpu->layouts;
    while (*layout != NULL && !same(&(*layout)->key, w))
        *layout = (*layout)->next;
    if (*layout != NULL) return VX_OK;
    vx_cpu_layout *l = vx_heap_alloc(sizeof *l);
    if (l == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to describe a weight");
    l->key = *w;
    l->key.data = (vx_dev){0};
    l->key.layout = NULL;
    vx_status status = describe(cpu, l, err);
    if (status != VX_OK) {
        vx_heap_free(l);
        return status;
    }
    l->next = cpu->layouts;
    cpu->layouts = *layout = l;
    return VX_OK;
}

void vx_cpu_layouts_free(vx_cpu *cpu)
{
    while (cpu->layouts != NULL) {
        vx_cpu_layout *l = cpu->layouts;
        cpu->layouts = l->next;
        vx_heap_free(l);
    }
}

static bool supported(const vx_weight *w)
{
    if (w->kernel[0] > 1 || w->kernel[1] > 1) return false;
    if (w->compute == VX_U8) return w->kind == VX_WEIGHT_CONV && w->store == VX_INT8_ROW;
    if (w->compute != VX_F32 && w->compute != VX_BF16) return false;
    if (w->store == VX_F32 || w->store == VX_BF16 || w->store == VX_F16) return true;
    return w->kind == VX_WEIGHT_LINEAR && vx_codes_known(w->store, w->in);
}

vx_status vx_cpu_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    vx_cpu *cpu = vx_cpu_of(backend);
    assert(w->kind != VX_WEIGHT_LSTM || w->out % 8 == 0);
    if (vx_cpu_is_plane(w)) return vx_cpu_plane_plan(cpu, w, err);
    if (!supported(w))
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "the CPU has no kernel for this kind of weight with rows of %lld stored as "
                       "%s and products in %s; choose another precision for this component",
                       (long long)w->in, vx_dtype_name(w->store), vx_dtype_name(w->compute));
    vx_cpu_layout *layout;
    pthread_mutex_lock(&cpu->layout_lock);
    vx_status status = find_layout(cpu, w, &layout, err);
    pthread_mutex_unlock(&cpu->layout_lock);
    if (status != VX_OK) return status;
    w->layout = layout;
    w->bytes = layout->bytes;
    return VX_OK;
}

/* ---- packing ------------------------------------------------------------------------------- */

void vx_cpu_round_floats(vx_dtype store, float *row, int64_t count)
{
    for (int64_t i = 0; i < count && store != VX_F32; i++)
        row[i] = store == VX_BF16 ? vx_bf16_to_f32(vx_f32_to_bf16(row[i]))
                                  : vx_f16_to_f32(vx_f32_to_f16(row[i]));
}

/* Where packing stands: plain columns [gathered][in*taps] on their way into panels, floats or,
 * where products are of bytes, codes. */
typedef struct packing {
    vx_weight *w;
    const vx_cpu_layout *l;
    int64_t row_floats; /* of the source */
    float *plain;
    int8_t *codes; /* of one column */
    vx_error *err;
} packing;

static vx_status pack_panel(packing *p, int64_t panel, const void *plain)
{
    const vx_product *product = panel == p->l->panels - 1 ? p->l->last : p->l->full;
    char *target = (char *)vx_host(p->w->data) + (size_t)panel * p->l->panel_bytes;
    return vx_product_pack(product, plain, target, p->err);
}

/* One source row is one column of a product: a panel is packed as soon as it is full. The plain
 * buffer holds one panel. */
static vx_status add_column(packing *p, int64_t column, const float *row)
{
    int64_t length = p->l->in * p->l->taps, place = column % VX_PANEL;
    if (p->l->type == VX_U8)
        memcpy((int8_t *)(void *)p->plain + place * length, p->codes, (size_t)length);
    else
        memcpy(p->plain + place * length, row, (size_t)length * sizeof *row);
    if (place + 1 < VX_PANEL && column + 1 < p->l->columns) return VX_OK;
    return pack_panel(p, column / VX_PANEL, p->plain);
}

/* One source row [in, 2*stride] is spread over `stride` columns of two taps: column phase*out + row
 * sees the input before with tap phase + stride and its own with tap phase. The plain buffer holds
 * all columns. */
static vx_status add_transposed(packing *p, int64_t index, const float *row)
{
    int64_t stride = p->w->stride[2], in = p->l->in;
    for (int64_t phase = 0; phase < stride; phase++) {
        float *column = p->plain + (phase * p->w->out + index) * in * 2;
        for (int64_t i = 0; i < in; i++) {
            column[2 * i] = row[i * 2 * stride + phase + stride];
            column[2 * i + 1] = row[i * 2 * stride + phase];
        }
    }
    if (index + 1 < p->w->out) return VX_OK;
    for (int64_t panel = 0; panel < p->l->panels; panel++)
        VX_TRY(pack_panel(p, panel, p->plain + panel * VX_PANEL * in * 2));
    return VX_OK;
}

/* One source row is [W_ih | W_hh] of one gate. */
static vx_status add_gate(packing *p, int64_t index, const float *row)
{
    int64_t hidden = p->w->out / 8, gate = index % (4 * hidden);
    size_t bytes = vx_cpu_lstm_recurrent_bytes(p->l->type, hidden);
    char *recurrent =
        (char *)vx_host(p->w->data) + p->l->recurrent_offset + (index < 4 * hidden ? 0 : bytes);
    vx_cpu_lstm_pack_row(p->l->type, hidden, gate, row + p->w->in, recurrent);
    return add_column(p, index, row);
}

/* int8 codes of a row, its scale and the sum of its codes; the row itself becomes what they stand
 * for. */
static void round_int8(packing *p, int64_t index, float *row)
{
    float scale = vx_int8_encode(row, p->row_floats, p->codes);
    int64_t sum = 0;
    for (int64_t i = 0; i < p->row_floats; i++) {
        sum += p->codes[i];
        row[i] = (float)p->codes[i] * scale;
    }
    if (p->l->type != VX_U8) return;
    float *scales = (float *)(void *)((char *)vx_host(p->w->data) + p->l->scale_offset);
    scales[index] = scale;
    scales[vx_align_up((size_t)p->l->columns * sizeof(float)) / sizeof(float) + (size_t)index] =
        (float)sum;
}

static vx_status add_row(void *arg, int64_t index, float *row)
{
    packing *p = arg;
    if (p->w->store == VX_INT8_ROW)
        round_int8(p, index, row);
    else
        vx_cpu_round_floats(p->w->store, row, p->row_floats);
    switch (p->w->kind) {
    case VX_WEIGHT_LINEAR:
    case VX_WEIGHT_CONV:
        return add_column(p, index, row);
    case VX_WEIGHT_CONV_TRANSPOSE:
        return add_transposed(p, index, row);
    case VX_WEIGHT_LSTM:
        return add_gate(p, index, row);
    }
    return VX_ERR_INTERNAL;
}

/* Fetches all rows through the staging buffer and gives each to `add`. */
typedef vx_status (*add_fn)(void *arg, int64_t index, float *row);

typedef struct rows {
    vx_fetch_fn fetch;
    void *arg;
    float *staging;
    size_t staging_floats;
    int64_t count, floats; /* of the source */
} rows;

static vx_status each_row(const rows *r, add_fn add, void *arg, vx_error *err)
{
    int64_t step = (int64_t)(r->staging_floats / (size_t)r->floats);
    assert(step >= 1);
    for (int64_t first = 0; first < r->count; first += step) {
        int64_t count = r->count - first < step ? r->count - first : step;
        VX_TRY(r->fetch(r->arg, first, count, r->staging, err));
        for (int64_t i = 0; i < count; i++)
            VX_TRY(add(arg, first + i, r->staging + i * r->floats));
    }
    return VX_OK;
}

static vx_status add_codes(void *arg, int64_t index, float *row)
{
    vx_codes_add(arg, index, row);
    return VX_OK;
}

static vx_status pack_codes(vx_weight *w, const rows *r, vx_error *err)
{
    vx_codes_packing codes;
    VX_TRY(vx_codes_open(&codes, w->layout, vx_host(w->data), err));
    vx_status status = each_row(r, add_codes, &codes, err);
    vx_status closed = vx_codes_close(&codes, err);
    return status != VX_OK ? status : closed;
}

static vx_status pack_panels(vx_weight *w, const rows *r, vx_error *err)
{
    const vx_cpu_layout *l = w->layout;
    packing p = {.w = w, .l = l, .err = err, .row_floats = r->floats};
    /* Gates and pairs that do not fill their block read as zero. */
    if (w->kind == VX_WEIGHT_LSTM)
        memset((char *)vx_host(w->data) + l->recurrent_offset, 0, l->bytes - l->recurrent_offset);
    int64_t columns = w->kind == VX_WEIGHT_CONV_TRANSPOSE ? l->panels * VX_PANEL : VX_PANEL;
    size_t plain = (size_t)(columns * l->in * l->taps) * sizeof(float);
    p.plain = vx_heap_alloc(plain + (size_t)r->floats); /* the codes follow the floats */
    if (p.plain == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to pack weights");
    p.codes = (int8_t *)(void *)((char *)(void *)p.plain + plain);
    vx_status status = each_row(r, add_row, &p, err);
    vx_heap_free(p.plain);
    return status;
}

vx_status vx_cpu_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err)
{
    if (vx_cpu_is_plane(w))
        return vx_cpu_plane_pack(vx_cpu_of(lane->backend), w, fetch, arg, staging, staging_floats,
                                 err);
    const vx_cpu_layout *l = w->layout;
    assert(l != NULL && l->bytes == w->bytes);
    rows r = {fetch, arg, staging, staging_floats, w->out, w->in * w->kernel[2]};
    if (w->kind == VX_WEIGHT_LSTM) r.floats = w->in + w->out / 8;
    if (l->full != NULL) VX_TRY(vx_product_compile(l->full, err));
    VX_TRY(vx_product_compile(l->last, err));
    return l->codes ? pack_codes(w, &r, err) : pack_panels(w, &r, err);
}

vx_status vx_cpu_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts,
                                    int count, bool *taken, vx_error *err)
{
    *taken = false;
    if (w->kind != VX_WEIGHT_LINEAR) return VX_OK;
    const vx_cpu_layout *l = w->layout;
    assert(l != NULL && l->bytes == w->bytes);
    *taken = vx_codes_fit(l, parts, count);
    if (!*taken) return VX_OK;
    if (l->full != NULL) VX_TRY(vx_product_compile(l->full, err));
    VX_TRY(vx_product_compile(l->last, err));
    return vx_codes_take(vx_cpu_of(lane->backend)->pool, l, parts, count, vx_host(w->data));
}
