/* The list of weights, by the names that tools/face_convert.py gives. */
#include <stdio.h>

#include "models/face/parts.h"

enum { NAME_BYTES = 64 };

/* face_detection_full_range.tflite: fifteen blocks, then those of the pyramid. */
const vx_finder_shape vx_finder_shapes[VX_FINDER_BLOCKS] = {
    {32, 8, 32, 1},    {32, 8, 32, 1},    {32, 12, 48, 2},   {48, 12, 48, 1},   {48, 16, 64, 1},
    {64, 24, 96, 2},   {96, 32, 128, 1},  {128, 32, 128, 1}, {128, 36, 144, 2}, {144, 48, 192, 1},
    {192, 64, 256, 1}, {256, 96, 384, 2}, {384, 96, 384, 1}, {384, 96, 384, 1}, {384, 96, 384, 1},
    {96, 48, 96, 1},   {96, 48, 96, 1},   {64, 32, 64, 1},   {64, 32, 64, 1},   {48, 24, 48, 1}};
const vx_finder_level vx_finder_levels[VX_FINDER_LEVELS] = {
    {384, 256, 96, 12}, {96, 128, 64, 24}, {64, 64, 48, 48}};

/* face_landmark.tflite. */
const vx_mesh_shape vx_mesh_shapes[VX_MESH_BLOCKS] = {
    {16, 16, 1},   {16, 16, 1},   {16, 32, 2},   {32, 32, 1},   {32, 32, 1},   {32, 64, 2},
    {64, 64, 1},   {64, 64, 1},   {64, 128, 2},  {128, 128, 1}, {128, 128, 1}, {128, 128, 2},
    {128, 128, 1}, {128, 128, 1}, {128, 128, 2}, {128, 128, 1}, {128, 128, 1}};

static const char *of(char name[NAME_BYTES], const char *prefix, const char *part)
{
    snprintf(name, NAME_BYTES, "%s.%s", prefix, part);
    return name;
}

static vx_status bind_vector(vx_binder *b, const char *prefix, const char *part, int64_t n,
                             vx_tensor *out)
{
    char name[NAME_BYTES];
    return vx_bind_named_vector(b, out, n, of(name, prefix, part));
}

static vx_status bind_layer(vx_binder *b, const char *prefix, vx_weight w, vx_layer *layer)
{
    char name[NAME_BYTES];
    layer->w = w;
    VX_TRY(vx_bind_named_weight(b, &layer->w, of(name, prefix, "mix")));
    return bind_vector(b, prefix, "mix_bias", w.out, &layer->bias);
}

static vx_status bind_mix(vx_binder *b, const char *prefix, int in, int out, vx_layer *layer)
{
    return bind_layer(b, prefix, vx_weight_linear(out, in, VX_F32, VX_F32), layer);
}

/* 3 x 3 from three colours at stride 2; SAME pads an even side behind alone. */
static vx_status bind_stem(vx_binder *b, const char *prefix, int out, vx_layer *layer)
{
    vx_weight w = vx_weight_conv(out, 3, (const int64_t[]){1, 3, 3}, VX_F32, VX_F32);
    for (int i = 1; i < 3; i++) {
        w.stride[i] = 2;
        w.pad[i] = 0;
        w.pad_end[i] = 1;
    }
    return bind_layer(b, prefix, w, layer);
}

static vx_status bind_step(vx_binder *b, const char *prefix, int in, int out, vx_face_step *step)
{
    char name[NAME_BYTES];
    VX_TRY(vx_bind_named_table(b, &step->filter, VX_F32, 9, in, of(name, prefix, "filter")));
    step->filter = vx_reshape(&step->filter, 3, (const int64_t[]){3, 3, in});
    VX_TRY(bind_vector(b, prefix, "filter_bias", in, &step->filter_bias));
    return bind_mix(b, prefix, in, out, &step->mix);
}

/* A map that is repeated becomes the bilinear one (half_pixel_centers) by 1 2 1 along both sides:
 * a quarter of the next cell and three of the own. */
static vx_status fetch_enlarge(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    int columns = *(const int *)arg;
    for (int64_t tap = first; tap < first + count; tap++)
        for (int i = 0; i < columns; i++)
            *dst++ = (tap % 3 == 1 ? 0.5f : 0.25f) * (tap / 3 == 1 ? 0.5f : 0.25f);
    return VX_OK;
}

static vx_status bind_finder(vx_face *f, vx_binder *b)
{
    char prefix[NAME_BYTES];
    VX_TRY(bind_stem(b, "finder.stem", vx_finder_shapes[0].in, &f->finder.stem));
    for (int i = 0; i < VX_FINDER_BLOCKS; i++) {
        vx_finder_shape s = vx_finder_shapes[i];
        snprintf(prefix, sizeof prefix, "finder.block.%d.0", i);
        VX_TRY(bind_step(b, prefix, s.in, s.mid, &f->finder.block[i][0]));
        snprintf(prefix, sizeof prefix, "finder.block.%d.1", i);
        VX_TRY(bind_step(b, prefix, s.mid, s.out, &f->finder.block[i][1]));
    }
    for (int i = 0; i < VX_FINDER_LEVELS; i++) {
        vx_finder_level l = vx_finder_levels[i];
        snprintf(prefix, sizeof prefix, "finder.lateral.%d", i);
        VX_TRY(bind_mix(b, prefix, l.from, l.out, &f->finder.lateral[i]));
        snprintf(prefix, sizeof prefix, "finder.skip.%d", i);
        VX_TRY(bind_mix(b, prefix, l.skip, l.out, &f->finder.skip[i]));
        VX_TRY(vx_bind_table(b, &f->finder.enlarge[i], VX_F32, 9, l.out, fetch_enlarge, &l.out));
        f->finder.enlarge[i] = vx_reshape(&f->finder.enlarge[i], 3, (const int64_t[]){3, 3, l.out});
    }
    VX_TRY(bind_mix(b, "finder.score", vx_finder_shapes[VX_FINDER_BLOCKS - 1].out, 1,
                    &f->finder.score));
    return bind_mix(b, "finder.box", vx_finder_shapes[VX_FINDER_BLOCKS - 1].out,
                    VX_FACE_COLUMNS - 1, &f->finder.box);
}

static vx_status bind_head(vx_binder *b, const char *name, int columns, vx_mesh_head *head)
{
    char prefix[NAME_BYTES];
    snprintf(prefix, sizeof prefix, "mesh.%s.narrow", name);
    VX_TRY(bind_mix(b, prefix, 128, 32, &head->narrow));
    VX_TRY(bind_vector(b, prefix, "slopes", 32, &head->narrow_slopes));
    snprintf(prefix, sizeof prefix, "mesh.%s.last", name);
    VX_TRY(bind_step(b, prefix, 32, 32, &head->last));
    VX_TRY(bind_vector(b, prefix, "slopes", 32, &head->last_slopes));
    snprintf(prefix, sizeof prefix, "mesh.%s", name);
    return bind_mix(b, prefix, 9 * 32, columns, &head->all);
}

vx_status vx_face_bind(vx_face *f, vx_binder *b)
{
    char prefix[NAME_BYTES];
    VX_TRY(bind_finder(f, b));
    VX_TRY(bind_stem(b, "mesh.stem", vx_mesh_shapes[0].in, &f->mesh.stem));
    VX_TRY(bind_vector(b, "mesh.stem", "slopes", vx_mesh_shapes[0].in, &f->mesh.stem_slopes));
    for (int i = 0; i < VX_MESH_BLOCKS; i++) {
        vx_mesh_shape s = vx_mesh_shapes[i];
        snprintf(prefix, sizeof prefix, "mesh.block.%d", i);
        VX_TRY(bind_step(b, prefix, s.in, s.out, &f->mesh.block[i]));
        VX_TRY(bind_vector(b, prefix, "slopes", s.out, &f->mesh.slopes[i]));
    }
    VX_TRY(bind_step(b, "mesh.presence.first", 128, 128, &f->mesh.first));
    VX_TRY(bind_vector(b, "mesh.presence.first", "slopes", 128, &f->mesh.first_slopes));
    VX_TRY(bind_head(b, "points", 3 * VX_FACE_MESH_POINTS, &f->mesh.points));
    return bind_head(b, "presence", 1, &f->mesh.presence);
}
