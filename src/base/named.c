#include "base/named.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/wait.h"

enum { READING = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

/* ---- beneath a folder ----------------------------------------------------------------------- */

static int openat2_beneath(int folder, const char *name)
{
    struct open_how how = {.flags = READING, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/* Part by part and no link followed, for kernels before 5.6 and sandboxes that
 * do not know openat2. */
static int walk_beneath(int folder, const char *name)
{
    char part[NAME_MAX + 1];
    int at = dup(folder);
    while (at >= 0) {
        name += strspn(name, "/");
        size_t length = strcspn(name, "/");
        bool last = name[length + strspn(name + length, "/")] == '\0';
        snprintf(part, sizeof part, "%.*s", (int)length, name);
        bool fits = length > 0 && length <= NAME_MAX && strcmp(part, "..") != 0;
        int flags = last ? READING | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int next = fits ? openat(at, part, flags) : -1;
        int cause = fits ? errno : EACCES;
        close(at);
        errno = cause;
        at = next;
        if (last) break;
        name += length;
    }
    return at;
}

static int open_beneath(const char *root, const char *name)
{
    errno = EACCES;
    if (name[0] == '/') return -1;
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    int fd = openat2_beneath(folder, name);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = walk_beneath(folder, name);
    int cause = errno;
    close(folder);
    errno = cause;
    return fd;
}

/* ---- what a document may name --------------------------------------------------------------- */

static vx_status open_confined(const vx_named *file, int *fd, vx_error *err)
{
    if (file->folder == NULL)
        return vx_fail(err, VX_ERR_INPUT, "bad_recipe",
                       "this recipe may name no files, because it came without a folder; leave "
                       "them out");
    *fd = open_beneath(file->folder, file->name);
    if (*fd >= 0 && vx_file_is_plain(*fd)) return VX_OK;
    /* What this process or the system has run out of says nothing about files. */
    if (*fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return vx_fail_read(err, errno, file->name);
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return vx_fail(err, VX_ERR_INPUT, "bad_recipe",
                   "'%.200s' cannot be used; name a regular file beneath the recipe's folder",
                   file->name);
}

bool vx_named_path(const vx_named *file, char path[PATH_MAX])
{
    bool bare = file->folder == NULL || file->name[0] == '/' || strcmp(file->folder, ".") == 0;
    int length =
        snprintf(path, PATH_MAX, "%s%s%s", bare ? "" : file->folder, bare ? "" : "/", file->name);
    return length > 0 && length < PATH_MAX;
}

static vx_status open_free(const vx_named *file, int *fd, vx_error *err)
{
    char path[PATH_MAX];
    if (strcmp(file->name, "-") == 0) return vx_file_open("-", VX_FILE_REGULAR, fd, NULL, err);
    if (!vx_named_path(file, path)) return vx_fail_read(err, ENAMETOOLONG, file->name);
    return vx_file_open(path, VX_FILE_REGULAR, fd, NULL, err);
}

vx_status vx_named_open(const vx_named *file, int *fd, vx_error *err)
{
    *fd = -1;
    return file->confined ? open_confined(file, fd, err) : open_free(file, fd, err);
}

vx_status vx_named_read(const vx_named *file, size_t bytes_max, char **data, size_t *bytes,
                        vx_error *err)
{
    int fd;
    char path[PATH_MAX];
    *data = NULL;
    *bytes = 0;
    VX_TRY(vx_named_open(file, &fd, err));
    const char *shown = !file->confined && vx_named_path(file, path) ? path : file->name;
    vx_status status = vx_file_read_fd(fd, shown, bytes_max, vx_wait_token(), data, bytes, err);
    close(fd);
    return status;
}

vx_status vx_named_check(const vx_named *file, vx_error *err)
{
    int fd;
    vx_status status = vx_named_open(file, &fd, err);
    if (fd >= 0) close(fd);
    return status;
}
