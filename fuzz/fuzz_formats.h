/* What the format fuzzers share: open from memory, and when that works read every tensor and every
 * key to the end, in pieces. An input that another format's magic claims goes there too: the opener
 * is part of what is tested. */
#ifndef FUZZ_FORMATS_H
#define FUZZ_FORMATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/source_impl.h"

static inline void fuzz_read(const vx_source *source, const vx_source_tensor *tensor)
{
    /* GGUF's blocks of 256 want whole ones; others are read from odd places too. */
    enum { STEP = 768, MOST = 64 * STEP };
    float values[STEP];
    int64_t block = tensor->private == NULL ? vx_dtype_block(tensor->dtype) : 1;
    int64_t step = block == 1 ? 97 : STEP;
    if (vx_source_usable(source, tensor, NULL) != VX_OK) return;
    for (int64_t at = 0; at < tensor->elements && at < MOST; at += step) {
        int64_t count = tensor->elements - at < step ? tensor->elements - at : step;
        if (vx_source_read(source, tensor, at, count, values, NULL) != VX_OK) abort();
    }
    int64_t last = tensor->elements - block;
    if (last >= 0 && vx_source_read(source, tensor, last, block, values, NULL) != VX_OK) abort();
    vx_source_release(source, tensor);
}

static inline void fuzz_meta(const vx_source_meta *meta)
{
    volatile double sum = 0;
    for (int64_t i = 0; i < meta->count && i < 4096; i++) {
        size_t bytes = 0;
        if (meta->kind == VX_META_TEXT) {
            const char *text = vx_meta_text(meta, i, &bytes);
            for (size_t j = 0; j < bytes; j++)
                sum = sum + text[j];
        } else {
            sum = sum + vx_meta_float(meta, i);
        }
    }
}

static inline int fuzz_source(const uint8_t *data, size_t size)
{
    vx_source *source;
    vx_error err = {0};
    vx_status status = vx_source_open_memory(&source, data, size, "fuzz", &err);
    if (status != VX_OK) {
        if (source != NULL || err.message[0] == '\0' || status != err.status) abort();
        return 0;
    }
    for (int64_t i = 0; i < vx_source_count(source); i++) {
        const vx_source_tensor *tensor = vx_source_at(source, i);
        if (vx_source_find(source, tensor->name) != tensor) abort();
        fuzz_read(source, tensor);
    }
    if (vx_source_check(source, &err) != VX_OK && err.message[0] == '\0') abort();
    for (int64_t i = 0; i < vx_source_meta_count(source); i++)
        fuzz_meta(vx_source_meta_at(source, i));
    vx_source_close(&source);
    return 0;
}

#endif
