/* Model configurations: a JSON object read against a table.
 *
 * Packs carry the model's own configuration, verbatim. An absent key keeps the value that is
 * already in the struct (the published one); a key without effect at inference is listed as such; a
 * key that is not in the table, or a value that asks for something that does not exist here, is
 * refused by name. */
#ifndef VX_MODELS_CONFIG_H
#define VX_MODELS_CONFIG_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

typedef enum vx_config_kind {
    VX_CONFIG_INT,    /* int at offset, within [min, max] */
    VX_CONFIG_FLOAT,  /* float at offset, within [min, max] */
    VX_CONFIG_BOOL,   /* bool at offset */
    VX_CONFIG_CHOICE, /* string: int at offset becomes its index in `choices` ("a|b|c") */
    VX_CONFIG_INTS,   /* array of exactly `count` ints at offset, each within [min, max] */
    VX_CONFIG_OBJECT, /* an object that the caller reads by itself */
    VX_CONFIG_IGNORED /* no effect at inference, any value */
} vx_config_kind;

typedef struct vx_config_key {
    const char *name;
    vx_config_kind kind;
    size_t offset;
    double min, max;
    const char *choices;
    int count;
} vx_config_key;

/* Rows of a table: an int of a struct, and a key without effect. */
#define VX_CONFIG_INT_KEY(key, params, member, low, high)                                          \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_INT, .offset = offsetof(params, member), .min = (low),      \
        .max = (high)                                                                              \
    }
#define VX_CONFIG_NO_EFFECT(key)                                                                   \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_IGNORED                                                     \
    }

/* Reads `object` into *out by a table that ends with a NULL name. NULL object: everything keeps its
 * value. `component` is for messages. VX_ERR_INPUT, code "bad_config". Keys that begin with '_' are
 * ignored. */
vx_status vx_config_read(const json_t *object, const vx_config_key *keys, void *out,
                         const char *component, vx_error *err);

#endif
