#include "text/string_table.h"

#include <string.h>

#include "base/mem.h"

enum { SLOTS_MIN = 1024, BYTES_MAX = 1 << 30 };

static uint32_t hash_of(const char *text, size_t length)
{
    uint32_t hash = VX_STRING_HASH;
    for (size_t i = 0; i < length; i++)
        hash = vx_string_hash(hash, text[i]);
    return hash;
}

/* The slot that holds the string, or the free one where it belongs. FNV's low bits are its weakest,
 * so the high ones are folded in. */
static vx_string_slot *probe(const vx_string_table *table, const char *text, size_t length,
                             uint32_t hash)
{
    size_t mask = table->slot_count - 1;
    for (size_t i = (hash ^ hash >> 15) & mask;; i = (i + 1) & mask) {
        vx_string_slot *slot = &table->slots[i];
        if (slot->value < 0) return slot;
        if (slot->hash == hash && slot->length == length &&
            memcmp(table->bytes + slot->offset, text, length) == 0)
            return slot;
    }
}

/* Keeps at least half of the slots free, so that a probe always ends. */
static bool grow_slots(vx_string_table *table)
{
    if (table->used < table->slot_count / 2) return true;
    vx_string_table grown = *table;
    grown.slot_count = table->slot_count > 0 ? table->slot_count * 2 : SLOTS_MIN;
    grown.slots = vx_heap_alloc(grown.slot_count * sizeof *grown.slots);
    if (grown.slots == NULL) return false;
    for (size_t i = 0; i < grown.slot_count; i++)
        grown.slots[i].value = -1;
    for (size_t i = 0; i < table->slot_count; i++) {
        const vx_string_slot *slot = &table->slots[i];
        if (slot->value >= 0)
            *probe(&grown, table->bytes + slot->offset, slot->length, slot->hash) = *slot;
    }
    vx_heap_free(table->slots);
    *table = grown;
    return true;
}

static bool grow_bytes(vx_string_table *table, size_t more)
{
    if (more > BYTES_MAX - table->byte_count) return false;
    size_t needed = table->byte_count + more;
    if (needed <= table->byte_room) return true;
    char *grown = vx_heap_grow(table->bytes, needed * 2);
    if (grown == NULL) return false;
    table->bytes = grown;
    table->byte_room = needed * 2;
    return true;
}

bool vx_string_table_put(vx_string_table *table, const char *text, size_t length, int32_t value)
{
    if (!grow_slots(table) || !grow_bytes(table, length)) return false;
    uint32_t hash = hash_of(text, length);
    vx_string_slot *slot = probe(table, text, length, hash);
    if (slot->value < 0) {
        if (length > 0) memcpy(table->bytes + table->byte_count, text, length);
        *slot = (vx_string_slot){hash, (uint32_t)table->byte_count, (uint32_t)length, value};
        table->byte_count += length;
        table->used++;
    }
    slot->value = value;
    return true;
}

int32_t vx_string_table_find(const vx_string_table *table, const char *text, size_t length,
                             uint32_t hash)
{
    return table->slot_count > 0 ? probe(table, text, length, hash)->value : -1;
}

int32_t vx_string_table_get(const vx_string_table *table, const char *text, size_t length)
{
    return vx_string_table_find(table, text, length, hash_of(text, length));
}

void vx_string_table_free(vx_string_table *table)
{
    vx_heap_free(table->slots);
    vx_heap_free(table->bytes);
    *table = (vx_string_table){0};
}
