/* What a slot leaves: its files get their names when all has gone well. Private to src/slot. */
#ifndef VX_SLOT_DELIVER_H
#define VX_SLOT_DELIVER_H

#include "slot/stage.h"

/* The slot's stages have ended with `status`. Files are there after success and after a failed
 * verification, after anything else nothing is. The status to end with, described in *err. */
vx_status vx_deliver(vx_slot *slot, vx_status status, vx_error *err);

#endif
