#include "formats/record.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source_impl.h"

struct vx_record {
    vx_source *source;
    vx_source_tensor **tensors; /* each a block of its own, so that pointers stay */
    int64_t count, room;
};

/* The smallest safetensors file: the length of its header, the header, and one byte. */
static const char small_file[] = "\x35\0\0\0\0\0\0\0"
                                 "{\"-\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";

static vx_status read_ones(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                           int64_t count, float *dst, vx_error *err)
{
    (void)source, (void)tensor, (void)first, (void)err;
    for (int64_t i = 0; i < count; i++)
        dst[i] = 1;
    return VX_OK;
}

static const vx_source_reader ones = {.read = read_ones};

vx_status vx_record_open(vx_record **out, vx_error *err)
{
    vx_record *r = *out = vx_heap_alloc(sizeof *r);
    if (r == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a list of tensors");
    vx_status status =
        vx_source_open_memory(&r->source, small_file, sizeof small_file, "(no file)", err);
    if (status != VX_OK) vx_record_close(out);
    return status;
}

void vx_record_close(vx_record **record)
{
    vx_record *r = *record;
    if (r == NULL) return;
    for (int64_t i = 0; i < r->count; i++) {
        vx_heap_free((char *)r->tensors[i]->name);
        vx_heap_free(r->tensors[i]);
    }
    vx_heap_free(r->tensors);
    vx_source_close(&r->source);
    vx_heap_free(r);
    *record = NULL;
}

static vx_source_tensor *find(const vx_record *r, const char *name)
{
    for (int64_t i = 0; i < r->count; i++)
        if (strcmp(r->tensors[i]->name, name) == 0) return r->tensors[i];
    return NULL;
}

static vx_source_tensor *add(vx_record *r, const char *name)
{
    if (r->count == r->room) {
        int64_t wanted = r->room == 0 ? 256 : 2 * r->room;
        vx_source_tensor **grown = vx_heap_grow(r->tensors, (size_t)wanted * sizeof(void *));
        if (grown == NULL) return NULL;
        r->tensors = grown;
        r->room = wanted;
    }
    vx_source_tensor *tensor = vx_heap_alloc(sizeof *tensor);
    char *copy = vx_heap_text(name, strlen(name));
    if (tensor == NULL || copy == NULL) {
        vx_heap_free(tensor);
        vx_heap_free(copy);
        return NULL;
    }
    *tensor = (vx_source_tensor){.name = copy, .dtype = VX_F32, .rank = -1, .private = &ones};
    r->tensors[r->count++] = tensor;
    return tensor;
}

const vx_source_tensor *vx_record_ask(vx_record *r, const char *name, int rank, const int64_t *dim)
{
    vx_source_tensor *tensor = find(r, name);
    if (tensor == NULL) tensor = add(r, name);
    if (tensor == NULL || rank < 0) return tensor;
    tensor->rank = 0;
    tensor->elements = 1;
    for (int i = 0; i < VX_SOURCE_RANK_MAX; i++)
        tensor->dim[i] = 1;
    for (int i = 0; i < rank; i++) {
        assert(dim[i] > 0 && tensor->rank < VX_SOURCE_RANK_MAX);
        tensor->elements *= dim[i];
        if (dim[i] > 1) tensor->dim[tensor->rank++] = dim[i];
    }
    if (tensor->rank == 0) tensor->rank = 1;
    tensor->bytes = (uint64_t)tensor->elements * sizeof(float);
    return tensor;
}

const vx_source *vx_record_source(const vx_record *r)
{
    return r->source;
}

int64_t vx_record_count(const vx_record *r)
{
    return r->count;
}

const vx_source_tensor *vx_record_at(const vx_record *r, int64_t index)
{
    assert(index >= 0 && index < r->count);
    return r->tensors[index];
}
