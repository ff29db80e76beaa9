/* Small safetensors files made in memory, for tests of what stands in them. */
#ifndef TESTS_SAFETENSORS_MAKE_H
#define TESTS_SAFETENSORS_MAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/source_impl.h"

typedef struct made {
    char header[1 << 14];
    unsigned char data[1 << 17];
    size_t header_bytes, data_bytes;
    unsigned char *file; /* of the last made_finish */
    size_t size;
} made;

static inline void made_start(made *m, const char *metadata)
{
    m->data_bytes = 0;
    m->header_bytes = (size_t)snprintf(
        m->header, sizeof m->header, "{%s%s%s", metadata != NULL ? "\"__metadata__\":" : "",
        metadata != NULL ? metadata : "", metadata != NULL ? "," : "");
}

/* A tensor of that type and shape ("[2,3]"); NULL data for zeroes. */
static inline void made_add(made *m, const char *name, const char *dtype, const char *shape,
                            const void *data, size_t bytes)
{
    assert_true(m->data_bytes + bytes <= sizeof m->data);
    m->header_bytes +=
        (size_t)snprintf(m->header + m->header_bytes, sizeof m->header - m->header_bytes,
                         "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]},", name,
                         dtype, shape, m->data_bytes, m->data_bytes + bytes);
    assert_true(m->header_bytes < sizeof m->header);
    if (data != NULL)
        memcpy(m->data + m->data_bytes, data, bytes);
    else
        memset(m->data + m->data_bytes, 0, bytes);
    m->data_bytes += bytes;
}

/* The file's bytes, at m->file until the caller frees them. */
static inline void made_finish(made *m)
{
    uint64_t length = m->header_bytes;
    m->header[m->header_bytes - 1] = '}'; /* in the last comma's place */
    m->size = 8 + m->header_bytes + m->data_bytes;
    m->file = malloc(m->size);
    memcpy(m->file, &length, 8);
    memcpy(m->file + 8, m->header, m->header_bytes);
    memcpy(m->file + 8 + m->header_bytes, m->data, m->data_bytes);
}

/* Opens what was added; free m->file after closing. */
static inline vx_source *made_open(made *m)
{
    vx_source *source;
    vx_error err = {0};
    made_finish(m);
    if (vx_source_open_memory(&source, m->file, m->size, "made", &err) != VX_OK)
        fail_msg("%s", err.message);
    return source;
}

static inline void made_write(made *m, const char *path)
{
    vx_error err = {0};
    made_finish(m);
    if (vx_file_write(path, m->file, m->size, &err) != VX_OK) fail_msg("%s", err.message);
    free(m->file);
}

#endif
