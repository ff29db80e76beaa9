#include "slot/faces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/warnings.h"

/* What the finder must say for a closer look: more where it looked at a part, of which there are
 * many. Parts of less than half the finder's pixels show nothing new. */
static const float LEAST_WHOLE = 0.3f, LEAST_PART = 0.4f;
enum { PART_SIDE_MIN = VX_FACE_SIDE / 2, LEVELS = 3 };

/* The mesh sees 1.5 times the box (mediapipe face_detection_front_detection_to_roi.pbtxt,
 * face_landmark_landmarks_to_roi.pbtxt). */
static const double LOOK = 1.5;

/* Presences: a face that is surely upright; hardly one. And how far one look may turn the next one
 * when there is no need for a third. */
static const double SURE = 0.99, STILL_DEGREES = 3;
static const float FAINT = 0.1f;
/* By how much the finder must be surer of a face that is turned. */
static const float AS_IT_IS = 0.15f;

/* Points of the mesh (mediapipe/modules/face_geometry/data/canonical_face_model_uv_visualization).
 * Eyes: both corners, upper and lower lid; the mouth: corners and the lips' inner edges. */
enum { EYE_POINTS = 4, NOSE_TIP = 1 };
static const int left_eye[EYE_POINTS] = {33, 133, 159, 145},
                 right_eye[EYE_POINTS] = {263, 362, 386, 374},
                 mouth[EYE_POINTS] = {61, 291, 13, 14};
/* The extent of LivePortrait's 203 landmarks: brows, the face's edge from
 * temple to temple, chin. */
static const int outline[] = {70,  63,  105, 66,  107, 336, 296, 334, 293, 300, 127,
                              234, 93,  132, 58,  172, 136, 150, 149, 176, 148, 152,
                              377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356};
enum { OUTLINE = sizeof outline / sizeof *outline };

/* The toon engine's pictures, in the same terms: the means over 18 of them
 * (docs/models/FACE.md). */
static const double WHOLE_SCALE = 2.73, WHOLE_UP = 0.05;

struct vx_faces {
    vx_face *model;
    double least;
    uint8_t *tile;                  /* [VX_FACE_SIDE, VX_FACE_SIDE, 3] */
    vx_face_seen *seen, *seen_near; /* of a part, of what lies in it */
    vx_face_mesh *mesh;
    vx_found found[VX_FACES_MAX];
    int count;
};

bool vx_faces_in(const vx_pack *pack)
{
    return vx_pack_need(pack, VX_COMPONENT_FACE, "finding a face", NULL) == VX_OK;
}

void vx_faces_absent(const char *where)
{
    vx_warn("no_finder", where,
            "there is no face finder, so the face is taken to be in the middle of the picture; "
            "restore the pack 'face', or say where it is");
}

vx_status vx_faces_open(vx_faces **out, vx_engine *engine, vx_error *err)
{
    vx_faces *f = *out = vx_heap_alloc(sizeof **out);
    if (f != NULL) {
        f->model = vx_engine_face(engine);
        f->least = vx_engine_settings(engine)->face_score;
        f->tile = vx_heap_alloc((size_t)3 * VX_FACE_SIDE * VX_FACE_SIDE);
        f->seen = vx_heap_alloc(VX_FACE_SEEN_MAX * sizeof *f->seen);
        f->seen_near = vx_heap_alloc(VX_FACE_SEEN_MAX * sizeof *f->seen_near);
        f->mesh = vx_heap_alloc(sizeof *f->mesh);
        assert(f->model != NULL);
    }
    if (f != NULL && f->tile != NULL && f->seen != NULL && f->seen_near != NULL && f->mesh != NULL)
        return VX_OK;
    vx_faces_close(out);
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to look for faces");
}

void vx_faces_close(vx_faces **handle)
{
    vx_faces *f = *handle;
    if (f == NULL) return;
    vx_heap_free(f->tile);
    vx_heap_free(f->seen);
    vx_heap_free(f->seen_near);
    vx_heap_free(f->mesh);
    vx_heap_free(f);
    *handle = NULL;
}

/* ---- one look ------------------------------------------------------------------------------- */

/* What a network sees of a square. */
static void show(vx_faces *f, const vx_picture *picture, const vx_square *square)
{
    vx_picture tile = {f->tile, VX_FACE_SIDE, VX_FACE_SIDE, (ptrdiff_t)3 * VX_FACE_SIDE};
    double samples = ceil(square->side / VX_FACE_SIDE);
    vx_warp_out(picture, square, (int)fmin(16, fmax(1, samples)), &tile);
}

static void point_at(const vx_square *square, const float point[2], double at[2])
{
    vx_square_at(square, (double)point[0] / VX_FACE_SIDE, (double)point[1] / VX_FACE_SIDE, at);
}

/* The direction from left to right: that of the eyes and that across the line from them to the
 * mouth, together. */
static void direction(const double left[2], const double right[2], const double below[2],
                      vx_square *square)
{
    double ex = right[0] - left[0], ey = right[1] - left[1];
    double mx = below[0] - 0.5 * (left[0] + right[0]), my = below[1] - 0.5 * (left[1] + right[1]);
    double eyes = hypot(ex, ey), down = hypot(mx, my);
    if (!(eyes > 0) || !(down > 0)) return;
    double x = ex / eyes + my / down, y = ey / eyes - mx / down, length = hypot(x, y);
    if (!(length > 1e-3)) return;
    square->cos = x / length;
    square->sin = y / length;
}

static void mean_of(const vx_faces *f, const vx_square *square, const int *points, double at[2])
{
    at[0] = at[1] = 0;
    for (int i = 0; i < EYE_POINTS; i++) {
        double one[2];
        point_at(square, f->mesh->point[points[i]], one);
        at[0] += one[0] / EYE_POINTS;
        at[1] += one[1] / EYE_POINTS;
    }
}

static void box_is(vx_found *found, const vx_square *box)
{
    found->x = box->x - 0.5 * box->side;
    found->y = box->y - 0.5 * box->side;
    found->width = found->height = box->side;
}

/* The smallest square of the given turn around points of the mesh that was seen in `seen`. */
static void around(const vx_faces *f, const vx_square *seen, const int *points, int count,
                   vx_square *out)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < count; i++) {
        double p[2];
        point_at(seen, f->mesh->point[points != NULL ? points[i] : i], p);
        double along[2] = {p[0] * out->cos + p[1] * out->sin, p[1] * out->cos - p[0] * out->sin};
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], along[k]);
            high[k] = fmax(high[k], along[k]);
        }
    }
    double u = 0.5 * (low[0] + high[0]), v = 0.5 * (low[1] + high[1]);
    out->side = fmax(high[0] - low[0], high[1] - low[1]);
    out->x = u * out->cos - v * out->sin;
    out->y = u * out->sin + v * out->cos;
}

/* The mesh in a square: what it says, with its presence as the score, and the square for the next
 * look. */
static vx_status look(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, vx_square *square,
                      vx_found *found)
{
    vx_square seen = *square, box = {.cos = 1};
    show(f, picture, &seen);
    VX_TRY(vx_face_look(f->model, ctx, f->tile, f->mesh));
    *found = (vx_found){.score = (double)f->mesh->presence};
    mean_of(f, &seen, left_eye, found->left_eye);
    mean_of(f, &seen, right_eye, found->right_eye);
    mean_of(f, &seen, mouth, found->mouth);
    point_at(&seen, f->mesh->point[NOSE_TIP], found->nose);
    direction(found->left_eye, found->right_eye, found->mouth, square);
    around(f, &seen, NULL, VX_FACE_MESH_POINTS, square);
    square->side *= LOOK;
    found->frame = *square;
    around(f, &seen, outline, OUTLINE, &found->frame);
    around(f, &seen, outline, OUTLINE, &box);
    box_is(found, &box);
    /* Weights that are no face networks may say anything. */
    if (!isfinite(square->x + square->y + square->side) || !(found->frame.side > 1))
        found->score = 0;
    return VX_OK;
}

/* What the finder says, where the mesh does not know: from eyes to mouth is a unit, of which brows
 * to chin are 2.35, with their middle 0.775 below the eyes. */
static void by_finder(const vx_square *square, const vx_face_seen *seen, vx_found *found)
{
    double middle[2];
    *found = (vx_found){.frame = *square};
    point_at(square, seen->point[VX_FACE_LEFT_EYE], found->left_eye);
    point_at(square, seen->point[VX_FACE_RIGHT_EYE], found->right_eye);
    point_at(square, seen->point[VX_FACE_NOSE], found->nose);
    point_at(square, seen->point[VX_FACE_MOUTH], found->mouth);
    point_at(square, (const float[]){seen->x, seen->y}, middle);
    vx_square box = {middle[0], middle[1], (double)fmaxf(seen->width, seen->height), 1, 0};
    box.side *= square->side / VX_FACE_SIDE;
    box_is(found, &box);
    direction(found->left_eye, found->right_eye, found->mouth, &found->frame);
    double x = 0.5 * (found->left_eye[0] + found->right_eye[0]);
    double y = 0.5 * (found->left_eye[1] + found->right_eye[1]);
    double unit = hypot(found->mouth[0] - x, found->mouth[1] - y);
    found->frame.side = VX_FRAME_EXTENT * unit;
    found->frame.x = x - VX_FRAME_MIDDLE * unit * found->frame.sin;
    found->frame.y = y + VX_FRAME_MIDDLE * unit * found->frame.cos;
}

/* ---- the picture ---------------------------------------------------------------------------- */

static double shared(const vx_found *a, const vx_found *b)
{
    double w = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    double h = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    if (!(w > 0) || !(h > 0)) return 0;
    return w * h / (a->width * a->height + b->width * b->height - w * h);
}

static void keep(vx_faces *f, const vx_found *found)
{
    for (int i = 0; i < f->count; i++)
        if (shared(&f->found[i], found) > 0.3) {
            if (found->score > f->found[i].score) f->found[i] = *found;
            return;
        }
    if (f->count < VX_FACES_MAX) f->found[f->count++] = *found;
}

static vx_square quarter_turned(vx_square s, int quarters)
{
    for (int i = 0; i < quarters; i++) {
        double cosine = s.cos;
        s.cos = -s.sin;
        s.sin = cosine;
    }
    return s;
}

/* Which side of a face is up. The mesh finds one in a face that stands on its head too; the finder
 * is surer of one that does not. */
static vx_status turn_up(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, vx_square *square)
{
    float most = 0;
    int best = 0;
    for (int i = 0; i < 4; i++) {
        vx_square at = quarter_turned(*square, i);
        int count;
        at.side *= 2;
        show(f, picture, &at);
        VX_TRY(vx_face_find(f->model, ctx, f->tile, FAINT, f->seen_near, &count));
        for (int k = 0; k < count; k++) {
            const vx_face_seen *s = &f->seen_near[k];
            float off = fmaxf(fabsf(s->x - VX_FACE_SIDE / 2), fabsf(s->y - VX_FACE_SIDE / 2));
            float score = s->score + (i == 0 ? AS_IT_IS : 0);
            if (off > VX_FACE_SIDE / 6 || score <= most) continue;
            most = score;
            best = i;
        }
    }
    *square = quarter_turned(*square, best);
    return VX_OK;
}

/* The best look at what lies in a square: where the mesh is not sure, the right side up; then again
 * and again, until the face stands still. */
static vx_status look_closely(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, vx_square first,
                              vx_found *best)
{
    enum { LOOKS = 4 };
    vx_square next = first;
    vx_found found;
    VX_TRY(look(f, ctx, picture, &next, best));
    if (best->score < SURE) {
        next = first;
        VX_TRY(turn_up(f, ctx, picture, &next));
        VX_TRY(look(f, ctx, picture, &next, best));
    }
    for (int i = 0; i < LOOKS && best->score >= (double)FAINT; i++) {
        double before = vx_square_angle(&best->frame);
        VX_TRY(look(f, ctx, picture, &next, &found));
        if (found.score < best->score - (double)FAINT) break;
        *best = found;
        if (fabs(remainder(vx_square_angle(&found.frame) - before, 360)) < STILL_DEGREES) break;
    }
    return VX_OK;
}

/* What the finder saw in a square, looked at closely. The score is the mean of both networks'; in a
 * part, of which there are many, a face is what both take for one, and it is the smaller. */
static vx_status consider(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, bool part,
                          const vx_square *square, const vx_face_seen *seen)
{
    vx_found best, first;
    by_finder(square, seen, &first);
    vx_square near = first.frame;
    near.x = first.x + 0.5 * first.width;
    near.y = first.y + 0.5 * first.height;
    near.side = LOOK * first.width;
    VX_TRY(look_closely(f, ctx, picture, near, &best));
    double presence = best.score, finder = (double)seen->score;
    if (presence < 0.5) best = first;
    best.score = part ? fmin(finder, presence) : 0.5 * (finder + presence);
    if (best.score >= f->least && best.frame.side > 1) keep(f, &best);
    return VX_OK;
}

/* The whole picture (level 0) or its parts of 1/2^level of its longest side, overlapping by half,
 * each turned by `turn` right angles. */
static vx_status scan(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, int level, int turn)
{
    static const double cosine[4] = {1, 0, -1, 0}, sine[4] = {0, 1, 0, -1};
    double w = picture->width, h = picture->height, side = fmax(w, h) / (1 << level);
    int columns = w > side ? (int)ceil(2 * (w - side) / side) + 1 : 1;
    int rows = h > side ? (int)ceil(2 * (h - side) / side) + 1 : 1, count;
    if (level > 0 && side < PART_SIDE_MIN) return VX_OK;
    for (int i = 0; i < rows * columns; i++) {
        int column = i % columns, row = i / columns;
        vx_square square = {.x = w / 2, .y = h / 2, .side = side};
        square.cos = cosine[turn];
        square.sin = sine[turn];
        if (columns > 1) square.x = side / 2 + column * (w - side) / (columns - 1);
        if (rows > 1) square.y = side / 2 + row * (h - side) / (rows - 1);
        show(f, picture, &square);
        VX_TRY(vx_face_find(f->model, ctx, f->tile, level == 0 ? LEAST_WHOLE : LEAST_PART, f->seen,
                            &count));
        for (int k = 0; k < count; k++)
            VX_TRY(consider(f, ctx, picture, level > 0, &square, &f->seen[k]));
    }
    return VX_OK;
}

static int largest_first(const void *a, const void *b)
{
    const vx_found *x = a, *y = b;
    double left = x->width * x->height, right = y->width * y->height;
    return (left < right) - (left > right);
}

vx_status vx_faces_seek(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, const vx_found **found,
                        int *count)
{
    f->count = 0;
    VX_TRY(scan(f, ctx, picture, 0, 0));
    VX_TRY(scan(f, ctx, picture, 1, 0));
    for (int level = 0; level < LEVELS - 1 && f->count == 0; level++)
        for (int turn = 1; turn < 4 && f->count == 0; turn++)
            VX_TRY(scan(f, ctx, picture, level, turn));
    if (f->count == 0) VX_TRY(scan(f, ctx, picture, LEVELS - 1, 0));
    qsort(f->found, (size_t)f->count, sizeof f->found[0], largest_first);
    *found = f->found;
    *count = f->count;
    return VX_OK;
}

vx_status vx_faces_choose(vx_faces *f, vx_ctx *ctx, const vx_picture *picture, int64_t index,
                          const char *name, int width, int height, vx_found *found)
{
    const vx_found *all;
    int count;
    VX_TRY(vx_faces_seek(f, ctx, picture, &all, &count));
    if (count == 0)
        return vx_fail_at(ctx->err, VX_ERR_INPUT, "no_face", name, 0,
                          "no face was found in %s (%dx%d); give its place with --face or the "
                          "recipe's face (x,y of the image-left eye, the image-right eye and the "
                          "mouth), or whole for its middle square",
                          name, width, height);
    if (index >= count)
        return vx_fail_at(ctx->err, VX_ERR_INPUT, "no_face", name, 0,
                          "there is no face %lld in %s (%dx%d), which has %d, counted from 0 with "
                          "the largest first; see 'vortex face %s'",
                          (long long)index, name, width, height, count, name);
    *found = all[index];
    return VX_OK;
}

vx_square vx_found_crop(const vx_found *found, bool whole_picture)
{
    vx_square s = found->frame;
    double up = s.side * (whole_picture ? WHOLE_UP * WHOLE_SCALE : VX_CROP_UP * VX_CROP_SCALE);
    s.side *= whole_picture ? WHOLE_SCALE : VX_CROP_SCALE;
    s.x += up * s.sin;
    s.y -= up * s.cos;
    return s;
}

/* ---- films ---------------------------------------------------------------------------------- */

/* The face where it was in the frame before, else wherever it is. */
static vx_status follow(vx_faces *f, vx_ctx *ctx, const vx_picture *frame, vx_square *place,
                        bool *there, vx_found *found)
{
    const vx_found *all;
    int count;
    if (*there) {
        VX_TRY(look(f, ctx, frame, place, found));
        *there = found->score >= 0.5;
        if (*there) return VX_OK;
    }
    VX_TRY(vx_faces_seek(f, ctx, frame, &all, &count));
    *there = count > 0;
    if (!*there) return VX_OK;
    *found = all[0];
    *place = found->frame;
    place->side *= LOOK;
    return VX_OK;
}

vx_status vx_faces_film(vx_faces *f, vx_ctx *ctx, vx_video *video, bool whole_picture,
                        vx_square *square, bool *there)
{
    vx_square sum = {.cos = 1}, place;
    bool followed = false, ended = false;
    int64_t frames = 0;
    while (!ended) {
        vx_picture frame;
        vx_found found;
        VX_TRY(vx_video_next(video, &frame, NULL, &ended, ctx->err));
        if (ended) break;
        VX_TRY(follow(f, ctx, &frame, &place, &followed, &found));
        if (!followed) continue;
        vx_square crop = vx_found_crop(&found, whole_picture);
        sum.x += crop.x;
        sum.y += crop.y;
        sum.side += crop.side;
        frames++;
    }
    *there = frames > 0;
    *square = sum;
    if (*there) {
        square->x /= (double)frames;
        square->y /= (double)frames;
        square->side /= (double)frames;
    }
    return vx_video_rewind(video, ctx->err);
}
