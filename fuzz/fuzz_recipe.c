/* Recipes and other requests from any bytes: a valid one keeps its promises, any other is refused
 * with its line. */
#include <stdlib.h>
#include <string.h>

#include "config/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A confined request of another kind names no file. */
static void read_request(vx_kind kind, const uint8_t *data, size_t size)
{
    vx_recipe request;
    vx_error err = {0};
    vx_request_source source = {
        .kind = kind, .text = (const char *)data, .bytes = size, .confined = true};
    vx_status status = vx_request_read(&request, &source, &err);
    const vx_recipe_visual *visual = &request.visual;
    if (status != VX_OK && (status != VX_ERR_INPUT || strcmp(err.code, "bad_request") != 0 ||
                            err.line < 1 || err.message[0] == '\0'))
        abort();
    if (status == VX_OK && (visual->noise != NULL || visual->latents_out != NULL)) abort();
    if (status == VX_OK && visual->image != NULL && vx_recipe_check_files(&request, &err) == VX_OK)
        abort();
    vx_recipe_close(&request);
}

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
    read_request(VX_SPEECH, data, size);
    read_request(VX_PICTURE, data, size);
    read_request(VX_SCORE, data, size);
    return 0;
}
