/* The crew: what the stages of a slot work with, opened once for an engine.
 *
 * A stage's own tools (a speaker, a verifier, …) hold what it needs beside the models: tables,
 * tokenizers, lexicons. All memory is taken at open. Slots that share no set of buffers may be made
 * side by side: their stages take turns on the lanes. */
#ifndef VX_SLOT_CREW_H
#define VX_SLOT_CREW_H

#include "slot/animate.h"
#include "slot/turns.h"
#include "slot/imagine.h"
#include "slot/metrics.h"
#include "engine/monitor.h"
#include "slot/speak.h"
#include "slot/verify.h"

typedef struct vx_crew {
    bool open; /* metrics, monitor and turns are */
    vx_turns turns;
    vx_metrics metrics;
    vx_monitor monitor;
    vx_engine *engine;
    vx_speaker *speaker;
    vx_verifier *verifier; /* NULL without VX_WANT_VERIFY */
    vx_imaginer *imaginer; /* NULL without VX_WANT_ACTOR */
    vx_animator *animator; /* NULL without VX_WANT_VIDEO */
    vx_faces *faces;       /* NULL without VX_WANT_FACE */
} vx_crew;

/* Opens the engine that params describe and the tools of everything that they want. `accents` is
 * the set of lexicons (vx_speaker_accents). Close it in any case. */
vx_status vx_crew_open(vx_crew *crew, const vx_engine_params *params, int accents, vx_error *err);
void vx_crew_close(vx_crew *crew); /* safe on a zeroed or closed one */

#endif
