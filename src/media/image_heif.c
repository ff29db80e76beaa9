/* libheif's interface as its 1.15 header declares it (libheif/heif.h); later versions keep it. */
#include "media/image_heif.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "media/image_convert.h"

typedef struct heif_error {
    int code, subcode;
    const char *message;
} heif_error;

/* Values of its enums. */
enum {
    HEIF_UNSUPPORTED_FEATURE = 4,
    HEIF_UNSUPPORTED_CODEC = 3000,
    HEIF_PLUGIN_LOADING = 11,
    HEIF_COLORSPACE_RGB = 1,
    HEIF_CHROMA_RGB = 10,
    HEIF_CHROMA_RGBA = 11,
    HEIF_CHANNEL_INTERLEAVED = 10
};
/* What libheif 1.15 was measured to take for a pixel: the decoder's picture,
 * its copy, and the RGB. */
enum { DECODER_BYTES = 9 };
#define HEIF_VERSION_MIN 0x010F0000u /* 1.15.0 */

typedef struct heif_library {
    void *handle;
    uint32_t (*get_version_number)(void);
    void *(*context_alloc)(void);
    void (*context_free)(void *context);
    void (*context_set_maximum_image_size_limit)(void *context, int side);
    heif_error (*context_read_from_memory_without_copy)(void *context, const void *data,
                                                        size_t bytes, const void *options);
    heif_error (*context_get_primary_image_handle)(void *context, void **handle);
    int (*image_handle_get_width)(const void *handle);
    int (*image_handle_get_height)(const void *handle);
    int (*image_handle_has_alpha_channel)(const void *handle);
    void (*image_handle_release)(const void *handle);
    heif_error (*decode_image)(const void *handle, void **image, int colorspace, int chroma,
                               const void *options);
    int (*image_get_primary_width)(const void *image);
    int (*image_get_primary_height)(const void *image);
    const uint8_t *(*image_get_plane_readonly)(const void *image, int channel, int *stride);
    void (*image_release)(const void *image);
} heif_library;

static heif_library library;

static void load(void)
{
    static const struct {
        const char *name;
        size_t offset;
    } calls[] = {
#define CALL(name) {"heif_" #name, offsetof(heif_library, name)}
        CALL(get_version_number),
        CALL(context_alloc),
        CALL(context_free),
        CALL(context_set_maximum_image_size_limit),
        CALL(context_read_from_memory_without_copy),
        CALL(context_get_primary_image_handle),
        CALL(image_handle_get_width),
        CALL(image_handle_get_height),
        CALL(image_handle_has_alpha_channel),
        CALL(image_handle_release),
        CALL(decode_image),
        CALL(image_get_primary_width),
        CALL(image_get_primary_height),
        CALL(image_get_plane_readonly),
        CALL(image_release),
#undef CALL
    };
    library.handle = dlopen("libheif.so.1", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof calls / sizeof *calls && library.handle != NULL; i++) {
        void *call = dlsym(library.handle, calls[i].name);
        if (call == NULL) library.handle = NULL; /* older than what is needed */
        memcpy((char *)&library + calls[i].offset, &call, sizeof call);
    }
    if (library.handle != NULL && library.get_version_number() < HEIF_VERSION_MIN)
        library.handle = NULL;
}

static bool is_avif(const void *data)
{
    return memcmp((const char *)data + 8, "avi", 3) == 0;
}

static vx_status fail_heif(heif_error error, const void *data, const char *name, vx_error *err)
{
    bool missing = error.code == HEIF_PLUGIN_LOADING || (error.code == HEIF_UNSUPPORTED_FEATURE &&
                                                         error.subcode == HEIF_UNSUPPORTED_CODEC);
    if (missing)
        return vx_fail_at(
            err, VX_ERR_MISSING, "no_decoder", name, 0,
            "libheif has no decoder for %s: %s; install %s, or save the picture as PNG", name,
            error.message, is_avif(data) ? "libheif-plugin-dav1d" : "libheif-plugin-libde265");
    return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                      "the image %s is broken: %s; save it again as PNG", name, error.message);
}

/* Decodes and hands over row by row. */
static vx_status take(const void *handle, vx_picture *picture, const void *data, const char *name,
                      vx_image_reading *reading, bool *blended, vx_error *err)
{
    bool clear = library.image_handle_has_alpha_channel(handle) != 0;
    int channels = clear ? 4 : 3, stride;
    int width = library.image_handle_get_width(handle);
    int height = library.image_handle_get_height(handle);
    size_t pixels = width > 0 && height > 0 ? (size_t)width * (size_t)height : 0;
    if (reading->heap_max > 0 && pixels > reading->heap_max / DECODER_BYTES)
        return vx_fail_at(
            err, VX_ERR_INPUT, "bad_image", name, 0,
            "the image %s is %dx%d, more than the plan has room for to decode HEIC or "
            "AVIF; make it smaller, or save it as JPEG",
            name, width, height);
    if (pixels == 0 || width > VX_IMAGE_SIDE_MAX || height > VX_IMAGE_SIDE_MAX ||
        pixels * (size_t)channels > VX_IMAGE_DECODED_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is %dx%d, and sides may be at most %d and pixels %d "
                          "million; make it smaller",
                          name, width, height, VX_IMAGE_SIDE_MAX,
                          (int)(VX_IMAGE_DECODED_MAX / (size_t)channels / 1000000));
    void *image = NULL;
    heif_error error = library.decode_image(handle, &image, HEIF_COLORSPACE_RGB,
                                            clear ? HEIF_CHROMA_RGBA : HEIF_CHROMA_RGB, NULL);
    if (error.code != 0) return fail_heif(error, data, name, err);
    const uint8_t *plane =
        library.image_get_plane_readonly(image, HEIF_CHANNEL_INTERLEAVED, &stride);
    vx_image_sink sink;
    vx_status status = VX_OK;
    if (plane == NULL || library.image_get_primary_width(image) != width ||
        library.image_get_primary_height(image) != height)
        status =
            fail_heif((heif_error){.message = "its size is not what it says"}, data, name, err);
    else
        status = vx_image_sink_open(&sink, picture, width, height, 1, reading->side_max,
                                    reading->background, name, err);
    if (status == VX_OK) {
        uint8_t alpha[VX_IMAGE_SIDE_MAX];
        for (int y = 0; y < height; y++) {
            const uint8_t *from = plane + (ptrdiff_t)y * stride;
            for (int x = 0; x < width; x++, from += channels) {
                memcpy(sink.line + (ptrdiff_t)3 * x, from, 3);
                alpha[x] = clear ? from[3] : 255;
            }
            vx_image_sink_row(&sink, y, clear ? alpha : NULL);
        }
        *blended = sink.blended;
        vx_image_say_size(reading, width, height, 1);
        vx_image_sink_close(&sink);
    }
    library.image_release(image);
    return status;
}

vx_status vx_heif_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                         vx_image_reading *reading, bool *blended, vx_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (library.handle == NULL)
        return vx_fail_at(
            err, VX_ERR_MISSING, "no_decoder", name, 0,
            "%s is HEIC or AVIF, which needs libheif 1.15 or later; install libheif1, "
            "or save the picture as PNG",
            name);
    void *context = library.context_alloc(), *handle = NULL;
    if (context == NULL)
        return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", name, 0,
                          "not enough memory to read %s; free some memory", name);
    library.context_set_maximum_image_size_limit(context, VX_IMAGE_SIDE_MAX);
    heif_error error = library.context_read_from_memory_without_copy(context, data, bytes, NULL);
    if (error.code == 0) error = library.context_get_primary_image_handle(context, &handle);
    vx_status status = error.code != 0 ? fail_heif(error, data, name, err)
                                       : take(handle, picture, data, name, reading, blended, err);
    if (handle != NULL) library.image_handle_release(handle);
    library.context_free(context);
    return status;
}
