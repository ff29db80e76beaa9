/* Where faces are: two small networks of MediaPipe's.
 *
 *     finder  a square picture -> faces: score, box, eyes, nose, mouth, ears
 *     mesh    an upright square around a face -> whether one is there, 468 points of it
 *
 * Source: google-ai-edge/mediapipe, BlazeFace (Bazarevsky et al., 2019) at full range, and Face
 * Mesh (Kartynnik et al., 2019); tools/face_convert.py makes the file. See docs/models/FACE.md. The
 * finder alone takes a flower for a face where the picture is small enough; the mesh says no, and
 * its points are the better ones. Everything is f32. Positions are pixels of the square, whose top
 * left corner is 0, 0. */
#ifndef VX_MODELS_FACE_FACE_H
#define VX_MODELS_FACE_FACE_H

#include "backend/ops.h"
#include "models/binder.h"

enum {
    VX_FACE_SIDE = 192, /* of the square that either network sees */
    VX_FACE_MESH_POINTS = 468,
    VX_FACE_SEEN_MAX = 64 /* faces that are told apart in one square */
};

/* The finder's points, in its order. Left and right are the picture's. */
typedef enum vx_face_point {
    VX_FACE_LEFT_EYE,
    VX_FACE_RIGHT_EYE,
    VX_FACE_NOSE,
    VX_FACE_MOUTH,
    VX_FACE_LEFT_EAR,
    VX_FACE_RIGHT_EAR,
    VX_FACE_POINTS
} vx_face_point;

typedef struct vx_face_seen {
    float score;               /* 0..1 */
    float x, y, width, height; /* the box: its middle and sides */
    float point[VX_FACE_POINTS][2];
} vx_face_seen;

typedef struct vx_face_mesh {
    float presence; /* 0..1 */
    float point[VX_FACE_MESH_POINTS][2];
} vx_face_mesh;

typedef struct vx_face vx_face;

/* NULL handle on failure. */
vx_status vx_face_open(vx_face **model, vx_error *err);
void vx_face_close(vx_face **model); /* safe on NULL; sets NULL */
vx_status vx_face_bind(vx_face *model, vx_binder *binder);

/* Faces of a score of at least `least` in rgb (host, [side, side, 3]), the surest first, at most
 * VX_FACE_SEEN_MAX; those that overlap are one. In a plan rgb is NULL. */
vx_status vx_face_find(vx_face *model, vx_ctx *ctx, const uint8_t *rgb, float least,
                       vx_face_seen seen[VX_FACE_SEEN_MAX], int *count);
/* The mesh of an upright face that fills about two thirds of the square. */
vx_status vx_face_look(vx_face *model, vx_ctx *ctx, const uint8_t *rgb, vx_face_mesh *mesh);

/* The finder's raw columns of one cell of its 48 x 48 grid as a face; for tests. */
void vx_face_decode(int64_t cell, float logit, const float box[16], vx_face_seen *seen);
/* Faces that overlap by more than 0.3 of their union become their mean, weighted by the scores,
 * with the surest one's score; surest first. Returns how many are left. */
int vx_face_merge(vx_face_seen *seen, int count);

#endif
