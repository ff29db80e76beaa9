/* Start latents from files, for parity with other implementations. Private to src/slot. */
#ifndef VX_SLOT_LATENT_H
#define VX_SLOT_LATENT_H

#include "slot/actor.h"

/* An NPY of [z, rows, cols], dims of 1 in front allowed, into *latent (vx_heap_free; NULL on
 * failure). VX_ERR_INPUT, "bad_noise", for another shape or values that are not finite. */
vx_status vx_latent_read(const char *path, const vx_actor_size *size, float **latent,
                         vx_error *err);

#endif
