#include "drive/motion.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"

const vx_motion_range vx_motion_ranges[VX_MOTION_COLUMNS] = {
    [VX_YAW] = {"yaw", -60, 60, 0},        [VX_PITCH] = {"pitch", -30, 30, 0},
    [VX_ROLL] = {"roll", -20, 20, 0},      [VX_TX] = {"tx", -0.5f, 0.5f, 0},
    [VX_TY] = {"ty", -0.5f, 0.5f, 0},      [VX_SCALE] = {"scale", 0.5f, 2, 1},
    [VX_JAW] = {"jaw", 0, 1, 0},           [VX_LIP_ROUND] = {"lip_round", 0, 1, 0},
    [VX_LIP_WIDE] = {"lip_wide", 0, 1, 0}, [VX_SMILE] = {"smile", -1, 1, 0},
    [VX_BLINK_L] = {"blink_l", 0, 1, 0},   [VX_BLINK_R] = {"blink_r", 0, 1, 0},
    [VX_BROW] = {"brow", -1, 1, 0},        [VX_GAZE_X] = {"gaze_x", -1, 1, 0},
    [VX_GAZE_Y] = {"gaze_y", -1, 1, 0},
};

/* A minute of 240 rows a second is 4 MB of JSON. */
enum { FILE_BYTES_MAX = 128 << 20, LINE_MAX = 1024 };

vx_pose vx_pose_rest(void)
{
    vx_pose pose;
    for (int c = 0; c < VX_MOTION_COLUMNS; c++)
        pose.value[c] = vx_motion_ranges[c].rest;
    return pose;
}

void vx_motion_free(vx_motion_table *motion)
{
    vx_heap_free(motion->pose);
    *motion = (vx_motion_table){0};
}

/* ---- reading -------------------------------------------------------------------------------- */

static vx_status bad(vx_error *err, const char *name, int line, const char *what)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_motion", name, line, "%s", what);
}

static int column_named(const char *name)
{
    for (int c = 0; c < VX_MOTION_COLUMNS; c++)
        if (strcmp(vx_motion_ranges[c].name, name) == 0) return c;
    return -1;
}

static vx_status set(vx_pose *pose, int column, double value, int64_t frame, const char *name,
                     int line, vx_error *err)
{
    const vx_motion_range *range = &vx_motion_ranges[column];
    char what[160];
    /* Bounds are floats; written as decimals they may come back a rounding above. */
    if (!((float)value >= range->least && (float)value <= range->most)) {
        snprintf(what, sizeof what, "frame %lld of the motion: %s is %g and goes from %g to %g",
                 (long long)frame, range->name, value, (double)range->least, (double)range->most);
        return bad(err, name, line, what);
    }
    pose->value[column] = (float)value;
    return VX_OK;
}

/* Rows stand on the grid of the frame rate; a row that is elsewhere was left out or added. */
static vx_status check_time(double t, int64_t frame, double fps, const char *name, int line,
                            vx_error *err)
{
    char what[160];
    if (fabs(t - (double)frame / fps) <= 0.5 / fps) return VX_OK;
    snprintf(what, sizeof what,
             "frame %lld of the motion is at %g s; at %g frames a second it is %g s",
             (long long)frame, t, fps, (double)frame / fps);
    return bad(err, name, line, what);
}

static vx_status take(vx_motion_table *motion, double fps, int64_t count, const char *name,
                      vx_error *err)
{
    char what[160];
    if (!(fps >= 1 && fps <= VX_MOTION_FPS_MAX))
        return bad(err, name, 0, "the motion's fps is not from 1 to 240");
    if (count < 1 || count > VX_MOTION_FRAMES_MAX) {
        snprintf(what, sizeof what, "the motion has %lld frames; 1 to %d are possible",
                 (long long)count, VX_MOTION_FRAMES_MAX);
        return bad(err, name, 0, what);
    }
    motion->pose = vx_heap_alloc(sizeof *motion->pose * (size_t)count);
    if (motion->pose == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a motion of %lld frames",
                       (long long)count);
    motion->fps = fps;
    motion->count = count;
    return VX_OK;
}

static vx_status read_frame(vx_motion_table *motion, int64_t i, const json_t *row, const char *name,
                            vx_error *err)
{
    const char *key;
    json_t *value;
    char what[160];
    if (!json_is_object(row)) return bad(err, name, 0, "a frame of the motion is no object");
    motion->pose[i] = vx_pose_rest();
    json_object_foreach((json_t *)row, key, value)
    {
        int column = column_named(key);
        bool time = strcmp(key, "t_s") == 0;
        if ((column < 0 && !time) || !json_is_number(value)) {
            snprintf(what, sizeof what, "frame %lld of the motion: \"%.40s\" is no %s",
                     (long long)i, key, column < 0 && !time ? "column" : "number");
            return bad(err, name, 0, what);
        }
        double number = json_number_value(value);
        VX_TRY(time ? check_time(number, i, motion->fps, name, 0, err)
                    : set(&motion->pose[i], column, number, i, name, 0, err));
    }
    return VX_OK;
}

static vx_status read_document(vx_motion_table *motion, const json_t *root, const char *name,
                               vx_error *err)
{
    const char *key;
    json_t *value;
    const json_t *fps = json_object_get(root, "fps"), *frames = json_object_get(root, "frames");
    json_object_foreach((json_t *)root, key, value)
    {
        if (value != fps && value != frames)
            return bad(err, name, 0, "a motion has fps and frames and no other key");
    }
    if (!json_is_number(fps) || !json_is_array(frames))
        return bad(err, name, 0, "a motion needs fps, a number, and frames, a list");
    VX_TRY(take(motion, json_number_value(fps), (int64_t)json_array_size(frames), name, err));
    for (int64_t i = 0; i < motion->count; i++)
        VX_TRY(read_frame(motion, i, json_array_get(frames, (size_t)i), name, err));
    return VX_OK;
}

static vx_status parse_json(vx_motion_table *motion, const char *name, const char *text,
                            size_t bytes, vx_error *err)
{
    json_error_t fault;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL) return bad(err, name, fault.line > 0 ? fault.line : 1, fault.text);
    vx_status status = json_is_object(root) ? read_document(motion, root, name, err)
                                            : bad(err, name, 1, "a motion is a JSON object");
    json_decref(root);
    return status;
}

/* One line of the file without its end; false at the end of the text. */
static bool next_line(const char **at, const char *end, char line[LINE_MAX])
{
    if (*at >= end) return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t length = (size_t)((stop != NULL ? stop : end) - *at);
    size_t kept = length < LINE_MAX ? length : LINE_MAX - 1;
    memcpy(line, *at, kept);
    line[kept] = '\0';
    if (kept > 0 && line[kept - 1] == '\r') line[kept - 1] = '\0';
    *at = stop != NULL ? stop + 1 : end;
    return true;
}

static char *trim(char *cell)
{
    while (isspace((unsigned char)*cell))
        cell++;
    char *stop = cell + strlen(cell);
    while (stop > cell && isspace((unsigned char)stop[-1]))
        *--stop = '\0';
    return cell;
}

enum { TIME_COLUMN = -2, COLUMNS_MAX = VX_MOTION_COLUMNS + 1 };

static vx_status read_header(char *line, int column[COLUMNS_MAX], int *columns, const char *name,
                             vx_error *err)
{
    char *rest = line, *cell;
    char what[160];
    *columns = 0;
    while ((cell = strsep(&rest, ",")) != NULL) {
        cell = trim(cell);
        int c = strcmp(cell, "t_s") == 0 ? TIME_COLUMN : column_named(cell);
        bool twice = false;
        for (int i = 0; i < *columns; i++)
            twice |= column[i] == c;
        if (c == -1 || twice) {
            snprintf(what, sizeof what, "\"%.40s\" is no column of a motion%s", cell,
                     twice ? " for a second time" : "");
            return bad(err, name, 1, what);
        }
        column[(*columns)++] = c;
    }
    if (column[0] != TIME_COLUMN)
        return bad(err, name, 1, "a motion in CSV begins with the column t_s");
    return VX_OK;
}

static vx_status read_cells(char *line, const int *column, int columns, int64_t frame, int number,
                            vx_pose *pose, double *t, const char *name, vx_error *err)
{
    char *rest = line, *cell;
    int i = 0;
    *pose = vx_pose_rest();
    for (; (cell = strsep(&rest, ",")) != NULL && i < columns; i++) {
        char *stop;
        cell = trim(cell);
        double value = strtod(cell, &stop);
        if (*cell == '\0' || *stop != '\0' || !isfinite(value))
            return bad(err, name, number, "a cell of the motion is no number");
        if (column[i] == TIME_COLUMN)
            *t = value;
        else
            VX_TRY(set(pose, column[i], value, frame, name, number, err));
    }
    if (i < columns || cell != NULL)
        return bad(err, name, number, "the row has not as many cells as the header");
    return VX_OK;
}

/* The frame rate is what the times say; whole numbers are meant where they are near. */
static double rate_of(double first, double last, int64_t count)
{
    if (count < 2 || !(last > first)) return 24;
    double fps = (double)(count - 1) / (last - first);
    return fabs(fps - round(fps)) < 1e-3 ? round(fps) : fps;
}

static vx_status parse_csv(vx_motion_table *motion, const char *name, const char *text,
                           size_t bytes, vx_error *err)
{
    const char *at = text, *end = text + bytes;
    char line[LINE_MAX];
    int column[COLUMNS_MAX], columns, number = 1;
    int64_t rows = 0;
    double t = 0, first = 0;
    vx_pose pose;
    if (memchr(text, '\0', bytes) != NULL) return bad(err, name, 1, "a motion is JSON or CSV text");
    if (!next_line(&at, end, line)) return bad(err, name, 1, "the motion is empty");
    VX_TRY(read_header(line, column, &columns, name, err));
    const char *body = at;
    for (number = 2; next_line(&at, end, line); number++) {
        if (*trim(line) == '\0') continue;
        VX_TRY(read_cells(line, column, columns, rows, number, &pose, &t, name, err));
        if (rows++ == 0) first = t;
    }
    VX_TRY(take(motion, rate_of(first, t, rows), rows, name, err));
    at = body;
    rows = 0;
    for (number = 2; next_line(&at, end, line); number++) {
        if (*trim(line) == '\0') continue;
        VX_TRY(read_cells(line, column, columns, rows, number, &motion->pose[rows], &t, name, err));
        VX_TRY(check_time(t, rows, motion->fps, name, number, err));
        rows++;
    }
    return VX_OK;
}

vx_status vx_motion_parse(vx_motion_table *motion, const char *name, const char *text, size_t bytes,
                          vx_error *err)
{
    size_t at = 0;
    *motion = (vx_motion_table){0};
    while (at < bytes && isspace((unsigned char)text[at]))
        at++;
    vx_status status = at < bytes && text[at] == '{' ? parse_json(motion, name, text, bytes, err)
                                                     : parse_csv(motion, name, text, bytes, err);
    if (status != VX_OK) vx_motion_free(motion);
    return status;
}

vx_status vx_motion_read(vx_motion_table *motion, const char *path, vx_error *err)
{
    char *text;
    size_t bytes;
    *motion = (vx_motion_table){0};
    VX_TRY(vx_file_read(path, FILE_BYTES_MAX, &text, &bytes, err));
    vx_status status = vx_motion_parse(motion, path, text, bytes, err);
    vx_heap_free(text);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* As few digits as say the float exactly; nine always do. */
static int print_number(char *out, size_t room, float value)
{
    int n = 0;
    for (int digits = 5; digits <= 9; digits++) {
        n = snprintf(out, room, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value) break;
    }
    return n;
}

static vx_status write_row(vx_outfile *file, const vx_motion_table *motion, int64_t i, bool csv,
                           vx_error *err)
{
    char row[LINE_MAX];
    int n = snprintf(row, sizeof row, csv ? "%.6f" : "    {\"t_s\": %.6f", (double)i / motion->fps);
    for (int c = 0; c < VX_MOTION_COLUMNS; c++) {
        if (csv)
            n += snprintf(row + n, sizeof row - (size_t)n, ",");
        else
            n += snprintf(row + n, sizeof row - (size_t)n, ", \"%s\": ", vx_motion_ranges[c].name);
        n += print_number(row + n, sizeof row - (size_t)n, motion->pose[i].value[c]);
    }
    const char *stop = csv ? "\n" : i + 1 < motion->count ? "},\n" : "}\n";
    n += snprintf(row + n, sizeof row - (size_t)n, "%s", stop);
    return vx_outfile_write(file, row, (size_t)n, err);
}

static vx_status write_all(vx_outfile *file, const vx_motion_table *motion, bool csv, vx_error *err)
{
    char head[LINE_MAX];
    int n = snprintf(head, sizeof head, csv ? "t_s" : "{\"fps\": %.9g,\n  \"frames\": [\n",
                     motion->fps);
    for (int c = 0; c < VX_MOTION_COLUMNS && csv; c++)
        n += snprintf(head + n, sizeof head - (size_t)n, ",%s", vx_motion_ranges[c].name);
    if (csv) n += snprintf(head + n, sizeof head - (size_t)n, "\n");
    VX_TRY(vx_outfile_write(file, head, (size_t)n, err));
    for (int64_t i = 0; i < motion->count; i++)
        VX_TRY(write_row(file, motion, i, csv, err));
    return csv ? VX_OK : vx_outfile_write(file, "  ]}\n", 5, err);
}

vx_status vx_motion_write(const vx_motion_table *motion, const char *path, vx_error *err)
{
    vx_outfile file;
    const char *dot = strrchr(path, '.');
    bool csv = dot != NULL && strcasecmp(dot, ".csv") == 0;
    VX_TRY(vx_outfile_open(&file, path, err));
    vx_status status = write_all(&file, motion, csv, err);
    if (status == VX_OK) return vx_outfile_commit(&file, err);
    vx_outfile_abort(&file);
    return status;
}
