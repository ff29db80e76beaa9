/* What a face does besides speaking: blinks, brows, glances, nods, breath, a head that sways. */
#include <math.h>

#include "drive/manner.h"
#include "drive/track.h"

/* Purposes of random draws. */
enum {
    DRAW_BLINK = 1,
    DRAW_GLANCE,
    DRAW_GLANCE_X,
    DRAW_GLANCE_Y,
    DRAW_BREATH,
    DRAW_SWAY /* and one for each octave of each column behind it */
};

/* A blink: lids close in 100 ms, stay for 30 and open in 200 (below 60 % for 3 to 4 frames at 30
 * fps, as in the templates). */
static const double CLOSE_S = 0.10, SHUT_S = 0.03, OPEN_S = 0.20;
/* A blink moves by up to this much into the nearest quiet moment. */
static const double BLINK_SHIFT_S = 0.35;

static double lid(double t)
{
    if (t < 0) return fmax(0, 1 + t / CLOSE_S);
    if (t < SHUT_S) return 1;
    double s = fmin(1, (t - SHUT_S) / OPEN_S);
    return 1 - s * s * (3 - 2 * s);
}

static int64_t quiet_frame(const vx_tracks *t, double at)
{
    int64_t best = (int64_t)(at * t->fps), reach = (int64_t)(BLINK_SHIFT_S * t->fps);
    double least = INFINITY;
    for (int64_t i = best - reach, middle = best; i <= middle + reach; i++) {
        if (i < 0 || i >= t->n) continue;
        double cost =
            (double)t->activity[i] + 0.6 * fabs((double)(i - middle)) / (double)(reach + 1);
        if (cost < least) {
            least = cost;
            best = i;
        }
    }
    return best;
}

static void blink(const vx_drive_request *r, const vx_tracks *t, float *out)
{
    double end = (double)t->n / t->fps;
    double at = 0.4 + 1.6 * (double)vx_drive_draw(r->seed, DRAW_BLINK, 0);
    for (uint32_t k = 1; at < end; k++) {
        int64_t centre = quiet_frame(t, at);
        int64_t first = centre - (int64_t)ceil(CLOSE_S * t->fps);
        int64_t last = centre + (int64_t)ceil((SHUT_S + OPEN_S) * t->fps);
        for (int64_t i = first < 0 ? 0 : first; i <= last && i < t->n; i++)
            out[i] = fmaxf(out[i], (float)lid((double)(i - centre) / t->fps));
        /* Waiting times between half and five times the mean: blinks come in groups and gaps. */
        double wait = -log((double)vx_drive_draw(r->seed, DRAW_BLINK, k));
        at += (double)vx_manner_at(r, at).blink_s * fmin(3, 0.4 + 0.6 * wait);
    }
}

/* Glances: the eyes rest somewhere, then jump; every second time back to the viewer. */
static void glance(const vx_drive_request *r, const vx_tracks *t, float *x, float *y)
{
    double next = 0;
    float to_x = 0, to_y = 0;
    uint32_t k = 0;
    for (int64_t i = 0; i < t->n; i++) {
        if (vx_frame_time(t, i) >= next) {
            vx_manner m = vx_manner_at(r, next);
            float away = k % 2 == 1 ? m.gaze : 0.15f * m.gaze;
            to_x = away * (2 * vx_drive_draw(r->seed, DRAW_GLANCE_X, k) - 1);
            to_y = 0.6f * away * (2 * vx_drive_draw(r->seed, DRAW_GLANCE_Y, k) - 1);
            next += (double)m.gaze_s * (0.4 + 1.2 * (double)vx_drive_draw(r->seed, DRAW_GLANCE, k));
            k++;
        }
        x[i] = to_x;
        y[i] = to_y;
    }
}

/* A random value of either sign, 0.4 to 1 away from nothing: so that a head does move. */
static double knot(uint64_t seed, uint32_t purpose, uint32_t cell)
{
    double u = 2 * (double)vx_drive_draw(seed, purpose, cell) - 1;
    return u < 0 ? -0.4 + 0.6 * u : 0.4 + 0.6 * u;
}

/* Smooth noise in -1..1: knots on a grid of time, quintic between them. */
static double noise(uint64_t seed, uint32_t purpose, double at)
{
    double cell = floor(at), s = at - cell;
    double a = knot(seed, purpose, (uint32_t)cell), b = knot(seed, purpose, (uint32_t)cell + 1);
    return a + (b - a) * s * s * s * (s * (6 * s - 15) + 10);
}

static double sway(const vx_drive_request *r, int column, double t, double hz)
{
    uint32_t purpose = DRAW_SWAY + 2 * (uint32_t)column;
    return 0.7 * noise(r->seed, purpose, hz * t) + 0.3 * noise(r->seed, purpose + 1, 2.6 * hz * t);
}

static void pose_at(const vx_drive_request *r, const vx_tracks *t, int64_t i, float speaking,
                    vx_pose *pose)
{
    double now = vx_frame_time(t, i);
    vx_manner m = vx_manner_at(r, now);
    float *v = pose->value, head = m.head * (0.55f + 0.45f * speaking);
    double phase = 2 * M_PI * (double)vx_drive_draw(r->seed, DRAW_BREATH, 0);
    float breath = (float)sin(2 * M_PI * (double)m.breath_hz * now + phase);
    v[VX_YAW] = 1.9f * head * (float)sway(r, VX_YAW, now, 0.5);
    v[VX_PITCH] = m.pitch + 2.6f * head * (float)sway(r, VX_PITCH, now, 0.45) +
                  m.nod * t->stress[i] + 0.15f * breath;
    v[VX_ROLL] = 2.6f * head * (float)sway(r, VX_ROLL, now, 0.4);
    v[VX_TX] = 0.006f * head * (float)sway(r, VX_TX, now, 0.3);
    v[VX_TY] = 0.004f * head * (float)sway(r, VX_TY, now, 0.4) + 0.003f * breath;
    v[VX_SCALE] = 1 + 0.004f * head * (float)sway(r, VX_SCALE, now, 0.25) + 0.001f * breath;
    v[VX_JAW] = t->jaw[i];
    v[VX_LIP_ROUND] = fmaxf(0, t->lips[i]);
    v[VX_LIP_WIDE] = fmaxf(0, -t->lips[i]);
    v[VX_SMILE] = m.smile * (1 + 0.15f * (float)sway(r, VX_SMILE, now, 0.5));
    v[VX_BROW] = m.brow + m.beat * t->stress[i];
    /* Eyes stay where they look while the head turns: 0.26 and 0.28 of the slider's 15
     * units a degree (Ditto). */
    v[VX_GAZE_X] = t->b[i] + 0.26f / 15 * v[VX_YAW];
    v[VX_GAZE_Y] = t->c[i] - 0.28f / 15 * (v[VX_PITCH] - m.pitch);
    v[VX_BLINK_L] = v[VX_BLINK_R] = fmaxf(t->a[i], m.lids);
}

void vx_live(const vx_drive_request *r, const vx_tracks *t, vx_pose *pose)
{
    float step = vx_drive_speed(VX_GAZE_X) / (float)t->fps, speaking = 0;
    float lag = (float)exp(-1 / (0.5 * t->fps)); /* the head wakes up in half a second */
    glance(r, t, t->b, t->c);
    vx_track_limit(t->b, t->a, t->n, 0.8f * step);
    vx_track_limit(t->c, t->a, t->n, 0.8f * step);
    for (int64_t i = 0; i < t->n; i++)
        t->a[i] = 0;
    blink(r, t, t->a);
    for (int64_t i = 0; i < t->n; i++) {
        speaking += (t->activity[i] - speaking) * (1 - lag);
        pose_at(r, t, i, speaking, &pose[i]);
    }
}
