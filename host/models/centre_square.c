#include "models/centre_square.h"
#include "graph/build.h"
#include <string.h>

static chl_status resize(chl_device *device, int height, int width, const float *pixels, int side,
                         float *out) {
    const int square = height < width ? height : width;
    chl_graph *g;
    CHL_TRY(chl_graph_new(device, &g));
    const chl_tensor x = chl_input(g, "picture", chl_f32(4, 1, height, width, 3));
    const chl_tensor y =
        chl_keep(g, chl_resize_window(g, x, CHL_FILTER_BICUBIC_PIL, side, side,
                                      (height - square) / 2, (width - square) / 2, square, square));
    return chl_compute_once(g, x, pixels, y, out);
}

chl_status chl_centre_square(chl_device *device, int height, int width, const float *pixels,
                             int side, float *out) {
    const int64_t count = 3 * (int64_t)side * side;
    if (height == side && width == side) {
        memcpy(out, pixels, (size_t)count * sizeof *out);
        return CHL_OK;
    }
    CHL_TRY(resize(device, height, width, pixels, side, out));
    /* written so that a NaN stays one */
    for (int64_t i = 0; i < count; i++) out[i] = out[i] < -1 ? -1 : out[i] > 1 ? 1 : out[i];
    return CHL_OK;
}
