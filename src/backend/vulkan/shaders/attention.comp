// Attention, an invocation for each query of a head: scores never exist, the softmax is kept up to
// date key by key (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
// Keys and values are the same for all invocations of a workgroup.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(constant_id = 1) const uint TQ = 0;
layout(constant_id = 2) const uint TK = 0;
layout(constant_id = 3) const uint TV = 0;
layout(constant_id = 4) const uint TO = 0;
layout(constant_id = 5) const uint WIDTH = 64; // of a head
layout(constant_id = 6) const bool CAUSAL = false;
layout(constant_id = 7) const bool BIAS = false;

layout(push_constant, scalar) uniform Args {
    uint64_t q, k, v, bias, out_;
    uint nq, nk, ldq, ldk, ldv, ldo;
    float scale;
} a;

void main()
{
    const uint h = gl_WorkGroupID.y * WIDTH;
    const uint i = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    const uint query = min(i, a.nq - 1);
    // The last query of the workgroup sees the most keys.
    const uint last = min(gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_WorkGroupSize.x, a.nq);
    const uint keys = CAUSAL ? last : a.nk;
    float q[WIDTH], sum[WIDTH];
    for (uint d = 0; d < WIDTH; d++) {
        q[d] = load(TQ, a.q, query * a.ldq + h + d) * a.scale;
        sum[d] = 0;
    }
    float largest = uintBitsToFloat(0xff800000u), share = 0;
    for (uint j = 0; j < keys; j++) {
        float s = 0;
        for (uint d = 0; d < WIDTH; d++) s = fma(q[d], load(TK, a.k, j * a.ldk + h + d), s);
        if (BIAS)
            s += Floats(a.bias).v[gl_WorkGroupID.y * (a.nq + a.nk - 1) + j + a.nq - 1 - query];
        bool seen = !CAUSAL || j <= query;
        float now = seen ? max(largest, s) : largest;
        float keep = largest == now ? 1.0 : exp_(largest - now), weight = seen ? exp_(s - now) : 0.0;
        largest = now;
        share = fma(share, keep, weight);
        for (uint d = 0; d < WIDTH; d++)
            sum[d] = fma(sum[d], keep, weight * load(TV, a.v, j * a.ldv + h + d));
    }
    if (i >= a.nq) return;
    for (uint d = 0; d < WIDTH; d++) store(TO, a.out_, i * a.ldo + h + d, sum[d] / share);
}
