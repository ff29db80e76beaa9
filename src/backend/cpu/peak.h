/* What the CPU can do at best: oneDNN's own matrix product, as a measure for every stage. */
#ifndef VX_BACKEND_CPU_PEAK_H
#define VX_BACKEND_CPU_PEAK_H

#include "backend/backend.h"

/* Operations per second of oneDNN's 1280 x 3072 x 3072 product, in bf16 where that is native, else
 * f32, its columns split over the workers of the backend's pool; the best of several runs, about
 * half a second in all. Takes 50 to 80 MB of heap meanwhile. Not while an op runs. */
vx_status vx_cpu_peak(vx_backend *backend, double *flops_per_s, vx_error *err);

#endif
