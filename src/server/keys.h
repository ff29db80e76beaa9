/* Who may ask: API keys, and tickets for those that can send no header (<video src>).
 *
 * A key file has a key a line, "name:key" or "name:sha256:HEX"; '#' begins a comment. Only hashes
 * are held. A comparison takes the same time whichever key is close. */
#ifndef VX_SERVER_KEYS_H
#define VX_SERVER_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { VX_KEYS_MAX = 256, VX_KEY_NAME = 64, VX_TICKET = 96 };

typedef struct vx_keys {
    struct {
        char name[VX_KEY_NAME];
        uint8_t hash[32];
    } key[VX_KEYS_MAX];
    int count;          /* 0: nobody is asked for one */
    uint8_t secret[32]; /* of the tickets; made at start, never stored */
} vx_keys;

/* Reads a file; `keys` is as before on failure. VX_ERR_USAGE when others may read the file or a
 * line is none, VX_ERR_MISSING when there is no file. */
vx_status vx_keys_read(vx_keys *keys, const char *path, vx_error *err);
/* A new secret: all tickets end. */
vx_status vx_keys_secret(vx_keys *keys, vx_error *err);

/* The name of the key that was given; NULL when it is none. */
const char *vx_keys_name(const vx_keys *keys, const char *given);

/* A ticket for one job until a time (seconds since the epoch), and whether one holds. */
void vx_ticket_make(const vx_keys *keys, const char *job, int64_t until_s, char ticket[VX_TICKET]);
bool vx_ticket_holds(const vx_keys *keys, const char *job, const char *ticket, int64_t now_s);

#endif
