/* Synthetic packs: seeded random weights in official naming, at a pack's sizes and precisions, so
 * that memory and speed can be measured without the published files.
 *
 * Which tensors there are is asked of the models' own binding code. A component becomes one file:
 * safetensors, for nf4 in bitsandbytes' layout, for q8_0 and q4_0 GGUF; int8 is written as bf16.
 * Values have zero mean and the variance 1/fan-in (tables: 1), gains lie around one, so that
 * activations stay of order one. */
#ifndef VX_PACKS_SYNTH_H
#define VX_PACKS_SYNTH_H

#include "base/cancel.h"
#include "config/pack.h"
#include "formats/record.h"

typedef struct vx_synth_params {
    const vx_pack *pack;
    const char *folder; /* made when it isn't there */
    uint64_t seed;
    vx_cancel *cancel; /* may be NULL */
    /* With the component and the share of it that is written; may be NULL. */
    void (*progress)(void *arg, const char *component, double share);
    void *progress_arg;
} vx_synth_params;

typedef struct vx_synth_file {
    vx_component component;
    char name[64];
    int64_t tensors;
    uint64_t bytes;
} vx_synth_file;

typedef struct vx_synth_report {
    vx_synth_file file[VX_COMPONENTS];
    int files;
} vx_synth_report;

/* Writes a file for every component that has weights of its own, tokenizers (copies, or
 * made up when the pack's are not there) and a pack.yaml with synthetic: true. Each file
 * is whole or untouched. */
vx_status vx_synth(const vx_synth_params *params, vx_synth_report *report, vx_error *err);

/* One file from what a model has asked for; `precision` is the component's. The name's ending
 * (.safetensors or .gguf) is the caller's. */
vx_status vx_synth_write(const vx_synth_params *params, const vx_record *record, vx_dtype precision,
                         const char *path, const char *component, vx_synth_file *file,
                         vx_error *err);

#endif
