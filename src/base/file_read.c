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

#include "base/mem.h"

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

static vx_status fail_open(const char *path, vx_error *err)
{
    if (errno == ENOENT)
        return vx_fail_at(err, VX_ERR_MISSING, "no_such_file", path, 0,
                          "there is no file %s; check the path", path);
    return vx_fail_at(err, VX_ERR_IO, "read_failed", path, 0,
                      "cannot open %s: %s; give a readable file", path, strerror(errno));
}

/* Whether what was opened is of the kind; a file of /proc is regular and no document's business. */
static bool allowed(int fd, vx_file_kind kind, const struct stat *info)
{
    struct statfs system;
    if (kind == VX_FILE_ANY) return true;
    return S_ISREG(info->st_mode) && fstatfs(fd, &system) == 0 &&
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
    if (*fd < 0) return fail_open(path, err);
    bool known = fstat(*fd, &info) == 0;
    if (!known || !allowed(*fd, kind, &info)) {
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

/* Reads to the end; the room is one byte more than the file may be long, so that a longer one shows. */
static vx_status read_all(reading *r, vx_cancel *cancel, vx_error *err)
{
    size_t most = r->bytes_max + 1;
    for (;;) {
        if (r->used == r->room) VX_TRY(resize(r, r->room < most / 2 ? r->room * 2 : most, err));
        ssize_t got = vx_read_cancellable(r->fd, r->block + r->used, r->room - r->used, cancel);
        if (got < 0 && errno == ECANCELED) return vx_fail_cancelled(err, r->path);
        if (got < 0)
            return vx_fail_at(err, errno == EISDIR ? VX_ERR_INPUT : VX_ERR_IO, "read_failed",
                              r->path, 0, "cannot read %s: %s; give a readable file", r->path,
                              strerror(errno));
        if (got == 0) break;
        r->used += (size_t)got;
        if (r->used > r->bytes_max) return fail_long(r, err);
    }
    if (r->room - r->used > READ_LEAST) VX_TRY(resize(r, r->used, err));
    memset(r->block + r->used, 0, VX_FILE_PADDING);
    return VX_OK;
}

vx_status vx_file_read_from(const char *path, vx_file_kind kind, size_t bytes_max,
                            vx_cancel *cancel, char **data, size_t *bytes, vx_error *err)
{
    reading r = {.bytes_max = bytes_max};
    int64_t length;
    *data = NULL;
    *bytes = 0;
    assert(bytes_max < SIZE_MAX / 4);
    VX_TRY(vx_file_open(path, kind, &r.fd, &length, err));
    r.path = strcmp(path, "-") == 0 ? "standard input" : path;
    size_t room = length >= READ_LEAST ? (size_t)length + 1 : READ_LEAST;
    vx_status status = length > 0 && (uint64_t)length > bytes_max
                           ? fail_long(&r, err)
                           : resize(&r, room < bytes_max + 1 ? room : bytes_max + 1, err);
    if (status == VX_OK) status = read_all(&r, cancel, err);
    close(r.fd);
    if (status != VX_OK) {
        vx_heap_free(r.block);
        return status;
    }
    *data = r.block;
    *bytes = r.used;
    return VX_OK;
}

vx_status vx_file_read(const char *path, size_t bytes_max, char **data, size_t *bytes,
                       vx_error *err)
{
    return vx_file_read_from(path, VX_FILE_ANY, bytes_max, NULL, data, bytes, err);
}
