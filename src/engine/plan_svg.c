/* The plan as a drawing. Everything has a title, so that a browser shows its
 * figures under the pointer. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/plan.h"

enum {
    WIDTH = 900,
    TOP = 70,
    COLUMN_X = 60,
    COLUMN_WIDTH = 220,
    COLUMN_HEIGHT = 640, /* of the larger of total and hard limit */
    LABEL_X = COLUMN_X + COLUMN_WIDTH + 40,
    LABEL_STEP = 15, /* so that labels of thin regions don't overlap */
    LANES_TOP = TOP + COLUMN_HEIGHT + 60,
    LANE_HEIGHT = 34,
    LANES_X = 120,
    LANES_WIDTH = WIDTH - LANES_X - 30,
    HEIGHT = LANES_TOP + 2 * LANE_HEIGHT + 60
};

static const char *const kind_names[] = {"buffer", "workspace", "weights", "overhead"};
static const char *const kind_colours[] = {"#d9a441", "#5b9e8f", "#5a7bb0", "#9a9a9a"};

/* XML's five; names are ours or a pack's, of any text. */
static void put(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
    }
}

static void put_limit(FILE *out, const char *name, size_t bytes, double scale)
{
    double y = TOP + COLUMN_HEIGHT - (double)bytes * scale;
    fprintf(out,
            "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#b03030\" "
            "stroke-dasharray=\"5 3\"/>\n"
            "<text x=\"%d\" y=\"%.1f\" fill=\"#b03030\" text-anchor=\"end\">%s</text>\n",
            COLUMN_X - 12, y, COLUMN_X + COLUMN_WIDTH + 12, y, COLUMN_X - 14, y + 4, name);
}

static void put_region(FILE *out, const vx_region *r, double y, double height, double label_y)
{
    fprintf(out,
            "<g><title>%s %s: %zu bytes</title><rect x=\"%d\" y=\"%.2f\" width=\"%d\" "
            "height=\"%.2f\" fill=\"%s\" stroke=\"#fff\" stroke-width=\"0.5\"/>\n",
            kind_names[r->kind], r->name, r->bytes, COLUMN_X, y, COLUMN_WIDTH, height,
            kind_colours[r->kind]);
    fprintf(out,
            "<polyline points=\"%d,%.1f %d,%.1f %d,%.1f\" fill=\"none\" stroke=\"#aaa\"/>"
            "<text x=\"%d\" y=\"%.1f\">",
            COLUMN_X + COLUMN_WIDTH, y + height / 2, LABEL_X - 20, label_y, LABEL_X - 4, label_y,
            LABEL_X, label_y + 4);
    put(out, r->component);
    fputs(": ", out);
    put(out, r->name);
    fprintf(out, ", %.1f MB</text></g>\n", (double)r->bytes / 1e6);
}

/* The first region lies at the bottom, as addresses rise. */
static void put_memory(FILE *out, const vx_plan *plan)
{
    size_t most =
        plan->total_bytes > plan->budget.hard_bytes ? plan->total_bytes : plan->budget.hard_bytes;
    double scale = COLUMN_HEIGHT / (double)most, y = TOP + COLUMN_HEIGHT;
    double label_y = TOP + COLUMN_HEIGHT + LABEL_STEP;
    fprintf(out,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#f2f2f2\" "
            "stroke=\"#888\"/>\n",
            COLUMN_X, TOP, COLUMN_WIDTH, COLUMN_HEIGHT);
    for (int i = 0; i < plan->region_count; i++) {
        const vx_region *r = &plan->region[i];
        if (r->bytes == 0) continue;
        double height = (double)r->bytes * scale, middle = y - height / 2;
        y -= height;
        label_y = middle < label_y - LABEL_STEP ? middle : label_y - LABEL_STEP;
        put_region(out, r, y, height, label_y);
    }
    put_limit(out, "soft", plan->budget.soft_bytes, scale);
    put_limit(out, "hard", plan->budget.hard_bytes, scale);
}

static double lane_s(const vx_plan *plan, int lane)
{
    double seconds = 0;
    for (int i = 0; i < plan->stage_count; i++)
        if (plan->stage[i].lane == lane) seconds += plan->stage[i].projected_s;
    return seconds;
}

static void put_lane(FILE *out, const vx_plan *plan, int lane, double scale)
{
    static const char *const names[] = {"audio lane", "picture lane"};
    double x = LANES_X;
    int y = LANES_TOP + lane * LANE_HEIGHT;
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LANES_X - 8,
            y + LANE_HEIGHT / 2 + 2, names[lane]);
    for (int i = 0; i < plan->stage_count; i++) {
        const vx_stage *s = &plan->stage[i];
        if (s->lane != lane) continue;
        double width = s->projected_s * scale;
        fprintf(out,
                "<g><title>%s: %.3f s projected, %.3f s roofline, %.1f GFLOP</title>"
                "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\" "
                "stroke=\"#fff\"/>",
                s->name, s->projected_s, s->roofline_s, s->counts.flops / 1e9, x, y, width,
                LANE_HEIGHT - 8, lane == 0 ? "#d9a441" : "#5a7bb0");
        if (width > 8.0 * (double)strlen(s->name))
            fprintf(out, "<text x=\"%.1f\" y=\"%d\" fill=\"#fff\">%s</text>", x + 4,
                    y + LANE_HEIGHT / 2 + 2, s->name);
        fputs("</g>\n", out);
        x += width;
    }
    fprintf(out, "<text x=\"%.1f\" y=\"%d\">%.2f s</text>\n", x + 4, y + LANE_HEIGHT / 2 + 2,
            lane_s(plan, lane));
}

static void put_lanes(FILE *out, const vx_plan *plan)
{
    double longest = lane_s(plan, 0) > lane_s(plan, 1) ? lane_s(plan, 0) : lane_s(plan, 1);
    if (longest <= 0) return;
    fprintf(out, "<text x=\"%d\" y=\"%d\">Each stage once, at its largest, projected:</text>\n",
            COLUMN_X, LANES_TOP - 14);
    for (int lane = 0; lane < 2; lane++)
        put_lane(out, plan, lane, (LANES_WIDTH - 80) / longest);
}

char *vx_plan_svg(const vx_plan *plan, const char *title)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return NULL;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"28\" font-size=\"18\">",
            WIDTH, HEIGHT, WIDTH, HEIGHT, COLUMN_X);
    put(out, title);
    fprintf(out, "</text>\n<text x=\"%d\" y=\"48\">%.1f MB of %.1f MB on ", COLUMN_X,
            (double)plan->total_bytes / 1e6, (double)plan->budget.hard_bytes / 1e6);
    put(out, plan->device.title);
    fprintf(out, ": %s</text>\n",
            plan->total_bytes <= plan->budget.hard_bytes ? "fits" : "does not fit");
    put_memory(out, plan);
    put_lanes(out, plan);
    fputs("</svg>\n", out);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
