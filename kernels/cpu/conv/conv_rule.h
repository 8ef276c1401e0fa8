/* The algorithm for a convolution: a fixed rule on its shape, the same for conv_pack and for the
 * ops that read what it packed, never a timing (a resumed run must compute bit-identical results).
 */
#ifndef CHL_CPU_CONV_RULE_H
#define CHL_CPU_CONV_RULE_H
#include "cpu/conv/conv_engine.h"

typedef enum chl_conv_path {
    CHL_PATH_DIRECT,  /* im2col and a product; data gradients with stride 1 too */
    CHL_PATH_SCATTER, /* data gradient with a stride: a product and col2im */
    CHL_PATH_WINOGRAD,
    CHL_PATH_UP, /* up-sampling */
    CHL_PATH_UP_TILES
} chl_conv_path;
#define CHL_CONV_PATHS "direct scatter winograd up up_tiles" /* the same, as chl_paths names them */

/* The minimum of a sample's tiles with which reading the transformed weights (four times the plain
 * ones) is worth its time: one 8x8 map with 512 channels takes 0.53 of the direct time. A batch of
 * smaller maps would have enough, but then a sample's result would depend on its neighbours. */
#define CHL_WINOGRAD_TILES 4
/* Pixels that a tile of 16 must contain on average; in small odd maps the rest is wasted. */
#define CHL_WINOGRAD_FILL 7
#define CHL_WINOGRAD_CHANNELS 16

static inline int64_t chl_conv_out(int64_t in, const chl_conv_attributes *a) {
    return (in + 2 * a->pad - a->kernel) / a->stride + 1;
}

/* The forward's sizes; the caller sets x and weights. */
static inline chl_conv_job chl_conv_forward_job(const chl_conv_attributes *a) {
    chl_conv_job job = {.n = a->n, .in_h = a->h, .in_w = a->w, .in_c = a->i, .out_c = a->o};
    job.kernel = a->kernel;
    job.stride = a->stride;
    job.pad = a->pad;
    job.out_h = a->up ? 2 * a->h : chl_conv_out(a->h, a);
    job.out_w = a->up ? 2 * a->w : chl_conv_out(a->w, a);
    return job;
}

/* The data gradient of a stride-1 convolution as a job over dy with rotated weights. */
static inline chl_conv_job chl_conv_backward_job(const chl_conv_attributes *a) {
    chl_conv_job forward = chl_conv_forward_job(a), job = forward;
    job.in_h = forward.out_h;
    job.in_w = forward.out_w;
    job.in_c = forward.out_c;
    job.out_h = forward.in_h;
    job.out_w = forward.in_w;
    job.out_c = forward.in_c;
    job.pad = a->kernel - 1 - a->pad;
    return job;
}

/* Up-sampling: the minimum of tiles of 4x4 input pixels in a sample. */
#define CHL_UP_TILES 16

static inline chl_conv_path chl_up_path_of(const chl_conv_attributes *a) {
    int64_t pixels = (int64_t)a->h * a->w;
    int64_t tiles = (int64_t)((a->h + 3) / 4) * ((a->w + 3) / 4);
    if (tiles >= CHL_UP_TILES && pixels >= CHL_WINOGRAD_FILL * tiles &&
        a->i >= CHL_WINOGRAD_CHANNELS && a->o >= CHL_WINOGRAD_CHANNELS)
        return CHL_PATH_UP_TILES;
    return CHL_PATH_UP;
}

/* With the tiles of so many samples. */
static inline chl_conv_path chl_conv_path_with(const chl_conv_attributes *a, int64_t samples) {
    if (a->up) return chl_up_path_of(a);
    if (a->backward && a->stride > 1) return CHL_PATH_SCATTER;
    if (a->kernel != 3 || a->stride != 1) return CHL_PATH_DIRECT;
    if (a->i < CHL_WINOGRAD_CHANNELS || a->o < CHL_WINOGRAD_CHANNELS) return CHL_PATH_DIRECT;
    chl_conv_job job = a->backward ? chl_conv_backward_job(a) : chl_conv_forward_job(a);
    int64_t pixels = samples * job.out_h * job.out_w;
    int64_t tiles = samples * ((job.out_h + 3) / 4) * ((job.out_w + 3) / 4);
    return tiles >= CHL_WINOGRAD_TILES && pixels >= CHL_WINOGRAD_FILL * tiles ? CHL_PATH_WINOGRAD
                                                                              : CHL_PATH_DIRECT;
}

/* Whether the path computes the shape, be it slowly. */
static inline bool chl_conv_takes(const chl_conv_attributes *a, chl_conv_path path) {
    if (a->up) return path == CHL_PATH_UP || path == CHL_PATH_UP_TILES;
    if (a->backward && a->stride > 1) return path == CHL_PATH_SCATTER;
    return path == CHL_PATH_DIRECT ||
           (path == CHL_PATH_WINOGRAD && a->kernel == 3 && a->stride == 1);
}

/* `wish`: chl_call.path */
static inline chl_conv_path chl_conv_path_of(const chl_conv_attributes *a, int32_t wish) {
    const chl_conv_path wanted = (chl_conv_path)(wish - 1);
    return wish > 0 && chl_conv_takes(a, wanted) ? wanted : chl_conv_path_with(a, 1);
}

/* Weight gradients: with 128 channels, 16 tiles take 0.9 to 1.5 of the direct time, as 36 sums
 * instead of 9 are cleared and transformed back; 64 tiles take 0.61, 256 take 0.47. */
#define CHL_WINOGRAD_DW_TILES 32

/* CHL_PATH_DIRECT, CHL_PATH_WINOGRAD or CHL_PATH_UP. */
static inline chl_conv_path chl_conv_dw_path_of(const chl_conv_attributes *a, int32_t wish) {
    if (a->up) return CHL_PATH_UP;
    chl_conv_attributes forward = *a;
    forward.backward = 0;
    const chl_conv_path wanted = (chl_conv_path)(wish - 1);
    if (wish > 0 && chl_conv_takes(&forward, wanted)) return wanted;
    chl_conv_job job = chl_conv_forward_job(a);
    int64_t tiles = job.n * ((job.out_h + 3) / 4) * ((job.out_w + 3) / 4);
    return tiles >= CHL_WINOGRAD_DW_TILES ? chl_conv_path_with(&forward, job.n) : CHL_PATH_DIRECT;
}
#endif
