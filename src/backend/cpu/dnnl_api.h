/* What differs between the C API of oneDNN 2 (a layout is a struct, an operation is described and
 * then asked for) and of oneDNN 3 (a layout is a handle, both steps are one): onednn.c and
 * yardstick.c are written once over this. Of oneDNN 3 only what 3.1 has is called.
 *
 * A *layout* is the shape, element type and order in memory of one argument. vx_layout owns one;
 * vx_layout_ref looks at one that somebody else owns, like those that oneDNN's queries return. A
 * zeroed vx_layout may be destroyed, as may one whose creation failed. */
#ifndef VX_BACKEND_CPU_DNNL_API_H
#define VX_BACKEND_CPU_DNNL_API_H

#include <dnnl.h>
#include <sys/mman.h>

/* Whether there is memory for oneDNN to describe or compile something. It writes into memory
 * whether or not it got any, and its exceptions end the process (2.6.3 under RLIMIT_AS and
 * RLIMIT_DATA), so it is seen to that there is some: a kernel takes a quarter of a megabyte, and
 * other threads may take a part at the same time. */
static inline int vx_dnnl_has_room(void)
{
    enum { ROOM_BYTES = 16 << 20 };
    void *room = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, ROOM_BYTES) == 0;
}

static inline dnnl_status_t vx_dnnl_create(dnnl_primitive_t *primitive,
                                           const_dnnl_primitive_desc_t desc)
{
    return vx_dnnl_has_room() ? dnnl_primitive_create(primitive, desc) : dnnl_out_of_memory;
}

typedef dnnl_memory_desc_t vx_layout;

/* What one description needs. `strides` NULL is a matrix product, else a convolution over a plane
 * without padding; `dilates` counts from 0, as oneDNN does. */
typedef struct vx_dnnl_op {
    const int64_t *strides, *dilates;
} vx_dnnl_op;

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t vx_layout_ref;

static inline vx_layout_ref vx_layout_look(const vx_layout *layout)
{
    return *layout;
}

static inline dnnl_status_t vx_layout_create(vx_layout *layout, int rank, const dnnl_dims_t dims,
                                             dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    *layout = NULL;
    return dnnl_memory_desc_create_with_tag(layout, rank, dims, type, tag);
}

static inline dnnl_status_t vx_layout_copy(vx_layout *layout, vx_layout_ref from)
{
    *layout = NULL;
    return dnnl_memory_desc_clone(layout, from);
}

static inline void vx_layout_destroy(vx_layout *layout)
{
    if (*layout != NULL) dnnl_memory_desc_destroy(*layout);
    *layout = NULL;
}

static inline dnnl_status_t vx_dnnl_describe(dnnl_primitive_desc_t *desc, dnnl_engine_t engine,
                                             const vx_dnnl_op *op, vx_layout_ref x, vx_layout_ref w,
                                             vx_layout_ref out, const_dnnl_primitive_attr_t attr)
{
    static const dnnl_dims_t none = {0, 0};
    if (!vx_dnnl_has_room()) return dnnl_out_of_memory;
    if (op->strides == NULL)
        return dnnl_matmul_primitive_desc_create(desc, engine, x, w, NULL, out, attr);
    return dnnl_convolution_forward_primitive_desc_create(
        desc, engine, dnnl_forward_inference, dnnl_convolution_direct, x, w, NULL, out, op->strides,
        op->dilates, none, none, attr);
}

#else

typedef const dnnl_memory_desc_t *vx_layout_ref;

static inline vx_layout_ref vx_layout_look(const vx_layout *layout)
{
    return layout;
}

static inline dnnl_status_t vx_layout_create(vx_layout *layout, int rank, const dnnl_dims_t dims,
                                             dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(layout, rank, dims, type, tag);
}

static inline dnnl_status_t vx_layout_copy(vx_layout *layout, vx_layout_ref from)
{
    *layout = *from;
    return dnnl_success;
}

static inline void vx_layout_destroy(vx_layout *layout)
{
    (void)layout; /* a struct that owns nothing */
}

static inline dnnl_status_t vx_dnnl_describe(dnnl_primitive_desc_t *desc, dnnl_engine_t engine,
                                             const vx_dnnl_op *op, vx_layout_ref x, vx_layout_ref w,
                                             vx_layout_ref out, const_dnnl_primitive_attr_t attr)
{
    static const dnnl_dims_t none = {0, 0};
    if (!vx_dnnl_has_room()) return dnnl_out_of_memory;
    if (op->strides == NULL) {
        dnnl_matmul_desc_t matmul;
        dnnl_status_t status = dnnl_matmul_desc_init(&matmul, x, w, NULL, out);
        if (status != dnnl_success) return status;
        return dnnl_primitive_desc_create(desc, &matmul, attr, engine, NULL);
    }
    dnnl_convolution_desc_t convolution;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &convolution, dnnl_forward_inference, dnnl_convolution_direct, x, w, NULL, out, op->strides,
        op->dilates, none, none);
    if (status != dnnl_success) return status;
    return dnnl_primitive_desc_create(desc, &convolution, attr, engine, NULL);
}

#endif
#endif
