/* espeak-ng as the fallback for words that the lexicon lacks.
 *
 * espeak-ng is GPL-3: it is loaded at run time where the user has it, and nothing of it is needed
 * to build or to run. It keeps global state, so there is one instance per process, behind a lock,
 * that stays for the process's life. */
#ifndef VX_TEXT_ESPEAK_H
#define VX_TEXT_ESPEAK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "text/utf8.h"

/* Loads the library and its voice data for English; does nothing when they are loaded.
 * VX_ERR_MISSING says which of them is not there. Thread-safe. */
vx_status vx_espeak_load(vx_error *err);

/* Appends Kokoro's phonemes for a word of UTF-8 text (at most 255 bytes, NUL-free). False, nothing
 * appended, when espeak-ng makes nothing of it or is not loaded. Thread-safe; calls wait for each
 * other. */
bool vx_espeak_word(const char *word, size_t length, bool british, vx_strbuf *out);

/* Translates espeak-ng's IPA (ties written ^) in place into Kokoro's phonemes: misaki's table. Part
 * of the interface for its tests. */
void vx_espeak_translate(vx_strbuf *ipa, bool british);

#endif
