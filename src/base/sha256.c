#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t x, int bits)
{
    return (x >> bits) | (x << (32 - bits));
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void blocks_plain(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    for (; blocks > 0; blocks--, data += 64) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++)
            w[i] = big_endian(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ (a >> 3)) +
                   (rotate_right(b, 17) ^ rotate_right(b, 19) ^ (b >> 10));
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t a = s[0], e = s[4];
            uint32_t t1 = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                          ((e & s[5]) ^ (~e & s[6])) + round_constants[i] + w[i];
            uint32_t t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                          ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof s[0]);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#if defined(__x86_64__)
/* Four rounds an iteration; the instructions keep the state as ABEF and CDGH. */
__attribute__((target("sha,sse4.1"))) static void blocks_sha_ni(uint32_t state[8],
                                                                const uint8_t *data, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1), efgh = _mm_shuffle_epi32(hgfe, 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; blocks > 0; blocks--, data += 64) {
        __m128i w[4], abef_old = abef, cdgh_old = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + i), swap);
        for (int i = 0; i < 16; i++) {
            if (i >= 4) {
                __m128i middle = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
                __m128i sum = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
                w[i & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(sum, middle), w[(i + 3) & 3]);
            }
            __m128i k = _mm_loadu_si128((const __m128i *)(round_constants + 4 * i));
            __m128i wk = _mm_add_epi32(w[i & 3], k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_old);
        cdgh = _mm_add_epi32(cdgh, cdgh_old);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Asked once: under a hypervisor the question itself costs more than a block. */
static bool has_sha_ni(void)
{
    static atomic_int known; /* 0: not yet asked, 1: no, 2: yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        unsigned a, b, c, d;
        bool has = __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
                   (b & bit_SHA) != 0;
        answer = has ? 2 : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}
#endif

static void take_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
#if defined(__x86_64__)
    if (has_sha_ni()) {
        blocks_sha_ni(state, data, blocks);
        return;
    }
#endif
    blocks_plain(state, data, blocks);
}

void vx_sha256_start(vx_sha256 *hash)
{
    *hash = (vx_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                  0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void vx_sha256_add(vx_sha256 *hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    size_t held = hash->bytes % 64;
    hash->bytes += bytes;
    if (held > 0) {
        size_t part = bytes < 64 - held ? bytes : 64 - held;
        memcpy(hash->block + held, at, part);
        if (held + part < 64) return;
        take_blocks(hash->state, hash->block, 1);
        at += part;
        bytes -= part;
    }
    take_blocks(hash->state, at, bytes / 64);
    if (bytes % 64 > 0) memcpy(hash->block, at + bytes / 64 * 64, bytes % 64);
}

void vx_sha256_finish(vx_sha256 *hash, char hex[65])
{
    uint64_t bits = hash->bytes * 8;
    size_t held = hash->bytes % 64;
    uint8_t tail[128] = {0};
    memcpy(tail, hash->block, held);
    tail[held] = 0x80;
    size_t blocks = held < 56 ? 1 : 2;
    for (int i = 0; i < 8; i++)
        tail[blocks * 64 - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    take_blocks(hash->state, tail, blocks);
    for (int i = 0; i < 64; i++)
        hex[i] = "0123456789abcdef"[hash->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}

void vx_sha256_bytes(const void *data, size_t bytes, char hex[65])
{
    vx_sha256 hash;
    vx_sha256_start(&hash);
    vx_sha256_add(&hash, data, bytes);
    vx_sha256_finish(&hash, hex);
}

vx_status vx_sha256_file(const char *path, char hex[65], vx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return vx_fail_at(err, VX_ERR_MISSING, "no_such_file", path, 0,
                          "there is no file %s; check the path", path);
    if (fd < 0)
        return vx_fail_at(err, VX_ERR_IO, "read_failed", path, 0, "cannot open %s: %s", path,
                          strerror(errno));
    vx_sha256 hash;
    vx_sha256_start(&hash);
    uint8_t buffer[65536];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0) vx_sha256_add(&hash, buffer, (size_t)got);
    int cause = errno;
    close(fd);
    if (got < 0)
        return vx_fail_at(err, VX_ERR_IO, "read_failed", path, 0,
                          "cannot read %s: %s; check the disk", path, strerror(cause));
    vx_sha256_finish(&hash, hex);
    return VX_OK;
}
