#include "server/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/schema.h"

/* Forgotten ids that are remembered; a client that comes later is told "not found". */
enum { FORGOTTEN_MAX = 4096, VERSION = 1, RECORD_BYTES_MAX = 4 << 20 };

static const char RECORD[] = "record.json";

struct vx_journal {
    char *jobs; /* FOLDER/jobs */
    int lock;
    vx_entry *oldest, *newest;
    uint64_t last_ms;               /* of the newest id */
    uint32_t sequence;              /* within that millisecond */
    char (*forgotten)[VX_ENTRY_ID]; /* a ring */
    int64_t forgotten_count;
};

double vx_epoch_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- entries in memory ----------------------------------------------------------------------- */

static void append(vx_journal *j, vx_entry *entry)
{
    entry->older = j->newest;
    entry->newer = NULL;
    if (j->newest != NULL) j->newest->newer = entry;
    j->newest = entry;
    if (j->oldest == NULL) j->oldest = entry;
}

static void take_out(vx_journal *j, vx_entry *entry)
{
    if (entry->older != NULL) entry->older->newer = entry->newer;
    if (entry->newer != NULL) entry->newer->older = entry->older;
    if (j->oldest == entry) j->oldest = entry->newer;
    if (j->newest == entry) j->newest = entry->older;
    vx_heap_free(entry);
}

vx_entry *vx_journal_newest(const vx_journal *j)
{
    return j->newest;
}

vx_entry *vx_journal_oldest(const vx_journal *j)
{
    return j->oldest;
}

vx_entry *vx_journal_find(const vx_journal *j, const char *id)
{
    vx_entry *entry = j->newest;
    while (entry != NULL && strcmp(entry->id, id) != 0)
        entry = entry->older;
    return entry;
}

vx_entry *vx_journal_by_key(const vx_journal *j, const char *owner, const char *key)
{
    vx_entry *entry = j->newest;
    while (entry != NULL && (strcmp(entry->key, key) != 0 || strcmp(entry->owner, owner) != 0))
        entry = entry->older;
    return entry;
}

static bool has_ended(const vx_entry *entry)
{
    return entry->state >= VX_ENTRY_COMPLETED;
}

void vx_journal_sums(const vx_journal *j, int64_t *count, int64_t *bytes)
{
    *count = *bytes = 0;
    for (const vx_entry *entry = j->oldest; entry != NULL; entry = entry->newer) {
        if (!has_ended(entry)) continue;
        ++*count;
        *bytes += entry->bytes;
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

bool vx_journal_path(const vx_journal *j, const vx_entry *entry, const char *name, vx_path *path)
{
    vx_path folder;
    if (!vx_path_join(&folder, j->jobs, entry->id)) return false;
    if (name[0] != '\0') return vx_path_join(path, folder.text, name);
    *path = folder;
    return true;
}

/* Calls `each` for every name in a folder; a folder that can't be read has none. */
static void each_name(const char *folder, void (*each)(void *arg, int fd, const char *name),
                      void *arg)
{
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            each(arg, dirfd(dir), d->d_name);
    if (dir != NULL) closedir(dir);
}

static void unlink_all(void *arg, int fd, const char *name)
{
    (void)arg;
    unlinkat(fd, name, 0);
}

/* What a job has made: neither its record nor what was given to it, whose names begin so. */
static void unlink_made(void *arg, int fd, const char *name)
{
    (void)arg;
    if (strcmp(name, RECORD) != 0 && strncmp(name, "input", 5) != 0) unlinkat(fd, name, 0);
}

/* Temporary files of a process that was killed. */
static void unlink_temporary(void *arg, int fd, const char *name)
{
    (void)arg;
    if (name[0] == '.') unlinkat(fd, name, 0);
}

static void count_one(void *arg, int fd, const char *name)
{
    struct stat info;
    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
        *(int64_t *)arg += info.st_size;
}

/* The record first: without it the rest is what the next opening removes. */
static void remove_folder(const vx_journal *j, const char *id)
{
    vx_path folder, record;
    if (!vx_path_join(&folder, j->jobs, id) || !vx_path_join(&record, folder.text, RECORD)) return;
    if (unlink(record.text) == 0) vx_folder_sync(record.text);
    each_name(folder.text, unlink_all, NULL);
    if (rmdir(folder.text) != 0 && errno != ENOENT)
        vx_log(VX_LOG_WARN, "a job's folder cannot be removed: %s", strerror(errno));
}

void vx_journal_remove(vx_journal *j, vx_entry *entry)
{
    remove_folder(j, entry->id);
    take_out(j, entry);
}

/* ---- records --------------------------------------------------------------------------------- */

/* A time that has not come is null. */
static json_t *time_json(double s)
{
    return s > 0 ? json_real(s) : json_null();
}

static json_t *record_json(const vx_entry *e, json_t *document)
{
    char state[16];
    vx_choice_name(VX_ENTRY_STATE_NAMES, (int)e->state, state, sizeof state);
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:o}", "version",
                     VERSION, "id", e->id, "kind", e->kind, "owner", e->owner, "key", e->key,
                     "key_sha256", e->key_sha256, "state", state, "outcome", e->outcome,
                     "created_at", time_json(e->created_s), "started_at", time_json(e->started_s),
                     "ended_at", time_json(e->ended_s), "bytes", (json_int_t)e->bytes, "document",
                     document);
}

static vx_status read_record(const vx_journal *j, const char *id, json_t **record, vx_error *err)
{
    vx_path folder, path;
    char *text = NULL;
    size_t bytes;
    *record = NULL;
    if (!vx_path_join(&folder, j->jobs, id) || !vx_path_join(&path, folder.text, RECORD))
        return vx_fail(err, VX_ERR_IO, "io_error", "the results' folder has too long a name");
    VX_TRY(
        vx_file_read_from(path.text, VX_FILE_REGULAR, RECORD_BYTES_MAX, NULL, &text, &bytes, err));
    *record = json_loadb(text, bytes, 0, NULL);
    vx_heap_free(text);
    if (*record != NULL) return VX_OK;
    return vx_fail(err, VX_ERR_IO, "io_error", "a job's record is damaged");
}

vx_status vx_journal_document(vx_journal *j, const vx_entry *entry, json_t **document,
                              vx_error *err)
{
    json_t *record;
    *document = NULL;
    VX_TRY(read_record(j, entry->id, &record, err));
    *document = json_incref(json_object_get(record, "document"));
    json_decref(record);
    return VX_OK;
}

vx_status vx_journal_keep(vx_journal *j, vx_entry *entry, json_t *document, vx_error *err)
{
    vx_path path;
    vx_status status = VX_OK;
    if (document == NULL && entry->kept) status = vx_journal_document(j, entry, &document, err);
    if (status != VX_OK) return status;
    if (document == NULL) document = json_null();
    if (has_ended(entry) && vx_journal_path(j, entry, "", &path)) {
        entry->bytes = 0;
        each_name(path.text, count_one, &entry->bytes);
    }
    json_t *record = record_json(entry, document);
    char *text = record != NULL ? json_dumps(record, JSON_COMPACT) : NULL;
    json_decref(record);
    if (text == NULL)
        status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a job's record");
    else if (!vx_journal_path(j, entry, RECORD, &path))
        status = vx_fail(err, VX_ERR_IO, "io_error", "the results' folder has too long a name");
    else
        status = vx_file_write(path.text, text, strlen(text), err);
    free(text);
    if (status != VX_OK) return status;
    if (!entry->kept) vx_folder_sync(vx_journal_path(j, entry, "", &path) ? path.text : j->jobs);
    entry->kept = true;
    return VX_OK;
}

/* ---- ids ------------------------------------------------------------------------------------- */

/* Crockford's base 32, as in ULIDs: 48 bits of milliseconds, then 16 that count and 64 of chance,
 * so that ids sort by age even within a millisecond and nobody guesses one. */
static void make_id(vx_journal *j, const char *prefix, char id[VX_ENTRY_ID])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t now = (uint64_t)(vx_epoch_s() * 1e3);
    uint8_t raw[16];
    if (now > j->last_ms) {
        j->last_ms = now;
        j->sequence = 0;
    } else if (++j->sequence > 0xFFFF) {
        j->last_ms++;
        j->sequence = 0;
    }
    for (int i = 0; i < 6; i++)
        raw[i] = (uint8_t)(j->last_ms >> (40 - 8 * i));
    raw[6] = (uint8_t)(j->sequence >> 8);
    raw[7] = (uint8_t)j->sequence;
    if (getrandom(raw + 8, 8, 0) != 8) memset(raw + 8, 0, 8);
    int length = snprintf(id, VX_ENTRY_ID, "%.12s", prefix);
    /* 26 digits of 5 bits: two leading zero bits before the 128. */
    for (int digit = 0; digit < 26; digit++) {
        int value = 0;
        for (int bit = digit * 5 - 2; bit < digit * 5 + 3; bit++)
            value = value * 2 + (bit >= 0 ? raw[bit / 8] >> (7 - bit % 8) & 1 : 0);
        id[length + digit] = digits[value];
    }
    id[length + 26] = '\0';
}

vx_status vx_journal_begin(vx_journal *j, const char *prefix, vx_entry **out, vx_error *err)
{
    vx_path path;
    *out = NULL;
    vx_entry *entry = vx_heap_alloc(sizeof *entry);
    if (entry == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a job");
    make_id(j, prefix, entry->id);
    entry->created_s = (double)j->last_ms * 1e-3;
    if (!vx_journal_path(j, entry, "", &path) || mkdir(path.text, 0700) != 0) {
        vx_status status = vx_fail_write(err, errno, "make a folder in", j->jobs);
        vx_heap_free(entry);
        return status;
    }
    append(j, entry);
    *out = entry;
    return VX_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void read_text(const json_t *record, const char *key, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(record, key));
    snprintf(to, room, "%s", text != NULL ? text : "");
}

/* The entry of a folder; NULL when it holds no record of ours. */
static vx_entry *read_entry(const vx_journal *j, const char *id, vx_error *err)
{
    json_t *record;
    if (strlen(id) >= VX_ENTRY_ID || read_record(j, id, &record, err) != VX_OK) return NULL;
    const char *state = json_string_value(json_object_get(record, "state"));
    int index = state != NULL ? vx_choice_index(VX_ENTRY_STATE_NAMES, state, strlen(state)) : -1;
    vx_entry *e = NULL;
    if (json_integer_value(json_object_get(record, "version")) != VERSION || index < 0)
        vx_fail(err, VX_ERR_INPUT, "bad_record", "its record is of another version");
    else
        e = vx_heap_alloc(sizeof *e);
    if (e != NULL) {
        snprintf(e->id, sizeof e->id, "%s", id);
        read_text(record, "kind", e->kind, sizeof e->kind);
        read_text(record, "owner", e->owner, sizeof e->owner);
        read_text(record, "key", e->key, sizeof e->key);
        read_text(record, "key_sha256", e->key_sha256, sizeof e->key_sha256);
        read_text(record, "outcome", e->outcome, sizeof e->outcome);
        e->state = (vx_entry_state)index;
        e->created_s = json_real_value(json_object_get(record, "created_at"));
        e->started_s = json_real_value(json_object_get(record, "started_at"));
        e->ended_s = json_real_value(json_object_get(record, "ended_at"));
        e->bytes = json_integer_value(json_object_get(record, "bytes"));
        e->kept = true;
    }
    json_decref(record);
    return e;
}

/* What a crash has interrupted: its files are half, its end is known now. */
static void interrupt(vx_journal *j, vx_entry *entry)
{
    vx_path path;
    vx_error err = {0};
    json_t *document = NULL;
    entry->state = VX_ENTRY_FAILED;
    entry->ended_s = vx_epoch_s();
    snprintf(entry->outcome, sizeof entry->outcome, "interrupted");
    vx_status status = vx_journal_document(j, entry, &document, &err);
    if (status == VX_OK) status = vx_journal_keep(j, entry, document, &err);
    if (status != VX_OK) vx_log(VX_LOG_WARN, "job %s: %s", entry->id, err.message);
    if (vx_journal_path(j, entry, "", &path)) each_name(path.text, unlink_made, NULL);
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(vx_entry *const *)a)->id, (*(vx_entry *const *)b)->id);
}

typedef struct found {
    vx_journal *journal;
    vx_entry **entry;
    size_t count, room;
} found;

static void find_one(void *arg, int fd, const char *name)
{
    found *f = arg;
    vx_error err = {0};
    (void)fd;
    vx_entry *entry = read_entry(f->journal, name, &err);
    if (entry == NULL && err.status != VX_OK && err.status != VX_ERR_MISSING) {
        /* Not ours to judge: it may be a newer version's, or the disk may be ill. */
        vx_log(VX_LOG_WARN, "the job %.60s is left alone: %s", name, err.message);
        return;
    }
    if (entry == NULL && err.status == VX_ERR_MISSING) remove_folder(f->journal, name);
    if (entry == NULL) return;
    if (f->count == f->room) {
        size_t room = f->room > 0 ? 2 * f->room : 64;
        vx_entry **grown = vx_heap_grow(f->entry, room * sizeof(vx_entry *));
        if (grown == NULL) {
            vx_heap_free(entry);
            return;
        }
        f->entry = grown;
        f->room = room;
    }
    f->entry[f->count++] = entry;
}

/* The newest id's time: ids go on from there even if the clock was set back. */
static uint64_t id_ms(const vx_entry *entry)
{
    return (uint64_t)(entry->created_s * 1e3 + 0.5);
}

static void read_all(vx_journal *j)
{
    found f = {.journal = j};
    each_name(j->jobs, find_one, &f);
    if (f.count > 0) qsort(f.entry, f.count, sizeof(vx_entry *), by_id);
    for (size_t i = 0; i < f.count; i++) {
        append(j, f.entry[i]);
        vx_path path;
        if (vx_journal_path(j, f.entry[i], "", &path)) each_name(path.text, unlink_temporary, NULL);
        if (id_ms(f.entry[i]) > j->last_ms) j->last_ms = id_ms(f.entry[i]) + 1;
        if (f.entry[i]->state == VX_ENTRY_RUNNING) interrupt(j, f.entry[i]);
    }
    vx_heap_free(f.entry);
}

static vx_status take_lock(vx_journal *j, const char *folder, vx_error *err)
{
    vx_path path;
    if (!vx_path_join(&path, folder, "lock"))
        return vx_fail_write(err, ENAMETOOLONG, "write", folder);
    j->lock = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock < 0) return vx_fail_write(err, errno, "write", path.text);
    if (flock(j->lock, LOCK_EX | LOCK_NB) == 0) return VX_OK;
    if (errno != EWOULDBLOCK) return vx_fail_write(err, errno, "lock", path.text);
    return vx_fail_at(
        err, VX_ERR_IO, "in_use", folder, 0,
        "another server keeps its jobs in %s; stop it or give this one a folder of its "
        "own (--results)",
        folder);
}

static vx_status open_journal(vx_journal *j, const char *folder, vx_error *err)
{
    vx_path path;
    if (!vx_path_join(&path, folder, "jobs"))
        return vx_fail_write(err, ENAMETOOLONG, "write", folder);
    VX_TRY(vx_folder_make(path.text, err));
    VX_TRY(take_lock(j, folder, err));
    j->jobs = vx_heap_text(path.text, strlen(path.text));
    j->forgotten = vx_heap_alloc(sizeof *j->forgotten * FORGOTTEN_MAX);
    if (j->jobs == NULL || j->forgotten == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the list of jobs");
    if (access(j->jobs, R_OK | W_OK | X_OK) != 0)
        return vx_fail_write(err, errno, "write", j->jobs);
    read_all(j);
    return VX_OK;
}

vx_status vx_journal_open(vx_journal **out, const char *folder, vx_error *err)
{
    *out = NULL;
    vx_journal *j = vx_heap_alloc(sizeof *j);
    if (j == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the list of jobs");
    j->lock = -1;
    vx_status status = open_journal(j, folder, err);
    if (status == VX_OK)
        *out = j;
    else
        vx_journal_close(&j);
    return status;
}

void vx_journal_close(vx_journal **journal)
{
    vx_journal *j = journal != NULL ? *journal : NULL;
    if (j == NULL) return;
    *journal = NULL;
    while (j->oldest != NULL)
        take_out(j, j->oldest);
    if (j->lock >= 0) close(j->lock);
    vx_heap_free(j->forgotten);
    vx_heap_free(j->jobs);
    vx_heap_free(j);
}

/* ---- forgetting ------------------------------------------------------------------------------ */

int vx_journal_trim(vx_journal *j, const vx_journal_limits *limits, double now_s)
{
    int64_t count, bytes;
    int forgotten = 0;
    vx_journal_sums(j, &count, &bytes);
    for (vx_entry *entry = j->oldest, *next; entry != NULL; entry = next) {
        next = entry->newer;
        if (!has_ended(entry) || entry->user != NULL) continue;
        if (count <= limits->count && bytes <= limits->bytes &&
            now_s - entry->ended_s <= limits->seconds)
            continue;
        count--;
        bytes -= entry->bytes;
        memcpy(j->forgotten[j->forgotten_count++ % FORGOTTEN_MAX], entry->id, VX_ENTRY_ID);
        vx_journal_remove(j, entry);
        forgotten++;
    }
    return forgotten;
}

bool vx_journal_forgot(const vx_journal *j, const char *id)
{
    int64_t count = j->forgotten_count < FORGOTTEN_MAX ? j->forgotten_count : FORGOTTEN_MAX;
    for (int64_t i = 0; i < count; i++)
        if (strcmp(j->forgotten[i], id) == 0) return true;
    return false;
}
