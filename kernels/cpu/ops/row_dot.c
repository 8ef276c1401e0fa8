/* y[n] = a[n,:] . b[n,:]: cosine similarity of embeddings that are normalised already. */
#include "cpu/lib/rows.h"

static chl_kernel_status forward(const chl_call *call) {
    const int64_t rows = call->in_desc[0].dim[0], size = call->in_desc[0].dim[1];
    const float *a = call->in[0], *b = call->in[1];
    float *y = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * size))
    for (int64_t n = 0; n < rows; n++) {
        chl_vec sum = {0};
        for (int64_t i = 0; i < size; i += CHL_LANES)
            sum += chl_load_part(a + n * size + i, size - i) *
                   chl_load_part(b + n * size + i, size - i);
        chl_put(y + n, chl_tree_sum(sum), chl_accumulates(call, 0));
    }
    return CHL_KERNEL_OK;
}

static void scaled_rows(float *out, const float *dy, const float *x, int64_t rows, int64_t size,
                        int accumulate) {
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * size))
    for (int64_t n = 0; n < rows; n++)
        for (int64_t i = 0; i < size; i += CHL_LANES)
            chl_put_part(out + n * size + i, dy[n] * chl_load_part(x + n * size + i, size - i),
                         size - i, accumulate);
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t rows = call->in_desc[1].dim[0], size = call->in_desc[1].dim[1];
    const float *dy = call->in[0];
    if (call->out[0])
        scaled_rows(call->out[0], dy, call->in[2], rows, size, chl_accumulates(call, 0));
    if (call->out[1])
        scaled_rows(call->out[1], dy, call->in[1], rows, size, chl_accumulates(call, 1));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_row_dot = {.run = forward};
const chl_body chl_cpu_row_dot_backward = {.run = backward};
