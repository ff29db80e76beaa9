// Kokoro's harmonic source, spectrum and its inverse: speech.c.
//
// Phases are fractions of a cycle in 44 bits: sums of whole numbers wrap without an error, and no
// 64-bit floats are needed, which many GPUs lack.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint PHASES = 0, SOURCE = 1, STFT = 2, ISTFT = 3;
layout(constant_id = 1) const uint KIND = 0;
layout(constant_id = 2) const uint TX = 0;
layout(constant_id = 3) const uint TO = 0;
layout(constant_id = 4) const bool NOISE = false;

layout(buffer_reference, scalar, buffer_reference_align = 8) buffer Longs { uint64_t v[]; };

layout(push_constant, scalar) uniform Args {
    uint64_t x, weight, bias, phase, out_, seed, first;
    uint rows, x_rows, ldx, ldo; // of out; frames or samples of x
} a;

// ---- source: 9 harmonics, 300 samples a frame at 24 kHz (backend/ops.h)

const uint BITS = 44;
const uint64_t CYCLE = 1ul << BITS;

// Cycles per sample of harmonic k in a frame, without whole ones; f0 below 100 kHz.
uint64_t rate(uint frame, uint k)
{
    const float f0 = Floats(a.x).v[frame];
    const uint bits = floatBitsToUint(abs(f0));
    const int shift = int(bits >> 23) - 150 + int(BITS);
    if (bits < 0x00800000u || bits >= 0x47c35000u) return 0ul;
    const uint64_t whole = uint64_t((bits & 0x7fffffu) | 0x800000u);
    const uint64_t hertz = shift >= 0 ? whole << shift : shift > -24 ? whole >> -shift : 0ul;
    const uint64_t r = hertz * uint64_t(k) / 24000ul & (CYCLE - 1ul);
    return f0 < 0.0 ? (CYCLE - r) & (CYCLE - 1ul) : r;
}

// An invocation for each harmonic: its phase at the middle of each frame.
void phases(uint k)
{
    uint64_t sum = 0ul;
    for (uint i = 0; i < a.x_rows; i++) {
        sum = sum + 300ul * rate(i, k + 1) & (CYCLE - 1ul);
        Longs(a.phase).v[i * 9 + k] = sum;
    }
}

// sin(2 pi t): with d = 2t - round(2t) it is sin(pi d), negated when the round is odd; within 3.4e-9.
float sin_cycles(float t)
{
    float n = roundEven(t + t), d = t + t - n, z = d * d, p = 0.0772201269865036;
    p = fma(p, z, -0.5980451703071594);
    p = fma(p, z, 2.5500314235687256);
    p = fma(p, z, -5.1677069664001465);
    p = fma(p, z, 3.141592502593994);
    return (int(n) & 1) != 0 ? -(p * d) : p * d;
}

// Words 0 and 1 of a Philox block (base/random.c); VX_STREAM_VOICE_NOISE is 1.
uvec2 philox(uint64_t counter)
{
    uvec4 c = uvec4(uint(counter), uint(counter >> 32), 1, 0);
    uvec2 k = uvec2(uint(a.seed), uint(a.seed >> 32));
    for (int i = 0; i < 10; i++) {
        uint h0, l0, h1, l1;
        umulExtended(0xD2511F53u, c.x, h0, l0);
        umulExtended(0xCD9E8D57u, c.z, h1, l1);
        c = uvec4(h1 ^ c.y ^ k.x, l1, h0 ^ c.w ^ k.y, l0);
        k += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c.xy;
}

// Cephes' logf over a mantissa in [0.75, 1.5), within 2 ulp; x is positive and normal.
float ln(float x)
{
    int bits = int(floatBitsToUint(x)), n = bits - 0x3F400000 >> 23;
    float e = float(n), m = intBitsToFloat(bits - (n << 23)) - 1.0, z = m * m, p = 7.0376836292e-2;
    p = fma(p, m, -1.1514610310e-1);
    p = fma(p, m, 1.1676998740e-1);
    p = fma(p, m, -1.2420140846e-1);
    p = fma(p, m, 1.4249322787e-1);
    p = fma(p, m, -1.6668057665e-1);
    p = fma(p, m, 2.0000714765e-1);
    p = fma(p, m, -2.4999993993e-1);
    p = fma(p, m, 3.3333331174e-1);
    float y = fma(p * m, z, e * -2.12194440e-4);
    return fma(e, 0.693359375, m + fma(-0.5, z, y));
}

float unit(uint word) { return min((float(word >> 8) + 0.5) * (1.0 / 16777216.0), 0.99999994); }

float normal(uint64_t counter)
{
    const uvec2 word = philox(counter);
    const float u = unit(word.y), v = u - roundEven(u);
    return sqrt(-2.0 * ln(unit(word.x))) * sin_cycles(0.25 - abs(v)); // cos(2 pi u)
}

float source(uint n)
{
    const uint halves = max(int(2 * n) - 299, 0); // from the first frame's middle, of 600 a frame
    const uint left = halves / 600, rest = halves % 600, right = min(left + 1, a.x_rows - 1);
    const bool voiced = Floats(a.x).v[n / 300] > 10.0;
    float y = Floats(a.bias).v[0], norm = 0;
    for (uint k = 0; k < 9; k++) {
        const float weight = Floats(a.weight).v[k];
        norm = fma(weight, weight, norm);
        if (!voiced) continue;
        uint64_t p = Longs(a.phase).v[left * 9 + k];
        if (right > left) p += uint64_t(rest) * rate(right, k + 1) / 2ul;
        // Signed, so that small angles keep their bits.
        int64_t turn = int64_t(p << (64 - BITS)) >> (64 - BITS);
        y = fma(weight * 0.1, sin_cycles(float(turn) * (1.0 / 17592186044416.0)), y);
    }
    if (NOISE) y += sqrt(norm) * (voiced ? 0.003 : 0.1 / 3.0) * normal(a.first + uint64_t(n));
    return tanh_(y);
}

// ---- spectrum: 20 points, 5 apart, a periodic Hann window

const float cosine[20] = float[20](
    1.0, 0.951056516, 0.809016994, 0.587785252, 0.309016994,
    0.0, -0.309016994, -0.587785252, -0.809016994, -0.951056516,
    -1.0, -0.951056516, -0.809016994, -0.587785252, -0.309016994,
    0.0, 0.309016994, 0.587785252, 0.809016994, 0.951056516);
const float sine[20] = float[20](
    0.0, 0.309016994, 0.587785252, 0.809016994, 0.951056516,
    1.0, 0.951056516, 0.809016994, 0.587785252, 0.309016994,
    0.0, -0.309016994, -0.587785252, -0.809016994, -0.951056516,
    -1.0, -0.951056516, -0.809016994, -0.587785252, -0.309016994);
const float hann[20] = float[20](
    0.0, 0.0244717419, 0.0954915028, 0.206107374, 0.345491503,
    0.5, 0.654508497, 0.793892626, 0.904508497, 0.975528258,
    1.0, 0.975528258, 0.904508497, 0.793892626, 0.654508497,
    0.5, 0.345491503, 0.206107374, 0.0954915028, 0.0244717419);

// Cephes' atanf, in the quadrant of (x, y).
float angle_of(float y, float x)
{
    const float ax = abs(x), ay = abs(y);
    if (ax == 0.0 && ay == 0.0) return 0.0;
    float t = min(ax, ay) / max(ax, ay), base = 0;
    if (t > 0.4142135624) base = 0.785398163, t = (t - 1.0) / (t + 1.0);
    float z = t * t, p = 8.05374449538e-2;
    p = fma(p, z, -1.38776856032e-1);
    p = fma(p, z, 1.99777106478e-1);
    p = fma(p, z, -3.33329491539e-1);
    float at = base + fma(p * z, t, t);
    if (ay > ax) at = 1.57079633 - at;
    if (x < 0.0) at = 3.14159265 - at;
    return y < 0.0 ? -at : at;
}

float sample_of(uint f, uint n)
{
    int i = abs(int(f * 5 + n) - 10);
    if (i >= int(a.x_rows)) i = 2 * (int(a.x_rows) - 1) - i;
    return Floats(a.x).v[i] * hann[n];
}

// An invocation for each frame. The imaginary part by pairs, so that a symmetric frame gives zero and
// not rounding; of bins 0 and 10 it is none.
void stft(uint f)
{
    float s[20];
    for (uint n = 0; n < 20; n++) s[n] = sample_of(f, n);
    for (uint k = 0; k <= 10; k++) {
        float re = 0, im = 0;
        for (uint n = 0; n < 20; n++) re = fma(s[n], cosine[k * n % 20], re);
        for (uint n = 1; n < 10 && k % 10 != 0; n++)
            im = fma(s[20 - n] - s[n], sine[k * n % 20], im);
        store(TO, a.out_, f * a.ldo + k, sqrt(fma(re, re, im * im)));
        store(TO, a.out_, f * a.ldo + 11 + k, angle_of(im + 0.0, re + 0.0));
    }
}

// sin and cos on [-1, 1]: minimax, within 6e-10.
float sine_small(float x)
{
    float z = x * x, p = 2.6876259653363377e-06;
    p = fma(p, z, -0.0001983448601095006);
    p = fma(p, z, 0.008333303965628147);
    p = fma(p, z, -0.1666666567325592);
    return fma(p * z, x, x);
}

float cosine_small(float x)
{
    float z = x * x, p = 2.412132926110644e-05;
    p = fma(p, z, -0.001388296252116561);
    p = fma(p, z, 0.04166645556688309);
    p = fma(p, z, -0.4999999701976776);
    return fma(p, z, 1.0);
}

// sin x, within 1e-7 for |x| < 8192: x - n pi in three steps (Cephes' constants, doubled), then a
// minimax polynomial on [-pi/2, pi/2].
float sin_(float x)
{
    float n = roundEven(x * 0.318309886), r = fma(n, -3.140625, x);
    r = fma(n, -9.67502593994140625e-4, r);
    r = clamp(fma(n, -1.509957990978376432e-7, r), -1.57079633, 1.57079633);
    float z = r * r, p = -2.50507602e-8, half_ = n * 0.5;
    p = fma(p, z, 2.75573137e-6);
    p = fma(p, z, -1.98412698e-4);
    p = fma(p, z, 8.33333333e-3);
    p = fma(p, z, -1.66666667e-1);
    return fma(p * z, r, r) * (1.0 - 4.0 * abs(half_ - roundEven(half_)));
}

float inverse(uint f, uint n)
{
    float sum = 0;
    for (uint k = 0; k <= 10; k++) {
        float size = exp_(load(TX, a.x, f * a.ldx + k));
        float angle = sin_(load(TX, a.x, f * a.ldx + 11 + k));
        float re = size * cosine_small(angle), im = size * sine_small(angle);
        if (k % 10 == 0) sum = fma(re, cosine[k * n % 20], sum);
        else sum += 2.0 * (re * cosine[k * n % 20] - im * sine[k * n % 20]);
    }
    return sum * (1.0 / 20.0) * hann[n];
}

float istft(uint s)
{
    const uint at = s + 10; // the first half window is cut off
    float sum = 0, window = 0;
    for (uint i = 0; i < 4; i++) {
        const uint n = at % 5 + 5 * i;
        if (at < n) continue;
        const uint f = (at - n) / 5;
        if (f >= a.x_rows) continue;
        sum += inverse(f, n);
        window = fma(hann[n], hann[n], window);
    }
    return sum / window;
}

void main()
{
    const uint i = each();
    if (KIND == PHASES && i < 9) phases(i);
    if (i >= a.rows) return;
    if (KIND == SOURCE) store(TO, a.out_, i * a.ldo, source(i));
    if (KIND == STFT) stft(i);
    if (KIND == ISTFT) store(TO, a.out_, i * a.ldo, istft(i));
}
