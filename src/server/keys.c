#include "server/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"

enum { FILE_BYTES_MAX = 64 << 10, KEY_MIN = 8 };

static bool hex_bytes(const char *hex, uint8_t *to, int count)
{
    if (strlen(hex) != (size_t)count * 2 || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex))
        return false;
    for (int i = 0; i < count; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        to[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

static void hash_bytes(const void *data, size_t bytes, uint8_t to[32])
{
    char hex[65];
    vx_sha256_bytes(data, bytes, hex);
    hex_bytes(hex, to, 32);
}

/* In a time that does not depend on where they differ. */
static bool equal(const uint8_t *a, const uint8_t *b, int count)
{
    volatile uint8_t differs = 0;
    for (int i = 0; i < count; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

/* "name:key" or "name:sha256:HEX"; false when it is neither. */
static bool read_line(vx_keys *keys, char *line)
{
    char *key = strchr(line, ':');
    size_t name_length = key != NULL ? (size_t)(key - line) : 0;
    if (keys->count == VX_KEYS_MAX || name_length == 0 || name_length >= VX_KEY_NAME) return false;
    *key++ = '\0';
    for (const char *c = line; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\') return false;
    snprintf(keys->key[keys->count].name, VX_KEY_NAME, "%s", line);
    uint8_t *hash = keys->key[keys->count].hash;
    if (strncmp(key, "sha256:", 7) == 0) {
        if (!hex_bytes(key + 7, hash, 32)) return false;
    } else {
        if (strlen(key) < KEY_MIN) return false;
        hash_bytes(key, strlen(key), hash);
    }
    keys->count++;
    return true;
}

static vx_status read_lines(vx_keys *keys, char *text, const char *path, vx_error *err)
{
    int number = 1;
    for (char *line = text, *next; line != NULL; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (line[0] == '\0' || line[0] == '#') continue;
        if (!read_line(keys, line))
            return vx_fail_at(err, VX_ERR_USAGE, "bad_key_file", path, number,
                              "a line must be name:key (a key has 8 characters or more) or "
                              "name:sha256:HEX, and there may be %d",
                              VX_KEYS_MAX);
    }
    if (keys->count > 0) return VX_OK;
    return vx_fail_at(err, VX_ERR_USAGE, "bad_key_file", path, 0,
                      "%s holds no key; write one a line, name:key", path);
}

vx_status vx_keys_read(vx_keys *keys, const char *path, vx_error *err)
{
    struct stat info;
    char *text;
    size_t bytes;
    vx_keys *fresh = vx_heap_alloc(sizeof *fresh);
    if (fresh == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the keys");
    memcpy(fresh->secret, keys->secret, sizeof fresh->secret);
    vx_status status = VX_OK;
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0)
        status = vx_fail(err, VX_ERR_USAGE, "key_file_open",
                         "others may read the key file %s; chmod 600 it", path);
    if (status == VX_OK)
        status = vx_file_read_from(path, VX_FILE_REGULAR, FILE_BYTES_MAX, NULL, &text, &bytes, err);
    if (status == VX_OK) {
        status = read_lines(fresh, text, path, err);
        explicit_bzero(text, bytes);
        vx_heap_free(text);
    }
    if (status == VX_OK) *keys = *fresh;
    vx_heap_free(fresh);
    return status;
}

vx_status vx_keys_secret(vx_keys *keys, vx_error *err)
{
    if (getrandom(keys->secret, sizeof keys->secret, 0) == (ssize_t)sizeof keys->secret)
        return VX_OK;
    return vx_fail(err, VX_ERR_IO, "no_random", "the system gives no random bytes");
}

const char *vx_keys_name(const vx_keys *keys, const char *given)
{
    uint8_t hash[32];
    const char *name = NULL;
    hash_bytes(given, strlen(given), hash);
    for (int i = 0; i < keys->count; i++)
        if (equal(hash, keys->key[i].hash, 32)) name = keys->key[i].name;
    return name;
}

/* ---- tickets --------------------------------------------------------------------------------- */

/* HMAC (RFC 2104) with SHA-256, in hex. */
static void hmac(const uint8_t secret[32], const char *text, char hex[65])
{
    uint8_t pad[64], inner[32];
    vx_sha256 hash;
    for (int i = 0; i < 64; i++)
        pad[i] = (i < 32 ? secret[i] : 0) ^ 0x36;
    vx_sha256_start(&hash);
    vx_sha256_add(&hash, pad, sizeof pad);
    vx_sha256_add(&hash, text, strlen(text));
    vx_sha256_finish(&hash, hex);
    hex_bytes(hex, inner, 32);
    for (int i = 0; i < 64; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    vx_sha256_start(&hash);
    vx_sha256_add(&hash, pad, sizeof pad);
    vx_sha256_add(&hash, inner, sizeof inner);
    vx_sha256_finish(&hash, hex);
}

/* "UNTIL.MAC" */
void vx_ticket_make(const vx_keys *keys, const char *job, int64_t until_s, char ticket[VX_TICKET])
{
    char text[128], mac[65];
    snprintf(text, sizeof text, "%lld %s", (long long)until_s, job);
    hmac(keys->secret, text, mac);
    snprintf(ticket, VX_TICKET, "%lld.%s", (long long)until_s, mac);
}

bool vx_ticket_holds(const vx_keys *keys, const char *job, const char *ticket, int64_t now_s)
{
    char right[VX_TICKET];
    size_t digits = strspn(ticket, "0123456789");
    if (digits == 0 || digits > 15 || ticket[digits] != '.') return false;
    int64_t until_s = strtoll(ticket, NULL, 10);
    vx_ticket_make(keys, job, until_s, right);
    return strlen(ticket) == strlen(right) &&
           equal((const uint8_t *)ticket, (const uint8_t *)right, (int)strlen(right)) &&
           now_s < until_s;
}
