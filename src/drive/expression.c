#include "drive/expression.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "formats/source.h"

/* Directions of the published network, measured by AdvancedLivePortrait (calc_fe) and the
 * official demo, which agree. Their sliders at a control of 1: jaw 40 (two thirds of what the
 * widest talking clip has above its median), "woo" 12, "eee" 10, smile 1 and -0.3, blink -17,
 * gaze 15, brows 15 and -10. */
typedef struct direction {
    int control;
    int sign; /* 1: for controls above 0, -1: below, 0: both */
    int point, axis;
    float value; /* at 1, or at -1 with its sign turned */
} direction;

enum { X, Y, Z };
enum { JAW, LIP_ROUND, LIP_WIDE, SMILE, BLINK_L, BLINK_R, BROW, GAZE_X, GAZE_Y };

/* Eye A is key points 11, 13 and brow 1; eye B is 15, 16 and brow 2. Here A is the left one. */
static const direction published[] = {
    {JAW, 0, 19, Y, 0.04f},         {JAW, 0, 19, Z, 0.004f},       {JAW, 0, 17, Y, -0.004f},
    {LIP_ROUND, 0, 14, Y, 0.012f},  {LIP_ROUND, 0, 3, Y, -0.006f}, {LIP_ROUND, 0, 7, Y, -0.006f},
    {LIP_ROUND, 0, 17, Z, -0.006f}, {LIP_WIDE, 0, 20, Y, -0.010f}, {LIP_WIDE, 0, 20, Z, -0.010f},
    {LIP_WIDE, 0, 14, Y, -0.010f},  {SMILE, 1, 20, Y, -0.01f},     {SMILE, 1, 14, Y, -0.02f},
    {SMILE, 1, 17, Y, 0.0065f},     {SMILE, 1, 17, Z, 0.003f},     {SMILE, 1, 13, Y, -0.00275f},
    {SMILE, 1, 16, Y, -0.00275f},   {SMILE, 1, 3, Y, -0.0035f},    {SMILE, 1, 7, Y, -0.0035f},
    {SMILE, -1, 20, Y, -0.003f},    {SMILE, -1, 14, Y, -0.006f},   {SMILE, -1, 17, Y, 0.00195f},
    {SMILE, -1, 17, Z, 0.0009f},    {SMILE, -1, 13, Y, -0.00083f}, {SMILE, -1, 16, Y, -0.00083f},
    {SMILE, -1, 3, Y, -0.00105f},   {SMILE, -1, 7, Y, -0.00105f},  {BLINK_L, 0, 11, Y, 0.017f},
    {BLINK_L, 0, 13, Y, -0.0051f},  {BLINK_L, 0, 1, Y, 0.00425f},  {BLINK_R, 0, 15, Y, 0.017f},
    {BLINK_R, 0, 16, Y, -0.0051f},  {BLINK_R, 0, 2, Y, -0.00425f}, {BROW, 1, 1, Y, 0.015f},
    {BROW, 1, 2, Y, -0.015f},       {BROW, -1, 1, X, -0.010f},     {BROW, -1, 2, X, 0.010f},
    {BROW, -1, 1, Y, 0.003f},       {BROW, -1, 2, Y, -0.003f},     {GAZE_X, 1, 11, X, 0.0105f},
    {GAZE_X, 1, 15, X, 0.015f},     {GAZE_X, -1, 11, X, 0.015f},   {GAZE_X, -1, 15, X, 0.0105f},
    {GAZE_Y, 0, 11, Y, 0.0075f},    {GAZE_Y, 0, 15, Y, 0.0075f},   {GAZE_Y, 0, 13, Y, 0.00225f},
    {GAZE_Y, 0, 16, Y, 0.00225f},
};

/* The expression of a silent face (lip_array.pkl, values above 0.001). */
static const direction lips_at_rest[] = {
    {0, 0, 19, Y, -0.0151f}, {0, 0, 19, Z, -0.0025f}, {0, 0, 20, X, 0.0002f},
    {0, 0, 20, Y, 0.0056f},  {0, 0, 20, Z, 0.0027f},  {0, 0, 7, Y, 0.0026f},
    {0, 0, 14, Y, -0.0018f}, {0, 0, 17, Y, -0.0012f},
};
static const int eyes[] = {11, 13, 15, 16, 18};

/* What the network was seen to give on real faces (FaceFusion's EXPRESSION_MIN and MAX). */
static const struct {
    int point, axis;
    float least, most;
} bounds[] = {
    {0, Y, -.081f, .071f},  {1, Y, -.033f, .062f},  {2, Y, -.043f, .045f},  {3, Y, -.033f, .038f},
    {4, Y, -.060f, .040f},  {5, Y, -.224f, .099f},  {7, Y, -.054f, .107f},  {11, Y, -.019f, .034f},
    {13, Y, -.028f, .038f}, {14, Y, -.040f, .049f}, {15, Y, -.025f, .033f}, {16, Y, -.020f, .012f},
    {17, Y, -.025f, .030f}, {19, Y, -.074f, .181f}, {20, Y, -.037f, .087f}, {10, Z, -.027f, .032f},
    {17, Z, -.027f, .014f}, {19, Z, -.044f, .028f}, {20, Z, -.013f, .033f},
};

vx_status vx_directions_read(vx_directions *d, const char *path, int points, vx_error *err)
{
    vx_source *source;
    assert(points > 0 && points <= VX_EXPRESSION_POINTS_MAX);
    memset(d, 0, sizeof *d);
    d->points = points;
    VX_TRY(vx_source_open(&source, path, err));
    const vx_source_tensor *t = vx_source_count(source) == 1 ? vx_source_at(source, 0) : NULL;
    vx_status status = VX_OK;
    if (t == NULL || t->rank != 3 || t->dim[0] != VX_CONTROLS || t->dim[1] != points ||
        t->dim[2] != 3)
        status = vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                            "controls are one array of [%d, %d, 3], rows from jaw to gaze_y",
                            VX_CONTROLS, points);
    for (int c = 0; c < VX_CONTROLS && status == VX_OK; c++)
        status = vx_source_read(source, t, (int64_t)c * points * 3, (int64_t)points * 3,
                                &d->rise[c][0][0], err);
    vx_source_close(&source);
    VX_TRY(status);
    for (int c = 0; c < VX_CONTROLS; c++)
        for (int i = 0; i < points * 3; i++)
            if (!isfinite((&d->rise[c][0][0])[i]))
                return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                                  "the controls hold a value that is no number");
    memcpy(d->fall, d->rise, sizeof d->fall);
    return VX_OK;
}

void vx_directions_published(vx_directions *d, const float *canonical)
{
    memset(d, 0, sizeof *d);
    d->points = VX_EXPRESSION_POINTS;
    d->published = true;
    bool swapped = canonical[3 * 11] > canonical[3 * 15];
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const direction *p = &published[i];
        int control = p->control;
        if (swapped && control == BLINK_L)
            control = BLINK_R;
        else if (swapped && control == BLINK_R)
            control = BLINK_L;
        if (p->sign >= 0) d->rise[control][p->point][p->axis] = p->value;
        if (p->sign <= 0) d->fall[control][p->point][p->axis] = p->value;
    }
}

static void start(const float *source, float *e)
{
    memset(e, 0, sizeof *e * VX_EXPRESSION_POINTS * 3);
    for (size_t i = 0; i < sizeof lips_at_rest / sizeof *lips_at_rest; i++)
        e[3 * lips_at_rest[i].point + lips_at_rest[i].axis] = lips_at_rest[i].value;
    for (size_t i = 0; i < sizeof eyes / sizeof *eyes; i++)
        memcpy(e + 3 * eyes[i], source + 3 * eyes[i], sizeof *e * 3);
}

void vx_expression(const vx_directions *d, const vx_pose *pose, const float *source, float *e)
{
    if (d->published)
        start(source, e);
    else
        memset(e, 0, sizeof *e * (size_t)d->points * 3);
    for (int c = 0; c < VX_CONTROLS; c++) {
        float u = pose->value[VX_JAW + c];
        const float *row = u >= 0 ? &d->rise[c][0][0] : &d->fall[c][0][0];
        for (int i = 0; i < d->points * 3; i++)
            e[i] += u * row[i];
    }
    if (!d->published) return;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        float *v = &e[3 * bounds[i].point + bounds[i].axis];
        *v = fminf(bounds[i].most, fmaxf(bounds[i].least, *v));
    }
}
