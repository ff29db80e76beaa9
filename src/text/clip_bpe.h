/* CLIP's tokenizer: byte-level BPE (OpenAI CLIP, simple_tokenizer.py) with the text rules of
 * Hugging Face's fast tokenizer, whose ids it gives exactly: NFC, lower case, words split at white
 * space into letters, single digits, English contractions and the rest. No HTML unescaping and no
 * mending of broken encodings, which OpenAI's own script does beforehand.
 *
 * Vocabularies: OpenAI's bpe_simple_vocab_16e6.txt.gz (or unpacked), Hugging Face's merges.txt, and
 * tokenizer.json. The first two hold merges alone; ids follow from their order: 256 bytes, the same
 * at the end of a word, one for each merge, then start and end of text. */
#ifndef VX_TEXT_CLIP_BPE_H
#define VX_TEXT_CLIP_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    VX_CLIP_LENGTH = 77,            /* positions of the published text towers */
    VX_CLIP_TEXT_BYTES_MAX = 16384, /* of one prompt; bounds the time of a hostile one */
    VX_CLIP_PAD_END = -1            /* pad with the end-of-text id, as Hugging Face does */
};

typedef struct vx_clip_bpe vx_clip_bpe;

/* VX_ERR_MISSING when there is no such file, VX_ERR_INPUT when it is none of the formats, broken or
 * another kind of tokenizer. *bpe is NULL on failure. */
vx_status vx_clip_bpe_open(vx_clip_bpe **bpe, const char *path, vx_error *err);
/* The same from memory; `name` stands in messages. */
vx_status vx_clip_bpe_parse(vx_clip_bpe **bpe, const char *name, const char *data, size_t bytes,
                            vx_error *err);
void vx_clip_bpe_close(vx_clip_bpe **bpe);

int32_t vx_clip_bpe_start_id(const vx_clip_bpe *bpe); /* 49406 in the published vocabulary */
int32_t vx_clip_bpe_end_id(const vx_clip_bpe *bpe);   /* 49407 */
int32_t vx_clip_bpe_size(const vx_clip_bpe *bpe);     /* one more than the highest id */

typedef struct vx_clip_ids {
    int32_t *ids; /* the caller's, `length` of them, all written */
    int length;   /* 2 or more: the tower's positions */
    int32_t pad;  /* what follows the end of text: an id, or VX_CLIP_PAD_END */
    int count;    /* out: ids before the padding, start and end included */
    int dropped;  /* out: tokens that did not fit; report it, the prompt was cut */
} vx_clip_ids;

/* Start of text, the text's tokens as far as they fit, end of text, padding. No heap; uses the
 * tokenizer's own workspace, so one thread at a time. VX_ERR_INPUT when the text is not UTF-8 or
 * longer than VX_CLIP_TEXT_BYTES_MAX. */
vx_status vx_clip_bpe_encode(vx_clip_bpe *bpe, const char *text, size_t bytes, vx_clip_ids *out,
                             vx_error *err);

#endif
