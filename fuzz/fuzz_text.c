/* The English front end with a small lexicon and without espeak-ng: any bytes as text, first byte
 * the settings; then the phonemes are cut into chunks. What comes out is checked as its users rely
 * on it. A second use of the bytes: as a lexicon file. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "text/g2p.h"
#include "text/lexicon.h"
#include "text/phonemes.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static vx_g2p *speakers[2];

static void open_speakers(void)
{
    vx_log_setup(VX_LOG_ERROR, false);
    for (int accent = 0; accent < 2; accent++) {
        vx_g2p_params params = {.accent = (vx_accent)accent,
                                .lexicon_dir = VX_SOURCE_DIR "/tests/data/g2p",
                                .no_espeak = true};
        if (vx_g2p_open(&speakers[accent], &params, NULL) != VX_OK) abort();
    }
}

static void check_words(const vx_g2p_result *r, size_t text_length)
{
    size_t symbol = 0, text = 0;
    for (size_t i = 0; i < r->word_count; i++) {
        const vx_g2p_word *w = &r->words[i];
        assert(w->symbols > 0 && w->symbol_start >= symbol);
        assert(w->text_start >= text && w->text_length > 0);
        symbol = w->symbol_start + w->symbols;
        text = w->text_start + w->text_length;
    }
    assert(symbol <= r->symbols && text <= text_length);
}

static void check_chunks(const vx_g2p_result *r, const vx_chunk_params *params)
{
    static vx_chunk chunks[20000];
    size_t count, covered = 0;
    if (vx_chunks_cut(r->phonemes, r->length, params, chunks, 20000, &count, NULL) != VX_OK) return;
    for (size_t i = 0; i < count; i++) {
        assert(chunks[i].count > 0 && chunks[i].count <= VX_CHUNK_SYMBOLS_MAX);
        assert(vx_utf8_count(r->phonemes, chunks[i].start) == chunks[i].first_symbol);
        for (; covered < chunks[i].start; covered++)
            assert(r->phonemes[covered] == ' ');
        covered += chunks[i].length;
    }
    assert(covered == r->length);
}

static void read_lexicon(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("lexicon", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    vx_lexicon *lexicon;
    if (vx_lexicon_open(&lexicon, path, NULL) == VX_OK) {
        const char *value = vx_lexicon_find(lexicon, "word", 4), *phonemes;
        if (value != NULL && vx_lexeme_tagged(value)) {
            bool found = vx_lexeme_tag(value, "DEFAULT", &phonemes);
            assert(found);
        }
    }
    vx_lexicon_close(&lexicon);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (speakers[0] == NULL) open_speakers();
    if (size == 0) return 0;
    if (data[0] == '{') {
        read_lexicon(data, size);
        return 0;
    }
    vx_g2p_result r;
    vx_chunk_params params = {.symbols = data[0], .first_symbols = data[0] >> 2};
    if (vx_g2p_text(speakers[data[0] & 1], (const char *)data + 1, size - 1, &r, NULL) != VX_OK)
        return 0;
    assert(vx_utf8_valid(r.phonemes, r.length, NULL) && r.phonemes[r.length] == '\0');
    assert(vx_utf8_count(r.phonemes, r.length) == r.symbols && r.word_count > 0);
    uint32_t cp;
    for (size_t at = 0; at < r.length; at += vx_utf8_decode(r.phonemes + at, r.length - at, &cp)) {
        vx_utf8_decode(r.phonemes + at, r.length - at, &cp);
        assert(vx_phoneme_known(cp));
    }
    check_words(&r, size - 1);
    check_chunks(&r, &params);
    return 0;
}
