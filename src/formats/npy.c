/* NumPy arrays: .npy (format versions 1 to 3) and .npz, a zip of them.
 *
 *     "\x93NUMPY" | u8 major, minor | u16 (v1) or u32 header length | header | data
 *
 * The header is a Python dict with the keys descr, fortran_order and shape, in any order. It is
 * read by the small parser below, never evaluated. Little-endian numbers only; objects, structures
 * and text are refused. Source: numpy.lib.format. */
#include <ctype.h>
#include <string.h>

#include "formats/zip.h"

enum { HEADER_MAX = 1 << 16 };

/* The header being parsed. */
typedef struct text {
    const char *at, *end;
} text;

typedef struct npy_header {
    vx_dtype dtype;
    bool fortran;
    int rank;
    int64_t dim[VX_SOURCE_RANK_MAX];
    bool has_descr, has_order, has_shape;
} npy_header;

static void skip_spaces(text *t)
{
    while (t->at < t->end && isspace((unsigned char)*t->at))
        t->at++;
}

static bool take(text *t, const char *word)
{
    skip_spaces(t);
    size_t length = strlen(word);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0) return false;
    t->at += length;
    return true;
}

/* A quoted string without escapes, into `out`. */
static bool take_string(text *t, char *out, size_t room)
{
    skip_spaces(t);
    if (t->at >= t->end || (*t->at != '\'' && *t->at != '"')) return false;
    char quote = *t->at++;
    size_t length = 0;
    for (; t->at < t->end && *t->at != quote; t->at++) {
        if (length + 1 >= room || *t->at == '\\') return false;
        out[length++] = *t->at;
    }
    out[length] = '\0';
    return t->at < t->end && *t->at++ == quote;
}

static bool take_shape(text *t, npy_header *h)
{
    if (!take(t, "(")) return false;
    while (!take(t, ")")) {
        if (t->at >= t->end || !isdigit((unsigned char)*t->at) || h->rank == VX_SOURCE_RANK_MAX)
            return false;
        int64_t size = 0;
        for (; t->at < t->end && isdigit((unsigned char)*t->at); t->at++)
            if (__builtin_mul_overflow(size, 10, &size) ||
                __builtin_add_overflow(size, *t->at - '0', &size))
                return false;
        take(t, "L"); /* Python 2 wrote longs */
        h->dim[h->rank++] = size;
        if (!take(t, ",")) return take(t, ")");
    }
    return true;
}

static bool find_type(const char *descr, vx_dtype *dtype)
{
    static const struct {
        const char *descr;
        vx_dtype dtype;
    } types[] = {
        {"<f4", VX_F32}, {"<f2", VX_F16}, {"<f8", VX_F64}, {"|i1", VX_I8},   {"|u1", VX_U8},
        {"<i2", VX_I16}, {"<i4", VX_I32}, {"<i8", VX_I64}, {"|b1", VX_BOOL},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].descr, descr) == 0) {
            *dtype = types[i].dtype;
            return true;
        }
    return false;
}

static vx_status parse_header(const vx_source *source, const char *shown, text t, npy_header *h,
                              vx_error *err)
{
    char key[32], descr[32] = "?";
    *h = (npy_header){0};
    bool good = take(&t, "{");
    while (good && !take(&t, "}")) {
        good = take_string(&t, key, sizeof key) && take(&t, ":");
        if (good && strcmp(key, "descr") == 0) {
            if (!take_string(&t, descr, sizeof descr) || !find_type(descr, &h->dtype)) {
                char type[VX_SHOWN];
                return vx_source_bad(source, err,
                                     "the element type %s of \"%s\" is not a plain little-endian "
                                     "number; save it with astype('<f4')",
                                     vx_source_shown(type, descr, strlen(descr)), shown);
            }
            h->has_descr = true;
        } else if (good && strcmp(key, "fortran_order") == 0) {
            h->fortran = take(&t, "True");
            good = h->has_order = h->fortran || take(&t, "False");
        } else if (good && strcmp(key, "shape") == 0) {
            good = !h->has_shape && take_shape(&t, h);
            h->has_shape = true;
        } else {
            good = false;
        }
        if (good && !take(&t, ",")) {
            good = take(&t, "}");
            break;
        }
    }
    skip_spaces(&t);
    if (!good || t.at != t.end || !h->has_descr || !h->has_order || !h->has_shape)
        return vx_source_bad(source, err, "the header of the array \"%s\" is damaged", shown);
    return VX_OK;
}

static vx_status add_data(vx_source *source, const char *name, size_t name_bytes,
                          const npy_header *h, const unsigned char *data, uint64_t bytes,
                          vx_error *err)
{
    char shown[VX_SHOWN];
    vx_source_tensor *tensor;
    VX_TRY(vx_source_add(source, name, name_bytes, h->dtype, h->rank, h->dim, &tensor, err));
    if (tensor->bytes != bytes)
        return vx_source_bad(source, err,
                             "the array \"%s\" needs %llu bytes by its shape but has %llu",
                             vx_source_shown(shown, name, name_bytes),
                             (unsigned long long)tensor->bytes, (unsigned long long)bytes);
    if (bytes > 0) tensor->data = data;
    if (!h->fortran) return VX_OK;
    int64_t stride[VX_SOURCE_RANK_MAX], step = 1;
    for (int i = 0; i < h->rank; i++) {
        stride[i] = step;
        step *= h->dim[i];
    }
    return vx_source_set_strides(source, tensor, stride, err);
}

/* One array: the bytes of a .npy file. */
static vx_status add_array(vx_source *source, const char *name, size_t name_bytes,
                           const unsigned char *bytes, uint64_t size, vx_error *err)
{
    char shown[VX_SHOWN];
    vx_source_shown(shown, name, name_bytes);
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return vx_source_bad(source, err, "\"%s\" is not a NumPy array or breaks off", shown);
    int major = bytes[6];
    if (major < 1 || major > 3)
        return vx_source_bad(source, err, "\"%s\" has NPY version %d; known are 1 to 3", shown,
                             major);
    size_t start = major == 1 ? 10 : 12;
    uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (major > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (length > HEADER_MAX || length > size - start)
        return vx_source_bad(source, err, "the header of \"%s\" claims %llu bytes, %llu are there",
                             shown, (unsigned long long)length, (unsigned long long)(size - start));
    npy_header header = {0};
    const char *text_at = (const char *)bytes + start;
    VX_TRY(parse_header(source, shown, (text){text_at, text_at + length}, &header, err));
    return add_data(source, name, name_bytes, &header, bytes + start + length,
                    size - start - length, err);
}

vx_status vx_npy_parse(vx_source *source, vx_error *err)
{
    return add_array(source, "data", 4, source->bytes, source->size, err);
}

vx_status vx_npz_parse(vx_source *source, vx_zip *zip, vx_error *err)
{
    for (int64_t i = 0; i < zip->count; i++) {
        const vx_zip_entry *entry = &zip->entries[i];
        char shown[VX_SHOWN];
        if (entry->name_bytes <= 4 || memcmp(entry->name + entry->name_bytes - 4, ".npy", 4) != 0)
            return vx_source_bad(source, err, "its entry \"%s\" is not a NumPy array",
                                 vx_source_shown(shown, entry->name, entry->name_bytes));
        const unsigned char *bytes;
        VX_TRY(vx_zip_bytes(source, zip, entry, &bytes, err));
        VX_TRY(add_array(source, entry->name, entry->name_bytes - 4, bytes, entry->bytes, err));
    }
    return VX_OK;
}
