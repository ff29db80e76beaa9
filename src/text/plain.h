/* A word in letters that lexicon and espeak-ng know. */
#ifndef VX_TEXT_PLAIN_H
#define VX_TEXT_PLAIN_H

#include "text/utf8.h"

/* Appends a word of clean text: quotes straight; letters of Latin Extended Additional (Vietnamese,
 * transliterations) and marks, which espeak-ng would read by their code, as their base letters;
 * whole Greek words in Latin letters, while a Greek letter alone keeps its name. Never longer than
 * the word. */
void vx_plain_word(const char *word, size_t length, vx_strbuf *out);

#endif
