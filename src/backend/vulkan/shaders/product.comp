// Products: out[M, N] = residual + gate * act(A[M, K] W[N, K]^T + bias), product.c.
//
// A is read as rows (linear layers) or as the taps of a filter over rows, planes or volumes, so that
// a filter is the same product and its column matrix never exists: k runs over the taps, then the
// channels. Two engines:
//   -DLANES  for CPUs that pose as devices: a workgroup is a subgroup or more, a lane owns a column
//            of out and ROWS of it, and x is the same for all lanes, which such a CPU reads once.
//            No shared memory, no barriers.
//   else     tiles of BM x BN in shared memory, BK deep, a patch of 4 x 4 for each invocation.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "weight.glsl"

layout(constant_id = 1) const uint STORE = 0; // type of the weight
layout(constant_id = 2) const uint TX = 0;
layout(constant_id = 3) const uint TO = 0;
layout(constant_id = 4) const uint TR = 0;
layout(constant_id = 5) const uint ACT = 0;
layout(constant_id = 6) const uint HAS = 0; // bits: 1 bias, 2 gate, 4 residual, 8 x in fours
layout(constant_id = 7) const uint MODE = 0; // 0 rows, 1 a filter along rows, 2 over planes
layout(constant_id = 8) const uint UP = 1;
layout(constant_id = 9) const uint CELLS = 0; // bits: 1 in, 2 out
layout(constant_id = 10) const uint ROWS = 16;

layout(push_constant, scalar) uniform Args {
    uint64_t x, w, bias, gate, residual, out_;
    uint M, N, C, ldx, ldo, ldr; // C: channels of a tap
    float slope;
    uint D, H, W, OD, OH, OW;                 // of x as the filter sees it, and of the result
    uint kernel, stride, dilation, pad_above; // 8 bits each: depth, height, width; 8 of `above`
    uint spread; // a transposed filter: stride and pad, 16 bits each; 0: none
    uint rows;   // of out
} a;

uint third(uint packed, uint i) { return packed >> (8 * i) & 255u; }

const bool in_blocks = STORE == Q8_0 || STORE == Q4_0 || STORE == NF4;
uint padded() { return in_blocks ? a.C : (a.C + 7u) & ~7u; }
uint taps()
{
    return MODE == 0 ? 1 : third(a.kernel, 0) * third(a.kernel, 1) * third(a.kernel, 2);
}

// Cells of 4 x 4 pixels whose middle rows and columns are equal are kept 3 x 3 (vx_weight.cells_in).
int into_cells(int p) { return p / 4 * 3 + (p % 4 + 1) / 2; }
int out_of_cells(int p) { return p / 3 * 4 + p % 3 + (p % 3 == 2 ? 1 : 0); }

// Row of x under a tap of output row m; -1 where that is padding.
int row_of(uint m, uint tap)
{
    if (MODE == 0) return int(m);
    if (MODE == 1) {
        int at = int(m * third(a.stride, 2)) + int(tap * third(a.dilation, 2)) -
                 int(third(a.pad_above, 2));
        return at < 0 || at >= int(a.W) ? -1 : at;
    }
    uint kw = third(a.kernel, 2), kh = third(a.kernel, 1);
    uint image = m / a.OW, ow = m - image * a.OW;
    uint plane = image / a.OH, oh = image - plane * a.OH;
    uint n = plane / a.OD, od = plane - n * a.OD;
    if ((CELLS & 2) != 0) oh = uint(out_of_cells(int(oh))), ow = uint(out_of_cells(int(ow)));
    oh += a.pad_above >> 24;
    int d = int(od * third(a.stride, 0) + tap / (kw * kh) * third(a.dilation, 0)) -
            int(third(a.pad_above, 0));
    int y = int(oh * third(a.stride, 1) + tap / kw % kh * third(a.dilation, 1)) -
            int(third(a.pad_above, 1));
    int x = int(ow * third(a.stride, 2) + tap % kw * third(a.dilation, 2)) -
            int(third(a.pad_above, 2));
    if (d < 0 || y < 0 || x < 0 || d >= int(a.D) || y >= int(a.H) || x >= int(a.W)) return -1;
    int h = int(a.H), w = int(a.W);
    if ((CELLS & 1) != 0) {
        y = into_cells(y), x = into_cells(x), h = h / 4 * 3, w = w / 4 * 3;
    } else if (UP > 1) {
        y /= int(UP), x /= int(UP), h /= int(UP), w /= int(UP);
    }
    return ((int(n * a.D) + d) * h + y) * w + x;
}

// Four channels of a row of x from c on, zeroes behind the last.
vec4 x4(uint row, uint c)
{
    uint i = row * a.ldx + c;
    if ((HAS & 8) != 0 && c + 4 <= a.C) {
        if (TX == F32) return Vec4(a.x + uint64_t(i) * 4ul).v;
        uvec2 p = Pair(a.x + uint64_t(i) * 2ul).v;
        if (TX == BF16)
            return vec4(uintBitsToFloat(p.x << 16), uintBitsToFloat(p.x & 0xffff0000u),
                        uintBitsToFloat(p.y << 16), uintBitsToFloat(p.y & 0xffff0000u));
        return vec4(unpackHalf2x16(p.x), unpackHalf2x16(p.y));
    }
    vec4 v = vec4(0);
    [[unroll]] for (uint j = 0; j < 4; j++)
        if (c + j < a.C) v[j] = load(TX, a.x, i + j);
    return v;
}

void put(uint m, uint n, float sum)
{
    if (m >= a.M || n >= a.N) return;
    uint row = m, col = n;
    if (a.spread != 0) { // input m's phase n / out lands on row m * stride + phase - pad
        uint stride = a.spread & 0xffffu, outs = a.N / stride;
        col = n % outs;
        row = m * stride + n / outs - (a.spread >> 16);
        if (row >= a.rows) return; // before the first too: it has wrapped
    }
    if ((HAS & 1) != 0) sum += Floats(a.bias).v[col];
    float y = act(ACT, a.slope, sum);
    if ((HAS & 2) != 0) y *= Floats(a.gate).v[col];
    if ((HAS & 4) != 0) y += load(TR, a.residual, row * a.ldr + col);
    store(TO, a.out_, row * a.ldo + col, y);
}

#ifdef LANES

void main()
{
    const uint m0 = gl_WorkGroupID.y * ROWS;
    const uint n = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    const uint column = min(n, a.N - 1), pad = padded(), count = taps(), length = count * pad;
    float sum[ROWS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i] = 0;
    for (uint tap = 0; tap < count; tap++) {
        int row[ROWS];
        [[unroll]] for (uint i = 0; i < ROWS; i++) row[i] = row_of(min(m0 + i, a.M - 1), tap);
        for (uint c = 0; c < a.C; c += 4) {
            vec4 w = weight4(STORE, a.w, column, tap * pad + c, length, a.N);
            [[unroll]] for (uint i = 0; i < ROWS; i++) {
                vec4 x = x4(uint(max(row[i], 0)), c);
                if (MODE != 0 && row[i] < 0) x = vec4(0);
                sum[i] = fma(x.x, w.x, sum[i]);
                sum[i] = fma(x.y, w.y, sum[i]);
                sum[i] = fma(x.z, w.z, sum[i]);
                sum[i] = fma(x.w, w.w, sum[i]);
            }
        }
    }
    for (uint i = 0; i < ROWS; i++) put(m0 + i, n, sum[i]);
}

#else

// 256 invocations; BK is a multiple of 4. Columns of both tiles are 4 floats longer than they need
// be, against bank conflicts.
const uint BM = 64, BN = 64, BK = 16, LD = BM + 4;
shared float xs[BK * LD], ws[BK * LD];

void main()
{
    const uint id = gl_LocalInvocationID.x, tx = id % 16, ty = id / 16;
    const uint m0 = gl_WorkGroupID.y * BM, n0 = gl_WorkGroupID.x * BN;
    const uint pad = padded(), count = taps(), length = count * pad;
    const uint line = id / 4, quad = id % 4 * 4; // what this invocation fetches
    float sum[16];
    [[unroll]] for (uint i = 0; i < 16; i++) sum[i] = 0;
    for (uint tap = 0; tap < count; tap++) {
        int row = m0 + line < a.M ? row_of(m0 + line, tap) : -1;
        for (uint c0 = 0; c0 < a.C; c0 += BK) {
            uint c = c0 + quad;
            vec4 x = vec4(0), w = vec4(0);
            if (row >= 0 && c < a.C) x = x4(uint(row), c);
            if (n0 + line < a.N && c < a.C)
                w = weight4(STORE, a.w, n0 + line, tap * pad + c, length, a.N);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                xs[(quad + j) * LD + line] = x[j];
                ws[(quad + j) * LD + line] = w[j];
            }
            barrier();
            for (uint k = 0; k < BK; k++) {
                float u[4], v[4];
                [[unroll]] for (uint i = 0; i < 4; i++) u[i] = xs[k * LD + i * 16 + ty];
                [[unroll]] for (uint j = 0; j < 4; j++) v[j] = ws[k * LD + j * 16 + tx];
                [[unroll]] for (uint i = 0; i < 4; i++)
                    [[unroll]] for (uint j = 0; j < 4; j++)
                        sum[i * 4 + j] = fma(u[i], v[j], sum[i * 4 + j]);
            }
            barrier();
        }
    }
    for (uint i = 0; i < 16; i++) put(m0 + i / 4 * 16 + ty, n0 + i % 4 * 16 + tx, sum[i]);
}

#endif
