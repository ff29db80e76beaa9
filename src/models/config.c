#include "models/config.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static vx_status refuse(vx_error *err, const char *component, const char *key, const char *want)
{
    return vx_fail(
        err, VX_ERR_INPUT, "bad_config",
        "the configuration of %s has a value for \"%s\" that is not implemented; it must be %s",
        component, key, want);
}

static vx_status read_number(const json_t *value, const vx_config_key *key, const char *component,
                             double *out, vx_error *err)
{
    double number = json_number_value(value);
    bool whole =
        key->kind == VX_CONFIG_FLOAT || (json_is_integer(value) && number == floor(number));
    if (!json_is_number(value) || !whole || !(number >= key->min && number <= key->max))
        return vx_fail(
            err, VX_ERR_INPUT, "bad_config",
            "the configuration of %s has a value for \"%s\" that is not %s from %g to %g",
            component, key->name, key->kind == VX_CONFIG_FLOAT ? "a number" : "an integer",
            key->min, key->max);
    *out = number;
    return VX_OK;
}

static int choice_index(const char *choices, const char *value)
{
    size_t length = strlen(value);
    int index = 0;
    for (const char *at = choices; at != NULL; index++) {
        const char *end = strchr(at, '|');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        if (n == length && memcmp(at, value, n) == 0) return index;
        at = end ? end + 1 : NULL;
    }
    return -1;
}

static vx_status read_key(const json_t *value, const vx_config_key *key, char *out,
                          const char *component, vx_error *err)
{
    double number;
    switch (key->kind) {
    case VX_CONFIG_IGNORED:
        return VX_OK;
    case VX_CONFIG_OBJECT:
        return json_is_object(value) ? VX_OK : refuse(err, component, key->name, "a mapping");
    case VX_CONFIG_BOOL:
        if (!json_is_boolean(value)) return refuse(err, component, key->name, "true or false");
        *(bool *)(out + key->offset) = json_is_true(value);
        return VX_OK;
    case VX_CONFIG_CHOICE: {
        int index =
            json_is_string(value) ? choice_index(key->choices, json_string_value(value)) : -1;
        if (index < 0) return refuse(err, component, key->name, key->choices);
        *(int *)(out + key->offset) = index;
        return VX_OK;
    }
    case VX_CONFIG_INTS:
        if (!json_is_array(value) || json_array_size(value) != (size_t)key->count)
            return refuse(err, component, key->name, "a list of the published length");
        for (int i = 0; i < key->count; i++) {
            VX_TRY(read_number(json_array_get(value, (size_t)i), key, component, &number, err));
            ((int *)(out + key->offset))[i] = (int)number;
        }
        return VX_OK;
    case VX_CONFIG_FLOAT:
        VX_TRY(read_number(value, key, component, &number, err));
        *(float *)(out + key->offset) = (float)number;
        return VX_OK;
    case VX_CONFIG_INT:
        VX_TRY(read_number(value, key, component, &number, err));
        *(int *)(out + key->offset) = (int)number;
        return VX_OK;
    }
    return VX_ERR_INTERNAL;
}

vx_status vx_config_read(const json_t *object, const vx_config_key *keys, void *out,
                         const char *component, vx_error *err)
{
    if (object == NULL) return VX_OK;
    if (!json_is_object(object))
        return vx_fail(err, VX_ERR_INPUT, "bad_config", "the configuration of %s is not a mapping",
                       component);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const vx_config_key *key = keys;
        while (key->name != NULL && strcmp(key->name, name) != 0)
            key++;
        if (key->name == NULL && name[0] == '_') continue;
        if (key->name == NULL)
            return vx_fail(err, VX_ERR_INPUT, "bad_config",
                           "the configuration of %s has an unknown key \"%s\"", component, name);
        VX_TRY(read_key(value, key, out, component, err));
    }
    return VX_OK;
}
