/* YAML text as a tree of nodes with their lines.
 *
 * YAML 1.2 without its dangerous half: one document, UTF-8, no anchors, aliases, merge keys or
 * tags, every key a scalar and used once. JSON is a subset, so JSON files read the same way. Size,
 * depth and node count are bounded before memory is spent, so that no text costs more than a fixed
 * multiple of its own length.
 *
 * Parsing is libfyaml's, event by event; the tree is ours. */
#ifndef VX_CONFIG_YAML_H
#define VX_CONFIG_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    /* The longest recipe anyone writes is a 45-s script, a few KiB; model configurations with
     * their label tables reach 100 KiB. */
    VX_YAML_BYTES_MAX = 256 << 10,
    VX_YAML_DEPTH_MAX = 16,   /* packs need 5, model configurations 6 */
    VX_YAML_NODES_MAX = 20000 /* a voice table with thousands of entries still passes */
};

typedef enum vx_yaml_kind { VX_YAML_SCALAR, VX_YAML_LIST, VX_YAML_MAP } vx_yaml_kind;

typedef struct vx_yaml_node {
    vx_yaml_kind kind;
    bool quoted;        /* scalar in quotes or a block scalar: always a string */
    const char *text;   /* scalar: NUL-terminated, no NUL inside */
    size_t length;      /* scalar: bytes of text */
    const char *key;    /* in a map: this value's key; else NULL */
    int line, key_line; /* 1-based */
    int count;          /* list and map: children */
    struct vx_yaml_node *first, *last, *next, *parent;
} vx_yaml_node;

typedef struct vx_yaml vx_yaml;

/* Parses `bytes` of text. `name` is the file's name for messages; `code` is the error's code
 * ("bad_recipe"). VX_ERR_INPUT with the line for anything that is not such a document. *yaml is
 * NULL on failure. */
vx_status vx_yaml_parse(vx_yaml **yaml, const char *name, const char *text, size_t bytes,
                        const char *code, vx_error *err);

/* Reads and parses a file; "-" is standard input. VX_ERR_MISSING when there is none, VX_ERR_IO when
 * it can't be read, VX_ERR_INPUT when it is too large. sha256 (may be NULL) receives the hash of
 * its bytes in hex. */
vx_status vx_yaml_load(vx_yaml **yaml, const char *path, const char *code, char sha256[65],
                       vx_error *err);

/* Frees the tree with all its text; sets NULL; safe on NULL. */
void vx_yaml_close(vx_yaml **yaml);

const vx_yaml_node *vx_yaml_root(const vx_yaml *yaml);
const char *vx_yaml_name(const vx_yaml *yaml);

/* Zeroed memory that lives as long as the tree; NULL when there is none. */
void *vx_yaml_alloc(vx_yaml *yaml, size_t bytes);

/* The value under `key` of a map, or NULL (also for any other node and for NULL). */
const vx_yaml_node *vx_yaml_get(const vx_yaml_node *map, const char *key);

/* What a plain scalar means in YAML 1.2's core schema. */
typedef enum vx_yaml_type {
    VX_YAML_NULL,
    VX_YAML_BOOL,
    VX_YAML_INT,
    VX_YAML_FLOAT,
    VX_YAML_TEXT
} vx_yaml_type;

/* The type of a scalar and, where it has one, its value: 0 or 1 for a bool; *integer for a bool and
 * an int, *real for an int and a float. An integer beyond 64 bits is a float,
 * infinite. */
vx_yaml_type vx_yaml_scalar(const char *text, size_t length, bool quoted, int64_t *integer,
                            double *real);

/* The node as JSON, which the caller releases; NULL when there is no memory or a number JSON can't
 * hold (.inf, .nan). */
json_t *vx_yaml_to_json(const vx_yaml_node *node);

/* VX_ERR_INPUT at a node, with the document's name and code. `node` may be NULL for the whole. */
vx_status vx_yaml_fail(const vx_yaml *yaml, const vx_yaml_node *node, vx_error *err,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
