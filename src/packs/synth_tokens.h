/* Tokenizers for synthetic packs whose own are not there: letters, digits and their combinations,
 * with ids that fit the model. Private to packs/synth.c. */
#ifndef VX_PACKS_SYNTH_TOKENS_H
#define VX_PACKS_SYNTH_TOKENS_H

#include <jansson.h>

#include "base/status.h"

/* CLIP's, as merges.txt with as many merges as the configuration's vocabulary has room for. */
vx_status vx_synth_clip_tokens(const json_t *config, const char *path, vx_error *err);
/* T5's, as a Unigram tokenizer.json. */
vx_status vx_synth_t5_tokens(const json_t *config, const char *path, vx_error *err);

#endif
