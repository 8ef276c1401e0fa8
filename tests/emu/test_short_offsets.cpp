// Which products the kernels with 32-bit offsets take: all spans up to 2^30 - 1 numbers, no more.
#include "cuda/modconv/weight_gradient.cuh"
#include "emu_test.h"

namespace {
using modconv::has_short_offsets;
chl_conv_attributes layer(int side, int in, int out, bool up) {
    chl_conv_attributes a = {};
    a.n = 1;
    a.h = a.w = side;
    a.i = in;
    a.o = out;
    a.up = up;
    return a;
}
bool correlates(const chl_conv_attributes &a) {
    return has_short_offsets(modconv::correlation_of(a));
}
} // namespace

void test::short_offsets() {
    // x: 4095^2 * 64 < 2^30 <= 4096^2 * 64
    CHECK(has_short_offsets(modconv::forward_gather(layer(4095, 64, 8, false))));
    CHECK(!has_short_offsets(modconv::forward_gather(layer(4096, 64, 8, false))));
    CHECK(!has_short_offsets(modconv::dx_gather(layer(4096, 8, 64, false))));
    // the gradient before up-sampling: (2 * 2047 + 1)^2 * 64
    CHECK(has_short_offsets(modconv::up_dx_gather(layer(2047, 8, 64, true))));
    CHECK(!has_short_offsets(modconv::up_dx_gather(layer(2048, 8, 64, true))));
    // weights: 9 * 10922^2 < 2^30 <= 9 * 10923^2
    CHECK(has_short_offsets(modconv::forward_gather(layer(4, 10922, 10922, false))));
    CHECK(!has_short_offsets(modconv::forward_gather(layer(4, 10923, 10923, false))));
    // a correlation reads g and x; its weights are results
    CHECK(correlates(layer(4095, 64, 64, false)));
    CHECK(!correlates(layer(4096, 64, 8, false)));
    CHECK(!correlates(layer(4096, 8, 64, false)));
    CHECK(correlates(layer(4, 10923, 10923, false)));
    CHECK(!correlates(layer(2048, 8, 64, true)));
    // one pixel: a step of 32 pixels goes 34 rows behind it
    CHECK(correlates(layer(1, 8, 31580641, false)));
    CHECK(!correlates(layer(1, 8, 31580642, false)));
}
