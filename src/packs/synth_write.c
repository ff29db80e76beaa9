/* The values of synthetic weights, streamed into a file.
 *
 * 16 random bits become a normal value by a table of quantiles; 4-bit codes are random bits
 * themselves, because NF4's levels are quantiles of the normal distribution. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "packs/synth.h"
#include "formats/convert.h"
#include "formats/nf4_file.h"

enum { CHUNK = 1 << 18, QUANTILES = 1 << 16 };

typedef struct synthesis {
    const vx_synth_params *params;
    const char *component;
    vx_writer *writer;
    float *quantile; /* [QUANTILES] of the standard normal */
    float *values;   /* [CHUNK] */
    uint8_t *bytes;  /* [2·CHUNK] random, then packed */
    vx_dtype precision;
    bool gguf;
    uint64_t key, counter; /* of the current tensor: its seed, and the next block of four words */
    double done, total;
    vx_error *err;
} synthesis;

/* The p-quantiles at the middles of QUANTILES equal parts, by Newton's method
 * from the left neighbour. */
static void fill_quantiles(float *q)
{
    double x = -4.3;
    for (int i = 0; i < QUANTILES / 2; i++) {
        double p = (i + 0.5) / QUANTILES;
        for (int k = 0; k < 8; k++) {
            double step = (0.5 * erfc(-x / M_SQRT2) - p) / (exp(-0.5 * x * x) / sqrt(2 * M_PI));
            x -= fmax(-0.5, fmin(0.5, step));
        }
        q[i] = (float)x;
        q[QUANTILES - 1 - i] = (float)-x;
    }
}

/* FNV-1a, so that a tensor's values depend on its name and not on what stands before it. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

static void draw(synthesis *s, uint8_t *out, size_t bytes)
{
    uint32_t words[4];
    for (size_t at = 0; at < bytes; at += sizeof words) {
        vx_philox(s->key, VX_STREAM_SYNTH, s->counter++, words);
        memcpy(out + at, words, bytes - at < sizeof words ? bytes - at : sizeof words);
    }
}

static bool ends_with(const char *text, const char *tail)
{
    size_t a = strlen(text), b = strlen(tail);
    return a >= b && strcmp(text + a - b, tail) == 0;
}

/* Mean and deviation of a tensor's values. */
static void statistics(const vx_source_tensor *t, float *mean, float *deviation)
{
    bool bias = ends_with(t->name, "bias") || ends_with(t->name, "beta") ||
                ends_with(t->name, "running_mean");
    vx_source_tensor as_matrix = *t;
    *mean = t->rank > 1 || bias ? 0.0f : 1.0f;
    *deviation = 0.1f;
    if (t->rank == 1) return;
    /* What the converter would not quantise among matrices is a table: its rows are looked up. */
    as_matrix.dim[1] = 32;
    bool table =
        t->rank == 2 && ends_with(t->name, ".weight") && !vx_convert_quantises(VX_Q8_0, &as_matrix);
    *deviation = table ? 1.0f : (float)(1 / sqrt((double)t->elements / (double)t->dim[0]));
}

static vx_status tick(synthesis *s, int64_t elements)
{
    if (vx_cancelled(s->params->cancel))
        return vx_fail(s->err, VX_ERR_CANCELLED, "cancelled", "the synthesis was cancelled");
    s->done += (double)elements;
    if (s->params->progress != NULL)
        s->params->progress(s->params->progress_arg, s->component, s->done / s->total);
    return VX_OK;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static vx_status write_normal(synthesis *s, const vx_source_tensor *t)
{
    float mean, deviation;
    statistics(t, &mean, &deviation);
    for (int64_t first = 0; first < t->elements; first += CHUNK) {
        int64_t count = smaller(CHUNK, t->elements - first);
        draw(s, s->bytes, (size_t)count * 2);
        for (int64_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, s->bytes + 2 * i, sizeof bits);
            s->values[i] = mean + deviation * s->quantile[bits];
        }
        VX_TRY(vx_writer_floats(s->writer, s->values, count, s->err));
        VX_TRY(tick(s, count));
    }
    return VX_OK;
}

/* Codes are uniform, so the values' deviation is the scale times the levels' root mean square. */
static vx_status write_nf4(synthesis *s, const vx_source_tensor *t)
{
    float mean, deviation, square = 0;
    int64_t packed = (t->elements + 1) / 2, blocks = vx_nf4_blocks(t->elements),
            groups = vx_nf4_groups(t->elements);
    statistics(t, &mean, &deviation);
    for (int i = 0; i < 16; i++)
        square += vx_nf4_code[i] * vx_nf4_code[i] / 16;
    for (int64_t first = 0; first < packed; first += CHUNK) {
        int64_t count = smaller(CHUNK, packed - first);
        draw(s, s->bytes, (size_t)count);
        VX_TRY(vx_writer_bytes(s->writer, s->bytes, (size_t)count, s->err));
        VX_TRY(tick(s, 2 * count));
    }
    float scale = deviation / sqrtf(square);
    uint8_t *codes = vx_heap_alloc((size_t)blocks + 16);
    float *nested = vx_heap_alloc((size_t)groups * sizeof *nested);
    vx_status status = VX_ERR_MEMORY;
    if (codes != NULL && nested != NULL) {
        draw(s, codes, (size_t)blocks);
        for (int64_t i = 0; i < groups; i++)
            nested[i] = 0.25f * scale; /* scales between 3/4 and 5/4 of their mean */
        status = vx_nf4_write_scales(s->writer, t->dim, VX_BF16, codes, nested, scale, s->err);
    } else {
        vx_fail(s->err, VX_ERR_MEMORY, "no_memory", "no memory for the scales of \"%s\"", t->name);
    }
    vx_heap_free(codes);
    vx_heap_free(nested);
    return status;
}

/* Blocks of 32: a scale in f16, then codes. The lowest code, which has no
 * positive twin, becomes zero. */
static vx_status write_blocks(synthesis *s, const vx_source_tensor *t)
{
    float mean, deviation;
    bool four = s->precision == VX_Q4_0;
    statistics(t, &mean, &deviation);
    size_t codes = four ? 16 : 32, block = codes + 2;
    /* Root mean square of -7..7 and a second 0; of -127..127 and a second 0. */
    float scale = deviation / sqrtf(four ? 280.0f / 16 : 1381760.0f / 256);
    uint16_t bits = vx_f32_to_f16(scale);
    int64_t step = (int64_t)(2 * CHUNK / block);
    for (int64_t first = 0; first < t->elements / 32; first += step) {
        int64_t count = smaller(step, t->elements / 32 - first);
        draw(s, s->bytes, (size_t)count * block);
        for (int64_t i = 0; i < count; i++) {
            uint8_t *at = s->bytes + (size_t)i * block;
            memcpy(at, &bits, sizeof bits);
            for (size_t k = 2; k < block; k++)
                if (!four)
                    at[k] = at[k] == 0x80 ? 0 : at[k];
                else
                    at[k] |= (uint8_t)(((at[k] & 0x0F) == 0 ? 0x08 : 0) |
                                       ((at[k] & 0xF0) == 0 ? 0x80 : 0));
        }
        VX_TRY(vx_writer_bytes(s->writer, s->bytes, (size_t)count * block, s->err));
        VX_TRY(tick(s, 32 * count));
    }
    return VX_OK;
}

/* What a tensor is stored as; vx_convert's rule for what is quantised. */
static vx_dtype stored_type(const synthesis *s, const vx_source_tensor *t)
{
    if (vx_convert_quantises(s->precision, t)) return s->precision;
    if (s->gguf && t->rank == 1) return VX_F32;
    return s->precision == VX_F32 || s->precision == VX_F16 ? s->precision : VX_BF16;
}

static vx_status declare_all(synthesis *s, const vx_record *record, vx_synth_file *file)
{
    for (int64_t i = 0; i < vx_record_count(record); i++) {
        const vx_source_tensor *t = vx_record_at(record, i);
        if (t->rank < 0) continue;
        vx_dtype type = stored_type(s, t);
        VX_TRY(type == VX_NF4
                   ? vx_nf4_declare(s->writer, t->name, t->elements, s->err)
                   : vx_writer_declare(s->writer, t->name, type, t->rank, t->dim, s->err));
        s->total += (double)t->elements;
        file->tensors++;
    }
    return VX_OK;
}

static vx_status write_all(synthesis *s, const vx_record *record)
{
    for (int64_t i = 0; i < vx_record_count(record); i++) {
        const vx_source_tensor *t = vx_record_at(record, i);
        if (t->rank < 0) continue;
        vx_dtype type = stored_type(s, t);
        s->key = s->params->seed ^ hash_name(t->name);
        s->counter = 0;
        VX_TRY(type == VX_NF4                       ? write_nf4(s, t)
               : type == VX_Q4_0 || type == VX_Q8_0 ? write_blocks(s, t)
                                                    : write_normal(s, t));
    }
    return VX_OK;
}

static vx_status run(synthesis *s, const vx_record *record, const char *path, vx_synth_file *file)
{
    static const char note[] = "random weights, made by vortex models synth";
    s->quantile = vx_heap_alloc(QUANTILES * sizeof *s->quantile);
    s->values = vx_heap_alloc(CHUNK * sizeof *s->values);
    s->bytes = vx_heap_alloc(2 * (size_t)CHUNK + 16);
    if (s->quantile == NULL || s->values == NULL || s->bytes == NULL)
        return vx_fail(s->err, VX_ERR_MEMORY, "no_memory", "no memory to make weights");
    fill_quantiles(s->quantile);
    VX_TRY(
        vx_writer_open(&s->writer, path, s->gguf ? VX_WRITE_GGUF : VX_WRITE_SAFETENSORS, s->err));
    VX_TRY(vx_writer_text(s->writer, s->gguf ? "general.description" : "description", note,
                          sizeof note - 1, s->err));
    VX_TRY(declare_all(s, record, file));
    VX_TRY(write_all(s, record));
    file->bytes = vx_writer_size(s->writer);
    return vx_writer_commit(&s->writer, s->err);
}

vx_status vx_synth_write(const vx_synth_params *params, const vx_record *record, vx_dtype precision,
                         const char *path, const char *component, vx_synth_file *file,
                         vx_error *err)
{
    synthesis s = {.params = params,
                   .component = component,
                   .precision = precision,
                   .gguf = ends_with(path, ".gguf"),
                   .err = err};
    vx_status status = run(&s, record, path, file);
    vx_writer_abort(&s.writer);
    vx_heap_free(s.quantile);
    vx_heap_free(s.values);
    vx_heap_free(s.bytes);
    return status;
}
