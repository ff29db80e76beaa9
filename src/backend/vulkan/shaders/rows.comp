// Norms of rows, a workgroup for each: layer_norm and, for each head of a row, qk_norm (norms.c).
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "common.glsl"
#include "total.glsl"

layout(constant_id = 1) const uint TX = 0;
layout(constant_id = 2) const uint TA = 0;
layout(constant_id = 3) const uint TS = 0;
layout(constant_id = 4) const uint TO = 0;
layout(constant_id = 5) const uint HAS = 0; // bits: 1 add, 2 gamma, 4 beta, 8 scale, 16 shift, 32 sum
layout(constant_id = 6) const bool RMS = false;

layout(push_constant, scalar) uniform Args {
    uint64_t x, add, gamma, beta, scale, shift, sum, out_;
    uint cols, ldx, lda, lds, ldo;
    float eps;
} a;

// x + add; where the sum is kept in an input's place, what was written is read again.
float value(uint r, uint c)
{
    float v = load(TX, a.x, r * a.ldx + c);
    if ((HAS & 1) != 0) v += load(TA, a.add, r * a.lda + c);
    return v;
}

void main()
{
    const uint r = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    const uint first = gl_LocalInvocationID.x, step = gl_WorkGroupSize.x;
    float sum = 0, square = 0, mean = 0;
    if (!RMS) {
        for (uint c = first; c < a.cols; c += step) sum += value(r, c);
        mean = total(sum) / float(a.cols);
    }
    for (uint c = first; c < a.cols; c += step) {
        float d = value(r, c) - mean;
        square = fma(d, d, square);
    }
    const float factor = 1.0 / sqrt(total(square) / float(a.cols) + a.eps);
    for (uint c = first; c < a.cols; c += step) {
        float v = value(r, c), y = (v - mean) * factor;
        if ((HAS & 2) != 0) y *= Floats(a.gamma).v[c];
        if ((HAS & 4) != 0) y += Floats(a.beta).v[c];
        if ((HAS & 8) != 0) y *= 1.0 + Floats(a.scale).v[c];
        if ((HAS & 16) != 0) y += Floats(a.shift).v[c];
        if ((HAS & 32) != 0) store(TS, a.sum, r * a.lds + c, v);
        store(TO, a.out_, r * a.ldo + c, y);
    }
}
