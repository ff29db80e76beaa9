/* Conversion between weight files and element types.
 *
 *     to          file          what becomes of the tensors
 *     f32 f16 bf16  either      every float tensor takes that type; GGUF keeps vectors in f32
 *     q8_0 q4_0     .gguf       matrices are quantised; vectors become f32
 *     nf4           .safetensors  matrices are quantised in bitsandbytes' layout: blocks of 64,
 *                               scales quantised too (blocks of 256)
 *
 * A matrix is a tensor of two dimensions that is no embedding table, judged by the last part of its
 * name (…embedding, …embeddings, …embd, …embed_tokens, shared, relative_attention_bias,
 * attn_rel_b): rows of tables are looked up, one at a time, and lose more than they save. q8_0 and
 * q4_0 want rows of whole blocks of 32; nf4 wants a name that ends in ".weight", as a linear
 * layer's. What is not quantised keeps its values: f32, f16 and bf16 as stored, other floats as
 * f32. Integers and booleans are copied.
 *
 * The input is any file that vx_source_open reads, quantised ones included; scales beside a weight
 * are applied, and what vx_source_check or vx_source_usable refuses is refused. Values that the
 * wanted type cannot express (infinities, NaN; in f16 anything beyond 65504) are refused by name.
 * Metadata is kept where both formats can hold it. */
#ifndef VX_FORMATS_CONVERT_H
#define VX_FORMATS_CONVERT_H

#include "base/cancel.h"
#include "formats/source.h"

typedef struct vx_convert_params {
    const char *in, *out; /* out's format by its extension: .safetensors or .gguf */
    vx_dtype to;          /* f32 f16 bf16 q8_0 q4_0 nf4 */
    vx_cancel *cancel;    /* may be NULL */
    void (*progress)(void *arg, double share); /* 0..1, may be NULL */
    void *progress_arg;
} vx_convert_params;

typedef struct vx_convert_report {
    int64_t tensors;   /* of the input, quantised weights counted once */
    int64_t quantised; /* of them */
    uint64_t bytes;    /* of the output file */
} vx_convert_report;

/* `out` is whole or untouched. VX_ERR_USAGE for a type and extension that don't go together,
 * VX_ERR_INPUT for what is wrong with the input, VX_ERR_IO when writing fails, VX_ERR_CANCELLED.
 * *report (may be NULL) is valid on success. */
vx_status vx_convert(const vx_convert_params *params, vx_convert_report *report, vx_error *err);

/* Whether the rule above quantises that tensor. */
bool vx_convert_quantises(vx_dtype to, const vx_source_tensor *tensor);

#endif
