/* ONNX: the initialisers of the main graph, read straight from the protobuf.
 *
 *     ModelProto   1 ir_version   7 graph
 *     GraphProto   5 initializer (repeated TensorProto)
 *     TensorProto  1 dims  2 data_type  4 float_data  5 int32_data  7 int64_data  8 name
 *                  9 raw_data  10 double_data  13 external_data  14 data_location
 *
 * Values lie in raw_data (little-endian, row-major, unaligned) or in a typed field, packed or one
 * by one; exporters use the typed ones for small tensors, and taking an absent raw_data for zeroes
 * would lose them silently. Nodes, subgraphs and sparse initialisers are not read.
 * Source of the numbers: onnx.proto. */
#include <string.h>

#include "formats/source_impl.h"
#include "tensor/quant.h"

/* Typed fields are decoded to the heap; real ones hold scales and shapes. */
enum { DECODED_MAX = 64 << 20 };

/* A stretch of protobuf text being read. */
typedef struct reader {
    const unsigned char *at, *end;
} reader;

typedef struct field {
    uint64_t number;
    int wire;       /* 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes */
    uint64_t value; /* of a varint */
    reader span;    /* of the others */
} field;

static bool read_varint(reader *r, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool read_span(reader *r, uint64_t bytes, reader *span)
{
    if (bytes > (uint64_t)(r->end - r->at)) return false;
    *span = (reader){r->at, r->at + bytes};
    r->at += bytes;
    return true;
}

/* The next field; false when it is damaged or of a kind that ONNX doesn't use. */
static bool read_field(reader *r, field *f)
{
    uint64_t tag, length;
    *f = (field){0};
    if (!read_varint(r, &tag)) return false;
    f->number = tag >> 3;
    f->wire = (int)(tag & 7);
    switch (f->wire) {
    case 0:
        return f->number != 0 && read_varint(r, &f->value);
    case 1:
        return f->number != 0 && read_span(r, 8, &f->span);
    case 2:
        return f->number != 0 && read_varint(r, &length) && read_span(r, length, &f->span);
    case 5:
        return f->number != 0 && read_span(r, 4, &f->span);
    default:
        return false;
    }
}

static const struct {
    int onnx; /* TensorProto.DataType */
    vx_dtype dtype;
    uint64_t typed_field; /* where values lie when there is no raw_data */
} types[] = {
    {1, VX_F32, 4},   {2, VX_U8, 5},    {3, VX_I8, 5},       {5, VX_I16, 5},
    {6, VX_I32, 5},   {7, VX_I64, 7},   {9, VX_BOOL, 5},     {10, VX_F16, 5},
    {11, VX_F64, 10}, {16, VX_BF16, 5}, {17, VX_F8_E4M3, 5},
};

static int find_type(uint64_t onnx)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint64_t)types[i].onnx == onnx) return (int)i;
    return -1;
}

/* One initialiser as found. */
typedef struct proto_tensor {
    int64_t dim[VX_SOURCE_RANK_MAX];
    int rank;
    uint64_t type;
    reader name, raw;
    bool has_raw, external;
    reader whole; /* to read the typed field a second time */
} proto_tensor;

static bool add_dim(proto_tensor *t, uint64_t value)
{
    if (t->rank == VX_SOURCE_RANK_MAX || value > INT64_MAX) return false;
    t->dim[t->rank++] = (int64_t)value;
    return true;
}

static bool scan_tensor(reader r, proto_tensor *t)
{
    *t = (proto_tensor){.whole = r};
    while (r.at < r.end) {
        field f;
        uint64_t value;
        if (!read_field(&r, &f)) return false;
        if (f.number == 1 && f.wire == 0) {
            if (!add_dim(t, f.value)) return false;
        } else if (f.number == 1 && f.wire == 2) {
            while (f.span.at < f.span.end)
                if (!read_varint(&f.span, &value) || !add_dim(t, value)) return false;
        } else if (f.number == 2 && f.wire == 0) {
            t->type = f.value;
        } else if (f.number == 8 && f.wire == 2) {
            t->name = f.span;
        } else if (f.number == 9 && f.wire == 2) {
            t->raw = f.span;
            t->has_raw = true;
        } else if (f.number == 13 || (f.number == 14 && f.wire == 0 && f.value == 1)) {
            t->external = true;
        }
    }
    return true;
}

/* Where decoded values go; counts beyond `room` so that a wrong number is noticed. */
typedef struct sink {
    unsigned char *dst;
    size_t item_bytes;
    int64_t room, count;
} sink;

static void put(sink *s, const void *item)
{
    if (s->count < s->room) memcpy(s->dst + (size_t)s->count * s->item_bytes, item, s->item_bytes);
    s->count++;
}

/* Varints keep the low bytes: right for every two's complement type, and for f16 bit patterns. */
static bool decode_field(field *f, sink *s, bool floating)
{
    if (!floating && f->wire == 0) {
        put(s, &f->value);
    } else if (!floating && f->wire == 2) {
        uint64_t value;
        while (f->span.at < f->span.end) {
            if (!read_varint(&f->span, &value)) return false;
            put(s, &value);
        }
    } else if (floating && f->wire == (s->item_bytes == 8 ? 1 : 5)) {
        put(s, f->span.at);
    } else if (floating && f->wire == 2) {
        if ((size_t)(f->span.end - f->span.at) % s->item_bytes != 0) return false;
        for (; f->span.at < f->span.end; f->span.at += s->item_bytes)
            put(s, f->span.at);
    } else {
        return false;
    }
    return true;
}

/* Decodes the typed field of a tensor without raw_data. *decoded counts the file's total. */
static vx_status decode_typed(vx_source *source, const proto_tensor *t, uint64_t number,
                              vx_source_tensor *tensor, uint64_t *decoded, vx_error *err)
{
    bool floating = number == 4 || number == 10;
    reader r = t->whole;
    sink s = {.item_bytes = vx_dtype_bytes(tensor->dtype), .room = tensor->elements};
    *decoded += tensor->bytes;
    if (tensor->bytes > DECODED_MAX || *decoded > DECODED_MAX)
        return vx_source_bad(source, err,
                             "its typed fields hold more than %d bytes; export it with raw data",
                             DECODED_MAX);
    s.dst = vx_source_keep(source, (size_t)tensor->bytes);
    if (s.dst == NULL) return vx_source_no_memory(source, err);
    bool good = true;
    while (good && r.at < r.end) {
        field f;
        good = read_field(&r, &f);
        if (good && f.number == number) good = decode_field(&f, &s, floating);
    }
    if (!good || s.count != s.room)
        return vx_source_bad(source, err,
                             "tensor \"%s\" holds %lld values where its shape asks for %lld",
                             tensor->name, (long long)s.count, (long long)s.room);
    if (tensor->bytes > 0) tensor->data = s.dst;
    return VX_OK;
}

static vx_status add_tensor(vx_source *source, reader span, uint64_t *decoded, vx_error *err)
{
    proto_tensor t;
    char shown[VX_SHOWN];
    if (!scan_tensor(span, &t))
        return vx_source_bad(source, err, "initialiser %lld is damaged", (long long)source->count);
    vx_source_shown(shown, (const char *)t.name.at, (size_t)(t.name.end - t.name.at));
    if (t.external)
        return vx_source_bad(source, err,
                             "the values of \"%s\" lie in another file; save the model as one file "
                             "(onnx.save without external data)",
                             shown);
    int type = find_type(t.type);
    if (type < 0)
        return vx_source_bad(source, err,
                             "\"%s\" has ONNX data type %llu, which Vortex does not read", shown,
                             (unsigned long long)t.type);
    vx_source_tensor *tensor;
    VX_TRY(vx_source_add(source, (const char *)t.name.at, (size_t)(t.name.end - t.name.at),
                         types[type].dtype, t.rank, t.dim, &tensor, err));
    if (!t.has_raw) return decode_typed(source, &t, types[type].typed_field, tensor, decoded, err);
    if ((uint64_t)(t.raw.end - t.raw.at) != tensor->bytes)
        return vx_source_bad(source, err, "\"%s\" needs %llu bytes by its shape but has %llu",
                             shown, (unsigned long long)tensor->bytes,
                             (unsigned long long)(t.raw.end - t.raw.at));
    if (tensor->bytes > 0) tensor->data = t.raw.at;
    return VX_OK;
}

vx_status vx_onnx_parse(vx_source *source, vx_error *err)
{
    reader model = {source->bytes, source->bytes + source->size};
    uint64_t decoded = 0;
    while (model.at < model.end) {
        field f;
        if (!read_field(&model, &f))
            return vx_source_bad(source, err, "it breaks off or is damaged at byte %llu of %llu",
                                 (unsigned long long)(model.at - source->bytes),
                                 (unsigned long long)source->size);
        if (f.number != 7 || f.wire != 2) continue;
        reader graph = f.span;
        while (graph.at < graph.end) {
            if (!read_field(&graph, &f))
                return vx_source_bad(source, err, "its graph is damaged at byte %llu",
                                     (unsigned long long)(graph.at - source->bytes));
            if (f.number == 5 && f.wire == 2) VX_TRY(add_tensor(source, f.span, &decoded, err));
        }
    }
    return VX_OK;
}
