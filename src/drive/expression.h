/* From controls to the expression code of the animation network.
 *
 * The code moves each of K key points by (x, y, z), in the crop's units before the head's scale. A
 * pack says what its controls do (an array of [9, K, 3], rows from jaw to gaze_y); without one the
 * published network's measured directions stand here. */
#ifndef VX_DRIVE_EXPRESSION_H
#define VX_DRIVE_EXPRESSION_H

#include <stdbool.h>

#include "drive/motion.h"

enum { VX_EXPRESSION_POINTS_MAX = 64, VX_EXPRESSION_POINTS = 21 /* of the published network */ };

typedef struct vx_directions {
    int points;
    bool published; /* the network's own mouth and eyes are the start, and its bounds hold */
    /* What a control of 1 adds, and what one of -1 takes away. */
    float rise[VX_CONTROLS][VX_EXPRESSION_POINTS_MAX][3];
    float fall[VX_CONTROLS][VX_EXPRESSION_POINTS_MAX][3];
} vx_directions;

/* Reads an NPY of f32 [9, points, 3]. VX_ERR_INPUT, VX_ERR_MISSING. */
vx_status vx_directions_read(vx_directions *directions, const char *path, int points,
                             vx_error *err);

/* The published network's, which has 21 points. `canonical` [21][3] are its key points on this
 * face: they say which of its two eyes is the left one in the picture. */
void vx_directions_published(vx_directions *directions, const float *canonical);

/* The expression code of a pose, [points][3]: the controls' directions over a start. With a pack's
 * own controls the start is nothing: the code is absolute. For the published network it is the lips
 * at rest and the eyes of the source (`source` [points][3], its code by M), as the official code
 * does before lips are driven. */
void vx_expression(const vx_directions *directions, const vx_pose *pose, const float *source,
                   float *expression);

#endif
