#include "base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/wait.h"

/* A row of the table: claimed by its owner, visible to the sweep while LIVE. */
enum { ROW_FREE, ROW_TAKEN, ROW_LIVE };

typedef struct table_row {
    atomic_int state;
    size_t folder, stem; /* of temp: bytes of the folder with its slash, then of ".NAME." */
    char temp[PATH_MAX];
    char target[PATH_MAX];
} table_row;

static const char TEMP_ENDING[] = ".tmp";

static table_row table[VX_OUTFILE_MAX];
static atomic_uint temp_counter;

static int take_row(void)
{
    for (int i = 0; i < VX_OUTFILE_MAX; i++) {
        int expected = ROW_FREE;
        if (atomic_compare_exchange_strong(&table[i].state, &expected, ROW_TAKEN)) return i;
    }
    return -1;
}

/* Writes ".name.<pid>-<n>-<time>.tmp" beside the target; false when that is too long. The name part
 * is cut so that a target of the longest legal name still has a temporary one. */
static bool make_temp_name(table_row *row)
{
    const char *slash = strrchr(row->target, '/');
    size_t folder = slash != NULL ? (size_t)(slash - row->target) + 1 : 0;
    char name[181];
    snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, row->target + folder);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(row->temp, row->target, folder);
    row->folder = folder;
    row->stem = strlen(name) + 2;
    int length = snprintf(row->temp + folder, sizeof row->temp - folder, ".%s.%d-%u-%08lx%s", name,
                          (int)getpid(), atomic_fetch_add(&temp_counter, 1),
                          (unsigned long)now.tv_nsec, TEMP_ENDING);
    return length > 0 && (size_t)length < sizeof row->temp - folder;
}

/* Whether this is the temporary file of a process that is gone, for the same target. */
static bool is_left_over(const table_row *row, const char *name)
{
    size_t length = strlen(name), ending = strlen(TEMP_ENDING);
    if (length <= row->stem + ending || strncmp(name, row->temp + row->folder, row->stem) != 0 ||
        strcmp(name + length - ending, TEMP_ENDING) != 0)
        return false;
    pid_t pid = (pid_t)strtol(name + row->stem, NULL, 10);
    return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
}

/* Removes what a process that was killed has left beside this target. A process of another machine
 * or container, whose number says nothing here, holds the lock. */
static void sweep_dead(const table_row *row)
{
    char path[PATH_MAX] = ".";
    if (row->folder > 0) snprintf(path, sizeof path, "%.*s", (int)row->folder, row->temp);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (!is_left_over(row, entry->d_name)) continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(dirfd(dir), entry->d_name, 0);
        close(fd);
    }
    if (dir != NULL) closedir(dir);
}

/* Creates the temporary file of a taken row; its fd, or -1 with errno set. */
static int create_temp(table_row *row)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        if (!make_temp_name(row)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        /* Live before it exists: a signal in between must not leave the file behind. */
        atomic_store(&row->state, ROW_LIVE);
        int fd = open(row->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            flock(fd, LOCK_EX | LOCK_NB); /* we live */
            sweep_dead(row);
            return fd;
        }
        atomic_store(&row->state, ROW_TAKEN);
        if (errno != EEXIST) return -1;
    }
    return -1;
}

/* A pipe is opened when somebody reads it, and written as it takes. */
static vx_status open_direct(vx_outfile *file, const char *path, bool pipe, vx_error *err)
{
    int fd;
    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0) {
        int cause = errno;
        if (cause != EINTR && !(pipe && cause == ENXIO))
            return vx_fail_write(err, cause, "write", path);
        VX_TRY(vx_wait_moment(err));
    }
    *file = (vx_outfile){.open = true, .fd = fd, .slot = -1};
    return VX_OK;
}

static vx_status open_temp(vx_outfile *file, const char *path, const struct stat *old,
                           vx_error *err)
{
    int slot = take_row();
    if (slot < 0)
        return vx_fail_at(err, VX_ERR_IO, "too_many_files", path, 0,
                          "cannot write %s: %d output files are open already; close some first",
                          path, VX_OUTFILE_MAX);
    table_row *row = &table[slot];
    int fd = -1;
    errno = ENAMETOOLONG;
    if (strlen(path) < sizeof row->target) {
        /* An existing target may be reached through a link; the link is to stay. */
        if (old == NULL || realpath(path, row->target) == NULL) strcpy(row->target, path);
        fd = create_temp(row);
    }
    if (fd < 0) {
        vx_status status = vx_fail_write(err, errno, "write", path);
        atomic_store(&row->state, ROW_FREE);
        return status;
    }
    if (old != NULL) (void)!fchmod(fd, old->st_mode & 0777);
    *file = (vx_outfile){.open = true, .seekable = true, .fd = fd, .slot = slot};
    return VX_OK;
}

vx_status vx_outfile_open(vx_outfile *file, const char *path, vx_error *err)
{
    *file = (vx_outfile){.fd = -1, .slot = -1};
    if (path == NULL || path[0] == '\0')
        return vx_fail(err, VX_ERR_USAGE, "no_output", "the output path is empty; give a file");
    if (strcmp(path, "-") == 0) {
        *file = (vx_outfile){.open = true, .fd = STDOUT_FILENO, .slot = -1};
        struct stat info;
        /* Redirected into a file from its start, the header can still be corrected. In append mode
         * Linux appends whatever the offset says. */
        int flags = fcntl(STDOUT_FILENO, F_GETFL);
        file->seekable = fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) && flags >= 0 &&
                         (flags & O_APPEND) == 0 && lseek(STDOUT_FILENO, 0, SEEK_CUR) == 0;
        return VX_OK;
    }
    struct stat info, link;
    bool exists = stat(path, &info) == 0;
    if (!exists && errno != ENOENT) return vx_fail_write(err, errno, "write", path);
    if (!exists && lstat(path, &link) == 0)
        return vx_fail_at(err, VX_ERR_IO, "write_failed", path, 0,
                          "cannot write %s: it is a link to nothing; remove it or make its target",
                          path);
    if (exists && S_ISDIR(info.st_mode)) return vx_fail_write(err, EISDIR, "write", path);
    if (exists && !S_ISREG(info.st_mode))
        return open_direct(file, path, S_ISFIFO(info.st_mode), err);
    return open_temp(file, path, exists ? &info : NULL, err);
}

static const char *shown_path(const vx_outfile *file)
{
    if (file->slot >= 0) return table[file->slot].target;
    return file->fd == STDOUT_FILENO ? "standard output" : "the output";
}

vx_status vx_outfile_write_at(vx_outfile *file, uint64_t offset, const void *data, size_t bytes,
                              vx_error *err)
{
    assert(file->open);
    assert(file->seekable || offset == file->written);
    const char *at = data;
    while (bytes > 0) {
        ssize_t done;
        if (file->seekable) {
            done = pwrite(file->fd, at, bytes, (off_t)offset);
        } else {
            /* So much is taken at once by a pipe that is ready, blocking or not. */
            VX_TRY(vx_wait_ready(file->fd, POLLOUT, err));
            done = write(file->fd, at, bytes < PIPE_BUF ? bytes : PIPE_BUF);
        }
        if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (done < 0) return vx_fail_write(err, errno, "write", shown_path(file));
        at += done;
        bytes -= (size_t)done;
        offset += (uint64_t)done;
        if (offset > file->written) file->written = offset;
    }
    return VX_OK;
}

vx_status vx_outfile_write(vx_outfile *file, const void *data, size_t bytes, vx_error *err)
{
    return vx_outfile_write_at(file, file->written, data, bytes, err);
}

/* The file's bytes, and the folder's new name, on the disk. What cannot be synced (a folder that
 * may not be read, a file system without it) is not an error. */
static bool sync_file(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOSYS;
}

void vx_folder_sync(const char *target)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(target, '/');
    size_t length = slash == NULL ? 1 : slash == target ? 1 : (size_t)(slash - target);
    snprintf(folder, sizeof folder, "%.*s", (int)length, slash != NULL ? target : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    /* The file is whole and has its name: all that can still happen is that a power cut
     * takes the name away. */
    if (!sync_file(fd))
        vx_log(VX_LOG_WARN, "the folder %s cannot be synced: %s", folder, strerror(errno));
    close(fd);
}

vx_status vx_outfile_commit(vx_outfile *file, vx_error *err)
{
    assert(file->open);
    file->open = false;
    bool standard = file->fd == STDOUT_FILENO;
    /* Whoever else writes to the same standard output goes on behind us. */
    if (standard && file->seekable) lseek(file->fd, (off_t)file->written, SEEK_SET);
    if (file->slot < 0) {
        if (standard || close(file->fd) == 0) return VX_OK;
        return vx_fail_write(err, errno, "close", "the output");
    }
    table_row *row = &table[file->slot];
    vx_status status = VX_OK;
    bool synced = sync_file(file->fd);
    int cause = errno;
    /* Some file systems report a full disk only when the file is closed. */
    if (close(file->fd) != 0 && synced) {
        synced = false;
        cause = errno;
    }
    if (!synced)
        status = vx_fail_write(err, cause, "write", row->target);
    else if (rename(row->temp, row->target) != 0)
        status = vx_fail_write(err, errno, "move into place", row->target);
    if (status != VX_OK)
        unlink(row->temp);
    else
        vx_folder_sync(row->target);
    atomic_store(&row->state, ROW_FREE);
    file->slot = -1;
    return status;
}

void vx_outfile_abort(vx_outfile *file)
{
    if (file == NULL || !file->open) return;
    file->open = false;
    if (file->fd != STDOUT_FILENO) close(file->fd);
    if (file->slot < 0) return;
    unlink(table[file->slot].temp);
    atomic_store(&table[file->slot].state, ROW_FREE);
    file->slot = -1;
}

const char *vx_outfile_temp_path(const vx_outfile *file)
{
    return file->open && file->slot >= 0 ? table[file->slot].temp : NULL;
}

void vx_outfile_sweep(void)
{
    for (int i = 0; i < VX_OUTFILE_MAX; i++)
        if (atomic_load(&table[i].state) == ROW_LIVE) unlink(table[i].temp);
}

vx_status vx_file_write(const char *path, const void *data, size_t bytes, vx_error *err)
{
    vx_outfile out;
    VX_TRY(vx_outfile_open(&out, path, err));
    vx_status status = vx_outfile_write(&out, data, bytes, err);
    if (status == VX_OK) return vx_outfile_commit(&out, err);
    vx_outfile_abort(&out);
    return status;
}

vx_status vx_folder_make(const char *path, vx_error *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return vx_fail(err, VX_ERR_USAGE, "bad_folder",
                       "the folder name is empty or too long; give a shorter one");
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0') continue;
        char end = partial[i];
        partial[i] = '\0';
        struct stat info;
        if (mkdir(partial, 0777) != 0 && (stat(partial, &info) != 0 || !S_ISDIR(info.st_mode)))
            return vx_fail_write(err, errno, "make the folder", path);
        partial[i] = end;
    }
    return VX_OK;
}
