#include "cli/explain.h"

#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "slot/speak.h"

/* A word's own words: the longest are of numbers, some 14 bytes a digit. */
enum { SPOKEN_BYTES = 16384 };

/* The byte offset of a symbol, from a known one onwards. */
static size_t offset_of(const vx_g2p_result *r, size_t at, size_t symbols)
{
    uint32_t cp;
    for (; symbols > 0 && at < r->length; symbols--)
        at += vx_utf8_decode(r->phonemes + at, r->length - at, &cp);
    return at;
}

static vx_status print_words(vx_g2p *g2p, const vx_g2p_result *r, const char *text, json_t *list,
                             vx_error *err)
{
    static char memory[SPOKEN_BYTES];
    size_t at = 0, symbol = 0;
    for (size_t i = 0; i < r->word_count; i++) {
        const vx_g2p_word *w = &r->words[i];
        vx_strbuf spoken = vx_strbuf_over(memory, sizeof memory);
        vx_g2p_spoken(g2p, w, &spoken);
        size_t start = offset_of(r, at, w->symbol_start - symbol);
        at = offset_of(r, start, w->symbols);
        symbol = w->symbol_start + w->symbols;
        const char *phonemes = r->phonemes + start;
        if (list == NULL) {
            printf("%.*s -> %s -> %.*s\n", (int)w->text_length, text + w->text_start, spoken.data,
                   (int)(at - start), phonemes);
            continue;
        }
        json_array_append_new(list,
                              json_pack("{s:s%, s:i, s:s, s:s%}", "text", text + w->text_start,
                                        (size_t)w->text_length, "at", (int)w->text_start, "spoken",
                                        spoken.data, "phonemes", phonemes, at - start));
    }
    if (list == NULL && (fflush(stdout) != 0 || ferror(stdout)))
        return vx_fail(err, VX_ERR_IO, "io_error", "the words can't be written to standard output");
    return VX_OK;
}

static vx_status explain(vx_cli *cli, vx_g2p *g2p, vx_accent accent, const char *text, size_t bytes,
                         vx_error *err)
{
    vx_g2p_result r;
    VX_TRY(vx_g2p_text(g2p, text, bytes, &r, err));
    if (!cli->json) return print_words(g2p, &r, text, NULL, err);
    json_t *words = json_array();
    vx_status status = print_words(g2p, &r, text, words, err);
    json_t *document = json_pack("{s:s, s:s%, s:o}", "accent", accent == VX_ACCENT_GB ? "gb" : "us",
                                 "phonemes", r.phonemes, r.length, "words", words);
    if (status == VX_OK) return vx_json_print(document, err);
    json_decref(document);
    return status;
}

vx_status vx_explain(vx_cli *cli, const char *text, size_t bytes, const char *voice, vx_error *err)
{
    vx_pack pack = {0};
    vx_g2p *g2p = NULL;
    vx_status status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_accent accent = VX_ACCENT_US;
    if (status == VX_OK && vx_speaker_accents(&cli->settings, &pack, voice) == VX_ACCENTS_GB)
        accent = VX_ACCENT_GB;
    if (status == VX_OK) status = vx_speaker_lexicon(&pack, accent, &g2p, err);
    if (status == VX_OK) status = explain(cli, g2p, accent, text, bytes, err);
    vx_g2p_close(&g2p);
    vx_pack_close(&pack);
    return status;
}
