/* Unigram models: sentencepiece's protobuf (sentencepiece_model.proto) and Hugging Face's
 * tokenizer.json. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/unigram_table.h"

enum {
    FILE_BYTES_MAX = 64 << 20, /* T5's model has 0.8 MB, mT5's 4.3 */
    PIECES_MAX = 1 << 22
};

/* SentencePiece.Type */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };

/* One reading. */
typedef struct reading {
    vx_unigram *model;
    const char *name;
    int32_t room; /* of the arrays by id */
    vx_error *err;
} reading;

static vx_status fail_reading(const reading *r, const char *what)
{
    return vx_fail_at(r->err, VX_ERR_INPUT, "bad_tokenizer", r->name, 0,
                      "the tokenizer %s cannot be used: %s; download T5's spiece.model again",
                      r->name, what);
}

static vx_status out_of_memory(const reading *r)
{
    return vx_fail_at(r->err, VX_ERR_MEMORY, "no_memory", r->name, 0,
                      "not enough memory for the tokenizer %s; free some memory", r->name);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static vx_status make_room(reading *r)
{
    vx_unigram *m = r->model;
    if (m->size < r->room) return VX_OK;
    if (m->size >= PIECES_MAX) return fail_reading(r, "it has absurdly many pieces");
    int32_t room = r->room > 0 ? r->room * 2 : 1024;
    double *score = vx_heap_grow(m->score, (size_t)room * sizeof *score);
    if (score != NULL) m->score = score;
    bool *chosen = vx_heap_grow(m->chosen, (size_t)room * sizeof *chosen);
    if (chosen != NULL) m->chosen = chosen;
    if (score == NULL || chosen == NULL) return out_of_memory(r);
    r->room = room;
    return VX_OK;
}

static bool is_text(const char *text, size_t bytes, const char *expected)
{
    return bytes == strlen(expected) && memcmp(text, expected, bytes) == 0;
}

/* The next id is that of this piece. */
static vx_status add_piece(reading *r, const char *text, size_t bytes, double score, int type)
{
    vx_unigram *m = r->model;
    VX_TRY(make_room(r));
    if (bytes == 0 || bytes > VX_UNIGRAM_PIECE_BYTES_MAX || !isfinite(score) || fabs(score) > 1e6)
        return fail_reading(r, "a piece is empty, absurdly long or has no finite score");
    int32_t id = m->size++;
    m->score[id] = score;
    m->chosen[id] = type == USER_DEFINED;
    if (is_text(text, bytes, "<pad>")) m->pad = id;
    if (is_text(text, bytes, "</s>")) m->end = id;
    if (type == UNKNOWN) m->unknown = id;
    if (type == BYTE) return fail_reading(r, "it falls back to bytes, which T5's does not");
    if (type == NORMAL) {
        if (score < m->score_min) m->score_min = score;
        if (score > m->score_max) m->score_max = score;
    }
    if (type != NORMAL && type != USER_DEFINED) return VX_OK;
    if (bytes > m->piece_bytes_max) m->piece_bytes_max = bytes;
    return vx_string_table_put(&m->pieces, text, bytes, id) ? VX_OK : out_of_memory(r);
}

/* ---- the normalisation table ----------------------------------------------------------------- */

/* Bytes of the trie as 32-bit little endian, the trie, the replacements. */
static vx_status set_charsmap(const reading *r, const uint8_t *data, size_t bytes)
{
    vx_unigram *m = r->model;
    if (bytes == 0 || m->trie != NULL) return VX_OK;
    uint32_t trie_bytes = 0;
    for (int i = 3; i >= 0 && bytes >= 4; i--)
        trie_bytes = trie_bytes << 8 | data[i];
    if (bytes < 4 || trie_bytes > bytes - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
        return fail_reading(r, "its normalisation table is damaged");
    m->trie_units = trie_bytes / 4;
    m->replacement_bytes = bytes - 4 - trie_bytes;
    m->trie = vx_heap_alloc(trie_bytes);
    m->replacements = vx_heap_text((const char *)data + 4 + trie_bytes, m->replacement_bytes);
    if (m->trie == NULL || m->replacements == NULL) return out_of_memory(r);
    for (size_t i = 0; i < m->trie_units; i++) {
        const uint8_t *p = data + 4 + 4 * i;
        m->trie[i] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    if (!vx_utf8_valid(m->replacements, m->replacement_bytes, NULL))
        return fail_reading(r, "its normalisation table is damaged");
    return VX_OK;
}

/* ---- protobuf -------------------------------------------------------------------------------- */

typedef struct span {
    const uint8_t *at, *end;
} span;

/* A field: its number, and either a number or a span of bytes. */
typedef struct field {
    uint64_t number, value;
    int wire;
    span bytes;
} field;

static bool read_varint(span *s, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

static bool read_fixed(span *s, int bytes, uint64_t *value)
{
    if (s->end - s->at < bytes) return false;
    *value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        *value = *value << 8 | s->at[i];
    s->at += bytes;
    return true;
}

/* The next field; false at the end, and *broken when the bytes make no sense. */
static bool next_field(span *s, field *f, bool *broken)
{
    if (s->at == s->end) return false;
    uint64_t key;
    bool good = read_varint(s, &key);
    *f = (field){.number = key >> 3, .wire = (int)(key & 7)};
    if (good && f->wire == 0) good = read_varint(s, &f->value);
    if (good && f->wire == 1) good = read_fixed(s, 8, &f->value);
    if (good && f->wire == 5) good = read_fixed(s, 4, &f->value);
    if (good && f->wire == 2) {
        good = read_varint(s, &f->value) && f->value <= (uint64_t)(s->end - s->at);
        if (good) f->bytes = (span){s->at, s->at + f->value};
        if (good) s->at += f->value;
    }
    if (good && f->wire != 0 && f->wire != 1 && f->wire != 2 && f->wire != 5) good = false;
    *broken |= !good;
    return good;
}

static vx_status read_piece(reading *r, span s, bool *broken)
{
    span text = {0};
    float score = 0;
    int type = NORMAL;
    for (field f; next_field(&s, &f, broken);) {
        if (f.number == 1 && f.wire == 2) text = f.bytes;
        if (f.number == 3 && f.wire == 0) type = f.value <= BYTE ? (int)f.value : 0;
        if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&score, &bits, sizeof score);
        }
    }
    if (*broken || type < NORMAL) return fail_reading(r, "a piece of the model is damaged");
    return add_piece(r, (const char *)text.at, (size_t)(text.end - text.at), (double)score, type);
}

/* Fields of TrainerSpec that ask for another algorithm. */
static vx_status read_trainer(const reading *r, span s, bool *broken)
{
    for (field f; next_field(&s, &f, broken);) {
        if (f.number == 3 && f.value != 1)
            return fail_reading(r, "it is a sentencepiece model of another kind than unigram");
        if (f.number == 24 && f.value != 0)
            return fail_reading(r, "it marks spaces behind words, which T5's does not");
    }
    return VX_OK;
}

static vx_status read_normalizer(const reading *r, span s, bool *broken)
{
    for (field f; next_field(&s, &f, broken);) {
        if (f.number == 2 && f.wire == 2)
            VX_TRY(set_charsmap(r, f.bytes.at, (size_t)(f.bytes.end - f.bytes.at)));
        if (f.number == 3) r->model->add_prefix = f.value != 0;
        if (f.number == 4) r->model->squeeze = f.value != 0;
        if (f.number == 5 && f.value == 0)
            return fail_reading(r, "it keeps spaces as they are, which T5's does not");
    }
    return VX_OK;
}

static vx_status parse_protobuf(reading *r, const char *data, size_t bytes)
{
    span s = {(const uint8_t *)data, (const uint8_t *)data + bytes};
    bool broken = false;
    for (field f; next_field(&s, &f, &broken);) {
        if (f.wire != 2) continue;
        if (f.number == 1) VX_TRY(read_piece(r, f.bytes, &broken));
        if (f.number == 2) VX_TRY(read_trainer(r, f.bytes, &broken));
        if (f.number == 3) VX_TRY(read_normalizer(r, f.bytes, &broken));
    }
    return broken ? fail_reading(r, "it is damaged or no sentencepiece model") : VX_OK;
}

/* ---- tokenizer.json -------------------------------------------------------------------------- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static vx_status set_charsmap_base64(const reading *r, const char *text)
{
    size_t length = strlen(text), used = 0;
    uint8_t *data = vx_heap_alloc(length);
    if (data == NULL) return out_of_memory(r);
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < length && text[i] != '='; i++) {
        int value = base64_value(text[i]);
        if (value < 0) {
            vx_heap_free(data);
            return fail_reading(r, "its normalisation table is no base64");
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        data[used++] = (uint8_t)(bits >> count);
    }
    vx_status status = set_charsmap(r, data, used);
    vx_heap_free(data);
    return status;
}

/* The precompiled table, alone or in a sequence with steps that squeezing makes needless. */
static vx_status read_json_normalizer(const reading *r, const json_t *normalizer)
{
    const char *table = json_string_value(json_object_get(normalizer, "precompiled_charsmap"));
    if (table != NULL) return set_charsmap_base64(r, table);
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(normalizer, "normalizers"), i, step)
    {
        table = json_string_value(json_object_get(step, "precompiled_charsmap"));
        if (table != NULL) VX_TRY(set_charsmap_base64(r, table));
    }
    return VX_OK;
}

static bool is_special(const vx_string_table *special, const char *text, size_t bytes)
{
    return vx_string_table_get(special, text, bytes) >= 0;
}

static vx_status read_json_pieces(reading *r, const json_t *model, const vx_string_table *special)
{
    const json_t *pieces = json_object_get(model, "vocab"), *piece;
    const json_t *unknown = json_object_get(model, "unk_id");
    if (!json_is_array(pieces) || !json_is_integer(unknown))
        return fail_reading(r, "it has no model.vocab or no model.unk_id");
    size_t i;
    json_array_foreach(pieces, i, piece)
    {
        const json_t *text = json_array_get(piece, 0), *score = json_array_get(piece, 1);
        if (!json_is_string(text) || !json_is_number(score))
            return fail_reading(r, "a piece is not a text with a score");
        size_t bytes = json_string_length(text);
        int type = (json_int_t)i == json_integer_value(unknown)          ? UNKNOWN
                   : is_special(special, json_string_value(text), bytes) ? CONTROL
                                                                         : NORMAL;
        VX_TRY(add_piece(r, json_string_value(text), bytes, json_number_value(score), type));
    }
    return VX_OK;
}

static vx_status parse_json_root(reading *r, const json_t *root)
{
    r->model->hugging_face = true;
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (type == NULL || strcmp(type, "Unigram") != 0)
        return fail_reading(r, "it is not T5's kind, which is Unigram");
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return fail_reading(r, "it falls back to bytes, which T5's does not");
    VX_TRY(read_json_normalizer(r, json_object_get(root, "normalizer")));
    vx_string_table special = {0};
    size_t i;
    const json_t *token;
    vx_status status = VX_OK;
    json_array_foreach(json_object_get(root, "added_tokens"), i, token)
    {
        const json_t *content = json_object_get(token, "content");
        if (!json_is_string(content))
            status = fail_reading(r, "an added token has no content");
        else if (json_is_true(json_object_get(token, "special")) &&
                 !vx_string_table_put(&special, json_string_value(content),
                                      json_string_length(content), 0))
            status = out_of_memory(r);
        if (status != VX_OK) break;
    }
    if (status == VX_OK) status = read_json_pieces(r, model, &special);
    vx_string_table_free(&special);
    return status;
}

static vx_status parse_json(reading *r, const char *data, size_t bytes)
{
    json_error_t where;
    json_t *root = json_loadb(data, bytes, 0, &where);
    if (root == NULL) return fail_reading(r, "it is no JSON");
    vx_status status = parse_json_root(r, root);
    json_decref(root);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static vx_status check(const reading *r)
{
    const vx_unigram *m = r->model;
    if (m->unknown < 0) return fail_reading(r, "it has no unknown piece");
    if (m->end < 0) return fail_reading(r, "it has no end, </s>");
    if (m->pad < 0) return fail_reading(r, "it has no padding, <pad>");
    if (m->score_min > m->score_max) return fail_reading(r, "it has no ordinary pieces");
    return VX_OK;
}

vx_status vx_unigram_parse(vx_unigram **model, const char *name, const char *data, size_t bytes,
                           vx_error *err)
{
    *model = NULL;
    vx_unigram *m = vx_heap_alloc(sizeof *m);
    reading r = {.model = m, .name = name, .err = err};
    if (m == NULL) return out_of_memory(&r);
    m->pad = m->end = m->unknown = -1;
    m->add_prefix = m->squeeze = true;
    m->score_min = INFINITY;
    m->score_max = -INFINITY;
    vx_status status;
    if (bytes > FILE_BYTES_MAX)
        status = fail_reading(&r, "it is absurdly long");
    else if (bytes > 0 && data[0] == '{')
        status = parse_json(&r, data, bytes);
    else
        status = parse_protobuf(&r, data, bytes);
    if (status == VX_OK) status = check(&r);
    if (status != VX_OK)
        vx_unigram_close(&m);
    else
        *model = m;
    return status;
}

vx_status vx_unigram_open(vx_unigram **model, const char *path, vx_error *err)
{
    *model = NULL;
    char *data;
    size_t bytes;
    VX_TRY(vx_file_read(path, FILE_BYTES_MAX, &data, &bytes, err));
    vx_status status = vx_unigram_parse(model, path, data, bytes, err);
    vx_heap_free(data);
    return status;
}
