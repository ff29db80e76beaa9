/* Sound files from any bytes: samples are finite and in bounds, refusals are sentences, and nothing is left. */
#include <math.h>

#include "base/mem.h"
#include "fuzz_media.h"
#include "media/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { RATE = 16000, SECONDS = 2 };
    vx_sound sound;
    vx_error err = {0};
    int64_t before = vx_heap_read().live_bytes;
    vx_status status = vx_sound_read(&sound, fuzz_file(data, size), RATE, SECONDS, NULL, &err);
    if (status == VX_OK) {
        if (sound.count < 1 || sound.count > RATE * SECONDS) abort();
        for (int64_t i = 0; i < sound.count; i++)
            if (!isfinite(sound.samples[i])) abort();
        if (vx_sound_begin(&sound, sound.start_s > 0 ? 0 : 0.1, &err) == VX_OK && sound.count < 0)
            abort();
    } else {
        fuzz_refused(status, &err);
        if (sound.samples != NULL) abort();
    }
    vx_sound_free(&sound);
    if (vx_heap_read().live_bytes != before) abort();
    return 0;
}
