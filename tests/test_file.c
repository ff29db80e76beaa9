/* Output files: whole or not there, whatever fails on the way. */
#include <fcntl.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/wait.h"
#include "base/mem.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vx-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

/* Names in the folder, hidden ones included. */
static int count_files(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    if (dir == NULL) return 1;
    char path[512];
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    closedir(dir);
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[2][640];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void commit_replaces_abort_keeps(void **state)
{
    (void)state;
    const char *path = in_folder("a.txt");
    assert_int_equal(vx_file_write(path, "first", 5, NULL), VX_OK);
    assert_int_equal(chmod(path, 0640), 0);
    vx_outfile out;
    assert_int_equal(vx_outfile_open(&out, path, NULL), VX_OK);
    assert_int_equal(vx_outfile_write(&out, "second", 6, NULL), VX_OK);
    assert_int_equal(vx_outfile_write_at(&out, 0, "S", 1, NULL), VX_OK);
    assert_int_equal(count_files(), 2);
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(path, 100, &data, &bytes, NULL), VX_OK);
    assert_string_equal(data, "first");
    vx_heap_free(data);
    vx_outfile_abort(&out);
    vx_outfile_abort(&out);
    assert_int_equal(count_files(), 1);

    assert_int_equal(vx_outfile_open(&out, path, NULL), VX_OK);
    assert_int_equal(vx_outfile_write(&out, "second", 6, NULL), VX_OK);
    assert_int_equal(vx_outfile_write_at(&out, 0, "S", 1, NULL), VX_OK);
    assert_int_equal(vx_outfile_commit(&out, NULL), VX_OK);
    assert_int_equal(vx_file_read(path, 6, &data, &bytes, NULL), VX_OK);
    assert_int_equal(bytes, 6);
    assert_string_equal(data, "Second");
    vx_heap_free(data);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(count_files(), 1);
}

static void link_stays_a_link(void **state)
{
    (void)state;
    const char *target = in_folder("target"), *name = in_folder("link");
    assert_int_equal(vx_file_write(target, "x", 1, NULL), VX_OK);
    assert_int_equal(symlink("target", name), 0);
    assert_int_equal(vx_file_write(name, "yy", 2, NULL), VX_OK);
    struct stat info;
    assert_int_equal(lstat(name, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_size, 2);
}

static void devices_are_written_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(vx_file_write("/dev/null", "x", 1, NULL), VX_OK);
    struct stat info;
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    vx_error err = {0};
    assert_int_equal(vx_file_write("/dev/full", "x", 1, &err), VX_ERR_IO);
    assert_non_null(strstr(err.message, "No space"));
}

static void bad_targets_are_named(void **state)
{
    (void)state;
    vx_error err = {0};
    assert_int_equal(vx_file_write("", "x", 1, &err), VX_ERR_USAGE);
    assert_int_equal(vx_file_write(folder, "x", 1, &err), VX_ERR_IO);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(vx_file_write(in_folder("no/such/a"), "x", 1, &err), VX_ERR_IO);
    assert_non_null(strstr(err.message, "no/such/a"));
    char longest[512];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    assert_int_equal(vx_file_write(in_folder(longest), "x", 1, &err), VX_OK);
    longest[255] = 'n';
    longest[256] = '\0';
    assert_int_equal(vx_file_write(in_folder(longest), "x", 1, &err), VX_ERR_IO);
    char *huge = vx_heap_alloc(10001);
    memset(huge, 'p', 10000);
    assert_int_equal(vx_file_write(huge, "x", 1, &err), VX_ERR_IO);
    vx_heap_free(huge);
}

static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    int before = count_files();
    struct rlimit old, small = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    char *data = vx_heap_alloc(200000);
    vx_error err = {0};
    assert_int_equal(vx_file_write(in_folder("big"), data, 200000, &err), VX_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    vx_heap_free(data);
    assert_int_equal(count_files(), before);
    assert_string_equal(err.code, "write_failed");
}

static void sweep_handler(int number)
{
    vx_outfile_sweep();
    _exit(number == SIGINT ? 7 : 1);
}

static void signal_sweeps_temporary_files(void **state)
{
    (void)state;
    int before = count_files();
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, sweep_handler);
        vx_outfile out[3];
        for (int i = 0; i < 3; i++) {
            char name[16];
            snprintf(name, sizeof name, "s%d", i);
            if (vx_outfile_open(&out[i], in_folder(name), NULL) != VX_OK) _exit(1);
            if (vx_outfile_write(&out[i], "data", 4, NULL) != VX_OK) _exit(1);
        }
        if (vx_outfile_commit(&out[1], NULL) != VX_OK) _exit(1);
        raise(SIGINT);
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(count_files(), before + 1);
}

static void table_has_a_bound(void **state)
{
    (void)state;
    int before = count_files();
    vx_outfile out[VX_OUTFILE_MAX + 1];
    for (int i = 0; i < VX_OUTFILE_MAX; i++)
        assert_int_equal(vx_outfile_open(&out[i], in_folder("same"), NULL), VX_OK);
    assert_int_equal(count_files(), before + VX_OUTFILE_MAX);
    vx_error err = {0};
    assert_int_equal(vx_outfile_open(&out[VX_OUTFILE_MAX], in_folder("same"), &err), VX_ERR_IO);
    assert_string_equal(err.code, "too_many_files");
    for (int i = 0; i <= VX_OUTFILE_MAX; i++)
        vx_outfile_abort(&out[i]);
    assert_int_equal(count_files(), before);
}

static void reading_checks(void **state)
{
    (void)state;
    char *data;
    size_t bytes;
    vx_error err = {0};
    assert_int_equal(vx_file_read(in_folder("none"), 10, &data, &bytes, &err), VX_ERR_MISSING);
    assert_int_equal(vx_file_read(folder, 10, &data, &bytes, &err), VX_ERR_INPUT);
    assert_int_equal(vx_file_write(in_folder("ten"), "0123456789", 10, NULL), VX_OK);
    assert_int_equal(vx_file_read(in_folder("ten"), 9, &data, &bytes, &err), VX_ERR_INPUT);
    assert_null(data);
    assert_int_equal(vx_file_read(in_folder("ten"), 10, &data, &bytes, &err), VX_OK);
    assert_int_equal(bytes, 10);
    assert_int_equal(data[10], 0);
    vx_heap_free(data);
    assert_int_equal(vx_file_read("/dev/zero", 1 << 20, &data, &bytes, &err), VX_ERR_INPUT);
    /* Files of /proc say that they are empty and are not. */
    assert_int_equal(vx_file_read("/proc/self/status", 1 << 20, &data, &bytes, &err), VX_OK);
    assert_true(bytes > 100);
    vx_heap_free(data);
}

/* Asks the token a little later. */
static void *ask_later(void *cancel)
{
    usleep(50000);
    vx_cancel_ask(cancel);
    return NULL;
}

static vx_cancel signalled;

static void ask_from_signal(int number)
{
    (void)number;
    vx_cancel_ask(&signalled);
}

/* Neither a silent pipe nor one that nobody has opened yet keeps a reader who is asked to stop. */
static void reading_can_be_cancelled(void **state)
{
    (void)state;
    char *data;
    size_t bytes;
    vx_error err = {0};
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (int writers = 0; writers < 2; writers++) {
        vx_cancel cancel = {0};
        pthread_t thread;
        int fd = writers ? open(fifo, O_RDWR | O_CLOEXEC) : -1;
        assert_int_equal(pthread_create(&thread, NULL, ask_later, &cancel), 0);
        assert_int_equal(vx_file_read_from(fifo, VX_FILE_ANY, 100, &cancel, &data, &bytes, &err),
                         VX_ERR_CANCELLED);
        assert_string_equal(err.code, "cancelled");
        assert_null(data);
        pthread_join(thread, NULL);
        if (fd >= 0) close(fd);
    }
    /* One signal is enough; a signal that asks for nothing is waited through. */
    struct sigaction action = {.sa_handler = ask_from_signal}, old;
    sigaction(SIGALRM, &action, &old);
    ualarm(50000, 0);
    assert_int_equal(vx_file_read_from(fifo, VX_FILE_ANY, 100, &signalled, &data, &bytes, &err),
                     VX_ERR_CANCELLED);
    sigaction(SIGALRM, &old, NULL);
    unlink(fifo);
}

static void documents_name_regular_files(void **state)
{
    (void)state;
    char *data;
    size_t bytes;
    const char *fifo = in_folder("fifo");
    const char *const refused[] = {
        "-", fifo, "/dev/zero", "/dev/null", "/proc/self/status", "/proc/self/mem", folder};
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        vx_error err = {0};
        assert_int_equal(
            vx_file_read_from(refused[i], VX_FILE_REGULAR, 100, NULL, &data, &bytes, &err),
            VX_ERR_INPUT);
        assert_true(err.message[0] != '\0');
        assert_null(data);
    }
    unlink(fifo);
    assert_int_equal(vx_file_write(in_folder("ten"), "0123456789", 10, NULL), VX_OK);
    assert_int_equal(
        vx_file_read_from(in_folder("ten"), VX_FILE_REGULAR, 10, NULL, &data, &bytes, NULL), VX_OK);
    for (int i = 0; i < VX_FILE_PADDING; i++)
        assert_int_equal(data[bytes + (size_t)i], 0);
    vx_heap_free(data);
}

static void folders_are_made(void **state)
{
    (void)state;
    vx_error err = {0};
    assert_int_equal(vx_folder_make(in_folder("d/e/f"), &err), VX_OK);
    assert_int_equal(vx_folder_make(in_folder("d/e/f/"), &err), VX_OK);
    assert_int_equal(vx_file_write(in_folder("d/e/f/x"), "x", 1, NULL), VX_OK);
    assert_int_equal(vx_folder_make(in_folder("d/e/f/x/y"), &err), VX_ERR_IO);
    assert_int_equal(vx_folder_make("", &err), VX_ERR_USAGE);
    unlink(in_folder("d/e/f/x"));
    rmdir(in_folder("d/e/f"));
    rmdir(in_folder("d/e"));
    rmdir(in_folder("d"));
}

/* Pipes: written when somebody reads, not waited for when the thread's token is asked. */
static void *ask_soon(void *arg)
{
    usleep(30000);
    vx_cancel_ask(arg);
    return NULL;
}

static void pipes_are_not_waited_for_in_vain(void **state)
{
    (void)state;
    vx_error err = {0};
    vx_cancel cancel = {0};
    vx_outfile out;
    pthread_t thread;
    char *data;
    size_t bytes;
    const char *path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(vx_wait_scope(&cancel));
    for (int reading = 0; reading < 2; reading++) {
        vx_cancel_clear(&cancel);
        pthread_create(&thread, NULL, ask_soon, &cancel);
        vx_status status = reading ? vx_file_read(path, 100, &data, &bytes, &err)
                                   : vx_outfile_open(&out, path, &err);
        assert_int_equal(status, VX_ERR_CANCELLED);
        assert_string_equal(err.code, "cancelled");
        pthread_join(thread, NULL);
    }
    /* A reader that takes nothing: the pipe fills, and then the token ends it. */
    static const char much[1 << 20];
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    vx_cancel_clear(&cancel);
    assert_int_equal(vx_outfile_open(&out, path, &err), VX_OK);
    pthread_create(&thread, NULL, ask_soon, &cancel);
    assert_int_equal(vx_outfile_write(&out, much, sizeof much, &err), VX_ERR_CANCELLED);
    pthread_join(thread, NULL);
    vx_outfile_abort(&out);
    close(reader);
    assert_ptr_equal(vx_wait_scope(NULL), &cancel);
    unlink(path);
}

static void links_to_nothing_are_refused(void **state)
{
    (void)state;
    vx_error err;
    struct stat info;
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(symlink("loop", in_folder("loop")), 0);
    assert_int_equal(vx_file_write(in_folder("dangling"), "x", 1, &err), VX_ERR_IO);
    assert_non_null(strstr(err.message, "link to nothing"));
    assert_int_equal(vx_file_write(in_folder("loop"), "x", 1, &err), VX_ERR_IO);
    assert_int_equal(lstat(in_folder("loop"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    unlink(in_folder("dangling"));
    unlink(in_folder("loop"));
}

/* A process that is killed leaves its temporary file; the next one for the same target takes it away, and no
 * other. */
static void what_dead_processes_left_is_swept(void **state)
{
    (void)state;
    vx_outfile out;
    int before = count_files();
    pid_t child = fork();
    if (child == 0) {
        if (vx_outfile_open(&out, in_folder("film.mp4"), NULL) != VX_OK) _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(count_files(), before + 1);
    /* Of a process that lives, of another target, and of the dead one of a machine that holds the lock. */
    char name[64];
    snprintf(name, sizeof name, ".film.mp4.%d-0-00000000.tmp", (int)getppid());
    assert_int_equal(vx_file_write(in_folder(name), "x", 1, NULL), VX_OK);
    char locked[64];
    snprintf(locked, sizeof locked, ".film.mp4.%d-9-00000000.tmp", (int)child);
    assert_int_equal(vx_file_write(in_folder(locked), "x", 1, NULL), VX_OK);
    int fd = open(in_folder(locked), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(vx_file_write(in_folder("film"), "x", 1, NULL), VX_OK);
    assert_int_equal(count_files(), before + 4);
    assert_int_equal(vx_file_write(in_folder("film.mp4"), "x", 1, NULL), VX_OK);
    assert_int_equal(count_files(), before + 4); /* the film came, the dead one's went */
    close(fd);
    assert_int_equal(vx_file_write(in_folder("film.mp4"), "x", 1, NULL), VX_OK);
    assert_int_equal(count_files(), before + 3);
    unlink(in_folder(name));
    unlink(in_folder("film"));
    unlink(in_folder("film.mp4"));
}

/* What exists and cannot be opened is not missing. */
static void errno_is_looked_at(void **state)
{
    (void)state;
    vx_error err;
    char *data;
    size_t bytes;
    struct rlimit before, few;
    assert_int_equal(vx_file_write(in_folder("there"), "x", 1, NULL), VX_OK);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    int highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    few.rlim_cur = (rlim_t)highest;
    close(highest);
    setrlimit(RLIMIT_NOFILE, &few);
    vx_status status = vx_file_read(in_folder("there"), 10, &data, &bytes, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, VX_ERR_IO);
    assert_string_equal(err.code, "too_many_files");
    assert_non_null(strstr(err.message, "ulimit -n"));
    assert_int_equal(vx_file_read(in_folder("there/below"), 10, &data, &bytes, &err),
                     VX_ERR_MISSING);
    assert_int_equal(vx_fail_read(&err, EACCES, "a"), VX_ERR_IO);
    assert_int_equal(vx_fail_read(&err, ENOMEM, "a"), VX_ERR_MEMORY);
    assert_int_equal(vx_fail_read(&err, EIO, "a"), VX_ERR_IO);
    assert_int_equal(vx_fail_write(&err, ENOENT, "write", "a"), VX_ERR_IO);
    unlink(in_folder("there"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_replaces_abort_keeps),
        cmocka_unit_test(link_stays_a_link),
        cmocka_unit_test(devices_are_written_not_replaced),
        cmocka_unit_test(bad_targets_are_named),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(signal_sweeps_temporary_files),
        cmocka_unit_test(table_has_a_bound),
        cmocka_unit_test(reading_checks),
        cmocka_unit_test(reading_can_be_cancelled),
        cmocka_unit_test(documents_name_regular_files),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(pipes_are_not_waited_for_in_vain),
        cmocka_unit_test(links_to_nothing_are_refused),
        cmocka_unit_test(what_dead_processes_left_is_swept),
        cmocka_unit_test(errno_is_looked_at),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
