/* Importing AudioCLIP's audio encoder [AndreyGuzhov/AudioCLIP]. */
#include "nets/bottleneck.h"
#include "nets/esresnext.h"
#include "nets/layers.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- filters ---------------------------------------------------------------------------------- */
/* Value at t of the complex frequency B-spline of order m, bandwidth fb and centre fc:
 * sqrt(fb) sinc(fb t / m)^m exp(-i fc t), the power complex where sinc is negative. */
static void spline(double m, double fb, double fc, double t, double *re, double *im) {
    const double x = fb * t / (m + 1e-8), sinc = x == 0 ? 1 : sin(x) / x;
    const double size = sqrt(fb) * pow(fabs(sinc), m), phase = (sinc < 0 ? M_PI * m : 0) - fc * t;
    *re = size * cos(phase);
    *im = size * sin(phase);
}

static chl_status use_vector(chl_params *params, const char *name, int size, const float **out) {
    chl_array *a;
    CHL_TRY(chl_params_use(params, 1, &a, "%s", name));
    if (a->desc.dim[0] != size)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" must have %d numbers, got %lld", params->source,
                        name, size, (long long)a->desc.dim[0]);
    *out = a->data;
    return CHL_OK;
}

/* The taps in the middle, times the window. The original computes them in float32, where the phase
 * of the highest filters is off by up to 1e-4. */
static chl_status add_filters(chl_params *params) {
    const float *m = NULL, *fb = NULL, *fc = NULL, *window = NULL;
    void *data;
    CHL_TRY(chl_params_add(params, CHL_FBSP_FILTERS, chl_f32(2, 2 * CHL_FBSP_BINS, CHL_FBSP_TAPS),
                           &data));
    CHL_TRY(chl_params_use(params, 2, NULL, CHL_FBSP_FILTERS));
    CHL_TRY(use_vector(params, "fbsp.m", CHL_FBSP_BINS, &m));
    CHL_TRY(use_vector(params, "fbsp.fb", CHL_FBSP_BINS, &fb));
    CHL_TRY(use_vector(params, "fbsp.fc", CHL_FBSP_BINS, &fc));
    CHL_TRY(use_vector(params, "window", CHL_FBSP_TAPS, &window));
    float *re = data, *im = re + (int64_t)CHL_FBSP_BINS * CHL_FBSP_TAPS;
    for (int k = 0; k < CHL_FBSP_BINS; k++)
        for (int i = 0; i < CHL_FBSP_TAPS; i++) {
            const int tap = i + (CHL_FBSP_FFT - CHL_FBSP_TAPS) / 2;
            const double t = M_PI * (2.0 * tap / (CHL_FBSP_FFT - 1) - 1) + 1e-8;
            const double gain = (double)window[i] / sqrt(CHL_FBSP_FFT);
            double x, y;
            spline((double)m[k], (double)fb[k], (double)fc[k], t, &x, &y);
            re[k * CHL_FBSP_TAPS + i] = (float)(gain * x);
            im[k * CHL_FBSP_TAPS + i] = (float)(gain * y);
        }
    return CHL_OK;
}

/* --- grouped convolutions --------------------------------------------------------------------- */
/* w [C, C/groups, K, K] -> [C, C, K, K], zeros where a filter does not look. */
static chl_status ungroup(chl_params *params, const char *name) {
    chl_array *grouped;
    void *data;
    CHL_TRY(chl_params_require(params, 4, &grouped, "%s", name));
    const int64_t channels = grouped->desc.dim[0], each = grouped->desc.dim[1],
                  taps = grouped->desc.dim[2] * grouped->desc.dim[3];
    if (each == channels) return CHL_OK;
    if (each < 1 || channels % each != 0)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has filters of %lld of %lld channels: no groups",
                        params->source, name, (long long)each, (long long)channels);
    chl_desc whole = grouped->desc;
    whole.dim[1] = channels;
    CHL_TRY(chl_params_add(params, "ungrouped", whole, &data));
    CHL_TRY(chl_params_require(params, 4, &grouped, "%s", name));
    const float *from = grouped->data;
    float *to = data;
    memset(to, 0, (size_t)chl_bytes(&whole));
    for (int64_t o = 0; o < channels; o++)
        memcpy(to + (o * channels + o / each * each) * taps, from + o * each * taps,
               sizeof *to * (size_t)(each * taps));
    chl_params_drop(params, name);
    return chl_params_rename(params, "ungrouped", name);
}

static chl_status use_bottleneck(chl_params *params, const char *block, bool first) {
    char conv[80];
    snprintf(conv, sizeof conv, "%sconv2.weight", block);
    CHL_TRY(ungroup(params, conv));
    return chl_params_use_bottleneck(params, block, first);
}

static chl_status use_stage(chl_params *params, int stage, chl_esresnext_config *config) {
    chl_array *last;
    char block[64];
    int depth = 0;
    do {
        snprintf(block, sizeof block, "layer%d.%d.", stage + 1, depth);
        CHL_TRY(use_bottleneck(params, block, depth == 0));
    } while (chl_params_has(params, "layer%d.%d.conv1.weight", stage + 1, ++depth));
    CHL_TRY(chl_params_require(params, 4, &last, "%sconv3.weight", block));
    config->depth[stage] = depth;
    config->out[stage] = (int)last->desc.dim[0];
    config->width[stage] = (int)last->desc.dim[1];
    return CHL_OK;
}

/* --- branches --------------------------------------------------------------------------------- */
/* A depthwise convolution D [C,1,rows,columns] with bias, then a pointwise one P [O,C,1,1] with
 * bias, are one of a square kernel: W[o,c,k] = P[o,c] D[c,k], b[o] = sum_c P[o,c] bD[c] + bP[o].
 * `centre`: the map is one pixel, of which only the tap in the middle sees anything. */
typedef struct branch {
    const float *depth, *depth_bias, *point, *point_bias;
    int64_t out, in, rows, columns;
} branch;

static chl_status find_branch(chl_params *params, int number, branch *b) {
    chl_array *depth, *depth_bias, *point, *point_bias;
    CHL_TRY(chl_params_require(params, 4, &depth, "att%d.conv_depth.weight", number));
    CHL_TRY(chl_params_require(params, 1, &depth_bias, "att%d.conv_depth.bias", number));
    CHL_TRY(chl_params_require(params, 4, &point, "att%d.conv_point.weight", number));
    CHL_TRY(chl_params_require(params, 1, &point_bias, "att%d.conv_point.bias", number));
    *b = (branch){.depth = depth->data,
                  .depth_bias = depth_bias->data,
                  .point = point->data,
                  .point_bias = point_bias->data,
                  .out = point->desc.dim[0],
                  .in = point->desc.dim[1],
                  .rows = depth->desc.dim[2],
                  .columns = depth->desc.dim[3]};
    const chl_desc each = chl_f32(4, (int)b->in, 1, (int)b->rows, (int)b->columns);
    if (!chl_same_shape(&depth->desc, &each) || depth_bias->desc.dim[0] != b->in ||
        point_bias->desc.dim[0] != b->out || b->rows % 2 == 0 || b->columns % 2 == 0)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: \"%s\" and \"%s\" do not fit together: expected one filter of odd "
                        "sizes for each of %lld channels",
                        params->source, depth->name, point->name, (long long)b->in);
    return CHL_OK;
}

static void multiply_branch(const branch *b, int64_t kernel, float *weight, float *bias) {
    const int64_t top = (kernel - b->rows) / 2, left = (kernel - b->columns) / 2;
    for (int64_t o = 0; o < b->out; o++) {
        double sum = (double)b->point_bias[o];
        for (int64_t c = 0; c < b->in; c++) {
            const float p = b->point[o * b->in + c];
            sum += (double)p * (double)b->depth_bias[c];
            for (int64_t y = 0; y < kernel; y++)
                for (int64_t x = 0; x < kernel; x++) {
                    const int64_t row = y - top, column = x - left;
                    const bool inside =
                        row >= 0 && row < b->rows && column >= 0 && column < b->columns;
                    *weight++ =
                        inside ? p * b->depth[(c * b->rows + row) * b->columns + column] : 0;
                }
        }
        bias[o] = (float)sum;
    }
}

static chl_status join_branch(chl_params *params, int number, bool centre) {
    branch b;
    void *weight, *bias;
    char name[64];
    CHL_TRY(find_branch(params, number, &b));
    const int kernel = centre ? 1 : (int)(b.rows > b.columns ? b.rows : b.columns);
    snprintf(name, sizeof name, "att%d.conv.weight", number);
    CHL_TRY(
        chl_params_add(params, name, chl_f32(4, (int)b.out, (int)b.in, kernel, kernel), &weight));
    snprintf(name, sizeof name, "att%d.conv.bias", number);
    CHL_TRY(chl_params_add(params, name, chl_f32(1, (int)b.out), &bias));
    CHL_TRY(find_branch(params, number, &b)); /* adding may move the list, not the numbers */
    multiply_branch(&b, kernel, weight, bias);
    static const char *const parts[] = {"conv_depth.weight", "conv_depth.bias", "conv_point.weight",
                                        "conv_point.bias"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(name, sizeof name, "att%d.%s", number, parts[i]);
        chl_params_drop(params, name);
    }
    CHL_TRY(chl_params_use(params, 4, NULL, "att%d.conv.weight", number));
    CHL_TRY(chl_params_use(params, 1, NULL, "att%d.conv.bias", number));
    return chl_params_use_batch_norm(params, "att%d.bn.", number);
}

/* --- all -------------------------------------------------------------------------------------- */
chl_status chl_esresnext_import(chl_params *params, chl_esresnext_config *config) {
    *config = (chl_esresnext_config){0};
    chl_array *first;
    chl_params_ignore_suffix(params, "num_batches_tracked");
    CHL_TRY(add_filters(params));
    CHL_TRY(chl_params_use_conv_norm(params, "", "conv1", "bn1"));
    for (int stage = 0; stage < CHL_ESRESNEXT_STAGES; stage++) {
        CHL_TRY(use_stage(params, stage, config));
        CHL_TRY(join_branch(params, stage + 1, false));
    }
    CHL_TRY(join_branch(params, CHL_ESRESNEXT_STAGES + 1, true));
    CHL_TRY(chl_params_use_linear(params, "fc", &config->embed));
    CHL_TRY(chl_params_require(params, 4, &first, "conv1.weight"));
    config->stem = (int)first->desc.dim[0];
    return CHL_OK;
}
