/* Grammars and prompts from any bytes. The last 64 bytes of the input are a prompt, what is before
 * it a grammar. */
#include <stdlib.h>
#include <string.h>

#include "text/expander.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { TEXT = 64 };
    static vx_expansion expansion;
    size_t text_bytes = size < TEXT ? size : TEXT;
    char prompt[TEXT + 1] = {0};
    vx_expander *expander;
    vx_error err = {0};
    if (size > 0) memcpy(prompt, data + size - text_bytes, text_bytes);
    vx_status status =
        vx_expander_parse(&expander, "fuzz", (const char *)data, size - text_bytes, &err);
    if (status != VX_OK) {
        if (expander != NULL || err.message[0] == '\0') abort();
        return 0;
    }
    for (uint64_t seed = 0; seed < 4; seed++)
        if (!vx_expander_run(expander, prompt, seed, &expansion) ||
            strlen(expansion.text) >= sizeof expansion.text)
            abort();
    vx_expander_close(&expander);
    return 0;
}
