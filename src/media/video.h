/* Films in: frames in order as RGB, and the key frames that scoring looks at. */
#ifndef VX_MEDIA_VIDEO_H
#define VX_MEDIA_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/status.h"
#include "media/image.h"

typedef struct vx_video vx_video;

/* Films that are longer are refused: what the film of a slot or of an animation may last, and as
 * many frames as its motion table has. */
enum { VX_FILM_SECONDS_MAX = 600, VX_FILM_FRAMES_MAX = 240 * 600 };

typedef struct vx_video_info {
    int width, height;    /* upright: a phone's turned picture is turned back */
    int fps_num, fps_den; /* the file's claim, 0/1 when unknown; after vx_video_pace the rate */
    double duration_s;    /* as the file says, 0 when unknown; after vx_video_pace as it is */
    double start_s;       /* time of the first frame */
    int64_t frames;       /* 0 until vx_video_pace */
    bool has_sound;
} vx_video_info;

/* Opens and decodes the first frame; "-" is stdin. VX_ERR_INPUT when there is no such file, no
 * video in it, not one frame that decodes, or its pictures are beyond 4096x2304 pixels or need more
 * than 96 MB to decode; VX_ERR_CANCELLED. The token may be NULL and ends every later call too.
 * *video is NULL on failure. */
vx_status vx_video_open(vx_video **video, const char *path, vx_cancel *cancel, vx_error *err);
/* Sets *video to NULL; safe on NULL. */
void vx_video_close(vx_video **video);
const vx_video_info *vx_video_about(const vx_video *video);

/* Reads the times of all frames and settles the rate: fps_num/fps_den where fps_num > 0, else the
 * film's own when it is constant, else the one of 24, 25, 30, 50 and 60 that is nearest to its
 * median. From then on frame i is the film's last picture at or before i/fps. Goes back to the
 * first frame. VX_ERR_INPUT when the film lasts longer than VX_FILM_SECONDS_MAX or has more than
 * VX_FILM_FRAMES_MAX frames, or is a pipe, which cannot be read twice. */
vx_status vx_video_pace(vx_video *video, int fps_num, int fps_den, vx_error *err);

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

/* Frames [0, n) in all at the rate that vx_video_pace settles, and of them the `count` >= 2
 * key frames, the first and the last among them: see vx_video_key_frame. index[count] and
 * picture[count] receive them; the pictures are the caller's (vx_image_free each). Leaves
 * the video at its end. */
vx_status vx_video_key_frames(vx_video *video, int count, int64_t *index, vx_picture *picture,
                              int64_t *frames, vx_error *err);

#endif
