// What every shader begins with: memory behind addresses, elements of any type, activations.
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;

layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Floats { float v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) buffer Words { uint v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer Halves { uint16_t v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 1) buffer Bytes { uint8_t v[]; };

// vx_dtype, tensor/dtype.h
const uint F32 = 0, BF16 = 1, F16 = 2, I8 = 3, U8 = 4, I32 = 5;
const uint Q8_0 = 10, Q4_0 = 11, NF4 = 13, INT8_ROW = 14;

// The number of this invocation where each has one element (vx_vk_each).
uint each()
{
    return (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x +
           gl_LocalInvocationID.x;
}

float from_bf16(uint16_t bits) { return uintBitsToFloat(uint(bits) << 16); }

// Rounds to the nearest, ties to even; a NaN stays one.
uint16_t to_bf16(float value)
{
    uint bits = floatBitsToUint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t((bits >> 16) | 0x40u);
    return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Element i of memory of a type, f32, bf16 or f16.
float load(uint type, uint64_t at, uint i)
{
    if (type == F32) return Floats(at).v[i];
    if (type == BF16) return from_bf16(Halves(at).v[i]);
    return unpackHalf2x16(uint(Halves(at).v[i])).x;
}

void store(uint type, uint64_t at, uint i, float value)
{
    if (type == F32) Floats(at).v[i] = value;
    else if (type == BF16) Halves(at).v[i] = to_bf16(value);
    else Halves(at).v[i] = uint16_t(packHalf2x16(vec2(value, 0)));
}

// Cody-Waite reduction and the polynomial of Cephes' expf: within 2 ulp, on every device the same.
float exp_(float x)
{
    float inside = clamp(x, -87.0, 88.7);
    float n = roundEven(inside * 1.44269504);
    float r = fma(n, -0.693359375, inside);
    r = fma(n, 2.12194440e-4, r);
    float p = 1.9875691500e-4;
    p = fma(p, r, 1.3981999507e-3);
    p = fma(p, r, 8.3334519073e-3);
    p = fma(p, r, 4.1665795894e-2);
    p = fma(p, r, 1.6666665459e-1);
    p = fma(p, r, 5.0000001201e-1);
    p = fma(p, r * r, r + 1.0);
    int e = int(n);
    // In two steps, since 2^128 is no float.
    float y = p * uintBitsToFloat(uint((e >> 1) + 127) << 23) *
              uintBitsToFloat(uint(e - (e >> 1) + 127) << 23);
    y = x < -87.0 ? 0.0 : x > 88.7 ? uintBitsToFloat(0x7f800000u) : y;
    return isnan(x) ? x : y;
}

float sigmoid(float x) { return 1.0 / (1.0 + exp_(-x)); }

// Cephes' tanhf: a polynomial below 0.625, 1 - 2/(e^2x + 1) above.
float tanh_(float x)
{
    float z = x * x, p = -5.70498872745e-3;
    p = fma(p, z, 2.06390887954e-2);
    p = fma(p, z, -5.37397155531e-2);
    p = fma(p, z, 1.33314422036e-1);
    p = fma(p, z, -3.33332819422e-1);
    return abs(x) < 0.625 ? fma(p * z, x, x) : 1.0 - 2.0 / (exp_(x + x) + 1.0);
}

// Cephes' erff below 1, formula 7.1.26 of Abramowitz and Stegun (error 1.5e-7) above.
float erf_(float x)
{
    float z = x * x, p = 7.853861353153693e-5;
    p = fma(p, z, -8.010193625184903e-4);
    p = fma(p, z, 5.188327685732524e-3);
    p = fma(p, z, -2.685381193529856e-2);
    p = fma(p, z, 1.128358514861418e-1);
    p = fma(p, z, -3.761262582423300e-1);
    if (abs(x) < 1.0) return x * fma(p, z, 1.128379165726710);
    float t = 1.0 / fma(abs(x), 0.3275911, 1.0), q = 1.061405429;
    q = fma(q, t, -1.453152027);
    q = fma(q, t, 1.421413741);
    q = fma(q, t, -0.284496736);
    q = fma(q, t, 0.254829592);
    float large = 1.0 - q * t * exp_(-z);
    return x < 0.0 ? -large : large;
}

// vx_act_kind, backend/ops.h
float act(uint kind, float slope, float x)
{
    if (kind == 1) return x < 0.0 ? 0.0 : x;
    if (kind == 2) return x < 0.0 ? x * slope : x;
    if (kind == 3) return x * sigmoid(x);
    // 0.5(1 + tanh u) = sigmoid(2u)
    if (kind == 4) return x * sigmoid(2.0 * 0.7978845608028654 * fma(x * x * x, 0.044715, x));
    if (kind == 5) return 0.5 * x * (1.0 + erf_(x * 0.7071067811865476));
    if (kind == 6) return x * sigmoid(1.702 * x);
    if (kind == 7) return sigmoid(x);
    if (kind == 8) return tanh_(x);
    return x;
}
