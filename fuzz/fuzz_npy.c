/* .npy and .npz as they stand; an input that starts with '{' is taken as the header of an array
 * whose data follows the first newline. */
#include "fuzz_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{' || size > 60000) return fuzz_source(data, size);
    const uint8_t *newline = memchr(data, '\n', size);
    uint16_t length = (uint16_t)(newline != NULL ? newline + 1 - data : (ptrdiff_t)size);
    uint8_t *file = malloc(10 + size);
    memcpy(file, "\x93NUMPY\1\0", 8);
    memcpy(file + 8, &length, sizeof length);
    memcpy(file + 10, data, size);
    int result = fuzz_source(file, 10 + size);
    free(file);
    return result;
}
