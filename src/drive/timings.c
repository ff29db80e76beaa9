#include "drive/timings.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/utf8.h"

/* Kokoro's grain is 25 ms; times are printed as decimals and may be off by their last digit. */
static const double GRAIN_S = 0.025, SLACK_S = 1e-4;
static const double SECONDS_MAX = 3600;
enum { FILE_BYTES_MAX = 64 << 20 };

void vx_timings_free(vx_timings *timings)
{
    vx_heap_free(timings->phone);
    *timings = (vx_timings){0};
}

static vx_status bad(vx_error *err, const char *name, int64_t at, const char *what)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_timings", name, 0, "phoneme %lld of the timings %s",
                      (long long)at, what);
}

static vx_status read_phone(vx_timings *t, int64_t i, const json_t *entry, const char *name,
                            vx_error *err)
{
    const json_t *symbol = json_object_get(entry, "symbol");
    const json_t *start = json_object_get(entry, "start_s");
    const json_t *stop = json_object_get(entry, "end_s");
    vx_phone *p = &t->phone[i];
    if (!json_is_string(symbol) || !json_is_number(start) || !json_is_number(stop))
        return bad(err, name, i, "needs symbol, a text, and start_s and end_s, numbers");
    size_t length = json_string_length(symbol);
    size_t used = vx_utf8_decode(json_string_value(symbol), length, &p->symbol);
    if (used == 0 || used != length) return bad(err, name, i, "is not one symbol");
    double from = json_number_value(start), to = json_number_value(stop);
    if (!(from >= 0 && to <= SECONDS_MAX)) return bad(err, name, i, "lies outside any sound");
    if (from > to) return bad(err, name, i, "ends before it starts");
    if (i > 0 && from < (double)p[-1].start_s - SLACK_S)
        return bad(err, name, i, "starts before the one in front of it: the timings run backwards");
    if (i > 0 && from < (double)p[-1].end_s - SLACK_S)
        return bad(err, name, i, "starts before the one in front of it has ended");
    p->start_s = (float)from;
    p->end_s = (float)to;
    return VX_OK;
}

static vx_status read_all(vx_timings *t, const json_t *root, const char *name, vx_error *err)
{
    const json_t *phonemes = json_object_get(root, "phonemes");
    const json_t *samples = json_object_get(root, "samples");
    const json_t *rate = json_object_get(root, "sample_rate");
    if (!json_is_array(phonemes))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_timings", name, 0,
                          "timings need a list phonemes (docs/CONTRACTS.md, timings)");
    t->count = (int64_t)json_array_size(phonemes);
    if (t->count < 1 || t->count > VX_PHONES_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_timings", name, 0,
                          "the timings have %lld phonemes; 1 to %d are possible",
                          (long long)t->count, VX_PHONES_MAX);
    t->phone = vx_heap_alloc(sizeof *t->phone * (size_t)t->count);
    if (t->phone == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the timings");
    for (int64_t i = 0; i < t->count; i++)
        VX_TRY(read_phone(t, i, json_array_get(phonemes, (size_t)i), name, err));
    t->seconds = (double)t->phone[t->count - 1].end_s;
    if (json_is_number(samples) && json_is_number(rate) && json_number_value(rate) > 0)
        t->seconds = json_number_value(samples) / json_number_value(rate);
    return vx_timings_match(t, name, t->seconds, err);
}

vx_status vx_timings_match(const vx_timings *t, const char *name, double seconds, vx_error *err)
{
    double last = (double)t->phone[t->count - 1].end_s;
    if (last <= seconds + GRAIN_S) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_timings", name, 0,
                      "the timings go on to %.3f s and the sound ends at %.3f s; they belong to "
                      "another sound",
                      last, seconds);
}

vx_status vx_timings_parse(vx_timings *t, const char *name, const char *text, size_t bytes,
                           vx_error *err)
{
    json_error_t fault;
    *t = (vx_timings){0};
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_timings", name, fault.line > 0 ? fault.line : 1,
                          "the timings are no JSON: %s", fault.text);
    vx_status status = read_all(t, root, name, err);
    json_decref(root);
    if (status != VX_OK) vx_timings_free(t);
    return status;
}

vx_status vx_timings_read(vx_timings *t, const char *path, vx_error *err)
{
    char *text;
    size_t bytes;
    *t = (vx_timings){0};
    VX_TRY(vx_file_read(path, FILE_BYTES_MAX, &text, &bytes, err));
    vx_status status = vx_timings_parse(t, path, text, bytes, err);
    vx_heap_free(text);
    return status;
}
