#include <immintrin.h>
#include <stdalign.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/cpu/amx.h"
#include "backend/cpu/taps.h"

/* Rows, columns and words of one tile. Two tiles of rows times two of columns make a square: each
 * of its four products needs half a load, which is what the unit can be fed. */
enum { TILE = VX_AMX_ROWS, SQUARE = 2 * TILE };

/* Tile registers: the four sums, two of rows, two of weights. The compiler wants numbers. */
#define UPPER_LEFT  0
#define UPPER_RIGHT 1
#define LOWER_LEFT  2
#define LOWER_RIGHT 3
#define UPPER       4
#define LOWER       5
#define LEFT        6
#define RIGHT       7
#define SQUARE_DOT(sum, rows, weights)                                                             \
    do {                                                                                           \
        if (bytes)                                                                                 \
            _tile_dpbusd(sum, rows, weights);                                                      \
        else                                                                                       \
            _tile_dpbf16ps(sum, rows, weights);                                                    \
    } while (0)

/* GCC 12's tile intrinsics don't tell it what memory they read: what is written for
 * them is written here. */
#define WRITTEN() __asm__ volatile("" ::: "memory")

/* What LDTILECFG reads (Intel's Software Developer's Manual, volume 1, 18.2). */
typedef struct shape {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} shape;
static_assert(sizeof(shape) == 64, "the processor's own layout");

bool vx_amx_permitted(void)
{
    enum {
        REQUEST_PERMISSION = 0x1023,
        TILE_DATA = 18
    }; /* linux/arch/x86/include/uapi/asm/prctl.h */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* Words of one step: as many as fit a tile and divide all, since a tile's
 * size is set beforehand. */
static int64_t step_of(int64_t words)
{
    int64_t step = words < TILE ? words : TILE;
    while (words % step != 0)
        step--;
    return step;
}

static void configure(const vx_amx *a, int64_t step, int64_t left, int64_t right)
{
    int64_t rows = a->rows < TILE ? a->rows : TILE;
    shape s = {.palette = 1};
    for (int sum = UPPER_LEFT; sum <= LOWER_RIGHT; sum++) {
        s.rows[sum] = (uint8_t)rows;
        s.row_bytes[sum] = (uint16_t)(4 * (sum % 2 ? right : left));
    }
    s.rows[UPPER] = s.rows[LOWER] = (uint8_t)rows;
    s.row_bytes[UPPER] = s.row_bytes[LOWER] = (uint16_t)(4 * step);
    s.rows[LEFT] = s.rows[RIGHT] = (uint8_t)step;
    s.row_bytes[LEFT] = (uint16_t)(4 * left);
    s.row_bytes[RIGHT] = (uint16_t)(4 * right);
    if (right == 0) /* a register that is not used must be all zero */
        s.rows[UPPER_RIGHT] = s.rows[LOWER_RIGHT] = s.rows[RIGHT] = 0;
    WRITTEN();
    _tile_loadconfig(&s);
}

/* Sixteen rows of x under one tap: `step` bytes apart from `first` on, or anywhere. */
typedef struct source {
    const char *first;
    int64_t step;
    const void *const *scattered; /* or NULL */
} source;

static inline source source_of(const vx_amx *a, int64_t tap, int64_t row)
{
    if (a->row == NULL)
        return (source){.first = a->x + tap * a->tap_step + row * a->row_step, .step = a->row_step};
    const void *const *rows = a->row + tap * VX_TAPS_ROWS + row;
    __m512i low = _mm512_loadu_si512(rows), high = _mm512_loadu_si512(rows + 8);
    __m512i step = _mm512_set1_epi64((const char *)rows[1] - (const char *)rows[0]);
    __m512i first = _mm512_set1_epi64((int64_t)(uintptr_t)rows[0]);
    __m512i number = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    __m512i expected = _mm512_add_epi64(first, _mm512_mullo_epi64(number, step));
    bool even = _mm512_cmpneq_epi64_mask(low, expected) == 0;
    expected = _mm512_add_epi64(expected, _mm512_slli_epi64(step, 3));
    even = even && _mm512_cmpneq_epi64_mask(high, expected) == 0;
    return (source){.first = rows[0],
                    .step = (const char *)rows[1] - (const char *)rows[0],
                    .scattered = even ? NULL : rows};
}

/* Gathers the words from `word` on of sixteen scattered rows. */
static inline void gather(const source *s, int64_t word, int64_t step, char to[TILE][4 * TILE])
{
    __mmask16 mask = (__mmask16)((1u << step) - 1u);
    for (int r = 0; r < TILE; r++)
        _mm512_store_si512(
            to[r], _mm512_maskz_loadu_epi32(mask, (const char *)s->scattered[r] + 4 * word));
}

#define LOAD_ROWS(tile, s)                                                                         \
    do {                                                                                           \
        if ((s).scattered != NULL) {                                                               \
            gather(&(s), word, step, gathered);                                                    \
            WRITTEN();                                                                             \
            _tile_loadd(tile, gathered, sizeof gathered[0]);                                       \
        } else                                                                                     \
            _tile_loadd(tile, (s).first + 4 * word, (s).step);                                     \
    } while (0)

/* The results of one square, at (row, col); `low` and `right` say whether it has a
 * second tile that way. */
static inline __attribute__((always_inline)) void square(const vx_amx *a, int64_t row, int64_t col,
                                                         int64_t step, const bool bytes,
                                                         const bool low, const bool right)
{
    alignas(64) char gathered[TILE][4 * TILE];
    float *sum = a->sum + row * a->cols + col;
    int64_t sum_step = 4 * a->cols, weight_step = 4 * a->weight_ld;
    if (a->add) {
        _tile_loadd(UPPER_LEFT, sum, sum_step);
        if (right) _tile_loadd(UPPER_RIGHT, sum + TILE, sum_step);
        if (low) _tile_loadd(LOWER_LEFT, sum + TILE * a->cols, sum_step);
        if (low && right) _tile_loadd(LOWER_RIGHT, sum + TILE * a->cols + TILE, sum_step);
    } else {
        _tile_zero(UPPER_LEFT);
        if (right) _tile_zero(UPPER_RIGHT);
        if (low) _tile_zero(LOWER_LEFT);
        if (low && right) _tile_zero(LOWER_RIGHT);
    }
    for (int64_t tap = 0; tap < a->taps; tap++) {
        source upper = source_of(a, tap, row), lower = low ? source_of(a, tap, row + TILE) : upper;
        const char *weights = a->weights + tap * a->words * weight_step + 4 * col;
        for (int64_t word = 0; word < a->words; word += step, weights += step * weight_step) {
            LOAD_ROWS(UPPER, upper);
            _tile_loadd(LEFT, weights, weight_step);
            SQUARE_DOT(UPPER_LEFT, UPPER, LEFT);
            if (right) {
                _tile_loadd(RIGHT, weights + 4 * TILE, weight_step);
                SQUARE_DOT(UPPER_RIGHT, UPPER, RIGHT);
            }
            if (low) {
                LOAD_ROWS(LOWER, lower);
                SQUARE_DOT(LOWER_LEFT, LOWER, LEFT);
                if (right) SQUARE_DOT(LOWER_RIGHT, LOWER, RIGHT);
            }
        }
    }
    _tile_stored(UPPER_LEFT, sum, sum_step);
    if (right) _tile_stored(UPPER_RIGHT, sum + TILE, sum_step);
    if (low) _tile_stored(LOWER_LEFT, sum + TILE * a->cols, sum_step);
    if (low && right) _tile_stored(LOWER_RIGHT, sum + TILE * a->cols + TILE, sum_step);
}

static inline __attribute__((always_inline)) void
all_rows(const vx_amx *a, int64_t col, int64_t step, const bool bytes, const bool right)
{
    int64_t row = 0;
    for (; row + SQUARE <= a->rows; row += SQUARE)
        square(a, row, col, step, bytes, true, right);
    if (row < a->rows) square(a, row, col, step, bytes, false, right);
}

static void round_sums(const vx_amx *a)
{
    int64_t count = a->rows * a->cols;
    for (int64_t i = 0; i < count; i += TILE) {
        __mmask16 mask = (__mmask16)(count - i < TILE ? (1u << (count - i)) - 1u : 0xffffu);
        __m512i whole = _mm512_maskz_loadu_epi32(mask, a->sum + i);
        _mm512_mask_storeu_ps(a->sum + i, mask, _mm512_cvtepi32_ps(whole));
    }
}

void vx_amx_run(const vx_amx *a)
{
    assert(a->rows >= 1 && (a->rows <= TILE || a->rows % TILE == 0) && a->words >= 1);
    assert(a->row == NULL || a->rows >= TILE);
    assert(!(a->add && a->bytes));
    int64_t step = step_of(a->words);
    for (int64_t col = 0; col < a->cols; col += SQUARE) {
        int64_t left = a->cols - col < TILE ? a->cols - col : TILE, right = a->cols - col - left;
        if (right > TILE) right = TILE;
        if (col == 0 || left + right < SQUARE) configure(a, step, left, right);
        if (a->bytes && right > 0)
            all_rows(a, col, step, true, true);
        else if (a->bytes)
            all_rows(a, col, step, true, false);
        else if (right > 0)
            all_rows(a, col, step, false, true);
        else
            all_rows(a, col, step, false, false);
    }
    _tile_release();
    if (a->bytes) round_sums(a);
}
