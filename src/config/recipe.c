#include "config/recipe.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "config/paths.h"
#include "config/request.h"

vx_status vx_check_slot_id(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                           vx_error *err)
{
    /* It names files, log lines and metrics. */
    const char *id = *(const char *const *)value;
    if (id[0] == '.' || strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789._-") != strlen(id))
        return vx_yaml_fail(yaml, node, err,
                            "slot_id may hold letters, digits, '.', '_' and '-' and not begin "
                            "with '.'; rename it");
    return VX_OK;
}

vx_status vx_check_script(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                          vx_error *err)
{
    const char *script = *(const char *const *)value;
    if (script[strspn(script, " \t\r\n")] == '\0')
        return vx_yaml_fail(yaml, node, err, "the script is empty; write what is to be said");
    return VX_OK;
}

static vx_status check_moods(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                             vx_error *err)
{
    const vx_list *moods = value;
    const vx_mood_at *at = moods->items;
    const vx_yaml_node *child = node->first;
    for (int i = 1; i < moods->count; i++) {
        child = child->next;
        if (at[i].at_s <= at[i - 1].at_s)
            return vx_yaml_fail(yaml, child, err,
                                "visual_track.moods[%d] begins at %g s, not after the one before "
                                "it at %g s; put them in order of time",
                                i, at[i].at_s, at[i - 1].at_s);
    }
    return VX_OK;
}

bool vx_colour_read(const char *text, uint8_t rgb[3])
{
    unsigned int colour[3];
    if (strlen(text) != 7 || text[0] != '#' || strspn(text + 1, "0123456789abcdefABCDEF") != 6 ||
        sscanf(text + 1, "%2x%2x%2x", &colour[0], &colour[1], &colour[2]) != 3)
        return false;
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)colour[i];
    return true;
}

vx_status vx_check_colour(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                          vx_error *err)
{
    uint8_t rgb[3];
    const char *text = *(const char *const *)value;
    if (vx_colour_read(text, rgb)) return VX_OK;
    return vx_yaml_fail(yaml, node, err,
                        "background is '%.40s' and must be a colour in quotes, "
                        "\"#rrggbb\"",
                        text);
}

static const vx_field audio_rows[] = {
    VX_ROW(vx_recipe_audio, script, TEXT, .required = true, .min = 1, .max = VX_SCRIPT_BYTES_MAX,
           .check = vx_check_script),
    VX_ROW(vx_recipe_audio, voice_id, WORD, .min = 1, .max = 256),
    VX_ROW(vx_recipe_audio, speed, FLOAT, .min = 0.5, .max = 2, .fallback = "1"),
    VX_ROW(vx_recipe_audio, mood, ENUM, .choices = VX_MOOD_NAMES),
    VX_ROW(vx_recipe_audio, fit, ENUM, .choices = VX_FIT_NAMES, .fallback = "error"),
    VX_ROW(vx_recipe_audio, loudness, FLOAT, .min = VX_LOUDNESS_MIN, .max = VX_LOUDNESS_MAX,
           .off = true, .fallback = VX_LOUDNESS_UNSET_TEXT),
    VX_ROWS_END,
};

const vx_field vx_face_coordinate = {.type = VX_FIELD_FLOAT, .min = 0, .max = 16384};

static const vx_field mood_rows[] = {
    VX_ROW(vx_mood_at, at_s, FLOAT, .required = true, .min = 0, .max = VX_SLOT_SECONDS_MAX),
    VX_ROW(vx_mood_at, mood, ENUM, .required = true, .choices = VX_MOOD_NAMES),
    VX_ROWS_END,
};
static const vx_field mood_element = {.type = VX_FIELD_MAP, .fields = mood_rows};

static const vx_field visual_rows[] = {
    VX_ROW(vx_recipe_visual, prompt, TEXT, .min = 1, .max = VX_PROMPT_BYTES_MAX),
    VX_ROW(vx_recipe_visual, negative_prompt, TEXT, .min = 0, .max = VX_PROMPT_BYTES_MAX),
    VX_ROW(vx_recipe_visual, image, WORD, .min = 1, .max = 4000),
    VX_ROW(vx_recipe_visual, face, LIST, .element = &vx_face_coordinate, .size = sizeof(double),
           .min = 6, .max = 6, .word = "whole"),
    VX_ROW(vx_recipe_visual, face_index, INT, .min = 0, .max = 63),
    VX_ROW(vx_recipe_visual, background, WORD, .min = 1, .max = 16, .check = vx_check_colour),
    VX_ROW(vx_recipe_visual, moods, LIST, .element = &mood_element, .size = sizeof(vx_mood_at),
           .min = 0, .max = 64, .check = check_moods),
    VX_ROWS_END,
};

static const vx_field output_rows[] = {
    VX_ROW(vx_recipe_output, width, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROW(vx_recipe_output, height, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROW(vx_recipe_output, fps, INT, .min = 1, .max = VX_SLOT_FPS_MAX),
    VX_ROW(vx_recipe_output, max_seconds, FLOAT, .min = 0.1, .max = VX_SLOT_SECONDS_MAX),
    VX_ROW(vx_recipe_output, container, ENUM, .choices = VX_CONTAINER_NAMES),
    VX_ROW(vx_recipe_output, subtitles, ENUM, .choices = VX_SUBTITLES_NAMES, .fallback = "none"),
    VX_ROWS_END,
};

static const vx_field verify_rows[] = {
    VX_ROW(vx_recipe_verify, enabled, BOOL, .fallback = "true"),
    VX_ROW(vx_recipe_verify, threshold_b, FLOAT, .min = 0, .max = 2.5, .fallback = "-1"),
    VX_ROW(vx_recipe_verify, threshold_l, FLOAT, .min = 0, .max = 2.5, .fallback = "-1"),
    VX_ROW(vx_recipe_verify, outlier, FLOAT, .min = 0, .max = 2.5, .fallback = "-1"),
    VX_ROWS_END,
};

const vx_field vx_recipe_rows[] = {
    VX_ROW(vx_recipe, slot_id, WORD, .numeric = true, .min = 1, .max = 64,
           .check = vx_check_slot_id),
    VX_ROW(vx_recipe, seed, INT, .min = 0, .max = 0x1p63),
    VX_ROW(vx_recipe, deadline_ms, INT, .min = 1, .max = 86400000), /* a day */
    VX_ROW_AS("audio_track", vx_recipe, audio, MAP, .required = true, .fields = audio_rows),
    VX_ROW_AS("visual_track", vx_recipe, visual, MAP, .required = true, .fields = visual_rows),
    VX_ROW(vx_recipe, output, MAP, .fields = output_rows),
    VX_ROW(vx_recipe, verify, MAP, .fields = verify_rows),
    VX_ROWS_END,
};

vx_status vx_recipe_check(vx_recipe *recipe, vx_error *err)
{
    const vx_yaml_node *root = vx_yaml_root(recipe->document);
    if (recipe->visual.image == NULL && recipe->visual.image_data == NULL &&
        recipe->visual.prompt == NULL)
        return vx_yaml_fail(recipe->document, vx_yaml_get(root, "visual_track"), err,
                            "visual_track has neither image nor prompt; give one of them");
    return VX_OK;
}

vx_status vx_recipe_parse(vx_recipe *recipe, const char *name, const char *folder, const char *text,
                          size_t bytes, vx_error *err)
{
    vx_request_source source = {.text = text, .bytes = bytes, .name = name, .folder = folder};
    return vx_request_read(recipe, &source, err);
}

vx_status vx_recipe_read(vx_recipe *recipe, const char *path, vx_error *err)
{
    return vx_request_read(recipe, &(vx_request_source){.path = path}, err);
}
