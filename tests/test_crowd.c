/* Many clients of one engine, who ask for everything, change their minds and leave: all are answered, nothing is
 * kept, and what is made is what one client alone would get. */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sanitized.h"

#include "base/mem.h"
#include "base/random.h"
#include "slot_rig.h"

enum { CLIENTS = 6, JOBS = SANITIZED ? 6 : 14, PATIENCE_MS = 120000 };

typedef struct wish {
    vx_kind kind;
    const char *text;
} wish;

static const wish wishes[] = {
    {VX_SPEECH, "{script: Read., voice_id: narrator}"},
    {VX_SPEECH, "{script: \"Read the lead.\", voice_id: narrator, format: flac}"},
    {VX_PICTURE, "{prompt: a b}"},
    {VX_SCORE, NULL}, /* of the image */
    {VX_FILM, "{audio_track: {script: Read., voice_id: narrator}, visual_track: {prompt: a b}}"},
};
enum { WISHES = sizeof wishes / sizeof *wishes };

/* What a job has written: a sum over its bytes, in order. */
typedef struct order {
    uint64_t sum;
    size_t bytes, refuse_after; /* 0: everything is taken */
    atomic_int ended;
} order;

/* Sums of those that were made whole, by wish; 0: none yet. */
static _Atomic uint64_t known[WISHES];
static char *image;
static size_t image_bytes;

static int take(void *arg, const void *bytes, size_t count)
{
    order *o = arg;
    for (size_t i = 0; i < count; i++)
        o->sum = (o->sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
    o->bytes += count;
    return o->refuse_after > 0 && o->bytes > o->refuse_after;
}

static void note_end(void *arg, vx_job *job)
{
    order *o = arg;
    (void)job;
    atomic_fetch_add(&o->ended, 1);
}

typedef struct client {
    slot_rig *rig;
    pthread_t thread;
    int number, done, stopped, busy, wrong;
} client;

static uint32_t draw(const client *c, int job, uint32_t below)
{
    uint32_t out[4];
    vx_philox((uint64_t)c->number, 1, (uint64_t)job, out);
    return out[job % 4] % below;
}

/* One job to its end; some are cancelled, some lose their reader. */
static void ask_once(client *c, int number)
{
    const wish *w = &wishes[draw(c, number, WISHES)];
    uint32_t whim = draw(c, number + 100, 4);
    order o = {.sum = 0xCBF29CE484222325u, .refuse_after = whim == 1 ? 60 : 0};
    bool score = w->kind == VX_SCORE;
    vx_submit_params params = {.kind = w->kind,
                               .text = score ? "{prompts: [a]}" : w->text,
                               .confined = true,
                               .image = score ? image : NULL,
                               .image_bytes = score ? image_bytes : 0,
                               .priority = (vx_priority)((int)draw(c, number + 200, 3) - 1),
                               .write = score ? NULL : take,
                               .ended = note_end,
                               .arg = &o};
    vx_job *job;
    if (vx_submit(c->rig->vortex, &params, &job, NULL) != VX_OK) {
        c->busy++;
        return;
    }
    if (whim == 2) vx_job_wait(job, draw(c, number + 300, 60));
    if (whim == 2) vx_job_cancel(job);
    if (vx_job_wait(job, PATIENCE_MS) != VX_OK) abort();
    const char *outcome = vx_job_result(job)->outcome;
    bool made = strcmp(outcome, "done") == 0;
    c->done += made;
    c->stopped += strcmp(outcome, "cancelled") == 0;
    vx_job_free(&job);
    uint64_t none = 0;
    if (made && !score && !atomic_compare_exchange_strong(&known[w - wishes], &none, o.sum))
        c->wrong += none != o.sum;
    c->wrong += atomic_load(&o.ended) != 1;
}

static void *client_main(void *arg)
{
    client *c = arg;
    for (int i = 0; i < JOBS; i++)
        ask_once(c, i);
    return NULL;
}

static void send_all(slot_rig *r, client *clients)
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){.rig = r, .number = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
}

static void everybody_is_answered(void **state)
{
    (void)state;
    slot_rig r;
    client clients[CLIENTS];
    mallopt(M_ARENA_MAX, 2); /* as the program does (main.c) */
    slot_rig_open(&r, ALL_PACK, "queue: 64");
    assert_int_equal(
        vx_file_read(VX_TEST_DATA "/media/exif2.jpg", 1 << 20, &image, &image_bytes, NULL), VX_OK);
    send_all(&r, clients);
    int done = 0, stopped = 0;
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].busy, 0);
        assert_int_equal(clients[i].wrong, 0);
        done += clients[i].done;
        stopped += clients[i].stopped;
    }
    assert_int_equal(done + stopped, CLIENTS * JOBS);
    assert_true(done > CLIENTS && stopped > CLIENTS);
    vx_figures figures;
    assert_int_equal(vx_figures_read(r.vortex, &figures), VX_OK);
    for (int kind = 0; kind < VX_KINDS; kind++)
        assert_int_equal(figures.waiting[kind] + figures.running[kind], 0);
    assert_true(figures.wait_s == 0);
    /* And again: the process stays as large as it was, but for what the heap keeps. */
    size_t before = figures.used_bytes;
    send_all(&r, clients);
    assert_int_equal(vx_figures_read(r.vortex, &figures), VX_OK);
    if (!SANITIZED) assert_true(figures.used_bytes < before + 10000000);
    vx_heap_free(image);
    slot_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
