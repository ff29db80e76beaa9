/* A program of the first release: program PACK RECIPE FILM
 *
 * It is compiled against the headers beside it, which are that release's, and linked with today's
 * library. Its structs end where a page begins that can't be read. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vortex/vortex.h>

#ifdef VORTEX_API
#error "these are not the headers of the first release"
#endif

static int stages, frames;

static void *at_the_edge(const void *params, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0) return NULL;
    return memcpy(memory + page - bytes, params, bytes);
}

static void see_stage(void *arg, const char *stage, double share)
{
    (void)stage;
    (void)share;
    if (arg == &stages) stages++;
}

static void see_frame(void *arg, int64_t index, const vx_frame *frame)
{
    if (arg == &stages && index >= 0 && frame->width == 64) frames++;
}

static int wrong(const char *what, const vx_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

int main(int argc, char **argv)
{
    vx_error err = {0};
    vx_vortex *vortex;
    vx_job *job;
    if (argc != 4) return 2;
    vx_submit_params submit = {.recipe = argv[2],
                               .path = argv[3],
                               .progress = see_stage,
                               .frame = see_frame,
                               .arg = &stages};
    const vx_submit_params *submitted = at_the_edge(&submit, sizeof submit);
    vx_cancel *cancel = vx_cancel_new();
    vx_open_params open = {.pack = argv[1], .threads = 1, .only = submitted, .cancel = cancel};
    const vx_open_params *opened = at_the_edge(&open, sizeof open);
    if (submitted == NULL || opened == NULL) return 2;
    if (vx_open(&vortex, opened, &err) != VX_OK) return wrong("open", &err);
    if (vx_submit(vortex, submitted, &job, &err) != VX_OK) return wrong("submit", &err);
    vx_job_wait(job, -1);
    const vx_result *r = vx_job_result(job);
    if (strcmp(r->outcome, "done") != 0) return wrong("outcome", &r->error);
    if (r->sample_rate != 24000 || r->frames < 1 || frames != (int)r->frames || stages < 1 ||
        r->embedding_l_count < 1 || r->embedding_l == NULL)
        return wrong("result", &r->error);
    vx_job_free(&job);
    vx_close(&vortex, 0);
    vx_cancel_free(&cancel);
    printf("%d frames, served\n", frames);
    return 0;
}
