#include "base/fault.h"

#include <errno.h>
#include <string.h>

typedef struct kind {
    int cause;
    vx_status reading; /* the status where reading fails so */
    const char *code, *reads, *writes;
} kind;

static const kind kinds[] = {
    {ENOENT, VX_ERR_MISSING, "no_such_file", "check the path", "make the folder first"},
    {ENOTDIR, VX_ERR_MISSING, "no_such_file", "check the path", "make the folder first"},
    {EACCES, VX_ERR_IO, "no_access", "ask for the right to read it",
     "choose a folder that you may write to"},
    {EPERM, VX_ERR_IO, "no_access", "ask for the right to read it",
     "choose a folder that you may write to"},
    {EROFS, VX_ERR_IO, "no_access", "check the path", "choose a folder that you may write to"},
    {EMFILE, VX_ERR_IO, "too_many_files", "raise the limit of open files (ulimit -n)",
     "raise the limit of open files (ulimit -n)"},
    {ENFILE, VX_ERR_IO, "too_many_files", "the whole system has too many open files; end programs",
     "the whole system has too many open files; end programs"},
    {EISDIR, VX_ERR_INPUT, "is_folder", "it is a folder; give a file",
     "it is a folder; give a file name"},
    {ELOOP, VX_ERR_INPUT, "link_loop", "its links lead nowhere", "its links lead nowhere"},
    {ENAMETOOLONG, VX_ERR_INPUT, "long_path", "shorten the path", "shorten the path"},
    {ENOMEM, VX_ERR_MEMORY, "no_memory", "end other programs", "end other programs"},
    {ENXIO, VX_ERR_INPUT, "no_file", "a socket or a device that is not there is no file",
     "a socket or a device that is not there is no file"},
    {ENOSPC, VX_ERR_IO, NULL, "check the disk", "free some space or write elsewhere"},
    {EDQUOT, VX_ERR_IO, NULL, "check the disk", "free some space or write elsewhere"},
    {EFBIG, VX_ERR_IO, NULL, "check the disk", "free some space or write elsewhere"},
    {EPIPE, VX_ERR_IO, NULL, "check the other end", "the reader closed the pipe"},
};
static const kind other = {0, VX_ERR_IO, NULL, "check the path and the disk",
                           "check the path and the device"};

static const kind *find(int cause)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].cause == cause) return &kinds[i];
    return &other;
}

vx_status vx_fail_read(vx_error *err, int cause, const char *path)
{
    const kind *k = find(cause);
    const char *code = k->code != NULL ? k->code : "read_failed";
    if (k->reading == VX_ERR_MISSING)
        return vx_fail_at(err, k->reading, code, path, 0, "there is no file %s; %s", path,
                          k->reads);
    return vx_fail_at(err, k->reading, code, path, 0, "cannot read %s: %s; %s", path,
                      strerror(cause), k->reads);
}

vx_status vx_fail_write(vx_error *err, int cause, const char *verb, const char *path)
{
    return vx_fail_at(err, VX_ERR_IO, "write_failed", path, 0, "cannot %s %s: %s; %s", verb, path,
                      strerror(cause), find(cause)->writes);
}
