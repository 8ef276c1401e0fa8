// The words of emu_types.h, against values of their definitions in the CUDA Math API.
#include "emu_test.h"

// binary16 by its definition (IEEE 754): 5 bits of exponent, 10 of fraction
static double value_of_half(uint32_t h) {
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                        : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                       : std::ldexp(fraction, -24);
    return h & 0x8000 ? -size : size;
}
static double nearest_half(double f) { // nearbyint rounds to even
    int exponent;
    std::frexp(f, &exponent);
    const double last_place = std::ldexp(1.0, std::max(exponent - 1, -14) - 10);
    return std::nearbyint(f / last_place) * last_place;
}

static void halves() {
    CHECK(__float2bfloat16(1.00390625f).x == 0x3f80); // half way, to even
    CHECK(__float2bfloat16(1.01171875f).x == 0x3f82); // half way, to even, upwards
    CHECK(__float2bfloat16(NAN).x == 0x7fff);
    CHECK(std::isinf(__bfloat162float(__float2bfloat16(3.4e38f)))); // beyond the greatest
    bool right = true;
    for (uint32_t h = 0; h < 0x10000; h++) { // every half survives the way there and back
        const __half x{static_cast<uint16_t>(h)};
        const float f = __half2float(x);
        right = right && (std::isnan(f) || __float2half(f).x == h);
        right = right && (std::isnan(f) || f == value_of_half(h));
    }
    CHECK(right);
    test::Numbers numbers(3);
    for (int i = 0; i < 2000; i++) { // rounding, normal and subnormal
        const float f =
            numbers.next() * std::ldexp(1.0f + 0.0137f * static_cast<float>(i % 71), i % 44 - 28);
        right = right && __half2float(__float2half(f)) == nearest_half(f);
    }
    CHECK(right);
    const __nv_bfloat162 v = __floats2bfloat162_rn(1.5f, -2.0f);
    CHECK(__bfloat162float(__low2bfloat16(v)) == 1.5f &&
          __bfloat162float(__high2bfloat16(v)) == -2.0f);
    CHECK(__low2float(__hmul2(v, v)) == 2.25f && __high2float(__hadd2(v, v)) == -4.0f);
    // 1.5, -2 times 3, 0: the signs of zeros are kept
    CHECK(simt::mul_bf16x2(0xc0003fc0u, 0x00004040u) == 0x80004090u);
    CHECK(__high2float(__hfma2(v, v, v)) == 2.0f && __bfloat1622float2(v).y == -2.0f);
    CHECK(__half22float2(__hmul2(__floats2half2_rn(3, 4), __floats2half2_rn(5, 6))).y == 24.0f);
    CHECK(__low2float(__halves2bfloat162(__high2bfloat16(v), __low2bfloat16(v))) == -2.0f);
}
static void words() {
    CHECK(__umulhi(0x80000000u, 6u) == 3u && __mulhi(-2, 1 << 30) == -1);
    CHECK(__popc(0xf0f0u) == 8 && __ffs(8) == 4 && __ffs(0) == 0 && __clz(1) == 31 &&
          __clz(0) == 32);
    CHECK(__brev(1u) == 0x80000000u && __float_as_int(1.0f) == 0x3f800000);
    CHECK(__int_as_float(0x40000000) == 2.0f && __uint_as_float(__float_as_uint(-3.0f)) == -3.0f);
    CHECK(__fmaf_rn(2, 3, 4) == 10 && __saturatef(2) == 1 && __saturatef(NAN) == 0);
    CHECK(__float2int_rn(2.5f) == 2 && __float2int_rd(-0.5f) == -1 && rsqrtf(4) == 0.5f);
    float stored = 0;
    __stcs(&stored, 5.0f);
    CHECK(__ldg(&stored) == 5 && __ldcs(&stored) == 5);
}
SIMT_KERNEL((32), own_lane_only, unsigned *out) {
    out[threadIdx.x] = __activemask();
}
static void active() {
    unsigned out[32];
    CHECK(simt::launch(own_lane_only, {1, 32}, nullptr, out) == 0);
    CHECK(out[0] == 1u && out[31] == 0x80000000u);
}
void test::intrinsics() {
    halves();
    words();
    active();
}
