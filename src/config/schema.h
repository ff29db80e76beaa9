/* One table-driven schema for everything that people write: recipes, packs, settings, and the
 * command line's flags.
 *
 * A table of rows describes a mapping: each row is a key, its type and range, its default, and
 * where the value goes in a C struct. Reading fills the struct or says which line is wrong and what
 * would be right. Texts, lists and nodes point into the document and live as long as it does.
 *
 *     static const vx_field rows[] = {
 *         VX_ROW(params, speed, FLOAT, .min = 0.5, .max = 2, .fallback = "1"),
 *         VX_ROWS_END,
 *     };
 *     VX_TRY(vx_schema_read(yaml, rows, &params, err)); */
#ifndef VX_CONFIG_SCHEMA_H
#define VX_CONFIG_SCHEMA_H

#include "config/yaml.h"

typedef enum vx_field_type {
    VX_FIELD_TEXT,  /* const char *; any text, several lines too */
    VX_FIELD_WORD,  /* const char *; one line, not empty: a name, a path */
    VX_FIELD_INT,   /* int64_t */
    VX_FIELD_FLOAT, /* double, finite */
    VX_FIELD_BOOL,  /* bool */
    VX_FIELD_ENUM,  /* int: index in `choices` */
    VX_FIELD_LIST,  /* vx_list of `element`s */
    VX_FIELD_MAP,   /* struct at the offset, by `fields` */
    VX_FIELD_NODE   /* const vx_yaml_node *: anything, read by its owner */
} vx_field_type;

typedef struct vx_list {
    void *items; /* count elements, NULL when none */
    int count;
    bool word; /* the field's `word` stands in the list's place */
} vx_list;

/* A check beyond type and range, called when the value is in place. Fails with vx_yaml_fail. */
typedef vx_status (*vx_field_check)(const vx_yaml *yaml, const vx_yaml_node *node,
                                    const void *value, vx_error *err);

typedef struct vx_field {
    const char *key; /* NULL ends a table; unused in an element */
    vx_field_type type;
    bool required;
    bool control; /* text: it may hold control characters, escaped */
    bool numeric; /* text and word: a plain number will do as a text (version: 1.0) */
    size_t offset;
    double min, max;      /* numbers: range; texts: bytes; lists: items; both 0: no limit */
    int multiple;         /* int: must divide by it; 0 for any */
    bool off;             /* float: "off" will do too, and is 0 */
    const char *word;     /* list: this word will do too */
    const char *choices;  /* enum: "a|b|c" */
    const char *fallback; /* the default as it would be written, not range-checked; NULL: a text is
                             NULL, a number 0, an enum -1 */
    const struct vx_field *fields;  /* map */
    const struct vx_field *element; /* list */
    size_t size;                    /* list: bytes of one element */
    vx_field_check check;           /* NULL for none */
} vx_field;

/* A row for a struct's member: of the same name, of another name, and a mapping whose rows lie in
 * the struct itself. */
#define VX_ROW_AS(name, params, member, kind, ...)                                                 \
    {                                                                                              \
        .key = name, .type = VX_FIELD_##kind, .offset = offsetof(params, member), __VA_ARGS__      \
    }
#define VX_ROW(params, member, kind, ...) VX_ROW_AS(#member, params, member, kind, __VA_ARGS__)
#define VX_PART(name, ...)                                                                         \
    {                                                                                              \
        .key = name, .type = VX_FIELD_MAP, .offset = 0, __VA_ARGS__                                \
    }
#define VX_ROWS_END                                                                                \
    {                                                                                              \
        .key = NULL                                                                                \
    }

/* Reads the document's mapping into *out. All rows are set, absent ones to their defaults. What is
 * required inside a mapping is required only where that mapping is there. VX_ERR_INPUT with line
 * and advice, with the document's own code. */
vx_status vx_schema_read(vx_yaml *yaml, const vx_field *fields, void *out, vx_error *err);

/* Sets every row to its default. */
void vx_schema_defaults(const vx_field *fields, void *out);

/* Room for a sentence that says what is wrong with a value. */
enum { VX_FIELD_REASON = 320 };

/* Converts one scalar into *value, which is the field's own place, not the struct. With `typed`,
 * plain text has YAML's types, so that 42 is no text; without, any text is one (flags). False with
 * the reason ("is 'fast' and must be a number from 0.5 to 2"). Texts are not copied. */
bool vx_field_convert(const vx_field *field, const char *text, size_t length, bool quoted,
                      bool typed, void *value, char reason[VX_FIELD_REASON]);

/* The index of `word` in "a|b|c", or -1; and the word of an index, "" when there is none. */
int vx_choice_index(const char *choices, const char *word, size_t length);
const char *vx_choice_name(const char *choices, int index, char *buffer, size_t room);

#endif
