/* The host lives on: each test is a process of its own, with the signals' default actions, in which
 * something breaks that ends a process unless somebody takes care. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "slot_rig.h"

/* The exit code of a body that ran in a child; 128 + the signal that ended it. */
static int in_child(int (*body)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
        _exit(body());
    }
    while (waitpid(child, &status, 0) != child)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The host's handling of signals is as it was, and nothing of ours is left for it. */
static bool signals_are_untouched(void)
{
    static const int both[] = {SIGPIPE, SIGXFSZ};
    sigset_t mask, pending;
    bool same = pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigpending(&pending) == 0;
    for (int i = 0; i < 2; i++) {
        struct sigaction action;
        sigaction(both[i], NULL, &action);
        same = same && action.sa_handler == SIG_DFL && !sigismember(&mask, both[i]) &&
               !sigismember(&pending, both[i]);
    }
    return same;
}

static int verdict(slot_rig *r, vx_job *job, const char *outcome)
{
    vx_job_wait(job, -1);
    const vx_result *result = vx_job_result(job);
    bool right = strcmp(result->outcome, outcome) == 0 &&
                 (strcmp(outcome, "done") == 0 || strlen(result->error.message) > 10);
    if (!right) fprintf(stderr, "%s: %s\n", result->outcome, result->error.message);
    vx_job_free(&job);
    bool untouched = signals_are_untouched();
    slot_rig_close(r);
    return !right ? 1 : !untouched ? 2 : 0;
}

/* ---- a pipe whose reader leaves --------------------------------------------------------------- */

typedef struct reader {
    const char *path;
    pthread_t thread;
    sem_t leave, left;
} reader;

static void *read_for_a_while(void *arg)
{
    reader *me = arg;
    int fd = open(me->path, O_RDONLY | O_CLOEXEC);
    while (sem_wait(&me->leave) != 0)
        ;
    close(fd);
    sem_post(&me->left);
    return NULL;
}

static void send_reader_away(void *arg, int64_t index, const vx_frame *frame)
{
    reader *him = arg;
    (void)frame;
    if (index != 1) return;
    sem_post(&him->leave);
    while (sem_wait(&him->left) != 0)
        ;
}

static int film_to_a_broken_pipe(void)
{
    slot_rig r;
    vx_job *job;
    slot_rig_open(&r, STILL_PACK, "");
    reader him = {.path = slot_rig_path(&r, "pipe.mkv")};
    sem_init(&him.leave, 0, 0);
    sem_init(&him.left, 0, 0);
    if (mkfifo(him.path, 0600) != 0) return 3;
    if (pthread_create(&him.thread, NULL, read_for_a_while, &him) != 0) return 3;
    vx_submit_params params = {
        .recipe = r.recipe, .path = him.path, .frame = send_reader_away, .arg = &him};
    if (vx_submit(r.vortex, &params, &job, &r.err) != VX_OK) {
        fprintf(stderr, "%s\n", r.err.message);
        return 4;
    }
    vx_job_wait(job, -1);
    pthread_join(him.thread, NULL);
    return verdict(&r, job, "io_error");
}

static void a_reader_leaves(void **state)
{
    (void)state;
    assert_int_equal(in_child(film_to_a_broken_pipe), 0);
}

/* ---- a file that may not grow ----------------------------------------------------------------- */

static int film_beyond_the_limit(void)
{
    slot_rig r;
    struct rlimit limit;
    char hex[65];
    slot_rig_open(&r, STILL_PACK, "");
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 500;
    setrlimit(RLIMIT_FSIZE, &limit);
    vx_job *job = slot_rig_submit(&r, "a.mp4");
    if (job == NULL) return 4;
    vx_job_wait(job, -1);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    vx_job_release(job);
    if (slot_rig_files(&r) != 0 || !slot_rig_make(&r, "b.mp4", hex)) return 5;
    return verdict(&r, job, "io_error");
}

static void a_file_reaches_its_limit(void **state)
{
    (void)state;
    assert_int_equal(in_child(film_beyond_the_limit), 0);
}

/* ---- a closed standard error ------------------------------------------------------------------ */

static int log_to_a_broken_pipe(void)
{
    slot_rig r;
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0) return 3;
    close(ends[0]);
    close(ends[1]);
    slot_rig_open(&r, STILL_PACK,
                  "log: {level: debug}\n"); /* lines of this thread; then of others */
    return verdict(&r, slot_rig_submit(&r, "a.mp4"), "done");
}

static void standard_error_is_closed(void **state)
{
    (void)state;
    assert_int_equal(in_child(log_to_a_broken_pipe), 0);
}

/* ---- the host's own pipes --------------------------------------------------------------------- */

/* What the host wants of its signals still comes about: here, that its own broken pipe ends it. */
static int host_writes_to_a_broken_pipe(void)
{
    slot_rig r;
    int ends[2];
    slot_rig_open(&r, STILL_PACK, "");
    slot_rig_close(&r);
    if (pipe(ends) != 0) return 3;
    close(ends[0]);
    return write(ends[1], "x", 1) < 0 ? 4 : 5;
}

static void the_host_keeps_its_own_ways(void **state)
{
    (void)state;
    assert_int_equal(in_child(host_writes_to_a_broken_pipe), 128 + SIGPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_leaves),
        cmocka_unit_test(a_file_reaches_its_limit),
        cmocka_unit_test(standard_error_is_closed),
        cmocka_unit_test(the_host_keeps_its_own_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
