#include "slot/sheet.h"

#include <math.h>
#include <stdio.h>

#include "media/draw.h"
#include "media/image_out.h"
#include "media/resize.h"
#include "text/utf8.h"

enum {
    WIDTH = 1280,
    MARGIN = 16,
    INNER = WIDTH - 2 * MARGIN,
    GAP = 8,
    FRAME_WIDTH = (INNER - (VX_KEY_FRAMES - 1) * GAP) / VX_KEY_FRAMES,
    TITLE_HEIGHT = 40,
    WAVE_HEIGHT = 140,
    /* Letters of words and of phonemes, in pixels; phonemes stand in three rows. */
    WORDS = 20,
    SYMBOLS = 12,
    SYMBOL_ROW = SYMBOLS + 2,
    SYMBOLS_HEIGHT = 3 * SYMBOL_ROW,
    JAW_HEIGHT = 90,
    FOOT_HEIGHT = 40
};

static const uint32_t PAPER = 0xF7F5F0, INK = 0x222222, FAINT = 0xD8D4CA, WAVE = 0x3F6C8F,
                      JAW = 0xB0502D;

/* The sheet under way. */
typedef struct drawing {
    vx_picture picture;
    vx_font *font;
    void *memory; /* of both letters */
    vx_letters words, symbols;
    vx_status status; /* of the letters; the first failure stays */
    vx_error *err;
} drawing;

/* Draws a text, whose letters may be new; the width drawn. */
static int put(drawing *d, int x, int y, vx_letters *letters, uint32_t colour, const char *text)
{
    if (d->status == VX_OK) d->status = vx_letters_add(letters, d->font, text, d->err);
    return vx_draw_text(&d->picture, x, y, letters, colour, text);
}

/* Where a moment of the speech lies. The last frame may reach beyond its end. */
static int x_of(const vx_slot *slot, double sample)
{
    return MARGIN + (int)(fmin(sample / (double)slot->spoken.count, 1) * INNER);
}

static vx_status draw_frames(const vx_slot *slot, const vx_picture *sheet, int y, int height,
                             vx_error *err)
{
    vx_picture small;
    VX_TRY(vx_image_new(&small, FRAME_WIDTH, height, err));
    vx_resize_params p = vx_resize_whole(VX_FILTER_LANCZOS, FRAME_WIDTH, height);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, slot->width, slot->height));
    for (int i = 0; i < slot->keys && scratch != NULL; i++) {
        vx_resize(&slot->key[i], &small, &p, scratch);
        vx_draw_picture(sheet, MARGIN + i * (FRAME_WIDTH + GAP), y, &small);
    }
    vx_image_free(&small);
    if (scratch == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the sheet");
    vx_heap_free(scratch);
    return VX_OK;
}

/* For every column the lowest and the highest of its samples. */
static void draw_wave(const vx_slot *slot, const vx_picture *sheet, int y)
{
    int middle = y + WAVE_HEIGHT / 2;
    vx_draw_rect(sheet, MARGIN, middle, INNER, 1, FAINT);
    for (int x = 0; x < INNER; x++) {
        int64_t first = slot->spoken.count * x / INNER, last = slot->spoken.count * (x + 1) / INNER;
        float low = 0, high = 0;
        for (int64_t i = first; i < last; i++) {
            low = fminf(low, slot->spoken.samples[i]);
            high = fmaxf(high, slot->spoken.samples[i]);
        }
        int top = middle - (int)(fminf(high, 1) * WAVE_HEIGHT / 2);
        int bottom = middle - (int)(fmaxf(low, -1) * WAVE_HEIGHT / 2);
        vx_draw_line(sheet, MARGIN + x, top, MARGIN + x, bottom, WAVE);
    }
}

/* Each symbol below its beginning, in three rows that take turns; one that would cover
 * another is left out. */
static void draw_symbols(const vx_slot *slot, drawing *d, int y)
{
    int free_x[3] = {0};
    for (int64_t i = 0; i < slot->spoken.symbols; i++) {
        vx_speech_span span = slot->spoken.symbol_span[i];
        char text[VX_UTF8_MAX + 1];
        if (span.end <= span.start || slot->spoken.symbol[i] == ' ') continue;
        text[vx_utf8_encode(slot->spoken.symbol[i], text)] = '\0';
        int x = x_of(slot, (double)span.start);
        vx_draw_line(&d->picture, x, y - 4, x, y - 1, FAINT);
        for (int row = 0; row < 3; row++) {
            if (x < free_x[row]) continue;
            free_x[row] = x + put(d, x, y + row * SYMBOL_ROW, &d->symbols, INK, text);
            break;
        }
    }
}

/* From closed at the bottom to wide open; a still picture has no jaw to show. */
static void draw_jaw(const vx_slot *slot, drawing *d, int y)
{
    const vx_picture *sheet = &d->picture;
    const vx_motion_table *table = &slot->motion;
    int bottom = y + JAW_HEIGHT - 1, last_x = 0, last_y = 0;
    put(d, MARGIN, y, &d->symbols, JAW, table->pose != NULL ? "jaw" : "the picture stands still");
    vx_draw_rect(sheet, MARGIN, bottom, INNER, 1, FAINT);
    if (table->pose == NULL) return;
    for (int64_t i = 0; i < table->count; i++) {
        int x = x_of(slot, ((double)i + 0.5) / table->fps * VX_KOKORO_RATE);
        int at = bottom - (int)(table->pose[i].value[VX_JAW] * (JAW_HEIGHT - 1));
        if (i > 0) vx_draw_line(sheet, last_x, last_y, x, at, JAW);
        last_x = x;
        last_y = at;
    }
}

static void draw_words(const vx_slot *slot, drawing *d, int foot)
{
    char line[256];
    snprintf(line, sizeof line, "%s   %s %s%s   seed %lld", slot->recipe->slot_id, slot->pack->name,
             slot->pack->version, slot->pack->synthetic ? " (synthetic)" : "",
             (long long)slot->recipe->seed);
    put(d, MARGIN, MARGIN, &d->words, INK, line);
    int length =
        snprintf(line, sizeof line, "%.2f s, %lld frames at %d fps",
                 (double)slot->spoken.count / VX_KOKORO_RATE, (long long)slot->frames, slot->fps);
    if (slot->verified)
        snprintf(line + length, sizeof line - (size_t)length, "   B %.3f  L %.3f  %.3f%s%s",
                 slot->score.b, slot->score.l, slot->score.ensemble,
                 slot->score.pass ? "  passed" : "  failed",
                 slot->score.outlier ? "  outlier" : "");
    put(d, MARGIN, foot, &d->words, INK, line);
}

static vx_status draw(const vx_slot *slot, drawing *d, int frame_height, vx_error *err)
{
    int wave = MARGIN + TITLE_HEIGHT + frame_height + MARGIN;
    int symbols = wave + WAVE_HEIGHT + GAP, jaw = symbols + SYMBOLS_HEIGHT + GAP;
    int foot = jaw + JAW_HEIGHT + MARGIN;
    VX_TRY(vx_image_new(&d->picture, WIDTH, foot + FOOT_HEIGHT, err));
    VX_TRY(vx_font_open(&d->font, err));
    size_t words_bytes = vx_align_up(vx_letters_bytes(WORDS));
    size_t symbols_bytes = vx_letters_bytes(SYMBOLS);
    d->memory = vx_heap_alloc(words_bytes + symbols_bytes);
    if (d->memory == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the sheet");
    vx_letters_open(&d->words, WORDS, d->memory, words_bytes);
    vx_letters_open(&d->symbols, SYMBOLS, (char *)d->memory + words_bytes, symbols_bytes);
    vx_draw_rect(&d->picture, 0, 0, d->picture.width, d->picture.height, PAPER);
    draw_words(slot, d, foot);
    VX_TRY(draw_frames(slot, &d->picture, MARGIN + TITLE_HEIGHT, frame_height, err));
    draw_wave(slot, &d->picture, wave);
    draw_symbols(slot, d, symbols);
    draw_jaw(slot, d, jaw);
    return d->status;
}

vx_status vx_sheet_write(const vx_slot *slot, const char *path, vx_error *err)
{
    drawing d = {.err = err};
    vx_status status = draw(slot, &d, FRAME_WIDTH * slot->height / slot->width, err);
    if (status == VX_OK) status = vx_image_write(&d.picture, path, err);
    vx_heap_free(d.memory);
    vx_font_close(&d.font);
    vx_image_free(&d.picture);
    return status;
}
