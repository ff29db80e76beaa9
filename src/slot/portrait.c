#include "slot/portrait.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/warnings.h"
#include "media/resize.h"
#include "slot/faces.h"

/* Where M finds the faces of the official driving templates (scale 1.10 to 1.69, tx -0.10 to 0.20,
 * ty -0.01 to 0.23), and the middle of that, which a crop is corrected towards. */
typedef struct range {
    float scale_least, scale_most, tx_least, tx_most, ty_least, ty_most;
} range;
static const range official = {1.10f, 1.69f, -0.10f, 0.20f, -0.01f, 0.23f};
/* A network of whole pictures sees faces of one size in the middle (tools/toon/draw.py: scale
 * within 4 %, t within 0.08); what lies three times as far out is no face. */
static const range whole_picture = {0.85f, 1.15f, -0.25f, 0.25f, -0.25f, 0.25f};

static vx_status bad_face(vx_error *err, const char *what)
{
    return vx_fail(err, VX_ERR_INPUT, "bad_face",
                   "face is %s; give x,y of the image-left eye, of the image-right eye and of the "
                   "mouth's middle, in pixels of the original",
                   what);
}

/* The square around a face whose eyes and mouth are known: upright along the
 * line from eyes to mouth. */
static vx_status square_of_face(const double *f, const vx_picture *picture, vx_square *s,
                                vx_error *err)
{
    for (int i = 0; i < 6; i++)
        if (!(f[i] >= 0 && f[i] <= (i % 2 == 0 ? picture->width : picture->height)))
            return bad_face(err, "outside the picture");
    double ex = 0.5 * (f[0] + f[2]), ey = 0.5 * (f[1] + f[3]);
    double dx = f[4] - ex, dy = f[5] - ey, d = hypot(dx, dy);
    if (d < 2 || hypot(f[2] - f[0], f[3] - f[1]) < 2) return bad_face(err, "a single spot");
    /* The eyes are left and right of the line to the mouth: else they were given
     * the wrong way round. */
    if ((f[2] - f[0]) * dy - (f[3] - f[1]) * dx <= 0) return bad_face(err, "the wrong way round");
    dx /= d;
    dy /= d;
    double side = VX_CROP_SCALE * VX_FRAME_EXTENT * d;
    double down = VX_FRAME_MIDDLE * d - VX_CROP_UP * side;
    *s = (vx_square){.x = ex + down * dx, .y = ey + down * dy, .side = side, .cos = dy, .sin = -dx};
    return VX_OK;
}

static vx_square middle_of(const vx_picture *picture)
{
    double side = fmin(picture->width, picture->height);
    return (vx_square){0.5 * picture->width, 0.5 * picture->height, side, 1, 0};
}

vx_status vx_crop_whole(const vx_picture *picture, const vx_picture *crop, vx_error *err)
{
    int side = picture->width < picture->height ? picture->width : picture->height;
    ptrdiff_t skip = (ptrdiff_t)((picture->height - side) / 2) * picture->stride +
                     (ptrdiff_t)3 * ((picture->width - side) / 2);
    vx_picture square = {picture->rgb + skip, side, side, picture->stride};
    if (side == crop->width) {
        for (int y = 0; y < side; y++)
            memcpy(vx_picture_row(crop, y), vx_picture_row(&square, y), (size_t)side * 3);
        return VX_OK;
    }
    vx_resize_params p = vx_resize_whole(VX_FILTER_BICUBIC, crop->width, crop->height);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, side, side));
    if (scratch == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to resize the portrait");
    vx_resize(&square, crop, &p, scratch);
    vx_heap_free(scratch);
    return VX_OK;
}

/* Four samples for a pixel, as the official code does. */
static void crop_square(const vx_sitting *s, const vx_square *square, int side)
{
    vx_picture crop = {s->crop, side, side, (ptrdiff_t)3 * side};
    vx_warp_out(s->portrait, square, 2, &crop);
}

/* Moves and scales the square so that M would find the face in the middle of the range. */
static void correct(vx_square *s, const vx_motion *m, const range *r)
{
    double scale = 0.5 * (double)(r->scale_least + r->scale_most);
    double tx = 0.5 * (double)(r->tx_least + r->tx_most);
    double ty = 0.5 * (double)(r->ty_least + r->ty_most);
    /* One correction cannot be trusted with more than a factor of two. */
    double side = s->side * fmin(2, fmax(0.5, (double)m->scale / scale));
    double dx = 0.5 * (s->side * fmin(1, fmax(-1, (double)m->t[0])) - side * tx);
    double dy = 0.5 * (s->side * fmin(1, fmax(-1, (double)m->t[1])) - side * ty);
    s->x += dx * s->cos - dy * s->sin;
    s->y += dx * s->sin + dy * s->cos;
    s->side = side;
}

static vx_status check(const vx_sitting *s, const vx_motion *m, const range *r, vx_error *err)
{
    /* Written so that a NaN is out of range. */
    bool good = m->scale >= r->scale_least && m->scale <= r->scale_most && m->t[0] >= r->tx_least &&
                m->t[0] <= r->tx_most && m->t[1] >= r->ty_least && m->t[1] <= r->ty_most;
    if (good) return VX_OK;
    if (s->synthetic) {
        vx_log(VX_LOG_DEBUG, "random weights see a face of scale %.3f at %.3f, %.3f",
               (double)m->scale, (double)m->t[0], (double)m->t[1]);
        return VX_OK;
    }
    return vx_fail(
        err, VX_ERR_INPUT, "no_face",
        "no face is where it should be: scale %.2f at %.2f, %.2f, and %.2f to %.2f at "
        "%.2f to %.2f, %.2f to %.2f is right; %s --face x,y,x,y,x,y or the recipe's face "
        "(image-left eye, image-right eye, mouth)",
        (double)m->scale, (double)m->t[0], (double)m->t[1], (double)r->scale_least,
        (double)r->scale_most, (double)r->tx_least, (double)r->tx_most, (double)r->ty_least,
        (double)r->ty_most, s->face != NULL ? "check" : "say where it is with");
}

/* Whether a picture is framed as the square asks, so that all of it can be the crop. */
static bool is_framed(const vx_picture *picture, const vx_square *square)
{
    vx_square middle = middle_of(picture);
    double longest = fmax(picture->width, picture->height);
    /* What the toon engine's own pictures differ by, twice (docs/models/FACE.md). */
    return longest <= 1.05 * middle.side && fabs(square->side / middle.side - 1) < 0.2 &&
           hypot(square->x - middle.x, square->y - middle.y) < 0.1 * middle.side &&
           square->cos > 0.98;
}

vx_status vx_sit(const vx_sitting *s, vx_ctx *ctx, vx_sitter *sitter)
{
    int side = vx_liveportrait_configuration(s->model)->image_size;
    const range *r = s->absolute ? &whole_picture : &official;
    vx_picture crop = {s->crop, side, side, (ptrdiff_t)3 * side};
    bool framed = s->square == NULL || is_framed(s->portrait, s->square);
    *sitter = (vx_sitter){.whole = s->exact || (s->absolute && s->face == NULL && framed),
                          .square = middle_of(s->portrait)};
    if (s->exact && (s->portrait->width != side || s->portrait->height != side))
        vx_warn("resized", NULL,
                "the portrait is %dx%d and not the %dx%d crop itself: it is resized",
                s->portrait->width, s->portrait->height, side, side);
    if (sitter->whole) {
        VX_TRY(vx_crop_whole(s->portrait, &crop, ctx->err));
    } else if (s->square != NULL) {
        sitter->square = *s->square;
        crop_square(s, &sitter->square, side);
    } else {
        vx_motion estimate;
        if (s->face != NULL)
            VX_TRY(square_of_face(s->face, s->portrait, &sitter->square, ctx->err));
        crop_square(s, &sitter->square, side);
        VX_TRY(vx_liveportrait_motion(s->model, ctx, s->crop, &estimate));
        if (!s->synthetic) correct(&sitter->square, &estimate, r);
        crop_square(s, &sitter->square, side);
    }
    VX_TRY(vx_liveportrait_source(s->model, ctx, s->crop, s->memory, &sitter->source));
    return s->exact || s->square != NULL ? VX_OK : check(s, &sitter->source.motion, r, ctx->err);
}
