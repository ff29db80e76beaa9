/* What the media files share of FFmpeg's libraries: reading through our own callbacks, so that a
 * hostile file can name no other file and no network address, and turning error numbers into text.
 * Private to src/media. */
#ifndef VX_MEDIA_AV_H
#define VX_MEDIA_AV_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/cancel.h"
#include "base/status.h"

/* Keeps FFmpeg's own messages off stderr; every entry point of src/media calls it. */
void vx_av_quiet(void);

/* FFmpeg's words for an error number. */
typedef struct vx_av_text {
    char text[AV_ERROR_MAX_STRING_SIZE];
} vx_av_text;
vx_av_text vx_av_strerror(int code);

/* VX_ERR_MEMORY for the libraries' out of memory, else `status`. */
vx_status vx_av_status(int code, vx_status status);

/* Largest picture of a film: 4096x2304, which is H.264's level 5.1 (ITU-T H.264, table A-1). */
#define VX_FILM_PIXELS_MAX ((int64_t)4096 * 2304)
/* What all frames that a film's decoder holds may take: that level's store of decoded pictures,
 * 70.8 MB, with the one being decoded and a margin. */
#define VX_FILM_FRAMES_BYTES ((size_t)96000000)

/* Memory of the pictures that a decoder holds, counted. Zeroed but for bytes_max and, where the
 * first picture is to lie in memory that is there already, memory and memory_bytes. It must outlive
 * the decoder and every frame of it. */
typedef struct vx_av_frames {
    size_t bytes_max;
    void *memory;
    size_t memory_bytes;
    size_t used;
    bool lent;         /* `memory` is taken */
    bool refused;      /* a picture would have gone beyond bytes_max */
    int width, height; /* of the last picture that was asked for */
} vx_av_frames;

/* Makes the decoder take its pictures' memory there; refuses a side beyond VX_IMAGE_SIDE_MAX and
 * more than bytes_max in all with AVERROR(ERANGE). */
void vx_av_count_frames(AVCodecContext *decoder, vx_av_frames *frames);

/* An open input: a demuxer that reads one file and nothing else. Must not move while open. */
typedef struct vx_av_input {
    bool open;
    int fd;
    vx_cancel *cancel;
    AVIOContext *io;
    AVFormatContext *format;
} vx_av_input;

/* Opens and reads the stream headers; "-" is stdin. VX_ERR_INPUT when there is no such file, it is
 * no sound or video that we read, or its index promises absurdly much; VX_ERR_CANCELLED. The token
 * may be NULL and ends later reads too. *in is closed on failure. */
vx_status vx_av_input_open(vx_av_input *in, const char *path, vx_cancel *cancel, vx_error *err);
/* Safe on a zeroed or closed one. */
void vx_av_input_close(vx_av_input *in);

/* A decoder for stream `index`, of those on our list, one thread, its pictures counted in `frames`;
 * free with avcodec_free_context. */
vx_status vx_av_decoder_open(AVCodecContext **decoder, vx_av_frames *frames, const vx_av_input *in,
                             int index, const char *path, vx_error *err);

#endif
