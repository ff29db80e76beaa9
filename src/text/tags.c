#include "text/tags.h"

vx_tag vx_tag_word(const char *text, const vx_tokens *tokens, size_t i)
{
    (void)text;
    (void)tokens;
    (void)i;
    return VX_TAG_NONE;
}
