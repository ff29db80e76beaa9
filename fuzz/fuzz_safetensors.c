/* safetensors as they stand; an input that starts with '{' is taken as the header, up to the first
 * newline, and what follows as data. */
#include "fuzz_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{') return fuzz_source(data, size);
    const uint8_t *newline = memchr(data, '\n', size);
    uint64_t length = newline != NULL ? (uint64_t)(newline + 1 - data) : size;
    uint8_t *file = malloc(8 + size);
    memcpy(file, &length, 8);
    memcpy(file + 8, data, size);
    int result = fuzz_source(file, 8 + size);
    free(file);
    return result;
}
