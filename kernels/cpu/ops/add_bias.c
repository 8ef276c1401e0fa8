/* y = x + b, where b's shape is the tail of x's, and db = the sum of dy over the leading axes. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status forward(const chl_call *call) {
    int64_t inner = chl_count(&call->in_desc[1]);
    int64_t rows = inner ? chl_count(&call->in_desc[0]) / inner : 0;
    const float *x = call->in[0], *b = call->in[1];
    float *y = call->out[0];
    if (!y) return CHL_KERNEL_OK;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (rows * inner > CHL_PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < inner; i += CHL_LANES) {
            int64_t n = chl_lanes_left(inner - i);
            chl_vec v = chl_load_part(x + r * inner + i, n) + chl_load_part(b + i, n);
            chl_put_part(y + r * inner + i, v, n, acc);
        }
    return CHL_KERNEL_OK;
}

/* Rows are divided into parts, columns into blocks: a bias [C] has many rows, a position embedding
 * [T,C] many columns. */
#define ROWS_PER_PART 32
#define BLOCK 256

static chl_kernel_status backward(const chl_call *call) {
    int64_t inner = chl_count(&call->out_desc[0]), rows = chl_count(&call->in_desc[0]) / inner;
    int64_t parts = chl_parts(rows, ROWS_PER_PART);
    const float *dy = call->in[0];
    float *partial = call->workspace;
    if (!call->out[0]) return CHL_KERNEL_OK;
    memset(partial, 0, (size_t)(parts * inner) * sizeof(float));
#pragma omp parallel for collapse(2) schedule(static) if (rows * inner > CHL_PARALLEL_FROM)
    for (int64_t p = 0; p < parts; p++)
        for (int64_t first = 0; first < inner; first += BLOCK) {
            int64_t end = first + BLOCK < inner ? first + BLOCK : inner;
            for (int64_t r = chl_part_begin(rows, p, parts); r < chl_part_begin(rows, p + 1, parts);
                 r++)
                for (int64_t c = first; c < end; c += CHL_LANES)
                    chl_put_part(partial + p * inner + c,
                                 chl_load_part(dy + r * inner + c, end - c), end - c, 1);
        }
    chl_add_parts(call->out[0], partial, parts, inner, inner, chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static size_t backward_workspace(const chl_call *call) {
    int64_t inner = chl_count(&call->out_desc[0]), rows = chl_count(&call->in_desc[0]) / inner;
    return (size_t)(chl_parts(rows, ROWS_PER_PART) * inner) * sizeof(float);
}

const chl_body chl_cpu_add_bias = {forward, NULL, NULL};
const chl_body chl_cpu_add_bias_db = {backward, backward_workspace, NULL};
