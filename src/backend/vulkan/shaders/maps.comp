// An invocation for each element of out [rows, cols]: moves.c.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint COPY = 0, GATHER = 1, BROADCAST = 2, BLEND = 3, GATE = 4, ZERO = 5;
layout(constant_id = 1) const uint KIND = 0;
layout(constant_id = 2) const uint ACT = 0;
layout(constant_id = 3) const uint T0 = 0;
layout(constant_id = 4) const uint T1 = 0;
layout(constant_id = 5) const uint T2 = 0;
layout(constant_id = 6) const uint TO = 0;
layout(constant_id = 7) const uint N = 1; // inputs of a blend
layout(constant_id = 8) const bool SLOPES = false; // one for each column

layout(push_constant, scalar) uniform Args {
    uint64_t x0, x1, x2, out_;
    uint rows, cols, ld0, ld1, ld2, ldo;
    float scale0, scale1, scale2, slope;
    uint64_t slopes;
} a;

// Elements of the same type are moved as they are, NaNs and integers too.
void move(uint from, uint to)
{
    if (T0 != TO) store(TO, a.out_, to, load(T0, a.x0, from));
    else if (TO == F32 || TO == I32) Words(a.out_).v[to] = Words(a.x0).v[from];
    else if (TO == U8 || TO == I8) Bytes(a.out_).v[to] = Bytes(a.x0).v[from];
    else Halves(a.out_).v[to] = Halves(a.x0).v[from];
}

void main()
{
    const uint i = each();
    if (i >= a.rows * a.cols) return;
    const uint r = i / a.cols, c = i - r * a.cols, to = r * a.ldo + c;
    if (KIND == COPY) move(r * a.ld0 + c, to);
    if (KIND == GATHER) move(Words(a.x1).v[r] * a.ld0 + c, to);
    if (KIND == BROADCAST) move(c, to);
    if (KIND == ZERO) {
        if (TO == F32 || TO == I32) Words(a.out_).v[to] = 0;
        else if (TO == U8 || TO == I8) Bytes(a.out_).v[to] = uint8_t(0);
        else Halves(a.out_).v[to] = uint16_t(0);
    }
    if (KIND == BLEND) {
        float sum = a.scale0 * load(T0, a.x0, r * a.ld0 + c);
        if (N > 1) sum += a.scale1 * load(T1, a.x1, r * a.ld1 + c);
        if (N > 2) sum += a.scale2 * load(T2, a.x2, r * a.ld2 + c);
        store(TO, a.out_, to, act(ACT, SLOPES ? Floats(a.slopes).v[c] : a.slope, sum));
    }
    if (KIND == GATE) {
        float x = load(T0, a.x0, r * a.ld0 + c), y = load(T1, a.x1, r * a.ld1 + c);
        store(TO, a.out_, to, act(ACT, a.slope, x) * y);
    }
}
