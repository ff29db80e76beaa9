/* What the tests of the resident engine share: a vortex on the small pack with settings of the test's own, and
 * films in a folder that is removed at the end. */
#ifndef VX_TESTS_SLOT_RIG_H
#define VX_TESTS_SLOT_RIG_H

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vortex/vortex.h>

#include "base/file.h"
#include "base/sha256.h"

/* A picture stands still: no LivePortrait. All five models: a prompt becomes an actor that moves. */
#define STILL_PACK   VX_TEST_DATA "/slot/pack"
#define STILL_RECIPE VX_TEST_DATA "/slot/small.yaml"
#define ALL_PACK     VX_TEST_DATA "/slot/all"
#define ALL_RECIPE   VX_TEST_DATA "/slot/prompt.yaml"

typedef struct slot_rig {
    char folder[64], settings[96];
    const char *recipe;
    vx_vortex *vortex;
    vx_error err;
} slot_rig;

/* `settings` is more text of vortex.yaml; a small frames_max keeps the workspace small. */
static inline void slot_rig_open(slot_rig *r, const char *pack, const char *settings)
{
    char text[1024];
    memset(r, 0, sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/vortex-test-XXXXXX");
    if (mkdtemp(r->folder) == NULL) abort();
    snprintf(r->settings, sizeof r->settings, "%s/vortex.yaml", r->folder);
    /* A busy machine or a sanitizer is no reason for a timeout, unless the test is about them. */
    const char *patience =
        strstr(settings, "timeouts") == NULL ? "timeouts: {floor_ms: 600000}\n" : "";
    /* Nor is a small machine one for a refusal. */
    const char *budget = strstr(settings, "budget") == NULL
                             ? "budget: {soft_bytes: 11000000000, hard_bytes: 11500000000}\n"
                             : "";
    snprintf(text, sizeof text, "kokoro: {frames_max: 200}\nthreads: 2\n%s%s%s", patience, budget,
             settings);
    if (vx_file_write(r->settings, text, strlen(text), &r->err) != VX_OK) abort();
    r->recipe = strcmp(pack, ALL_PACK) == 0 ? ALL_RECIPE : STILL_RECIPE;
    vx_open_params params = {.settings = r->settings, .pack = pack};
    if (vx_open(&r->vortex, &params, &r->err) != VX_OK) {
        fprintf(stderr, "%s\n", r->err.message);
        abort();
    }
}

static inline void slot_rig_close(slot_rig *r)
{
    char command[128];
    vx_close(&r->vortex, 0);
    snprintf(command, sizeof command, "rm -r '%s'", r->folder);
    if (system(command) != 0) abort();
}

static inline const char *slot_rig_path(const slot_rig *r, const char *name)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    return path;
}

/* Files in the folder beside the settings; temporary ones count. */
static inline int slot_rig_files(const slot_rig *r)
{
    char command[128];
    int count = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", r->folder);
    FILE *p = popen(command, "r");
    if (p == NULL || fscanf(p, "%d", &count) != 1) abort();
    pclose(p);
    return count - 1;
}

static inline vx_job *slot_rig_submit(slot_rig *r, const char *name)
{
    vx_job *job = NULL;
    vx_submit_params params = {.recipe = r->recipe, .path = slot_rig_path(r, name)};
    vx_submit(r->vortex, &params, &job, &r->err);
    return job;
}

/* Makes the rig's slot and gives the hash of its film; false when it did not end well. */
static inline bool slot_rig_make(slot_rig *r, const char *name, char hex[65])
{
    vx_job *job = slot_rig_submit(r, name);
    if (job == NULL) return false;
    vx_job_wait(job, -1);
    bool done = strcmp(vx_job_result(job)->outcome, "done") == 0;
    if (!done) fprintf(stderr, "%s\n", vx_job_result(job)->error.message);
    vx_job_free(&job);
    return done && vx_sha256_file(slot_rig_path(r, name), hex, NULL) == VX_OK;
}

/* A film that stays in its first frame until it is let go. */
typedef struct slot_gate {
    sem_t reached, go;
} slot_gate;

static inline void slot_gate_stop(void *arg, int64_t index, const vx_frame *frame)
{
    slot_gate *g = arg;
    (void)frame;
    if (index != 0) return;
    sem_post(&g->reached);
    while (sem_wait(&g->go) != 0)
        ;
}

/* Returns when the film "gated.mp4" stands in its first frame. */
static inline vx_job *slot_gate_start(slot_rig *r, slot_gate *g)
{
    vx_job *job;
    sem_init(&g->reached, 0, 0);
    sem_init(&g->go, 0, 0);
    vx_submit_params params = {.recipe = r->recipe,
                               .path = slot_rig_path(r, "gated.mp4"),
                               .frame = slot_gate_stop,
                               .arg = g};
    if (vx_submit(r->vortex, &params, &job, &r->err) != VX_OK) abort();
    while (sem_wait(&g->reached) != 0)
        ;
    if (vx_job_poll(job) != VX_RUNNING) abort();
    return job;
}

static inline void slot_gate_open(slot_gate *g)
{
    sem_post(&g->go);
}

static inline void slot_gate_close(slot_gate *g)
{
    sem_destroy(&g->go);
    sem_destroy(&g->reached);
}

#endif
