/* Shared by the convolution algorithms: what to compute (a job), what to do with each value
 * computed (an epilogue), and the steps that work on rows of pixels.
 *
 * A job is a plain correlation; a data gradient with stride 1 is a job too, over dy with rotated
 * weights. Because of the epilogue nothing that follows a convolution needs a pass of its own. */
#ifndef CHL_CPU_CONV_ENGINE_H
#define CHL_CPU_CONV_ENGINE_H
#include "cpu/lib/panel.h"
#include "cpu/lib/rows.h"

typedef struct chl_conv_job {
    int64_t n, in_h, in_w, in_c, out_h, out_w, out_c;
    int64_t kernel, stride, pad;
    const float *x;     /* [n,in_h,in_w,in_c] */
    const float *style; /* [n,in_c], multiplies x; or NULL */
    const float *packed;
} chl_conv_job;

typedef enum chl_epilogue_kind {
    CHL_EPILOGUE_PLAIN,    /* y = v + bias */
    CHL_EPILOGUE_ACTIVATE, /* y = clamp(gain * lrelu(v * scale + noise * strength + bias)) */
    CHL_EPILOGUE_GRADIENT  /* y = v * scale; dscale = sum over pixels of v * x */
} chl_epilogue_kind;

typedef struct chl_epilogue {
    chl_epilogue_kind kind;
    bool accumulate;
    float *y;                 /* [n,pixels,channels], or NULL: not wanted */
    int64_t pixels, channels; /* of one sample of y */
    const float *scale;       /* [n,channels] or NULL = 1 */
    const float *bias;        /* [channels] or NULL */
    const float *noise; /* [pixels] for all samples or each (noise_step = pixels); NULL = none */
    int64_t noise_step;
    float strength, slope, gain, clamp; /* clamp 0 = none */
    const float *x;                     /* [n,pixels,channels], with dscale only */
    float *dscale;                      /* [n,channels] or NULL */
    bool dscale_accumulate;
} chl_epilogue;

/* The epilogue's parameters for one vector of channels of one sample. */
typedef struct chl_epilogue_lane {
    int64_t n, c, lanes;
    chl_vec scale, bias;
} chl_epilogue_lane;

static inline chl_epilogue_lane chl_epilogue_open(const chl_epilogue *epilogue, int64_t n,
                                                  int64_t c) {
    chl_epilogue_lane lane = {.n = n, .c = c, .lanes = chl_min(CHL_LANES, epilogue->channels - c)};
    lane.scale = epilogue->scale
                     ? chl_load_part(epilogue->scale + n * epilogue->channels + c, lane.lanes)
                     : chl_splat(1);
    lane.bias = epilogue->bias ? chl_load_part(epilogue->bias + c, lane.lanes) : chl_splat(0);
    return lane;
}

/* Fetches vectors of pixels that are read or written soon, those of the next tile: their strides are
 * too long for the machine to foresee them. Takes 3 to 6 % off layers of 128 x 128 and 256 x 256. */
static inline void chl_fetch_pixels(const float *vector, int64_t channels, int pixels) {
    for (int j = 0; j < pixels; j++) __builtin_prefetch(vector + j * channels);
}

/* The same of the vectors that the epilogue touches. */
static inline void chl_epilogue_fetch(const chl_epilogue *epilogue, const chl_epilogue_lane *lane,
                                      int64_t pixel, int pixels) {
    const int64_t at = (lane->n * epilogue->pixels + pixel) * epilogue->channels + lane->c;
    if (epilogue->y) chl_fetch_pixels(epilogue->y + at, epilogue->channels, pixels);
    if (epilogue->x) chl_fetch_pixels(epilogue->x + at, epilogue->channels, pixels);
}

/* Applies the epilogue to one vector of results at a pixel and stores it. `kind` is epilogue->kind,
 * a constant where this is inlined. CHL_EPILOGUE_GRADIENT returns v * x, which the caller sums over
 * the pixels of a sample. */
static inline __attribute__((always_inline)) chl_vec chl_epilogue_put(chl_epilogue_kind kind,
                                                                      const chl_epilogue *epilogue,
                                                                      const chl_epilogue_lane *lane,
                                                                      int64_t pixel, chl_vec v) {
    int64_t at = (lane->n * epilogue->pixels + pixel) * epilogue->channels + lane->c;
    chl_vec out = v;
    if (kind == CHL_EPILOGUE_PLAIN) out = v + lane->bias;
    if (kind == CHL_EPILOGUE_GRADIENT) out = v * lane->scale;
    if (kind == CHL_EPILOGUE_ACTIVATE) {
        chl_vec add = lane->bias;
        if (epilogue->noise)
            add =
                add + epilogue->noise[lane->n * epilogue->noise_step + pixel] * epilogue->strength;
        out = v * lane->scale + add;
        out = chl_vselect(out > 0, out, out * epilogue->slope) * epilogue->gain;
        if (epilogue->clamp > 0) {
            /* NaN compares false and passes through */
            out = chl_vselect(out > epilogue->clamp, chl_splat(epilogue->clamp), out);
            out = chl_vselect(out < -epilogue->clamp, chl_splat(-epilogue->clamp), out);
        }
    }
    if (epilogue->y) {
        if (epilogue->accumulate) out += chl_load_part(epilogue->y + at, lane->lanes);
        chl_store_part(epilogue->y + at, out, lane->lanes);
    }
    if (kind == CHL_EPILOGUE_GRADIENT && epilogue->dscale)
        return v * chl_load_part(epilogue->x + at, lane->lanes);
    return v;
}

/* The number of threads for algorithms that give each thread its own memory: as many as OpenMP
 * offered at the first call, so that a workspace planned then is never too small. Only weight
 * gradients depend on it, by the order of their sums. */
int chl_workers(void);

/* Sets dscale to zero unless it accumulates. One thread. */
void chl_epilogue_begin(const chl_epilogue *epilogue, int64_t n);

/* --- steps on rows of pixels; called by all threads of a parallel region, each ends in a barrier
 * --- */

/* Copies the pixels first..first+rows of the job's output (counted over samples, rows, columns),
 * each as the kernel x kernel x in_c values under it, zeros outside, times the style. */
void chl_im2col(const chl_conv_job *job, int64_t first, int64_t rows, float *column,
                int64_t stride);
/* product [rows, N] = a [rows, K] * packed [K,N]; row strides in floats. */
void chl_rows_product(int64_t rows, int64_t n, int64_t k, const float *a, int64_t lda,
                      const float *packed, float *product, int64_t stride);
/* Applies the epilogue to rows of products; `first` counts pixels over all samples. Overwrites
 * product. */
void chl_rows_epilogue(const chl_epilogue *epilogue, int64_t first, int64_t rows, float *product,
                       int64_t stride);
/* dscale[n(r)] += product[r], where product holds the epilogue's v * x; `of_row` pixels per sample.
 */
void chl_epilogue_sum(const chl_epilogue *epilogue, int64_t first, int64_t rows,
                      int64_t rows_of_sample, const float *product, int64_t stride);

/* --- the algorithms; workspace sizes in bytes ------------------------------------------------- */

/* Any kernel, stride and padding: im2col and a product, in bands. Weights [K*K*in_c, out_c]. */
size_t chl_direct_workspace(const chl_conv_job *job);
void chl_direct(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);

/* The data gradient with any stride: dx [n,in_h,in_w,in_c] from dy [n,out_h,out_w,out_c] (job->x).
 * Weights [out_c, K*K*in_c]. */
size_t chl_scatter_workspace(const chl_conv_job *job);
void chl_scatter(const chl_conv_job *job, float *dx, bool accumulate, float *workspace);

/* dw [out_c,in_c,K,K] = gain * sum over pixels of dy x, job->x and job->style as in the forward.
 * False when the matrix product fails. */
size_t chl_weight_gradient_workspace(const chl_conv_job *job);
bool chl_weight_gradient(const chl_conv_job *job, const float *dy, float gain, float *dw,
                         bool accumulate, float *workspace) __attribute__((warn_unused_result));

/* StyleGAN2's up-sampling convolution (conv_up.c): in [n,h,w,in_c] -> [n,2h,2w,out_c]. The job
 * holds the forward's sizes in all three; job->x is x in the forward and g [n,2h,2w,out_c]
 * backwards. */
size_t chl_up_workspace(const chl_conv_job *job);
void chl_up(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);
size_t chl_up_backward_workspace(const chl_conv_job *job);
void chl_up_backward(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);
size_t chl_up_weight_gradient_workspace(const chl_conv_job *job);
void chl_up_weight_gradient(const chl_conv_job *job, const float *g, float gain, float *dw,
                            bool accumulate, float *workspace);
#endif
