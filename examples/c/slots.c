/* Makes a slot of every recipe with one resident engine: slots PACK RECIPE...
 *
 *     cc slots.c -o slots $(pkg-config --cflags --libs vortex)
 *     ./slots toon first.yaml second.yaml
 *
 * Films are written to the working folder as 0.mp4, 1.mp4, … */
#include <stdio.h>

#include <vortex/vortex.h>

static int fail(const vx_error *err)
{
    fprintf(stderr, "slots: %s\n", err->message);
    return -(int)err->status;
}

static void show(const vx_result *r)
{
    if (r->sample_rate == 0) {
        printf("%s: %s\n", r->outcome, r->error.message);
        return;
    }
    printf("%s: %.2f s of speech, %lld frames in %s\n", r->outcome,
           (double)r->sample_count / r->sample_rate, (long long)r->frames, r->path);
    for (int i = 0; i < r->stage_count; i++)
        printf("  %-8s %8.3f s\n", r->stages[i].name, r->stages[i].end_s - r->stages[i].start_s);
    if (r->verified) printf("  scores   B %.3f, L %.3f\n", r->score_b, r->score_l);
}

int main(int argc, char **argv)
{
    vx_error err = {0};
    vx_vortex *vortex;
    if (argc < 3) {
        fprintf(stderr, "usage: slots PACK RECIPE...\n");
        return 2;
    }
    vx_open_params open = {.pack = argv[1]};
    if (vx_open(&vortex, &open, &err) != VX_OK) return fail(&err);
    int code = 0;
    for (int i = 2; i < argc; i++) {
        char path[32];
        vx_job *job;
        snprintf(path, sizeof path, "%d.mp4", i - 2);
        vx_submit_params submit = {.recipe = argv[i], .path = path};
        if (vx_submit(vortex, &submit, &job, &err) != VX_OK) {
            code = fail(&err);
            continue;
        }
        vx_job_wait(job, -1);
        show(vx_job_result(job));
        vx_job_free(&job);
    }
    vx_close(&vortex, 0);
    return code;
}
