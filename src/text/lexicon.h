/* A pronunciation lexicon: one of misaki's JSON files (us_gold.json, us_silver.json, …) in memory.
 *
 * The file is one object. Its values are phoneme strings, or objects from part of speech to phoneme
 * string or null ("spell the letters"), with DEFAULT always there:
 *     { "abacus": "ˈæbəkəs", "absent": { "DEFAULT": "ˈæbsənt", "VERB": "æbsˈɛnt" }, … }
 *
 * A file is read whole and packed in place, since the packed form of an entry is never longer than
 * its JSON, then shrunk; an open-addressing table of offsets finds a word. 3 MB with 90,000 entries
 * take some 15 ms to open and 3 MB to keep. Nothing is mapped, so a file replaced later does no
 * harm.
 *
 *     entry  = word NUL value
 *     value  = phonemes NUL  |  0x01 { tag NUL phonemes NUL | tag NUL 0x02 NUL } NUL
 *
 * Read-only once open: any number of threads may look words up. */
#ifndef VX_TEXT_LEXICON_H
#define VX_TEXT_LEXICON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct vx_lexicon vx_lexicon;

/* Opens a file. *lexicon is NULL on failure: VX_ERR_MISSING when there is no such file,
 * VX_ERR_INPUT for one that is no such object (with its line), VX_ERR_IO, VX_ERR_MEMORY. */
vx_status vx_lexicon_open(vx_lexicon **lexicon, const char *path, vx_error *err);
void vx_lexicon_close(vx_lexicon **lexicon); /* safe on NULL; sets *lexicon to NULL */
size_t vx_lexicon_count(const vx_lexicon *lexicon);

/* The value of a word, or NULL. A word that has no entry but whose twin has one gets the twin's:
 * "Abacus" for "abacus" and, from two letters up, "london" for "London". */
const char *vx_lexicon_find(const vx_lexicon *lexicon, const char *word, size_t length);

/* Whether a value depends on the part of speech; otherwise the value is the phoneme string. */
bool vx_lexeme_tagged(const char *value);
/* Looks a tag up in a tagged value. False when the tag is not there; else *phonemes is its string,
 * NULL for null. */
bool vx_lexeme_tag(const char *value, const char *tag, const char **phonemes);

#endif
