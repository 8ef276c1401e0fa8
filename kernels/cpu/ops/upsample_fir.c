/* StyleGAN2's skip up-sampling [Karras et al. 2020]: zeros between the pixels, padding (2,1), FIR
 * [1,3,3,1] (outer product, / 64, gain 4). Of an axis' four taps two always fall on zeros, so
 *     y[2m] = x[m-1]/4 + 3 x[m]/4,   y[2m+1] = 3 x[m]/4 + x[m+1]/4,   x = 0 outside. */
#include "cpu/lib/resample.h"

static chl_axis fir_axis(char **memory, int64_t in) {
    chl_axis axis = chl_axis_place(memory, in, 2 * in, 4 * in);
    for (int64_t i = 0; i < 2 * in; i++) {
        const int64_t left = i % 2 ? i / 2 : i / 2 - 1;
        int32_t end = axis.start[i];
        axis.first[i] = (int32_t)(left < 0 ? 0 : left);
        if (left >= 0) axis.weight[end++] = i % 2 ? 0.75f : 0.25f;
        if (left + 1 < in) axis.weight[end++] = i % 2 ? 0.25f : 0.75f;
        axis.start[i + 1] = end;
    }
    return axis;
}

static size_t axes_room(int64_t h, int64_t w, int transposed) {
    size_t bytes = chl_axis_bytes(2 * h, 4 * h) + chl_axis_bytes(2 * w, 4 * w);
    if (transposed) bytes += chl_axis_bytes(h, 4 * h) + chl_axis_bytes(w, 4 * w);
    return (bytes + 63) & ~(size_t)63;
}

static size_t forward_workspace(const chl_call *call) {
    const int64_t *n_h_w_c = call->in_desc[0].dim, h = n_h_w_c[1], w = n_h_w_c[2];
    return axes_room(h, w, 0) + chl_resample_bytes(n_h_w_c[0], 2 * h, w, 2 * w, n_h_w_c[3]);
}

static chl_kernel_status forward(const chl_call *call) {
    const int64_t *n_h_w_c = call->in_desc[0].dim, h = n_h_w_c[1], w = n_h_w_c[2], c = n_h_w_c[3];
    char *memory = call->workspace;
    const chl_axis rows = fir_axis(&memory, h), columns = fir_axis(&memory, w);
    chl_resample_run(&(chl_resample){
        .rows = &rows,
        .columns = &columns,
        .x = call->in[0],
        .x_sample = h * w * c,
        .x_row = w * c,
        .y = call->out[0],
        .y_sample = 4 * h * w * c,
        .y_row = 2 * w * c,
        .residual = call->in[1],
        .samples = n_h_w_c[0],
        .channels = c,
        .accumulate = chl_accumulates(call, 0),
        .lines = (float *)((char *)call->workspace + axes_room(h, w, 0)),
    });
    return CHL_KERNEL_OK;
}

static size_t backward_workspace(const chl_call *call) {
    const int64_t *n_h_w_c = call->in_desc[0].dim, h = n_h_w_c[1] / 2, w = n_h_w_c[2] / 2;
    return axes_room(h, w, 1) + chl_resample_bytes(n_h_w_c[0], h, 2 * w, w, n_h_w_c[3]);
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t *n_h_w_c = call->in_desc[0].dim, c = n_h_w_c[3];
    const int64_t h = n_h_w_c[1] / 2, w = n_h_w_c[2] / 2;
    char *memory = call->workspace;
    const chl_axis rows = fir_axis(&memory, h), columns = fir_axis(&memory, w);
    const chl_axis rows_back = chl_axis_transpose(&memory, &rows);
    const chl_axis columns_back = chl_axis_transpose(&memory, &columns);
    chl_resample_run(&(chl_resample){
        .rows = &rows_back,
        .columns = &columns_back,
        .x = call->in[0],
        .x_sample = 4 * h * w * c,
        .x_row = 2 * w * c,
        .y = call->out[0],
        .y_sample = h * w * c,
        .y_row = w * c,
        .samples = n_h_w_c[0],
        .channels = c,
        .accumulate = chl_accumulates(call, 0),
        .lines = (float *)((char *)call->workspace + axes_room(h, w, 1)),
    });
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_upsample_fir = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_upsample_fir_dx = {.run = backward, .workspace = backward_workspace};
