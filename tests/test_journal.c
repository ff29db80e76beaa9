/* Jobs on disk: a process that is killed at each call in turn loses nothing that it has said, and leaves nothing
 * half. The linker sends the calls that change the disk here (tests/CMakeLists.txt). */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "server/journal.h"

/* How many calls come through before the process is killed; negative: all. And what they were: a file's
 * fsync F, a folder's D, rename R. */
static int calls_left = -1;
static char calls[256];

static void call(char what)
{
    size_t length = strlen(calls);
    if (what != '-' && length + 1 < sizeof calls) calls[length] = what;
    if (calls_left >= 0 && calls_left-- == 0) raise(SIGKILL);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    call('-');
    return __real_mkdir(path, mode);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat info;
    call(fstat(fd, &info) == 0 && S_ISDIR(info.st_mode) ? 'D' : 'F');
    return __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    call('R');
    return __real_rename(from, to);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    call('-');
    return __real_unlink(path);
}

int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags)
{
    call('-');
    return __real_unlinkat(fd, path, flags);
}

int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
    call('-');
    return __real_rmdir(path);
}

/* ---- a folder for each test --------------------------------------------------------------------- */

typedef struct rig {
    char folder[64];
    vx_journal *journal;
    vx_error err;
} rig;

static void open_rig(rig *r)
{
    memset(r, 0, sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/vortex-journal-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
}

static void open_journal(rig *r)
{
    assert_int_equal(vx_journal_open(&r->journal, r->folder, &r->err), VX_OK);
}

static void close_rig(rig *r)
{
    char command[128];
    vx_journal_close(&r->journal);
    snprintf(command, sizeof command, "rm -r '%s'", r->folder);
    assert_int_equal(system(command), 0);
}

static int folders(const rig *r)
{
    char path[96];
    int count = 0;
    snprintf(path, sizeof path, "%s/jobs", r->folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir)) != NULL;)
        count += d->d_name[0] != '.';
    closedir(dir);
    return count;
}

static vx_entry *add(rig *r, const char *key)
{
    vx_entry *entry;
    assert_int_equal(vx_journal_begin(r->journal, "slot_", &entry, &r->err), VX_OK);
    snprintf(entry->key, sizeof entry->key, "%s", key);
    assert_int_equal(vx_journal_keep(r->journal, entry, json_pack("{s:s}", "script", key), &r->err),
                     VX_OK);
    return entry;
}

static void end(rig *r, vx_entry *entry, double ended_s, size_t bytes)
{
    vx_path path;
    char *film = calloc(1, bytes);
    assert_true(vx_journal_path(r->journal, entry, "film.mp4", &path));
    assert_int_equal(vx_file_write(path.text, film, bytes, &r->err), VX_OK);
    free(film);
    entry->state = VX_ENTRY_COMPLETED;
    entry->ended_s = ended_s;
    snprintf(entry->outcome, sizeof entry->outcome, "done");
    assert_int_equal(vx_journal_keep(r->journal, entry, NULL, &r->err), VX_OK);
}

/* ---- killed at each call ------------------------------------------------------------------------ */

enum { SAID_QUEUED = 1, SAID_RUNNING, SAID_COMPLETED, SAID_SECOND, SAID_REMOVED, SAID_FORGOTTEN };

/* The life of two jobs; says after each step on `out` that it was taken. */
static void live(rig *r, int out)
{
    vx_journal_limits none = {0, 0, 0};
    const char said[] = {0,           SAID_QUEUED,  SAID_RUNNING,  SAID_COMPLETED,
                         SAID_SECOND, SAID_REMOVED, SAID_FORGOTTEN};
    open_journal(r);
    vx_entry *a = add(r, "first");
    (void)!write(out, &said[1], 1);
    a->state = VX_ENTRY_RUNNING;
    a->started_s = vx_epoch_s();
    if (vx_journal_keep(r->journal, a, NULL, &r->err) != VX_OK) _exit(1);
    (void)!write(out, &said[2], 1);
    end(r, a, vx_epoch_s(), 5000);
    (void)!write(out, &said[3], 1);
    vx_entry *b = add(r, "second");
    (void)!write(out, &said[4], 1);
    vx_journal_remove(r->journal, b);
    (void)!write(out, &said[5], 1);
    vx_journal_trim(r->journal, &none, vx_epoch_s());
    (void)!write(out, &said[6], 1);
}

/* Kills the life at call n and says how far it had come; false: it ended by itself. */
static bool kill_at(rig *r, int n, int *said)
{
    int pipe_fd[2], status;
    char step;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        calls_left = n;
        live(r, pipe_fd[1]);
        _exit(0);
    }
    close(pipe_fd[1]);
    *said = 0;
    while (read(pipe_fd[0], &step, 1) == 1)
        *said = step;
    close(pipe_fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return WIFSIGNALED(status);
}

static void check_first(const rig *r, const vx_entry *a, int said)
{
    vx_path film;
    struct stat info;
    json_t *document;
    vx_error err = {0};
    if (said >= SAID_FORGOTTEN) assert_null(a);
    if (a == NULL) {
        /* Not told of yet, or being forgotten. */
        assert_true(said < SAID_QUEUED || said >= SAID_REMOVED);
        return;
    }
    assert_true(vx_journal_path(r->journal, a, "film.mp4", &film));
    bool there = stat(film.text, &info) == 0;
    if (said >= SAID_COMPLETED) assert_int_equal(a->state, VX_ENTRY_COMPLETED);
    if (a->state == VX_ENTRY_COMPLETED) {
        assert_true(said >= SAID_RUNNING);
        assert_true(there && info.st_size == 5000);
        assert_true(a->bytes >= 5000);
    } else if (a->state == VX_ENTRY_FAILED) {
        assert_true(said >= SAID_QUEUED);
        assert_string_equal(a->outcome, "interrupted");
        assert_false(there);
        assert_true(a->ended_s > 0);
    } else {
        assert_int_equal(a->state, VX_ENTRY_QUEUED);
        assert_true(said < SAID_RUNNING);
    }
    assert_int_equal(vx_journal_document((vx_journal *)r->journal, a, &document, &err), VX_OK);
    assert_string_equal(json_string_value(json_object_get(document, "script")), "first");
    json_decref(document);
}

static void kill_in_each_state(void **state)
{
    (void)state;
    bool seen[SAID_FORGOTTEN + 1] = {false};
    int said;
    bool killed = true;
    for (int n = 0; killed; n++) {
        rig r;
        assert_true(n < 500);
        open_rig(&r);
        killed = kill_at(&r, n, &said);
        seen[said] = true;
        open_journal(&r);
        vx_entry *a = vx_journal_by_key(r.journal, "", "first");
        vx_entry *b = vx_journal_by_key(r.journal, "", "second");
        check_first(&r, a, said);
        if (said == SAID_SECOND && b != NULL) assert_int_equal(b->state, VX_ENTRY_QUEUED);
        if (said >= SAID_REMOVED) assert_null(b);
        assert_int_equal(folders(&r), (a != NULL) + (b != NULL));
        /* What was interrupted stays so, and nothing is interrupted twice. */
        if (a != NULL && a->state == VX_ENTRY_FAILED) {
            double ended_s = a->ended_s;
            vx_journal_close(&r.journal);
            open_journal(&r);
            a = vx_journal_by_key(r.journal, "", "first");
            assert_non_null(a);
            assert_true(a->ended_s == ended_s);
        }
        close_rig(&r);
    }
    for (int i = 0; i <= SAID_FORGOTTEN; i++)
        assert_true(seen[i]);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static void on_the_disk_before_it_is_said(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    open_journal(&r);
    memset(calls, 0, sizeof calls);
    vx_entry *entry = add(&r, "k");
    /* The record, its name, its folder's name. */
    assert_string_equal(calls, "FRDD");
    memset(calls, 0, sizeof calls);
    entry->state = VX_ENTRY_RUNNING;
    assert_int_equal(vx_journal_keep(r.journal, entry, NULL, &r.err), VX_OK);
    assert_string_equal(calls, "FRD");
    close_rig(&r);
}

static void one_server_a_folder(void **state)
{
    (void)state;
    rig r;
    vx_journal *second;
    open_rig(&r);
    open_journal(&r);
    assert_int_equal(vx_journal_open(&second, r.folder, &r.err), VX_ERR_IO);
    assert_string_equal(r.err.code, "in_use");
    assert_null(second);
    vx_journal_close(&r.journal);
    open_journal(&r);
    close_rig(&r);
}

static void ids_sort_by_age(void **state)
{
    (void)state;
    rig r;
    char last[VX_ENTRY_ID] = "";
    open_rig(&r);
    for (int round = 0; round < 2; round++) {
        open_journal(&r);
        for (int i = 0; i < 20; i++) {
            vx_entry *entry = add(&r, "");
            assert_true(strcmp(entry->id, last) > 0);
            assert_int_equal(strlen(entry->id), strlen("slot_") + 26);
            snprintf(last, sizeof last, "%s", entry->id);
        }
        vx_journal_close(&r.journal);
    }
    open_journal(&r);
    const vx_entry *entry = vx_journal_oldest(r.journal);
    int count = 0;
    for (; entry != NULL; entry = entry->newer, count++)
        if (entry->older != NULL) assert_true(strcmp(entry->id, entry->older->id) > 0);
    assert_int_equal(count, 40);
    assert_string_equal(vx_journal_newest(r.journal)->id, last);
    close_rig(&r);
}

static void the_oldest_ended_are_forgotten(void **state)
{
    (void)state;
    rig r;
    vx_entry *entry[6];
    char id[6][VX_ENTRY_ID];
    int64_t count, bytes;
    open_rig(&r);
    open_journal(&r);
    for (int i = 0; i < 6; i++) {
        entry[i] = add(&r, "");
        snprintf(id[i], sizeof id[i], "%s", entry[i]->id);
        if (i > 0) end(&r, entry[i], 1000 + i, 10000);
    }
    /* By age: the first two; entry 0 still waits and is older than all. */
    assert_int_equal(vx_journal_trim(r.journal, &(vx_journal_limits){10, 1 << 30, 100}, 1012.5), 2);
    assert_true(vx_journal_forgot(r.journal, id[1]) && vx_journal_forgot(r.journal, id[2]));
    assert_null(vx_journal_find(r.journal, id[1]));
    assert_false(vx_journal_forgot(r.journal, id[0]) || vx_journal_forgot(r.journal, id[3]));
    /* By bytes: records count too, so 25 kB hold two films. */
    assert_int_equal(vx_journal_trim(r.journal, &(vx_journal_limits){1e9, 25000, 100}, 1012.5), 1);
    vx_journal_sums(r.journal, &count, &bytes);
    assert_int_equal(count, 2);
    assert_true(bytes > 20000 && bytes <= 25000);
    /* By count; one that somebody uses stays. */
    entry[4]->user = &r;
    assert_int_equal(vx_journal_trim(r.journal, &(vx_journal_limits){1e9, 1 << 30, 0}, 1012.5), 1);
    assert_non_null(vx_journal_find(r.journal, id[4]));
    assert_null(vx_journal_find(r.journal, id[5]));
    assert_int_equal(folders(&r), 2);
    close_rig(&r);
}

static void keys_belong_to_their_owner(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    open_journal(&r);
    vx_entry *entry = add(&r, "same");
    snprintf(entry->owner, sizeof entry->owner, "ann");
    assert_int_equal(vx_journal_keep(r.journal, entry, NULL, &r.err), VX_OK);
    vx_journal_close(&r.journal);
    open_journal(&r);
    assert_non_null(vx_journal_by_key(r.journal, "ann", "same"));
    assert_null(vx_journal_by_key(r.journal, "bob", "same"));
    assert_null(vx_journal_by_key(r.journal, "", "same"));
    close_rig(&r);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    (void)state;
    static const char *const records[] = {"",
                                          "{",
                                          "[]",
                                          "{\"version\":99,\"state\":\"queued\"}",
                                          "{\"version\":1,\"state\":\"asleep\"}",
                                          "{\"version\":1}"};
    rig r;
    char path[160];
    open_rig(&r);
    open_journal(&r);
    vx_journal_close(&r.journal);
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/jobs/odd%d", r.folder, i);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/jobs/odd%d/record.json", r.folder, i);
        assert_int_equal(vx_file_write(path, records[i], strlen(records[i]), &r.err), VX_OK);
    }
    open_journal(&r);
    assert_null(vx_journal_newest(r.journal));
    assert_int_equal(folders(&r), 6);
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_in_each_state),
        cmocka_unit_test(on_the_disk_before_it_is_said),
        cmocka_unit_test(one_server_a_folder),
        cmocka_unit_test(ids_sort_by_age),
        cmocka_unit_test(the_oldest_ended_are_forgotten),
        cmocka_unit_test(keys_belong_to_their_owner),
        cmocka_unit_test(what_is_not_ours_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
