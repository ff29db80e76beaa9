// qk_norm: each head of a row divided by its root mean square, then pairs turned (norms.c).
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "common.glsl"
#include "total.glsl"

layout(constant_id = 1) const uint TX = 0;
layout(constant_id = 2) const uint TO = 0;
layout(constant_id = 3) const uint HAS = 0; // bits: 1 weight, 2 table

layout(push_constant, scalar) uniform Args {
    uint64_t x, weight, table, out_;
    uint heads, width, ldx, ldo;
    float eps;
} a;

void main()
{
    const uint w = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    const uint r = w / a.heads, first = w % a.heads * a.width;
    const uint id = gl_LocalInvocationID.x, step = gl_WorkGroupSize.x;
    float square = 0;
    for (uint i = id; i < a.width; i += step) {
        float v = load(TX, a.x, r * a.ldx + first + i);
        square = fma(v, v, square);
    }
    const float factor = 1.0 / sqrt(total(square) / float(a.width) + a.eps);
    for (uint i = 2 * id; i < a.width; i += 2 * step) {
        const uint at = r * a.ldx + first + i, to = r * a.ldo + first + i;
        float y0 = load(TX, a.x, at) * factor, y1 = load(TX, a.x, at + 1) * factor;
        if ((HAS & 1) != 0) y0 *= Floats(a.weight).v[i], y1 *= Floats(a.weight).v[i + 1];
        float cosine = 1, sine = 0;
        if ((HAS & 2) != 0) {
            cosine = Floats(a.table).v[r * a.width + i];
            sine = Floats(a.table).v[r * a.width + i + 1];
        }
        store(TO, a.out_, to, cosine * y0 - sine * y1);
        store(TO, a.out_, to + 1, fma(sine, y0, cosine * y1));
    }
}
