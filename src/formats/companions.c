/* What lies beside a weight and changes it. For a weight P.weight:
 *
 *     P.scale_weight, P.weight_scale, P.weight_scale_inv
 *                      values are scale times code. One element; one for each row; or a matrix of
 *                      them, one for each block: 128 x 128 (DeepSeek's), or what the shapes say
 *     P.comfy_quant    U8, JSON: {"format": "float8_e4m3fn"}; says that a scale is needed
 *     P.scale_input, P.input_scale, scaled_fp8    for activations, and a marker: without effect
 *     P.bias, P.running_mean, P.running_var, P.num_batches_tracked    tensors of their own
 *
 * and the same beside other names that end in "weight". safetensors' metadata may hold all
 * recipes as _quantization_metadata. Anything else that stands where a companion would is not
 * understood, and then the weight may be listed but not read. Files whose names show that they
 * hold no plain weights at all get a verdict. Names: ComfyUI (comfy/ops.py, quant_ops.py),
 * compressed-tensors, DeepSeek-V3. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source_impl.h"
#include "tensor/quant.h"

enum { BLOCK_DEFAULT = 128, RECIPE_BYTES_MAX = 1 << 16, METADATA_BYTES_MAX = 1 << 24 };
/* How many parts of a name may follow the weight's own: weight_zero_point_… has three. */
enum { JOINTS_MAX = 8 };

typedef struct scaled_private {
    vx_source_reader reader;
    vx_dtype stored;   /* of the codes */
    const void *inner; /* the codes' own private part */
    vx_dtype scale_dtype;
    const unsigned char *scales;
    int64_t row_elements, row_block, col_block, scale_cols;
} scaled_private;

typedef struct refused_private {
    vx_source_reader reader;
    const char *why;   /* a sentence's end */
    const void *inner; /* the private part before */
} refused_private;

/* Another file of the same checkpoint may have it, so this reason can be taken back. */
static const char no_scale[] = "is marked as scaled fp8 and has no scale";

/* ---- reading */

static float scale_at(const scaled_private *p, int64_t element, int64_t *run)
{
    float scale;
    int64_t row = element / p->row_elements, col = element % p->row_elements;
    int64_t index = row / p->row_block * p->scale_cols + col / p->col_block;
    int64_t stop = (col / p->col_block + 1) * p->col_block;
    *run = (stop < p->row_elements ? stop : p->row_elements) - col;
    vx_decode(p->scale_dtype, p->scales + (size_t)index * vx_dtype_bytes(p->scale_dtype), 1,
              &scale);
    return scale;
}

static vx_status read_scaled(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                             int64_t count, float *dst, vx_error *err)
{
    const scaled_private *p = tensor->private;
    vx_source_tensor codes = *tensor;
    codes.dtype = p->stored;
    codes.private = p->inner;
    VX_TRY(vx_source_read(source, &codes, first, count, dst, err));
    while (count > 0) {
        int64_t run;
        float scale = scale_at(p, first, &run);
        if (run > count) run = count;
        for (int64_t i = 0; i < run; i++)
            dst[i] *= scale;
        first += run;
        dst += run;
        count -= run;
    }
    return VX_OK;
}

static vx_status read_refused(const vx_source *source, const vx_source_tensor *tensor,
                              int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)first, (void)count, (void)dst;
    const refused_private *p = tensor->private;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0,
                      "tensor \"%s\" of %s %s; give the weights in bf16, fp8, GGUF or "
                      "bitsandbytes NF4",
                      tensor->name, source->path, p->why);
}

/* NULL unless it is refused. */
static const refused_private *refusal_of(const vx_source_tensor *tensor)
{
    const vx_source_reader *reader = tensor->private;
    return reader != NULL && reader->read == read_refused ? tensor->private : NULL;
}

vx_status vx_source_usable(const vx_source *source, const vx_source_tensor *tensor, vx_error *err)
{
    if (refusal_of(tensor) == NULL) return VX_OK;
    return read_refused(source, tensor, 0, 0, NULL, err);
}

/* ---- names */

typedef enum companion {
    COMPANION_NONE,    /* no companion: a tensor of its own, or nobody's */
    COMPANION_SCALE,   /* multiplies */
    COMPANION_RECIPE,  /* JSON */
    COMPANION_NOTHING, /* without effect */
    COMPANION_UNKNOWN
} companion;

static const struct {
    const char *leaf;
    companion kind;
} leaves[] = {{"weight_scale", COMPANION_SCALE},      {"scale_weight", COMPANION_SCALE},
              {"weight_scale_inv", COMPANION_SCALE},  {"comfy_quant", COMPANION_RECIPE},
              {"scale_input", COMPANION_NOTHING},     {"input_scale", COMPANION_NOTHING},
              {"scaled_fp8", COMPANION_NOTHING},      {"bias", COMPANION_NONE},
              {"running_mean", COMPANION_NONE},       {"running_var", COMPANION_NONE},
              {"num_batches_tracked", COMPANION_NONE}};

static companion kind_of_leaf(const char *leaf, companion otherwise)
{
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        if (strcmp(leaves[i].leaf, leaf) == 0) return leaves[i].kind;
    return otherwise;
}

static bool ends_with(const char *text, size_t length, const char *tail)
{
    size_t tail_length = strlen(tail);
    return length >= tail_length && memcmp(text + length - tail_length, tail, tail_length) == 0;
}

/* The files that are searched for a weight; one of them in vx_companions_fold. */
typedef struct family {
    vx_source **sources;
    int count;
    int skip; /* a source that is not searched, -1 for none */
} family;

/* The tensor of that name, and the number of its file. */
static vx_source_tensor *find(const family *f, const char *name, int *file)
{
    for (int i = 0; i < f->count; i++) {
        const vx_source_tensor *tensor = i != f->skip ? vx_source_find(f->sources[i], name) : NULL;
        *file = i;
        if (tensor != NULL) return (vx_source_tensor *)tensor;
    }
    return NULL;
}

/* Words that begin what adapters put beside a weight. */
static const char *const adapter_words[] = {".lora_", ".lokr_", ".loha_",  ".hada_",
                                            ".oft_",  ".dora_", ".glora_", ".ia3_"};

/* Where such a word begins, or NULL. */
static const char *find_adapter(const char *name)
{
    for (size_t i = 0; i < sizeof adapter_words / sizeof *adapter_words; i++) {
        const char *at = strstr(name, adapter_words[i]);
        if (at != NULL) return at;
    }
    return NULL;
}

/* The weight P.weight for a name that continues P at `stem` bytes. */
static vx_source_tensor *weight_of(const family *f, const char *name, size_t stem, int *file)
{
    char weight[VX_SOURCE_NAME_MAX + 16];
    snprintf(weight, sizeof weight, "%.*s.weight", (int)stem, name);
    return strcmp(weight, name) != 0 ? find(f, weight, file) : NULL;
}

/* A tensor whose own name this one continues: W_scale, W.scale, … */
static companion continues(const family *f, const char *name, vx_source_tensor **weight, int *file)
{
    char stem[VX_SOURCE_NAME_MAX + 1];
    int tried = 0;
    for (size_t at = strlen(name); at-- > 1 && tried < JOINTS_MAX;) {
        if (name[at] != '.' && name[at] != '_') continue;
        tried++;
        snprintf(stem, sizeof stem, "%.*s", (int)at, name);
        *weight = find(f, stem, file);
        if (*weight == NULL) continue;
        const char *rest = name + at;
        if (!ends_with(stem, at, "weight")) {
            bool suspect = strstr(rest, "scale") != NULL || strstr(rest, "zero_point") != NULL ||
                           strstr(rest, "absmax") != NULL;
            return suspect ? COMPANION_UNKNOWN : COMPANION_NONE;
        }
        bool scale = strcmp(rest, "_scale") == 0 || strcmp(rest, "_scale_inv") == 0;
        return scale ? COMPANION_SCALE : COMPANION_UNKNOWN;
    }
    return COMPANION_NONE;
}

/* What `name` is, and to which weight it belongs; *weight may be NULL for all but UNKNOWN. */
static companion classify(const family *f, const char *name, vx_source_tensor **weight, int *file)
{
    const char *dot = strrchr(name, '.'), *leaf = dot != NULL ? dot + 1 : name;
    *weight = NULL;
    if (strcmp(leaf, "weight") == 0 && find_adapter(name) == NULL) return COMPANION_NONE;
    if (dot == NULL)
        return strcmp(name, "scaled_fp8") == 0 ? COMPANION_NOTHING
                                               : continues(f, name, weight, file);
    *weight = weight_of(f, name, (size_t)(dot - name), file);
    if (*weight != NULL) return kind_of_leaf(leaf, COMPANION_UNKNOWN);
    const char *adapter = find_adapter(name);
    if (adapter != NULL) *weight = weight_of(f, name, (size_t)(adapter - name), file);
    if (*weight != NULL) return COMPANION_UNKNOWN;
    companion kind = kind_of_leaf(leaf, COMPANION_NONE);
    return kind != COMPANION_NONE ? kind : continues(f, name, weight, file);
}

/* ---- changing a weight */

static vx_status refuse(vx_source *source, vx_source_tensor *weight, const char *why, vx_error *err)
{
    if (refusal_of(weight) != NULL) return VX_OK; /* the first reason stands */
    refused_private *p = vx_source_keep(source, sizeof *p);
    char *kept = vx_source_keep(source, strlen(why) + 1);
    if (p == NULL || kept == NULL) return vx_source_no_memory(source, err);
    p->reader.read = read_refused;
    p->why = strcpy(kept, why);
    p->inner = weight->private;
    weight->private = p;
    return VX_OK;
}

static vx_status refuse_beside(vx_source *source, vx_source_tensor *weight, const char *beside,
                               vx_error *err)
{
    char why[VX_SHOWN + 160], shown[VX_SHOWN];
    snprintf(why, sizeof why,
             "has \"%s\" beside it, which may change its values in a way that Vortex does not know",
             vx_source_shown(shown, beside, strlen(beside)));
    return refuse(source, weight, why, err);
}

/* The size of a block when `blocks` of them cover n; 0 when they can't. */
static int64_t block_of(int64_t n, int64_t blocks)
{
    if (blocks < 1 || blocks > n) return 0;
    if (blocks == n) return 1;
    if (blocks == 1) return n;
    if ((n + BLOCK_DEFAULT - 1) / BLOCK_DEFAULT == blocks) return BLOCK_DEFAULT;
    return n % blocks == 0 ? n / blocks : 0;
}

static bool is_scale_type(vx_dtype dtype)
{
    return dtype == VX_F32 || dtype == VX_BF16 || dtype == VX_F16 || dtype == VX_F64;
}

/* Whether the scales' shape fits the weight's. */
static bool fit(const vx_source_tensor *weight, const vx_source_tensor *scale, scaled_private *p)
{
    int64_t rows = weight->rank > 1 ? weight->dim[0] : 1;
    p->row_elements = rows > 0 ? weight->elements / rows : 0;
    p->row_block = 1;
    p->col_block = p->row_elements;
    p->scale_cols = 1;
    if (weight->elements == 0) return true;
    if (scale->elements == 1) {
        p->row_block = rows;
        return true;
    }
    if (scale->rank > 0 && scale->dim[0] == rows && scale->elements == rows) return true;
    if (weight->rank != 2 || scale->rank != 2) return false;
    p->row_block = block_of(rows, scale->dim[0]);
    p->col_block = block_of(p->row_elements, scale->dim[1]);
    p->scale_cols = scale->dim[1];
    return p->row_block > 0 && p->col_block > 0;
}

static bool is_scalable(vx_dtype dtype)
{
    return dtype == VX_F8_E4M3 || dtype == VX_F8_E5M2 || dtype == VX_I8 || is_scale_type(dtype);
}

static vx_status apply_scale(vx_source *source, vx_source_tensor *weight,
                             const vx_source_tensor *scale, vx_error *err)
{
    const refused_private *refusal = refusal_of(weight);
    if (refusal != NULL && strcmp(refusal->why, no_scale) == 0) weight->private = refusal->inner;
    if (refusal_of(weight) != NULL) return VX_OK;
    const vx_source_reader *before = weight->private;
    scaled_private p = {.reader = {.read = read_scaled, .computed = true},
                        .stored = weight->dtype,
                        .inner = before,
                        .scale_dtype = scale->dtype,
                        .scales = scale->data};
    if (before != NULL && before->read == read_scaled)
        return refuse(source, weight, "has two scales", err);
    char why[2 * VX_SHOWN + 160], shown[VX_SHOWN];
    snprintf(why, sizeof why,
             "has the scale \"%s\", whose shape or type does not go with a weight of that kind",
             vx_source_shown(shown, scale->name, strlen(scale->name)));
    if (!is_scalable(weight->dtype) || !is_scale_type(scale->dtype) || scale->private != NULL ||
        scale->data == NULL || !fit(weight, scale, &p))
        return refuse(source, weight, why, err);
    scaled_private *kept = vx_source_keep(source, sizeof *kept);
    if (kept == NULL) return vx_source_no_memory(source, err);
    *kept = p;
    weight->private = kept;
    if (weight->dtype == VX_I8) weight->dtype = VX_INT8_ROW;
    return VX_OK;
}

/* ---- recipes */

/* Whether it asks for fp8 with scales and for nothing else; *why otherwise. */
static bool is_known_recipe(json_t *recipe, char *why, size_t room)
{
    const char *key;
    json_t *value;
    char shown[VX_SHOWN];
    if (!json_is_object(recipe)) {
        snprintf(why, room, "has a recipe of quantisation that is no JSON mapping");
        return false;
    }
    json_object_foreach(recipe, key, value)
    {
        const char *format = strcmp(key, "format") == 0 ? json_string_value(value) : NULL;
        if (format != NULL &&
            (strcmp(format, "float8_e4m3fn") == 0 || strcmp(format, "float8_e5m2") == 0))
            continue;
        /* Which arithmetic the product takes, not which values. */
        if (strcmp(key, "full_precision_matrix_mult") == 0) continue;
        const char *named = format != NULL ? format : key;
        snprintf(why, room, "is quantised as \"%s\", which Vortex does not read",
                 vx_source_shown(shown, named, strlen(named)));
        return false;
    }
    return true;
}

/* A recipe without a scale is half of one. */
static vx_status take_recipe(vx_source *source, vx_source_tensor *weight, json_t *recipe,
                             vx_error *err)
{
    char why[VX_SHOWN + 80];
    const vx_source_reader *reader = weight->private;
    if (!is_known_recipe(recipe, why, sizeof why)) {
        weight->private = NULL; /* this reason says more than a scale that does not fit */
        return refuse(source, weight, why, err);
    }
    if (reader != NULL && reader->read == read_scaled) return VX_OK;
    return refuse(source, weight, no_scale, err);
}

static vx_status take_recipe_tensor(vx_source *source, vx_source_tensor *weight,
                                    const vx_source_tensor *text, vx_error *err)
{
    json_t *recipe = NULL;
    if (text->dtype == VX_U8 && text->private == NULL && text->bytes > 0 &&
        text->bytes <= RECIPE_BYTES_MAX)
        recipe = json_loadb(text->data, (size_t)text->bytes, 0, NULL);
    vx_status status = take_recipe(source, weight, recipe, err);
    json_decref(recipe);
    return status;
}

static vx_status take_metadata(vx_source *source, vx_error *err)
{
    const vx_source_meta *meta = vx_source_meta_find(source, VX_QUANTISATION_KEY);
    if (meta == NULL || meta->kind != VX_META_TEXT || meta->array) return VX_OK;
    size_t bytes;
    const char *text = vx_meta_text(meta, 0, &bytes), *layer;
    json_t *json = bytes <= METADATA_BYTES_MAX ? json_loadb(text, bytes, 0, NULL) : NULL, *recipe;
    json_t *layers = json_object_get(json, "layers");
    if (!json_is_object(layers)) {
        json_decref(json);
        return vx_source_bad(source, err, "its " VX_QUANTISATION_KEY " is not understood");
    }
    vx_status status = VX_OK;
    const family own = {.sources = &source, .count = 1, .skip = -1};
    json_object_foreach(layers, layer, recipe)
    {
        int file;
        vx_source_tensor *weight = strlen(layer) <= VX_SOURCE_NAME_MAX
                                       ? weight_of(&own, layer, strlen(layer), &file)
                                       : NULL;
        if (status == VX_OK && weight != NULL) status = take_recipe(source, weight, recipe, err);
    }
    json_decref(json);
    return status;
}

/* ---- the whole file */

/* Sets the verdict from a tensor whose name tells what the file is. */
static vx_status judge(vx_source *source, vx_error *err)
{
    static const struct {
        const char *tail, *beside, *what;
    } table[] = {
        {".qweight", ".wscales", "is quantised as SVDQuant"},
        {".qweight", ".g_idx", "is quantised as GPTQ"},
        {".qweight", ".qzeros", "is quantised as AWQ"},
        {".qweight", "", "is quantised by whole words of codes, as GPTQ and AWQ are"},
        {".weight_packed", "", "is quantised as compressed-tensors' packed codes"},
        {".W_q", "", "is quantised as HQQ"},
        {".weight._data", "", "is quantised by quanto"},
    };
    const char *what = NULL, *name = NULL;
    const family own = {.sources = &source, .count = 1, .skip = -1};
    for (int64_t i = 0; i < source->count && what == NULL; i++) {
        name = source->tensors[i].name;
        size_t length = strlen(name);
        for (size_t k = 0; k < sizeof table / sizeof *table && what == NULL; k++) {
            char beside[VX_SOURCE_NAME_MAX + 16];
            int file;
            if (!ends_with(name, length, table[k].tail)) continue;
            snprintf(beside, sizeof beside, "%.*s%s", (int)(length - strlen(table[k].tail)), name,
                     table[k].beside);
            if (table[k].beside[0] == '\0' || find(&own, beside, &file) != NULL)
                what = table[k].what;
        }
    }
    bool adapter = false;
    for (int64_t i = 0; i < source->count && what == NULL && !adapter; i++) {
        name = source->tensors[i].name;
        adapter = find_adapter(name) != NULL || strncmp(name, "lora_unet_", 10) == 0 ||
                  strncmp(name, "lora_te", 7) == 0;
    }
    if (what == NULL && !adapter) return VX_OK;
    char text[VX_SHOWN + 256], shown[VX_SHOWN];
    vx_source_shown(shown, name, strlen(name));
    if (adapter)
        snprintf(
            text, sizeof text,
            "is a LoRA, a change to a checkpoint and not one (it has \"%s\"); merge it into the "
            "model's weights and give the merged file",
            shown);
    else
        snprintf(text, sizeof text,
                 "%s (it has \"%s\"), which Vortex does not read; give the weights in bf16, fp8, "
                 "GGUF or bitsandbytes NF4",
                 what, shown);
    char *kept = vx_source_keep(source, strlen(text) + 1);
    if (kept == NULL) return vx_source_no_memory(source, err);
    source->verdict = strcpy(kept, text);
    return VX_OK;
}

/* One pass over the companions in `source`: those of `pass` act on the weights found in `f`. */
static vx_status act(const family *f, vx_source *source, bool recipes, bool *hidden, vx_error *err)
{
    for (int64_t i = 0; i < source->count; i++) {
        const vx_source_tensor *tensor = &source->tensors[i];
        vx_source_tensor *weight;
        int file = 0;
        companion kind = classify(f, tensor->name, &weight, &file);
        if (kind == COMPANION_NONE || (weight == NULL && kind != COMPANION_NOTHING)) continue;
        if (recipes != (kind == COMPANION_RECIPE)) continue;
        if (kind == COMPANION_SCALE)
            VX_TRY(apply_scale(f->sources[file], weight, tensor, err));
        else if (kind == COMPANION_RECIPE)
            VX_TRY(take_recipe_tensor(f->sources[file], weight, tensor, err));
        else if (kind == COMPANION_UNKNOWN)
            VX_TRY(refuse_beside(f->sources[file], weight, tensor->name, err));
        hidden[i] = kind != COMPANION_UNKNOWN;
    }
    return VX_OK;
}

/* Takes the companions of weights in `f` that lie in `source`; scales before recipes. */
static vx_status take(const family *f, vx_source *source, vx_error *err)
{
    bool *hidden = vx_heap_alloc((size_t)source->count * sizeof *hidden);
    if (hidden == NULL) return vx_source_no_memory(source, err);
    vx_status status = act(f, source, false, hidden, err);
    if (status == VX_OK) status = act(f, source, true, hidden, err);
    int64_t listed = 0;
    for (int64_t i = 0; i < source->count && status == VX_OK; i++)
        if (!hidden[i]) source->tensors[listed++] = source->tensors[i];
    if (status == VX_OK) source->count = listed;
    vx_heap_free(hidden);
    return status;
}

/* Whose names are a framework's module names. */
static bool has_modules(const vx_source *source)
{
    return strcmp(source->format, "safetensors") == 0 || strcmp(source->format, "pth") == 0 ||
           strcmp(source->format, "gguf") == 0;
}

vx_status vx_companions_fold(vx_source *source, vx_error *err)
{
    if (!has_modules(source)) return VX_OK;
    const family own = {.sources = &source, .count = 1, .skip = -1};
    VX_TRY(judge(source, err));
    VX_TRY(take(&own, source, err));
    VX_TRY(vx_source_index(source, err));
    return take_metadata(source, err);
}

vx_status vx_sources_join(vx_source **sources, int count, vx_error *err)
{
    for (int i = 0; i < count && count > 1; i++) {
        const family others = {.sources = sources, .count = count, .skip = i};
        if (!has_modules(sources[i])) continue;
        VX_TRY(take(&others, sources[i], err));
        VX_TRY(vx_source_index(sources[i], err));
    }
    return VX_OK;
}
