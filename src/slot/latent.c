#include "slot/latent.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source.h"

static vx_status read_values(const char *path, const vx_source_tensor *t, vx_source *file,
                             float *latent, vx_error *err)
{
    VX_TRY(vx_source_read(file, t, 0, t->elements, latent, err));
    for (int64_t i = 0; i < t->elements; i++)
        if (!isfinite(latent[i]))
            return vx_fail_at(err, VX_ERR_INPUT, "bad_noise", path, 0,
                              "%s holds a value that is not finite at element %lld", path,
                              (long long)i);
    return VX_OK;
}

static vx_status read_file(const char *path, const vx_actor_size *size, vx_source *file,
                           float **latent, vx_error *err)
{
    const vx_source_tensor *t = vx_source_at(file, 0);
    const int64_t want[3] = {size->z, size->rows, size->cols};
    bool fits = strcmp(vx_source_format(file), "npy") == 0 && t->rank >= 3;
    for (int i = 0; i < t->rank && fits; i++)
        fits = t->dim[i] == (i < t->rank - 3 ? 1 : want[i - t->rank + 3]);
    if (!fits)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_noise", path, 0,
                          "%s must be an NPY array of shape [%d,%d,%d] for a picture of %dx%d",
                          path, size->z, size->rows, size->cols, size->width, size->height);
    *latent = vx_heap_alloc(sizeof **latent * (size_t)t->elements);
    if (*latent == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the noise");
    return read_values(path, t, file, *latent, err);
}

vx_status vx_latent_read(const char *path, const vx_actor_size *size, float **latent, vx_error *err)
{
    vx_source *file;
    *latent = NULL;
    VX_TRY(vx_source_open(&file, path, err));
    vx_status status = read_file(path, size, file, latent, err);
    vx_source_close(&file);
    if (status == VX_OK) return VX_OK;
    vx_heap_free(*latent);
    *latent = NULL;
    return status;
}
