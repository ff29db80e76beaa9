#include "config/yaml.h"

#include <assert.h>
#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"

/* Tree and texts lie in a chain of blocks that is freed as a whole. */
typedef struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(16) char data[];
} chunk;

enum { CHUNK_BYTES = 16 << 10 };

struct vx_yaml {
    chunk *chunks;
    vx_yaml_node *root;
    char *name;
    char code[32];
};

/* The state between two events: the container that is open and the key that waits for its value. */
typedef struct builder {
    vx_yaml *yaml;
    const char *text; /* the whole document, breaks as \n */
    vx_error *err;
    vx_yaml_node *open;
    const char *key;
    int key_line, depth, nodes;
    bool done; /* the document has ended */
} builder;

void *vx_yaml_alloc(vx_yaml *yaml, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    chunk *top = yaml->chunks;
    if (top == NULL || top->size - top->used < bytes) {
        size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk *fresh = vx_heap_alloc(sizeof *fresh + size);
        if (fresh == NULL) return NULL;
        fresh->size = size;
        fresh->next = top;
        yaml->chunks = top = fresh;
    }
    void *block = top->data + top->used;
    top->used += bytes;
    return block;
}

void vx_yaml_close(vx_yaml **yaml)
{
    if (yaml == NULL || *yaml == NULL) return;
    for (chunk *c = (*yaml)->chunks, *next; c != NULL; c = next) {
        next = c->next;
        vx_heap_free(c);
    }
    vx_heap_free((*yaml)->name);
    vx_heap_free(*yaml);
    *yaml = NULL;
}

const vx_yaml_node *vx_yaml_root(const vx_yaml *yaml)
{
    return yaml->root;
}

const char *vx_yaml_name(const vx_yaml *yaml)
{
    return yaml->name;
}

const vx_yaml_node *vx_yaml_get(const vx_yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != VX_YAML_MAP) return NULL;
    for (const vx_yaml_node *child = map->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

static vx_status fail_line(const vx_yaml *yaml, int line, vx_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static vx_status fail_line(const vx_yaml *yaml, int line, vx_error *err, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return vx_fail_at(err, VX_ERR_INPUT, yaml->code, yaml->name, line, "%s", text);
}

vx_status vx_yaml_fail(const vx_yaml *yaml, const vx_yaml_node *node, vx_error *err,
                       const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_line(yaml, node != NULL ? node->line : 1, err, "%s", text);
}

static vx_status no_memory(const vx_yaml *yaml, vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                   "not enough memory to read %s; free some memory",
                   yaml != NULL ? yaml->name : "the file");
}

/* Refuses what YAML can't hold before the parser sees it: bytes that are no UTF-8, and control
 * characters. Escaped, these may stand in a value (`controls`): who reads it says whether
 * (schema.h). */
static vx_status check_characters(const vx_yaml *yaml, const char *text, size_t bytes, bool escaped,
                                  bool controls, int line, vx_error *err)
{
    for (size_t at = 0; at < bytes;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                 (utf8proc_ssize_t)(bytes - at), &c);
        if (used <= 0 && escaped)
            return fail_line(yaml, line, err,
                             "a text has an escape that is no character; write the character");
        if (used <= 0)
            return fail_line(yaml, line, err,
                             "byte 0x%02x at offset %zu is not UTF-8; save the file as UTF-8",
                             (unsigned char)text[at], at);
        bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
                       (c >= 0x7F && c < 0xA0 && c != 0x85);
        if (control && !controls)
            return fail_line(yaml, line, err, "there is a control character, U+%04X, %s; remove it",
                             (unsigned)c, escaped ? "in a text" : "in the file");
        if (c == '\n' && !escaped) line++;
        at += (size_t)used;
    }
    return VX_OK;
}

/* A single-quoted scalar from its raw bytes: '' is one quote, and a line break with the blanks
 * around it is a space, or one break less than there are. libfyaml 0.7 gets longer runs of quotes
 * wrong. */
static char *copy_single_quoted(vx_yaml *yaml, const char *raw, size_t bytes, size_t *length)
{
    char *copy = vx_yaml_alloc(yaml, bytes + 1);
    if (copy == NULL) return NULL;
    size_t used = 0;
    for (size_t at = 0; at < bytes; at++) {
        if (raw[at] != '\n') {
            copy[used++] = raw[at];
            at += raw[at] == '\'';
            continue;
        }
        while (used > 0 && (copy[used - 1] == ' ' || copy[used - 1] == '\t'))
            used--;
        size_t breaks = 1;
        while (at + 1 < bytes && strchr(" \t\n", raw[at + 1]) != NULL)
            breaks += raw[++at] == '\n';
        if (breaks == 1) copy[used++] = ' ';
        for (; breaks > 1; breaks--)
            copy[used++] = '\n';
    }
    copy[used] = '\0';
    *length = used;
    return copy;
}

/* Any other scalar, piece by piece: the library's own copy trusts a length that it guessed while
 * scanning. NULL when there is no memory or the text is broken. */
static char *copy_pieces(vx_yaml *yaml, struct fy_token *token, size_t *length)
{
    char *copy = NULL;
    int failed = 0;
    for (int pass = 0; pass < 2 && !failed; pass++) {
        struct fy_token_iter *pieces = fy_token_iter_create(token);
        if (pieces == NULL) return NULL;
        size_t used = 0;
        const struct fy_iter_chunk *piece = NULL;
        while ((piece = fy_token_iter_chunk_next(pieces, piece, &failed)) != NULL) {
            if (pass == 1) memcpy(copy + used, piece->str, piece->len);
            used += piece->len;
        }
        fy_token_iter_destroy(pieces);
        if (pass == 0) copy = vx_yaml_alloc(yaml, used + 1);
        failed |= copy == NULL;
        *length = used;
    }
    return failed ? NULL : copy;
}

/* Adds a node where the builder stands. NULL with *status set when there are too many. */
static vx_yaml_node *add_node(builder *b, vx_yaml_kind kind, int line, vx_status *status)
{
    if (++b->nodes > VX_YAML_NODES_MAX) {
        *status = fail_line(b->yaml, line, b->err, "there are more than %d values; shorten it",
                            VX_YAML_NODES_MAX);
        return NULL;
    }
    vx_yaml_node *node = vx_yaml_alloc(b->yaml, sizeof *node);
    if (node == NULL) {
        *status = no_memory(b->yaml, b->err);
        return NULL;
    }
    node->kind = kind;
    node->line = node->key_line = line;
    node->parent = b->open;
    if (b->open == NULL) {
        b->yaml->root = node;
        return node;
    }
    if (b->open->kind == VX_YAML_MAP) {
        node->key = b->key;
        node->key_line = b->key_line;
        b->key = NULL;
    }
    if (b->open->last != NULL)
        b->open->last->next = node;
    else
        b->open->first = node;
    b->open->last = node;
    b->open->count++;
    return node;
}

static bool wants_key(const builder *b)
{
    return b->open != NULL && b->open->kind == VX_YAML_MAP && b->key == NULL;
}

static vx_status take_scalar(builder *b, struct fy_event *event, int line)
{
    size_t length = 0;
    struct fy_token *token = event->scalar.value;
    enum fy_scalar_style style = fy_token_scalar_style(token);
    const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);
    char *text = style == FYSS_SINGLE_QUOTED && start != NULL && end != NULL
                     ? copy_single_quoted(b->yaml, b->text + start->input_pos,
                                          end->input_pos - start->input_pos, &length)
                     : copy_pieces(b->yaml, token, &length);
    if (text == NULL) return fail_line(b->yaml, line, b->err, "a text can't be read; rewrite it");
    if (memchr(text, '\0', length) != NULL)
        return fail_line(b->yaml, line, b->err, "a text has a NUL character; remove it");
    VX_TRY(check_characters(b->yaml, text, length, true, !wants_key(b), line, b->err));
    bool quoted = style != FYSS_PLAIN;
    if (wants_key(b)) {
        if (!quoted && strcmp(text, "<<") == 0)
            return fail_line(b->yaml, line, b->err,
                             "merge keys (<<) are refused; write the values out");
        b->key = text;
        b->key_line = line;
        return VX_OK;
    }
    vx_status status = VX_OK;
    vx_yaml_node *node = add_node(b, VX_YAML_SCALAR, line, &status);
    if (node == NULL) return status;
    node->text = text;
    node->length = length;
    node->quoted = quoted;
    return VX_OK;
}

static vx_status open_container(builder *b, vx_yaml_kind kind, int line)
{
    if (wants_key(b))
        return fail_line(b->yaml, line, b->err, "a key is a %s; keys are plain words",
                         kind == VX_YAML_MAP ? "mapping" : "list");
    if (++b->depth > VX_YAML_DEPTH_MAX)
        return fail_line(b->yaml, line, b->err,
                         "values are nested deeper than %d levels; flatten it", VX_YAML_DEPTH_MAX);
    vx_status status = VX_OK;
    vx_yaml_node *node = add_node(b, kind, line, &status);
    if (node == NULL) return status;
    b->open = node;
    return VX_OK;
}

static int by_key_then_line(const void *left, const void *right)
{
    const vx_yaml_node *a = *(vx_yaml_node *const *)left, *b = *(vx_yaml_node *const *)right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->key_line > b->key_line) - (a->key_line < b->key_line);
}

/* Sorted neighbours: a map of n keys costs n log n, not n². */
static vx_status refuse_duplicates(const builder *b, const vx_yaml_node *map)
{
    if (map->count < 2) return VX_OK;
    vx_yaml_node **keys = vx_heap_alloc((size_t)map->count * sizeof(vx_yaml_node *));
    if (keys == NULL) return no_memory(b->yaml, b->err);
    int n = 0;
    for (vx_yaml_node *child = map->first; child != NULL; child = child->next)
        keys[n++] = child;
    qsort(keys, (size_t)n, sizeof keys[0], by_key_then_line);
    vx_status status = VX_OK;
    for (int i = 1; i < n && status == VX_OK; i++)
        if (strcmp(keys[i - 1]->key, keys[i]->key) == 0)
            status = fail_line(b->yaml, keys[i]->key_line, b->err,
                               "key '%.60s' is there twice, first on line %d; keep one",
                               keys[i]->key, keys[i - 1]->key_line);
    vx_heap_free(keys);
    return status;
}

static vx_status close_container(builder *b)
{
    assert(b->open != NULL);
    if (b->open->kind == VX_YAML_MAP) VX_TRY(refuse_duplicates(b, b->open));
    b->open = b->open->parent;
    b->depth--;
    return VX_OK;
}

/* Where an event begins. An empty value has no place of its own and a block scalar's lies below its
 * key, so both count as where the key is. */
static int event_line(const builder *b, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    bool block = false;
    if (event->type == FYET_SCALAR) {
        enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
        block = style == FYSS_LITERAL || style == FYSS_FOLDED;
    }
    if (b->key != NULL && (mark == NULL || block)) return b->key_line;
    if (mark != NULL) return mark->line + 1;
    return b->open == NULL ? 1 : b->open->last != NULL ? b->open->last->line : b->open->line;
}

static int token_line(struct fy_token *token, int otherwise)
{
    const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;
    return mark != NULL ? mark->line + 1 : otherwise;
}

static vx_status take_event(builder *b, struct fy_event *event)
{
    int line = event_line(b, event);
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (anchor != NULL || event->type == FYET_ALIAS)
        return fail_line(b->yaml, token_line(anchor, line), b->err,
                         "anchors (&) and aliases (*) are refused; write the value out, or quote "
                         "it if it is text");
    if (tag != NULL)
        return fail_line(b->yaml, token_line(tag, line), b->err,
                         "tags (!) are refused; quote it if it is text");
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (b->done)
            return fail_line(b->yaml, line, b->err,
                             "a second document begins here; give one document a file");
        return VX_OK;
    case FYET_DOCUMENT_END:
        b->done = true;
        return VX_OK;
    case FYET_SCALAR:
        return take_scalar(b, event, line);
    case FYET_MAPPING_START:
        return open_container(b, VX_YAML_MAP, line);
    case FYET_SEQUENCE_START:
        return open_container(b, VX_YAML_LIST, line);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return close_container(b);
    default:
        return VX_OK;
    }
}

/* libfyaml's own first complaint, with its line. */
static vx_status fail_syntax(const vx_yaml *yaml, const char *text, struct fy_diag *diag,
                             vx_error *err)
{
    /* What is missing at the end is said of the line after it. */
    int lines = 1;
    for (const char *c = text; c[0] != '\0' && c[1] != '\0'; c++)
        lines += *c == '\n';
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
    if (error == NULL || error->msg == NULL)
        return fail_line(yaml, 1, err, "this is not YAML; check indentation, quotes and brackets");
    char message[200];
    snprintf(message, sizeof message, "%s", error->msg);
    message[strcspn(message, "\n")] = '\0';
    int line = error->line < 1 ? 1 : error->line > lines ? lines : error->line;
    return fail_line(yaml, line, err,
                     "this is not YAML: %s; check indentation, quotes and brackets", message);
}

static vx_status read_events(vx_yaml *yaml, const char *text, struct fy_parser *parser,
                             struct fy_diag *diag, vx_error *err)
{
    builder b = {.yaml = yaml, .text = text, .err = err};
    vx_status status = VX_OK;
    struct fy_event *event;
    while (status == VX_OK && (event = fy_parser_parse(parser)) != NULL) {
        status = take_event(&b, event);
        fy_parser_event_free(parser, event);
    }
    VX_TRY(status);
    if (fy_parser_get_stream_error(parser) || !b.done || b.open != NULL)
        return b.nodes == 0 && !fy_parser_get_stream_error(parser)
                   ? fail_line(yaml, 1, err, "the file is empty; see examples/ for what goes in")
                   : fail_syntax(yaml, text, diag, err);
    return VX_OK;
}

static vx_status parse_text(vx_yaml *yaml, const char *text, size_t bytes, vx_error *err)
{
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    diag_cfg.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (diag == NULL) return no_memory(yaml, err);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE |
                                        FYPCF_COLLECT_DIAG,
                               .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    vx_status status;
    if (parser == NULL || fy_parser_set_string(parser, text, bytes) != 0)
        status = no_memory(yaml, err);
    else
        status = read_events(yaml, text, parser, diag, err);
    if (parser != NULL) fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}

/* Line breaks of any system as \n, which is what YAML says they mean. NULL: no memory. */
static char *normal_breaks(vx_yaml *yaml, const char *text, size_t bytes, size_t *length)
{
    char *copy = vx_yaml_alloc(yaml, bytes + 1);
    size_t used = 0;
    for (size_t at = 0; at < bytes && copy != NULL; at++) {
        bool carriage = text[at] == '\r';
        copy[used++] = carriage ? '\n' : text[at];
        at += carriage && at + 1 < bytes && text[at + 1] == '\n';
    }
    *length = used;
    return copy;
}

vx_status vx_yaml_parse(vx_yaml **yaml, const char *name, const char *text, size_t bytes,
                        const char *code, vx_error *err)
{
    *yaml = NULL;
    vx_yaml *fresh = vx_heap_alloc(sizeof *fresh);
    if (fresh != NULL) fresh->name = vx_heap_text(name, strlen(name));
    if (fresh == NULL || fresh->name == NULL) {
        vx_heap_free(fresh);
        return no_memory(NULL, err);
    }
    snprintf(fresh->code, sizeof fresh->code, "%s", code);
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    vx_status status = VX_OK;
    if (bytes > VX_YAML_BYTES_MAX)
        status = fail_line(fresh, 1, err, "the file is longer than %d bytes; is it the right one?",
                           VX_YAML_BYTES_MAX);
    if (status == VX_OK) {
        text = normal_breaks(fresh, text, bytes, &bytes);
        status = text == NULL ? no_memory(fresh, err)
                              : check_characters(fresh, text, bytes, false, false, 1, err);
    }
    if (status == VX_OK) status = parse_text(fresh, text, bytes, err);
    if (status != VX_OK)
        vx_yaml_close(&fresh);
    else
        assert(fresh->root != NULL);
    *yaml = fresh;
    return status;
}

vx_status vx_yaml_load(vx_yaml **yaml, const char *path, const char *code, char sha256[65],
                       vx_error *err)
{
    *yaml = NULL;
    char *text;
    size_t bytes;
    vx_status status = vx_file_read(path, VX_YAML_BYTES_MAX + 3, &text, &bytes, err);
    if (status == VX_ERR_INPUT && err != NULL) {
        snprintf(err->code, sizeof err->code, "%s", code);
        err->line = 1;
    }
    VX_TRY(status);
    if (sha256 != NULL) vx_sha256_bytes(text, bytes, sha256);
    status = vx_yaml_parse(yaml, strcmp(path, "-") == 0 ? "standard input" : path, text, bytes,
                           code, err);
    vx_heap_free(text);
    return status;
}

static bool is_word(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

/* Digits of base 8, 10 or 16 and nothing else, at least one. */
static bool only_digits(const char *text, const char *digits)
{
    return text[0] != '\0' && text[strspn(text, digits)] == '\0';
}

/* [-+]? (digits . digits* | . digits | digits) ([eE][-+]?digits)?, YAML 1.2 core schema 10.3.2. */
static bool is_float(const char *text)
{
    const char *digits = "0123456789";
    if (*text == '-' || *text == '+') text++;
    size_t whole = strspn(text, digits), part = 0;
    text += whole;
    if (*text == '.') {
        part = strspn(++text, digits);
        text += part;
    }
    if (whole + part == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+') text++;
        return only_digits(text, digits);
    }
    return *text == '\0';
}

vx_yaml_type vx_yaml_scalar(const char *text, size_t length, bool quoted, int64_t *integer,
                            double *real)
{
    *integer = 0;
    *real = 0;
    if (quoted || length > 400) return VX_YAML_TEXT;
    if (length == 0 || strcmp(text, "~") == 0 || is_word(text, "null", "Null", "NULL"))
        return VX_YAML_NULL;
    *integer = is_word(text, "true", "True", "TRUE");
    if (*integer || is_word(text, "false", "False", "FALSE")) return VX_YAML_BOOL;
    const char *body = text + (*text == '-' || *text == '+');
    errno = 0;
    if (strncmp(text, "0x", 2) == 0 && only_digits(text + 2, "0123456789abcdefABCDEF"))
        *integer = strtoll(text + 2, NULL, 16);
    else if (strncmp(text, "0o", 2) == 0 && only_digits(text + 2, "01234567"))
        *integer = strtoll(text + 2, NULL, 8);
    else if (only_digits(body, "0123456789"))
        *integer = strtoll(text, NULL, 10);
    else if (is_word(body, ".inf", ".Inf", ".INF"))
        return *real = *text == '-' ? -HUGE_VAL : HUGE_VAL, VX_YAML_FLOAT;
    else if (is_word(text, ".nan", ".NaN", ".NAN"))
        return *real = (double)NAN, VX_YAML_FLOAT;
    else if (is_float(text))
        return *real = strtod(text, NULL), VX_YAML_FLOAT;
    else
        return VX_YAML_TEXT;
    if (errno == 0) return *real = (double)*integer, VX_YAML_INT;
    *real = HUGE_VAL; /* too large for 64 bits, so too large for any range here */
    return VX_YAML_FLOAT;
}

static json_t *scalar_to_json(const vx_yaml_node *node)
{
    int64_t integer;
    double real;
    switch (vx_yaml_scalar(node->text, node->length, node->quoted, &integer, &real)) {
    case VX_YAML_NULL:
        return json_null();
    case VX_YAML_BOOL:
        return json_boolean(integer);
    case VX_YAML_INT:
        return json_integer(integer);
    case VX_YAML_FLOAT:
        return json_real(real); /* NULL when not finite */
    case VX_YAML_TEXT:
        break;
    }
    return json_stringn(node->text, node->length);
}

/* Recursion is bounded by VX_YAML_DEPTH_MAX. */
json_t *vx_yaml_to_json(const vx_yaml_node *node)
{
    if (node->kind == VX_YAML_SCALAR) return scalar_to_json(node);
    json_t *json = node->kind == VX_YAML_MAP ? json_object() : json_array();
    for (const vx_yaml_node *child = node->first; child != NULL && json != NULL;
         child = child->next) {
        json_t *value = vx_yaml_to_json(child);
        int failed = node->kind == VX_YAML_MAP ? json_object_set_new(json, child->key, value)
                                               : json_array_append_new(json, value);
        if (failed != 0) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}
