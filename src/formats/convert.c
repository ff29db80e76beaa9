#include "formats/convert.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/nf4_file.h"
#include "formats/source_impl.h"

/* Elements that pass at a time: a multiple of every block. 4 MB of floats. */
enum { CHUNK = 1 << 20 };

typedef struct conversion {
    const vx_convert_params *params;
    vx_source *source;
    vx_writer *writer;
    vx_writer_format format;
    float *chunk;
    uint8_t *codes;     /* of one chunk in NF4 */
    double total, done; /* elements, for progress */
    vx_convert_report report;
    vx_error *err;
} conversion;

/* ---- which type a tensor gets */

static bool is_float(vx_dtype dtype)
{
    switch (dtype) {
    case VX_I8:
    case VX_U8:
    case VX_I16:
    case VX_I32:
    case VX_I64:
    case VX_BOOL:
        return false;
    default:
        return true;
    }
}

static bool ends_with(const char *text, size_t length, const char *tail)
{
    size_t tail_length = strlen(tail);
    return length >= tail_length && memcmp(text + length - tail_length, tail, tail_length) == 0;
}

static bool is_embedding(const char *name)
{
    static const char *const tails[] = {"embedding", "embeddings", "embd", "embed_tokens"};
    static const char *const words[] = {"shared", "relative_attention_bias", "attn_rel_b"};
    size_t length = strlen(name);
    if (ends_with(name, length, ".weight")) length -= strlen(".weight");
    size_t start = length;
    while (start > 0 && name[start - 1] != '.')
        start--;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (ends_with(name + start, length - start, tails[i])) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (length - start == strlen(words[i]) && ends_with(name + start, length - start, words[i]))
            return true;
    return false;
}

bool vx_convert_quantises(vx_dtype to, const vx_source_tensor *t)
{
    if (to != VX_Q8_0 && to != VX_Q4_0 && to != VX_NF4) return false;
    if (t->rank != 2 || t->elements == 0 || !is_float(t->dtype) || is_embedding(t->name))
        return false;
    if (to == VX_NF4) return ends_with(t->name, strlen(t->name), ".weight");
    return t->dim[1] % vx_dtype_block(to) == 0;
}

static bool is_quantised(const conversion *c, const vx_source_tensor *t)
{
    return vx_convert_quantises(c->params->to, t);
}

/* The type in the output; for NF4's packed codes the logical one. */
static vx_dtype output_type(const conversion *c, const vx_source_tensor *t)
{
    vx_dtype to = c->params->to;
    if (!is_float(t->dtype)) return t->dtype;
    if (is_quantised(c, t)) return to;
    if (c->format == VX_WRITE_GGUF && t->rank <= 1) return VX_F32;
    if (to == VX_F32 || to == VX_F16 || to == VX_BF16) return to;
    return t->dtype == VX_F16 || t->dtype == VX_BF16 ? t->dtype : VX_F32;
}

/* ---- declaring */

/* bitsandbytes records the dtype that the weight had. */
static vx_dtype recorded_type(const vx_source_tensor *t)
{
    return t->dtype == VX_F16 || t->dtype == VX_BF16 ? t->dtype : VX_F32;
}

static vx_status declare_metadata(conversion *c)
{
    bool from_gguf = strcmp(vx_source_format(c->source), "gguf") == 0;
    bool has_format = false;
    for (int64_t i = 0; i < vx_source_meta_count(c->source); i++) {
        const vx_source_meta *meta = vx_source_meta_at(c->source, i);
        /* What describes the encoding is ours to say. */
        if (strcmp(meta->key, "general.alignment") == 0 ||
            strcmp(meta->key, "general.file_type") == 0 ||
            strcmp(meta->key, "general.quantization_version") == 0 ||
            strcmp(meta->key, VX_QUANTISATION_KEY) == 0)
            continue;
        if (c->format == VX_WRITE_GGUF && from_gguf) {
            VX_TRY(vx_writer_copy_meta(c->writer, meta, c->err));
        } else if (meta->kind == VX_META_TEXT && !meta->array && !from_gguf) {
            size_t bytes;
            const char *text = vx_meta_text(meta, 0, &bytes);
            VX_TRY(vx_writer_text(c->writer, meta->key, text, bytes, c->err));
            has_format = has_format || strcmp(meta->key, "format") == 0;
        }
    }
    if (c->format == VX_WRITE_SAFETENSORS) /* transformers wants to know whose arrays these are */
        return has_format ? VX_OK : vx_writer_text(c->writer, "format", "pt", 2, c->err);
    /* llama.cpp's numbers: LLAMA_FTYPE_* and GGML_QNT_VERSION. */
    uint32_t file_type = c->params->to == VX_F32    ? 0
                         : c->params->to == VX_F16  ? 1
                         : c->params->to == VX_Q4_0 ? 2
                         : c->params->to == VX_Q8_0 ? 7
                                                    : 32;
    VX_TRY(vx_writer_u32(c->writer, "general.file_type", file_type, c->err));
    return vx_writer_u32(c->writer, "general.quantization_version", 2, c->err);
}

static vx_status declare_all(conversion *c)
{
    VX_TRY(declare_metadata(c));
    for (int64_t i = 0; i < vx_source_count(c->source); i++) {
        const vx_source_tensor *t = vx_source_at(c->source, i);
        vx_dtype dtype = output_type(c, t);
        VX_TRY(vx_source_usable(c->source, t, c->err));
        if (!is_float(t->dtype) && t->private != NULL)
            return vx_fail_at(
                c->err, VX_ERR_INPUT, "cannot_hold", c->params->in, 0,
                "the integers of \"%s\" do not lie in row order; save them contiguous", t->name);
        VX_TRY(dtype == VX_NF4
                   ? vx_nf4_declare(c->writer, t->name, t->elements, c->err)
                   : vx_writer_declare(c->writer, t->name, dtype, t->rank, t->dim, c->err));
        c->report.tensors++;
        c->report.quantised += is_quantised(c, t);
        c->total += (double)t->elements;
    }
    return VX_OK;
}

/* ---- data */

/* The largest magnitude that a type expresses: f16 rounds 65520 and more to infinity, and the
 * blocks of q8_0 and q4_0 have their scale in f16. Infinity where everything goes. */
static float largest_value(vx_dtype dtype)
{
    switch (dtype) {
    case VX_F16:
        return 65519.996f;
    case VX_Q8_0:
        return 65504.0f * 127;
    case VX_Q4_0:
        return 65504.0f * 8;
    case VX_NF4:
        return FLT_MAX;
    default:
        return INFINITY;
    }
}

static vx_status check_values(const conversion *c, const vx_source_tensor *t, vx_dtype dtype,
                              int64_t first, int64_t count)
{
    float most = largest_value(dtype);
    const vx_source_reader *reader = t->private;
    bool as_stored = dtype == t->dtype && (reader == NULL || !reader->computed);
    if (most == INFINITY || as_stored) return VX_OK;
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(c->chunk[i]) <= most)) /* NaN too */
            return vx_fail_at(c->err, VX_ERR_INPUT, "cannot_hold", c->params->in, 0,
                              "tensor \"%s\" holds %g at element %lld, which %s cannot express; "
                              "convert to bf16 or f32",
                              t->name, (double)c->chunk[i], (long long)first + i,
                              vx_dtype_name(dtype));
    return VX_OK;
}

/* Reads the next chunk and checks it. *count is 0 at the end. */
static vx_status next_chunk(conversion *c, const vx_source_tensor *t, vx_dtype dtype, int64_t first,
                            int64_t *count)
{
    *count = t->elements - first < CHUNK ? t->elements - first : CHUNK;
    if (*count == 0) return VX_OK;
    if (vx_cancelled(c->params->cancel))
        return vx_fail(c->err, VX_ERR_CANCELLED, "cancelled", "the conversion was cancelled");
    VX_TRY(vx_source_read(c->source, t, first, *count, c->chunk, c->err));
    VX_TRY(check_values(c, t, dtype, first, *count));
    c->done += (double)*count;
    if (c->params->progress != NULL)
        c->params->progress(c->params->progress_arg, c->done / c->total);
    return VX_OK;
}

static vx_status write_floats(conversion *c, const vx_source_tensor *t)
{
    vx_dtype dtype = output_type(c, t);
    int64_t count;
    for (int64_t first = 0;; first += count) {
        VX_TRY(next_chunk(c, t, dtype, first, &count));
        if (count == 0) return VX_OK;
        VX_TRY(vx_writer_floats(c->writer, c->chunk, count, c->err));
    }
}

static vx_status write_scales(conversion *c, const vx_source_tensor *t, const float *scales)
{
    int64_t blocks = vx_nf4_blocks(t->elements), groups = vx_nf4_groups(t->elements);
    uint8_t *codes = vx_heap_alloc((size_t)blocks);
    float *nested = vx_heap_alloc((size_t)groups * sizeof *nested);
    vx_status status = VX_ERR_MEMORY;
    if (codes != NULL && nested != NULL) {
        float offset = vx_nf4_scales_encode(scales, blocks, codes, nested);
        status =
            vx_nf4_write_scales(c->writer, t->dim, recorded_type(t), codes, nested, offset, c->err);
    } else {
        vx_fail(c->err, VX_ERR_MEMORY, "no_memory", "not enough memory for the scales of \"%s\"",
                t->name);
    }
    vx_heap_free(codes);
    vx_heap_free(nested);
    return status;
}

static vx_status write_nf4(conversion *c, const vx_source_tensor *t)
{
    float *scales = vx_heap_alloc((size_t)vx_nf4_blocks(t->elements) * sizeof *scales);
    if (scales == NULL)
        return vx_fail(c->err, VX_ERR_MEMORY, "no_memory",
                       "not enough memory for the scales of \"%s\"", t->name);
    vx_status status = VX_OK;
    int64_t count;
    for (int64_t first = 0; status == VX_OK; first += count) {
        status = next_chunk(c, t, VX_NF4, first, &count);
        if (status != VX_OK || count == 0) break;
        for (int64_t i = 0; i < count; i += VX_NF4_BLOCK) {
            int64_t some = count - i < VX_NF4_BLOCK ? count - i : VX_NF4_BLOCK;
            scales[(first + i) / VX_NF4_BLOCK] =
                vx_nf4_encode(c->chunk + i, some, c->codes + i / 2);
        }
        status = vx_writer_bytes(c->writer, c->codes, (size_t)(count + 1) / 2, c->err);
    }
    if (status == VX_OK) status = write_scales(c, t, scales);
    vx_heap_free(scales);
    return status;
}

static vx_status write_all(conversion *c)
{
    for (int64_t i = 0; i < vx_source_count(c->source); i++) {
        const vx_source_tensor *t = vx_source_at(c->source, i);
        if (!is_float(t->dtype)) {
            VX_TRY(vx_writer_bytes(c->writer, t->data, (size_t)t->bytes, c->err));
            c->done += (double)t->elements;
        } else if (output_type(c, t) == VX_NF4) {
            VX_TRY(write_nf4(c, t));
        } else {
            VX_TRY(write_floats(c, t));
        }
        vx_source_release(c->source, t);
    }
    return VX_OK;
}

/* ---- the whole */

static vx_status choose_format(const vx_convert_params *params, vx_writer_format *format,
                               vx_error *err)
{
    size_t length = strlen(params->out);
    bool gguf = ends_with(params->out, length, ".gguf");
    if (!gguf && !ends_with(params->out, length, ".safetensors"))
        return vx_fail_at(err, VX_ERR_USAGE, "bad_output", params->out, 0,
                          "%s ends neither in .safetensors nor in .gguf, so its format is unknown; "
                          "give it one of these endings",
                          params->out);
    *format = gguf ? VX_WRITE_GGUF : VX_WRITE_SAFETENSORS;
    bool fits;
    switch (params->to) {
    case VX_F32:
    case VX_F16:
    case VX_BF16:
        return VX_OK;
    case VX_Q8_0:
    case VX_Q4_0:
        fits = gguf;
        break;
    case VX_NF4:
        fits = !gguf;
        break;
    default:
        return vx_fail(
            err, VX_ERR_USAGE, "bad_type",
            "weights cannot be converted to %s; choose f32, f16, bf16, q8_0, q4_0 or nf4",
            vx_dtype_name(params->to));
    }
    if (fits) return VX_OK;
    return vx_fail_at(err, VX_ERR_USAGE, "bad_output", params->out, 0,
                      "%s is written as %s; change the ending of %s", vx_dtype_name(params->to),
                      gguf ? ".safetensors" : ".gguf", params->out);
}

static vx_status run(conversion *c)
{
    c->chunk = vx_heap_alloc(CHUNK * sizeof *c->chunk);
    c->codes = vx_heap_alloc(CHUNK / 2);
    if (c->chunk == NULL || c->codes == NULL)
        return vx_fail(c->err, VX_ERR_MEMORY, "no_memory", "not enough memory to convert %s",
                       c->params->in);
    VX_TRY(vx_writer_open(&c->writer, c->params->out, c->format, c->err));
    VX_TRY(declare_all(c));
    VX_TRY(write_all(c));
    VX_TRY(vx_source_intact(c->source, c->err));
    c->report.bytes = vx_writer_size(c->writer);
    return vx_writer_commit(&c->writer, c->err);
}

vx_status vx_convert(const vx_convert_params *params, vx_convert_report *report, vx_error *err)
{
    conversion c = {.params = params, .err = err};
    VX_TRY(choose_format(params, &c.format, err));
    VX_TRY(vx_source_open(&c.source, params->in, err));
    vx_status status = vx_source_check(c.source, err);
    if (status == VX_OK) status = run(&c);
    vx_writer_abort(&c.writer);
    vx_source_close(&c.source);
    vx_heap_free(c.chunk);
    vx_heap_free(c.codes);
    if (status == VX_OK && report != NULL) *report = c.report;
    return status;
}
