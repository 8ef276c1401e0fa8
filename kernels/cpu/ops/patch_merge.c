/* Swin's patch merging: [N,H,W,C] -> [N,H/2,W/2,4C], the pixels of each 2x2 block concatenated in
 * the order (0,0),(1,0),(0,1),(1,1) as (row, column), and its inverse. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

/* x is the large map's pixel order, y the merged one; copies y -> x when `back`. */
static void copy(const chl_desc *large, float *x, float *y, int back, int acc) {
    int64_t height = large->dim[1], width = large->dim[2], c = large->dim[3];
    int64_t rows = large->dim[0] * height;
#pragma omp parallel for schedule(static) if (rows * width * c > CHL_PARALLEL_FROM)
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < width; column++) {
            int64_t block = row / 2 * (width / 2) + column / 2;
            float *pixel = x + (row * width + column) * c;
            float *part = y + (block * 4 + column % 2 * 2 + row % 2) * c;
            const float *from = back ? part : pixel;
            float *to = back ? pixel : part;
            for (int64_t i = 0; i < c; i += CHL_LANES) {
                int64_t n = chl_lanes_left(c - i);
                chl_put_part(to + i, chl_load_part(from + i, n), n, acc);
            }
        }
}

static chl_kernel_status forward(const chl_call *call) {
    if (call->out[0])
        copy(&call->in_desc[0], (float *)call->in[0], call->out[0], 0, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}
static chl_kernel_status backward(const chl_call *call) {
    if (call->out[0])
        copy(&call->out_desc[0], call->out[0], (float *)call->in[0], 1, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_patch_merge = {forward, NULL, NULL};
const chl_body chl_cpu_patch_merge_dx = {backward, NULL, NULL};
