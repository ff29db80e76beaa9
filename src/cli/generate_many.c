/* Several slots by one engine: recipes of the command line, or lines of JSON as they come. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "cli/generate.h"
#include "cli/json_out.h"
#include "config/paths.h"
#include "config/recipe.h"

/* One slot: where it comes from, where it goes. Paths are "" where nothing is wanted. */
typedef struct item {
    const char *shown; /* for messages: the recipe's path, "line 3" */
    vx_submit_params film;
    vx_path out, report, sheet, srt, vtt;
} item;

/* All of them. */
typedef struct batch {
    vx_resident resident;
    const vx_generate_params *params;
    char subtitles[16];
    int tried, failed;
    vx_error first; /* failure */
    char first_shown[128];
    bool stopped; /* interrupted, or --fail-fast */
    /* Names that were given to films of lines. */
    json_t *names;
} batch;

static const char *given(const vx_path *path)
{
    return path->text[0] != '\0' ? path->text : NULL;
}

/* ---- one slot ------------------------------------------------------------------------------- */

/* Said at once, since the next may take long. */
static void tell_failure(batch *b, const char *shown, const vx_error *why)
{
    if (b->failed++ == 0) {
        b->first = *why;
        snprintf(b->first_shown, sizeof b->first_shown, "%s", shown);
    }
    if (why->line > 0)
        fprintf(stderr, "vortex: %s:%d: %s\n", shown, why->line, why->message);
    else
        fprintf(stderr, "vortex: %s: %s\n", shown, why->message);
    b->stopped |= b->params->fail_fast || why->status == VX_ERR_CANCELLED;
}

/* A line of stdout: the report, and what went wrong. */
static vx_status print_line(const char *shown, json_t *report, const vx_error *why, vx_error *err)
{
    json_t *line = report != NULL ? report : json_object();
    json_object_set_new(line, "recipe", vx_json_text(shown));
    if (why->status != VX_OK) json_object_update_new(line, vx_json_error(why));
    return vx_json_line(line, err);
}

static vx_status finish(batch *b, const item *it, vx_job *job, vx_error *why, vx_error *err)
{
    const vx_cli *cli = b->resident.cli;
    json_t *report = NULL;
    if (job != NULL && (why->status == VX_OK || why->status == VX_ERR_VERIFY)) {
        vx_error undelivered = {0};
        if (vx_generate_deliver(cli, it->out.text, given(&it->report), vx_job_result(job), &report,
                                &undelivered) != VX_OK)
            *why = undelivered;
    } else if (job != NULL) {
        report = json_loads(vx_job_result(job)->report, 0, NULL);
    }
    if (why->status != VX_OK) tell_failure(b, it->shown, why);
    if (cli->json) return print_line(it->shown, report, why, err);
    json_decref(report);
    return VX_OK;
}

/* A slot's failure is noted; what is returned ends everything. */
static vx_status make(batch *b, item *it, vx_error *err)
{
    vx_job *job = NULL;
    vx_error why = {0};
    it->film.path = it->out.text;
    it->film.sheet = given(&it->sheet);
    it->film.srt = given(&it->srt);
    it->film.vtt = given(&it->vtt);
    b->tried++;
    vx_resident_make(&b->resident, &it->film, false, &job, &why);
    vx_status status = finish(b, it, job, &why, err);
    vx_job_free(&job);
    return status;
}

/* FOLDER/NAME.ENDING; nothing where there is no folder. */
static vx_status name_file(vx_path *path, const char *folder, const char *name, const char *ending,
                           vx_error *err)
{
    char file[300];
    path->text[0] = '\0';
    if (folder == NULL) return VX_OK;
    snprintf(file, sizeof file, "%.250s.%s", name, ending);
    if (vx_path_join(path, folder, file)) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                   "the path of %s in %s is too long; choose another folder", file, folder);
}

static vx_status name_item(const batch *b, item *it, const char *name, vx_error *err)
{
    const vx_generate_params *p = b->params;
    VX_TRY(name_file(&it->out, p->out, name, "mp4", err));
    VX_TRY(name_file(&it->report, p->report, name, "json", err));
    VX_TRY(name_file(&it->sheet, p->sheet, name, "png", err));
    VX_TRY(name_file(&it->srt, p->srt, name, "srt", err));
    return name_file(&it->vtt, p->vtt, name, "vtt", err);
}

/* The folders of the flags, which are made. */
static vx_status make_folders(const vx_generate_params *p, vx_error *err)
{
    const char *const folder[] = {p->out, p->report, p->sheet, p->srt, p->vtt};
    static const char *const flag[] = {"-o", "--report", "--sheet", "--srt", "--vtt"};
    for (int i = 0; i < 5; i++)
        if (folder[i] != NULL && !vx_names_folder(folder[i]))
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "of several slots %s is a folder; write '%s %s/'", flag[i], flag[i],
                           folder[i]);
    for (int i = 0; i < 5; i++)
        if (folder[i] != NULL) VX_TRY(vx_folder_make(folder[i], err));
    return VX_OK;
}

/* ---- recipes of the command line ------------------------------------------------------------- */

/* "small" of "data/small.yaml". */
static void name_of(const char *path, char name[256])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, 256, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) *dot = '\0';
}

static vx_status name_recipes(batch *b, const vx_cli *cli, item *items, vx_error *err)
{
    for (int i = 0; i < cli->word_count; i++) {
        char name[256];
        name_of(cli->words[i], name);
        if (strcmp(cli->words[i], "-") == 0)
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "a recipe from standard input (-) has no name; give -o a film, or use "
                           "--lines");
        if (json_object_get(b->names, name) != NULL)
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "two recipes are called %s, and their films would be one; rename one "
                           "or make them apart",
                           name);
        json_object_set_new(b->names, name, json_true());
        items[i] =
            (item){.shown = cli->words[i], .film = vx_generate_film(b->params, b->subtitles)};
        items[i].film.recipe = cli->words[i];
        VX_TRY(name_item(b, &items[i], name, err));
    }
    return VX_OK;
}

static vx_status make_recipes(batch *b, const vx_cli *cli, item *items, vx_submit_params *films,
                              vx_error *err)
{
    VX_TRY(name_recipes(b, cli, items, err));
    VX_TRY(make_folders(b->params, err));
    for (int i = 0; i < cli->word_count; i++)
        films[i] = items[i].film;
    VX_TRY(vx_resident_open(&b->resident, cli, films, (size_t)cli->word_count, err));
    for (int i = 0; i < cli->word_count && !b->stopped; i++)
        VX_TRY(make(b, &items[i], err));
    return VX_OK;
}

static vx_status run_recipes(batch *b, const vx_cli *cli, vx_error *err)
{
    size_t count = (size_t)cli->word_count;
    item *items = vx_heap_alloc(count * sizeof *items);
    vx_submit_params *films = vx_heap_alloc(count * sizeof *films);
    vx_status status = VX_OK;
    if (items == NULL || films == NULL)
        status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for %zu recipes", count);
    if (status == VX_OK) status = make_recipes(b, cli, items, films, err);
    vx_heap_free(films);
    vx_heap_free(items);
    return status;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static vx_status bad_line(vx_error *err, const char *what)
{
    return vx_fail(
        err, VX_ERR_INPUT, "bad_line",
        "%s; a line is a recipe in JSON, or {\"recipe\", \"path\", \"sheet\", \"report\", "
        "\"deadline_ms\"}",
        what);
}

/* What stands around a recipe; *recipe is a view. */
static vx_status read_around(const json_t *line, item *it, json_t **recipe, vx_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)line, key, value)
    {
        vx_path *path = strcmp(key, "path") == 0     ? &it->out
                        : strcmp(key, "sheet") == 0  ? &it->sheet
                        : strcmp(key, "report") == 0 ? &it->report
                                                     : NULL;
        if (path != NULL && json_is_string(value) && json_string_length(value) < sizeof path->text)
            strcpy(path->text, json_string_value(value));
        else if (strcmp(key, "deadline_ms") == 0 && json_integer_value(value) > 0)
            it->film.deadline_ms = json_integer_value(value);
        else if (strcmp(key, "recipe") == 0 && json_is_object(value))
            *recipe = value;
        else
            return bad_line(err, "the line has a key or a value that makes no sense");
    }
    return VX_OK;
}

/* The slot's own name, or the one that the library gives it, which is after the text. */
static void slot_name(const json_t *recipe, const char *text, char name[256])
{
    char hex[65];
    const json_t *id = json_object_get(recipe, "slot_id");
    vx_sha256_bytes(text, strlen(text), hex);
    snprintf(name, 256, "slot-%.16s", hex);
    if (json_is_integer(id)) snprintf(name, 256, "%lld", (long long)json_integer_value(id));
    if (json_is_string(id) && strchr(json_string_value(id), '/') == NULL)
        snprintf(name, 256, "%s", json_string_value(id));
}

/* Two of one path: the second is refused. */
static vx_status claim(batch *b, const item *it, vx_error *err)
{
    if (json_object_get(b->names, it->out.text) != NULL)
        return vx_fail(
            err, VX_ERR_USAGE, "same_file",
            "the film of an earlier line is %s; give one of them another path or slot_id",
            it->out.text);
    json_object_set_new(b->names, it->out.text, json_true());
    return VX_OK;
}

static vx_status read_line(batch *b, const json_t *line, item *it, char **text, vx_error *err)
{
    char name[256];
    json_t *recipe = (json_t *)line;
    if (!json_is_object(line)) return bad_line(err, "the line is no JSON object");
    item own = {.shown = it->shown, .film = vx_generate_film(b->params, b->subtitles)};
    if (json_object_get(line, "recipe") != NULL) VX_TRY(read_around(line, &own, &recipe, err));
    *text = json_dumps(recipe, JSON_COMPACT);
    if (*text == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the line");
    slot_name(recipe, *text, name);
    VX_TRY(name_item(b, it, name, err));
    it->film = own.film;
    it->film.text = *text;
    it->film.folder = ".";
    if (own.out.text[0] != '\0') it->out = own.out;
    if (own.sheet.text[0] != '\0') it->sheet = own.sheet;
    if (own.report.text[0] != '\0') it->report = own.report;
    return claim(b, it, err);
}

static vx_status make_line(batch *b, const char *data, size_t bytes, const char *shown,
                           vx_error *err)
{
    char *text = NULL;
    item *it = vx_heap_alloc(sizeof *it);
    if (it == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a line");
    it->shown = shown;
    vx_error why = {0};
    json_t *line = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, NULL);
    vx_status status = read_line(b, line, it, &text, &why);
    if (status == VX_OK) {
        status = make(b, it, err);
    } else {
        b->tried++;
        status = finish(b, it, NULL, &why, err);
    }
    free(text);
    json_decref(line);
    vx_heap_free(it);
    return status;
}

/* Lines of a descriptor as they come; `buffer` holds the longest. */
static vx_status make_from(batch *b, int fd, const char *file, char *buffer, vx_error *err)
{
    size_t used = 0;
    ssize_t got = 1;
    for (int number = 1; !b->stopped && (got > 0 || used > 0);) {
        char shown[300];
        char *end = memchr(buffer, '\n', used);
        if (end == NULL && got > 0 && used < VX_YAML_BYTES_MAX) {
            got = vx_read_cancellable(fd, buffer + used, VX_YAML_BYTES_MAX - used,
                                      b->resident.cli->cancel);
            if (got < 0 && errno == ECANCELED) return vx_fail_cancelled(err, file);
            if (got < 0)
                return vx_fail_at(err, VX_ERR_IO, "read_failed", file, 0, "cannot read %s: %s",
                                  file, strerror(errno));
            used += (size_t)got;
            continue;
        }
        if (end == NULL && got > 0)
            return vx_fail_at(err, VX_ERR_INPUT, "too_long", file, number,
                              "line %d of %s is longer than %d bytes", number, file,
                              (int)VX_YAML_BYTES_MAX);
        size_t length = end != NULL ? (size_t)(end - buffer) : used;
        size_t taken = end != NULL ? length + 1 : length;
        snprintf(shown, sizeof shown, "%.200s, line %d", strcmp(file, "-") == 0 ? "stdin" : file,
                 number++);
        buffer[length] = '\0';
        if (buffer[strspn(buffer, " \t\r")] != '\0' || strlen(buffer) < length)
            VX_TRY(make_line(b, buffer, length, shown, err));
        memmove(buffer, buffer + taken, used - taken);
        used -= taken;
    }
    return VX_OK;
}

static vx_status run_lines(batch *b, const vx_cli *cli, vx_error *err)
{
    VX_TRY(make_folders(b->params, err));
    VX_TRY(vx_resident_open(&b->resident, cli, NULL, 0, err));
    char *buffer = vx_heap_alloc(VX_YAML_BYTES_MAX + 1);
    if (buffer == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for lines");
    vx_status status = VX_OK;
    for (int i = 0; i < (cli->word_count > 0 ? cli->word_count : 1) && status == VX_OK; i++) {
        const char *file = cli->word_count > 0 ? cli->words[i] : "-";
        int fd;
        status = vx_file_open(file, VX_FILE_ANY, &fd, NULL, err);
        if (status != VX_OK) break;
        status = make_from(b, fd, file, buffer, err);
        close(fd);
    }
    vx_heap_free(buffer);
    return status;
}

vx_status vx_generate_many(const vx_cli *cli, const vx_generate_params *params, vx_error *err)
{
    batch b = {.params = params, .names = json_object()};
    vx_status status = params->lines ? run_lines(&b, cli, err) : run_recipes(&b, cli, err);
    vx_resident_close(&b.resident);
    json_decref(b.names);
    if (status != VX_OK || b.failed == 0) return status;
    return vx_fail(err, b.first.status, b.first.code,
                   "%d of %d slots failed; the first was %s: %.500s", b.failed, b.tried,
                   b.first_shown, b.first.message);
}
