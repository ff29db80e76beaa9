#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quiet.h"

static atomic_int log_level = VX_LOG_WARN;
static int log_json = -1; /* -1: JSON unless stderr is a terminal */
static _Thread_local char scope_slot[80], scope_stage[32];

static pthread_mutex_t sink_lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards both, and is held in a call */
static vx_log_sink log_sink;
static void *log_sink_arg;
static _Thread_local bool in_sink;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void vx_log_setup(vx_log_level level, bool json)
{
    vx_log_set_level(level);
    log_json = json;
}

void vx_log_set_level(vx_log_level level)
{
    atomic_store(&log_level, (int)level);
}

bool vx_log_enabled(vx_log_level level)
{
    return (int)level <= atomic_load(&log_level);
}

void vx_log_take(vx_log_sink sink, void *arg)
{
    pthread_mutex_lock(&sink_lock);
    log_sink = sink;
    log_sink_arg = arg;
    pthread_mutex_unlock(&sink_lock);
}

void vx_log_give_back(vx_log_sink sink, void *arg)
{
    pthread_mutex_lock(&sink_lock);
    if (log_sink == sink && log_sink_arg == arg) log_sink = NULL;
    pthread_mutex_unlock(&sink_lock);
}

/* Whether somebody takes the lines. */
static bool tell_sink(vx_log_level level, const char *message)
{
    if (in_sink) return true;
    vx_log_line line = {level, message, scope_slot, scope_stage};
    pthread_mutex_lock(&sink_lock);
    bool taken = log_sink != NULL;
    in_sink = true;
    if (taken) log_sink(log_sink_arg, &line);
    in_sink = false;
    pthread_mutex_unlock(&sink_lock);
    return taken;
}

void vx_log_scope(const char *slot, const char *stage)
{
    snprintf(scope_slot, sizeof scope_slot, "%s", slot ? slot : "");
    snprintf(scope_stage, sizeof scope_stage, "%s", stage ? stage : "");
}

/* Appends `text` as the inside of a JSON string; cuts rather than overflows. Bytes over 0x7F pass
 * through: messages are made from validated UTF-8. */
static size_t put_escaped(char *line, size_t at, size_t room, const char *text)
{
    for (; *text != '\0' && at + 7 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            line[at++] = '\\';
            line[at++] = (char)c;
        } else if (c < 0x20 || c == 0x7F) {
            at += (size_t)snprintf(line + at, room - at, "\\u%04x", c);
        } else {
            line[at++] = (char)c;
        }
    }
    line[at] = '\0';
    return at;
}

static size_t put_field(char *line, size_t at, size_t room, const char *name, const char *value)
{
    if (value[0] == '\0' || at + strlen(name) + 8 >= room) return at;
    at += (size_t)snprintf(line + at, room - at, ",\"%s\":\"", name);
    at = put_escaped(line, at, room - 2, value);
    line[at++] = '"';
    return at;
}

static void write_line(vx_log_level level, const char *format, va_list args)
{
    char message[1024], line[2048];
    vsnprintf(message, sizeof message, format, args);
    if (tell_sink(level, message)) return;
    bool json = log_json < 0 ? !isatty(STDERR_FILENO) : log_json != 0;
    size_t room = sizeof line - 32, at;
    if (json) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        at = (size_t)snprintf(line, room, "{\"ts\":%lld.%03ld,\"level\":\"%s\"",
                              (long long)now.tv_sec, now.tv_nsec / 1000000, level_names[level]);
        at = put_field(line, at, room, "msg", message);
        at = put_field(line, at, room, "slot", scope_slot);
        at = put_field(line, at, room, "stage", scope_stage);
        at += (size_t)snprintf(line + at, sizeof line - at, ",\"memory_bytes\":%zu}\n",
                               vx_rss_bytes());
    } else {
        at = (size_t)snprintf(line, room, "%s: ", level_names[level]);
        at = put_escaped(line, at, room - 2, message);
        line[at++] = '\n';
    }
    /* One write per line, so that lines of several threads do not mix. */
    vx_quiet quiet;
    vx_quiet_begin(&quiet);
    ssize_t written = write(STDERR_FILENO, line, at);
    (void)written;
    vx_quiet_end(&quiet);
}

void vx_log(vx_log_level level, const char *format, ...)
{
    va_list args;
    if (!vx_log_enabled(level)) return;
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}

void vx_log_always(const char *format, ...)
{
    va_list args;
    if (!vx_log_enabled(VX_LOG_WARN)) return;
    va_start(args, format);
    write_line(VX_LOG_INFO, format, args);
    va_end(args);
}
