/* Opening and closing the engine with all tools that its stages want, in the order in which
 * they need each other. */
#include "slot/crew.h"

/* The largest frame of a film that is judged (media/video.h); pictures are made smaller. */
enum { FRAME_SIDE_MAX = 4096 };

vx_status vx_crew_open(vx_crew *crew, const vx_engine_params *params, int accents, vx_error *err)
{
    const vx_settings *settings = params->settings;
    *crew = (vx_crew){.open = true};
    vx_metrics_open(&crew->metrics);
    vx_turns_open(&crew->turns);
    vx_monitor_open(&crew->monitor,
                    &(vx_monitor_limits){.soft_bytes = SIZE_MAX,
                                         .hard_bytes = SIZE_MAX,
                                         .free_bytes = (size_t)settings->free_bytes});
    VX_TRY(vx_engine_open(&crew->engine, params, err));
    /* What was planned is no reason for a warning, nor is a page or two more. */
    const vx_plan *plan = vx_engine_planned(crew->engine);
    size_t usual = plan->total_bytes + plan->total_bytes / 50;
    crew->monitor.limits.backend = vx_engine_backend(crew->engine);
    crew->monitor.limits.hard_bytes = plan->budget.hard_bytes;
    crew->monitor.limits.soft_bytes =
        plan->budget.soft_bytes > usual ? plan->budget.soft_bytes : usual;
    if (params->wants & VX_WANT_SPEECH)
        VX_TRY(vx_speaker_open(&crew->speaker, crew->engine, accents, err));
    if (params->wants & VX_WANT_VERIFY)
        VX_TRY(vx_verifier_open(&crew->verifier, crew->engine, FRAME_SIDE_MAX, err));
    if (params->wants & VX_WANT_ACTOR) VX_TRY(vx_imaginer_open(&crew->imaginer, crew->engine, err));
    if (params->wants & VX_WANT_VIDEO) VX_TRY(vx_animator_open(&crew->animator, crew->engine, err));
    if (params->wants & VX_WANT_FACE) VX_TRY(vx_faces_open(&crew->faces, crew->engine, err));
    return VX_OK;
}

void vx_crew_close(vx_crew *crew)
{
    vx_imaginer_close(&crew->imaginer);
    vx_animator_close(&crew->animator);
    vx_faces_close(&crew->faces);
    vx_verifier_close(&crew->verifier);
    vx_speaker_close(&crew->speaker);
    vx_engine_close(&crew->engine);
    if (!crew->open) return;
    vx_monitor_close(&crew->monitor);
    vx_metrics_close(&crew->metrics);
    vx_turns_close(&crew->turns);
    crew->open = false;
}
