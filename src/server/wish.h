/* What requests ask for, in the form that the engine takes: a document and perhaps a picture. */
#ifndef VX_SERVER_WISH_H
#define VX_SERVER_WISH_H

#include "server/http.h"

/* A film: JSON {recipe, deadline_ms, priority} or multipart with recipe and image. */
vx_status vx_wish_of(vx_request *request, vx_wish *wish, vx_error *err);
/* A score: multipart with image and prompts, or JSON. *json is the document, to be released. */
vx_status vx_wish_score(vx_request *request, vx_wish *wish, json_t **json, vx_error *err);

/* Takes `image` out of a document: "upload" (the part, may be NULL), "slot:ID" or a data: URL. */
vx_status vx_wish_image(vx_request *request, vx_wish *wish, json_t *document, const vx_part *part,
                        vx_error *err);
/* "too_long" when a text of the document has more characters. */
vx_status vx_wish_check_length(vx_request *request, const json_t *document, const char *key,
                               int64_t most, vx_error *err);
/* The document as the wish's text. */
vx_status vx_wish_text(vx_wish *wish, const json_t *document, vx_error *err);

/* A JSON string of base64. */
json_t *vx_base64_json(const void *data, size_t bytes);
/* A code point with a NUL. */
void vx_utf8_of(uint32_t code, char text[8]);

#endif
