/* A portrait that moves: the source's preparation, key points for every frame, LivePortrait in
 * batches, frames into the ring.
 *
 * Where the face is: a square around it is cropped, moved and pasted back, with a feathered border
 * at which its colours are matched to the picture's by a frame at rest. The square is that of the
 * face that was found. Where a person gave eyes and mouth it comes from these, and where neither is
 * there from the whole picture; then M says how large and where the face is, the square is
 * corrected once, and M must find it where the official templates have theirs. A pack whose
 * expression codes are absolute (driving_params.expression) was trained on whole pictures: one that
 * is framed as they are, or of which nothing is known, is the crop, and its frames are the film.
 *
 * Frames of a batch are made side by side in the engine's frame ring; a thread of its own takes
 * them to the sink. All memory is taken when the engine and the animator are opened, but for what
 * resizes the portrait. */
#ifndef VX_SLOT_ANIMATE_H
#define VX_SLOT_ANIMATE_H

#include "drive/drive.h"
#include "slot/faces.h"
#include "slot/part.h"
#include "media/image.h"
#include "media/video.h"

/* The longest side of a film of its own size: the official code's (crop_config, max_dim). */
enum { VX_FILM_SIDE_MAX = 1280 };

typedef struct vx_animator vx_animator;

/* The engine must have been opened with VX_WANT_VIDEO. VX_ERR_INPUT for
 * controls that do not fit. */
vx_status vx_animator_open(vx_animator **animator, vx_engine *engine, vx_error *err);
void vx_animator_close(vx_animator **animator); /* safe on NULL; sets NULL */

typedef struct vx_animate_request {
    const vx_picture *portrait; /* any size */
    /* Where its face is, in its pixels, one of two or neither: */
    const double *face;    /* [6] image-left eye, image-right eye, mouth, as a person gave them */
    const vx_found *found; /* what the finder found */
    /* What drives, one of three: */
    const vx_motion_table *motion;
    const float *keypoints; /* [frames][points][3], stitched; the portrait is the crop itself */
    vx_video *video;        /* of a face; how it moves from its first frame on */
    vx_faces *faces;        /* frames that face; NULL: the video's middle square is it */
    int64_t frames;         /* of keypoints; at most so many of a video; 0: all of it */
    int width, height;      /* of the film, at most as planned; 0: its own (vx_animated) */
    /* Every frame in order, from the taker's thread; the picture is valid during the call. */
    vx_status (*frame)(void *arg, int64_t index, const vx_picture *picture, vx_error *err);
    /* Called once, before the first frame, with the film's size; may be NULL. */
    vx_status (*begin)(void *arg, int width, int height, vx_error *err);
    /* After every batch, with the frames that are made and, where it is known, how many there will
     * be (else 0); may be NULL. A failure ends the film. */
    vx_status (*step)(void *arg, int64_t made, int64_t all);
    void *arg;
} vx_animate_request;

typedef struct vx_animated {
    int width,
        height; /* of the film: asked for, else the crop's (whole pictures) or the portrait's */
    int64_t frames;
    bool whole;        /* the picture was the crop */
    float scale, t[2]; /* what M read from the final crop */
    double x, y, side,
        angle; /* the square, in the pixels of the portrait at most VX_FILM_SIDE_MAX long */
} vx_animated;

/* VX_ERR_INPUT: a portrait whose face M does not find where it should be (the message asks for
 * --face or the recipe's face), key points or a video that make no sense. The lane is as
 * before whatever happens. */
vx_status vx_animate(vx_animator *animator, vx_ctx *ctx, const vx_animate_request *request,
                     vx_animated *animated);

/* The engine's buffer for a motion table of so many frames at most: poses, and memory for driving.
 * VX_ERR_INPUT when it was planned for fewer. */
vx_status vx_animator_table(vx_animator *animator, double fps, int64_t frames,
                            vx_motion_table *table, void **memory, vx_error *err);

/* Bytes of the engine's buffers: of a table, and of the ring with its canvas
 * for films up to a size. */
size_t vx_animate_table_bytes(int64_t frames);
size_t vx_animate_ring_bytes(const vx_liveportrait *model, int width, int height);

/* The size of a picture whose longest side is at most VX_FILM_SIDE_MAX, sides even. */
void vx_film_size(const vx_picture *picture, int *width, int *height);

#endif
