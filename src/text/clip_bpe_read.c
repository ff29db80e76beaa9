/* Vocabularies of CLIP's tokenizer: merges as text, gzipped or not, and tokenizer.json. */
#include <assert.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/clip_bpe_table.h"

enum {
    FILE_BYTES_MAX = 64 << 20, /* packed or not; the published files have 1 to 4 MB */
    MERGES_PUBLISHED = 48894,  /* OpenAI's file holds more lines, which its script ignores */
    ID_MAX = 1 << 24,
    BYTE_SYMBOLS = 512,
    TOKEN_BYTES_MAX = 1024
};

static const char end_of_word[] = "</w>";

/* One reading. */
typedef struct reading {
    vx_clip_bpe *bpe;
    const char *name;
    int line; /* 0 when it has no meaning */
    vx_error *err;
} reading;

/* A merge as it is written. */
typedef struct pair {
    const char *left, *right;
    size_t left_bytes, right_bytes;
} pair;

static vx_status fail_reading(const reading *r, const char *what)
{
    return vx_fail_at(r->err, VX_ERR_INPUT, "bad_tokenizer", r->name, r->line,
                      "the tokenizer %s is broken: %s; download it again", r->name, what);
}

static vx_status out_of_memory(const reading *r)
{
    return vx_fail_at(r->err, VX_ERR_MEMORY, "no_memory", r->name, 0,
                      "not enough memory for the tokenizer %s; free some memory", r->name);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* How the vocabulary writes byte b (GPT-2's bytes_to_unicode): printable Latin-1 as itself, the
 * others as U+0100 on, in order. */
static uint32_t symbol_of_byte(int b)
{
    static const int plain[3][2] = {{33, 126}, {161, 172}, {174, 255}};
    uint32_t others = 0;
    for (int k = 0; k <= b; k++) {
        bool itself = false;
        for (int i = 0; i < 3; i++)
            itself |= k >= plain[i][0] && k <= plain[i][1];
        if (k == b) return itself ? (uint32_t)b : 0x100 + others;
        others += !itself;
    }
    return 0;
}

static size_t write_symbol(int byte, bool last, char out[16])
{
    size_t n = vx_utf8_encode(symbol_of_byte(byte), out);
    if (!last) return n;
    memcpy(out + n, end_of_word, sizeof end_of_word - 1);
    return n + sizeof end_of_word - 1;
}

/* ---- merges ---------------------------------------------------------------------------------- */

static vx_status reserve_merges(const reading *r, size_t count)
{
    vx_clip_bpe *bpe = r->bpe;
    for (bpe->merge_slots = 64; bpe->merge_slots < 2 * count;)
        bpe->merge_slots *= 2;
    bpe->merges = vx_heap_alloc(bpe->merge_slots * sizeof *bpe->merges);
    if (bpe->merges == NULL) return out_of_memory(r);
    for (size_t i = 0; i < bpe->merge_slots; i++)
        bpe->merges[i].rank = -1;
    return VX_OK;
}

static vx_status join(const reading *r, const pair *p, char *joined, size_t *bytes)
{
    if (p->left_bytes == 0 || p->right_bytes == 0)
        return fail_reading(r, "a merge is not two tokens");
    if (p->left_bytes + p->right_bytes > TOKEN_BYTES_MAX)
        return fail_reading(r, "a token is absurdly long");
    memcpy(joined, p->left, p->left_bytes);
    memcpy(joined + p->left_bytes, p->right, p->right_bytes);
    *bytes = p->left_bytes + p->right_bytes;
    return VX_OK;
}

/* Puts the merge in the table; its tokens must be known. */
static vx_status add_merge(const reading *r, const pair *p, int32_t rank)
{
    char joined[TOKEN_BYTES_MAX];
    size_t bytes = 0;
    VX_TRY(join(r, p, joined, &bytes));
    const vx_string_table *tokens = &r->bpe->tokens;
    vx_bpe_merge merge = {.left = vx_string_table_get(tokens, p->left, p->left_bytes),
                          .right = vx_string_table_get(tokens, p->right, p->right_bytes),
                          .merged = vx_string_table_get(tokens, joined, bytes),
                          .rank = rank};
    if (merge.left < 0 || merge.right < 0 || merge.merged < 0)
        return fail_reading(r, "a merge is of tokens that the vocabulary lacks");
    *(vx_bpe_merge *)vx_bpe_merge_find(r->bpe, merge.left, merge.right) = merge;
    return VX_OK;
}

/* ---- merges as text -------------------------------------------------------------------------- */

/* The merge of the next line; false at the end. Empty lines are skipped. */
static bool next_line(reading *r, const char **at, const char *end, pair *p, vx_status *status)
{
    *status = VX_OK;
    while (*at < end) {
        const char *line = *at;
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        *at = stop != NULL ? stop + 1 : end;
        if (stop == NULL) stop = end;
        if (stop > line && stop[-1] == '\r') stop--;
        r->line++;
        if (stop == line) continue;
        const char *space = memchr(line, ' ', (size_t)(stop - line));
        if (space == NULL || memchr(space + 1, ' ', (size_t)(stop - space - 1)) != NULL) {
            *status = fail_reading(r, "a line is not two tokens with a space between");
            return false;
        }
        *p = (pair){line, space + 1, (size_t)(space - line), (size_t)(stop - space - 1)};
        return true;
    }
    return false;
}

static vx_status put_byte_symbols(const reading *r)
{
    int32_t id = 0;
    /* Printable bytes come first, then those that are written in another way. */
    for (int round = 0; round < 2; round++)
        for (int b = 0; b < 256; b++) {
            if ((symbol_of_byte(b) >= 0x100) != (round == 1)) continue;
            for (int last = 0; last < 2; last++) {
                char text[16];
                size_t n = write_symbol(b, last, text);
                if (!vx_string_table_put(&r->bpe->tokens, text, n, id + 256 * last))
                    return out_of_memory(r);
            }
            id++;
        }
    return VX_OK;
}

static vx_status parse_text(reading *r, const char *data, size_t bytes)
{
    const char *end = data + bytes, *first = data;
    const char *line_end = memchr(data, '\n', bytes);
    /* A first line with a version is no merge. */
    if (line_end != NULL && memmem(data, (size_t)(line_end - data), "#version", 8) != NULL) {
        first = line_end + 1;
        r->line = 1;
    }
    VX_TRY(put_byte_symbols(r));
    int first_line = r->line;
    int32_t count = 0;
    pair p;
    vx_status status;
    for (const char *at = first; count < MERGES_PUBLISHED && next_line(r, &at, end, &p, &status);
         count++) {
        char joined[TOKEN_BYTES_MAX];
        size_t joined_bytes = 0;
        VX_TRY(join(r, &p, joined, &joined_bytes));
        if (!vx_string_table_put(&r->bpe->tokens, joined, joined_bytes, BYTE_SYMBOLS + count))
            return out_of_memory(r);
    }
    if (count < MERGES_PUBLISHED) VX_TRY(status);
    if (count == 0) return fail_reading(r, "it holds no merges");
    VX_TRY(reserve_merges(r, (size_t)count));
    r->line = first_line;
    const char *at = first;
    for (int32_t rank = 0; rank < count && next_line(r, &at, end, &p, &status); rank++)
        VX_TRY(add_merge(r, &p, rank));
    r->bpe->special[0] = BYTE_SYMBOLS + count;
    r->bpe->special[1] = BYTE_SYMBOLS + count + 1;
    r->bpe->size = BYTE_SYMBOLS + count + 2;
    return VX_OK;
}

/* ---- tokenizer.json -------------------------------------------------------------------------- */

static vx_status put_token(const reading *r, const char *text, size_t bytes, const json_t *id)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > ID_MAX)
        return fail_reading(r, "a token's id is no small whole number");
    int32_t value = (int32_t)json_integer_value(id);
    if (value >= r->bpe->size) r->bpe->size = value + 1;
    return vx_string_table_put(&r->bpe->tokens, text, bytes, value) ? VX_OK : out_of_memory(r);
}

static vx_status parse_vocabulary(const reading *r, const json_t *root, json_t *model)
{
    json_t *vocabulary = json_object_get(model, "vocab"), *id;
    const char *text;
    if (!json_is_object(vocabulary)) return fail_reading(r, "it has no model.vocab");
    json_object_foreach(vocabulary, text, id) VX_TRY(put_token(r, text, strlen(text), id));
    size_t i;
    const json_t *token;
    json_array_foreach(json_object_get(root, "added_tokens"), i, token)
    {
        const json_t *content = json_object_get(token, "content");
        if (!json_is_string(content)) return fail_reading(r, "an added token has no content");
        VX_TRY(put_token(r, json_string_value(content), json_string_length(content),
                         json_object_get(token, "id")));
    }
    return VX_OK;
}

/* "a b", or ["a", "b"] in newer files. */
static bool read_pair(const json_t *merge, pair *p)
{
    const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
    if (json_is_string(left) && json_is_string(right) && json_array_size(merge) == 2) {
        *p = (pair){json_string_value(left), json_string_value(right), json_string_length(left),
                    json_string_length(right)};
        return true;
    }
    if (!json_is_string(merge)) return false;
    const char *text = json_string_value(merge), *space = strchr(text, ' ');
    if (space == NULL || strchr(space + 1, ' ') != NULL) return false;
    *p = (pair){text, space + 1, (size_t)(space - text), strlen(space + 1)};
    return true;
}

static vx_status parse_merges(const reading *r, const json_t *model)
{
    const json_t *merges = json_object_get(model, "merges"), *merge;
    if (!json_is_array(merges)) return fail_reading(r, "it has no model.merges");
    VX_TRY(reserve_merges(r, json_array_size(merges)));
    size_t rank;
    json_array_foreach(merges, rank, merge)
    {
        pair p;
        if (!read_pair(merge, &p)) return fail_reading(r, "a merge is not two tokens");
        VX_TRY(add_merge(r, &p, (int32_t)rank));
    }
    return VX_OK;
}

static vx_status parse_json_root(const reading *r, const json_t *root)
{
    json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *suffix = json_string_value(json_object_get(model, "end_of_word_suffix"));
    if (!json_is_object(model)) return fail_reading(r, "it has no model");
    if ((type != NULL && strcmp(type, "BPE") != 0) || suffix == NULL ||
        strcmp(suffix, end_of_word) != 0)
        return fail_reading(r, "it is not CLIP's kind, which is BPE with the suffix </w>");
    VX_TRY(parse_vocabulary(r, root, model));
    VX_TRY(parse_merges(r, model));
    r->bpe->special[0] = vx_string_table_get(&r->bpe->tokens, "<|startoftext|>", 15);
    r->bpe->special[1] = vx_string_table_get(&r->bpe->tokens, "<|endoftext|>", 13);
    if (r->bpe->special[0] < 0 || r->bpe->special[1] < 0)
        return fail_reading(r, "it lacks <|startoftext|> or <|endoftext|>");
    return VX_OK;
}

static vx_status parse_json(const reading *r, const char *data, size_t bytes)
{
    json_error_t where;
    json_t *root = json_loadb(data, bytes, 0, &where);
    if (root == NULL)
        return vx_fail_at(r->err, VX_ERR_INPUT, "bad_tokenizer", r->name, where.line,
                          "the tokenizer %s is no JSON: %s; download it again", r->name,
                          where.text);
    vx_status status = parse_json_root(r, root);
    json_decref(root);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Unpacks a gzip file into a heap block. */
static vx_status unpack(const reading *r, const char *data, size_t bytes, char **out,
                        size_t *out_bytes)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)bytes};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return out_of_memory(r);
    size_t room = 1 << 16, used = 0;
    char *block = NULL;
    int result = Z_OK;
    while (result == Z_OK && room <= FILE_BYTES_MAX) {
        room *= 2;
        char *grown = vx_heap_grow(block, room);
        if (grown == NULL) break;
        block = grown;
        stream.next_out = (Bytef *)block + used;
        stream.avail_out = (uInt)(room - used);
        result = inflate(&stream, Z_NO_FLUSH);
        used = room - stream.avail_out;
        if (result == Z_OK && stream.avail_out > 0) result = Z_DATA_ERROR; /* cut short */
    }
    inflateEnd(&stream);
    if (result == Z_STREAM_END) {
        *out = block;
        *out_bytes = used;
        return VX_OK;
    }
    vx_heap_free(block);
    return result == Z_OK && room <= FILE_BYTES_MAX
               ? out_of_memory(r)
               : fail_reading(r, "its gzip packing is damaged, cut short or absurdly long");
}

/* Bytes that no token stands for become the end of text, which is the unknown token of CLIP's own
 * tokenizer.json. */
static void find_bytes(const reading *r)
{
    for (int last = 0; last < 2; last++)
        for (int b = 0; b < 256; b++) {
            char text[16];
            size_t n = write_symbol(b, last, text);
            int32_t id = vx_string_table_get(&r->bpe->tokens, text, n);
            r->bpe->byte_id[last][b] = id >= 0 ? id : r->bpe->special[1];
        }
}

static vx_status parse_any(reading *r, const char *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && (data[at] == ' ' || data[at] == '\n' || data[at] == '\r'))
        at++;
    if (bytes >= 2 && memcmp(data, "\x1F\x8B", 2) == 0) {
        char *text = NULL;
        size_t text_bytes = 0;
        VX_TRY(unpack(r, data, bytes, &text, &text_bytes));
        vx_status status = parse_text(r, text, text_bytes);
        vx_heap_free(text);
        return status;
    }
    if (at < bytes && data[at] == '{') return parse_json(r, data, bytes);
    return parse_text(r, data, bytes);
}

vx_status vx_clip_bpe_parse(vx_clip_bpe **bpe, const char *name, const char *data, size_t bytes,
                            vx_error *err)
{
    *bpe = NULL;
    vx_clip_bpe *b = vx_heap_alloc(sizeof *b);
    reading r = {.bpe = b, .name = name, .err = err};
    if (b == NULL) return out_of_memory(&r);
    b->normal = vx_heap_alloc(VX_BPE_NORMAL_ROOM);
    b->lower = vx_heap_alloc(VX_BPE_LOWER_ROOM);
    vx_status status = b->normal != NULL && b->lower != NULL ? VX_OK : out_of_memory(&r);
    if (status == VX_OK && bytes > FILE_BYTES_MAX) status = fail_reading(&r, "it is absurdly long");
    if (status == VX_OK) status = parse_any(&r, data, bytes);
    if (status == VX_OK) find_bytes(&r);
    vx_string_table_free(&b->tokens);
    if (status != VX_OK)
        vx_clip_bpe_close(&b);
    else
        *bpe = b;
    return status;
}

vx_status vx_clip_bpe_open(vx_clip_bpe **bpe, const char *path, vx_error *err)
{
    *bpe = NULL;
    char *data;
    size_t bytes = 0;
    VX_TRY(vx_file_read(path, FILE_BYTES_MAX, &data, &bytes, err));
    vx_status status = vx_clip_bpe_parse(bpe, path, data, bytes, err);
    vx_heap_free(data);
    return status;
}
