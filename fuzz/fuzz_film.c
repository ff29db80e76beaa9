/* Films from any bytes: each frame has the size that was said, refusals are sentences, and nothing is left. */
#include "base/mem.h"
#include "fuzz_media.h"
#include "media/video.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Frames that are looked at: a film of ten minutes is no finding. */
enum { FRAMES = 8 };

static vx_status watch(vx_video *video, vx_error *err)
{
    const vx_video_info *info = vx_video_about(video);
    if (info->width < 1 || info->height < 1 || info->frames < 1 || info->fps_num < 1 ||
        info->fps_den < 1 || info->frames > 60 * (VX_FILM_SECONDS_MAX + 2) + VX_FILM_FRAMES_MAX)
        abort();
    for (int i = 0; i < FRAMES; i++) {
        vx_picture frame;
        bool ended;
        VX_TRY(vx_video_next(video, &frame, NULL, &ended, err));
        if (ended) break;
        if (frame.width != info->width || frame.height != info->height) abort();
    }
    return VX_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vx_video *video;
    vx_error err = {0};
    int64_t before = vx_heap_read().live_bytes;
    vx_status status = vx_video_open(&video, fuzz_file(data, size), NULL, &err);
    if (status == VX_OK) status = vx_video_pace(video, size % 3 == 0 ? 25 : 0, 1, &err);
    if (status == VX_OK) status = watch(video, &err);
    if (status != VX_OK) fuzz_refused(status, &err);
    vx_video_close(&video);
    if (vx_heap_read().live_bytes != before) abort();
    return 0;
}
