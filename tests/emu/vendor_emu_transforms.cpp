// The vendor's Fourier transforms for the emulated GPU, as vendor_emu.cpp has the products. (With
// a library that stands in for cuFFT the door itself is tested: test_cufft_door.c.)
#include "cuda/lib/vendor.h"
#include <cmath>
#include <cstdlib>
#include <vector>

namespace chl {
namespace {
constexpr size_t WORKSPACE = 2048;
}

int64_t transform_rows(int) { // so few that tests need several goes
    return 24;
}
bool transform_found() {
    return !std::getenv("EMU_NO_CUFFT");
}
chl_kernel_status transform_planned(int points, int) {
    const char *said = std::getenv("EMU_CUFFT_STATUS");
    return said ? no_transform_plan(points, std::atoi(said)) : CHL_KERNEL_OK;
}
size_t transform_workspace(int, int) {
    return WORKSPACE;
}
static int spectra(int points, int rows, float *from, float *to, void *workspace) {
    std::memset(workspace, 0xff, WORKSPACE);
    for (int row = 0; row < rows; row++, from += points) {
        std::vector<int> heard; // silence adds nothing, and takes long at 16384 samples
        for (int n = 0; n < points; n++)
            if (from[n] != 0) heard.push_back(n);
        for (int k = 0; k <= points / 2; k++) {
            double re = 0, im = 0;
            for (const int n : heard) {
                const double turn = 2 * M_PI * double(int64_t(k) * n % points) / points;
                re += double(from[n]) * std::cos(turn);
                im -= double(from[n]) * std::sin(turn);
            }
            *to++ = float(re);
            *to++ = float(im);
        }
    }
    from -= int64_t(rows) * points;
    std::memset(from, 0xff, sizeof(float) * size_t(points) * size_t(rows)); // not kept
    return 0;
}
chl_kernel_status transform(const chl_call *call, int points, int rows, float *from, void *to,
                            void *workspace) {
    if (simt::emu::settings().rehearse) return CHL_KERNEL_OK;
    return status(simt::emu::queued(call->stream, [=] {
        return spectra(points, rows, from, static_cast<float *>(to), workspace);
    }));
}
} // namespace chl
