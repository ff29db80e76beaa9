/* models.yaml, and the options of small networks beside its keys. */
#include <stdio.h>
#include <string.h>

#include "models/config.h"
#include "models/liveportrait/liveportrait.h"

#define COMPONENT "liveportrait"

enum { WIDTH_MAX = 4096, SIDE_MAX = 1024 };

/* As written: the published keys give widths by a rule, which lists override. */
typedef struct written {
    vx_liveportrait_config c;
    int expansion[3], features_max[3], down_blocks[3]; /* of F, W, G */
    int backbone, spade_norm, image_channel, m_points, w_channels, w_depth, w_dense_depth, seg,
        upscale, driven;
    bool occlusion;
} written;

enum { F, W, G };

#define KEY(key, type, field, low, high)                                                           \
    {                                                                                              \
        .name = key, .kind = type, .offset = offsetof(written, field), .min = (low), .max = (high) \
    }
#define INT_KEY(key, field, low, high) KEY(key, VX_CONFIG_INT, field, low, high)
#define BOOL_KEY(key, field)           KEY(key, VX_CONFIG_BOOL, field, 0, 0)
#define CHOICE_KEY(key, field, names)                                                              \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_CHOICE, .offset = offsetof(written, field),                 \
        .choices = (names)                                                                         \
    }
#define INTS_KEY(key, field, n, most)                                                              \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_INTS, .offset = offsetof(written, field), .min = 1,         \
        .max = (most), .count = (n)                                                                \
    }
#define OBJECT_KEY(key)                                                                            \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_OBJECT                                                      \
    }
/* Read by itself, as lists are whose length is not fixed; or without effect. */
#define LIST_KEY(key) VX_CONFIG_NO_EFFECT(key)

static const vx_config_key top_keys[] = {
    OBJECT_KEY("appearance_feature_extractor_params"),
    OBJECT_KEY("motion_extractor_params"),
    OBJECT_KEY("warping_module_params"),
    OBJECT_KEY("spade_generator_params"),
    OBJECT_KEY("stitching_retargeting_module_params"),
    OBJECT_KEY("driving_params"),
    {0},
};
static const vx_config_key f_keys[] = {
    INT_KEY("image_channel", image_channel, 3, 3),
    INT_KEY("image_size", c.image_size, 32, SIDE_MAX),
    INT_KEY("block_expansion", expansion[F], 1, WIDTH_MAX),
    INT_KEY("num_down_blocks", down_blocks[F], 1, VX_PORTRAIT_LEVELS_MAX - 1),
    INT_KEY("max_features", features_max[F], 1, WIDTH_MAX),
    LIST_KEY("block_features"),
    INT_KEY("reshape_channel", c.channels, 1, WIDTH_MAX),
    INT_KEY("reshape_depth", c.depth, 1, VX_PORTRAIT_DEPTH_MAX),
    INT_KEY("num_resblocks", c.f.resblocks, 0, VX_PORTRAIT_BLOCKS_MAX),
    {0},
};
static const vx_config_key m_keys[] = {
    INT_KEY("num_kp", m_points, 1, VX_PORTRAIT_POINTS_MAX),
    CHOICE_KEY("backbone", backbone, "convnextv2_tiny"),
    INTS_KEY("dims", c.m.dims, 4, WIDTH_MAX),
    INTS_KEY("depths", c.m.depths, 4, VX_PORTRAIT_STAGE_MAX),
    INT_KEY("num_bins", c.m.bins, 66, 66),
    INT_KEY("input_size", c.m.input_size, 32, SIDE_MAX),
    BOOL_KEY("coordinate_channels", c.m.coordinates),
    {0},
};
static const vx_config_key w_keys[] = {
    INT_KEY("num_kp", c.points, 1, VX_PORTRAIT_POINTS_MAX),
    INT_KEY("block_expansion", expansion[W], 1, WIDTH_MAX),
    INT_KEY("max_features", features_max[W], 1, 1 << 16),
    INT_KEY("num_down_blocks", down_blocks[W], 0, VX_PORTRAIT_LEVELS_MAX - 1),
    INT_KEY("reshape_channel", w_channels, 1, WIDTH_MAX),
    INT_KEY("reshape_depth", w_depth, 1, VX_PORTRAIT_DEPTH_MAX),
    INT_KEY("out_features", c.w.features, 1, WIDTH_MAX),
    BOOL_KEY("estimate_occlusion_map", c.w.occlusion),
    BOOL_KEY("flag_use_occlusion_map", occlusion),
    CHOICE_KEY("grid_convention", c.w.grid, "published|cell_centres"),
    CHOICE_KEY("expression", c.w.expression, "after_rotation|before_rotation"),
    OBJECT_KEY("dense_motion_params"),
    {0},
};
static const vx_config_key dense_keys[] = {
    INT_KEY("block_expansion", c.w.expansion, 1, WIDTH_MAX),
    INT_KEY("max_features", c.w.features_max, 1, WIDTH_MAX),
    INT_KEY("num_blocks", c.w.blocks, 1, VX_PORTRAIT_BLOCKS_MAX),
    INT_KEY("reshape_depth", w_dense_depth, 1, VX_PORTRAIT_DEPTH_MAX),
    INT_KEY("compress", c.w.compress, 1, 64),
    INT_KEY("volume_divisor", c.w.divisor, 1, 2),
    INT_KEY("mask_kernel", c.w.mask_kernel, 1, 15),
    INT_KEY("prediction_features", c.w.prediction, 1, WIDTH_MAX),
    {0},
};
static const vx_config_key g_keys[] = {
    INT_KEY("upscale", upscale, 1, 2),
    INT_KEY("block_expansion", expansion[G], 1, WIDTH_MAX),
    INT_KEY("max_features", features_max[G], 1, WIDTH_MAX),
    INT_KEY("num_down_blocks", down_blocks[G], 1, VX_PORTRAIT_LEVELS_MAX - 1),
    INT_KEY("in_features", seg, 1, WIDTH_MAX),
    LIST_KEY("block_features"),
    LIST_KEY("hidden_features"),
    INT_KEY("num_middle_blocks", c.g.middle, 1, VX_PORTRAIT_BLOCKS_MAX),
    CHOICE_KEY("spade_norm", spade_norm, "instance|batch"),
    BOOL_KEY("spectral_norm", c.g.spectral),
    INT_KEY("pixel_shuffle", c.g.shuffle, 1, 4),
    {0},
};
/* The eye and lip networks need landmarks, which are not part of this. */
static const vx_config_key stitching_keys[] = {
    OBJECT_KEY("stitching"),
    LIST_KEY("lip"),
    LIST_KEY("eye"),
    {0},
};
static const vx_config_key stitching_net_keys[] = {
    LIST_KEY("input_size"),
    LIST_KEY("hidden_sizes"),
    LIST_KEY("output_size"),
    {0},
};
static const vx_config_key driving_keys[] = {
    CHOICE_KEY("expression", driven, "relative|absolute"),
    {0},
};

static vx_status refuse(vx_error *err, const char *what)
{
    return vx_fail(err, VX_ERR_INPUT, "bad_config", "the configuration of " COMPONENT " %s", what);
}

/* A list of `low` to `high` widths; *count stays 0 when the key is absent. */
static vx_status read_list(const json_t *object, const char *key, int low, int high, int *values,
                           int *count, vx_error *err)
{
    const json_t *list = json_object_get(object, key);
    if (list == NULL) return VX_OK;
    size_t size = json_array_size(list);
    bool good = json_is_array(list) && size >= (size_t)low && size <= (size_t)high;
    for (size_t i = 0; good && i < size; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t n = json_integer_value(item);
        good = json_is_integer(item) && n >= 1 && n <= WIDTH_MAX;
        if (good) values[i] = (int)n;
    }
    if (!good)
        return vx_fail(err, VX_ERR_INPUT, "bad_config",
                       "the configuration of " COMPONENT
                       " has a \"%s\" that is not a list of %d to %d widths from 1 to %d",
                       key, low, high, WIDTH_MAX);
    *count = (int)size;
    return VX_OK;
}

/* min(max_features, block_expansion * 2^i), the rule of every published width. */
static int by_rule(int expansion, int most, int i)
{
    int64_t wide = (int64_t)expansion << i;
    return wide < most ? (int)wide : most;
}

static vx_status read_appearance(const json_t *json, written *r, vx_error *err)
{
    vx_liveportrait_config *c = &r->c;
    VX_TRY(vx_config_read(json, f_keys, r, COMPONENT, err));
    int listed = 0;
    VX_TRY(
        read_list(json, "block_features", 2, VX_PORTRAIT_LEVELS_MAX, c->f.features, &listed, err));
    c->f.levels = listed ? listed : r->down_blocks[F] + 1;
    for (int i = 0; i < c->f.levels && !listed; i++)
        c->f.features[i] = by_rule(r->expansion[F], r->features_max[F], i);
    if (json_object_get(json, "max_features") && r->features_max[F] != c->channels * c->depth)
        return refuse(err,
                      "has a max_features of F that is not reshape_channel times reshape_depth");
    if (c->image_size % (1 << (c->f.levels - 1)) != 0)
        return refuse(err, "has an image_size that F's down blocks do not divide");
    return VX_OK;
}

static vx_status read_motion(const json_t *json, written *r, vx_error *err)
{
    vx_liveportrait_config *c = &r->c;
    c->m.input_size = c->image_size;
    VX_TRY(vx_config_read(json, m_keys, r, COMPONENT, err));
    int last = c->m.input_size / 32; /* stem 4, then three times 2 */
    if (c->m.input_size % 32 != 0 || (last & (last - 1)) != 0)
        return refuse(err, "has an input_size of M that is not 32 times a power of two");
    int shrunk = c->image_size / c->m.input_size;
    if (c->image_size % c->m.input_size != 0 || shrunk < 1 || (shrunk & (shrunk - 1)) != 0)
        return refuse(err, "has an input_size of M that is not image_size halved some times");
    return VX_OK;
}

static vx_status check_warping(const written *r, vx_error *err)
{
    const vx_liveportrait_config *c = &r->c;
    int side = vx_liveportrait_feature_side(c) / c->w.divisor;
    if (c->points != r->m_points) return refuse(err, "has different num_kp for M and W");
    if (r->w_channels != c->channels || r->w_depth != c->depth || r->w_dense_depth != c->depth)
        return refuse(err, "has reshape_channel or reshape_depth of W that differ from F's");
    if (!r->occlusion)
        return refuse(err, "asks for flag_use_occlusion_map false, which is not implemented");
    if (c->w.mask_kernel % 2 == 0) return refuse(err, "has an even mask_kernel");
    if (c->depth % c->w.divisor != 0 || vx_liveportrait_feature_side(c) % c->w.divisor != 0)
        return refuse(err, "has a volume_divisor that does not divide the volume");
    if (side % (1 << c->w.blocks) != 0)
        return refuse(err, "has more num_blocks of dense motion than its maps can be halved");
    return VX_OK;
}

static vx_status read_warping(const json_t *json, written *r, vx_error *err)
{
    vx_liveportrait_config *c = &r->c;
    const json_t *dense = json_object_get(json, "dense_motion_params");
    r->w_channels = c->channels;
    r->w_depth = r->w_dense_depth = c->depth;
    VX_TRY(vx_config_read(json, w_keys, r, COMPONENT, err));
    VX_TRY(vx_config_read(dense, dense_keys, r, COMPONENT, err));
    if (json_object_get(json, "max_features") && r->features_max[W] != c->channels * c->depth)
        return refuse(err,
                      "has a max_features of W that is not reshape_channel times reshape_depth");
    /* Not held to max_features in warping_network.py. */
    if (c->w.features == 0) c->w.features = by_rule(r->expansion[W], WIDTH_MAX, r->down_blocks[W]);
    if (c->w.prediction == 0)
        c->w.prediction = c->w.expansion + (c->points + 1) * (c->w.compress + 1);
    return check_warping(r, err);
}

static vx_status read_generator(const json_t *json, written *r, vx_error *err)
{
    vx_liveportrait_config *c = &r->c;
    VX_TRY(vx_config_read(json, g_keys, r, COMPONENT, err));
    int wide = by_rule(r->expansion[G], r->features_max[G], r->down_blocks[G]), listed = 0;
    const int widths[] = {2 * wide, wide, 64}; /* spade_generator.py */
    VX_TRY(read_list(json, "block_features", 2, 3, c->g.features, &listed, err));
    c->g.levels = listed ? listed : 3;
    for (int i = 0; i < c->g.levels; i++) {
        if (!listed) c->g.features[i] = widths[i];
        c->g.hidden[i] = 128; /* util.py SPADE */
        if (i > 0 && c->g.features[i] >= c->g.features[i - 1])
            return refuse(err, "has block_features of G that do not fall");
    }
    int hidden = 0;
    VX_TRY(read_list(json, "hidden_features", c->g.levels, c->g.levels, c->g.hidden, &hidden, err));
    if (!json_object_get(json, "pixel_shuffle")) c->g.shuffle = r->upscale;
    if (r->seg == 0) r->seg = listed ? c->w.features : wide;
    if (r->seg != c->w.features)
        return refuse(err, "has a generator that reads another width than W writes");
    return VX_OK;
}

static vx_status read_stitching(const json_t *json, vx_liveportrait_config *c, vx_error *err)
{
    const json_t *net = json_object_get(json, "stitching");
    VX_TRY(vx_config_read(json, stitching_keys, NULL, COMPONENT, err));
    VX_TRY(vx_config_read(net, stitching_net_keys, NULL, COMPONENT, err));
    const json_t *in = json_object_get(net, "input_size"),
                 *out = json_object_get(net, "output_size");
    if ((in && json_integer_value(in) != 6 * c->points) ||
        (out && json_integer_value(out) != 3 * c->points + 2))
        return refuse(err, "has a stitching network for another number of key points");
    return read_list(net, "hidden_sizes", 1, VX_PORTRAIT_LEVELS_MAX - 1, c->stitch_hidden,
                     &c->stitch_layers, err);
}

vx_status vx_liveportrait_config_read(const json_t *json, vx_liveportrait_config *config,
                                      vx_error *err)
{
    written r = {
        .c = {.points = 21,
              .image_size = 256,
              .channels = 32,
              .depth = 16,
              .f = {.resblocks = 6},
              .m = {.dims = {96, 192, 384, 768}, .depths = {3, 3, 9, 3}, .bins = 66},
              .w = {.compress = 4,
                    .divisor = 1,
                    .expansion = 32,
                    .features_max = 1024,
                    .blocks = 5,
                    .mask_kernel = 7,
                    .occlusion = true},
              .g = {.middle = 6, .spectral = true, .shuffle = 2},
              .stitch_layers = 3,
              .stitch_hidden = {128, 128, 64}},
        .expansion = {64, 64, 64},
        .features_max = {512, 512, 512},
        .down_blocks = {2, 2, 2},
        .m_points = 21,
        .upscale = 2,
        .occlusion = true,
    };
    const json_t *inner = json_object_get(json, "model_params");
    if (inner != NULL) json = inner;
    VX_TRY(vx_config_read(json, top_keys, &r, COMPONENT, err));
    VX_TRY(read_appearance(json_object_get(json, "appearance_feature_extractor_params"), &r, err));
    VX_TRY(read_motion(json_object_get(json, "motion_extractor_params"), &r, err));
    VX_TRY(read_warping(json_object_get(json, "warping_module_params"), &r, err));
    VX_TRY(read_generator(json_object_get(json, "spade_generator_params"), &r, err));
    VX_TRY(read_stitching(json_object_get(json, "stitching_retargeting_module_params"), &r.c, err));
    VX_TRY(
        vx_config_read(json_object_get(json, "driving_params"), driving_keys, &r, COMPONENT, err));
    r.c.g.batch_norm = r.spade_norm == 1;
    r.c.absolute_expression = r.driven == 1;
    r.c.stitch_layers++; /* the last one gives the deltas */
    *config = r.c;
    return VX_OK;
}

int vx_liveportrait_feature_side(const vx_liveportrait_config *c)
{
    return c->image_size >> (c->f.levels - 1);
}

int vx_liveportrait_frame_side(const vx_liveportrait_config *c)
{
    return (vx_liveportrait_feature_side(c) << (c->g.levels - 1)) * c->g.shuffle;
}
