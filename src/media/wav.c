#include "media/wav.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { HEADER_BYTES = 44, UNKNOWN_BYTES = 0xFFFFFFFF };

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}
static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value);
    put16(p + 2, value >> 16);
}

vx_status vx_wav_open(vx_wav *wav, const char *path, int sample_rate, vx_error *err)
{
    assert(sample_rate >= 1 && sample_rate <= 768000);
    *wav = (vx_wav){0};
    VX_TRY(vx_outfile_open(&wav->file, path, err));
    uint8_t header[HEADER_BYTES];
    memcpy(header, "RIFF....WAVEfmt ", 16);
    put32(header + 4, UNKNOWN_BYTES);
    put32(header + 16, 16); /* bytes of the format chunk */
    put16(header + 20, 1);  /* PCM */
    put16(header + 22, 1);  /* channels */
    put32(header + 24, (uint32_t)sample_rate);
    put32(header + 28, (uint32_t)sample_rate * 2);
    put16(header + 32, 2);  /* bytes per frame */
    put16(header + 34, 16); /* bits per sample */
    memcpy(header + 36, "data", 4);
    put32(header + 40, UNKNOWN_BYTES);
    vx_status status = vx_outfile_write(&wav->file, header, sizeof header, err);
    if (status != VX_OK) vx_wav_abort(wav);
    return status;
}

vx_status vx_wav_write(vx_wav *wav, const float *samples, int64_t n, vx_error *err)
{
    assert(n >= 0);
    uint8_t bytes[4096];
    if (n > (UINT32_MAX - HEADER_BYTES) / 2 - wav->samples)
        return vx_fail(err, VX_ERR_INPUT, "too_long",
                       "the sound does not fit a WAV file, which ends at 4 GB; make it shorter");
    wav->samples += n;
    while (n > 0) {
        int64_t part = n < (int64_t)sizeof bytes / 2 ? n : (int64_t)sizeof bytes / 2;
        for (int64_t i = 0; i < part; i++) {
            float x = samples[i];
            x = x > 1.0f ? 1.0f : x < -1.0f ? -1.0f : x == x ? x : 0.0f;
            put16(bytes + 2 * i, (uint32_t)(int32_t)lrintf(x * 32767.0f));
        }
        VX_TRY(vx_outfile_write(&wav->file, bytes, (size_t)part * 2, err));
        samples += part;
        n -= part;
    }
    return VX_OK;
}

vx_status vx_wav_finish(vx_wav *wav, vx_error *err)
{
    vx_status status = VX_OK;
    if (wav->file.seekable) {
        uint32_t data_bytes = (uint32_t)wav->samples * 2;
        uint8_t riff[4], data[4];
        put32(riff, data_bytes + HEADER_BYTES - 8);
        put32(data, data_bytes);
        status = vx_outfile_write_at(&wav->file, 4, riff, 4, err);
        if (status == VX_OK) status = vx_outfile_write_at(&wav->file, 40, data, 4, err);
    }
    if (status == VX_OK) return vx_outfile_commit(&wav->file, err);
    vx_wav_abort(wav);
    return status;
}

void vx_wav_abort(vx_wav *wav)
{
    vx_outfile_abort(&wav->file);
}
