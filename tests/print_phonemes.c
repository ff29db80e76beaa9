/* Prints phonemes: print_phonemes us|gb LEXICON_DIR [-n] < text
 *
 * One line in, one line out: the phonemes, a tab, then a word and its phonemes in turn, tabs
 * between. -n works without espeak-ng. tools/g2p_compare.py reads this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/g2p.h"
#include "text/utf8.h"

/* The byte offset of a code point. */
static size_t offset_of(const char *text, size_t length, size_t symbols)
{
    size_t at = 0;
    uint32_t cp;
    while (symbols-- > 0)
        at += vx_utf8_decode(text + at, length - at, &cp);
    return at;
}

static int print_line(vx_g2p *g2p, const char *line, size_t length)
{
    vx_error err = {0};
    vx_g2p_result r;
    if (vx_g2p_text(g2p, line, length, &r, &err) != VX_OK) {
        printf("\n");
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s", r.phonemes);
    for (size_t i = 0; i < r.word_count; i++) {
        const vx_g2p_word *word = &r.words[i];
        size_t from = offset_of(r.phonemes, r.length, word->symbol_start);
        size_t bytes = offset_of(r.phonemes + from, r.length - from, word->symbols);
        printf("\t%.*s\t%.*s", (int)word->text_length, line + word->text_start, (int)bytes,
               r.phonemes + from);
    }
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: print_phonemes us|gb LEXICON_DIR [-n] < text\n");
        return 2;
    }
    vx_error err = {0};
    vx_g2p *g2p;
    vx_g2p_params params = {.accent = strcmp(argv[1], "gb") == 0 ? VX_ACCENT_GB : VX_ACCENT_US,
                            .lexicon_dir = argv[2],
                            .no_espeak = argc > 3 && strcmp(argv[3], "-n") == 0};
    if (vx_g2p_open(&g2p, &params, &err) != VX_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -(int)err.status;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int failed = 0;
    while ((n = getline(&line, &room, stdin)) > 0) {
        size_t length = line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n;
        failed |= print_line(g2p, line, length);
    }
    free(line);
    vx_g2p_close(&g2p);
    return failed;
}
