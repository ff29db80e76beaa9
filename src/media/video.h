/* Films in: frames in order as RGB, and the key frames that scoring looks at. */
#ifndef VX_MEDIA_VIDEO_H
#define VX_MEDIA_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/status.h"
#include "media/image.h"

typedef struct vx_video vx_video;

typedef struct vx_video_info {
    int width, height;
    int fps_num, fps_den; /* average; 0/1 when unknown */
    double duration_s;    /* as the file says; 0 when unknown */
    double start_s;       /* time of the first frame */
    bool has_sound;
} vx_video_info;

/* Opens and decodes the first frame. VX_ERR_INPUT when there is no such file, no video in it, not
 * one frame that decodes, or a side exceeds VX_IMAGE_SIDE_MAX. *video is NULL on failure. */
vx_status vx_video_open(vx_video **video, const char *path, vx_error *err);
/* Sets *video to NULL; safe on NULL. */
void vx_video_close(vx_video **video);
const vx_video_info *vx_video_about(const vx_video *video);

/* The next frame in order of display, of the size that `about` says. The pixels are the video's and
 * stay until the next call. *ended is true, and the frame empty, after the last one. VX_ERR_INPUT
 * when the file is broken there. time_s may be NULL. */
vx_status vx_video_next(vx_video *video, vx_picture *frame, double *time_s, bool *ended,
                        vx_error *err);

/* Back to the first frame. After a failure only close makes sense. */
vx_status vx_video_rewind(vx_video *video, vx_error *err);

/* Which of n >= 1 frames is number i of `count` >= 2 key frames: min(floor(i*n/(count-1)), n-1). */
static inline int64_t vx_video_key_frame(int i, int count, int64_t n)
{
    int64_t index = i * n / (count - 1);
    return index < n ? index : n - 1;
}

/* Frames [0, n) in all, and of them the `count` >= 2 key frames, the first and the last among them:
 * see vx_video_key_frame. index[count] and picture[count] receive them;
 * the pictures are the caller's (vx_image_free each). The cancel token may be NULL. Leaves the
 * video at its end. */
vx_status vx_video_key_frames(vx_video *video, int count, int64_t *index, vx_picture *picture,
                              int64_t *frames, vx_cancel *cancel, vx_error *err);

#endif
