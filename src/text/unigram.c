/* Normalising and segmenting. Reading models is in unigram_read.c. */
#include "text/unigram.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "text/unigram_table.h"

static const char space_mark[] = "\xE2\x96\x81"; /* U+2581 */

int32_t vx_unigram_end_id(const vx_unigram *model)
{
    return model->end;
}

int32_t vx_unigram_size(const vx_unigram *model)
{
    return model->size;
}

void vx_unigram_close(vx_unigram **model)
{
    vx_unigram *m = *model;
    if (m == NULL) return;
    vx_string_table_free(&m->pieces);
    vx_heap_free(m->score);
    vx_heap_free(m->chosen);
    vx_heap_free(m->trie);
    vx_heap_free(m->replacements);
    vx_heap_free(m);
    *model = NULL;
}

/* ---- normalisation --------------------------------------------------------------------------- */

/* A unit of the double array (Darts-clone): a label to check, and where its children are. */
static uint32_t unit_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* The longest entry that the text starts with: its bytes, and its replacement; 0 for none. */
static size_t longest_match(const vx_unigram *m, const char *text, size_t bytes,
                            const char **replacement)
{
    if (m->trie_units == 0) return 0;
    size_t best = 0;
    uint32_t at = unit_offset(m->trie[0]);
    for (size_t i = 0; i < bytes; i++) {
        uint32_t byte = (unsigned char)text[i];
        at ^= byte;
        if (at >= m->trie_units || (m->trie[at] & 0x800000FFu) != byte) break;
        uint32_t unit = m->trie[at];
        at ^= unit_offset(unit);
        if ((unit >> 8 & 1) == 0) continue;
        if (at >= m->trie_units) break;
        uint32_t value = m->trie[at] & 0x7FFFFFFFu;
        if (value >= m->replacement_bytes) break;
        *replacement = m->replacements + value;
        best = i + 1;
    }
    return best;
}

/* What the text starts with, normalised: the bytes taken, and *out of *length. */
static size_t normalize_prefix(const vx_unigram *m, const char *text, size_t bytes,
                               const char **out, size_t *length)
{
    size_t taken = longest_match(m, text, bytes, out);
    if (taken > 0) {
        *length = strlen(*out);
        return taken;
    }
    uint32_t cp;
    taken = *length = vx_utf8_decode(text, bytes, &cp);
    *out = text;
    if (m->hugging_face && vx_cp_space(cp)) {
        *out = " ";
        *length = 1;
    }
    return taken;
}

static bool ends_in_mark(const vx_strbuf *buf)
{
    size_t n = sizeof space_mark - 1;
    return buf->length >= n && memcmp(buf->data + buf->length - n, space_mark, n) == 0;
}

void vx_unigram_normalize(vx_unigram *m, const char *text, size_t bytes)
{
    vx_strbuf *out = &m->normal;
    const char *part;
    size_t at = 0, length;
    while (m->squeeze && at < bytes) {
        size_t taken = normalize_prefix(m, text + at, bytes - at, &part, &length);
        if (length != 1 || part[0] != ' ') break;
        at += taken;
    }
    if (at == bytes) return;
    if (m->add_prefix || m->hugging_face) vx_strbuf_put(out, space_mark);
    bool after_space = m->squeeze;
    while (at < bytes) {
        at += normalize_prefix(m, text + at, bytes - at, &part, &length);
        for (; after_space && length > 0 && part[0] == ' '; length--)
            part++;
        /* Hugging Face puts no mark before a word that begins with one. */
        if (m->hugging_face && after_space && length >= 3 && memcmp(part, space_mark, 3) == 0)
            vx_strbuf_cut(out, out->length - 3);
        for (size_t i = 0; i < length; i++) {
            if (part[i] == ' ')
                vx_strbuf_put(out, space_mark);
            else
                vx_strbuf_add(out, part + i, 1);
        }
        if (length > 0) after_space = m->squeeze && part[length - 1] == ' ';
    }
    while (m->squeeze && ends_in_mark(out))
        vx_strbuf_cut(out, out->length - (sizeof space_mark - 1));
}

/* ---- segmentation ---------------------------------------------------------------------------- */

static size_t character_bytes(const char *text, size_t bytes)
{
    size_t n = 1;
    while (n < bytes && ((unsigned char)text[n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* Offers the piece from `start` to `end`; on equal scores the first offer stays. */
static void offer(vx_unigram *m, size_t start, size_t end, int32_t id, double score)
{
    vx_unigram_step *step = m->step;
    double total = score + step[start].score;
    if (!m->hugging_face) total = (double)(float)total; /* sentencepiece adds in 32 bits */
    if (step[end].start >= 0 && total <= step[end].score) return;
    step[end] = (vx_unigram_step){(int32_t)start, id, total};
}

/* Offers all pieces that start at `start`. */
static void extend(vx_unigram *m, size_t start)
{
    const char *text = m->normal.data + start;
    size_t bytes = m->normal.length - start;
    size_t first = character_bytes(text, bytes);
    size_t longest = bytes < m->piece_bytes_max ? bytes : m->piece_bytes_max;
    uint32_t hash = VX_STRING_HASH;
    bool single = false;
    for (size_t n = 1; n <= longest; n++) {
        hash = vx_string_hash(hash, text[n - 1]);
        if (n < bytes && ((unsigned char)text[n] & 0xC0) == 0x80) continue;
        int32_t id = vx_string_table_find(&m->pieces, text, n, hash);
        if (id < 0) continue;
        single |= n == first;
        double score = m->score[id];
        if (m->chosen[id]) score = (double)(float)((double)((float)n * (float)m->score_max) - 0.1);
        offer(m, start, start + n, id, score);
    }
    /* sentencepiece's penalty for what no piece covers. */
    if (!single) {
        double score = m->score_min - 10.0;
        offer(m, start, start + first, m->unknown, m->hugging_face ? score : (double)(float)score);
    }
}

/* Follows the best path back and writes it forwards, as much as fits; runs of unknown pieces are
 * one. */
static void collect(vx_unigram *m, vx_unigram_ids *out)
{
    /* Turn the links around: step[start].start becomes the end of the piece. */
    int32_t next = -1, next_id = -1;
    for (int32_t at = (int32_t)m->normal.length; at >= 0;) {
        vx_unigram_step here = m->step[at];
        m->step[at].start = next;
        m->step[at].id = next_id;
        next = at;
        next_id = here.id;
        at = at == 0 ? -1 : here.start;
    }
    int32_t previous = -1;
    for (int32_t at = 0; m->step[at].start >= 0; at = m->step[at].start) {
        int32_t id = m->step[at].id;
        if (id != m->unknown || previous != m->unknown) {
            if (out->count < out->length - 1)
                out->ids[out->count++] = id;
            else
                out->dropped++;
        }
        previous = id;
    }
}

static void segment(vx_unigram *m, vx_unigram_ids *out)
{
    size_t length = m->normal.length;
    for (size_t i = 0; i <= length; i++)
        m->step[i] = (vx_unigram_step){-1, -1, 0.0};
    for (size_t at = 0; at < length; at += character_bytes(m->normal.data + at, length - at))
        extend(m, at);
    collect(m, out);
}

vx_status vx_unigram_encode(vx_unigram *model, const char *text, size_t bytes, vx_unigram_ids *out,
                            vx_error *err)
{
    assert(out->length >= 1);
    size_t bad;
    if (bytes > VX_UNIGRAM_TEXT_BYTES_MAX)
        return vx_fail(err, VX_ERR_INPUT, "prompt_too_long",
                       "the prompt has %zu bytes and may have %d; shorten it", bytes,
                       VX_UNIGRAM_TEXT_BYTES_MAX);
    if (!vx_utf8_valid(text, bytes, &bad))
        return vx_fail(err, VX_ERR_INPUT, "bad_text",
                       "the prompt is not UTF-8 at byte %zu; save it as UTF-8", bad);
    model->normal = vx_strbuf_over(model->normal_room, sizeof model->normal_room);
    vx_unigram_normalize(model, text, bytes);
    if (model->normal.full)
        return vx_fail(err, VX_ERR_INPUT, "prompt_too_long",
                       "the prompt grows past %d bytes when its characters are normalised; "
                       "shorten it",
                       VX_UNIGRAM_NORMAL_ROOM);
    out->count = out->dropped = 0;
    segment(model, out);
    out->ids[out->count++] = model->end;
    for (int i = out->count; i < out->length; i++)
        out->ids[i] = model->pad;
    return VX_OK;
}
