// Planes and pictures, an invocation for each element of out: planes.c.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "enlarge.glsl"

const uint ROW_GATE = 0, POOL2 = 1, DEPTHWISE = 2, UP2 = 3, TO_PICTURE = 4, FROM_PICTURE = 5;
layout(constant_id = 1) const uint KIND = 0;
layout(constant_id = 2) const uint TX = 0;
layout(constant_id = 3) const uint TS = 0;
layout(constant_id = 4) const uint TO = 0;
layout(constant_id = 5) const uint ACT = 0;
layout(constant_id = 6) const uint HAS = 0; // bits: 1 bias, 2 a small map, the largest, signed

layout(push_constant, scalar) uniform Args {
    uint64_t x, s, bias, out_; // s: a gate's map, a filter's weights
    uint elements, cols, ldx, lds, ldo;
    uint h, w, H, W; // of out, and of x or of the map
    uint k, deep, d; // taps or factor; pooling along depth; depth of out
    int stride, pad;
    float divisor, slope;
    float mean0, mean1, mean2, deviation0, deviation1, deviation2;
} a;

// The gate of pixel r, from a map that is enlarged to h x w.
float gate(uint r)
{
    if ((HAS & 2) == 0) return act(ACT, a.slope, load(TS, a.s, r * a.lds));
    const uvec2 y = near(r / a.w % a.h, a.h, a.H), x = near(r % a.w, a.w, a.W);
    const float v = share(r / a.w % a.h, a.h, a.H), u = share(r % a.w, a.w, a.W);
    float g00 = act(ACT, a.slope, load(TS, a.s, (y.x * a.W + x.x) * a.lds));
    float g01 = act(ACT, a.slope, load(TS, a.s, (y.x * a.W + x.y) * a.lds));
    float g10 = act(ACT, a.slope, load(TS, a.s, (y.y * a.W + x.x) * a.lds));
    float g11 = act(ACT, a.slope, load(TS, a.s, (y.y * a.W + x.y) * a.lds));
    return (1 - v) * ((1 - u) * g00 + u * g01) + v * ((1 - u) * g10 + u * g11);
}

float pool(uint r, uint c)
{
    uint plane = r / (a.h * a.w);
    const uint y = r / a.w % a.h, x = r % a.w;
    if (a.deep == 2) plane = plane / a.d * (2 * a.d + a.k) + plane % a.d * 2; // k: an odd plane
    float sum = 0, largest = uintBitsToFloat(0xff800000u);
    for (uint t = 0; t < 4 * a.deep; t++) {
        uint row = ((plane + t / 4) * a.H + 2 * y + t / 2 % 2) * a.W + 2 * x + t % 2;
        float v = load(TX, a.x, row * a.ldx + c);
        sum += v;
        largest = max(largest, v);
    }
    return (HAS & 2) != 0 ? largest : sum / float(4 * a.deep);
}

float filtered(uint r, uint c)
{
    float sum = (HAS & 1) != 0 ? Floats(a.bias).v[c] : 0.0;
    const int y0 = int(r / a.w) * a.stride - a.pad, x0 = int(r % a.w) * a.stride - a.pad;
    for (uint t = 0; t < a.k * a.k; t++) {
        int y = y0 + int(t / a.k), x = x0 + int(t % a.k);
        if (y >= 0 && y < int(a.H) && x >= 0 && x < int(a.W))
            sum = fma(load(TX, a.x, uint(y * int(a.W) + x) * a.ldx + c),
                      Floats(a.s).v[t * a.lds + c], sum);
    }
    return sum;
}

// Row 2i has tap 1 of input i; row 2i + 1 tap 2 of input i and tap 0 of the next.
float up2(uint r, uint c)
{
    float sum = (HAS & 1) != 0 ? Floats(a.bias).v[c] : 0.0, x = load(TX, a.x, r / 2 * a.ldx + c);
    if (r % 2 == 0) return fma(x, Floats(a.s).v[3 * c + 1], sum);
    sum = fma(x, Floats(a.s).v[3 * c + 2], sum);
    if (r / 2 + 1 < a.H) sum = fma(load(TX, a.x, (r / 2 + 1) * a.ldx + c), Floats(a.s).v[3 * c], sum);
    return sum;
}

float picture(uint r, uint c)
{
    const uint y = r / a.w, x = r % a.w, channel = (c * a.k + y % a.k) * a.k + x % a.k;
    float v = load(TX, a.x, (y / a.k * a.W + x / a.k) * a.ldx + channel);
    return (HAS & 2) != 0 ? v * 0.5 + 0.5 : sigmoid(v);
}

void main()
{
    const uint i = each();
    if (i >= a.elements) return;
    const uint r = i / a.cols, c = i - r * a.cols, to = r * a.ldo + c;
    if (KIND == ROW_GATE) store(TO, a.out_, to, load(TX, a.x, r * a.ldx + c) * gate(r));
    if (KIND == POOL2) store(TO, a.out_, to, pool(r, c));
    if (KIND == DEPTHWISE) store(TO, a.out_, to, filtered(r, c));
    if (KIND == UP2) store(TO, a.out_, to, up2(r, c));
    if (KIND == TO_PICTURE) {
        float y = picture(r, c);
        if (TO == F32) store(TO, a.out_, to, y);
        else Bytes(a.out_).v[to] = uint8_t(roundEven(clamp(255.0 * y, 0.0, 255.0)));
    }
    if (KIND == FROM_PICTURE) {
        float mean = c % 3 == 0 ? a.mean0 : c % 3 == 1 ? a.mean1 : a.mean2;
        float deviation = c % 3 == 0 ? a.deviation0 : c % 3 == 1 ? a.deviation1 : a.deviation2;
        float v = float(uint(Bytes(a.x).v[r * a.ldx + c])) / a.divisor - mean;
        store(TO, a.out_, to, deviation != 0.0 ? v / deviation : v);
    }
}
