#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

void vx_progress_start(vx_progress *progress, bool quiet, const char *label, const char *unit)
{
    *progress = (vx_progress){.shown = !quiet && isatty(STDERR_FILENO),
                              .bytes = unit == NULL,
                              .label = label,
                              .unit = unit,
                              .start_s = -1};
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col < 200 ? size.ws_col : 200;
}

/* "1:02:03" or "4:05". */
static void put_time(char *text, size_t room, double seconds)
{
    long s = seconds < 359999 ? (long)(seconds + 0.5) : 359999;
    if (s >= 3600)
        snprintf(text, room, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, room, "%ld:%02ld", s / 60, s % 60);
}

/* Appends to a text of `room` bytes; cuts rather than overflows. */
static void put(char *text, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, room - used, format, args);
    va_end(args);
}

/* What stands right of the bar: share, amount, rate, time left. */
static void put_figures(const vx_progress *progress, uint64_t done, uint64_t total, double now_s,
                        char *text, size_t room)
{
    double scale = progress->bytes ? 1e-6 : 1, spent = now_s - progress->start_s;
    const char *unit = progress->bytes ? "MB" : progress->unit;
    double rate = spent > 0.2 ? (double)(done - progress->first) / spent : 0;
    text[0] = '\0';
    if (total > 0) put(text, room, " %3.0f %%", 100.0 * (double)done / (double)total);
    if (unit[0] != '\0') {
        put(text, room, "  %.*f", progress->bytes, (double)done * scale);
        if (total > 0) put(text, room, "/%.*f", progress->bytes, (double)total * scale);
        put(text, room, " %s", unit);
        if (rate > 0) put(text, room, "  %.1f %s/s", rate * scale, unit);
    }
    if (rate <= 0 || total <= done) return;
    char left[24];
    put_time(left, sizeof left, (double)(total - done) / rate);
    put(text, room, "  %s left", left);
}

void vx_progress_update(vx_progress *progress, uint64_t done, uint64_t total)
{
    if (!progress->shown) return;
    double now_s = vx_now_s();
    if (progress->start_s < 0) {
        progress->start_s = now_s;
        progress->first = done;
    } else if (now_s - progress->drawn_s < 0.1 && (total == 0 || done < total)) {
        return;
    }
    progress->drawn_s = now_s;
    char figures[120], line[512], bar[64] = "";
    put_figures(progress, done, total, now_s, figures, sizeof figures);
    int columns = terminal_columns();
    int width = columns - (int)strlen(figures) - (int)strlen(progress->label) - 4;
    if (total > 0 && width >= 8) {
        if (width > 40) width = 40;
        int filled = (int)((double)width * (double)done / (double)total);
        for (int i = 0; i < width; i++)
            bar[i] = i < filled ? '#' : '.';
        bar[width] = '\0';
    }
    int length = snprintf(line, sizeof line, "%s%s%s%s%s", progress->label, bar[0] ? " [" : "", bar,
                          bar[0] ? "]" : "", figures);
    if (length > columns - 1) line[columns - 1] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

void vx_progress_end(vx_progress *progress)
{
    if (progress->shown && progress->start_s >= 0) fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
