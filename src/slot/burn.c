#include "slot/burn.h"

#include <math.h>
#include <string.h>

#include "base/warnings.h"
#include "media/draw.h"

/* The largest letters: of the picture's height, and in pixels. */
static const double LETTERS = 1.0 / 18, LARGEST = 48;
/* Of the picture's height, what stays free below. */
static const double BELOW = 0.05;
/* Of the picture's width, for the widest line and its box. */
static const double SAFE = 0.9;
/* Of the letters: from one line to the next, and how far a box stands out on either side. */
static const double LINE = 1.25, BESIDE = 0.3;
/* In pixels: what laying a line on whole ones may add to it, and letters that are hard to read. */
enum { ROUNDED = 2, LEGIBLE = 12 };

static const uint32_t PAPER = 0x000000, INK = 0xFFFFFF;
enum { OPACITY = 166 }; /* of the box: letters keep a contrast of 7 to 1 over white */

size_t vx_burn_bytes(void)
{
    return vx_letters_bytes(LARGEST);
}

/* A cue's first line, and its second one, or NULL. The text is cut in place. */
static char *second_line_of(vx_caption *cue)
{
    char *end = strchr(cue->text, '\n');
    if (end == NULL) return NULL;
    *end = '\0';
    return end + 1;
}

static double size_for(const vx_spoken *spoken, const vx_font *font, int width, int height)
{
    double size = fmin(LETTERS * height, LARGEST);
    vx_captions captions = vx_captions_of(spoken);
    vx_caption cue;
    while (vx_captions_next(&captions, &cue)) {
        const char *line[2] = {cue.text, second_line_of(&cue)};
        for (int i = 0; i < 2 && line[i] != NULL; i++)
            size =
                fmin(size, (SAFE * width - ROUNDED) / (vx_font_width(font, line[i]) + 2 * BESIDE));
    }
    return size;
}

static vx_status add_letters(vx_burn *burn, const vx_spoken *spoken, vx_font *font, vx_error *err)
{
    vx_captions captions = vx_captions_of(spoken);
    vx_caption cue;
    vx_status status = VX_OK;
    while (status == VX_OK && vx_captions_next(&captions, &cue))
        status = vx_letters_add(&burn->letters, font, cue.text, err);
    return status;
}

vx_status vx_burn_open(vx_burn *burn, const vx_spoken *spoken, double fps, int width, int height,
                       void *memory, size_t bytes, const char *where, vx_error *err)
{
    vx_font *font;
    *burn = (vx_burn){.captions = vx_captions_of(spoken), .fps = fps};
    VX_TRY(vx_font_open(&font, err));
    double size = size_for(spoken, font, width, height);
    vx_letters_open(&burn->letters, size, memory, bytes);
    vx_status status = add_letters(burn, spoken, font, err);
    vx_font_close(&font);
    if (status != VX_OK) return status;
    if (size < LEGIBLE)
        vx_warn("captions_small", where,
                "captions are only %.0f pixels high in a film of %dx%d; make it larger, or choose "
                "a track",
                size, width, height);
    burn->has_cue = vx_captions_next(&burn->captions, &burn->cue);
    return VX_OK;
}

static void draw_line(const vx_letters *letters, const vx_picture *picture, int bottom,
                      const char *text)
{
    int line = (int)lround(LINE * letters->size), beside = (int)(BESIDE * letters->size);
    int width = vx_text_width(letters, text), x = (picture->width - width) / 2;
    vx_draw_shade(picture, x - beside, bottom - line, width + 2 * beside, line, PAPER, OPACITY);
    vx_draw_text(picture, x, bottom - line + (line - vx_letters_line(letters)) / 2, letters, INK,
                 text);
}

bool vx_burn_frame(void *arg, int64_t index, const vx_picture *picture)
{
    vx_burn *burn = arg;
    double now = (double)index / burn->fps;
    while (burn->has_cue && burn->cue.end_s <= now)
        burn->has_cue = vx_captions_next(&burn->captions, &burn->cue);
    if (!burn->has_cue || burn->cue.start_s > now) return false;
    vx_caption cue = burn->cue;
    const char *second = second_line_of(&cue);
    int bottom = picture->height - (int)ceil(BELOW * picture->height);
    int line = (int)lround(LINE * burn->letters.size);
    draw_line(&burn->letters, picture, second != NULL ? bottom - line : bottom, cue.text);
    if (second != NULL) draw_line(&burn->letters, picture, bottom, second);
    return true;
}
