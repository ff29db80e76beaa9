/* Jobs on disk: a folder for each, with its record and its files.
 *
 *     FOLDER/lock                 held by whoever has the journal open
 *     FOLDER/jobs/ID/record.json  what the job is and how it stands; makes it a job
 *     FOLDER/jobs/ID/NAME         its files: the film and what lies beside it
 *
 * What vx_journal_keep has returned for is on the disk, names and folders too, and survives kill -9
 * and loss of power. A record is replaced whole. A folder without one is what a crash left behind
 * of a job that nobody was told of: opening removes it. A job that was running then has failed,
 * "interrupted", and what it had made so far is gone, but for what it was given ("input…"); one
 * that waited still waits.
 *
 * Entries stay small; a record's document (the request, for instance) is read from its file when
 * somebody asks. IDs sort by age. One thread at a time. */
#ifndef VX_SERVER_JOURNAL_H
#define VX_SERVER_JOURNAL_H

#include <jansson.h>

#include "base/status.h"
#include "config/paths.h"

enum {
    VX_ENTRY_ID = 40,    /* "slot_" and 26 characters, at most 12 before them */
    VX_ENTRY_OWNER = 80, /* a key's name */
    VX_ENTRY_KEY = 129   /* an Idempotency-Key has at most 128 characters */
};

typedef enum vx_entry_state {
    VX_ENTRY_QUEUED,
    VX_ENTRY_RUNNING,
    VX_ENTRY_COMPLETED,
    VX_ENTRY_FAILED,
    VX_ENTRY_CANCELLED
} vx_entry_state;
#define VX_ENTRY_STATE_NAMES "queued|in_progress|completed|failed|cancelled"

typedef struct vx_entry {
    char id[VX_ENTRY_ID];
    char kind[12];              /* "film" */
    char owner[VX_ENTRY_OWNER]; /* whose it is; "" without keys */
    char key[VX_ENTRY_KEY];     /* the owner's idempotency key; "" for none */
    char key_sha256[65];        /* of the body that came with it */
    vx_entry_state state;
    char outcome[20];                     /* once ended; "done", "interrupted" … */
    double created_s, started_s, ended_s; /* since the epoch, UTC; 0: not yet */
    int64_t bytes;                        /* once ended: of all files */
    bool kept;                            /* the record is on the disk */
    void *user;                           /* the journal's user's; NULL after opening */
    struct vx_entry *older, *newer;
} vx_entry;

typedef struct vx_journal vx_journal;

/* Of ended jobs: what goes beyond is forgotten, the oldest first. 0: none are kept. */
typedef struct vx_journal_limits {
    double seconds;
    int64_t bytes, count;
} vx_journal_limits;

/* Makes the folder if need be and reads what is there. VX_ERR_IO: another process has it
 * ("in_use"), or it can't be made or written. *journal is NULL on failure. */
vx_status vx_journal_open(vx_journal **journal, const char *folder, vx_error *err);
/* Frees entries and lets go of the folder; sets NULL; safe on NULL. */
void vx_journal_close(vx_journal **journal);

/* A new entry, queued and with its folder, which is nothing yet: vx_journal_keep makes it a job.
 * `prefix` is at most 12 characters. VX_ERR_IO. */
vx_status vx_journal_begin(vx_journal *journal, const char *prefix, vx_entry **entry,
                           vx_error *err);
/* Writes the entry as it is now, with its document, which is released: NULL leaves the one that
 * there is. An ended entry's files are counted. VX_ERR_IO: the old record holds still. */
vx_status vx_journal_keep(vx_journal *journal, vx_entry *entry, json_t *document, vx_error *err);
/* Removes the entry with all its files: the record first, so that a crash leaves no half job. */
void vx_journal_remove(vx_journal *journal, vx_entry *entry);

/* The document of a kept entry, which the caller releases. */
vx_status vx_journal_document(vx_journal *journal, const vx_entry *entry, json_t **document,
                              vx_error *err);
/* Where a file of the entry lies or is to lie; false when the path would be too long. `name` is the
 * program's own word, never a client's. */
bool vx_journal_path(const vx_journal *journal, const vx_entry *entry, const char *name,
                     vx_path *path);

/* NULL when there is none. */
vx_entry *vx_journal_find(const vx_journal *journal, const char *id);
vx_entry *vx_journal_by_key(const vx_journal *journal, const char *owner, const char *key);
vx_entry *vx_journal_newest(const vx_journal *journal);
vx_entry *vx_journal_oldest(const vx_journal *journal);

/* Forgets ended entries beyond the limits; how many. Entries with a user are left. */
int vx_journal_trim(vx_journal *journal, const vx_journal_limits *limits, double now_s);
/* Whether an id was forgotten by trim since the journal was opened (as far as it remembers). */
bool vx_journal_forgot(const vx_journal *journal, const char *id);

/* Ended entries and the bytes of their files. */
void vx_journal_sums(const vx_journal *journal, int64_t *count, int64_t *bytes);

/* Seconds since the epoch, UTC. */
double vx_epoch_s(void);

#endif
