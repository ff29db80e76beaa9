/* CLIP vocabularies and texts from any bytes. The input up to the first zero byte is a vocabulary,
 * the rest a text; a text also goes through the vocabulary that is always there. */
#include <stdlib.h>
#include <string.h>

#include "text/clip_bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(vx_clip_bpe *bpe, const char *text, size_t bytes)
{
    int32_t ids[VX_CLIP_LENGTH];
    vx_clip_ids out = {.ids = ids, .length = VX_CLIP_LENGTH, .pad = VX_CLIP_PAD_END};
    vx_error err = {0};
    vx_status status = vx_clip_bpe_encode(bpe, text, bytes, &out, &err);
    if (status != VX_OK) {
        if (status != VX_ERR_INPUT || err.message[0] == '\0') abort();
        return;
    }
    if (out.count < 2 || out.count > VX_CLIP_LENGTH || ids[0] != vx_clip_bpe_start_id(bpe) ||
        ids[VX_CLIP_LENGTH - 1] != vx_clip_bpe_end_id(bpe))
        abort();
    for (int i = 0; i < VX_CLIP_LENGTH; i++)
        if (ids[i] < 0 || ids[i] >= vx_clip_bpe_size(bpe)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static vx_clip_bpe *small;
    static const char merges[] = "#version: 0.2\ni n\nt h\na n\nr e\na r\ne r\nth e</w>\n";
    if (small == NULL && vx_clip_bpe_parse(&small, "small", merges, sizeof merges - 1, NULL) != 0)
        abort();
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t split = zero != NULL ? (size_t)(zero - data) : size;
    const char *text = zero != NULL ? (const char *)zero + 1 : (const char *)data;
    size_t text_bytes = zero != NULL ? size - split - 1 : size;
    encode(small, text, text_bytes);
    vx_clip_bpe *bpe;
    vx_error err = {0};
    if (vx_clip_bpe_parse(&bpe, "fuzz", (const char *)data, split, &err) == VX_OK)
        encode(bpe, text, text_bytes);
    else if (err.message[0] == '\0')
        abort();
    vx_clip_bpe_close(&bpe);
    return 0;
}
