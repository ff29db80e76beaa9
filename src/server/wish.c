/* What a POST asks for: a recipe and perhaps a picture, as JSON or multipart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "server/slots.h"

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the request; try again later");
}

/* ---- base64 (RFC 4648) ----------------------------------------------------------------------- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64_decode(const char *text, uint8_t *to, size_t *bytes)
{
    size_t length = strlen(text), used = 0;
    uint32_t bits = 0;
    if (length % 4 != 0) return false;
    size_t padding = length > 0 && text[length - 1] == '=' ? 1 + (text[length - 2] == '=') : 0;
    for (size_t i = 0; i < length; i++) {
        int value = i >= length - padding ? 0 : base64_value(text[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 3) continue;
        to[used++] = (uint8_t)(bits >> 16);
        to[used++] = (uint8_t)(bits >> 8);
        to[used++] = (uint8_t)bits;
    }
    *bytes = used - padding;
    return true;
}

/* ---- the picture ----------------------------------------------------------------------------- */

static vx_status fail_image(vx_request *r, vx_error *err, const char *message)
{
    r->param = "visual_track.image";
    return vx_fail(err, VX_ERR_INPUT, "bad_image", "%s", message);
}

/* "data:image/png;base64,…" */
static vx_status take_data(vx_request *r, vx_wish *wish, const char *url, vx_error *err)
{
    const char *comma = strchr(url, ',');
    bool picture = strncmp(url, "data:image/png;base64,", 22) == 0 ||
                   strncmp(url, "data:image/jpeg;base64,", 23) == 0 ||
                   strncmp(url, "data:image/webp;base64,", 23) == 0;
    if (!picture)
        return fail_image(r, err,
                          "the picture's data: URL must be image/png, image/jpeg or "
                          "image/webp with ;base64");
    wish->image = vx_heap_alloc(strlen(comma) + 4);
    if (wish->image == NULL) return no_memory(err);
    if (base64_decode(comma + 1, wish->image, &wish->image_bytes) && wish->image_bytes > 0)
        return VX_OK;
    return fail_image(r, err, "the picture's data: URL is no base64");
}

static vx_status take_part(vx_request *r, vx_wish *wish, const vx_part *part, vx_error *err)
{
    if (part == NULL || part->bytes == 0)
        return fail_image(r, err,
                          "visual_track.image is \"upload\" and the request has no part "
                          "named image; send one");
    if (part->bytes > (size_t)r->server->serve->upload_bytes)
        return vx_fail(err, VX_ERR_INPUT, "body_too_large",
                       "the picture has %zu bytes and may have %lld", part->bytes,
                       (long long)r->server->serve->upload_bytes);
    wish->image = vx_heap_alloc(part->bytes);
    if (wish->image == NULL) return no_memory(err);
    memcpy(wish->image, part->data, part->bytes);
    wish->image_bytes = part->bytes;
    return VX_OK;
}

/* Where the picture comes from: nothing of it may be a path or be fetched. */
static vx_status take_image(vx_request *r, vx_wish *wish, const char *image, const vx_part *part,
                            vx_error *err)
{
    if (strncmp(image, "data:", 5) == 0) return take_data(r, wish, image, err);
    if (strcmp(image, "upload") == 0) return take_part(r, wish, part, err);
    r->param = "visual_track.image";
    if (strstr(image, "://") != NULL)
        return vx_fail(err, VX_ERR_INPUT, "url_not_fetched",
                       "nothing is fetched; send the picture itself as the part \"image\" or as a "
                       "data: URL");
    return fail_image(r, err,
                      "visual_track.image must be \"upload\" (the part named image) or a "
                      "data: URL; a server's files can't be named");
}

/* ---- the recipe ------------------------------------------------------------------------------ */

static int64_t code_points(const char *text)
{
    int64_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* What of a recipe is the server's: its length, its container, its picture. `text` is how it came,
 * NULL for JSON. */
static vx_status take_recipe(vx_request *r, vx_wish *wish, const char *text, size_t bytes,
                             const vx_part *part, vx_error *err)
{
    json_t *visual = json_object_get(wish->recipe, "visual_track");
    const char *script =
        json_string_value(json_object_get(json_object_get(wish->recipe, "audio_track"), "script"));
    const char *image = json_string_value(json_object_get(visual, "image"));
    const char *container =
        json_string_value(json_object_get(json_object_get(wish->recipe, "output"), "container"));
    if (!json_is_object(wish->recipe))
        return vx_fail(err, VX_ERR_INPUT, "bad_recipe", "the recipe must be a mapping");
    if (script != NULL && code_points(script) > r->server->serve->script_chars) {
        r->param = "audio_track.script";
        return vx_fail(err, VX_ERR_INPUT, "too_long",
                       "the script has %lld characters and may have %lld",
                       (long long)code_points(script), (long long)r->server->serve->script_chars);
    }
    wish->mkv = container != NULL && strcmp(container, "mkv") == 0;
    if (image != NULL) {
        VX_TRY(take_image(r, wish, image, part, err));
        json_object_set_new(visual, "image", json_string("input"));
        text = NULL;
    }
    char *own = text == NULL ? json_dumps(wish->recipe, JSON_INDENT(1)) : NULL;
    if (text == NULL && own != NULL) bytes = strlen(own);
    wish->text = text != NULL || own != NULL ? vx_heap_text(own != NULL ? own : text, bytes) : NULL;
    free(own);
    if (image != NULL) json_object_set_new(visual, "image", json_string("upload"));
    return wish->text != NULL ? VX_OK : no_memory(err);
}

/* ---- the two forms --------------------------------------------------------------------------- */

static vx_status take_priority(vx_request *r, vx_wish *wish, const json_t *json, vx_error *err)
{
    const json_t *deadline = json_object_get(json, "deadline_ms");
    const json_t *priority = json_object_get(json, "priority");
    const char *word = json_string_value(priority);
    int index = word != NULL ? vx_choice_index("low|normal|high", word, strlen(word)) : 1;
    if (deadline != NULL && (!json_is_integer(deadline) || json_integer_value(deadline) < 1 ||
                             json_integer_value(deadline) > 86400000)) {
        r->param = "deadline_ms";
        return vx_fail(err, VX_ERR_INPUT, "bad_json",
                       "deadline_ms must be a whole number from 1 to 86400000");
    }
    if (index < 0 || (priority != NULL && word == NULL)) {
        r->param = "priority";
        return vx_fail(err, VX_ERR_INPUT, "bad_json", "priority must be high, normal or low");
    }
    wish->deadline_ms = json_integer_value(deadline);
    wish->priority = index - 1;
    return VX_OK;
}

static vx_status of_json(vx_request *r, vx_wish *wish, vx_error *err)
{
    json_t *json;
    VX_TRY(vx_request_json(r, "recipe|deadline_ms|priority", &json, err));
    wish->recipe = json_incref(json_object_get(json, "recipe"));
    vx_status status = take_priority(r, wish, json, err);
    json_decref(json);
    VX_TRY(status);
    if (wish->recipe == NULL) {
        r->param = "recipe";
        return vx_fail(err, VX_ERR_INPUT, "bad_json", "the body has no recipe: {\"recipe\": {…}}");
    }
    return take_recipe(r, wish, NULL, 0, NULL, err);
}

static vx_status of_parts(vx_request *r, vx_wish *wish, vx_error *err)
{
    vx_multipart parts;
    vx_yaml *yaml;
    VX_TRY(vx_multipart_parse(&parts, r->content_type, r->body != NULL ? r->body : "",
                              r->body_bytes, err));
    const vx_part *recipe = vx_multipart_find(&parts, "recipe");
    if (recipe == NULL) {
        r->param = "recipe";
        return vx_fail(err, VX_ERR_INPUT, "bad_multipart",
                       "the request has no part named recipe; send one, JSON or YAML");
    }
    VX_TRY(vx_yaml_parse(&yaml, "", recipe->data, recipe->bytes, "bad_recipe", err));
    wish->recipe = vx_yaml_to_json(vx_yaml_root(yaml));
    vx_yaml_close(&yaml);
    if (wish->recipe == NULL)
        return vx_fail(err, VX_ERR_INPUT, "bad_recipe", "the recipe holds a number that is none");
    return take_recipe(r, wish, recipe->data, recipe->bytes, vx_multipart_find(&parts, "image"),
                       err);
}

static void hash_wish(vx_wish *wish)
{
    vx_sha256 hash;
    char numbers[64];
    vx_sha256_start(&hash);
    int length = snprintf(numbers, sizeof numbers, "%lld %d %zu ", (long long)wish->deadline_ms,
                          wish->priority, wish->image_bytes);
    vx_sha256_add(&hash, numbers, (size_t)length);
    if (wish->image != NULL) vx_sha256_add(&hash, wish->image, wish->image_bytes);
    vx_sha256_add(&hash, wish->text, strlen(wish->text));
    vx_sha256_finish(&hash, wish->sha256);
}

vx_status vx_wish_of(vx_request *r, vx_wish *wish, vx_error *err)
{
    const char *type = r->content_type;
    *wish = (vx_wish){0};
    vx_status status = type != NULL && strncasecmp(type, "multipart/", 10) == 0
                           ? of_parts(r, wish, err)
                           : of_json(r, wish, err);
    if (status == VX_OK)
        hash_wish(wish);
    else
        vx_wish_free(wish);
    return status;
}
