/* A hash table from byte strings to numbers, filled once and then only read. */
#ifndef VX_TEXT_STRING_TABLE_H
#define VX_TEXT_STRING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vx_string_slot {
    uint32_t hash, offset, length;
    int32_t value; /* -1: free */
} vx_string_slot;

/* Zero-initialise to open. Strings are copied. */
typedef struct vx_string_table {
    vx_string_slot *slots; /* a power of two of them */
    size_t slot_count, used;
    char *bytes;
    size_t byte_count, byte_room;
} vx_string_table;

/* value >= 0; a string that is there already gets the new value. False without memory, or past 1 GB
 * of strings. */
bool vx_string_table_put(vx_string_table *table, const char *text, size_t length, int32_t value);
/* -1 when it is not there. */
int32_t vx_string_table_get(const vx_string_table *table, const char *text, size_t length);

/* The same in pieces: hash a string byte by byte from VX_STRING_HASH on, then look up. */
#define VX_STRING_HASH 2166136261u
static inline uint32_t vx_string_hash(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 16777619u; /* FNV-1a */
}
int32_t vx_string_table_find(const vx_string_table *table, const char *text, size_t length,
                             uint32_t hash);

void vx_string_table_free(vx_string_table *table);

#endif
