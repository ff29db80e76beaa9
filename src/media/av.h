/* What the media files share of FFmpeg's libraries: reading through our own callbacks, so that a
 * hostile file can name no other file and no network address, and turning error numbers into text.
 * Private to src/media. */
#ifndef VX_MEDIA_AV_H
#define VX_MEDIA_AV_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

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

/* An open input: a demuxer that reads one file and nothing else. */
typedef struct vx_av_input {
    bool open;
    int fd;
    AVIOContext *io;
    AVFormatContext *format;
} vx_av_input;

/* Opens and reads the stream headers. VX_ERR_INPUT when there is no such file, or it is no sound or
 * video that we read. *in is closed on failure. */
vx_status vx_av_input_open(vx_av_input *in, const char *path, vx_error *err);
/* Safe on a zeroed or closed one. */
void vx_av_input_close(vx_av_input *in);

/* A decoder for stream `index`, one thread, size-checked; free with avcodec_free_context. */
vx_status vx_av_decoder_open(AVCodecContext **decoder, const vx_av_input *in, int index,
                             const char *path, vx_error *err);

#endif
