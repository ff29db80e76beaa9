/* All that Vortex asks of oneDNN, and the only place that names it (2.6; its C API).
 *
 * Primitives are single-threaded: whoever creates or runs one holds OpenMP at one thread in the
 * calling thread first, so libgomp never starts a thread of its own. */
#ifndef VX_BACKEND_CPU_ONEDNN_H
#define VX_BACKEND_CPU_ONEDNN_H

#include "backend/cpu/cpu.h"

/* The level that oneDNN may use here: processor and environment together. */
vx_cpu_level vx_onednn_level(void);

#endif
