#include "models/kokoro/voice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "formats/source.h"

enum { ALIAS_DEPTH = 4 };

/* A blend taken apart: plain names with weights. */
typedef struct parts {
    int count;
    char name[VX_VOICE_PARTS_MAX][VX_VOICE_NAME_MAX];
    double weight[VX_VOICE_PARTS_MAX];
} parts;

size_t vx_voice_bytes(int64_t width)
{
    return (size_t)(VX_VOICE_ROWS * width) * sizeof(float);
}

/* ---- names ---------------------------------------------------------------------------------- */

static vx_status bad_name(vx_error *err, const char *name)
{
    return vx_fail(err, VX_ERR_INPUT, "bad_voice",
                   "the voice \"%.100s\" is not understood; write a name such as af_heart, or a "
                   "blend such as af_heart:0.7,af_bella:0.3",
                   name);
}

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static const char *alias_of(const vx_voice_library *library, const char *name)
{
    for (int i = 0; i < library->alias_count; i++)
        if (strcmp(library->alias[i].name, name) == 0) return library->alias[i].voice;
    return NULL;
}

/* Reads "NAME" or "NAME:WEIGHT" at *at; *at then stands on ',' or the end. */
static vx_status read_part(const char *whole, const char **at, char name[VX_VOICE_NAME_MAX],
                           double *weight, bool *weighted, vx_error *err)
{
    size_t length = 0;
    while (name_character((*at)[length]))
        length++;
    if (length == 0 || length >= VX_VOICE_NAME_MAX) return bad_name(err, whole);
    memcpy(name, *at, length);
    name[length] = 0;
    *at += length;
    *weight = 1;
    *weighted = **at == ':';
    if (*weighted) {
        /* Digits and a point alone: no signs, exponents, infinities or hexadecimals. */
        const char *digits = *at + 1;
        size_t count = strspn(digits, "0123456789.");
        char *end;
        *weight = strtod(digits, &end);
        if (count == 0 || end != digits + count || !(*weight <= 1e6)) return bad_name(err, whole);
        *at = end;
    }
    if (**at != ',' && **at != 0) return bad_name(err, whole);
    return VX_OK;
}

static vx_status take_apart(const vx_voice_library *library, const char *whole, double share,
                            int depth, parts *out, vx_error *err)
{
    double sum = 0;
    int weighted_count = 0, count = 0;
    bool weighted;
    for (const char *at = whole;; at++) {
        char name[VX_VOICE_NAME_MAX];
        double weight = 1;
        VX_TRY(read_part(whole, &at, name, &weight, &weighted, err));
        sum += weight;
        count++;
        weighted_count += weighted;
        if (*at == 0) break;
    }
    if (!(sum > 0) || (weighted_count != 0 && weighted_count != count)) return bad_name(err, whole);

    for (const char *at = whole;; at++) {
        char name[VX_VOICE_NAME_MAX];
        double weight = 1;
        VX_TRY(read_part(whole, &at, name, &weight, &weighted, err));
        const char *alias = alias_of(library, name);
        if (alias != NULL && depth == ALIAS_DEPTH)
            return vx_fail(err, VX_ERR_INPUT, "bad_voice",
                           "the voice alias \"%s\" refers to itself; give it a voice's own name",
                           name);
        if (alias != NULL) {
            VX_TRY(take_apart(library, alias, share * weight / sum, depth + 1, out, err));
        } else {
            if (out->count == VX_VOICE_PARTS_MAX) return bad_name(err, whole);
            memcpy(out->name[out->count], name, sizeof name);
            out->weight[out->count++] = share * weight / sum;
        }
        if (*at == 0) return VX_OK;
    }
}

bool vx_voice_british(const vx_voice_library *library, const char *name)
{
    parts p = {0};
    if (take_apart(library, name, 1, 0, &p, NULL) != VX_OK) return false;
    return p.name[0][0] == 'b';
}

char vx_voice_gender(const vx_voice_library *library, const char *name)
{
    parts p = {0};
    if (take_apart(library, name, 1, 0, &p, NULL) != VX_OK) return 0;
    char gender = p.name[0][1];
    for (int i = 0; i < p.count; i++)
        if (p.name[i][1] != gender || p.name[i][2] != '_') return 0;
    return gender == 'f' || gender == 'm' ? gender : 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The voice that a file of the folder holds; false for other files and for a NAME.pt
 * that NAME.bin hides. */
static bool voice_of_file(int folder, const char *file, char name[VX_VOICE_NAME_MAX])
{
    size_t length = 0;
    while (name_character(file[length]))
        length++;
    bool bin = strcmp(file + length, ".bin") == 0, pt = strcmp(file + length, ".pt") == 0;
    if (length == 0 || length >= VX_VOICE_NAME_MAX || (!bin && !pt)) return false;
    memcpy(name, file, length);
    name[length] = 0;
    char first[VX_VOICE_NAME_MAX + sizeof ".bin"];
    snprintf(first, sizeof first, "%s.bin", name);
    return bin || faccessat(folder, first, F_OK, 0) != 0;
}

int vx_voice_list(const vx_voice_library *library, char (*name)[VX_VOICE_NAME_MAX], int max)
{
    int count = 0;
    DIR *dir = library->dir ? opendir(library->dir) : NULL;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char found[VX_VOICE_NAME_MAX];
        if (!voice_of_file(dirfd(dir), entry->d_name, found)) continue;
        if (count < max) strcpy(name[count], found);
        count++;
    }
    if (dir != NULL) closedir(dir);
    if (max > 0) qsort(name, (size_t)(count < max ? count : max), sizeof name[0], by_name);
    return count;
}

static vx_status missing(const vx_voice_library *library, const char *name, vx_error *err)
{
    enum { SHOWN = 64 };
    char found[SHOWN][VX_VOICE_NAME_MAX], text[512];
    int count = vx_voice_list(library, found, SHOWN);
    if (count > SHOWN) count = SHOWN;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used + VX_VOICE_NAME_MAX + 2 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", found[i]);
    if (count == 0)
        return vx_fail(err, VX_ERR_MISSING, "missing_voice",
                       "there is no voice \"%s\": %s holds no voice files; put NAME.bin or NAME.pt "
                       "there",
                       name, library->dir ? library->dir : "the pack");
    return vx_fail(err, VX_ERR_MISSING, "missing_voice",
                   "there is no voice \"%s\" in %s; there are %s", name, library->dir, text);
}

static vx_status bad_file(vx_error *err, const char *path, const char *why, int64_t width)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_voice", path, 0,
                      "%s is not a voice: %s; a voice is %d rows of %lld 32-bit floats", path, why,
                      VX_VOICE_ROWS, (long long)width);
}

/* rows += weight * the values of a piece. */
static bool add_piece(float *rows, const float *piece, int64_t count, double weight)
{
    bool finite = true;
    for (int64_t i = 0; i < count; i++) {
        finite = finite && isfinite(piece[i]) && fabsf(piece[i]) < 1e6f;
        rows[i] += (float)(weight * piece[i]);
    }
    return finite;
}

enum { PIECE = 2048 };

static vx_status add_bin(const char *path, int file, vx_voice *voice, double weight, vx_error *err)
{
    struct stat info;
    int64_t count = VX_VOICE_ROWS * voice->width;
    if (fstat(file, &info) != 0 || info.st_size != count * 4)
        return bad_file(err, path, "it has another size", voice->width);
    bool finite = true;
    for (int64_t at = 0, n; at < count; at += n) {
        float piece[PIECE];
        n = count - at < PIECE ? count - at : PIECE;
        ssize_t got = pread(file, piece, (size_t)n * 4, at * 4);
        if (got < 0) return vx_fail_read(err, errno, path);
        if (got != (ssize_t)(n * 4))
            return bad_file(err, path, "it was cut while it was read", voice->width);
        finite = add_piece(voice->rows + at, piece, n, weight) && finite;
    }
    return finite ? VX_OK : bad_file(err, path, "it holds values that are no style", voice->width);
}

static vx_status add_pt(const char *path, vx_voice *voice, double weight, vx_error *err)
{
    vx_source *source;
    int64_t count = VX_VOICE_ROWS * voice->width;
    VX_TRY(vx_source_open(&source, path, err));
    vx_status status = VX_OK;
    const vx_source_tensor *t = vx_source_count(source) == 1 ? vx_source_at(source, 0) : NULL;
    if (t == NULL || t->elements != count)
        status = bad_file(err, path, "it holds something else", voice->width);
    bool finite = true;
    for (int64_t at = 0, n; status == VX_OK && at < count; at += n) {
        float piece[PIECE];
        n = count - at < PIECE ? count - at : PIECE;
        status = vx_source_read(source, t, at, n, piece, err);
        if (status == VX_OK) finite = add_piece(voice->rows + at, piece, n, weight) && finite;
    }
    if (status == VX_OK && !finite)
        status = bad_file(err, path, "it holds values that are no style", voice->width);
    vx_source_close(&source);
    return status;
}

static vx_status add_voice(const vx_voice_library *library, const char *name, double weight,
                           vx_voice *voice, vx_error *err)
{
    char path[4096];
    if (library->dir == NULL) return missing(library, name, err);
    snprintf(path, sizeof path, "%s/%s.bin", library->dir, name);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0) {
        vx_status status = add_bin(path, file, voice, weight, err);
        close(file);
        return status;
    }
    if (errno != ENOENT && errno != ENOTDIR) return vx_fail_read(err, errno, path);
    snprintf(path, sizeof path, "%s/%s.pt", library->dir, name);
    vx_status status = add_pt(path, voice, weight, err);
    return status == VX_ERR_MISSING ? missing(library, name, err) : status;
}

vx_status vx_voice_load(const vx_voice_library *library, const char *name, vx_voice *voice,
                        vx_error *err)
{
    parts p = {0};
    VX_TRY(take_apart(library, name, 1, 0, &p, err));
    memset(voice->rows, 0, vx_voice_bytes(library->width));
    voice->width = library->width;
    for (int i = 0; i < p.count; i++)
        VX_TRY(add_voice(library, p.name[i], p.weight[i], voice, err));
    return VX_OK;
}
