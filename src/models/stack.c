#include "models/stack.h"

vx_status vx_rows_read(const vx_rows_of *r, int64_t first, int64_t count, float *dst, vx_error *err)
{
    if (!r->transposed)
        return vx_source_read(r->source, r->tensor, (r->first_row + first) * r->cols,
                              count * r->cols, dst, err);
    /* One element of each of the file's rows: what lies so is small and read once. */
    for (int64_t row = 0; row < count; row++)
        for (int64_t c = 0; c < r->cols; c++)
            VX_TRY(vx_source_read(r->source, r->tensor, c * r->rows + first + row, 1,
                                  dst + row * r->cols + c, err));
    return VX_OK;
}

vx_status vx_fetch_stack(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_stack *stack = arg;
    int64_t base = 0;
    for (int i = 0; i < stack->count && count > 0; i++) {
        const vx_rows_of *part = &stack->part[i];
        if (first < base + part->rows) {
            int64_t from = first - base, n = part->rows - from < count ? part->rows - from : count;
            VX_TRY(vx_rows_read(part, from, n, dst, err));
            dst += n * part->cols;
            first += n;
            count -= n;
        }
        base += part->rows;
    }
    assert(count == 0);
    return VX_OK;
}

/* Whether all parts were taken as they are stored. */
static vx_status pack_stored(vx_binder *b, vx_weight *w, const vx_stack *stack, bool *taken)
{
    vx_stored_rows parts[VX_STACK_MAX];
    *taken = false;
    for (int i = 0; i < stack->count; i++) {
        const vx_rows_of *part = &stack->part[i];
        if (part->transposed || part->tensor->rank != 2 || part->tensor->dim[1] != part->cols ||
            !vx_source_stored_rows(part->tensor, part->first_row, part->rows, &parts[i]))
            return VX_OK;
    }
    return vx_weight_pack_stored(b->lane, w, parts, stack->count, taken, b->err);
}

vx_status vx_bind_stack(vx_binder *b, vx_weight *w, vx_stack *stack)
{
    VX_TRY(vx_bind_place(b, w));
    return vx_binder_loads(b) ? vx_pack_stack(b, w, stack) : VX_OK;
}

vx_status vx_pack_stack(vx_binder *b, vx_weight *w, vx_stack *stack)
{
    bool taken;
    VX_TRY(pack_stored(b, w, stack, &taken));
    if (!taken)
        VX_TRY(vx_weight_pack(b->lane, w, vx_fetch_stack, stack, b->staging, VX_STAGING_FLOATS,
                              b->err));
    for (int i = 0; i < stack->count; i++)
        VX_TRY(vx_source_intact(stack->part[i].source, b->err));
    vx_stack_release(stack);
    return VX_OK;
}

vx_status vx_fetch_stack_as_row(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_stack *stack = arg;
    assert(first == 0 && count == 1);
    int64_t rows = 0;
    for (int i = 0; i < stack->count; i++) {
        assert(stack->part[i].cols == 1);
        rows += stack->part[i].rows;
    }
    return vx_fetch_stack(arg, 0, rows, dst, err);
}

void vx_stack_release(const vx_stack *stack)
{
    for (int i = 0; i < stack->count; i++)
        vx_source_release(stack->part[i].source, stack->part[i].tensor);
}
