/* vortex doctor: what this machine has, what is missing, the command that fixes it. */
#include <dirent.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "backend/backend.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "config/pack.h"
#include "engine/budget.h"
#include "text/espeak.h"

typedef enum check_state { CHECK_OK, CHECK_NOTE, CHECK_MISSING } check_state;

/* Collects the findings: printed as they come, or gathered for the JSON. */
typedef struct doctor {
    const vx_cli *cli;
    json_t *checks;
    int missing;
} doctor;

/* One finding. `fix` is the command that mends it, NULL when nothing is to be done. */
static void report(doctor *d, check_state state, const char *name, const char *fix,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

static void report(doctor *d, check_state state, const char *name, const char *fix,
                   const char *format, ...)
{
    static const char *const states[] = {"ok", "note", "missing"};
    char detail[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    d->missing += state == CHECK_MISSING;
    if (d->cli->json) {
        json_array_append_new(d->checks,
                              json_pack("{s:s, s:s, s:o, s:s?}", "name", name, "state",
                                        states[state], "detail", vx_json_text(detail), "fix", fix));
        return;
    }
    printf("%-8s %-18s %s\n", states[state], name, detail);
    if (fix != NULL) printf("%28sfix: %s\n", "", fix);
}

static vx_status check_processor(doctor *d, vx_error *err)
{
    vx_pool *pool = NULL;
    vx_backend *backend = NULL;
    VX_TRY(vx_pool_open(&pool, 0, err));
    vx_status status = vx_backend_open_device(&backend, "cpu", pool, err);
    if (status == VX_OK) {
        const vx_device *device = &backend->device;
        report(d, CHECK_OK, "processor", NULL, "%s, %d usable, %s; computes in %s", device->title,
               vx_pool_workers(pool), device->level, vx_dtype_name(backend->native));
        const char *version = strchr(device->library, ' ');
        report(d, CHECK_OK, "oneDNN", NULL, "%s", version != NULL ? version + 1 : "");
    }
    vx_backend_close(&backend);
    vx_pool_close(&pool);
    return status;
}

/* With the names that --device takes. */
static void check_devices(doctor *d)
{
    vx_found_device found[VX_FOUND_DEVICES];
    vx_error err = {0};
    int count;
    if (vx_backend_find_vulkan(found, &count, &err) != VX_OK || count == 0) {
        report(d, CHECK_NOTE, "GPU", NULL, "%s",
               err.message[0] != '\0' ? err.message : "Vulkan lists no device");
        return;
    }
    for (int i = 0; i < count; i++) {
        const vx_found_device *f = &found[i];
        char name[32];
        snprintf(name, sizeof name, "vulkan:%d", i);
        report(d, f->lacks[0] != '\0' ? CHECK_NOTE : CHECK_OK, name, NULL, "%s, %.1f GB, %s%s%s%s",
               f->name, (double)f->memory_bytes / 1e9, f->driver,
               f->software ? "; software, used when it is named" : "",
               f->lacks[0] != '\0' ? "; cannot be used, it lacks " : "", f->lacks);
    }
}

static void check_media(doctor *d)
{
    unsigned version = avcodec_version();
    bool h264 = avcodec_find_encoder_by_name("libx264") != NULL;
    bool aac = avcodec_find_encoder(AV_CODEC_ID_AAC) != NULL;
    bool fine = h264 && aac;
    report(d, fine ? CHECK_OK : CHECK_MISSING, "FFmpeg", fine ? NULL : "apt-get install ffmpeg",
           "libavcodec %u.%u.%u, %s, %s", version >> 16, version >> 8 & 255, version & 255,
           h264 ? "libx264" : "no libx264", aac ? "AAC" : "no AAC");
}

static void check_espeak(doctor *d)
{
    vx_error err = {0};
    if (vx_espeak_load(&err) == VX_OK)
        report(d, CHECK_OK, "espeak-ng", NULL, "pronounces the words that the lexicon lacks");
    else
        report(d, CHECK_NOTE, "espeak-ng", "apt-get install libespeak-ng1",
               "words that the lexicon lacks will be spelt out: %s", err.message);
}

static int count_files(const char *folder, const char *ending)
{
    DIR *stream = opendir(folder);
    int count = 0;
    struct dirent *entry;
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        size_t length = strlen(entry->d_name), tail = strlen(ending);
        count += length > tail && strcmp(entry->d_name + length - tail, ending) == 0;
    }
    if (stream != NULL) closedir(stream);
    return count;
}

static void check_speech(doctor *d, const vx_pack *pack)
{
    const vx_pack_component *kokoro = &pack->components[VX_COMPONENT_KOKORO];
    if (!kokoro->present) return;
    int voices = kokoro->voices.found ? count_files(kokoro->voices.path, ".bin") : 0;
    if (kokoro->voices.name != NULL)
        report(d, voices > 0 ? CHECK_OK : CHECK_MISSING, "voices",
               voices > 0 ? NULL : "restore the pack's voices folder", "%d in %s", voices,
               kokoro->voices.path);
    if (kokoro->lexicon.name == NULL) return;
    int lexica = kokoro->lexicon.found ? count_files(kokoro->lexicon.path, ".json") : 0;
    report(d, lexica > 0 ? CHECK_OK : CHECK_NOTE, "lexicon",
           lexica > 0 ? NULL : "vortex models pull kokoro",
           lexica > 0 ? "%d files in %s" : "%d files in %s: pronunciation is espeak-ng's alone",
           lexica, kokoro->lexicon.path);
}

/* The chosen pack and each of its components. */
static vx_status check_pack(doctor *d, bool verify)
{
    vx_pack pack;
    vx_error err = {0};
    vx_status status = vx_pack_open(&pack, d->cli->settings.pack, &err);
    if (status != VX_OK) {
        report(d, CHECK_MISSING, "pack", "vortex models list", "%s", err.message);
        return VX_OK;
    }
    report(d, CHECK_OK, "pack", NULL, "%s %s in %s, %s", pack.name, pack.version, pack.folder,
           pack.license != NULL ? pack.license : "no licence named");
    for (int i = 0; i < VX_COMPONENTS; i++) {
        const vx_pack_component *component = &pack.components[i];
        if (!component->present) continue;
        const char *name = vx_component_name(i);
        char fix[160];
        const vx_pack_component *files = vx_pack_files(&pack, i);
        snprintf(fix, sizeof fix, "vortex --pack %s models pull %s",
                 d->cli->settings.pack != NULL ? d->cli->settings.pack : pack.name,
                 component->same_as >= 0 ? vx_component_name(component->same_as) : name);
        status = vx_pack_need(&pack, i, "a slot", &err);
        if (status == VX_OK && verify) status = vx_pack_verify(&pack, i, &err);
        if (status == VX_OK)
            report(d, CHECK_OK, name, NULL, "%s%s", vx_dtype_name(component->precision),
                   verify ? ", hashes are right" : "");
        else
            report(d, CHECK_MISSING, name, files->sources.count > 0 ? fix : files->hint, "%s",
                   err.message);
    }
    check_speech(d, &pack);
    vx_pack_close(&pack);
    return VX_OK;
}

/* How much memory there is for a plan, and which limit says so. */
static void check_memory(doctor *d)
{
    vx_limits limits;
    vx_limits_read(&limits, "");
    const vx_device host = {.name = "cpu"};
    vx_budget budget = vx_budget_of(&d->cli->settings, &host, &limits);
    if (!limits.proc)
        report(d, CHECK_NOTE, "memory", "mount -t proc proc /proc",
               "there is no /proc: what a slot uses and what is free cannot be watched");
    else
        report(d, limits.free.value >= budget.hard_bytes ? CHECK_OK : CHECK_NOTE, "memory",
               limits.free.value >= budget.hard_bytes ? NULL : "end other programs",
               "%.1f GB free (%s), budget %.1f GB (%s; 'vortex plan' says what a pack needs)",
               (double)limits.free.value * 1e-9, limits.free.name, (double)budget.hard_bytes * 1e-9,
               budget.limit);
    if (limits.address.value != SIZE_MAX)
        report(d, CHECK_NOTE, "address space", "ulimit -v unlimited", "%.1f GB left of %s",
               (double)limits.address.value * 1e-9, limits.address.name);
    report(d, CHECK_OK, "processors", NULL, "%zu usable (%s)", limits.processors.value,
           limits.processors.name);
}

static void check_room(doctor *d)
{
    vx_path data;
    if (!vx_path_data(&data, "")) {
        report(d, CHECK_NOTE, "data folder", "export HOME or XDG_DATA_HOME", "none is known");
        return;
    }
    vx_path there = data;
    struct statvfs space;
    while (statvfs(there.text, &space) != 0 && strcmp(there.text, "/") != 0)
        vx_path_folder(&there, there.text);
    report(d, CHECK_OK, "data folder", NULL, "%s, %.1f GB free", data.text,
           (double)space.f_bavail * (double)space.f_frsize * 1e-9);
}

typedef struct doctor_params {
    bool verify;
} doctor_params;

static vx_status run_doctor(vx_cli *cli, void *params, vx_error *err)
{
    const doctor_params *flags = params;
    doctor d = {.cli = cli, .checks = cli->json ? json_array() : NULL};
    if (!cli->json) printf("vortex " VX_VERSION "\n");
    vx_status status = check_processor(&d, err);
    if (status == VX_OK) check_devices(&d);
    if (status == VX_OK) {
        check_media(&d);
        check_espeak(&d);
        status = check_pack(&d, flags->verify);
    }
    if (status == VX_OK) {
        check_memory(&d);
        check_room(&d);
    }
    if (status != VX_OK) {
        json_decref(d.checks);
        return status;
    }
    if (cli->json)
        VX_TRY(vx_json_print(json_pack("{s:s, s:b, s:o}", "version", VX_VERSION, "ready",
                                       d.missing == 0, "checks", d.checks),
                             err));
    if (d.missing == 0) return VX_OK;
    return vx_fail(err, VX_ERR_MISSING, "not_ready",
                   "%d thing%s missing; run the commands named as fix", d.missing,
                   d.missing == 1 ? " is" : "s are");
}

static const vx_flag doctor_flags[] = {
    VX_FLAG("verify", 0, NULL, doctor_params, verify, BOOL, "compare weights with their hashes"),
    VX_FLAGS_END,
};

const vx_command vx_command_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "what this machine has, what is missing, the command that fixes it",
    .details = "Ends with 4 when something is missing that a slot needs.\n",
    .flags = doctor_flags,
    .params_bytes = sizeof(doctor_params),
    .run = run_doctor,
};
