#include "text/scripts.h"

#include "text/utf8.h"

/* Blocks of Unicode 15, in order. */
static const struct block {
    uint32_t first, last;
    const char *script;
} blocks[] = {
    {0x370, 0x3FF, "Greek"},      {0x400, 0x52F, "Cyrillic"},   {0x530, 0x58F, "Armenian"},
    {0x590, 0x5FF, "Hebrew"},     {0x600, 0x6FF, "Arabic"},     {0x750, 0x77F, "Arabic"},
    {0x8A0, 0x8FF, "Arabic"},     {0x900, 0x97F, "Devanagari"}, {0x980, 0x9FF, "Bengali"},
    {0xA00, 0xA7F, "Gurmukhi"},   {0xA80, 0xAFF, "Gujarati"},   {0xB80, 0xBFF, "Tamil"},
    {0xC00, 0xC7F, "Telugu"},     {0xC80, 0xCFF, "Kannada"},    {0xD00, 0xD7F, "Malayalam"},
    {0xD80, 0xDFF, "Sinhala"},    {0xE00, 0xE7F, "Thai"},       {0xE80, 0xEFF, "Lao"},
    {0x1000, 0x109F, "Burmese"},  {0x10A0, 0x10FF, "Georgian"}, {0x1100, 0x11FF, "Hangul"},
    {0x1200, 0x137F, "Ethiopic"}, {0x1780, 0x17FF, "Khmer"},    {0x1F00, 0x1FFF, "Greek"},
    {0x3040, 0x30FF, "Kana"},     {0x3130, 0x318F, "Hangul"},   {0x31F0, 0x31FF, "Kana"},
    {0x3400, 0x9FFF, "Han"},      {0xAC00, 0xD7AF, "Hangul"},   {0xF900, 0xFAFF, "Han"},
    {0xFB1D, 0xFB4F, "Hebrew"},   {0xFB50, 0xFEFF, "Arabic"},   {0xFF66, 0xFF9D, "Kana"},
    {0x20000, 0x3FFFF, "Han"},
};
enum { BLOCKS = sizeof blocks / sizeof blocks[0] };
_Static_assert(sizeof blocks / sizeof blocks[0] <= (size_t)VX_SCRIPTS_MAX,
               "each block may be a script");

static size_t block_of(uint32_t cp)
{
    for (size_t i = 0; i < BLOCKS && blocks[i].first <= cp; i++)
        if (cp <= blocks[i].last) return i;
    return BLOCKS;
}

/* The first block of the same script, by which it is counted. */
static size_t script_of(size_t block)
{
    for (size_t i = 0; i < block; i++)
        if (blocks[i].script == blocks[block].script) return i;
    return block;
}

void vx_scripts_count(vx_scripts *scripts, uint32_t cp)
{
    if (!vx_cp_letter(cp)) {
        scripts->greek = false;
        return;
    }
    size_t block = block_of(cp);
    bool greek = block < BLOCKS && script_of(block) == 0;
    if (block == BLOCKS)
        scripts->other++;
    else if (!greek || scripts->greek)
        scripts->foreign[script_of(block)]++;
    scripts->greek = greek;
}

const char *vx_scripts_foreign(const vx_scripts *scripts)
{
    size_t sum = 0, most = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        sum += scripts->foreign[i];
        if (scripts->foreign[i] > scripts->foreign[most]) most = i;
    }
    return sum > scripts->other ? blocks[most].script : NULL;
}
