/* Still pictures from any bytes: what is read has a size in bounds, what is not a sentence, and nothing is left. */
#include "base/mem.h"
#include "fuzz_media.h"
#include "media/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libheif 1.15 leaves 40 bytes of dav1d's behind for a broken AVIF. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdav1d";
}

/* The picture that the fuzzed bytes give, its first and last byte read. */
static void decode(const uint8_t *data, size_t size, vx_image_reading *reading)
{
    vx_picture picture;
    vx_error err = {0};
    vx_status status = vx_image_decode(&picture, data, size, "fuzz", reading, &err);
    if (status == VX_OK) {
        size_t bytes = (size_t)picture.stride * (size_t)picture.height;
        if (bytes == 0 || bytes > VX_IMAGE_DECODED_MAX || picture.width > VX_IMAGE_SIDE_MAX ||
            picture.height > VX_IMAGE_SIDE_MAX)
            abort();
        volatile uint8_t ends = picture.rgb[0] ^ picture.rgb[bytes - 1];
        (void)ends;
    } else {
        fuzz_refused(status, &err);
        if (picture.rgb != NULL || status != err.status) abort();
    }
    vx_image_free(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 20];
    static const uint8_t blue[3] = {0, 0, 255};
    vx_log_setup(VX_LOG_ERROR, false);
    /* Small bounds: that large pictures take long is no finding. */
    vx_image_reading plain = {.memory = memory, .memory_bytes = sizeof memory, .heap_max = 4 << 20};
    vx_image_reading reduced = plain;
    reduced.side_max = 16;
    reduced.background = blue;
    int64_t before = vx_heap_read().live_bytes;
    decode(data, size, &plain);
    decode(data, size, &reduced);
    if (vx_heap_read().live_bytes != before) abort();
    return 0;
}
