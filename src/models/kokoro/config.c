/* Kokoro's config.json and its vocabulary. */
#include "models/kokoro/kokoro.h"

#include <string.h>
#include <utf8proc.h>

#include "models/config.h"

/* The 114 symbols of Kokoro-82M v1.0 (config.json, "vocab"), by id. */
static const struct {
    uint8_t id;
    uint16_t code_point;
} published_symbols[] = {
    {1, 0x003B},   {2, 0x003A},   {3, 0x002C},   {4, 0x002E},   {5, 0x0021},   {6, 0x003F},
    {9, 0x2014},   {10, 0x2026},  {11, 0x0022},  {12, 0x0028},  {13, 0x0029},  {14, 0x201C},
    {15, 0x201D},  {16, 0x0020},  {17, 0x0303},  {18, 0x02A3},  {19, 0x02A5},  {20, 0x02A6},
    {21, 0x02A8},  {22, 0x1D5D},  {23, 0xAB67},  {24, 0x0041},  {25, 0x0049},  {31, 0x004F},
    {33, 0x0051},  {35, 0x0053},  {36, 0x0054},  {39, 0x0057},  {41, 0x0059},  {42, 0x1D4A},
    {43, 0x0061},  {44, 0x0062},  {45, 0x0063},  {46, 0x0064},  {47, 0x0065},  {48, 0x0066},
    {50, 0x0068},  {51, 0x0069},  {52, 0x006A},  {53, 0x006B},  {54, 0x006C},  {55, 0x006D},
    {56, 0x006E},  {57, 0x006F},  {58, 0x0070},  {59, 0x0071},  {60, 0x0072},  {61, 0x0073},
    {62, 0x0074},  {63, 0x0075},  {64, 0x0076},  {65, 0x0077},  {66, 0x0078},  {67, 0x0079},
    {68, 0x007A},  {69, 0x0251},  {70, 0x0250},  {71, 0x0252},  {72, 0x00E6},  {75, 0x03B2},
    {76, 0x0254},  {77, 0x0255},  {78, 0x00E7},  {80, 0x0256},  {81, 0x00F0},  {82, 0x02A4},
    {83, 0x0259},  {85, 0x025A},  {86, 0x025B},  {87, 0x025C},  {90, 0x025F},  {92, 0x0261},
    {99, 0x0265},  {101, 0x0268}, {102, 0x026A}, {103, 0x029D}, {110, 0x026F}, {111, 0x0270},
    {112, 0x014B}, {113, 0x0273}, {114, 0x0272}, {115, 0x0274}, {116, 0x00F8}, {118, 0x0278},
    {119, 0x03B8}, {120, 0x0153}, {123, 0x0279}, {125, 0x027E}, {126, 0x027B}, {128, 0x0281},
    {129, 0x027D}, {130, 0x0282}, {131, 0x0283}, {132, 0x0288}, {133, 0x02A7}, {135, 0x028A},
    {136, 0x028B}, {138, 0x028C}, {139, 0x0263}, {140, 0x0264}, {142, 0x03C7}, {143, 0x028E},
    {147, 0x0292}, {148, 0x0294}, {156, 0x02C8}, {157, 0x02CC}, {158, 0x02D0}, {162, 0x02B0},
    {164, 0x02B2}, {169, 0x2193}, {171, 0x2192}, {172, 0x2197}, {173, 0x2198}, {177, 0x1D7B},
};

vx_kokoro_config vx_kokoro_config_default(void)
{
    vx_kokoro_config config = {
        .hidden_dim = 512,
        .style_dim = 128,
        .n_token = 178,
        .n_layer = 3,
        .max_dur = 50,
        .text_encoder_kernel_size = 5,
        .plbert = {.hidden_size = 768,
                   .num_attention_heads = 12,
                   .intermediate_size = 2048,
                   .max_position_embeddings = 512,
                   .num_hidden_layers = 12,
                   .embedding_size = 128,
                   .num_hidden_groups = 1,
                   .inner_group_num = 1,
                   .layer_norm_eps = 1e-12f},
        .istftnet = {.upsample_rates = {10, 6},
                     .upsample_kernel_sizes = {20, 12},
                     .upsample_initial_channel = 512,
                     .gen_istft_n_fft = 20,
                     .gen_istft_hop_size = 5,
                     .resblock_kernel_sizes = {3, 7, 11},
                     .resblock_dilation_sizes = {{1, 3, 5}, {1, 3, 5}, {1, 3, 5}}},
    };
    for (size_t i = 0; i < sizeof published_symbols / sizeof published_symbols[0]; i++)
        config.symbols[published_symbols[i].id] = published_symbols[i].code_point;
    return config;
}

int vx_kokoro_symbol_id(const vx_kokoro_config *config, uint32_t code_point)
{
    if (code_point == 0) return 0;
    for (int id = 1; id < VX_KOKORO_TOKENS_LIMIT; id++)
        if (config->symbols[id] == code_point) return id;
    return 0;
}

static vx_status refuse(vx_error *err, const char *key, const char *want)
{
    return vx_fail(err, VX_ERR_INPUT, "bad_config",
                   "the configuration of kokoro has a value for \"%s\" that is not implemented; it "
                   "must be %s",
                   key, want);
}

static vx_status read_vocab(vx_kokoro_config *config, const json_t *vocab, vx_error *err)
{
    if (vocab == NULL) return VX_OK;
    memset(config->symbols, 0, sizeof config->symbols);
    const char *symbol;
    json_t *value;
    json_object_foreach((json_t *)vocab, symbol, value)
    {
        utf8proc_int32_t code_point = 0;
        utf8proc_ssize_t length = (utf8proc_ssize_t)strlen(symbol);
        json_int_t id = json_integer_value(value);
        if (length == 0 ||
            utf8proc_iterate((const utf8proc_uint8_t *)symbol, length, &code_point) != length ||
            !json_is_integer(value) || id < 1 || id >= config->n_token)
            return refuse(err, "vocab", "a mapping from single characters to ids below n_token");
        config->symbols[id] = (uint32_t)code_point;
    }
    return VX_OK;
}

static vx_status read_dilations(vx_kokoro_config *config, const json_t *lists, vx_error *err)
{
    if (lists == NULL) return VX_OK;
    bool good = json_is_array(lists) && json_array_size(lists) == VX_KOKORO_BLOCKS;
    for (size_t i = 0; good && i < VX_KOKORO_BLOCKS; i++) {
        const json_t *list = json_array_get(lists, i);
        good = json_is_array(list) && json_array_size(list) == VX_KOKORO_BLOCKS;
        for (size_t j = 0; good && j < VX_KOKORO_BLOCKS; j++) {
            const json_t *value = json_array_get(list, j);
            json_int_t dilation = json_integer_value(value);
            good = json_is_integer(value) && dilation >= 1 && dilation <= 16;
            if (good) config->istftnet.resblock_dilation_sizes[i][j] = (int)dilation;
        }
    }
    return good ? VX_OK
                : refuse(err, "resblock_dilation_sizes", "three lists of three numbers, 1 to 16");
}

#define INT(key, field, low, high) VX_CONFIG_INT_KEY(key, vx_kokoro_config, field, low, high)
#define INTS(key, field, low, high, n)                                                             \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_INTS, .offset = offsetof(vx_kokoro_config, field),          \
        .min = low, .max = high, .count = n                                                        \
    }
#define OBJECT(key)                                                                                \
    {                                                                                              \
        .name = key, .kind = VX_CONFIG_OBJECT                                                      \
    }
#define IGNORED(key) VX_CONFIG_NO_EFFECT(key)

static const vx_config_key main_keys[] = {
    INT("hidden_dim", hidden_dim, 8, 4096),
    INT("style_dim", style_dim, 1, 1024),
    INT("n_token", n_token, 2, VX_KOKORO_TOKENS_LIMIT),
    INT("n_layer", n_layer, 1, VX_KOKORO_LAYERS_MAX),
    INT("max_dur", max_dur, 1, 1000),
    INT("text_encoder_kernel_size", text_encoder_kernel_size, 1, 31),
    OBJECT("plbert"),
    OBJECT("istftnet"),
    OBJECT("vocab"),
    IGNORED("dim_in"),
    IGNORED("max_conv_dim"),
    IGNORED("n_mels"),
    IGNORED("dropout"),
    IGNORED("multispeaker"),
    {0}};

static const vx_config_key plbert_keys[] = {
    INT("hidden_size", plbert.hidden_size, 1, 8192),
    INT("num_attention_heads", plbert.num_attention_heads, 1, 128),
    INT("intermediate_size", plbert.intermediate_size, 1, 65536),
    INT("max_position_embeddings", plbert.max_position_embeddings, 3, 8192),
    INT("num_hidden_layers", plbert.num_hidden_layers, 1, 64),
    INT("embedding_size", plbert.embedding_size, 1, 8192),
    INT("num_hidden_groups", plbert.num_hidden_groups, 1, 1), /* one shared layer */
    INT("inner_group_num", plbert.inner_group_num, 1, 1),
    {.name = "hidden_act",
     .kind = VX_CONFIG_CHOICE,
     .offset = offsetof(vx_kokoro_config, plbert.hidden_act),
     .choices = "gelu_new"},
    {.name = "layer_norm_eps",
     .kind = VX_CONFIG_FLOAT,
     .offset = offsetof(vx_kokoro_config, plbert.layer_norm_eps),
     .max = 1},
    IGNORED("dropout"),
    IGNORED("attention_probs_dropout_prob"),
    IGNORED("hidden_dropout_prob"),
    IGNORED("classifier_dropout_prob"),
    IGNORED("initializer_range"),
    IGNORED("type_vocab_size"),
    IGNORED("model_type"),
    {0}};

static const vx_config_key istftnet_keys[] = {
    INTS("upsample_rates", istftnet.upsample_rates, 2, 60, VX_KOKORO_STAGES),
    INTS("upsample_kernel_sizes", istftnet.upsample_kernel_sizes, 4, 120, VX_KOKORO_STAGES),
    INT("upsample_initial_channel", istftnet.upsample_initial_channel, 4, 4096),
    INTS("resblock_kernel_sizes", istftnet.resblock_kernel_sizes, 1, 31, VX_KOKORO_BLOCKS),
    INT("gen_istft_n_fft", istftnet.gen_istft_n_fft, 20, 20), /* of the STFT ops */
    INT("gen_istft_hop_size", istftnet.gen_istft_hop_size, 5, 5),
    IGNORED("resblock_dilation_sizes"), /* a list of lists: read_dilations */
    {0}};

/* What keys mean together. */
static vx_status check(const vx_kokoro_config *c, vx_error *err)
{
    int product = 1;
    for (int i = 0; i < VX_KOKORO_STAGES; i++) {
        int rate = c->istftnet.upsample_rates[i];
        product *= rate;
        if (rate % 2 != 0 || c->istftnet.upsample_kernel_sizes[i] != 2 * rate)
            return refuse(err, "upsample_kernel_sizes", "twice the (even) upsample_rates");
    }
    if (product != VX_KOKORO_FRAME / 2 / c->istftnet.gen_istft_hop_size)
        return refuse(err, "upsample_rates", "two even numbers whose product is 60");
    for (int i = 0; i < VX_KOKORO_BLOCKS; i++)
        if (c->istftnet.resblock_kernel_sizes[i] % 2 == 0)
            return refuse(err, "resblock_kernel_sizes", "odd numbers");
    if (c->text_encoder_kernel_size % 2 == 0) return refuse(err, "text_encoder_kernel_size", "odd");
    if (c->hidden_dim % 8 != 0) return refuse(err, "hidden_dim", "a multiple of 8");
    if (c->istftnet.upsample_initial_channel % 4 != 0)
        return refuse(err, "upsample_initial_channel", "a multiple of 4");
    if (c->plbert.hidden_size % c->plbert.num_attention_heads != 0)
        return refuse(err, "num_attention_heads", "a divisor of hidden_size");
    return VX_OK;
}

vx_status vx_kokoro_config_read(vx_kokoro_config *config, const json_t *object, vx_error *err)
{
    static const char component[] = "kokoro";
    VX_TRY(vx_config_read(object, main_keys, config, component, err));
    VX_TRY(vx_config_read(json_object_get(object, "plbert"), plbert_keys, config, component, err));
    const json_t *istftnet = json_object_get(object, "istftnet");
    VX_TRY(vx_config_read(istftnet, istftnet_keys, config, component, err));
    VX_TRY(read_dilations(config, json_object_get(istftnet, "resblock_dilation_sizes"), err));
    VX_TRY(read_vocab(config, json_object_get(object, "vocab"), err));
    return check(config, err);
}
