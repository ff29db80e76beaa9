/* The moods that a recipe may ask for. */
#ifndef VX_DRIVE_MOOD_H
#define VX_DRIVE_MOOD_H

typedef enum vx_mood {
    VX_MOOD_NEUTRAL,
    VX_MOOD_EXCITED,
    VX_MOOD_CALM,
    VX_MOOD_MANIC,
    VX_MOOD_SAD,
    VX_MOOD_ANGRY,
    VX_MOODS
} vx_mood;

/* Their names, in the enum's order, as the schema reads them. */
#define VX_MOOD_NAMES "neutral|excited|calm|manic|sad|angry"

/* From at_s on another mood, after a smooth transition. */
typedef struct vx_mood_at {
    double at_s;
    int mood; /* vx_mood */
} vx_mood_at;

#endif
