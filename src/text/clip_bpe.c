/* Encoding. Reading vocabularies is in clip_bpe_read.c. */
#include "text/clip_bpe.h"

#include <assert.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "text/clip_bpe_table.h"

static const char *const special_text[2] = {"<|startoftext|>", "<|endoftext|>"};

/* ---- tables ---------------------------------------------------------------------------------- */

const vx_bpe_merge *vx_bpe_merge_find(const vx_clip_bpe *bpe, int32_t left, int32_t right)
{
    size_t mask = bpe->merge_slots - 1;
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    for (size_t i = (size_t)(hash >> 32) & mask;; i = (i + 1) & mask) {
        vx_bpe_merge *merge = &bpe->merges[i];
        if (merge->rank < 0 || (merge->left == left && merge->right == right)) return merge;
    }
}

int32_t vx_clip_bpe_start_id(const vx_clip_bpe *bpe)
{
    return bpe->special[0];
}

int32_t vx_clip_bpe_end_id(const vx_clip_bpe *bpe)
{
    return bpe->special[1];
}

int32_t vx_clip_bpe_size(const vx_clip_bpe *bpe)
{
    return bpe->size;
}

void vx_clip_bpe_close(vx_clip_bpe **bpe)
{
    if (*bpe == NULL) return;
    vx_string_table_free(&(*bpe)->tokens);
    vx_heap_free((*bpe)->merges);
    vx_heap_free((*bpe)->normal);
    vx_heap_free((*bpe)->lower);
    vx_heap_free(*bpe);
    *bpe = NULL;
}

/* ---- words to ids ---------------------------------------------------------------------------- */

static void emit(vx_clip_ids *out, int32_t id)
{
    /* The last place is the end's. */
    if (out->count < out->length - 1)
        out->ids[out->count++] = id;
    else
        out->dropped++;
}

/* One word: its bytes become symbols, then the pair of lowest rank is merged, the leftmost first,
 * until none is left. */
static void encode_word(vx_clip_bpe *bpe, const char *word, size_t bytes, vx_clip_ids *out)
{
    int32_t *symbol = bpe->symbols;
    size_t count = bytes;
    for (size_t i = 0; i < bytes; i++)
        symbol[i] = bpe->byte_id[i + 1 == bytes][(unsigned char)word[i]];
    while (count > 1) {
        const vx_bpe_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const vx_bpe_merge *merge = vx_bpe_merge_find(bpe, symbol[i], symbol[i + 1]);
            if (merge->rank < 0 || (best != NULL && merge->rank >= best->rank)) continue;
            best = merge;
            at = i;
        }
        if (best == NULL) break;
        /* All of this pair in one sweep; a merge makes no new pair of its own rank. */
        size_t kept = at;
        for (size_t i = at; i < count; kept++) {
            bool pair = i + 1 < count && symbol[i] == best->left && symbol[i + 1] == best->right;
            symbol[kept] = pair ? best->merged : symbol[i];
            i += pair ? 2 : 1;
        }
        count = kept;
    }
    for (size_t i = 0; i < count; i++)
        emit(out, symbol[i]);
}

/* ---- text to words --------------------------------------------------------------------------- */

typedef enum class { CLASS_SPACE, CLASS_LETTER, CLASS_NUMBER, CLASS_OTHER } class;

static class class_of(uint32_t cp)
{
    if (cp < 0x80) {
        if (cp >= 'a' && cp <= 'z') return CLASS_LETTER;
        if (cp >= '0' && cp <= '9') return CLASS_NUMBER;
    }
    if (vx_cp_space(cp)) return CLASS_SPACE;
    if (vx_cp_letter(cp)) return CLASS_LETTER;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO ? CLASS_NUMBER : CLASS_OTHER;
}

/* Bytes of the English contraction that the text starts with, or 0. */
static size_t contraction_at(const char *text, size_t bytes)
{
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof contractions / sizeof contractions[0]; i++) {
        size_t length = strlen(contractions[i]);
        if (length <= bytes && memcmp(text, contractions[i], length) == 0) return length;
    }
    return 0;
}

/* Bytes of the word that the text starts with; *skip when it is white space. */
static size_t word_at(const char *text, size_t bytes, bool *skip)
{
    *skip = false;
    size_t contraction = contraction_at(text, bytes);
    if (contraction > 0) return contraction;
    uint32_t cp;
    size_t end = vx_utf8_decode(text, bytes, &cp);
    class first = class_of(cp);
    *skip = first == CLASS_SPACE;
    if (first == CLASS_NUMBER) return end;
    while (end < bytes) {
        size_t more = vx_utf8_decode(text + end, bytes - end, &cp);
        if (class_of(cp) != first) break;
        end += more;
    }
    return end;
}

/* Lower case by code point, without context: Rust's char::to_lowercase, which Hugging Face uses.
 * The one character that becomes two is the dotted capital I. */
static void add_lower(uint32_t cp, vx_strbuf *out)
{
    if (cp < 0x80) {
        vx_strbuf_cp(out, cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);
    } else if (cp == 0x130) {
        vx_strbuf_put(out, "i\xCC\x87");
    } else {
        vx_strbuf_cp(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
    }
}

/* Text between special tokens. */
static void encode_plain(vx_clip_bpe *bpe, const char *text, size_t bytes, vx_clip_ids *out)
{
    vx_strbuf normal = vx_strbuf_over(bpe->normal, VX_BPE_NORMAL_ROOM);
    vx_strbuf lower = vx_strbuf_over(bpe->lower, VX_BPE_LOWER_ROOM);
    vx_utf8_normalize(text, bytes, false, &normal);
    assert(!normal.full);
    uint32_t cp;
    for (size_t at = 0; at < normal.length;) {
        at += vx_utf8_decode(normal.data + at, normal.length - at, &cp);
        add_lower(cp, &lower);
    }
    assert(!lower.full);
    for (size_t at = 0; at < lower.length;) {
        bool skip;
        size_t length = word_at(lower.data + at, lower.length - at, &skip);
        if (!skip) encode_word(bpe, lower.data + at, length, out);
        at += length;
    }
}

/* Bytes until the next special token, which `*which` tells; -1 for none. */
static size_t until_special(const char *text, size_t bytes, int *which)
{
    *which = -1;
    size_t nearest = bytes;
    for (int i = 0; i < 2; i++) {
        const char *found = memmem(text, bytes, special_text[i], strlen(special_text[i]));
        if (found == NULL || (size_t)(found - text) >= nearest) continue;
        nearest = (size_t)(found - text);
        *which = i;
    }
    return nearest;
}

vx_status vx_clip_bpe_encode(vx_clip_bpe *bpe, const char *text, size_t bytes, vx_clip_ids *out,
                             vx_error *err)
{
    assert(out->length >= 2);
    size_t bad;
    if (bytes > VX_CLIP_TEXT_BYTES_MAX)
        return vx_fail(err, VX_ERR_INPUT, "prompt_too_long",
                       "the prompt has %zu bytes and may have %d; shorten it", bytes,
                       VX_CLIP_TEXT_BYTES_MAX);
    if (!vx_utf8_valid(text, bytes, &bad))
        return vx_fail(err, VX_ERR_INPUT, "bad_text",
                       "the prompt is not UTF-8 at byte %zu; save it as UTF-8", bad);
    out->count = out->dropped = 0;
    out->ids[out->count++] = bpe->special[0];
    for (size_t at = 0; at < bytes;) {
        int which;
        size_t plain = until_special(text + at, bytes - at, &which);
        encode_plain(bpe, text + at, plain, out);
        at += plain;
        if (which < 0) break;
        emit(out, bpe->special[which]);
        at += strlen(special_text[which]);
    }
    out->ids[out->count++] = bpe->special[1];
    for (int i = out->count; i < out->length; i++)
        out->ids[i] = out->pad == VX_CLIP_PAD_END ? bpe->special[1] : out->pad;
    return VX_OK;
}
