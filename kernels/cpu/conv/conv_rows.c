#include "cpu/conv/conv_engine.h"
#include <omp.h>
#include <stdatomic.h>

int chl_workers(void) {
    static atomic_int workers;
    int none = 0;
    atomic_compare_exchange_strong(&workers, &none, omp_get_max_threads());
    return atomic_load(&workers);
}

void chl_epilogue_begin(const chl_epilogue *epilogue, int64_t n) {
    if (epilogue->dscale && !epilogue->dscale_accumulate)
        memset(epilogue->dscale, 0, (size_t)(n * epilogue->channels) * sizeof *epilogue->dscale);
}

static void copy_scaled(float *to, const float *from, const float *style, int64_t count) {
    if (style)
        for (int64_t i = 0; i < count; i++) to[i] = from[i] * style[i];
    else
        memcpy(to, from, (size_t)count * sizeof *to);
}

static void zero(float *to, int64_t count) {
    memset(to, 0, (size_t)count * sizeof *to);
}

void chl_im2col(const chl_conv_job *job, int64_t first, int64_t rows, float *column,
                int64_t stride) {
    int64_t c = job->in_c, span = job->kernel * c;
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        int64_t pixel = first + r, n = pixel / (job->out_h * job->out_w);
        int64_t y = pixel / job->out_w % job->out_h * job->stride - job->pad;
        int64_t x = pixel % job->out_w * job->stride - job->pad;
        int64_t left = chl_min(chl_max(0, -x), job->kernel);
        int64_t right = chl_max(left, chl_min(job->kernel, job->in_w - x));
        const float *style = job->style ? job->style + n * c : NULL;
        float *to = column + r * stride;
        for (int64_t ky = 0; ky < job->kernel; ky++, to += span) {
            if (y + ky < 0 || y + ky >= job->in_h) {
                zero(to, span);
                continue;
            }
            const float *from = job->x + ((n * job->in_h + y + ky) * job->in_w + x) * c;
            zero(to, left * c);
            if (style)
                for (int64_t kx = left; kx < right; kx++)
                    copy_scaled(to + kx * c, from + kx * c, style, c);
            else
                copy_scaled(to + left * c, from + left * c, NULL, (right - left) * c);
            zero(to + right * c, span - right * c);
        }
    }
}

/* Rows that one task multiplies with one panel: few enough to stay in the L2 cache. */
#define TASK_ROWS 96

void chl_rows_product(int64_t rows, int64_t n, int64_t k, const float *a, int64_t lda,
                      const float *packed, float *product, int64_t stride) {
    int64_t blocks = (rows + TASK_ROWS - 1) / TASK_ROWS;
#pragma omp for collapse(2) schedule(static)
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t panel = 0; panel < chl_panels(n); panel++) {
            int64_t row = block * rows / blocks, last = (block + 1) * rows / blocks;
            chl_panel_gemm(last - row, n, k, a + row * lda, lda, packed, panel, panel + 1,
                           product + row * stride, stride, false);
        }
}

static inline __attribute__((always_inline)) void
epilogue_row(chl_epilogue_kind kind, const chl_epilogue *epilogue, int64_t pixel, float *product) {
    for (int64_t c = 0; c < epilogue->channels; c += CHL_LANES) {
        chl_epilogue_lane lane = chl_epilogue_open(epilogue, pixel / epilogue->pixels, c);
        chl_vec v = chl_load(product + c);
        v = chl_epilogue_put(kind, epilogue, &lane, pixel % epilogue->pixels, v);
        if (kind == CHL_EPILOGUE_GRADIENT) chl_store(product + c, v);
    }
}

void chl_rows_epilogue(const chl_epilogue *epilogue, int64_t first, int64_t rows, float *product,
                       int64_t stride) {
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; r++) switch (epilogue->kind) {
        case CHL_EPILOGUE_PLAIN:
            epilogue_row(CHL_EPILOGUE_PLAIN, epilogue, first + r, product + r * stride);
            break;
        case CHL_EPILOGUE_ACTIVATE:
            epilogue_row(CHL_EPILOGUE_ACTIVATE, epilogue, first + r, product + r * stride);
            break;
        case CHL_EPILOGUE_GRADIENT:
            epilogue_row(CHL_EPILOGUE_GRADIENT, epilogue, first + r, product + r * stride);
            break;
        }
    if (epilogue->dscale)
        chl_epilogue_sum(epilogue, first, rows, epilogue->pixels, product, stride);
}

void chl_epilogue_sum(const chl_epilogue *epilogue, int64_t first, int64_t rows,
                      int64_t rows_of_sample, const float *product, int64_t stride) {
    /* divided by channels: each sum is made by one thread in one order, whatever the number of
     * threads */
#pragma omp for schedule(static)
    for (int64_t c = 0; c < epilogue->channels; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, epilogue->channels - c);
        for (int64_t r = 0; r < rows;) {
            int64_t n = (first + r) / rows_of_sample;
            int64_t end = chl_min(rows, (n + 1) * rows_of_sample - first);
            chl_vec sum = {0};
            for (; r < end; r++) sum += chl_load(product + r * stride + c);
            float *at = epilogue->dscale + n * epilogue->channels + c;
            chl_store_part(at, chl_load_part(at, lanes) + sum, lanes);
        }
    }
}
