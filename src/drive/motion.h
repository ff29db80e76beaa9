/* The motion table: how a head moves, one row per frame, in numbers that a person can edit.
 *
 * docs/CONTRACTS.md, "motion". Angles are in degrees, tx and ty in half pictures, scale is a
 * factor; they add to (scale: multiply) the pose of the portrait. jaw, lip_round, lip_wide, blink_l
 * and blink_r go from 0 to 1, smile, brow, gaze_x and gaze_y from -1 to 1; l and r are left and
 * right in the picture, positive gaze looks right and down, positive pitch nods down, positive yaw
 * turns the nose to the left of the picture.
 *
 * A row belongs to the time from i/fps to (i+1)/fps. Files are JSON or CSV; a file that was read is
 * in range, and what is written reads back as the same bits. */
#ifndef VX_DRIVE_MOTION_H
#define VX_DRIVE_MOTION_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

/* In the order of the files' columns; the controls of the expression begin at jaw. */
typedef enum vx_motion_column {
    VX_YAW,
    VX_PITCH,
    VX_ROLL,
    VX_TX,
    VX_TY,
    VX_SCALE,
    VX_JAW,
    VX_LIP_ROUND,
    VX_LIP_WIDE,
    VX_SMILE,
    VX_BLINK_L,
    VX_BLINK_R,
    VX_BROW,
    VX_GAZE_X,
    VX_GAZE_Y,
    VX_MOTION_COLUMNS
} vx_motion_column;

enum {
    VX_CONTROLS = VX_MOTION_COLUMNS - VX_JAW, /* of the expression */
    VX_MOTION_FPS_MAX = 240,
    VX_MOTION_FRAMES_MAX = 240 * 600
};

typedef struct vx_pose {
    float value[VX_MOTION_COLUMNS];
} vx_pose;

typedef struct vx_motion_table {
    double fps;
    int64_t count;
    vx_pose *pose; /* [count]; whoever hands it out says whose */
} vx_motion_table;

typedef struct vx_motion_range {
    const char *name;
    float least, most, rest;
} vx_motion_range;

/* Bounds: FaceFusion's pose limits for the angles (live_portrait.py), the
 * contract's for controls. */
extern const vx_motion_range vx_motion_ranges[VX_MOTION_COLUMNS];

/* A face that does nothing. */
vx_pose vx_pose_rest(void);

/* Reads a file ("-": standard input): JSON when its first character is '{', else CSV. Poses are on
 * the heap, vx_motion_free. Columns that are not given rest. VX_ERR_INPUT names the line or frame
 * and the column at fault; VX_ERR_MISSING when there is no such file. */
vx_status vx_motion_read(vx_motion_table *motion, const char *path, vx_error *err);
vx_status vx_motion_parse(vx_motion_table *motion, const char *name, const char *text, size_t bytes,
                          vx_error *err);
void vx_motion_free(vx_motion_table *motion); /* safe on a zeroed one */

/* CSV when the name ends in .csv, else JSON; whole or not there, "-" is stdout. */
vx_status vx_motion_write(const vx_motion_table *motion, const char *path, vx_error *err);

#endif
