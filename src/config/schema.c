#include "config/schema.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

enum { PATH_BYTES = 128, SHOWN_BYTES = 40 };

/* Where the reader stands: the document, and the dotted path of the mapping for messages. */
typedef struct reader {
    vx_yaml *yaml;
    vx_error *err;
    char path[PATH_BYTES];
} reader;

int vx_choice_index(const char *choices, const char *word, size_t length)
{
    int index = 0;
    for (const char *at = choices;; index++) {
        size_t span = strcspn(at, "|");
        if (span == length && memcmp(at, word, length) == 0) return index;
        if (at[span] == '\0') return -1;
        at += span + 1;
    }
}

const char *vx_choice_name(const char *choices, int index, char *buffer, size_t room)
{
    buffer[0] = '\0';
    if (index < 0) return buffer;
    const char *at = choices;
    for (; index > 0; index--) {
        at += strcspn(at, "|");
        if (*at++ == '\0') return buffer;
    }
    snprintf(buffer, room, "%.*s", (int)strcspn(at, "|"), at);
    return buffer;
}

/* A value as a message shows it: cut at a character, on one line. */
static const char *shown(const char *text, size_t length, char buffer[SHOWN_BYTES + 8])
{
    bool cut = length > SHOWN_BYTES;
    size_t n = cut ? SHOWN_BYTES : length;
    while (cut && n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        buffer[i] = (unsigned char)text[i] < 0x20 ? ' ' : text[i];
    strcpy(buffer + n, cut ? "…" : "");
    return buffer;
}

static const char *wanted(const vx_field *field, char buffer[160])
{
    bool limited = field->min != 0 || field->max != 0;
    char range[80] = "", multiple[40] = "";
    if (limited && field->max >= 0x1p63)
        snprintf(range, sizeof range, " from %.15g to 2^63-1", field->min);
    else if (limited)
        snprintf(range, sizeof range, " from %.15g to %.15g", field->min, field->max);
    if (field->multiple > 1)
        snprintf(multiple, sizeof multiple, ", a multiple of %d", field->multiple);
    switch (field->type) {
    case VX_FIELD_INT:
        snprintf(buffer, 160, "a whole number%s%s", range, multiple);
        break;
    case VX_FIELD_FLOAT:
        snprintf(buffer, 160, "a number%s%s", range, field->off ? ", or off" : "");
        break;
    case VX_FIELD_BOOL:
        snprintf(buffer, 160, "true or false");
        break;
    case VX_FIELD_ENUM:
        snprintf(buffer, 160, "one of %s", field->choices);
        break;
    case VX_FIELD_LIST:
        snprintf(buffer, 160, "a list%s%.40s", field->word != NULL ? " or " : "",
                 field->word != NULL ? field->word : "");
        break;
    case VX_FIELD_MAP:
        snprintf(buffer, 160, "a mapping of keys to values");
        break;
    default:
        snprintf(buffer, 160, "a text");
        break;
    }
    return buffer;
}

static bool refuse(const vx_field *field, const char *text, size_t length, char *reason)
{
    char value[SHOWN_BYTES + 8], what[160];
    snprintf(reason, VX_FIELD_REASON, "is '%s' and must be %s", shown(text, length, value),
             wanted(field, what));
    return false;
}

static bool out_of_range(const vx_field *field, double value)
{
    if (!isfinite(value)) return true;
    return (field->min != 0 || field->max != 0) && (value < field->min || value > field->max);
}

/* The first control character but line breaks and tabs (yaml.c has the same); 0: there is none. */
static unsigned control_in(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) return c;
        unsigned char next = i + 1 < length ? (unsigned char)text[i + 1] : 0;
        if (c == 0xC2 && next >= 0x80 && next < 0xA0 && next != 0x85) return next;
    }
    return 0;
}

static bool convert_text(const vx_field *field, const char *text, size_t length, bool typed,
                         void *value, char *reason)
{
    bool word = field->type == VX_FIELD_WORD;
    if (word && length == 0) {
        snprintf(reason, VX_FIELD_REASON, "is empty; give a text or leave the key out");
        return false;
    }
    if (word && memchr(text, '\n', length) != NULL) {
        snprintf(reason, VX_FIELD_REASON, "has several lines and must be one");
        return false;
    }
    if (field->max != 0 && ((double)length < field->min || (double)length > field->max)) {
        snprintf(reason, VX_FIELD_REASON, "is %zu bytes long and must be from %.0f to %.0f bytes",
                 length, field->min, field->max);
        return false;
    }
    unsigned control = typed && !field->control ? control_in(text, length) : 0;
    if (control != 0) {
        snprintf(reason, VX_FIELD_REASON, "holds a control character, U+%04X; remove it", control);
        return false;
    }
    *(const char **)value = text;
    return true;
}

static bool convert_enum(const vx_field *field, const char *text, size_t length, void *value,
                         char *reason)
{
    int index = vx_choice_index(field->choices, text, length);
    if (index >= 0) {
        *(int *)value = index;
        return true;
    }
    refuse(field, text, length, reason);
    vx_nearest nearest = {.word = text};
    char names[16][24];
    for (int i = 0; i < 16; i++)
        if (*vx_choice_name(field->choices, i, names[i], sizeof names[i]) != '\0')
            vx_nearest_offer(&nearest, names[i]);
    size_t used = strlen(reason);
    if (nearest.best != NULL)
        snprintf(reason + used, VX_FIELD_REASON - used, "; did you mean '%s'?", nearest.best);
    return false;
}

bool vx_field_convert(const vx_field *field, const char *text, size_t length, bool quoted,
                      bool typed, void *value, char reason[VX_FIELD_REASON])
{
    int64_t integer;
    double real;
    vx_yaml_type type = vx_yaml_scalar(text, length, quoted, &integer, &real);
    switch (field->type) {
    case VX_FIELD_TEXT:
    case VX_FIELD_WORD:
        if (!typed || type == VX_YAML_TEXT ||
            (field->numeric && (type == VX_YAML_INT || type == VX_YAML_FLOAT)))
            return convert_text(field, text, length, typed, value, reason);
        if (length > 0) {
            refuse(field, text, length, reason);
            size_t used = strlen(reason);
            snprintf(reason + used, VX_FIELD_REASON - used, "; put it in quotes");
        } else {
            snprintf(reason, VX_FIELD_REASON, "has no value; give one or leave the key out");
        }
        return false;
    case VX_FIELD_INT:
        if (type != VX_YAML_INT || out_of_range(field, real) ||
            (field->multiple > 1 && integer % field->multiple != 0))
            return refuse(field, text, length, reason);
        *(int64_t *)value = integer;
        return true;
    case VX_FIELD_FLOAT:
        if (field->off && length == 3 && memcmp(text, "off", 3) == 0) {
            *(double *)value = 0;
            return true;
        }
        if ((type != VX_YAML_INT && type != VX_YAML_FLOAT) || out_of_range(field, real))
            return refuse(field, text, length, reason);
        *(double *)value = real;
        return true;
    case VX_FIELD_BOOL:
        if (type != VX_YAML_BOOL) return refuse(field, text, length, reason);
        *(bool *)value = integer != 0;
        return true;
    case VX_FIELD_ENUM:
        return convert_enum(field, text, length, value, reason);
    default:
        return refuse(field, text, length, reason);
    }
}

void vx_schema_defaults(const vx_field *fields, void *out)
{
    for (const vx_field *field = fields; field->key != NULL; field++) {
        void *value = (char *)out + field->offset;
        char reason[VX_FIELD_REASON];
        /* A default is trusted: it may lie outside the range, to mean "not given". */
        vx_field free_range = *field;
        free_range.min = free_range.max = free_range.multiple = 0;
        if (field->type == VX_FIELD_MAP)
            vx_schema_defaults(field->fields, value);
        else if (field->fallback != NULL) {
            bool fine = vx_field_convert(&free_range, field->fallback, strlen(field->fallback),
                                         false, false, value, reason);
            assert(fine);
        } else if (field->type == VX_FIELD_ENUM)
            *(int *)value = -1;
    }
}

static vx_status read_value(reader *r, const vx_field *field, const vx_yaml_node *node,
                            void *value);

static void push_path(reader *r, const char *key, size_t *mark)
{
    *mark = strlen(r->path);
    if (key != NULL)
        snprintf(r->path + *mark, sizeof r->path - *mark, "%s%s", *mark > 0 ? "." : "", key);
}

static vx_status fail_value(const reader *r, const vx_yaml_node *node, const char *reason)
{
    return vx_yaml_fail(r->yaml, node, r->err, "%s%s%s", r->path, r->path[0] ? " " : "the file ",
                        reason);
}

static vx_status read_list(reader *r, const vx_field *field, const vx_yaml_node *node,
                           vx_list *list)
{
    char reason[VX_FIELD_REASON];
    if (field->max != 0 && (node->count < field->min || node->count > field->max)) {
        if (field->min == field->max)
            snprintf(reason, sizeof reason, "has %d entries and must have %.0f", node->count,
                     field->min);
        else
            snprintf(reason, sizeof reason, "has %d entries and must have from %.0f to %.0f",
                     node->count, field->min, field->max);
        return fail_value(r, node, reason);
    }
    if (node->count == 0) return VX_OK;
    list->items = vx_yaml_alloc(r->yaml, (size_t)node->count * field->size);
    if (list->items == NULL)
        return vx_fail(r->err, VX_ERR_MEMORY, "no_memory", "not enough memory to read %s",
                       vx_yaml_name(r->yaml));
    for (const vx_yaml_node *child = node->first; child != NULL; child = child->next) {
        char *item = (char *)list->items + (size_t)list->count * field->size;
        char index[16];
        size_t mark = strlen(r->path);
        snprintf(index, sizeof index, "[%d]", list->count);
        snprintf(r->path + mark, sizeof r->path - mark, "%s", index);
        VX_TRY(read_value(r, field->element, child, item));
        r->path[mark] = '\0';
        list->count++;
    }
    return VX_OK;
}

static vx_status refuse_unknown(const reader *r, const vx_field *fields, const vx_yaml_node *child)
{
    char known[300] = "", key[SHOWN_BYTES + 8];
    vx_nearest nearest = {.word = child->key};
    for (const vx_field *field = fields; field->key != NULL; field++) {
        vx_nearest_offer(&nearest, field->key);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", field->key);
    }
    vx_yaml_node at = {.line = child->key_line};
    shown(child->key, strlen(child->key), key);
    const char *in = r->path[0] ? " in " : "";
    if (nearest.best != NULL)
        return vx_yaml_fail(r->yaml, &at, r->err, "unknown key '%s'%s%s; did you mean '%s'?", key,
                            in, r->path, nearest.best);
    return vx_yaml_fail(r->yaml, &at, r->err, "unknown key '%s'%s%s; known here: %s", key, in,
                        r->path, known);
}

static vx_status read_map(reader *r, const vx_field *fields, const vx_yaml_node *node, void *out)
{
    vx_schema_defaults(fields, out);
    for (const vx_yaml_node *child = node->first; child != NULL; child = child->next) {
        const vx_field *field = fields;
        while (field->key != NULL && strcmp(field->key, child->key) != 0)
            field++;
        if (field->key == NULL) return refuse_unknown(r, fields, child);
        size_t mark;
        push_path(r, field->key, &mark);
        VX_TRY(read_value(r, field, child, (char *)out + field->offset));
        r->path[mark] = '\0';
    }
    for (const vx_field *field = fields; field->key != NULL; field++)
        if (field->required && vx_yaml_get(node, field->key) == NULL)
            return vx_yaml_fail(r->yaml, node, r->err, "%s%s%s is missing; add it", r->path,
                                r->path[0] ? "." : "", field->key);
    return VX_OK;
}

static vx_status read_value(reader *r, const vx_field *field, const vx_yaml_node *node, void *value)
{
    static const char *const kinds[] = {"a single value", "a list", "a mapping"};
    vx_yaml_kind kind = field->type == VX_FIELD_LIST  ? VX_YAML_LIST
                        : field->type == VX_FIELD_MAP ? VX_YAML_MAP
                                                      : VX_YAML_SCALAR;
    char reason[VX_FIELD_REASON], what[160];
    if (field->type == VX_FIELD_NODE) {
        *(const vx_yaml_node **)value = node;
    } else if (field->word != NULL && node->kind == VX_YAML_SCALAR &&
               strcmp(node->text, field->word) == 0) {
        *(vx_list *)value = (vx_list){.word = true};
    } else if (node->kind != kind) {
        snprintf(reason, sizeof reason, "is %s and must be %s", kinds[node->kind],
                 wanted(field, what));
        return fail_value(r, node, reason);
    } else if (kind == VX_YAML_LIST) {
        VX_TRY(read_list(r, field, node, value));
    } else if (kind == VX_YAML_MAP) {
        VX_TRY(read_map(r, field->fields, node, value));
    } else if (!vx_field_convert(field, node->text, node->length, node->quoted, true, value,
                                 reason)) {
        return fail_value(r, node, reason);
    }
    return field->check != NULL ? field->check(r->yaml, node, value, r->err) : VX_OK;
}

vx_status vx_schema_read(vx_yaml *yaml, const vx_field *fields, void *out, vx_error *err)
{
    reader r = {.yaml = yaml, .err = err};
    vx_field root = {.type = VX_FIELD_MAP, .fields = fields};
    return read_value(&r, &root, vx_yaml_root(yaml), out);
}
