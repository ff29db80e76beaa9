#include "text/expand.h"

#include <string.h>

#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"

/* What a reader sees: longer things than this are nothing that is read as one. */
enum { READER_BYTES = 120 };

const char *vx_expand_word(const vx_expansion *x, size_t i, size_t *length)
{
    *length = 0;
    if (i >= x->tokens->count || x->tokens->token[i].kind != VX_TOKEN_WORD) return "";
    const char *word = x->text + x->tokens->token[i].start;
    *length = x->tokens->token[i].length;
    /* Only a silenced point stands at the end of a word. */
    if (*length > 1 && word[*length - 1] == '.') (*length)--;
    return word;
}

static bool is_silent_mark(const vx_token *token)
{
    return token->kind == VX_TOKEN_MARK && token->mark[0] == '\0';
}

size_t vx_expand_next(const vx_expansion *x, size_t i)
{
    size_t count = x->tokens->count;
    if (i >= count) return count;
    /* Silenced points, and what a reading took in, may stand before the space. */
    bool space = x->tokens->token[i].space_after;
    for (i++; i < count && is_silent_mark(&x->tokens->token[i]); i++)
        space |= x->tokens->token[i].space_after;
    return space && i < count && x->tokens->token[i].kind == VX_TOKEN_WORD ? i : count;
}

size_t vx_expand_previous(const vx_expansion *x, size_t i)
{
    size_t count = x->tokens->count;
    if (i == 0 || i >= count) return count;
    bool space = x->tokens->token[--i].space_after;
    for (; i > 0 && is_silent_mark(&x->tokens->token[i]); i--)
        space |= x->tokens->token[i - 1].space_after;
    return space && x->tokens->token[i].kind == VX_TOKEN_WORD ? i : count;
}

size_t vx_expand_begin(const vx_expansion *x)
{
    return x->readings.length;
}

/* Readings lie one after the other with a space between, which belongs to none. */
void vx_expand_end(vx_expansion *x, size_t i, size_t begin)
{
    vx_token *token = &x->tokens->token[i];
    while (begin < x->readings.length && x->readings.data[begin] == ' ')
        begin++;
    token->read = (uint32_t)begin;
    token->read_length = (uint32_t)(x->readings.length - begin);
    vx_strbuf_put(&x->readings, " ");
}

void vx_expand_read(vx_expansion *x, size_t i, const char *words)
{
    size_t begin = vx_expand_begin(x);
    vx_strbuf_put(&x->readings, words);
    vx_expand_end(x, i, begin);
}

void vx_put_words(vx_expansion *x, const char *words)
{
    if (x->readings.length > 0 && x->readings.data[x->readings.length - 1] != ' ')
        vx_strbuf_put(&x->readings, " ");
    vx_strbuf_put(&x->readings, words);
}

void vx_put_cardinal(vx_expansion *x, const char *digits, size_t count)
{
    vx_put_words(x, "");
    vx_number_cardinal(digits, count, x->british, &x->readings);
}

void vx_put_amount(vx_expansion *x, const char *number, size_t length)
{
    vx_number_money(number, length, NULL, x->british, &x->readings);
}

/* The token that ends `bytes` after the start of token i, or count; a point that an abbreviation
 * took in may stand there. No token on the way has a reading of its own. */
static size_t token_ending(const vx_expansion *x, size_t i, size_t bytes)
{
    size_t end = x->tokens->token[i].start + bytes, count = x->tokens->count;
    for (size_t j = i; j < count; j++) {
        const vx_token *token = &x->tokens->token[j];
        size_t stop = token->start + token->length;
        if (token->kind == VX_TOKEN_GIVEN || (j > i && token->read_length > 0)) return count;
        if (stop == end || (stop == end + 1 && token->kind == VX_TOKEN_WORD && x->text[end] == '.'))
            return j;
        if (stop > end) return count;
    }
    return count;
}

/* Token i becomes one word up to token j. */
static void merge(vx_expansion *x, size_t i, size_t j)
{
    vx_token *first = &x->tokens->token[i];
    first->kind = VX_TOKEN_WORD;
    first->length = x->tokens->token[j].start + x->tokens->token[j].length - first->start;
    for (size_t k = i + 1; k <= j; k++) {
        x->tokens->token[k].kind = VX_TOKEN_MARK;
        x->tokens->token[k].mark[0] = '\0';
    }
    /* Spaces inside belong to the word; the last one's follows it. */
    for (size_t k = i; k < j; k++)
        x->tokens->token[k].space_after = false;
}

void vx_expand_split(vx_expansion *x, size_t at)
{
    x->split_text = at;
    x->split_reading = x->readings.length;
}

/* Two words, parted where the reader said so; false when no token ends there. */
static bool end_in_two(vx_expansion *x, size_t i, size_t last, size_t begin)
{
    size_t middle = token_ending(x, i, x->split_text);
    if (middle >= last || x->tokens->token[middle + 1].kind != VX_TOKEN_WORD) return false;
    size_t end = x->readings.length;
    merge(x, i, middle);
    merge(x, middle + 1, last);
    /* vx_expand_end takes the reading up to the end: first the whole, then the second half. */
    vx_expand_end(x, middle + 1, x->split_reading);
    x->tokens->token[middle + 1].read_length = (uint32_t)(end - x->tokens->token[middle + 1].read);
    x->tokens->token[i].read = (uint32_t)begin;
    while (x->readings.data[x->tokens->token[i].read] == ' ')
        x->tokens->token[i].read++;
    x->tokens->token[i].read_length = (uint32_t)(x->split_reading - x->tokens->token[i].read);
    return true;
}

bool vx_expand_by(vx_expansion *x, size_t i, vx_reader *reader)
{
    vx_token *token = &x->tokens->token[i];
    size_t rest = x->length - token->start, length = rest < READER_BYTES ? rest : READER_BYTES;
    const char *text = x->text + token->start, *line = memchr(text, '\n', length);
    if (line != NULL) length = (size_t)(line - text);
    vx_expand_split(x, 0);
    size_t begin = vx_expand_begin(x), used = reader(x, i, text, length);
    size_t last = used > 0 ? token_ending(x, i, used) : x->tokens->count;
    if (last == x->tokens->count) {
        vx_strbuf_cut(&x->readings, begin);
        return false;
    }
    if (x->split_text > 0 && last > i && end_in_two(x, i, last, begin)) return true;
    if (last > i) merge(x, i, last);
    vx_expand_end(x, i, begin);
    return true;
}

/* A word that may begin something to read, or the bracket of a telephone number. */
static bool may_read(const vx_expansion *x, const vx_token *token)
{
    if (token->kind == VX_TOKEN_WORD) return token->read_length == 0 && !token->is_url;
    return token->kind == VX_TOKEN_MARK && token->mark[0] != '\0' && x->text[token->start] == '(' &&
           vx_is_digit(x->text[token->start + 1]);
}

void vx_expand_numbers(vx_expansion *x)
{
    /* The first that takes its text has it. */
    static vx_reader *const readers[] = {
        vx_read_slashed,  vx_read_numbered, vx_read_address, vx_read_date,   vx_read_time,
        vx_read_phone,    vx_read_code,     vx_read_day,     vx_read_height, vx_read_power,
        vx_read_quantity, vx_read_fraction, vx_read_range,   vx_read_list};
    for (size_t i = 0; i < x->tokens->count; i++) {
        if (!may_read(x, &x->tokens->token[i])) continue;
        for (size_t r = 0; r < sizeof readers / sizeof readers[0]; r++)
            if (vx_expand_by(x, i, readers[r])) break;
    }
}
