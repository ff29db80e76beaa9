/* Manners: how a mood moves, and the tracks that the parts of driving share.
 * Private to this folder. */
#ifndef VX_DRIVE_MANNER_H
#define VX_DRIVE_MANNER_H

#include "drive/drive.h"

typedef struct vx_manner {
    float articulation; /* factor of the mouth's opening */
    float smile, brow;  /* where they rest */
    float lids;         /* blink at rest */
    float pitch;        /* degrees, where the head rests */
    float head;         /* factor of the head's motion */
    float nod;          /* degrees on a stressed syllable */
    float beat;         /* brows on a stressed syllable */
    float blink_s;      /* mean time between blinks */
    float gaze_s, gaze; /* mean time between glances, and how far they go */
    float breath_hz;
} vx_manner;

/* The manner at a time, blended across changes of mood. */
vx_manner vx_manner_at(const vx_drive_request *request, double t);

/* A number in (0, 1) that belongs to the seed, a purpose and an index. */
float vx_drive_draw(uint64_t seed, uint32_t purpose, uint32_t index);

/* Per-frame tracks, each of `n`. */
typedef struct vx_tracks {
    double fps;
    int64_t n;
    float *jaw, *lips; /* lips: -1 spread .. 1 rounded */
    float *activity;   /* 0 silent .. 1 speaking */
    float *stress;     /* bumps on stressed syllables */
    float *a, *b, *c;  /* scratch */
} vx_tracks;
enum { VX_TRACK_COUNT = 7 };

/* The time that frame i stands for: the middle of what it is shown for. */
static inline double vx_frame_time(const vx_tracks *tracks, int64_t i)
{
    return ((double)i + 0.5) / tracks->fps;
}

/* Fill jaw, lips, activity and stress. */
void vx_mouth_by_timings(const vx_drive_request *request, vx_tracks *tracks);
void vx_mouth_by_loudness(const vx_drive_request *request, vx_tracks *tracks);

/* Fills the other columns from the tracks. */
void vx_live(const vx_drive_request *request, const vx_tracks *tracks, vx_pose *pose);

#endif
