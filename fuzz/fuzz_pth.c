/* PyTorch archives as they stand; anything that does not start like an archive is taken as the
 * pickle of one that has the storages 0 and 1. */
#include "fuzz_formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct archive {
    uint8_t *bytes;
    size_t size;
} archive;

static void put(archive *a, const void *data, size_t bytes)
{
    memcpy(a->bytes + a->size, data, bytes);
    a->size += bytes;
}

static void put_number(archive *a, uint64_t value, size_t bytes)
{
    put(a, &value, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && memcmp(data, "PK", 2) == 0) return fuzz_source(data, size);
    static const uint8_t storage[64] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct {
        const char *name;
        const void *data;
        size_t bytes;
    } entry[] = {{"a/data.pkl", data, size},
                 {"a/data/0", storage, sizeof storage},
                 {"a/data/1", storage, sizeof storage}};
    size_t offset[3];
    archive a = {.bytes = malloc(size + 1024)};
    for (int i = 0; i < 3; i++) {
        offset[i] = a.size;
        put_number(&a, 0x04034b50, 4);
        put(&a, (const char[22]){0}, 22);
        put_number(&a, strlen(entry[i].name), 2);
        put_number(&a, 0, 2);
        put(&a, entry[i].name, strlen(entry[i].name));
        put(&a, entry[i].data, entry[i].bytes);
    }
    size_t directory = a.size;
    for (int i = 0; i < 3; i++) {
        put_number(&a, 0x02014b50, 4);
        put(&a, (const char[16]){0}, 16);
        put_number(&a, entry[i].bytes, 4);
        put_number(&a, entry[i].bytes, 4);
        put_number(&a, strlen(entry[i].name), 2);
        put(&a, (const char[12]){0}, 12);
        put_number(&a, offset[i], 4);
        put(&a, entry[i].name, strlen(entry[i].name));
    }
    size_t length = a.size - directory;
    put_number(&a, 0x06054b50, 4);
    put_number(&a, 0, 4);
    put_number(&a, 3, 2);
    put_number(&a, 3, 2);
    put_number(&a, length, 4);
    put_number(&a, directory, 4);
    put_number(&a, 0, 2);
    int result = fuzz_source(a.bytes, a.size);
    free(a.bytes);
    return result;
}
