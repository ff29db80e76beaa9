/* A portrait that moves. Key points come from a motion table, from given ones or from a
 * driving video, a batch at a time; the network makes square frames of them into a ring, and a
 * second thread takes those out, pastes them into the film's picture and hands them on, while
 * the next batch is made. */
#include "slot/animate.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/warnings.h"
#include "drive/expression.h"
#include "slot/portrait.h"
#include "slot/ring.h"
#include "media/resize.h"

/* Batches in the ring: one is made while one is encoded. */
enum { RING_BATCHES = 2 };

struct vx_animator {
    vx_engine *engine;
    vx_liveportrait *model;
    const vx_liveportrait_config *config;
    int side, batch;
    uint8_t *crop; /* of the source's preparation and of driving frames */
    float *x_d;    /* [batch][points][3] */
    vx_directions *directions;
    bool own_directions; /* the pack's controls */
};

/* One film under way. */
typedef struct film {
    vx_animator *animator;
    vx_ctx *ctx;
    const vx_animate_request *request;
    vx_picture portrait, shrunk; /* shrunk: its memory when it was too large */
    double face[6];              /* in its pixels, when they are given */
    vx_square found;             /* the same, around the face that was found */
    vx_square driver;            /* the square of a driving video; side 0: its middle */
    vx_sitter sitter;
    vx_ring ring;
    int width, height;
    bool direct; /* frames are the film's as they are */
    vx_picture canvas, below;
    vx_paste paste;
    uint8_t *match; /* the paste's */
    void *scratch;
    vx_motion first; /* of a driving video */
    float first_rotation[3][3];
} film;

/* ---- memory --------------------------------------------------------------------------------- */

size_t vx_animate_table_bytes(int64_t frames)
{
    return vx_align_up(sizeof(vx_pose) * (size_t)frames) + vx_drive_bytes(frames);
}

static size_t frame_bytes(const vx_liveportrait *model)
{
    size_t side = (size_t)vx_liveportrait_frame_side(vx_liveportrait_configuration(model));
    return vx_align_up(3 * side * side);
}

static size_t picture_bytes(int width, int height)
{
    return vx_align_up((size_t)3 * (size_t)width * (size_t)height);
}

/* What turns a square frame into a film of another size. */
static size_t scratch_bytes(int side, int width, int height)
{
    int longest = width > height ? width : height;
    vx_resize_params p = vx_resize_whole(VX_FILTER_BICUBIC, longest, longest);
    return vx_align_up(vx_resize_bytes(&p, side, side));
}

/* The ring, then the canvas, what lies below, what matches its colours, the mask, scratch. */
size_t vx_animate_ring_bytes(const vx_liveportrait *model, int width, int height)
{
    int side = vx_liveportrait_frame_side(vx_liveportrait_configuration(model));
    return (size_t)(RING_BATCHES * vx_liveportrait_batch(model)) * frame_bytes(model) +
           3 * picture_bytes(width, height) + vx_align_up((size_t)width * (size_t)height) +
           scratch_bytes(side, width, height);
}

void vx_film_size(const vx_picture *picture, int *width, int *height)
{
    int longest = picture->width > picture->height ? picture->width : picture->height;
    double scale = longest > VX_FILM_SIDE_MAX ? (double)VX_FILM_SIDE_MAX / longest : 1;
    int w = (int)(picture->width * scale) & ~1, h = (int)(picture->height * scale) & ~1;
    *width = w > 16 ? w : 16;
    *height = h > 16 ? h : 16;
}

vx_status vx_animator_table(vx_animator *a, double fps, int64_t frames, vx_motion_table *table,
                            void **memory, vx_error *err)
{
    size_t bytes;
    char *base = vx_engine_buffer(a->engine, VX_BUFFER_MOTION, &bytes);
    if (vx_animate_table_bytes(frames) > bytes)
        return vx_fail(err, VX_ERR_INPUT, "too_long",
                       "%lld frames are more than were planned; make it shorter",
                       (long long)frames);
    *table = (vx_motion_table){.fps = fps, .count = frames, .pose = (vx_pose *)(void *)base};
    *memory = base + vx_align_up(sizeof(vx_pose) * (size_t)frames);
    return VX_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static vx_status open_animator(vx_animator *a, vx_error *err)
{
    const vx_pack_component *c = &vx_engine_pack(a->engine)->components[VX_COMPONENT_LIVEPORTRAIT];
    size_t size = (size_t)a->config->image_size, points = (size_t)a->config->points;
    a->crop = vx_heap_alloc(3 * size * size);
    a->x_d = vx_heap_alloc(sizeof(float) * 3 * points * (size_t)a->batch);
    a->directions = vx_heap_alloc(sizeof *a->directions);
    if (a->crop == NULL || a->x_d == NULL || a->directions == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to animate");
    a->own_directions = c->controls.name != NULL;
    if (a->own_directions)
        return vx_directions_read(a->directions, c->controls.path, a->config->points, err);
    if (a->config->points != VX_EXPRESSION_POINTS)
        return vx_fail(err, VX_ERR_INPUT, "bad_pack",
                       "a network of %d key points needs the pack's own controls (controls: FILE)",
                       a->config->points);
    return VX_OK;
}

vx_status vx_animator_open(vx_animator **out, vx_engine *engine, vx_error *err)
{
    vx_animator *a = *out = vx_heap_alloc(sizeof **out);
    if (a == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to animate");
    a->engine = engine;
    a->model = vx_engine_liveportrait(engine);
    assert(a->model != NULL);
    a->config = vx_liveportrait_configuration(a->model);
    a->side = vx_liveportrait_frame_side(a->config);
    a->batch = vx_liveportrait_batch(a->model);
    vx_status status = open_animator(a, err);
    if (status != VX_OK) vx_animator_close(out);
    return status;
}

void vx_animator_close(vx_animator **handle)
{
    vx_animator *a = *handle;
    if (a == NULL) return;
    vx_heap_free(a->crop);
    vx_heap_free(a->x_d);
    vx_heap_free(a->directions);
    vx_heap_free(a);
    *handle = NULL;
}

/* ---- key points ----------------------------------------------------------------------------- */

/* From the motion table: angles and t add to the source's, scale multiplies. */
static void keypoints_of_pose(const film *f, const vx_pose *pose, float (*out)[3])
{
    const vx_animator *a = f->animator;
    const vx_portrait *source = &f->sitter.source;
    vx_motion m = source->motion;
    m.yaw += pose->value[VX_YAW];
    m.pitch += pose->value[VX_PITCH];
    m.roll += pose->value[VX_ROLL];
    m.t[0] += pose->value[VX_TX];
    m.t[1] += pose->value[VX_TY];
    m.scale *= pose->value[VX_SCALE];
    vx_expression(a->directions, pose, &source->motion.expression[0][0], &m.expression[0][0]);
    vx_liveportrait_keypoints(a->config, source->motion.canonical, &m, out);
}

/* a b, and a b^T */
static void product(const float a[3][3], const float b[3][3], bool transposed, float out[3][3])
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            out[i][j] = 0;
            for (int k = 0; k < 3; k++)
                out[i][j] += a[i][k] * (transposed ? b[j][k] : b[k][j]);
        }
}

/* Relative motion, as the official pipeline has it: R = (R_d R_d0^T) R_s, expression = e_s + e_d -
 * e_d0, scale = s_s s_d / s_d0, t = t_s + t_d - t_d0. */
static void keypoints_of_video(const film *f, const vx_motion *d, float (*out)[3])
{
    const vx_liveportrait_config *c = f->animator->config;
    const vx_motion *s = &f->sitter.source.motion;
    float driving[3][3], source[3][3], turn[3][3], r[3][3];
    vx_liveportrait_rotation(d->pitch, d->yaw, d->roll, driving);
    vx_liveportrait_rotation(s->pitch, s->yaw, s->roll, source);
    product(driving, f->first_rotation, true, turn);
    product(turn, source, false, r);
    float scale = f->first.scale != 0 ? s->scale * d->scale / f->first.scale : s->scale;
    bool before = c->w.expression == VX_EXPRESSION_BEFORE_ROTATION;
    for (int k = 0; k < c->points; k++) {
        float x[3], e[3];
        for (int i = 0; i < 3; i++) {
            e[i] = s->expression[k][i] + d->expression[k][i] - f->first.expression[k][i];
            x[i] = s->canonical[k][i] + (before ? e[i] : 0);
        }
        for (int i = 0; i < 3; i++) {
            float turned = x[0] * r[0][i] + x[1] * r[1][i] + x[2] * r[2][i];
            float t = i < 2 ? s->t[i] + d->t[i] - f->first.t[i] : 0;
            out[k][i] = scale * (turned + (before ? 0 : e[i])) + t;
        }
    }
}

static vx_status video_frame(film *f, int64_t index, float (*out)[3], bool *ended)
{
    vx_animator *a = f->animator;
    vx_picture frame;
    vx_motion motion;
    vx_picture crop = {a->crop, a->config->image_size, a->config->image_size,
                       (ptrdiff_t)3 * a->config->image_size};
    VX_TRY(vx_video_next(f->request->video, &frame, NULL, ended, f->ctx->err));
    if (*ended) return VX_OK;
    if (f->driver.side > 0)
        vx_warp_out(&frame, &f->driver, 2, &crop);
    else
        VX_TRY(vx_crop_whole(&frame, &crop, f->ctx->err));
    VX_TRY(vx_liveportrait_motion(a->model, f->ctx, a->crop, &motion));
    if (index == 0) {
        f->first = motion;
        vx_liveportrait_rotation(motion.pitch, motion.yaw, motion.roll, f->first_rotation);
    }
    keypoints_of_video(f, &motion, out);
    return VX_OK;
}

/* How many frames there will be; 0: not known. */
static int64_t frames_ahead(const vx_animate_request *r)
{
    if (r->motion != NULL) return r->motion->count;
    if (r->keypoints != NULL) return r->frames;
    const vx_video_info *info = vx_video_about(r->video);
    int64_t n = info->frames;
    return r->frames > 0 && (n == 0 || n > r->frames) ? r->frames : n;
}

/* The key points of up to a batch of frames from `first` on; *n is how many there are. */
static vx_status next_keypoints(film *f, int64_t first, int *n)
{
    vx_animator *a = f->animator;
    const vx_animate_request *r = f->request;
    int points = a->config->points;
    float(*x_d)[3] = (float(*)[3])(void *)a->x_d;
    int64_t left = r->motion != NULL ? r->motion->count - first
                   : r->frames > 0   ? r->frames - first
                                     : a->batch;
    bool ended = false;
    for (*n = 0; *n < a->batch && *n < left; (*n)++) {
        float(*out)[3] = x_d + *n * points;
        if (r->motion != NULL)
            keypoints_of_pose(f, &r->motion->pose[first + *n], out);
        else if (r->keypoints != NULL)
            memcpy(out, r->keypoints + (first + *n) * points * 3,
                   sizeof(float) * 3 * (size_t)points);
        else
            VX_TRY(video_frame(f, first + *n, out, &ended));
        if (ended) break;
    }
    return VX_OK;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* The film's frame from the network's, on the taker's thread. */
static vx_status frame_from_ring(void *arg, int64_t index, uint8_t *rgb, vx_error *err)
{
    film *f = arg;
    int side = f->animator->side;
    vx_picture made = {rgb, side, side, (ptrdiff_t)3 * side}, *out = &made;
    if (!f->direct) out = &f->canvas;
    if (!f->direct && f->sitter.whole) {
        int longest = f->width > f->height ? f->width : f->height;
        vx_resize_params p = {.filter = VX_FILTER_BICUBIC,
                              .width = longest,
                              .height = longest,
                              .left = (longest - f->width) / 2,
                              .top = (longest - f->height) / 2,
                              .out_width = f->width,
                              .out_height = f->height};
        vx_resize(&made, &f->canvas, &p, f->scratch);
    } else if (!f->direct) {
        vx_paste_in(&f->paste, &f->below, &made, &f->canvas);
    }
    return f->request->frame(f->request->arg, index, out, err);
}

/* The portrait at the film's size, cut around its middle or the face that was found, and the square
 * in it. */
static vx_status lay_below(film *f, uint8_t *mask)
{
    const vx_picture *p = &f->portrait;
    vx_resize_params r = vx_resize_cover(p, f->width, f->height);
    vx_square square = f->sitter.square;
    if (f->request->found != NULL) {
        double x = square.x * r.width / p->width, y = square.y * r.height / p->height;
        r.left = (int)fmin(r.width - f->width, fmax(0, round(x - 0.5 * f->width)));
        r.top = (int)fmin(r.height - f->height, fmax(0, round(y - 0.5 * f->height)));
    }
    void *scratch = vx_heap_alloc(vx_resize_bytes(&r, p->width, p->height));
    if (scratch == NULL)
        return vx_fail(f->ctx->err, VX_ERR_MEMORY, "no_memory", "no memory to resize the portrait");
    vx_resize(p, &f->below, &r, scratch);
    vx_heap_free(scratch);
    for (int y = 0; y < f->height; y++)
        memcpy(vx_picture_row(&f->canvas, y), vx_picture_row(&f->below, y), (size_t)f->width * 3);
    square.x = square.x * r.width / p->width - r.left;
    square.y = square.y * r.height / p->height - r.top;
    square.side *= (double)r.width / p->width;
    vx_paste_prepare(&f->paste, &square, mask, f->width, f->height);
    return VX_OK;
}

static vx_status set_scene(film *f, uint8_t **ring)
{
    const vx_animate_request *r = f->request;
    const vx_liveportrait *model = f->animator->model;
    size_t bytes;
    int side = f->animator->side;
    if (f->sitter.whole)
        f->width = f->height = side;
    else
        vx_film_size(&f->portrait, &f->width, &f->height);
    if (r->width > 0) f->width = r->width;
    if (r->height > 0) f->height = r->height;
    f->direct = f->sitter.whole && f->width == side && f->height == side;
    uint8_t *at = *ring = vx_engine_buffer(f->animator->engine, VX_BUFFER_RING, &bytes);
    if (f->direct) return VX_OK;
    if (vx_animate_ring_bytes(model, f->width, f->height) > bytes)
        return vx_fail(f->ctx->err, VX_ERR_USAGE, "bad_size",
                       "a film of %dx%d is larger than what was planned", f->width, f->height);
    at += (size_t)(RING_BATCHES * f->animator->batch) * frame_bytes(model);
    f->canvas = (vx_picture){at, f->width, f->height, (ptrdiff_t)3 * f->width};
    at += picture_bytes(f->width, f->height);
    f->below = (vx_picture){at, f->width, f->height, (ptrdiff_t)3 * f->width};
    at += picture_bytes(f->width, f->height);
    f->match = at;
    at += picture_bytes(f->width, f->height);
    f->scratch = at + vx_align_up((size_t)f->width * (size_t)f->height);
    return f->sitter.whole ? VX_OK : lay_below(f, at);
}

/* Where the eyes are in the crop, 0..1, and half of what an eye takes of it; false where nobody
 * said. */
static bool eyes_of(const film *f, double at[2][2], double *half)
{
    const vx_found *found = f->request->found;
    double eye[2][2], scale = (double)f->portrait.width / f->request->portrait->width;
    if (found == NULL && f->request->face == NULL) return false;
    for (int i = 0; i < 4; i++)
        eye[i / 2][i % 2] = found == NULL ? f->face[i]
                            : i < 2       ? scale * found->left_eye[i]
                                          : scale * found->right_eye[i - 2];
    for (int i = 0; i < 2; i++)
        vx_square_place(&f->sitter.square, eye[i][0], eye[i][1], at[i]);
    *half = 0.35 * hypot(at[1][0] - at[0][0], at[1][1] - at[0][1]);
    return true;
}

/* How many levels apart two frames are around the eyes, on average. */
static double eyes_apart(const vx_picture *a, const vx_picture *b, double at[2][2], double half)
{
    double sum = 0;
    int count = 0;
    for (int e = 0; e < 2; e++)
        for (int y = 0; y < a->height; y++)
            for (int x = 0; x < a->width; x++) {
                double u = (x + 0.5) / a->width - at[e][0], v = (y + 0.5) / a->height - at[e][1];
                if (fabs(u) > half || fabs(v) > half) continue;
                for (int c = 0; c < 3; c++, count++)
                    sum += abs(vx_picture_row(a, y)[3 * x + c] - vx_picture_row(b, y)[3 * x + c]);
            }
    return count > 0 ? sum / count : 0;
}

/* A pack that draws knows drawings alone: the eyes of a photograph do not close. Of 20 drawings the
 * least is 41 levels, of 12 photographs and paintings the most 17 (docs/models/FACE.md). */
static const double EYES_CLOSE = 26;

static void check_eyes(const film *f, const vx_picture *rest, const vx_picture *blink)
{
    const vx_pack *pack = vx_engine_pack(f->animator->engine);
    double at[2][2], half;
    if (!f->animator->config->absolute_expression || pack->synthetic || !eyes_of(f, at, &half))
        return;
    double apart = eyes_apart(rest, blink, at, half);
    vx_log(VX_LOG_DEBUG, "closing the eyes changes them by %.1f levels", apart);
    if (apart >= EYES_CLOSE) return;
    vx_warn("not_a_drawing", NULL,
            "pack %s knows drawings like its own, and this face, a photograph or a painting maybe, "
            "is none: its eyes do not close; a pack with LivePortrait's published networks moves "
            "such faces (--pack full)",
            pack->name);
}

/* What the network makes of the crop, seen before the first frame: at rest, which matches the
 * border's colours, and with closed eyes. */
static vx_status try_out(film *f, uint8_t *rgb)
{
    vx_animator *a = f->animator;
    const vx_room *ring = vx_engine_room(a->engine, VX_BUFFER_RING, 0);
    size_t stride = frame_bytes(a->model);
    float(*x_d)[3] = (float(*)[3])(void *)a->x_d;
    vx_picture rest = {rgb, a->side, a->side, (ptrdiff_t)3 * a->side}, blink = rest;
    vx_pose pose;
    static_assert(VX_PORTRAIT_BATCH >= 2, "both fit into a batch");
    if (f->request->keypoints != NULL || (f->sitter.whole && f->request->found == NULL))
        return VX_OK;
    for (int c = 0; c < VX_MOTION_COLUMNS; c++)
        pose.value[c] = vx_motion_ranges[c].rest;
    keypoints_of_pose(f, &pose, x_d);
    pose.value[VX_BLINK_L] = pose.value[VX_BLINK_R] = 1;
    keypoints_of_pose(f, &pose, x_d + a->config->points);
    vx_portrait_batch batch = {.n = 2, .x_d = a->x_d, .stride = stride, .frames = ring->at};
    VX_TRY(vx_liveportrait_frames(a->model, f->ctx, &f->sitter.source, &batch));
    VX_TRY(vx_finish(f->ctx));
    blink.rgb += stride;
    check_eyes(f, &rest, &blink);
    if (!f->sitter.whole) vx_paste_match(&f->paste, &f->below, &rest, f->match);
    return VX_OK;
}

static vx_status make_frames(film *f, int64_t *frames)
{
    vx_animator *a = f->animator;
    const vx_animate_request *r = f->request;
    int64_t all = frames_ahead(r);
    const vx_room *ring = vx_engine_room(a->engine, VX_BUFFER_RING, 0);
    vx_portrait_batch batch = {.stitch = r->keypoints == NULL && !f->sitter.whole &&
                                         vx_liveportrait_stitches(a->model),
                               .x_d = a->x_d,
                               .stride = f->ring.frame_bytes};
    for (*frames = 0;;) {
        int n;
        uint8_t *rgb;
        VX_TRY(next_keypoints(f, *frames, &n));
        if (n == 0) return VX_OK;
        VX_TRY(vx_ring_room(&f->ring, n, &rgb, f->ctx->err));
        batch.n = n;
        batch.frames = vx_dev_plus(ring->at, rgb - (uint8_t *)ring->host);
        VX_TRY(vx_liveportrait_frames(a->model, f->ctx, &f->sitter.source, &batch));
        VX_TRY(vx_finish(f->ctx));
        vx_ring_made(&f->ring, n);
        *frames += n;
        if (r->step != NULL) VX_TRY(r->step(r->arg, *frames, all));
        if (n < a->batch) return VX_OK;
    }
}

/* A portrait beyond the film's longest side is shrunk first, so that no crop of it is coarse. */
static vx_status shrink(film *f)
{
    const vx_animate_request *r = f->request;
    const vx_picture *p = r->portrait;
    double scale = (double)VX_FILM_SIDE_MAX / (p->width > p->height ? p->width : p->height);
    f->portrait = *p;
    if (r->face != NULL) memcpy(f->face, r->face, sizeof f->face);
    if (r->found != NULL)
        f->found = vx_found_crop(r->found, f->animator->config->absolute_expression);
    if (scale >= 1) return VX_OK;
    int width = (int)fmax(1, round(p->width * scale)),
        height = (int)fmax(1, round(p->height * scale));
    VX_TRY(vx_image_new(&f->shrunk, width, height, f->ctx->err));
    vx_resize_params params = vx_resize_whole(VX_FILTER_BICUBIC, width, height);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&params, p->width, p->height));
    if (scratch == NULL)
        return vx_fail(f->ctx->err, VX_ERR_MEMORY, "no_memory",
                       "no memory to shrink a portrait of %dx%d", p->width, p->height);
    vx_resize(p, &f->shrunk, &params, scratch);
    vx_heap_free(scratch);
    for (int i = 0; i < 6; i++)
        f->face[i] *= i % 2 == 0 ? (double)width / p->width : (double)height / p->height;
    f->found.x *= (double)width / p->width;
    f->found.y *= (double)height / p->height;
    f->found.side *= scale;
    f->portrait = f->shrunk;
    return VX_OK;
}

/* Where the face of a driving video is, for all of it. */
static vx_status frame_driver(film *f)
{
    const vx_animate_request *r = f->request;
    bool there;
    if (r->video == NULL || r->faces == NULL) return VX_OK;
    VX_TRY(vx_faces_film(r->faces, f->ctx, r->video, f->animator->config->absolute_expression,
                         &f->driver, &there));
    if (there) return VX_OK;
    vx_warn("no_face", NULL,
            "no face was found in the video that drives: its middle square is taken for one");
    return VX_OK;
}

static vx_status run(film *f, vx_animated *out)
{
    vx_animator *a = f->animator;
    const vx_animate_request *r = f->request;
    const vx_pack *pack = vx_engine_pack(a->engine);
    vx_sitting sitting = {.model = a->model,
                          .portrait = &f->portrait,
                          .face = r->face != NULL ? f->face : NULL,
                          .absolute = a->config->absolute_expression,
                          .exact = r->keypoints != NULL,
                          .synthetic = pack->synthetic,
                          .crop = a->crop,
                          .memory = vx_engine_room(a->engine, VX_BUFFER_PORTRAIT, 0)->at};
    uint8_t *memory;
    VX_TRY(shrink(f));
    if (r->found != NULL) sitting.square = &f->found;
    VX_TRY(frame_driver(f));
    VX_TRY(vx_sit(&sitting, f->ctx, &f->sitter));
    const vx_motion *m = &f->sitter.source.motion;
    if (!a->own_directions) vx_directions_published(a->directions, &m->canonical[0][0]);
    VX_TRY(set_scene(f, &memory));
    VX_TRY(try_out(f, memory));
    const vx_square *s = &f->sitter.square;
    *out = (vx_animated){.width = f->width,
                         .height = f->height,
                         .whole = f->sitter.whole,
                         .scale = m->scale,
                         .t = {m->t[0], m->t[1]},
                         .x = s->x,
                         .y = s->y,
                         .side = s->side,
                         .angle = vx_square_angle(s)};
    if (r->begin != NULL) VX_TRY(r->begin(r->arg, f->width, f->height, f->ctx->err));
    VX_TRY(vx_ring_start(&f->ring, memory, frame_bytes(a->model), RING_BATCHES * a->batch,
                         frame_from_ring, f, f->ctx->err));
    vx_status status = make_frames(f, &out->frames);
    vx_status taken =
        vx_ring_finish(&f->ring, status != VX_OK, status == VX_OK ? f->ctx->err : NULL);
    if (status != VX_OK) return status;
    VX_TRY(taken);
    if (out->frames == 0)
        return vx_fail(f->ctx->err, VX_ERR_INPUT, "no_frames",
                       "nothing drives the portrait: there "
                       "is not one frame");
    return VX_OK;
}

vx_status vx_animate(vx_animator *animator, vx_ctx *ctx, const vx_animate_request *request,
                     vx_animated *animated)
{
    film f = {.animator = animator, .ctx = ctx, .request = request};
    vx_mark mark = vx_mark_now(ctx);
    *animated = (vx_animated){0};
    vx_status status = run(&f, animated);
    vx_release(ctx, mark);
    vx_image_free(&f.shrunk);
    return status;
}
