/* Downloads: one file of a pack's sources, resumed, checked, moved into place.
 *
 * Bytes go to ".NAME.part" in the target's folder, which an interrupted download leaves behind and
 * the next one goes on from; only a file of the right length and SHA-256 gets its name.
 * Certificates are checked. Redirects are followed five times and never from https to http. The
 * hub's token goes to the hub's own host over https and nowhere else. */
#ifndef VX_PACKS_PULL_H
#define VX_PACKS_PULL_H

#include "base/cancel.h"
#include "config/pack.h"

#define VX_PULL_HUB "https://huggingface.co"

/* {0} is a safe default. */
typedef struct vx_pull_options {
    const char *hub;   /* what a source's path is relative to; NULL: VX_PULL_HUB */
    const char *token; /* bearer token for the hub; NULL: none */
    int attempts;      /* after a broken connection; 0: 5 */
    vx_cancel *cancel;
    /* Called often while bytes arrive; total 0: not known. May be NULL. */
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    void *arg;
} vx_pull_options;

/* Fetches `source` into `folder`, which is made. *fetched is false when the right file was
 * there already. VX_ERR_MISSING: no such file, or not without a token. VX_ERR_IO: connection or
 * disk; what has arrived is kept for the next time. VX_ERR_INPUT: the server's file is another
 * one; nothing is kept. VX_ERR_DEADLINE, "busy": another process is fetching it.
 * VX_ERR_CANCELLED. One thread. */
vx_status vx_pull(const vx_pack_source *source, const char *folder, const vx_pull_options *options,
                  bool *fetched, vx_error *err);

#endif
