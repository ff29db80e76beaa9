/* Products are kept in a list that only grows, under a lock; the fast path never takes it. A run
 * needs memory objects that hold the four addresses: each product keeps idle sets of them in a
 * small array that threads take from and give back to by atomic exchange, so that in the steady
 * state nothing is allocated here. */
#include "backend/cpu/onednn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "backend/cpu/amx.h"
#include "backend/cpu/dnnl_api.h"
#include "base/mem.h"

const int vx_tile_rows[VX_TILE_SIZES] = {64, 16, 4, 1};

static vx_cpu_level find_level(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    /* The values are sets of bits, so that a later level contains the earlier ones. */
    if ((isa & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx && vx_amx_permitted())
        return VX_CPU_AMX;
    if ((isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        return VX_CPU_AVX512_BF16;
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core) return VX_CPU_AVX512;
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2) return VX_CPU_AVX2;
    return VX_CPU_GENERIC;
}

static vx_cpu_level level;
static pthread_once_t level_once = PTHREAD_ONCE_INIT;

static void set_level(void)
{
    level = find_level();
}

/* Once, for ops ask again and the tile registers cost a system call. */
vx_cpu_level vx_onednn_level(void)
{
    pthread_once(&level_once, set_level);
    return level;
}

/* Intel's VDPBF16PS does half as many operations a cycle as its f32 multiply-add (measured on a
 * Xeon of model 207: 78 against 149 GFLOP/s on one core); there only the tile unit makes bf16 the
 * faster one. On AMD's it does twice as many. By the processor's name rather than by the clock, so
 * that bytes don't depend on the machine's load. */
bool vx_onednn_bf16_pays(void)
{
#if defined(__x86_64__)
    unsigned most, name[3];
    if (__get_cpuid(0, &most, &name[0], &name[2], &name[1]) == 0) return true;
    if (memcmp(name, "GenuineIntel", sizeof name) != 0) return true;
    return vx_onednn_level() == VX_CPU_AMX;
#else
    return true;
#endif
}

/* ---- one thread
 * ----------------------------------------------------------------------------------- */

typedef void (*set_threads_fn)(int);

/* OpenMP's setter, whichever runtime oneDNN brought along; NULL where it was built without. */
static set_threads_fn set_threads;
static pthread_once_t set_threads_once = PTHREAD_ONCE_INIT;

static void find_set_threads(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    memcpy(&set_threads, &symbol, sizeof set_threads);
}

/* OpenMP's setting belongs to the thread, so each thread sets it once. */
void vx_onednn_hold_one_thread(void)
{
    static _Thread_local bool held;
    if (held) return;
    pthread_once(&set_threads_once, find_set_threads);
    if (set_threads != NULL) set_threads(1);
    held = true;
}

/* ---- types
 * ---------------------------------------------------------------------------------------- */

/* More than the threads that run one product at once on most machines; beyond it, sets are made and
 * destroyed. */
enum { IDLE_SETS = 32 };

typedef struct arg_set {
    dnnl_memory_t x, weights, out, scratch;
    dnnl_stream_t stream;
} arg_set;

typedef struct tile {
    dnnl_primitive_desc_t desc;
    _Atomic(dnnl_primitive_t) primitive; /* NULL until compiled */
    _Atomic(arg_set *) idle[IDLE_SETS];
} tile;

struct vx_product {
    vx_onednn *onednn;
    bool amx; /* no tile is described */
    vx_product *next;
    vx_product_shape shape;
    tile tile[VX_TILE_SIZES];
    vx_layout weights;
    size_t weight_bytes, scratch_bytes;
};

struct vx_onednn {
    dnnl_engine_t engine;
    pthread_mutex_t lock; /* guards the list, compiling and packing */
    vx_product *first;
};

static vx_status failed(vx_error *err, dnnl_status_t status, const char *what)
{
    if (status == dnnl_out_of_memory)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for oneDNN to %s", what);
    return vx_fail(err, VX_ERR_INTERNAL, "onednn", "oneDNN failed to %s (its status %d)", what,
                   (int)status);
}

/* ---- describing
 * ----------------------------------------------------------------------------------- */

static dnnl_data_type_t x_type(vx_dtype compute)
{
    return compute == VX_F32 ? dnnl_f32 : compute == VX_BF16 ? dnnl_bf16 : dnnl_u8;
}

static dnnl_data_type_t weight_type(vx_dtype compute)
{
    return compute == VX_U8 ? dnnl_s8 : x_type(compute);
}

static bool is_matmul(const vx_product_shape *s)
{
    return s->taps == 1 && s->stride == 1 && s->compute != VX_U8;
}

/* oneDNN's own name for the open layout. Without AVX-512 its matrix product takes plain rows. */
static dnnl_format_tag_t open_tag(vx_dtype compute)
{
    if (compute == VX_BF16) return dnnl_BA16a64b2a;
    return vx_onednn_level() >= VX_CPU_AVX512 ? dnnl_BA16a64b : dnnl_ab;
}

/* The three layouts of a tile of `rows`. */
static dnnl_status_t lay_out(const vx_product_shape *s, int rows, vx_layout *x, vx_layout *w,
                             vx_layout *out)
{
    dnnl_data_type_t of_x = x_type(s->compute), of_w = weight_type(s->compute);
    bool matmul = is_matmul(s);
    /* Time lies on W: the other orientation runs at less than half the rate. */
    int64_t window = (rows - 1) * s->stride + (s->taps - 1) * s->dilation + 1;
    dnnl_format_tag_t tag = s->open ? open_tag(s->compute) : dnnl_format_tag_any;
    dnnl_status_t status =
        matmul ? vx_layout_create(x, 2, (dnnl_dims_t){rows, s->in}, of_x, dnnl_ab)
               : vx_layout_create(x, 4, (dnnl_dims_t){1, s->in, 1, window}, of_x, dnnl_nhwc);
    if (status == dnnl_success)
        status = matmul
                     ? vx_layout_create(w, 2, (dnnl_dims_t){s->in, s->cols}, of_w, tag)
                     : vx_layout_create(w, 4, (dnnl_dims_t){s->cols, s->in, 1, s->taps}, of_w, tag);
    if (status == dnnl_success)
        status = matmul ? vx_layout_create(out, 2, (dnnl_dims_t){rows, s->cols}, dnnl_f32, dnnl_ab)
                        : vx_layout_create(out, 4, (dnnl_dims_t){1, s->cols, 1, rows}, dnnl_f32,
                                           dnnl_nhwc);
    return status;
}

/* The description for a tile of `rows`; `weights` is NULL to let oneDNN choose their layout. */
static dnnl_status_t describe_tile(vx_onednn *onednn, const vx_product_shape *s, int rows,
                                   const vx_layout *weights, dnnl_primitive_desc_t *desc)
{
    const dnnl_dims_t strides = {1, s->stride}, dilates = {0, s->dilation - 1};
    vx_dnnl_op op = {is_matmul(s) ? NULL : strides, dilates};
    vx_layout x = {0}, w = {0}, out = {0};
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    status = lay_out(s, rows, &x, &w, &out);
    if (status == dnnl_success)
        status = vx_dnnl_describe(desc, onednn->engine, &op, vx_layout_look(&x),
                                  vx_layout_look(weights != NULL ? weights : &w),
                                  vx_layout_look(&out), attr);
    dnnl_primitive_attr_destroy(attr);
    vx_layout_destroy(&x);
    vx_layout_destroy(&w);
    vx_layout_destroy(&out);
    return status;
}

static bool takes_amx(const vx_product_shape *s)
{
    return vx_onednn_level() == VX_CPU_AMX && s->compute != VX_F32 &&
           s->in % vx_word_elements(s->compute) == 0;
}

static int64_t amx_ld(const vx_product_shape *s)
{
    return s->open ? VX_PANEL : s->cols;
}

static dnnl_status_t describe(vx_product *p)
{
    const vx_product_shape *s = &p->shape;
    p->amx = takes_amx(s);
    if (p->amx) {
        int64_t words = s->taps * s->in / vx_word_elements(s->compute);
        p->weight_bytes = (size_t)(words * amx_ld(s)) * sizeof(float);
        return dnnl_success;
    }
    for (int i = 0; i < VX_TILE_SIZES; i++) {
        /* The largest tile chooses the layout of the weights and the others follow. */
        dnnl_status_t status = describe_tile(p->onednn, &p->shape, vx_tile_rows[i],
                                             i == 0 ? NULL : &p->weights, &p->tile[i].desc);
        if (status != dnnl_success) return status;
        if (i == 0) {
            status = vx_layout_copy(&p->weights, dnnl_primitive_desc_query_md(
                                                     p->tile[0].desc, dnnl_query_weights_md, 0));
            if (status != dnnl_success) return status;
            p->weight_bytes = dnnl_memory_desc_get_size(vx_layout_look(&p->weights));
        }
        vx_layout_ref scratch =
            dnnl_primitive_desc_query_md(p->tile[i].desc, dnnl_query_scratchpad_md, 0);
        size_t bytes = dnnl_memory_desc_get_size(scratch);
        if (bytes > p->scratch_bytes) p->scratch_bytes = bytes;
    }
    return dnnl_success;
}

static void destroy_set(arg_set *set)
{
    if (set == NULL) return;
    dnnl_memory_destroy(set->x);
    dnnl_memory_destroy(set->weights);
    dnnl_memory_destroy(set->out);
    dnnl_memory_destroy(set->scratch);
    dnnl_stream_destroy(set->stream);
    vx_heap_free(set);
}

static void destroy_product(vx_product *p)
{
    for (int i = 0; i < VX_TILE_SIZES; i++) {
        for (int k = 0; k < IDLE_SETS; k++)
            destroy_set(atomic_load(&p->tile[i].idle[k]));
        dnnl_primitive_t primitive = atomic_load(&p->tile[i].primitive);
        if (primitive != NULL) dnnl_primitive_destroy(primitive);
        if (p->tile[i].desc != NULL) dnnl_primitive_desc_destroy(p->tile[i].desc);
    }
    vx_layout_destroy(&p->weights);
    vx_heap_free(p);
}

static vx_product *find_product(vx_onednn *onednn, const vx_product_shape *s)
{
    for (vx_product *p = onednn->first; p != NULL; p = p->next) {
        const vx_product_shape *t = &p->shape;
        if (t->compute == s->compute && t->cols == s->cols && t->in == s->in &&
            t->taps == s->taps && t->stride == s->stride && t->dilation == s->dilation &&
            t->open == s->open)
            return p;
    }
    return NULL;
}

vx_status vx_onednn_product(vx_onednn *onednn, const vx_product_shape *shape,
                            const vx_product **product, vx_error *err)
{
    assert(!shape->open || (is_matmul(shape) && shape->taps == 1));
    assert(shape->cols >= 1 && shape->cols <= VX_PANEL && shape->in >= 1 && shape->taps >= 1);
    assert(shape->compute == VX_F32 || shape->compute == VX_BF16 || shape->compute == VX_U8);
    vx_onednn_hold_one_thread();
    pthread_mutex_lock(&onednn->lock);
    vx_status result = VX_OK;
    vx_product *p = find_product(onednn, shape);
    if (p == NULL) {
        p = vx_heap_alloc(sizeof *p);
        if (p == NULL) {
            pthread_mutex_unlock(&onednn->lock);
            return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to describe a product");
        }
        p->onednn = onednn;
        p->shape = *shape;
        dnnl_status_t status = describe(p);
        if (status == dnnl_success) {
            p->next = onednn->first;
            onednn->first = p;
        } else {
            destroy_product(p);
            p = NULL;
            result = failed(err, status, "describe a product");
        }
    }
    pthread_mutex_unlock(&onednn->lock);
    *product = p;
    return result;
}

size_t vx_product_weight_bytes(const vx_product *product)
{
    return product->weight_bytes;
}

size_t vx_product_scratch_bytes(const vx_product *product)
{
    return product->scratch_bytes;
}

int64_t vx_product_panel_ld(const vx_product *product)
{
    const vx_product_shape *s = &product->shape;
    return open_tag(s->compute) == dnnl_ab ? s->cols : VX_PANEL;
}

/* ---- opening
 * -------------------------------------------------------------------------------------- */

vx_status vx_onednn_open(vx_onednn **out, vx_error *err)
{
    *out = NULL;
    vx_onednn_hold_one_thread();
    vx_onednn *onednn = vx_heap_alloc(sizeof *onednn);
    if (onednn == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for oneDNN");
    dnnl_status_t status = dnnl_engine_create(&onednn->engine, dnnl_cpu, 0);
    if (status != dnnl_success) {
        vx_heap_free(onednn);
        return failed(err, status, "open its engine");
    }
    pthread_mutex_init(&onednn->lock, NULL);
    *out = onednn;
    return VX_OK;
}

void vx_onednn_close(vx_onednn **handle)
{
    vx_onednn *onednn = *handle;
    if (onednn == NULL) return;
    while (onednn->first != NULL) {
        vx_product *p = onednn->first;
        onednn->first = p->next;
        destroy_product(p);
    }
    pthread_mutex_destroy(&onednn->lock);
    dnnl_engine_destroy(onednn->engine);
    vx_heap_free(onednn);
    *handle = NULL;
}

/* ---- packing
 * -------------------------------------------------------------------------------------- */

/* Compiles the primitives that are still missing, the largest tile's last. The lock is held. */
static dnnl_status_t compile(vx_product *p)
{
    for (int i = VX_TILE_SIZES - 1; i >= 0; i--) {
        if (atomic_load(&p->tile[i].primitive) != NULL) continue;
        dnnl_primitive_t primitive;
        dnnl_status_t status = vx_dnnl_create(&primitive, p->tile[i].desc);
        if (status != dnnl_success) return status;
        atomic_store(&p->tile[i].primitive, primitive);
    }
    return dnnl_success;
}

vx_status vx_product_compile(const vx_product *product, vx_error *err)
{
    vx_product *p = (vx_product *)(uintptr_t)product; /* only compiling changes it */
    if (p->amx || atomic_load_explicit(&p->tile[0].primitive, memory_order_acquire) != NULL)
        return VX_OK;
    vx_onednn_hold_one_thread();
    pthread_mutex_lock(&p->onednn->lock);
    dnnl_status_t status = compile(p);
    pthread_mutex_unlock(&p->onednn->lock);
    return status == dnnl_success ? VX_OK : failed(err, status, "compile a product");
}

static dnnl_status_t reorder(vx_onednn *onednn, vx_layout_ref from, const void *plain,
                             vx_layout_ref to, void *packed)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_engine_t engine = onednn->engine;
    if (!vx_dnnl_has_room()) return dnnl_out_of_memory;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&desc, from, engine, to, engine, NULL);
    if (status == dnnl_success) status = vx_dnnl_create(&primitive, desc);
    if (status == dnnl_success)
        status = dnnl_memory_create(&source, from, engine, (void *)(uintptr_t)plain);
    if (status == dnnl_success) status = dnnl_memory_create(&target, to, engine, packed);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
        status = dnnl_primitive_execute(primitive, stream, 2, args);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    if (stream != NULL) dnnl_stream_destroy(stream);
    if (target != NULL) dnnl_memory_destroy(target);
    if (source != NULL) dnnl_memory_destroy(source);
    if (primitive != NULL) dnnl_primitive_destroy(primitive);
    if (desc != NULL) dnnl_primitive_desc_destroy(desc);
    return status;
}

/* From [cols, in, taps] into [taps, words, cols], as amx.h has it. */
static void pack_amx(const vx_product_shape *s, const void *plain, void *packed)
{
    assert(!s->open); /* their writers fill them */
    for (int64_t c = 0; c < s->cols; c++)
        for (int64_t k = 0; k < s->in; k++)
            for (int64_t tap = 0; tap < s->taps; tap++) {
                int64_t from = (c * s->in + k) * s->taps + tap;
                int64_t to = vx_panel_at(s->compute, amx_ld(s), tap * s->in + k, c);
                if (s->compute == VX_BF16)
                    ((uint16_t *)packed)[to] = vx_f32_to_bf16(((const float *)plain)[from]);
                else
                    ((int8_t *)packed)[to] = ((const int8_t *)plain)[from];
            }
}

vx_status vx_product_pack(const vx_product *product, const void *plain, void *packed, vx_error *err)
{
    VX_TRY(vx_product_compile(product, err));
    const vx_product *p = product;
    if (p->amx) {
        pack_amx(&p->shape, plain, packed);
        return VX_OK;
    }
    const vx_product_shape *s = &p->shape;
    dnnl_data_type_t type = s->compute == VX_U8 ? dnnl_s8 : dnnl_f32;
    vx_layout from;
    /* A matrix product's is [in, cols] over memory that is [cols, in]. */
    dnnl_status_t status =
        is_matmul(s) ? vx_layout_create(&from, 2, (dnnl_dims_t){s->in, s->cols}, type, dnnl_ba)
                     : vx_layout_create(&from, 4, (dnnl_dims_t){s->cols, s->in, 1, s->taps}, type,
                                        dnnl_abcd);
    vx_onednn_hold_one_thread();
    pthread_mutex_lock(&p->onednn->lock);
    if (status == dnnl_success)
        status =
            reorder(p->onednn, vx_layout_look(&from), plain, vx_layout_look(&p->weights), packed);
    pthread_mutex_unlock(&p->onednn->lock);
    vx_layout_destroy(&from);
    return status == dnnl_success ? VX_OK : failed(err, status, "pack weights");
}

/* ---- running
 * -------------------------------------------------------------------------------------- */

static arg_set *create_set(const vx_product *p, const tile *t)
{
    arg_set *set = vx_heap_alloc(sizeof *set);
    if (set == NULL) return NULL;
    dnnl_engine_t engine = p->onednn->engine;
    vx_layout_ref x = dnnl_primitive_desc_query_md(t->desc, dnnl_query_src_md, 0);
    vx_layout_ref out = dnnl_primitive_desc_query_md(t->desc, dnnl_query_dst_md, 0);
    vx_layout_ref scratch = dnnl_primitive_desc_query_md(t->desc, dnnl_query_scratchpad_md, 0);
    if (dnnl_memory_create(&set->x, x, engine, DNNL_MEMORY_NONE) != dnnl_success ||
        dnnl_memory_create(&set->weights, vx_layout_look(&p->weights), engine, DNNL_MEMORY_NONE) !=
            dnnl_success ||
        dnnl_memory_create(&set->out, out, engine, DNNL_MEMORY_NONE) != dnnl_success ||
        dnnl_memory_create(&set->scratch, scratch, engine, DNNL_MEMORY_NONE) != dnnl_success ||
        dnnl_stream_create(&set->stream, engine, dnnl_stream_default_flags) != dnnl_success) {
        destroy_set(set);
        return NULL;
    }
    return set;
}

/* Where this thread starts to look: threads that differ rarely meet. */
static int home(void)
{
    static _Atomic int threads;
    static _Thread_local int mine = -1;
    if (mine < 0) mine = atomic_fetch_add(&threads, 1) % IDLE_SETS;
    return mine;
}

static arg_set *take_set(const vx_product *p, tile *t)
{
    int start = home();
    for (int i = 0; i < IDLE_SETS; i++) {
        arg_set *set = atomic_exchange(&t->idle[(start + i) % IDLE_SETS], NULL);
        if (set != NULL) return set;
    }
    return create_set(p, t);
}

static void give_set(tile *t, arg_set *set)
{
    int start = home();
    for (int i = 0; i < IDLE_SETS; i++) {
        arg_set *none = NULL;
        if (atomic_compare_exchange_strong(&t->idle[(start + i) % IDLE_SETS], &none, set)) return;
    }
    destroy_set(set);
}

static void run_amx(const vx_product_shape *s, int size, const void *x, const void *packed,
                    float *out)
{
    int64_t words = s->in / vx_word_elements(s->compute);
    vx_amx_run(&(vx_amx){.bytes = s->compute == VX_U8,
                         .x = x,
                         .row_step = s->stride * words * (int64_t)sizeof(float),
                         .tap_step = s->dilation * words * (int64_t)sizeof(float),
                         .taps = s->taps,
                         .words = words,
                         .weights = packed,
                         .weight_ld = amx_ld(s),
                         .rows = vx_tile_rows[size],
                         .cols = s->cols,
                         .sum = out});
}

bool vx_product_run(const vx_product *product, int size, const void *x, const void *packed,
                    float *out, void *scratch)
{
    assert(size >= 0 && size < VX_TILE_SIZES);
    if (product->amx) {
        run_amx(&product->shape, size, x, packed, out);
        return true;
    }
    vx_product *p = (vx_product *)(uintptr_t)product; /* the idle sets change hands */
    tile *t = &p->tile[size];
    vx_onednn_hold_one_thread();
    dnnl_primitive_t primitive = atomic_load_explicit(&t->primitive, memory_order_acquire);
    assert(primitive != NULL); /* weights are packed before they are used */
    arg_set *set = take_set(p, t);
    if (set == NULL) return false;
    dnnl_memory_set_data_handle(set->x, (void *)(uintptr_t)x);
    dnnl_memory_set_data_handle(set->weights, (void *)(uintptr_t)packed);
    dnnl_memory_set_data_handle(set->out, out);
    dnnl_memory_set_data_handle(set->scratch, scratch);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, set->x},
                                    {DNNL_ARG_WEIGHTS, set->weights},
                                    {DNNL_ARG_DST, set->out},
                                    {DNNL_ARG_SCRATCHPAD, set->scratch}};
    dnnl_status_t status = dnnl_primitive_execute(primitive, set->stream, 4, args);
    if (status == dnnl_success) status = dnnl_stream_wait(set->stream);
    give_set(t, set);
    return status == dnnl_success;
}

const char *vx_onednn_version(void)
{
    static char text[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor, version->patch);
    return text;
}
