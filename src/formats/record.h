/* A source without a file that has every tensor it is asked for, and remembers what that was.
 *
 * A model's own binding code, run on it, tells which tensors a checkpoint holds and their shapes;
 * so checkpoints can be made without a second list (packs/synth.h). */
#ifndef VX_FORMATS_RECORD_H
#define VX_FORMATS_RECORD_H

#include "formats/source.h"

typedef struct vx_record vx_record;

/* *record is NULL on failure. */
vx_status vx_record_open(vx_record **record, vx_error *err);
void vx_record_close(vx_record **record); /* safe on NULL; sets NULL */

/* The tensor of that name, f32, every value 1; made when it isn't there. rank -1: the shape is not
 * known yet and stays open until somebody says it; otherwise dims of 1 are dropped. Valid until
 * closed; NULL when out of memory. */
const vx_source_tensor *vx_record_ask(vx_record *record, const char *name, int rank,
                                      const int64_t *dim);
/* What stands for the file. */
const vx_source *vx_record_source(const vx_record *record);

/* Tensors in the order of asking; rank is -1 for one whose shape nobody said. */
int64_t vx_record_count(const vx_record *record);
const vx_source_tensor *vx_record_at(const vx_record *record, int64_t index);

#endif
