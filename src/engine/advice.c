/* Settings that make a plan smaller, from what costs a slot least to what costs it most. Each is
 * tried alone, then together; a number is lowered no further than it has to be. */
#include "engine/advice.h"

#include <stdarg.h>
#include <stdio.h>

/* Values of the setting flux.modulations (config/settings.c). */
enum { RESIDENT, STREAMED };

/* A setting that may be larger than it need be. */
typedef struct saving {
    int64_t least, step; /* its smallest value; the others lie so apart */
    int64_t (*get)(const vx_engine_params *params); /* what the plan was made with */
    void (*set)(vx_engine_params *params, vx_settings *settings, int64_t value);
} saving;

static int64_t modulations(const vx_engine_params *p)
{
    return p->settings->flux_modulations == RESIDENT;
}

static void set_modulations(vx_engine_params *p, vx_settings *s, int64_t resident)
{
    (void)p;
    s->flux_modulations = resident ? RESIDENT : STREAMED;
}

static int64_t depth(const vx_engine_params *p)
{
    return p->sets > 0 ? p->sets : p->settings->pipeline_depth;
}

static void set_depth(vx_engine_params *p, vx_settings *s, int64_t sets)
{
    p->sets = 0;
    s->pipeline_depth = sets;
}

static int64_t encoder(const vx_engine_params *p)
{
    return p->image_to_image && p->settings->flux_encoder;
}

static void set_encoder(vx_engine_params *p, vx_settings *s, int64_t there)
{
    p->image_to_image = s->flux_encoder = there != 0;
}

static int64_t side_seconds(const vx_engine_params *p)
{
    return p->side ? (int64_t)p->side_seconds : 0;
}

static void set_side_seconds(vx_engine_params *p, vx_settings *s, int64_t longest)
{
    p->side_seconds = s->side_seconds = (double)longest;
}

static int64_t lanes(const vx_engine_params *p)
{
    return p->side ? 2 : 1;
}

static void set_lanes(vx_engine_params *p, vx_settings *s, int64_t count)
{
    s->lanes = count;
    p->side = p->side && count > 1;
    if (!p->side) p->side_seconds = 0;
}

static int64_t speech_frames(const vx_engine_params *p)
{
    return p->settings->frames_max;
}

static void set_speech_frames(vx_engine_params *p, vx_settings *s, int64_t frames)
{
    (void)p;
    s->frames_max = frames;
}

static int64_t seconds(const vx_engine_params *p)
{
    return (int64_t)(p->settings->slot_seconds > 0 ? p->settings->slot_seconds
                                                   : p->pack->max_seconds);
}

static void set_seconds(vx_engine_params *p, vx_settings *s, int64_t longest)
{
    (void)p;
    s->slot_seconds = (double)longest;
}

static int64_t width(const vx_engine_params *p)
{
    return p->settings->slot_width > 0 ? p->settings->slot_width : p->pack->width;
}

static int64_t height(const vx_engine_params *p)
{
    return p->settings->slot_height > 0 ? p->settings->slot_height : p->pack->height;
}

/* The film keeps its shape, in the steps that the settings allow. */
static void set_height(vx_engine_params *p, vx_settings *s, int64_t high)
{
    int64_t wide = width(p) * high / height(p) / 16 * 16;
    s->slot_width = wide < 64 ? 64 : wide;
    s->slot_height = high;
}

enum { MODULATIONS, DEPTH, SIDE_SECONDS, SPEECH_FRAMES, ENCODER, LANES, SECONDS, SIZE, SAVINGS };

/* Speech frames are of 25 ms. */
static const saving savings[SAVINGS] = {
    [MODULATIONS] = {0, 1, modulations, set_modulations},
    [DEPTH] = {1, 1, depth, set_depth},
    [SIDE_SECONDS] = {30, 10, side_seconds, set_side_seconds},
    [SPEECH_FRAMES] = {80, 40, speech_frames, set_speech_frames},
    [ENCODER] = {0, 1, encoder, set_encoder},
    [LANES] = {1, 1, lanes, set_lanes},
    [SECONDS] = {5, 1, seconds, set_seconds},
    [SIZE] = {128, 16, height, set_height}};

/* A plan that is looked for: the settings as they are but for those that have a value. */
typedef struct search {
    const vx_engine_params *params;
    const char *device;
    const vx_limits *limits;
    vx_settings settings;
    int64_t value[SAVINGS]; /* -1: as it is */
    vx_plan plan;
} search;

/* Plans with the values; whether that fits. */
static bool fits(search *s)
{
    vx_engine_params params = *s->params;
    s->settings = *s->params->settings;
    params.settings = &s->settings;
    for (int i = 0; i < SAVINGS; i++)
        if (s->value[i] >= 0) savings[i].set(&params, &s->settings, s->value[i]);
    return vx_engine_plan(&params, s->device, &s->plan, NULL) == VX_OK &&
           vx_plan_check(&s->plan, s->limits, NULL) == VX_OK;
}

/* Gives a setting its smallest value; false, and it is as before, where it has no larger one or
 * nothing gets smaller by it. */
static bool lower(search *s, int i)
{
    size_t before = s->plan.total_bytes;
    if (savings[i].get(s->params) <= savings[i].least) return false;
    s->value[i] = savings[i].least;
    (void)fits(s);
    if (s->plan.total_bytes < before) return true;
    s->value[i] = -1;
    (void)fits(s);
    return false;
}

/* The largest value of a setting whose smallest one is enough. */
static void raise(search *s, int i)
{
    const saving *what = &savings[i];
    int64_t enough = 0, most = (what->get(s->params) - 1 - what->least) / what->step;
    while (enough < most) {
        int64_t middle = (enough + most + 1) / 2;
        s->value[i] = what->least + middle * what->step;
        if (fits(s))
            enough = middle;
        else
            most = middle - 1;
    }
    s->value[i] = what->least + enough * what->step;
}

/* Looks for the values; false when there are none. */
static bool find(search *s)
{
    int last = -1;
    for (int i = 0; i < SAVINGS && last < 0; i++) { /* one alone */
        memset(s->value, -1, sizeof s->value);
        (void)fits(s);
        if (lower(s, i) && vx_plan_check(&s->plan, s->limits, NULL) == VX_OK) last = i;
    }
    if (last < 0) memset(s->value, -1, sizeof s->value);
    if (last < 0) (void)fits(s);
    for (int i = 0; i < SAVINGS && last < 0; i++) /* as many as it takes */
        if (lower(s, i) && vx_plan_check(&s->plan, s->limits, NULL) == VX_OK) last = i;
    if (last < 0) return false;
    for (int i = 0; i < last; i++) { /* of which not all need be necessary */
        int64_t value = s->value[i];
        s->value[i] = -1;
        if (!fits(s)) s->value[i] = value;
    }
    raise(s, last);
    return fits(s);
}

__attribute__((format(printf, 2, 3))) static void put(char text[VX_ADVICE_BYTES],
                                                      const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    if (used > 0) used += (size_t)snprintf(text + used, VX_ADVICE_BYTES - used, ", ");
    if (used < VX_ADVICE_BYTES) vsnprintf(text + used, VX_ADVICE_BYTES - used, format, args);
    va_end(args);
}

/* The settings that have values, as they are written in vortex.yaml. */
static void list(const search *s, char text[VX_ADVICE_BYTES])
{
    const int64_t *v = s->value;
    text[0] = '\0';
    if (v[MODULATIONS] >= 0) put(text, "flux.modulations: streamed");
    if (v[DEPTH] >= 0) put(text, "pipeline_depth: %lld", (long long)v[DEPTH]);
    if (v[SIDE_SECONDS] >= 0) put(text, "speech.max_seconds: %lld", (long long)v[SIDE_SECONDS]);
    if (v[SPEECH_FRAMES] >= 0) put(text, "kokoro.frames_max: %lld", (long long)v[SPEECH_FRAMES]);
    if (v[ENCODER] >= 0) put(text, "flux.encoder: false");
    if (v[LANES] >= 0) put(text, "lanes: 1");
    if (v[SECONDS] >= 0) put(text, "slot.max_seconds: %lld", (long long)v[SECONDS]);
    if (v[SIZE] >= 0)
        put(text, "slot.width: %lld, slot.height: %lld", (long long)s->settings.slot_width,
            (long long)s->settings.slot_height);
}

void vx_plan_advise(const vx_engine_params *params, const char *device, const vx_limits *limits,
                    vx_plan *plan)
{
    char text[VX_ADVICE_BYTES];
    if (vx_plan_check(plan, limits, NULL) == VX_OK) return;
    search *s = vx_heap_alloc(sizeof *s);
    if (s == NULL) return;
    *s = (search){.params = params, .device = device, .limits = limits};
    if (find(s)) {
        list(s, text);
        snprintf(plan->advice, sizeof plan->advice,
                 "set %s, which saves %.1f MB and makes it %.1f MB", text,
                 (double)(plan->total_bytes - s->plan.total_bytes) / 1e6,
                 (double)s->plan.total_bytes / 1e6);
    }
    vx_heap_free(s);
}
