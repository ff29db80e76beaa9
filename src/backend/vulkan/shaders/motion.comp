// Dense motion and warping: motion.c. An invocation for each cell, or for each cell and channel.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "enlarge.glsl"

const uint INPUT = 0, FIELD = 1, WARP = 2;
layout(constant_id = 1) const uint KIND = 0;
layout(constant_id = 2) const uint TX = 0;
layout(constant_id = 3) const uint TO = 0;
layout(constant_id = 4) const bool CENTRES = false; // of the grid: VX_GRID_CENTRES

layout(push_constant, scalar) uniform Args {
    uint64_t x, source, driving, out_; // source: the field of a warp
    uint D, H, W, cols, ldx, ldo; // of x; its channels
    uint points, d, h, w;  // of the field
    uint folded;
    float variance;
} a;

// Coordinate of position i of n, and the index that a coordinate samples.
float coordinate(uint i, uint n)
{
    if (CENTRES) return (2.0 * float(i) + 1.0) / float(n) - 1.0;
    return n > 1 ? 2.0 * float(i) / float(n - 1) - 1.0 : -1.0;
}
float index_of(float x, uint n) { return ((x + 1.0) * float(n) - 1.0) * 0.5; }

vec3 grid_at(uint r)
{
    return vec3(coordinate(r % a.W, a.W), coordinate(r / a.W % a.H, a.H),
                coordinate(r / (a.W * a.H), a.D));
}

// Channel c of x where a coordinate (x, y, z) lies, zero outside.
float sampled(vec3 at, uint c)
{
    const vec3 p = vec3(index_of(at.x, a.W), index_of(at.y, a.H), index_of(at.z, a.D));
    // Beyond the map by more than a cell there is nothing, however far.
    const vec3 q = clamp(p, vec3(-2.0), vec3(a.W, a.H, a.D) + 1.0), low = floor(q);
    float sum = 0;
    for (int k = 0; k < 8; k++) {
        const vec3 corner = low + vec3(k & 1, k >> 1 & 1, k >> 2);
        const vec3 near_ = 1.0 - abs(q - corner);
        const ivec3 i = ivec3(corner);
        if (i.x < 0 || i.y < 0 || i.z < 0 || i.x >= int(a.W) || i.y >= int(a.H) || i.z >= int(a.D))
            continue;
        sum = fma(near_.x * near_.y * near_.z,
                  load(TX, a.x, uint((i.z * int(a.H) + i.y) * int(a.W) + i.x) * a.ldx + c), sum);
    }
    return sum;
}

vec3 point(uint64_t of, uint k)
{
    return vec3(Floats(of).v[3 * k], Floats(of).v[3 * k + 1], Floats(of).v[3 * k + 2]);
}

float heat(vec3 from) { return exp_(-0.5 * dot(from, from) / a.variance); }

// Column c of cell r of the network's input: for each point a heat, then the features it moves here.
float motion_input(uint r, uint c)
{
    const uint k = c / (a.cols + 1), f = c % (a.cols + 1);
    const vec3 g = grid_at(r);
    if (f == 0)
        return k == 0 ? 0.0 : heat(g - point(a.driving, k - 1)) - heat(g - point(a.source, k - 1));
    vec3 by = vec3(0);
    if (k > 0) by = point(a.source, k - 1) - point(a.driving, k - 1);
    return sampled(g + by, f - 1);
}

void motion_field(uint r)
{
    float largest = load(TX, a.x, r * a.ldx), sum = 0;
    for (uint k = 1; k <= a.points; k++) largest = max(largest, load(TX, a.x, r * a.ldx + k));
    vec3 by = vec3(0);
    for (uint k = 0; k <= a.points; k++) {
        float m = exp_(load(TX, a.x, r * a.ldx + k) - largest);
        sum += m;
        if (k > 0) by += m * (point(a.source, k - 1) - point(a.driving, k - 1));
    }
    for (uint i = 0; i < 3; i++) Floats(a.out_).v[r * a.ldo + i] = by[i] / sum;
}

// The field at cell r of x, enlarged where it is smaller.
vec3 displacement(uint r)
{
    const uint x = r % a.W, y = r / a.W % a.H, z = r / (a.W * a.H);
    if (a.w == a.W && a.h == a.H && a.d == a.D) return point(a.source, r);
    const uvec2 i = near(x, a.W, a.w), j = near(y, a.H, a.h), l = near(z, a.D, a.d);
    const vec3 s = vec3(share(x, a.W, a.w), share(y, a.H, a.h), share(z, a.D, a.d));
    vec3 sum = vec3(0);
    for (uint k = 0; k < 8; k++) {
        const uvec3 b = uvec3(k & 1u, k >> 1 & 1u, k >> 2);
        const uint row = (l[b.z] * a.h + j[b.y]) * a.w + i[b.x];
        const vec3 weight = mix(1.0 - s, s, notEqual(b, uvec3(0)));
        sum += weight.x * weight.y * weight.z * point(a.source, row);
    }
    return sum;
}

void main()
{
    const uint i = each(), cells = a.D * a.H * a.W;
    if (KIND == INPUT) {
        const uint columns = (a.points + 1) * (a.cols + 1), r = i / columns, c = i - r * columns;
        if (r < cells) store(TO, a.out_, r * a.ldo + c, motion_input(r, c));
    }
    if (KIND == FIELD && i < cells) motion_field(i);
    if (KIND == WARP) {
        const uint r = i / a.cols, c = i - r * a.cols, pixel = r % (a.H * a.W);
        if (r >= cells) return;
        const uint to = a.folded != 0 ? pixel * a.ldo + r / (a.H * a.W) * a.cols + c : r * a.ldo + c;
        store(TO, a.out_, to, sampled(grid_at(r) + displacement(r), c));
    }
}
