// The recurrence of an LSTM, a workgroup for each direction, some steps of a sequence: speech.c.
// Gates [T, 8H] hold the inputs' part, bias included; torch's order i, f, g, o.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "weight.glsl"

layout(constant_id = 1) const uint STORE = 0;
layout(constant_id = 2) const uint TO = 0;

layout(push_constant, scalar) uniform Args {
    uint64_t gates, w, state, out_; // state: h, then c, [2][2H]
    uint steps, H, pad, first, count, ldo;
} a;

const uint HIDDEN_MAX = 1024;
shared float h[2][HIDDEN_MAX], c[HIDDEN_MAX];

void main()
{
    const uint back = gl_WorkGroupID.x, id = gl_LocalInvocationID.x, step = gl_WorkGroupSize.x;
    const uint keep = back * 2 * a.H;
    for (uint i = id; i < a.pad; i += step) { // behind H zeroes, which weights are multiplied by
        bool there = i < a.H && a.first > 0;
        h[0][i] = there ? Floats(a.state).v[keep + i] : 0.0;
        h[1][i] = 0.0;
        c[i] = there ? Floats(a.state).v[keep + a.H + i] : 0.0;
    }
    barrier();
    for (uint s = 0; s < a.count; s++) {
        const uint now = s & 1u, t = back == 0 ? a.first + s : a.steps - 1 - a.first - s;
        for (uint i = id; i < a.H; i += step) {
            float gate[4];
            for (uint g = 0; g < 4; g++) {
                const uint row = back * 4 * a.H + g * a.H + i;
                float sum = Floats(a.gates).v[t * 8 * a.H + row];
                for (uint k = 0; k < a.H; k += 4) {
                    vec4 w = weight4(STORE, a.w, row, k, a.pad, 8 * a.H);
                    sum = fma(w.x, h[now][k], sum);
                    sum = fma(w.y, h[now][k + 1], sum);
                    sum = fma(w.z, h[now][k + 2], sum);
                    sum = fma(w.w, h[now][k + 3], sum);
                }
                gate[g] = sum;
            }
            float next = fma(sigmoid(gate[1]), c[i], sigmoid(gate[0]) * tanh_(gate[2]));
            float y = sigmoid(gate[3]) * tanh_(next);
            c[i] = next;
            h[1 - now][i] = y;
            store(TO, a.out_, t * a.ldo + back * a.H + i, y);
        }
        barrier();
    }
    for (uint i = id; i < a.H; i += step) {
        Floats(a.state).v[keep + i] = h[a.count & 1u][i];
        Floats(a.state).v[keep + a.H + i] = c[i];
    }
}
