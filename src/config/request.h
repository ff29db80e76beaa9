/* The rows of recipes that other requests have too. Private to src/config. */
#ifndef VX_CONFIG_REQUEST_H
#define VX_CONFIG_REQUEST_H

#include "config/recipe.h"

extern const vx_field vx_recipe_rows[];
extern const vx_field vx_face_coordinate;

vx_status vx_check_slot_id(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                           vx_error *err);
vx_status vx_check_script(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                          vx_error *err);
vx_status vx_check_colour(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                          vx_error *err);

/* What a recipe's table can't say: VX_ERR_INPUT when nobody is to be seen. */
vx_status vx_recipe_check(vx_recipe *recipe, vx_error *err);

#endif
