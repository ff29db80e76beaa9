/* Files in: whole ones, and descriptors that a token can be waited with. */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/wait.h"

#ifndef SYSFS_MAGIC
#define SYSFS_MAGIC 0x62656572 /* linux/magic.h */
#endif

/* A signal wakes the thread that it reaches; others look at the token this often. */
enum { LOOK_MS = 20, READ_LEAST = 4096 };

ssize_t vx_read_cancellable(int fd, void *buffer, size_t bytes, vx_cancel *cancel)
{
    for (;;) {
        if (vx_cancelled(cancel)) {
            errno = ECANCELED;
            return -1;
        }
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, cancel != NULL ? LOOK_MS : -1);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        if (ready < 0) return -1;
        ssize_t got = read(fd, buffer, bytes);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
    }
}

vx_status vx_fail_cancelled(vx_error *err, const char *path)
{
    return vx_fail_at(err, VX_ERR_CANCELLED, "cancelled", path, 0, "reading %s was cancelled",
                      path);
}

bool vx_file_is_plain(int fd)
{
    struct stat info;
    struct statfs system;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && fstatfs(fd, &system) == 0 &&
           system.f_type != PROC_SUPER_MAGIC && system.f_type != SYSFS_MAGIC;
}

vx_status vx_file_open(const char *path, vx_file_kind kind, int *fd, int64_t *length, vx_error *err)
{
    struct stat info;
    bool standard = strcmp(path, "-") == 0;
    *fd = -1;
    if (standard && kind == VX_FILE_REGULAR)
        return vx_fail_at(err, VX_ERR_INPUT, "read_failed", path, 0,
                          "a document cannot name the standard input; give a file");
    *fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                   : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) return vx_fail_read(err, errno, standard ? "standard input" : path);
    bool known = fstat(*fd, &info) == 0;
    if (!known || (kind == VX_FILE_REGULAR && !vx_file_is_plain(*fd))) {
        close(*fd);
        *fd = -1;
        return vx_fail_at(
            err, VX_ERR_INPUT, "read_failed", path, 0,
            "%s is no regular file, and a document may name no other; copy it into one", path);
    }
    if (length != NULL) *length = S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
    return VX_OK;
}

/* What is being read. */
typedef struct reading {
    int fd;
    const char *path;
    size_t room, used, bytes_max;
    char *block; /* room + VX_FILE_PADDING bytes */
} reading;

static vx_status fail_long(const reading *r, vx_error *err)
{
    return vx_fail_at(err, VX_ERR_INPUT, "too_long", r->path, 0,
                      "%s is longer than the %zu bytes allowed here; is it the right file?",
                      r->path, r->bytes_max);
}

static vx_status resize(reading *r, size_t room, vx_error *err)
{
    char *block = vx_heap_grow(r->block, room + VX_FILE_PADDING);
    if (block == NULL)
        return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", r->path, 0,
                          "not enough memory to read %s; free some memory", r->path);
    r->block = block;
    r->room = room;
    return VX_OK;
}

/* Reads to the end; the room is one byte more than the file may be long, so
 * that a longer one shows. */
static vx_status read_all(reading *r, vx_cancel *cancel, vx_error *err)
{
    size_t most = r->bytes_max + 1;
    for (;;) {
        if (r->used == r->room) VX_TRY(resize(r, r->room < most / 2 ? r->room * 2 : most, err));
        ssize_t got = vx_read_cancellable(r->fd, r->block + r->used, r->room - r->used, cancel);
        if (got < 0 && errno == ECANCELED) return vx_fail_cancelled(err, r->path);
        if (got < 0) return vx_fail_read(err, errno, r->path);
        if (got == 0) break;
        r->used += (size_t)got;
        if (r->used > r->bytes_max) return fail_long(r, err);
    }
    if (r->room - r->used > READ_LEAST) VX_TRY(resize(r, r->used, err));
    memset(r->block + r->used, 0, VX_FILE_PADDING);
    return VX_OK;
}

vx_status vx_file_read_fd(int fd, const char *shown, size_t bytes_max, vx_cancel *cancel,
                          char **data, size_t *bytes, vx_error *err)
{
    reading r = {.fd = fd, .path = shown, .bytes_max = bytes_max};
    struct stat info;
    *data = NULL;
    *bytes = 0;
    assert(bytes_max < SIZE_MAX / 4);
    uint64_t length = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    size_t room = length >= READ_LEAST ? (size_t)length + 1 : READ_LEAST;
    vx_status status = length > bytes_max
                           ? fail_long(&r, err)
                           : resize(&r, room < bytes_max + 1 ? room : bytes_max + 1, err);
    if (status == VX_OK) status = read_all(&r, cancel, err);
    if (status != VX_OK) {
        vx_heap_free(r.block);
        return status;
    }
    *data = r.block;
    *bytes = r.used;
    return VX_OK;
}

vx_status vx_file_read_from(const char *path, vx_file_kind kind, size_t bytes_max,
                            vx_cancel *cancel, char **data, size_t *bytes, vx_error *err)
{
    int fd;
    *data = NULL;
    *bytes = 0;
    VX_TRY(vx_file_open(path, kind, &fd, NULL, err));
    const char *shown = strcmp(path, "-") == 0 ? "standard input" : path;
    vx_status status = vx_file_read_fd(fd, shown, bytes_max, cancel, data, bytes, err);
    close(fd);
    return status;
}

vx_status vx_file_read(const char *path, size_t bytes_max, char **data, size_t *bytes,
                       vx_error *err)
{
    return vx_file_read_from(path, VX_FILE_ANY, bytes_max, vx_wait_token(), data, bytes, err);
}
