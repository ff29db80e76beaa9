// Values of a weight as it is stored (weight.c); STORE is its type, a row's channels are padded.
#define VX_WEIGHT

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer Vec4 { vec4 v; };
layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer Pair { uvec2 v; };
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer Word { uint v; };
layout(buffer_reference, scalar, buffer_reference_align = 2) readonly buffer Half { uint16_t v; };

// bitsandbytes' table (tensor/quant.c).
const float nf4[16] = float[16](-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534,
    0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434,
    0.5626170039176941, 0.7229568362236023, 1.0);

uint64_t aligned16(uint64_t bytes) { return (bytes + 15ul) & ~15ul; }

// Four values of row n from column k, a multiple of 4; a row has `row` of them, `rows` there are.
vec4 weight4(uint store_, uint64_t at, uint n, uint k, uint row, uint rows)
{
    uint i = n * row + k;
    if (store_ == F32) return Vec4(at + uint64_t(i) * 4ul).v;
    if (store_ == BF16) {
        uvec2 p = Pair(at + uint64_t(i) * 2ul).v;
        return vec4(uintBitsToFloat(p.x << 16), uintBitsToFloat(p.x & 0xffff0000u),
                    uintBitsToFloat(p.y << 16), uintBitsToFloat(p.y & 0xffff0000u));
    }
    if (store_ == F16) {
        uvec2 p = Pair(at + uint64_t(i) * 2ul).v;
        return vec4(unpackHalf2x16(p.x), unpackHalf2x16(p.y));
    }
    if (store_ == INT8_ROW) {
        int p = int(Word(at + uint64_t(i)).v);
        float scale = Floats(at + aligned16(uint64_t(rows) * row)).v[n];
        return vec4(bitfieldExtract(p, 0, 8), bitfieldExtract(p, 8, 8), bitfieldExtract(p, 16, 8),
                    bitfieldExtract(p, 24, 8)) * scale;
    }
    if (store_ == Q8_0) {
        uint64_t block = at + uint64_t(i >> 5) * 34ul;
        float d = unpackHalf2x16(uint(Half(block).v)).x;
        int lo = int(Half(block + 2ul + uint64_t(i & 31u)).v),
            hi = int(Half(block + 4ul + uint64_t(i & 31u)).v);
        return vec4(bitfieldExtract(lo, 0, 8), bitfieldExtract(lo, 8, 8), bitfieldExtract(hi, 0, 8),
                    bitfieldExtract(hi, 8, 8)) * d;
    }
    if (store_ == Q4_0) { // low nibbles are elements 0..15
        uint64_t block = at + uint64_t(i >> 5) * 18ul;
        float d = unpackHalf2x16(uint(Half(block).v)).x;
        uint j = i & 15u, shift = (i & 16u) >> 2;
        uint p = uint(Half(block + 2ul + uint64_t(j)).v) |
                 uint(Half(block + 4ul + uint64_t(j)).v) << 16;
        p = p >> shift & 0x0f0f0f0fu;
        return (vec4(p & 15u, p >> 8 & 15u, p >> 16 & 15u, p >> 24) - 8.0) * d;
    }
    // nf4: the high nibble comes first
    uint count = rows * (row >> 6), b = i >> 6;
    uint64_t scales = at + aligned16(uint64_t(rows) * (row >> 1));
    uint64_t nested = scales + aligned16(uint64_t(count));
    uint64_t map = nested + aligned16(uint64_t((count + 255u) >> 8) * 8ul);
    float scale = Floats(map).v[uint(Bytes(scales).v[b])] * Floats(nested).v[(b >> 8) * 2] +
                  Floats(nested).v[(b >> 8) * 2 + 1];
    uint p = uint(Half(at + uint64_t(i >> 1)).v);
    return vec4(nf4[p >> 4 & 15u], nf4[p & 15u], nf4[p >> 12 & 15u], nf4[p >> 8 & 15u]) * scale;
}
