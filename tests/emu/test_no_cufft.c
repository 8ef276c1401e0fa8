/* Log-mel pictures on a GPU where cuFFT is not installed: powers of two need none, other lengths are
 * refused with a text that says what is missing. Where cuFFT is there and refuses, its status is in
 * the text. */
#include "backend_emu.h"
#include "graph/build.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static chl_status picture(int fft) {
    static const float wave[1000] = {1};
    const chl_mel_settings settings = {
        .rate = 8000, .fft = fft, .hop = 100, .bands = 4, .floor_db = 80, .min_power = 1e-10f};
    chl_graph *g;
    chl_status status;
    CHL_TRY(chl_graph_new(chl_device_emu(), &g));
    const chl_tensor x = chl_input(g, "x", chl_f32(2, 1, 1000));
    const chl_tensor y = chl_keep(g, chl_log_mel(g, x, &settings));
    float out[4 * 11];
    CHL_TRY_GOTO(chl_compile(g));
    CHL_TRY_GOTO(chl_write(g, x, wave));
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(g, y, out));
done:
    chl_graph_free(g);
    return status;
}

int main(void) {
    if (picture(400) != CHL_OK) {
        fprintf(stderr, "FAIL: with cuFFT: %s\n", chl_error());
        return 1;
    }
    if (setenv("EMU_CUFFT_STATUS", "2", 1)) return 1;
    if (picture(400) != CHL_ERR_INTERNAL ||
        !strstr(chl_error(), "cuFFT: no plan for 400 samples: status 2")) {
        fprintf(stderr, "FAIL: a plan that cuFFT refuses: %s\n", chl_error());
        return 1;
    }
    if (setenv("EMU_NO_CUFFT", "1", 1)) return 1;
    if (picture(256) != CHL_OK) {
        fprintf(stderr, "FAIL: 256 samples: %s\n", chl_error());
        return 1;
    }
    const chl_status status = picture(400);
    printf("400 samples: %s\n", status == CHL_OK ? "computed" : chl_error());
    return !(status == CHL_ERR_UNSUPPORTED &&
             strstr(chl_error(), "a Fourier transform of 400 samples needs cuFFT") &&
             strstr(chl_error(), "powers of two from 16 to 16384 do without"));
}
