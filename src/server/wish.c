/* What a POST asks for: a recipe and perhaps a picture, as JSON or multipart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "server/wish.h"

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

json_t *vx_base64_json(const void *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = data;
    size_t length = (bytes + 2) / 3 * 4;
    char *text = vx_heap_alloc(length + 1);
    if (text == NULL) return NULL;
    for (size_t i = 0, at = 0; i < bytes; i += 3) {
        uint32_t bits = (uint32_t)from[i] << 16 | (i + 1 < bytes ? (uint32_t)from[i + 1] << 8 : 0) |
                        (i + 2 < bytes ? from[i + 2] : 0);
        text[at++] = digits[bits >> 18];
        text[at++] = digits[bits >> 12 & 63];
        text[at++] = i + 1 < bytes ? digits[bits >> 6 & 63] : '=';
        text[at++] = i + 2 < bytes ? digits[bits & 63] : '=';
    }
    json_t *json = json_stringn(text, length);
    vx_heap_free(text);
    return json;
}

void vx_utf8_of(uint32_t code, char text[8])
{
    int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = length - 1; i > 0; i--, code >>= 6)
        text[i] = (char)(0x80 | (code & 0x3F));
    text[0] = (char)(lead[length] | code);
    text[length] = '\0';
}

/* ---- the picture ----------------------------------------------------------------------------- */

static vx_status fail_image(vx_request *r, vx_error *err, const char *message)
{
    r->param = "image";
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
                          "image is \"upload\" and the request has no part "
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

/* Who spoke in an earlier film of the same client. */
static vx_status take_actor(vx_request *r, vx_wish *wish, const char *id, vx_error *err)
{
    vx_path path;
    char *data;
    vx_server *s = r->server;
    const vx_entry *e = vx_journal_find(s->journal, id);
    if (e == NULL || strcmp(e->owner, r->owner) != 0 || e->state != VX_ENTRY_COMPLETED ||
        !vx_journal_path(s->journal, e, "actor.png", &path) || !vx_path_is_file(path.text))
        return fail_image(r, err, "the image names a job that is not yours, not completed or gone");
    VX_TRY(vx_file_read_from(path.text, VX_FILE_REGULAR, (size_t)s->serve->upload_bytes, NULL,
                             &data, &wish->image_bytes, err));
    wish->image = data;
    return VX_OK;
}

/* Where the picture comes from: nothing of it may be a path or be fetched. */
static vx_status take_image(vx_request *r, vx_wish *wish, const char *image, const vx_part *part,
                            vx_error *err)
{
    if (strncmp(image, "data:", 5) == 0) return take_data(r, wish, image, err);
    if (strcmp(image, "upload") == 0) return take_part(r, wish, part, err);
    if (strncmp(image, "slot:", 5) == 0) return take_actor(r, wish, image + 5, err);
    r->param = "image";
    if (strstr(image, "://") != NULL)
        return vx_fail(err, VX_ERR_INPUT, "url_not_fetched",
                       "nothing is fetched; send the picture itself as the part \"image\" or as a "
                       "data: URL");
    return fail_image(r, err,
                      "image must be \"upload\" (the part named image), \"slot:ID\" or a "
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

vx_status vx_wish_check_length(vx_request *r, const json_t *document, const char *key, int64_t most,
                               vx_error *err)
{
    const char *text = json_string_value(json_object_get(document, key));
    if (text == NULL || code_points(text) <= most) return VX_OK;
    r->param = key;
    return vx_fail(err, VX_ERR_INPUT, "too_long", "%s has %lld characters and may have %lld", key,
                   (long long)code_points(text), (long long)most);
}

vx_status vx_wish_text(vx_wish *wish, const json_t *document, vx_error *err)
{
    char *text = json_dumps(document, JSON_INDENT(1));
    vx_heap_free(wish->text);
    wish->text = text != NULL ? vx_heap_text(text, strlen(text)) : NULL;
    free(text);
    return wish->text != NULL ? VX_OK : no_memory(err);
}

vx_status vx_wish_image(vx_request *r, vx_wish *wish, json_t *document, const vx_part *part,
                        vx_error *err)
{
    const char *image = json_string_value(json_object_get(document, "image"));
    if (image == NULL) return VX_OK; /* what is no text the engine refuses by its line */
    VX_TRY(take_image(r, wish, image, part, err));
    json_object_del(document, "image");
    return VX_OK;
}

/* What of a recipe is the server's: its length, its container, its picture. `text` is how it came,
 * NULL for JSON; its lines are what the engine's errors name. */
static vx_status take_recipe(vx_request *r, vx_wish *wish, const char *text, size_t bytes,
                             const vx_part *part, vx_error *err)
{
    if (!json_is_object(wish->recipe))
        return vx_fail(err, VX_ERR_INPUT, "bad_recipe", "the recipe must be a mapping");
    json_t *visual = json_object_get(wish->recipe, "visual_track");
    json_t *image = json_incref(json_object_get(visual, "image"));
    const char *container =
        json_string_value(json_object_get(json_object_get(wish->recipe, "output"), "container"));
    wish->mkv = container != NULL && strcmp(container, "mkv") == 0;
    vx_status status = vx_wish_check_length(r, json_object_get(wish->recipe, "audio_track"),
                                            "script", r->server->serve->script_chars, err);
    if (status == VX_OK) status = vx_wish_image(r, wish, visual, part, err);
    if (status == VX_OK && text == NULL) status = vx_wish_text(wish, wish->recipe, err);
    if (status == VX_OK && text != NULL) {
        wish->text = vx_heap_text(text, bytes);
        if (wish->text == NULL) status = no_memory(err);
    }
    /* What is shown says where the picture came from, and not all of it. */
    if (status == VX_OK && wish->image != NULL) {
        const char *from = json_string_value(image);
        json_object_set_new(visual, "image",
                            json_string(strncmp(from, "slot:", 5) == 0 ? from : "upload"));
    }
    json_decref(image);
    return status;
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

vx_status vx_wish_score(vx_request *r, vx_wish *wish, json_t **json, vx_error *err)
{
    vx_multipart parts;
    if (r->content_type == NULL || strncasecmp(r->content_type, "multipart/", 10) != 0) {
        VX_TRY(vx_request_json(r, NULL, json, err));
        return vx_wish_image(r, wish, *json, NULL, err);
    }
    VX_TRY(vx_multipart_parse(&parts, r->content_type, r->body != NULL ? r->body : "",
                              r->body_bytes, err));
    json_t *prompts = json_array();
    for (int i = 0; i < parts.count; i++)
        if (strcmp(parts.part[i].name, "prompts") == 0)
            json_array_append_new(prompts, json_stringn(parts.part[i].data, parts.part[i].bytes));
    *json = json_pack("{s:o}", "prompts", prompts);
    return take_part(r, wish, vx_multipart_find(&parts, "image"), err);
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
