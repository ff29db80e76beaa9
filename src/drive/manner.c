#include "drive/manner.h"

#include <math.h>

#include "base/random.h"

/* A change of mood takes this long. */
static const double CHANGE_S = 0.8;

/* Amplitudes stay within what talking heads of the official templates show: pitch 9 to 15 degrees
 * from end to end, yaw 5, roll 4 to 18; a blink every few seconds. */
static const vx_manner manners[VX_MOODS] = {
    /*                    artic  smile   brow   lids  pitch head  nod   beat  blink gaze_s gaze
     *                    breath */
    [VX_MOOD_NEUTRAL] = {1.00f, 0.05f, 0.00f, 0.02f, 0.0f, 1.00f, 1.2f, 0.25f, 3.6f, 1.6f, 0.20f,
                         0.25f},
    [VX_MOOD_EXCITED] = {1.12f, 0.45f, 0.25f, 0.00f, -0.8f, 1.30f, 1.8f, 0.40f, 2.6f, 1.1f, 0.26f,
                         0.33f},
    [VX_MOOD_CALM] = {0.88f, 0.15f, 0.00f, 0.06f, 0.0f, 0.65f, 0.7f, 0.12f, 4.8f, 2.4f, 0.14f,
                      0.20f},
    [VX_MOOD_MANIC] = {1.25f, 0.65f, 0.45f, 0.00f, -0.8f, 1.60f, 2.2f, 0.50f, 1.8f, 0.6f, 0.36f,
                       0.42f},
    [VX_MOOD_SAD] = {0.82f, -0.55f, 0.45f, 0.18f, 2.5f, 0.70f, 0.6f, 0.15f, 4.4f, 2.4f, 0.18f,
                     0.20f},
    [VX_MOOD_ANGRY] = {1.10f, -0.45f, -0.75f, 0.06f, 1.2f, 1.15f, 1.8f, 0.20f, 4.6f, 2.0f, 0.12f,
                       0.33f},
};

static vx_manner between(const vx_manner *from, const vx_manner *to, float share)
{
    vx_manner out;
    const float *a = (const float *)from, *b = (const float *)to;
    for (size_t i = 0; i < sizeof out / sizeof(float); i++)
        ((float *)&out)[i] = a[i] + (b[i] - a[i]) * share;
    return out;
}

vx_manner vx_manner_at(const vx_drive_request *request, double t)
{
    vx_manner manner = manners[request->mood];
    for (int i = 0; i < request->mood_count; i++) {
        const vx_mood_at *change = &request->moods[i];
        double s = change->at_s <= 0 ? 1 : (t - change->at_s) / CHANGE_S;
        s = fmin(1, fmax(0, s));
        if (s > 0) manner = between(&manner, &manners[change->mood], (float)(s * s * (3 - 2 * s)));
    }
    return manner;
}

float vx_drive_draw(uint64_t seed, uint32_t purpose, uint32_t index)
{
    return vx_random_uniform(seed, VX_STREAM_DRIVE, (uint64_t)purpose << 32 | index);
}
