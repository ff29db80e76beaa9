/* T5's tokenizer: sentencepiece's unigram model with its compiled normalisation (nmt_nfkc).
 *
 * Text is normalised by the table in the model, runs of white space become one U+2581 with another
 * in front, and the segmentation of the highest summed score is found (Viterbi). A spiece.model
 * gives sentencepiece's ids, summed in 32-bit floats as it does; a tokenizer.json gives Hugging
 * Face's, summed in 64. The two agree but on exact ties. Not followed are two of Hugging Face's
 * habits: it normalises a cluster of combining characters at once, so that a rule may not reach
 * over two clusters, and it reads </s> spelt out in a text as the end; here it is text.
 *
 * Models: sentencepiece's spiece.model, and a Unigram tokenizer.json. */
#ifndef VX_TEXT_UNIGRAM_H
#define VX_TEXT_UNIGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { VX_UNIGRAM_TEXT_BYTES_MAX = 16384 }; /* of one prompt; bounds the time of a hostile one */

typedef struct vx_unigram vx_unigram;

/* VX_ERR_MISSING when there is no such file, VX_ERR_INPUT when it is neither format, broken or
 * another kind of tokenizer. *model is NULL on failure. */
vx_status vx_unigram_open(vx_unigram **model, const char *path, vx_error *err);
/* The same from memory; `name` stands in messages. */
vx_status vx_unigram_parse(vx_unigram **model, const char *name, const char *data, size_t bytes,
                           vx_error *err);
void vx_unigram_close(vx_unigram **model);

int32_t vx_unigram_end_id(const vx_unigram *model); /* 1 in T5 */
int32_t vx_unigram_size(const vx_unigram *model);   /* pieces */

typedef struct vx_unigram_ids {
    int32_t *ids; /* the caller's, `length` of them, all written */
    int length;   /* 1 or more; FLUX.1-schnell takes 256 */
    int count;    /* out: ids before the padding, the end included */
    int dropped;  /* out: pieces that did not fit; report it, the prompt was cut */
} vx_unigram_ids;

/* The text's pieces as far as they fit, the end, padding. No heap; uses the model's own workspace,
 * so one thread at a time. VX_ERR_INPUT when the text is not UTF-8 or longer than
 * VX_UNIGRAM_TEXT_BYTES_MAX, or four times that once normalised. */
vx_status vx_unigram_encode(vx_unigram *model, const char *text, size_t bytes, vx_unigram_ids *out,
                            vx_error *err);

#endif
