/* Verification: does the picture show what was asked?
 *
 * Both CLIPs look at five key frames and at the prompt. CLIPScore (Hessel et al. 2021) is
 * 2.5·max(cos, 0) per model, a film's score the mean over its frames; the ensemble is 0.4·B +
 * 0.6·L. A prompt passes when B and L reach their thresholds; it is an outlier when they differ by
 * more than the pack allows. */
#ifndef VX_SLOT_VERIFY_H
#define VX_SLOT_VERIFY_H

#include <jansson.h>

#include "slot/part.h"
#include "media/image.h"

typedef struct vx_thresholds {
    double b, l, outlier;
} vx_thresholds;

typedef struct vx_score {
    double b, l, ensemble;
    double
        logit; /* 100·(0.4·cos_B + 0.6·cos_L), not clipped: what the softmax over prompts takes */
    bool pass, outlier;
} vx_score;

typedef struct vx_verifier vx_verifier;

/* Opens the tokenizers and takes all memory that scoring needs, for frames up to max_side pixels.
 * The engine must have both CLIPs (VX_WANT_VERIFY). */
vx_status vx_verifier_open(vx_verifier **verifier, vx_engine *engine, int max_side, vx_error *err);
void vx_verifier_close(vx_verifier **verifier); /* safe on NULL; sets NULL */

/* Shows 1 to VX_KEY_FRAMES frames, any size within max_side; pixels are read, not kept. Their
 * embeddings stand until the next call. */
vx_status vx_verifier_show(vx_verifier *verifier, vx_ctx *ctx, const vx_picture *frames, int count);

/* Scores a prompt against the frames shown. A prompt longer than the tower is cut, and the log says
 * what was. VX_ERR_INPUT for an empty one or one that is no UTF-8. */
vx_status vx_verifier_score(vx_verifier *verifier, vx_ctx *ctx, const char *prompt,
                            const vx_thresholds *thresholds, vx_score *score);

/* The normalised mean of the shown frames' embeddings, of length *width; valid
 * until the next show. */
const float *vx_verifier_embedding(const vx_verifier *verifier, vx_component which, int *width);

/* Shares of each logit in the softmax over all of them. */
void vx_score_softmax(const vx_score *scores, int count, double *share);

#endif
