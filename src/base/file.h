/* Files that are whole or not there.
 *
 * An output is written under a temporary name in its own folder and moved over the target by
 * commit, so a reader never sees half a file and a failure leaves the old one as it was. Names of
 * live temporary files stand in a fixed table that a signal handler may sweep.
 *
 *     vx_outfile out;
 *     VX_TRY(vx_outfile_open(&out, path, err));
 *     vx_status status = vx_outfile_write(&out, data, bytes, err);
 *     if (status == VX_OK) return vx_outfile_commit(&out, err);
 *     vx_outfile_abort(&out);
 *     return status;
 *
 * "-" is stdout. A path that exists and is no regular file (/dev/null, a named pipe) is written
 * directly; a pipe is opened as soon as somebody reads it. A symbolic link stays a link: its target
 * is replaced; a link to nothing is refused. A file that is replaced keeps its permissions. Commit
 * syncs the file and then its folder, so that after a power cut there is the old file or the new
 * one. What a process that was killed left beside the same target is removed by the next one.
 * Waiting for pipes heeds wait.h's token.
 *
 * A program that writes to pipes ignores SIGPIPE, so that a closed reader is VX_ERR_IO here. */
#ifndef VX_BASE_FILE_H
#define VX_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/status.h"

/* Temporary files alive at one time; the reason for a bound is the signal handler. */
enum { VX_OUTFILE_MAX = 64 };

/* Open between vx_outfile_open and commit or abort. One thread at a time. */
typedef struct vx_outfile {
    bool open;
    bool seekable; /* vx_outfile_write_at may go anywhere */
    int fd;
    int slot;         /* in the table of temporary names; -1 when written directly */
    uint64_t written; /* the file's length so far, where vx_outfile_write goes on */
} vx_outfile;

/* VX_ERR_USAGE for an empty path, VX_ERR_IO when the file cannot be made there; *file is closed
 * then. */
vx_status vx_outfile_open(vx_outfile *file, const char *path, vx_error *err);

/* Appends all of it. VX_ERR_IO when the disk is full or the pipe closed; then abort. */
vx_status vx_outfile_write(vx_outfile *file, const void *data, size_t bytes, vx_error *err);
/* Writes anywhere, past the end too; only when seekable. */
vx_status vx_outfile_write_at(vx_outfile *file, uint64_t offset, const void *data, size_t bytes,
                              vx_error *err);

/* Closes and moves to the target. A failure removes the temporary file. */
vx_status vx_outfile_commit(vx_outfile *file, vx_error *err);
/* Closes and removes. Safe on a closed or zeroed file, and after any failure. */
void vx_outfile_abort(vx_outfile *file);

/* The name that the bytes lie under now, for a library that opens it again; NULL when direct. */
const char *vx_outfile_temp_path(const vx_outfile *file);

/* Removes every live temporary file of this process. Async-signal-safe; the process should end
 * afterwards. */
void vx_outfile_sweep(void);

/* Syncs the folder of a file that has just got its name; a failure is logged. */
void vx_folder_sync(const char *target);

/* Open, write, commit in one. */
vx_status vx_file_write(const char *path, const void *data, size_t bytes, vx_error *err);

/* What a path may name that is read. */
typedef enum vx_file_kind {
    VX_FILE_ANY,    /* named by the command line: pipes and devices too, and "-" is stdin */
    VX_FILE_REGULAR /* named in a document: a regular file, and none of /proc or /sys */
} vx_file_kind;

/* read(2) that a signal or another thread can end: waits for data until the token (may be NULL) is
 * asked, which is -1 with errno ECANCELED; signals that ask for nothing are waited through. Works
 * on descriptors that block and that do not. */
ssize_t vx_read_cancellable(int fd, void *buffer, size_t bytes, vx_cancel *cancel);
/* VX_ERR_CANCELLED when the token stopped the reading of `path`, with the sentence that says so. */
vx_status vx_fail_cancelled(vx_error *err, const char *path);

/* Opens for reading and waits for nobody: a pipe without a writer opens at once. *fd is -1 on
 * failure: VX_ERR_INPUT, "read_failed", for what the kind does not allow, else as vx_fail_read
 * (fault.h). *length is a regular file's, else -1; may be NULL. "-" gives a copy of stdin. */
vx_status vx_file_open(const char *path, vx_file_kind kind, int *fd, int64_t *length,
                       vx_error *err);

/* Whether an open file is what a document may name: regular, and of no file system that is the
 * kernel's own (files of /proc are regular too). */
bool vx_file_is_plain(int fd);

/* Zero bytes behind what is read, as FFmpeg's decoders want them (AV_INPUT_BUFFER_PADDING_SIZE). */
enum { VX_FILE_PADDING = 64 };

/* The whole file in a heap block (vx_heap_free) that is followed by VX_FILE_PADDING zero bytes.
 * *data is NULL on failure: those of vx_file_open, VX_ERR_INPUT when it is longer than bytes_max or
 * a folder, VX_ERR_IO when reading fails, VX_ERR_CANCELLED. Takes bytes_max and a page at most. */
vx_status vx_file_read_from(const char *path, vx_file_kind kind, size_t bytes_max,
                            vx_cancel *cancel, char **data, size_t *bytes, vx_error *err);
/* The same of an open descriptor, which stays open; `shown` is its name for messages. */
vx_status vx_file_read_fd(int fd, const char *shown, size_t bytes_max, vx_cancel *cancel,
                          char **data, size_t *bytes, vx_error *err);
/* The same of a path of any kind, with the thread's token (wait.h). */
vx_status vx_file_read(const char *path, size_t bytes_max, char **data, size_t *bytes,
                       vx_error *err);

/* Makes the folder and those above it; fine when it is there already. */
vx_status vx_folder_make(const char *path, vx_error *err);

#endif
