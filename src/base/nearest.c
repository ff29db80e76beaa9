#include "base/nearest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 63 };

static int folded(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment, three rows of the table at a time. */
static int edits_between(const char *a, int a_length, const char *b, int b_length)
{
    int rows[3][WORD_MAX + 1];
    for (int j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int cost = folded(a[i - 1]) != folded(b[j - 1]);
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void vx_nearest_offer(vx_nearest *nearest, const char *candidate)
{
    size_t a = strlen(nearest->word), b = strlen(candidate);
    if (a == 0 || a > WORD_MAX || b > WORD_MAX) return;
    int edits = edits_between(nearest->word, (int)a, candidate, (int)b);
    int allowed = a < 6 ? 1 + (a > 3) : (int)a / 3;
    if (edits > allowed || (nearest->best != NULL && edits >= nearest->edits)) return;
    nearest->best = candidate;
    nearest->edits = edits;
}
