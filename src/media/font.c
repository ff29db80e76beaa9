#include "media/font.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include "base/mem.h"
#include "text/utf8.h"

/* Of data/fonts/vortex-sans.ttf, as tools/make_font.py prints them: its letters, and over all of
 * them width times height and width plus height of their boxes, in ems. */
enum { GLYPHS = 1470 };
static const double BOXES_AREA = 502, BOXES_SIDES = 1723;
/* Its hhea table, in units of 1/2048 em. */
static const double ASCENT = 1901.0 / 2048, DESCENT = 483.0 / 2048;

/* The file itself, so that a program that was moved or linked in still has it. */
__asm__(".section .rodata,\"a\",@progbits\n"
        ".balign 16\n"
        "vx_font_file:\n"
        ".incbin \"" VX_FONT_FILE "\"\n"
        "vx_font_file_end:\n"
        ".previous\n");
extern const uint8_t vx_font_file[], vx_font_file_end[];

struct vx_font {
    FT_Library library;
    FT_Face face;
};

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the letters of captions");
}

vx_status vx_font_open(vx_font **font, vx_error *err)
{
    vx_font *f = *font = vx_heap_alloc(sizeof *f);
    if (f == NULL) return no_memory(err);
    FT_Long bytes = (FT_Long)(vx_font_file_end - vx_font_file);
    if (FT_Init_FreeType(&f->library) == 0 &&
        FT_New_Memory_Face(f->library, vx_font_file, bytes, 0, &f->face) == 0)
        return VX_OK;
    vx_font_close(font);
    return no_memory(err);
}

void vx_font_close(vx_font **font)
{
    if (*font == NULL) return;
    FT_Done_Face((*font)->face);
    FT_Done_FreeType((*font)->library);
    vx_heap_free(*font);
    *font = NULL;
}

uint32_t vx_font_next(const char **text)
{
    uint32_t code;
    size_t bytes = vx_utf8_decode(*text, strnlen(*text, VX_UTF8_MAX), &code);
    *text += bytes > 0 ? bytes : 1;
    return bytes > 0 ? code : 0xFFFD;
}

double vx_font_width(const vx_font *font, const char *text)
{
    double units = 0;
    while (*text != '\0') {
        FT_UInt index = FT_Get_Char_Index(font->face, vx_font_next(&text));
        if (index != 0 && FT_Load_Glyph(font->face, index, FT_LOAD_NO_SCALE) == 0)
            units += (double)font->face->glyph->advance.x;
    }
    return units / font->face->units_per_EM;
}

/* ---- letters of one size --------------------------------------------------------------------- */

/* A box's sides grow by less than two pixels each when it is laid on whole ones. */
size_t vx_letters_bytes(double size)
{
    double pixels = BOXES_AREA * size * size + 2 * BOXES_SIDES * size + 4 * GLYPHS;
    return GLYPHS * sizeof(vx_glyph) + (size_t)pixels;
}

void vx_letters_open(vx_letters *letters, double size, void *memory, size_t bytes)
{
    assert(size > 0 && bytes >= vx_letters_bytes(size));
    *letters = (vx_letters){.size = size, .glyph = memory, .bitmaps = (uint8_t *)memory + bytes};
}

const vx_glyph *vx_letters_glyph(const vx_letters *letters, uint32_t code)
{
    for (int i = 0; i < letters->count; i++)
        if (letters->glyph[i].code == code) return &letters->glyph[i];
    return NULL;
}

/* The letter that FreeType has drawn, kept. */
static void keep(vx_letters *letters, uint32_t code, const FT_GlyphSlot slot)
{
    const FT_Bitmap *b = &slot->bitmap;
    letters->bitmaps -= (size_t)b->width * b->rows;
    assert(letters->bitmaps >= (uint8_t *)(letters->glyph + letters->count + 1));
    for (unsigned y = 0; y < b->rows; y++)
        memcpy(letters->bitmaps + (size_t)y * b->width, b->buffer + (ptrdiff_t)y * b->pitch,
               b->width);
    /* FreeType's linear advance has 16 fractional bits. */
    letters->glyph[letters->count++] = (vx_glyph){.code = code,
                                                  .advance = (int)(slot->linearHoriAdvance >> 10),
                                                  .left = slot->bitmap_left,
                                                  .top = slot->bitmap_top,
                                                  .width = (int)b->width,
                                                  .height = (int)b->rows,
                                                  .coverage = letters->bitmaps};
}

vx_status vx_letters_add(vx_letters *letters, vx_font *font, const char *text, vx_error *err)
{
    FT_F26Dot6 size = (FT_F26Dot6)lround(letters->size * 64);
    if (FT_Set_Char_Size(font->face, size > 0 ? size : 1, 0, 72, 72) != 0) return no_memory(err);
    while (*text != '\0') {
        uint32_t code = vx_font_next(&text);
        FT_UInt index = FT_Get_Char_Index(font->face, code);
        if (index == 0 || vx_letters_glyph(letters, code) != NULL) continue;
        if (FT_Load_Glyph(font->face, index, FT_LOAD_NO_HINTING | FT_LOAD_RENDER) != 0)
            return no_memory(err);
        keep(letters, code, font->face->glyph);
    }
    return VX_OK;
}

int vx_letters_line(const vx_letters *letters)
{
    return (int)ceil((ASCENT + DESCENT) * letters->size);
}

int vx_letters_ascent(const vx_letters *letters)
{
    return (int)lround(ASCENT * letters->size);
}
