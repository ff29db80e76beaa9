/* Recipes from any bytes: a valid one keeps its promises, any other is refused with its line. */
#include <stdlib.h>
#include <string.h>

#include "config/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vx_recipe recipe;
    vx_error err = {0};
    vx_status status = vx_recipe_parse(&recipe, "fuzz.yaml", ".", (const char *)data, size, &err);
    if (status == VX_OK) {
        if (recipe.audio.script[0] == '\0' || recipe.audio.speed < 0.5 || recipe.slot_id == NULL)
            abort();
        json_t *json = vx_yaml_to_json(vx_yaml_root(recipe.document));
        json_decref(json);
    } else if (status != VX_ERR_INPUT || strcmp(err.code, "bad_recipe") != 0 || err.line < 1 ||
               err.message[0] == '\0') {
        abort();
    }
    vx_recipe_close(&recipe);
    return 0;
}
