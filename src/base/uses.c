#include "base/uses.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"

/* Endings that say what a file is. Others say nothing to us. */
static const char formats[] =
    "mp4 m4v mov mkv webm avi ts gif wav flac mp3 ogg opus aac m4a png jpg jpeg webp "
    "bmp tiff tga heic avif json csv yaml yml npy npz svg srt vtt txt safetensors gguf onnx pth";

/* Where a file is or will be: by what it is reached does not matter. */
typedef struct place {
    bool known; /* pipes and devices are nobody's place */
    dev_t device;
    ino_t inode;
    char name[NAME_MAX + 1]; /* in that folder, when it is not there yet; else "" */
} place;

/* The folder that a path lies in. */
static const char *folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    snprintf(folder, PATH_MAX, "%.*s", (int)(length < PATH_MAX ? length : PATH_MAX - 1),
             slash != NULL ? path : ".");
    return folder;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static place place_of(const char *path)
{
    struct stat info;
    char folder[PATH_MAX];
    place p = {.known = false};
    if (stat(path, &info) == 0) {
        p.known = S_ISREG(info.st_mode) || S_ISDIR(info.st_mode);
    } else if (stat(folder_of(path, folder), &info) == 0) {
        p.known = true;
        snprintf(p.name, sizeof p.name, "%s", base_of(path));
    }
    p.device = info.st_dev;
    p.inode = info.st_ino;
    return p;
}

static bool is_output(const vx_use *use)
{
    return use->kind == VX_USE_OUT || use->kind == VX_USE_OUT_FOLDER;
}

static bool is_standard(const vx_use *use)
{
    return strcmp(use->path, "-") == 0;
}

static vx_status check_pair(const vx_use *a, const vx_use *b, vx_error *err)
{
    if (!is_output(a) && !is_output(b)) return VX_OK;
    if (a->kind == VX_USE_OUT_FOLDER && b->kind == VX_USE_OUT_FOLDER) return VX_OK;
    if (is_standard(a) || is_standard(b)) {
        if (is_standard(a) && is_standard(b) && is_output(a) && is_output(b))
            return vx_fail(err, VX_ERR_USAGE, "bad_usage", "%s and %s both want stdout; choose one",
                           a->name, b->name);
        return VX_OK;
    }
    place one = place_of(a->path), two = place_of(b->path);
    if (!one.known || !two.known || one.device != two.device || one.inode != two.inode ||
        strcmp(one.name, two.name) != 0)
        return VX_OK;
    return vx_fail_at(err, VX_ERR_USAGE, "same_file", b->path, 0,
                      "%s and %s are the same file, %s; give one of them another name", a->name,
                      b->name, b->path);
}

/* Whether a list of words that spaces separate has this one, in any case. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncasecmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

static vx_status check_ending(const vx_use *use, vx_error *err)
{
    const char *dot = strrchr(base_of(use->path), '.');
    if (use->endings == NULL || dot == NULL || dot[1] == '\0' || has_word(use->endings, dot + 1) ||
        !has_word(formats, dot + 1))
        return VX_OK;
    return vx_fail_at(err, VX_ERR_USAGE, "bad_ending", use->path, 0,
                      "%s is %s, and its ending names another format than what is written there; "
                      "possible is %s",
                      use->name, use->path, use->endings);
}

/* The folder of an output, or, of one that is made with those above it, the next that is there. */
static vx_status check_writable(const vx_use *use, vx_error *err)
{
    struct stat info;
    char folder[PATH_MAX], above[PATH_MAX];
    bool there = stat(use->path, &info) == 0;
    if (there && use->kind == VX_USE_OUT && S_ISDIR(info.st_mode))
        return vx_fail_write(err, EISDIR, "write", use->path);
    if (there && use->kind == VX_USE_OUT_FOLDER && !S_ISDIR(info.st_mode))
        return vx_fail_write(err, ENOTDIR, "make the folder", use->path);
    if (there && use->kind == VX_USE_OUT && !S_ISREG(info.st_mode)) return VX_OK;
    if (!there && errno == ENOENT && lstat(use->path, &info) == 0)
        return vx_fail_at(err, VX_ERR_IO, "write_failed", use->path, 0,
                          "cannot write %s: it is a link to nothing; remove it or make its target",
                          use->path);
    snprintf(folder, sizeof folder, "%s", use->path);
    if (!there || use->kind == VX_USE_OUT) folder_of(use->path, folder);
    while (use->kind == VX_USE_OUT_FOLDER && access(folder, F_OK) != 0 && errno == ENOENT &&
           strcmp(folder, ".") != 0 && strcmp(folder, "/") != 0)
        memcpy(folder, folder_of(folder, above), sizeof folder);
    if (access(folder, W_OK | X_OK) != 0) return vx_fail_write(err, errno, "write", use->path);
    return VX_OK;
}

bool vx_names_folder(const char *path)
{
    struct stat info;
    size_t length = strlen(path);
    if (length > 0 && path[length - 1] == '/') return true;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

vx_status vx_uses_check(const vx_use *uses, int count, vx_error *err)
{
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            if (uses[i].path != NULL && uses[k].path != NULL)
                VX_TRY(check_pair(&uses[i], &uses[k], err));
    for (int i = 0; i < count; i++) {
        if (uses[i].path == NULL || uses[i].path[0] == '\0' || !is_output(&uses[i]) ||
            is_standard(&uses[i]))
            continue;
        VX_TRY(check_ending(&uses[i], err));
        VX_TRY(check_writable(&uses[i], err));
    }
    return VX_OK;
}
