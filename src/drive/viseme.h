/* Visemes: what the mouth does for a phoneme. Private to this folder. */
#ifndef VX_DRIVE_VISEME_H
#define VX_DRIVE_VISEME_H

#include <stdbool.h>
#include <stdint.h>

typedef enum vx_phone_class {
    VX_PHONE_MARK,    /* stress and tone: belongs to the phoneme that follows */
    VX_PHONE_LENGTH,  /* a length mark: belongs to the phoneme before */
    VX_PHONE_SILENCE, /* spaces and punctuation */
    VX_PHONE_VOWEL,
    VX_PHONE_CONSONANT,
    VX_PHONE_CLOSURE /* the lips meet: p b m */
} vx_phone_class;

/* jaw 0..1; lips from -1, spread, to 1, rounded; shaped is how much the phoneme insists on its
 * lips. A diphthong begins as it says here and ends as `jaw_end` and `lips_end` say. */
typedef struct vx_viseme {
    vx_phone_class kind;
    bool moves; /* a diphthong */
    float jaw, lips, shaped;
    float jaw_end, lips_end;
    float ceiling; /* the jaw is never above this while it lasts; 1: no bound */
} vx_viseme;

vx_viseme vx_viseme_of(uint32_t symbol);

#endif
