/* Faults, one after another: every call that can fail is made to fail while a slot is under way. A slot has one
 * outcome and a sentence, leaves no file and no memory behind, and the next slot is the same as ever.
 *
 * The linker sends the calls of the library here (tests/CMakeLists.txt), so what fails is the real call. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>
#include <dnnl.h>
#include <libavcodec/avcodec.h>

#include "base/mem.h"
#include "slot_rig.h"

typedef enum point {
    NOTHING,
    ALLOCATION,
    READ,
    WRITE,
    DISK_FULL,
    ENCODER,
    DEVICE,
    SLOW_DEVICE,
    THREAD,
    OPEN,
    MAP,
    LOCK,
    SYNC,
    CLOSE,
    RENAME,
    READ_AT,
    READ_SHORT, /* a file that is cut while it is read */
    OPEN_BENEATH,
    OPEN_IN,
    LIST,
    STREAM,
    PRINT,
    POLL,
    NO_PROC /* as in a chroot */
} point;

/* Which calls fail, how many of them come through before, and how many fail. */
static atomic_int armed, passes, failures;

static void arm(point which, int through, int fail)
{
    atomic_store(&passes, through);
    atomic_store(&failures, fail);
    atomic_store(&armed, which);
}

static bool fails(point which)
{
    if (atomic_load(&armed) != (int)which) return false;
    if (atomic_fetch_sub(&passes, 1) > 0) return false;
    return atomic_fetch_sub(&failures, 1) > 0;
}

void *__real_vx_heap_alloc(size_t bytes);
void *__wrap_vx_heap_alloc(size_t bytes);
void *__wrap_vx_heap_alloc(size_t bytes)
{
    return fails(ALLOCATION) ? NULL : __real_vx_heap_alloc(bytes);
}

ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes)
{
    if (!fails(READ)) return __real_read(fd, data, bytes);
    errno = EIO;
    return -1;
}

ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    bool broken = fails(WRITE), full = fails(DISK_FULL);
    if (!broken && !full) return __real_pwrite(fd, data, bytes, offset);
    errno = full ? ENOSPC : EIO;
    return -1;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    bool gone = strncmp(path, "/proc", 5) == 0 && fails(NO_PROC);
    if (!gone && !fails(OPEN)) return __real_open(path, flags, mode);
    errno = gone ? ENOENT : EMFILE;
    return -1;
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    if (!fails(OPEN_IN)) return __real_openat(folder, path, flags); /* none of ours creates */
    errno = EMFILE;
    return -1;
}

/* openat2, which the C library does not have, and what else is asked for by number. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list args;
    va_start(args, number);
    long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long),
         d = va_arg(args, long);
    va_end(args);
    bool old = atomic_load(&armed) == OPEN_IN; /* a kernel that has no such call */
    if (number != SYS_openat2 || (!old && !fails(OPEN_BENEATH)))
        return __real_syscall(number, a, b, c, d);
    errno = old ? ENOSYS : EMFILE;
    return -1;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    bool gone = strncmp(path, "/proc", 5) == 0 && fails(NO_PROC);
    if (!gone && !fails(STREAM)) return __real_fopen(path, mode);
    errno = gone ? ENOENT : EMFILE;
    return NULL;
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    if (strncmp(path, "/proc", 5) != 0 || !fails(NO_PROC)) return __real_access(path, mode);
    errno = ENOENT;
    return -1;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    if (!fails(LIST)) return __real_opendir(path);
    errno = EMFILE;
    return NULL;
}

ssize_t __real_pread(int fd, void *data, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t bytes, off_t offset)
{
    if (fails(READ_SHORT)) return 0;
    if (!fails(READ_AT)) return __real_pread(fd, data, bytes, offset);
    errno = EIO;
    return -1;
}

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (!fails(PRINT)) return __real_write(fd, data, bytes);
    errno = EIO;
    return -1;
}

int __real_poll(struct pollfd *wanted, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *wanted, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *wanted, nfds_t count, int wait_ms)
{
    if (count == 0 || !fails(POLL)) return __real_poll(wanted, count, wait_ms);
    errno = ENOMEM;
    return -1;
}

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (!fails(MAP)) return __real_mmap(at, bytes, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

/* Calls on a descriptor that say no more than that they failed. */
#define WRAP_FD(call, which)                                                                       \
    int __real_##call(int fd);                                                                     \
    int __wrap_##call(int fd);                                                                     \
    int __wrap_##call(int fd)                                                                      \
    {                                                                                              \
        int done = __real_##call(fd); /* a close that fails has closed */                          \
        if (!fails(which)) return done;                                                            \
        errno = EIO;                                                                               \
        return -1;                                                                                 \
    }
WRAP_FD(fsync, SYNC)
WRAP_FD(close, CLOSE)

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    if (!fails(LOCK)) return __real_flock(fd, operation);
    errno = ENOLCK;
    return -1;
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    if (!fails(RENAME)) return __real_rename(from, to);
    errno = EIO;
    return -1;
}

int __real_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame);
int __wrap_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame);
int __wrap_avcodec_send_frame(AVCodecContext *codec, const AVFrame *frame)
{
    return fails(ENCODER) ? AVERROR(EINVAL) : __real_avcodec_send_frame(codec, frame);
}

/* A slow device takes its time by the clock of the library alone, so that no outcome depends on how busy the machine
 * is: more than any stage may take here (slot_rig.h). */
enum { SLOW_S = 7200 };
static atomic_llong slept_s;

double __real_vx_now_s(void);
double __wrap_vx_now_s(void);
double __wrap_vx_now_s(void)
{
    return __real_vx_now_s() + (double)atomic_load(&slept_s);
}

dnnl_status_t __real_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *args);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *args);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *args)
{
    if (fails(DEVICE)) return dnnl_runtime_error;
    if (fails(SLOW_DEVICE)) atomic_fetch_add(&slept_s, SLOW_S);
    return __real_dnnl_primitive_execute(primitive, stream, count, args);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    return fails(THREAD) ? EAGAIN : __real_pthread_create(thread, attributes, start, arg);
}

/* ---- one fault -------------------------------------------------------------------------------- */

enum { FOREVER = 1 << 30 };

static bool met; /* whether the last fault came about */

typedef struct bench {
    slot_rig rig;
    char want[65];
    bool confined; /* make_with's recipe is text that names a file beneath its folder */
    vx_error err;  /* the last slot's */
} bench;

static int set_up(void **state)
{
    static bench b;
    *state = &b;
    slot_rig_open(&b.rig, ALL_PACK, "");
    for (int i = 0; i < 3; i++)
        assert_true(slot_rig_make(&b.rig, "good.mp4", b.want));
    return 0;
}

static int tear_down(void **state)
{
    arm(NOTHING, 0, 0);
    slot_rig_close(&((bench *)*state)->rig);
    return 0;
}

/* Makes a slot while calls fail. The outcome is one of two: the second is "done" where not every place of the
 * fault is met. */
static const char *make_with(bench *b, point which, int through, int fail)
{
    static char outcome[32];
    vx_error err = {0};
    vx_job *job;
    arm(which, through, fail);
    vx_submit_params params = {.recipe = ALL_RECIPE, .path = slot_rig_path(&b->rig, "bad.mp4")};
    if (b->confined) {
        params.recipe = NULL;
        params.text =
            "{audio_track: {script: Hi., voice_id: 'af_small:1,af_small:1'}, "
            "visual_track: {image: media/dot.png, face: whole}}"; /* a voice that is not loaded */
        params.folder = VX_TEST_DATA;
    }
    vx_status status = vx_submit(b->rig.vortex, &params, &job, &err);
    if (status == VX_OK) {
        vx_job_wait(job, -1);
        const vx_result *r = vx_job_result(job);
        err = r->error;
        snprintf(outcome, sizeof outcome, "%s", r->outcome);
        vx_job_free(&job);
    } else {
        snprintf(outcome, sizeof outcome, "refused");
    }
    met = atomic_load(&failures) < fail;
    arm(NOTHING, 0, 0);
    b->err = err;
    if (!met) assert_string_equal(outcome, "done");
    if (strcmp(outcome, "done") == 0)
        assert_int_equal(unlink(slot_rig_path(&b->rig, "bad.mp4")), 0);
    else
        assert_true(strlen(err.message) > 10);
    assert_int_equal(slot_rig_files(&b->rig), 1);
    return outcome;
}

static void next_slot_is_right(bench *b, int64_t live_bytes)
{
    char hex[65];
    assert_true(slot_rig_make(&b->rig, "good.mp4", hex));
    assert_string_equal(hex, b->want);
    /* What two workers that meet at a kernel take once. */
    assert_true(vx_heap_read().live_bytes - live_bytes < 64 << 10);
}

static void allocations_fail(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    int i = 0;
    for (; i < 60; i++) {
        const char *outcome = make_with(b, ALLOCATION, i, 1);
        if (!met) break;
        /* Where a kernel's arguments are refused it is the kernel that fails, and speech is tried again. */
        if (strcmp(outcome, "memory_pressure") != 0 && strcmp(outcome, "refused") != 0 &&
            strcmp(outcome, "device_error") != 0 && strcmp(outcome, "done") != 0)
            fail_msg("allocation %d: %s", i, outcome);
    }
    printf("a slot allocates %d times, each was refused once\n", i);
    assert_true(i >= 6 && i < 60);
    next_slot_is_right(b, live_bytes);
}

static void reads_fail(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    assert_string_equal(make_with(b, READ, 0, 1), "refused"); /* the recipe itself */
    next_slot_is_right(b, live_bytes);
}

static void writes_fail(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    for (int through = 0; through < 6; through += 2) {
        assert_string_equal(make_with(b, WRITE, through, FOREVER), "io_error");
        assert_string_equal(make_with(b, DISK_FULL, through, FOREVER), "io_error");
    }
    next_slot_is_right(b, live_bytes);
}

static void the_encoder_fails(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    for (int through = 0; through < 12; through += 3) {
        const char *outcome = make_with(b, ENCODER, through, 1);
        assert_true(strcmp(outcome, "device_error") == 0 || strcmp(outcome, "io_error") == 0);
    }
    next_slot_is_right(b, live_bytes);
}

/* One fault in speech passes, by the second try; one that stays does not. */
static void the_device_fails(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    assert_string_equal(make_with(b, DEVICE, 0, FOREVER), "device_error");
    assert_string_equal(make_with(b, DEVICE, 400, FOREVER), "device_error");
    next_slot_is_right(b, live_bytes);
}

static void speech_is_tried_again(void **state)
{
    bench *b = *state;
    char hex[65];
    vx_job *job;
    vx_submit_params params = {.text = "{audio_track: {script: Read the lead.}, "
                                       "visual_track: {image: media/dot.png, face: whole}}",
                               .folder = VX_TEST_DATA,
                               .path = slot_rig_path(&b->rig, "bad.mp4")};
    arm(DEVICE, 0, 1);
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &b->rig.err), VX_OK);
    vx_job_wait(job, -1);
    arm(NOTHING, 0, 0);
    assert_string_equal(vx_job_result(job)->outcome, "done");
    vx_job_free(&job);
    char *metrics = vx_metrics_text(b->rig.vortex);
    assert_null(strstr(metrics, "vortex_stage_retries_total 0\n"));
    vx_text_free(metrics);
    assert_int_equal(unlink(slot_rig_path(&b->rig, "bad.mp4")), 0);
    assert_true(slot_rig_make(&b->rig, "good.mp4", hex));
    assert_string_equal(hex, b->want);
}

static void a_stage_times_out(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    assert_string_equal(make_with(b, SLOW_DEVICE, 0, FOREVER), "timeout");
    next_slot_is_right(b, live_bytes);
}

static void threads_are_refused(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    for (int through = 0; through < 4; through++) {
        const char *outcome = make_with(b, THREAD, through, 1);
        assert_string_not_equal(outcome, "cancelled");
    }
    next_slot_is_right(b, live_bytes);
}

/* More frames than were planned are refused when the slot is submitted, not when the film is begun. */
static void a_film_beyond_the_plan_is_refused(void **state)
{
    bench *b = *state;
    vx_error err = {0};
    vx_job *job;
    vx_submit_params params = {.text = "{audio_track: {script: Hi.}, visual_track: {prompt: a}, "
                                       "output: {fps: 60}}",
                               .path = slot_rig_path(&b->rig, "bad.mp4")};
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "too_many_frames");
    params.path = slot_rig_path(&b->rig, "nowhere/bad.mp4");
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &err), VX_ERR_IO);
    params.path = slot_rig_path(&b->rig, "bad.wav");
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &err), VX_ERR_USAGE);
    params.sheet = params.path = slot_rig_path(&b->rig, "same");
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &err), VX_ERR_USAGE);
}

/* ---- the table -------------------------------------------------------------------------------- */

/* A call of the system that fails while a slot is made, and how the slot may end then; it may always end well,
 * where the call is one that can be done without. */
typedef struct row {
    point which;
    const char *name, *outcomes;
    bool always_done; /* the call can be done without wherever it is */
    bool confined;
} row;

static const row rows[] = {
    {READ, "read", "refused", false, false},
    {READ, "read of a picture", "io_error", false, true},
    {READ_AT, "pread", "io_error", false, true},
    {READ_SHORT, "pread at the end", "bad_recipe", false, true},
    {POLL, "poll", "refused io_error memory_pressure", false, true},
    {WRITE, "pwrite", "io_error", false, false},
    {DISK_FULL, "pwrite, disk full", "io_error", false, false},
    {PRINT, "write, the log's", "", true, false},
    {OPEN, "open", "refused io_error", false, false},
    {OPEN, "open, of a folder", "refused io_error", false, true},
    {OPEN_BENEATH, "openat2", "refused io_error", false, true},
    {OPEN_IN, "openat", "refused io_error", false, true},
    {STREAM, "fopen", "", true, false},
    {LIST, "opendir", "", true, false},
    {SYNC, "fsync", "io_error", false, false},
    {CLOSE, "close", "io_error", false, false},
    {RENAME, "rename", "io_error", false, false},
    {LOCK, "flock", "", true, false},
};

static void check_outcome(const row *r, const char *how, int through, const char *outcome)
{
    bool done = strcmp(outcome, "done") == 0;
    if (!done && (r->always_done || strstr(r->outcomes, outcome) == NULL))
        fail_msg("%s number %d failing %s: %s", r->name, through, how, outcome);
}

/* A slot with the usual voice, after which another one is loaded again. */
static void make_other(bench *b)
{
    b->confined = false;
    assert_string_equal(make_with(b, NOTHING, 0, 0), "done");
    b->confined = true;
}

/* Each call of each kind fails from it on, and once. */
static void every_system_call_fails(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int ended[2] = {0}, calls = 0;
        b->confined = rows[i].confined;
        for (;; calls += calls < 4 ? 1 : calls) { /* the first, and some up to the last */
            const char *outcome = make_with(b, rows[i].which, calls, FOREVER);
            if (!met) break;
            check_outcome(&rows[i], "for ever", calls, outcome);
            ended[strcmp(outcome, "done") == 0]++;
            check_outcome(&rows[i], "once", calls, make_with(b, rows[i].which, calls, 1));
            if (rows[i].confined) make_other(b);
        }
        printf("%s: under %d calls, %d slots failed, %d did without\n", rows[i].name, calls + 1,
               ended[0], ended[1]);
        if (rows[i].outcomes[0] != '\0') assert_true(ended[0] > 0);
        assert_true(ended[0] + ended[1] > 0);
        b->confined = false;
        next_slot_is_right(b, live_bytes);
    }
}

static void a_voice_that_is_cut_is_told(void **state)
{
    bench *b = *state;
    b->confined = true;
    assert_string_equal(make_with(b, READ_SHORT, 0, FOREVER), "bad_recipe");
    b->confined = false;
    assert_non_null(strstr(b->err.message, "was cut while it was read"));
}

/* ---- no /proc --------------------------------------------------------------------------------- */

static void count_missing(void *arg, const vx_log_line *line)
{
    if (strstr(line->message, "there is no /proc") != NULL) ++*(int *)arg;
}

/* Everything runs; what is not watched then is said once. */
static void without_proc_an_engine_works(void **state)
{
    (void)state;
    int said = 0;
    vx_error err = {0};
    vx_vortex *vortex;
    vx_job *job;
    char settings[128];
    slot_rig r;
    slot_rig_open(&r, STILL_PACK, "");
    snprintf(settings, sizeof settings, "%s", slot_rig_path(&r, "vortex.yaml"));
    vx_open_params params = {
        .settings = settings, .pack = STILL_PACK, .log = count_missing, .log_arg = &said};
    arm(NO_PROC, 0, FOREVER);
    assert_int_equal(vx_open(&vortex, &params, &err), VX_OK);
    vx_submit_params slot = {.recipe = STILL_RECIPE, .path = slot_rig_path(&r, "a.mp4")};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vx_submit(vortex, &slot, &job, &err), VX_OK);
        vx_job_wait(job, -1);
        assert_string_equal(vx_job_result(job)->outcome, "done");
        assert_non_null(strstr(vx_job_result(job)->report, "\"measured_peak_bytes\": 0"));
        vx_job_free(&job);
    }
    vx_close(&vortex, 0);
    arm(NOTHING, 0, 0);
    assert_int_equal(said, 1);
    slot_rig_close(&r);
}

/* The same while an engine is opened: a sentence, nothing left, and the next one opens. */
static void every_system_call_fails_while_opening(void **state)
{
    bench *b = *state;
    static const point points[] = {OPEN, MAP, READ, CLOSE};
    int64_t live_bytes = vx_heap_read().live_bytes;
    vx_open_params params = {.settings = slot_rig_path(&b->rig, "vortex.yaml"), .pack = STILL_PACK};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int refused = 0;
        for (int through = 0; through < 40; through += through < 6 ? 1 : 6) {
            vx_error err = {0};
            vx_vortex *vortex;
            arm(points[i], through, through % 2 == 0 ? 1 : FOREVER);
            vx_status status = vx_open(&vortex, &params, &err);
            bool came = atomic_load(&failures) < (through % 2 == 0 ? 1 : FOREVER);
            arm(NOTHING, 0, 0);
            if (status != VX_OK) {
                assert_null(vortex);
                assert_true(came && strlen(err.message) > 10);
                assert_int_not_equal(status, VX_ERR_INTERNAL);
                refused++;
            }
            vx_close(&vortex, 0);
            assert_true(vx_heap_read().live_bytes - live_bytes < 64 << 10);
            if (!came) break;
        }
        printf("opening: %d refusals\n", refused);
        if (points[i] == OPEN || points[i] == MAP) assert_true(refused > 0);
    }
    next_slot_is_right(b, live_bytes);
}

/* ---- SIGTERM ---------------------------------------------------------------------------------- */

static _Atomic(vx_job *) signalled;
static atomic_bool handled;

static void on_signal(int number)
{
    (void)number;
    vx_job_cancel(atomic_load(&signalled));
    atomic_store(&handled, true);
}

/* Any thread may get the signal, and late on a busy machine: the film stays at this frame until it was handled. */
static void raise_at_frame(void *arg, int64_t index, const vx_frame *frame)
{
    (void)arg;
    (void)frame;
    if (index != 2) return;
    while (atomic_load(&signalled) == NULL)
        usleep(1000);
    kill(getpid(), SIGTERM);
    while (!atomic_load(&handled))
        usleep(1000);
}

static void sigterm_in_the_middle(void **state)
{
    bench *b = *state;
    int64_t live_bytes = vx_heap_read().live_bytes;
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGTERM, &action, &before);
    vx_submit_params params = {
        .recipe = ALL_RECIPE, .path = slot_rig_path(&b->rig, "bad.mp4"), .frame = raise_at_frame};
    vx_job *job;
    assert_int_equal(vx_submit(b->rig.vortex, &params, &job, &b->rig.err), VX_OK);
    atomic_store(&signalled, job);
    vx_job_wait(job, -1);
    sigaction(SIGTERM, &before, NULL);
    assert_string_equal(vx_job_result(job)->outcome, "cancelled");
    vx_job_free(&job);
    unlink(slot_rig_path(&b->rig, "good.mp4"));
    assert_int_equal(slot_rig_files(&b->rig), 0);
    next_slot_is_right(b, live_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(reads_fail),
        cmocka_unit_test(writes_fail),
        cmocka_unit_test(the_encoder_fails),
        cmocka_unit_test(the_device_fails),
        cmocka_unit_test(speech_is_tried_again),
        cmocka_unit_test(a_stage_times_out),
        cmocka_unit_test(threads_are_refused),
        cmocka_unit_test(a_film_beyond_the_plan_is_refused),
        cmocka_unit_test(every_system_call_fails),
        cmocka_unit_test(a_voice_that_is_cut_is_told),
        cmocka_unit_test(every_system_call_fails_while_opening),
        cmocka_unit_test(without_proc_an_engine_works),
        cmocka_unit_test(sigterm_in_the_middle),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
