/* Did you mean …? The candidate that is fewest edits away from a word.
 *
 *     vx_nearest nearest = {.word = word};
 *     for each candidate: vx_nearest_offer(&nearest, candidate);
 *     nearest.best is NULL when none is close enough to be meant. */
#ifndef VX_BASE_NEAREST_H
#define VX_BASE_NEAREST_H

typedef struct vx_nearest {
    const char *word;
    const char *best; /* the candidate itself, not a copy */
    int edits;
} vx_nearest;

/* Insertions, deletions, replacements and swaps of neighbours count one each; upper and lower case
 * are the same letter, as are '-' and '_'. A third of the word's letters may differ, at least one.
 * Words over 63 bytes are never near. */
void vx_nearest_offer(vx_nearest *nearest, const char *candidate);

#endif
