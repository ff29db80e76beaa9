/* The weights of the two networks, private to this folder. */
#ifndef VX_MODELS_FACE_PARTS_H
#define VX_MODELS_FACE_PARTS_H

#include "models/face/face.h"
#include "models/layer.h"

enum {
    VX_FACE_GRID = VX_FACE_SIDE / 4, /* the finder's cells */
    VX_FACE_COLUMNS = 17,            /* of a cell: logit, box, points */
    VX_FINDER_BLOCKS = 20,
    VX_FINDER_LEVELS = 3, /* maps that are enlarged and joined with an earlier one */
    VX_MESH_BLOCKS = 17
};

/* A depthwise 3 x 3 filter, then a product over its columns. */
typedef struct vx_face_step {
    vx_tensor filter, filter_bias; /* [3, 3, in], [in] */
    vx_layer mix;                  /* in -> out */
} vx_face_step;

/* Widths of a finder's block; `stride` 2 halves the map. */
typedef struct vx_finder_shape {
    int in, mid, out, stride;
} vx_finder_shape;
extern const vx_finder_shape vx_finder_shapes[VX_FINDER_BLOCKS];

typedef struct vx_mesh_shape {
    int in, out, stride;
} vx_mesh_shape;
extern const vx_mesh_shape vx_mesh_shapes[VX_MESH_BLOCKS];

/* A level of the finder's pyramid: a small map of `from` columns and an earlier one of `skip`,
 * `side` cells wide, become one of `out`. */
typedef struct vx_finder_level {
    int from, skip, out, side;
} vx_finder_level;
extern const vx_finder_level vx_finder_levels[VX_FINDER_LEVELS];

/* One head of the mesh: products to 32 columns, a step, and all nine cells to the result. */
typedef struct vx_mesh_head {
    vx_layer narrow, all;
    vx_face_step last;
    vx_tensor narrow_slopes, last_slopes;
} vx_mesh_head;

struct vx_face {
    struct {
        vx_layer stem, lateral[VX_FINDER_LEVELS], skip[VX_FINDER_LEVELS], score, box;
        vx_face_step block[VX_FINDER_BLOCKS][2];
        vx_tensor enlarge[VX_FINDER_LEVELS]; /* [3, 3, out]: what makes a repeated map smooth */
    } finder;
    struct {
        vx_layer stem;
        vx_tensor stem_slopes, slopes[VX_MESH_BLOCKS];
        vx_face_step block[VX_MESH_BLOCKS];
        vx_face_step first; /* of the head for presence */
        vx_tensor first_slopes;
        vx_mesh_head points, presence;
    } mesh;
    int32_t *repeat[VX_FINDER_LEVELS]; /* [side + 2][side + 2]: cells of the small map */
    float *cells;                      /* [VX_FACE_GRID²][VX_FACE_COLUMNS] */
    vx_face_seen *seen;                /* [VX_FACE_GRID²] */
};

/* depthwise filter of `stride` over x [s, s, in], padded as TensorFlow's SAME pads even sides, then
 * the product: -> out [s/stride, s/stride, out] = residual + act(…); residual may be NULL. */
vx_status vx_face_step_run(vx_ctx *ctx, const vx_tensor *x, const vx_face_step *step,
                           int64_t stride, vx_act act, const vx_tensor *residual, vx_tensor *out);
/* The largest of each 2 x 2 pixels of x where stride is 2, in new memory; else x itself. */
vx_status vx_face_shortcut(vx_ctx *ctx, const vx_tensor *x, int64_t stride, vx_tensor *out);
/* out = act(out + x), where x has fewer columns or as many: what it has not is zero. slopes [out's
 * columns] with VX_ACT_LRELU, or NULL. */
vx_status vx_face_join(vx_ctx *ctx, const vx_tensor *x, vx_act act, const vx_tensor *slopes,
                       vx_tensor *out);
/* A map [side, side, columns] in new memory. */
static inline vx_status vx_face_take(vx_ctx *ctx, int64_t side, int64_t columns, vx_tensor *out)
{
    return vx_take(ctx, VX_F32, 3, (const int64_t[]){side, side, columns}, out);
}
/* rgb (host, [side, side, 3]) as low..1 through a filter of stride 2: -> out
 * [side/2, side/2, …]. */
vx_status vx_face_stem(vx_ctx *ctx, const uint8_t *rgb, float low, const vx_layer *stem, vx_act act,
                       vx_tensor *out);

#endif
