/* The input layer of StyleGAN3 [Karras et al. 2021, section 3.1 and appendix F]: C plane waves on a
 * grid, turned and moved by w, mixed by a matrix.
 *
 *     t = (r1, r2, x, y) = affine(w), divided by |(r1, r2)|: r1 = cos a, r2 = sin a of an angle a
 *     wave c at pixel g:  sin 2pi(f R (U g + u - (x, y)) + phase),  R = [r1 -r2; r2 r1]
 *
 * with the wave's frequency f, a row, and the file's own transform [U u]. That is linear in the four
 * numbers q = (r1, r2, -r1 x + r2 y, -r2 x - r1 y), so that the waves of all pixels are one product
 * of q with a constant matrix:
 *
 *     r1 (f . h) + r2 (fy hx - fx hy) + q3 fx + q4 fy + phase,   h = U g + u
 *
 * Where U makes a wave finer than the grid carries it is damped; its length |f R U| is |f| times U's
 * scale, because R turns, and U turns, mirrors and scales. */
#include "graph/build.h"
#include "nets/stylegan3.h"
#include <math.h>
#include <stdlib.h>

#define TURN 6.28318530717958647693
#define SAME 1e-5 /* of a transform: what float32 leaves of an angle */

typedef struct waves {
    int channels, size;
    const float *frequency, *phase, *transform; /* [C,2], [C], [3,3] */
    double rate, bandwidth;
} waves;

static chl_status read(const chl_net *net, const chl_stylegan3_config *config, waves *out) {
    chl_array *f, *phase, *transform;
    CHL_TRY(chl_params_use(net->params, 2, &f, "synthesis.input.freqs"));
    CHL_TRY(chl_params_use(net->params, 1, &phase, "synthesis.input.phases"));
    CHL_TRY(chl_params_use(net->params, 2, &transform, "synthesis.input.transform"));
    *out = (waves){.channels = config->input_channels,
                   .size = config->input_size,
                   .frequency = f->data,
                   .phase = phase->data,
                   .transform = transform->data,
                   .rate = config->input_rate,
                   .bandwidth = config->input_bandwidth};
    return CHL_OK;
}

/* The scale of the transform's linear part. */
static chl_status scale_of(const chl_net *net, const float *t, double *scale) {
    const double a = t[0], b = t[1], c = t[3], d = t[4];
    const double first = a * a + b * b, second = c * c + d * d, along = a * c + b * d;
    *scale = sqrt((first + second) / 2);
    if (!(*scale > 0) || fabs(first - second) > SAME * first || fabs(along) > SAME * first ||
        t[6] != 0 || t[7] != 0 || t[8] != 1)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: \"synthesis.input.transform\" must turn, mirror, move and scale alike in "
            "all directions, got [%g %g %g; %g %g %g; %g %g %g]",
            net->params->source, a, b, t[2], c, d, t[5], t[6], t[7], t[8]);
    return CHL_OK;
}

/* Row (pixel, wave) of the matrix, times 2 pi, and of what is added. */
static void fill(const waves *v, float *matrix, float *added) {
    const double pixel = 1 / v->rate, centre = (v->size - 1) / 2.0;
    const float *t = v->transform;
    for (int64_t at = 0; at < (int64_t)v->size * v->size * v->channels; at++) {
        const int64_t c = at % v->channels, p = at / v->channels;
        const int64_t row = p / v->size, column = p % v->size;
        const double gx = ((double)column - centre) * pixel;
        const double gy = ((double)row - centre) * pixel;
        const double hx = t[0] * gx + t[1] * gy + t[2], hy = t[3] * gx + t[4] * gy + t[5];
        const double fx = v->frequency[2 * c], fy = v->frequency[2 * c + 1];
        matrix[4 * at] = (float)(TURN * (fx * hx + fy * hy));
        matrix[4 * at + 1] = (float)(TURN * (fy * hx - fx * hy));
        matrix[4 * at + 2] = (float)(TURN * fx);
        matrix[4 * at + 3] = (float)(TURN * fy);
        added[at] = (float)(TURN * v->phase[c]);
    }
}

/* q [N,4] of w [N,W] */
static chl_tensor turn_and_move(chl_net *net, const chl_stylegan3_config *config, chl_tensor w) {
    static const float pair[] = {1, 0, 0, 0, 0, 1, 0, 0}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
    /* q = (r1, r2, r1, r2) * (1, 1, -x, -x) + (0, 0, r2, r1) * (0, 0, y, -y) */
    static const float left[] = {1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0};
    static const float minus_x[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, -1, 0};
    static const float one_one[] = {1, 1, 0, 0};
    static const float right[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0};
    static const float y_minus_y[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, -1};
    chl_graph *g = net->graph;
    const chl_desc square = chl_f32(2, 4, 4);
    chl_tensor weight =
        chl_weight_shaped(net, chl_f32(2, 4, config->w_dim), "synthesis.input.affine.weight");
    chl_tensor bias = chl_weight_shaped(net, chl_f32(1, 4), "synthesis.input.affine.bias");
    chl_tensor t = chl_linear_gain(g, w, weight, bias, 1 / sqrtf((float)config->w_dim), 1);
    const chl_tensor r =
        chl_linear(g, t, chl_constant(g, "pair", chl_f32(2, 2, 4), pair), CHL_NONE);
    const chl_tensor inverse =
        chl_demodulate(g, r, chl_constant(g, "ones", chl_f32(2, 4, 2), ones), 1, 0);
    t = chl_mul(g, t, inverse);
#define PART(name, bias_) chl_linear(g, t, chl_constant(g, #name, square, name), bias_)
    const chl_tensor unit = chl_constant(g, "one_one", chl_f32(1, 4), one_one);
    const chl_tensor first = chl_mul(g, PART(left, CHL_NONE), PART(minus_x, unit));
    const chl_tensor second = chl_mul(g, PART(right, CHL_NONE), PART(y_minus_y, CHL_NONE));
#undef PART
    return chl_add(g, first, second);
}

/* The waves' angles [N, S S C]. */
static chl_tensor angles(chl_graph *g, const waves *v, chl_tensor q) {
    const int count = v->size * v->size * v->channels;
    float *matrix = malloc((size_t)count * 5 * sizeof *matrix);
    if (!matrix) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for %d waves", count);
    fill(v, matrix, matrix + 4 * (int64_t)count);
    const chl_tensor k = chl_constant(g, "synthesis.input.waves", chl_f32(2, count, 4), matrix);
    const chl_tensor b =
        chl_constant(g, "synthesis.input.angles", chl_f32(1, count), matrix + 4 * (int64_t)count);
    free(matrix);
    return chl_linear(g, q, k, b);
}

/* Each wave's factor for being too fine, or x as it is where none is. */
static chl_tensor damp(chl_graph *g, const waves *v, double scale, chl_tensor x) {
    float *factor = malloc((size_t)v->channels * 2 * sizeof *factor);
    if (!factor) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for an input layer");
    bool all_whole = true;
    for (int c = 0; c < v->channels; c++) {
        const double length =
            scale * hypot((double)v->frequency[2 * c], (double)v->frequency[2 * c + 1]);
        const double left = 1 - (length - v->bandwidth) / (v->rate / 2 - v->bandwidth);
        factor[c] = (float)(left < 0 ? 0 : left > 1 ? 1 : left);
        factor[v->channels + c] = 0;
        all_whole = all_whole && factor[c] == 1;
    }
    const chl_desc each = chl_f32(1, v->channels);
    if (!all_whole) /* a sine lies within -1 and 1 */
        x = chl_channel_affine(g, x, chl_constant(g, "factors", each, factor),
                               chl_constant(g, "zeros", each, factor + v->channels), -2, 2);
    free(factor);
    return x;
}

chl_tensor chl_stylegan3_input(chl_net *net, const chl_stylegan3_config *config, chl_tensor w) {
    chl_graph *g = net->graph;
    waves v;
    double scale = 1;
    chl_status status = read(net, config, &v);
    if (status == CHL_OK) status = scale_of(net, v.transform, &scale);
    if (status != CHL_OK) return chl_graph_fail(g, status, "%s", chl_error());
    const int n = (int)chl_desc_of(g, w)->dim[0], c = v.channels;
    chl_tensor mix = chl_weight_shaped(net, chl_f32(2, c, c), "synthesis.input.weight");
    chl_tensor x = angles(g, &v, turn_and_move(net, config, w));
    x = chl_activate(g, x, CHL_SINE, 0);
    if (x == CHL_NONE) return x;
    x = damp(g, &v, scale, chl_reshape(g, x, chl_f32(4, n, v.size, v.size, c)));
    return chl_linear_gain(g, x, mix, CHL_NONE, 1 / sqrtf((float)c), 1);
}
