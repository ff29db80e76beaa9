/* One encoder of mono sound, from float samples in any pieces to packets. Private to src/media. */
#ifndef VX_MEDIA_AV_SOUND_H
#define VX_MEDIA_AV_SOUND_H

#include <libavcodec/avcodec.h>

/* Takes a packet in the encoder's time base; a negative number ends the work. */
typedef int (*vx_av_packet)(void *arg, AVPacket *packet);

typedef struct vx_av_sound {
    AVCodecContext *encoder;
    AVFrame *frame;
    AVPacket *packet;
    int filled;   /* samples waiting in `frame` */
    int64_t next; /* timestamp of the next frame, in samples */
    vx_av_packet emit;
    void *arg;
} vx_av_sound;

/* Bits a second of speech that no listener tells from the original, by codec:
 * the one place for them. */
int64_t vx_av_sound_bits(enum AVCodecID codec);

/* `bits` 0: the codec needs none. Results are the library's numbers; close it in any case. */
int vx_av_sound_open(vx_av_sound *sound, const AVCodec *codec, int sample_rate, int64_t bits,
                     vx_av_packet emit, void *arg);
/* Clips to -1..1; a NaN counts as silence. 16-bit codecs get round(32767 x). */
int vx_av_sound_put(vx_av_sound *sound, const float *samples, int64_t n);
/* The last, shorter frame, and what the encoder has kept back. */
int vx_av_sound_end(vx_av_sound *sound);
void vx_av_sound_close(vx_av_sound *sound); /* safe on a zeroed or closed one */

/* The sample that is encoded for x. */
float vx_sound_clip(float x);
int16_t vx_sound_16(float x);

#endif
