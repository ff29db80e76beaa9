#include "media/av_out.h"

#include <string.h>

enum { BUFFER_BYTES = 1 << 16 };

static void put_at(vx_av_out *out, uint64_t offset, const void *bytes, size_t count)
{
    if (out->status != VX_OK) return;
    if (out->write == NULL) {
        out->status = vx_outfile_write_at(&out->file, offset, bytes, count, &out->error);
        return;
    }
    if (out->write(out->arg, bytes, count) != 0)
        out->status = vx_fail(&out->error, VX_ERR_CANCELLED, "cancelled",
                              "whoever was given the bytes wants no more of them");
    out->written += count;
}

#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int write_bytes(void *opaque, const uint8_t *data, int size)
#else
static int write_bytes(void *opaque, uint8_t *data, int size)
#endif
{
    vx_av_out *out = opaque;
    put_at(out, out->position, data, (size_t)size);
    if (out->status != VX_OK) return AVERROR(EIO);
    out->position += (uint64_t)size;
    return size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    vx_av_out *out = opaque;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE) return (int64_t)out->file.written;
    if (whence == SEEK_CUR) offset += (int64_t)out->position;
    if (whence == SEEK_END) offset += (int64_t)out->file.written;
    if (offset < 0) return AVERROR(EINVAL);
    out->position = (uint64_t)offset;
    return offset;
}

vx_status vx_av_out_open(vx_av_out *out, const char *path, vx_av_write write, void *arg,
                         vx_error *err)
{
    *out = (vx_av_out){.write = write, .arg = arg};
    if (write == NULL) VX_TRY(vx_outfile_open(&out->file, path, err));
    uint8_t *buffer = av_malloc(BUFFER_BYTES);
    if (buffer != NULL)
        out->io = avio_alloc_context(buffer, BUFFER_BYTES, 1, out, NULL, write_bytes, seek_bytes);
    if (out->io == NULL) {
        av_free(buffer);
        vx_av_out_abort(out);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to write %s",
                       path != NULL ? path : "a stream");
    }
    if (!vx_av_out_seekable(out)) out->io->seekable = 0;
    return VX_OK;
}

bool vx_av_out_seekable(const vx_av_out *out)
{
    return out->write == NULL && out->file.seekable;
}

static vx_status result_of(const vx_av_out *out, vx_error *err)
{
    if (out->status != VX_OK && err != NULL) *err = out->error;
    return out->status;
}

vx_status vx_av_out_put(vx_av_out *out, const void *bytes, size_t count, vx_error *err)
{
    put_at(out, out->position, bytes, count);
    out->position += count;
    return result_of(out, err);
}

vx_status vx_av_out_put_at(vx_av_out *out, uint64_t offset, const void *bytes, size_t count,
                           vx_error *err)
{
    put_at(out, offset, bytes, count);
    return result_of(out, err);
}

static void release(vx_av_out *out)
{
    if (out->io != NULL) av_freep(&out->io->buffer);
    avio_context_free(&out->io);
}

vx_status vx_av_out_commit(vx_av_out *out, vx_error *err)
{
    release(out);
    return out->write == NULL ? vx_outfile_commit(&out->file, err) : VX_OK;
}

void vx_av_out_abort(vx_av_out *out)
{
    release(out);
    if (out->write == NULL) vx_outfile_abort(&out->file);
}
