// The words of CUDA C++ that kernels use, for a C++ compiler: vector types, half precisions,
// intrinsics. A kernel that needs a word missing here adds it here, with a line in
// test_intrinsics.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) alignas(n)
#define __grid_constant__
#define __constant__ static

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
// the alignments are CUDA's: a misaligned vector load is undefined behaviour that UBSan reports
#define EMU_VECTOR(scalar, name, align2, align4)                                                   \
    struct alignas(align2) name##2 {                                                               \
        scalar x, y;                                                                               \
    };                                                                                             \
    struct alignas(align4) name##4 {                                                               \
        scalar x, y, z, w;                                                                         \
    };                                                                                             \
    static inline name##2 make_##name##2(scalar a, scalar b) {                                     \
        return {a, b};                                                                             \
    }                                                                                              \
    static inline name##4 make_##name##4(scalar a, scalar b, scalar c, scalar d) {                 \
        return {a, b, c, d};                                                                       \
    }
EMU_VECTOR(float, float, 8, 16)
EMU_VECTOR(int, int, 8, 16)
EMU_VECTOR(unsigned, uint, 8, 16)
#undef EMU_VECTOR

namespace simt::emu {
template <class To, class From> static inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "a reinterpretation keeps the size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

// IEEE round to nearest even; NaN becomes the canonical 0x7fff as cvt.rn.bf16.f32 gives it
static inline uint16_t to_bf16(float f) {
    const uint32_t u = bits<uint32_t>(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}
static inline float from_bf16(uint16_t h) {
    return bits<float>(static_cast<uint32_t>(h) << 16);
}

static inline uint16_t to_f16(float f) {
    const uint32_t whole = bits<uint32_t>(f), sign = (whole >> 16) & 0x8000u;
    const uint32_t u = whole & 0x7fffffffu;
    if (u > 0x7f800000u) return 0x7fff;
    if (u >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (u < 0x38800000u) { // subnormal: adding 0.5 lets the float adder round at the right bit
        const float moved = bits<float>(u) + 0.5f;
        return static_cast<uint16_t>(sign | (bits<uint32_t>(moved) - 0x3f000000u));
    }
    return static_cast<uint16_t>(sign | ((u + 0xfffu + ((u >> 13) & 1) - 0x38000000u) >> 13));
}
static inline float from_f16(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 31u, mantissa = h & 1023u;
    if (exponent == 31) return bits<float>(sign | 0x7f800000u | (mantissa << 13));
    if (exponent) return bits<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
    const float f = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -f : f;
}
} // namespace simt::emu

struct __nv_bfloat16 {
    uint16_t x;
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
struct __half {
    uint16_t x;
};
struct alignas(4) __half2 {
    __half x, y;
};

// clang-format off
static inline float __bfloat162float(__nv_bfloat16 b) { return simt::emu::from_bf16(b.x); }
static inline __nv_bfloat16 __float2bfloat16(float f) { return {simt::emu::to_bf16(f)}; }
static inline __nv_bfloat16 __float2bfloat16_rn(float f) { return __float2bfloat16(f); }
static inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) {
    return {__float2bfloat16(a), __float2bfloat16(b)};
}
static inline __nv_bfloat162 __float22bfloat162_rn(float2 v) {
    return __floats2bfloat162_rn(v.x, v.y);
}
static inline float2 __bfloat1622float2(__nv_bfloat162 v) {
    return {__bfloat162float(v.x), __bfloat162float(v.y)};
}
static inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 v) { return v.x; }
static inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 v) { return v.y; }
static inline float __low2float(__nv_bfloat162 v) { return __bfloat162float(v.x); }
static inline float __high2float(__nv_bfloat162 v) { return __bfloat162float(v.y); }
static inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
static inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
static inline uint16_t __bfloat16_as_ushort(__nv_bfloat16 b) { return b.x; }
static inline __nv_bfloat16 __ushort_as_bfloat16(uint16_t u) { return {u}; }

static inline float __half2float(__half h) { return simt::emu::from_f16(h.x); }
static inline __half __float2half(float f) { return {simt::emu::to_f16(f)}; }
static inline __half2 __floats2half2_rn(float a, float b) {
    return {__float2half(a), __float2half(b)};
}
static inline float2 __half22float2(__half2 v) { return {__half2float(v.x), __half2float(v.y)}; }

// clang-format on

// Rounding to float and again to a half is rounding once, for a sum or a product: float's 24 bits
// are at least 2 p + 2 (Figueroa 1995). Not so for fma, which may be a last place off.
static inline __nv_bfloat162 __hadd2(__nv_bfloat162 a, __nv_bfloat162 b) {
    return __floats2bfloat162_rn(__low2float(a) + __low2float(b),
                                 __high2float(a) + __high2float(b));
}
static inline __nv_bfloat162 __hmul2(__nv_bfloat162 a, __nv_bfloat162 b) {
    return __floats2bfloat162_rn(__low2float(a) * __low2float(b),
                                 __high2float(a) * __high2float(b));
}
static inline __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c) {
    return __floats2bfloat162_rn(std::fma(__low2float(a), __low2float(b), __low2float(c)),
                                 std::fma(__high2float(a), __high2float(b), __high2float(c)));
}
static inline __half2 __hmul2(__half2 a, __half2 b) {
    const float2 p = __half22float2(a), q = __half22float2(b);
    return __floats2half2_rn(p.x * q.x, p.y * q.y);
}
static inline __half2 __hadd2(__half2 a, __half2 b) {
    const float2 p = __half22float2(a), q = __half22float2(b);
    return __floats2half2_rn(p.x + q.x, p.y + q.y);
}

// clang-format off
// macros: C libraries' headers declare functions of these very names (rsqrtf: newer ones)
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
#define rsqrtf(x) (1.0f / std::sqrt(static_cast<float>(x)))
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fsqrt_rn(float a) { return std::sqrt(a); }
static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
static inline int __float_as_int(float f) { return simt::emu::bits<int>(f); }
static inline unsigned __float_as_uint(float f) { return simt::emu::bits<unsigned>(f); }
static inline float __int_as_float(int i) { return simt::emu::bits<float>(i); }
static inline float __uint_as_float(unsigned u) { return simt::emu::bits<float>(u); }
static inline int __float2int_rn(float f) { return static_cast<int>(std::nearbyint(f)); }
static inline int __float2int_rd(float f) { return static_cast<int>(std::floor(f)); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline int __clz(int v) { return v ? __builtin_clz(static_cast<unsigned>(v)) : 32; }
static inline unsigned __brev(unsigned v) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (v >> i & 1u) << (31 - i);
    return r;
}
static inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
static inline int __mulhi(int a, int b) {
    return static_cast<int>(static_cast<int64_t>(a) * b >> 32);
}
// cache hints change the time, not the value
template <class T> static inline T __ldg(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, T v) { *p = v; }
template <class T> static inline void __stcg(T *p, T v) { *p = v; }
// clang-format on
using std::max;
using std::min;
