/* The prompt expander: what a prompt leaves open is chosen by the seed, in words.
 *
 * A small network knows a fixed set of things that can be said about a picture. Left open, such a
 * thing gets one default, and every wizard looks the same. The expander reads what the prompt names
 * and appends tags for the rest: "a wizard" becomes "a wizard, gray long hair, purple wizard hat,
 * green background" under one seed and something else under another.
 *
 * What can be said is data: a JSON file that belongs to the pack.
 *     known   words that are understood and name nothing ("a", "portrait")
 *     same    {"physician": "doctor", …}: words that are read as other ones, which the network
 *             knows; they take their place in the text. May be left out
 *     breaks  words and marks beyond which a colour no longer belongs to its thing ("and", ",")
 *     slots   [{name, beside, some, values: [{name, words, say, weight, unless, mood}]}]
 *             words name the value, the longest match first; with `beside` one of those words must
 *             stand in the same stretch between breaks. A word of `some` ("glasses") says
 *             that there is one and not which: then a value that has something to say is drawn,
 *             before the other slots'. A value with a weight may be drawn, unless
 *             a slot already has one of the values that `unless` lists for it; what is drawn and
 *             has no `say` is left to the network's default. `mood` is the recipe's mood that a
 *             prompt with this value implies.
 *     tags    what is appended, in this order, "{hair_colour} {hair}": a tag is said when one of
 *             its slots was drawn and each of them has something to say
 * A draw depends on the seed and the slot alone, so naming one thing more changes no other. */
#ifndef VX_TEXT_EXPANDER_H
#define VX_TEXT_EXPANDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct vx_expander vx_expander;

/* VX_ERR_MISSING or VX_ERR_IO; VX_ERR_INPUT, "bad_grammar", for a file that is no grammar. */
vx_status vx_expander_open(vx_expander **expander, const char *path, vx_error *err);
/* The same from memory; `name` is for messages. */
vx_status vx_expander_parse(vx_expander **expander, const char *name, const char *json,
                            size_t bytes, vx_error *err);
void vx_expander_close(vx_expander **expander); /* safe on NULL; sets NULL */

enum { VX_EXPANDER_PROMPT_MAX = 4097, VX_EXPANDER_TAGS_MAX = 1024 };

typedef struct vx_expansion {
    /* The prompt with its words replaced, then the tags. */
    char text[VX_EXPANDER_PROMPT_MAX + VX_EXPANDER_TAGS_MAX];
    int named, drawn;        /* slots that the prompt names, slots that the seed chose */
    const char *mood;        /* that of the first value which the prompt names and which has one;
                                the expander's; NULL for none */
    int unknown;             /* words that the grammar does not know */
    char unknown_words[120]; /* the first of them, "dragon, castle" */
    int replaced;
    char replaced_words[200]; /* the first of them, "physician=doctor, tuxedo=suit" */
} vx_expansion;

/* False for a prompt of VX_EXPANDER_PROMPT_MAX bytes and more, which is to be taken as it is. Takes
 * no heap; not thread-safe for one expander. */
bool vx_expander_run(vx_expander *expander, const char *prompt, uint64_t seed, vx_expansion *out);

#endif
