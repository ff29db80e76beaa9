/* The source's preparation, private to this folder. */
#ifndef VX_SLOT_PORTRAIT_H
#define VX_SLOT_PORTRAIT_H

#include "slot/animate.h"
#include "media/warp.h"

/* A portrait as LivePortrait sees it. */
typedef struct vx_sitter {
    bool whole;       /* the picture is the crop */
    vx_square square; /* in the portrait's pixels */
    vx_portrait source;
} vx_sitter;

typedef struct vx_sitting {
    vx_liveportrait *model;
    const vx_picture *portrait;
    const double *face;      /* as it was given, or NULL */
    const vx_square *square; /* around a face that was found, or NULL */
    bool absolute;           /* the pack drives by absolute codes */
    bool exact;              /* the picture is the crop: key points */
    bool synthetic;          /* random weights: M means nothing */
    uint8_t *crop;           /* [image_size, image_size, 3] */
    vx_dev memory;           /* of the source */
} vx_sitting;

/* Crops, estimates, crops again and prepares. */
vx_status vx_sit(const vx_sitting *sitting, vx_ctx *ctx, vx_sitter *sitter);

/* The middle square of a picture at the crop's size; for driving videos too. */
vx_status vx_crop_whole(const vx_picture *picture, const vx_picture *crop, vx_error *err);

#endif
