// Norms by columns: instance, group, SPADE and response norms (columns.c).
//
// Rows are measured in chunks, each of which gives a column's mean and its sum of squared
// deviations; chunks are joined in a fixed order (Chan, Golub, LeVeque, "Updating formulae and a
// pairwise algorithm for computing sample variances", 1979). What is then done to a column is
// y = (x - f0)*f1 + f2: factors [image][3][C].
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint MEASURE = 0, JOIN = 1, GIVEN = 2, LENGTH = 3, RESPONSE = 4, APPLY = 5;
layout(constant_id = 1) const uint KIND = 0;
layout(constant_id = 2) const uint TX = 0;
layout(constant_id = 3) const uint TO = 0;
layout(constant_id = 4) const uint TM = 0;
layout(constant_id = 5) const uint ACT = 0;
layout(constant_id = 6) const uint HAS = 0; // bits: 1 scale, 2 shift, 4 one is added to scale, 8 alpha,
                                 // 16 no mean is taken, 32 the map has a beta

layout(push_constant, scalar) uniform Args {
    uint64_t x, part, factors, scale, shift, map, out_; // map: alpha of Snake too
    uint rows, cols, chunk, chunks, group, ldx, ldo, ldm; // rows of an image; columns of a group
    uint width, up, x_width, images; // of out, and of x that is read `up` times
    float eps, slope;
} a;

// An invocation for each chunk and column.
void measure(uint i)
{
    const uint c = i % a.cols, k = i / a.cols, image = k / a.chunks;
    const uint first = image * a.rows + k % a.chunks * a.chunk;
    const uint end = min(first + a.chunk, (image + 1) * a.rows);
    float sum = 0, square = 0, mean = 0;
    if ((HAS & 16) == 0) {
        for (uint r = first; r < end; r++) sum += load(TX, a.x, r * a.ldx + c);
        mean = sum / float(end - first);
    }
    for (uint r = first; r < end; r++) {
        float d = load(TX, a.x, r * a.ldx + c) - mean;
        square = fma(d, d, square);
    }
    Floats(a.part).v[2 * i] = mean;
    Floats(a.part).v[2 * i + 1] = square;
}

uint rows_of(uint k) { return min(a.chunk, a.rows - k * a.chunk); }

void put_factors(uint image, uint c, float mean, float var)
{
    const uint at = image * 3 * a.cols + c;
    float f1 = 1.0 / sqrt(var + a.eps);
    if ((HAS & 1) != 0) f1 *= Floats(a.scale).v[c] + ((HAS & 4) != 0 ? 1.0 : 0.0);
    Floats(a.factors).v[at] = mean;
    Floats(a.factors).v[at + a.cols] = f1;
    Floats(a.factors).v[at + 2 * a.cols] = (HAS & 2) != 0 ? Floats(a.shift).v[c] : 0.0;
}

// An invocation for each image and column.
void join(uint i)
{
    const uint c = i % a.cols, image = i / a.cols, first = c / a.group * a.group;
    const float n = float(a.rows) * float(a.group);
    float mean = 0, square = 0;
    for (uint k = 0; k < a.chunks; k++)
        for (uint j = first; j < first + a.group; j++)
            mean += Floats(a.part).v[2 * ((image * a.chunks + k) * a.cols + j)] *
                    (float(rows_of(k)) / n);
    for (uint k = 0; k < a.chunks; k++)
        for (uint j = first; j < first + a.group; j++) {
            const uint at = 2 * ((image * a.chunks + k) * a.cols + j);
            const float d = Floats(a.part).v[at] - mean;
            square += fma(d * d, float(rows_of(k)), Floats(a.part).v[at + 1]);
        }
    put_factors(image, c, mean, square / n);
}

// The Euclidean length of each column, behind the chunks.
void lengths(uint c)
{
    float square = 0;
    for (uint k = 0; k < a.chunks; k++) square += Floats(a.part).v[2 * (k * a.cols + c) + 1];
    Floats(a.part).v[2 * a.chunks * a.cols + c] = sqrt(square);
}

void response(uint c)
{
    const uint at = 2 * a.chunks * a.cols;
    float mean = 0;
    for (uint j = 0; j < a.cols; j++) mean += Floats(a.part).v[at + j] / float(a.cols);
    float n = Floats(a.part).v[at + c] / (mean + a.eps);
    Floats(a.factors).v[c] = 0.0;
    Floats(a.factors).v[a.cols + c] = fma((HAS & 1) != 0 ? Floats(a.scale).v[c] : 1.0, n, 1.0);
    Floats(a.factors).v[2 * a.cols + c] = (HAS & 2) != 0 ? Floats(a.shift).v[c] : 0.0;
}

// sin(x)^2 through r = x/pi - round(x/pi), whose square has period 1: within 2.2e-8.
float sin2(float x)
{
    float turns = x * 0.31830988618, r = turns - roundEven(turns), z = r * r, p = -3.35610865;
    p = fma(p, z, 13.04979619);
    p = fma(p, z, -30.10139955);
    p = fma(p, z, 42.72719041);
    p = fma(p, z, -32.46967099);
    p = fma(p, z, 9.86960431);
    return p * z;
}

void apply(uint i)
{
    const uint r = i / a.cols, c = i - r * a.cols;
    uint from = r;
    if (a.up > 0) from = r / a.width / a.up * a.x_width + r % a.width / a.up;
    const uint at = (a.up > 0 ? 0 : r / a.rows) * 3 * a.cols + c;
    float y = fma(load(TX, a.x, from * a.ldx + c) - Floats(a.factors).v[at],
                  Floats(a.factors).v[at + a.cols], Floats(a.factors).v[at + 2 * a.cols]);
    if (a.up > 0) {
        y *= 1.0 + load(TM, a.map, r * a.ldm + c);
        if ((HAS & 32) != 0) y += load(TM, a.map, r * a.ldm + a.cols + c);
    }
    if ((HAS & 8) != 0) {
        float alpha = Floats(a.map).v[c];
        y += sin2(alpha * y) / alpha;
    }
    store(TO, a.out_, r * a.ldo + c, act(ACT, a.slope, y));
}

void main()
{
    const uint i = each();
    const uint count = KIND == MEASURE ? a.images * a.chunks : KIND == JOIN ? a.images
                       : KIND == APPLY ? a.images * a.rows : 1;
    if (i >= count * a.cols) return;
    if (KIND == MEASURE) measure(i);
    if (KIND == JOIN) join(i);
    if (KIND == GIVEN) put_factors(0, i, Floats(a.part).v[i], Floats(a.map).v[i]);
    if (KIND == LENGTH) lengths(i);
    if (KIND == RESPONSE) response(i);
    if (KIND == APPLY) apply(i);
}
