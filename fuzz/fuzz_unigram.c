/* Unigram models and texts from any bytes. The last 64 bytes of the input are a text, what is
 * before it a model. */
#include <stdlib.h>
#include <string.h>

#include "text/unigram.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LENGTH = 32, TEXT = 64 };
    size_t text_bytes = size < TEXT ? size : TEXT;
    const char *text = (const char *)data + size - text_bytes;
    vx_unigram *model;
    vx_error err = {0};
    vx_status status =
        vx_unigram_parse(&model, "fuzz", (const char *)data, size - text_bytes, &err);
    if (status != VX_OK) {
        if (model != NULL || err.message[0] == '\0') abort();
        return 0;
    }
    int32_t ids[LENGTH];
    vx_unigram_ids out = {.ids = ids, .length = LENGTH};
    status = vx_unigram_encode(model, text, text_bytes, &out, &err);
    if (status == VX_OK) {
        if (out.count < 1 || out.count > LENGTH) abort();
        if (ids[out.count - 1] != vx_unigram_end_id(model)) abort();
        for (int i = 0; i < LENGTH; i++)
            if (ids[i] < 0 || ids[i] >= vx_unigram_size(model)) abort();
    } else if (vx_utf8_valid(text, text_bytes, NULL) && strcmp(err.code, "prompt_too_long") != 0) {
        abort();
    }
    vx_unigram_close(&model);
    return 0;
}
