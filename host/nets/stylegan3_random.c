/* A StyleGAN3 of random weights, for demonstrations, tests and measurements without a checkpoint: the
 * layers and filters that a training of this size begins with [Karras et al. 2021, section 3.2 and
 * appendix C]. */
#include "nets/random_weights.h"
#include "nets/stylegan3.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PI 3.14159265358979323846
/* the published choices */
#define FIRST_CUTOFF 2.0
#define FIRST_STOPBAND 4.28709385 /* 2^2.1 */
#define LAST_STOPBAND 1.23114441  /* 2^0.3, times the cutoff */
#define CRITICAL 2                /* last layers without room between cutoff and half the rate */
#define MARGIN 10                 /* pixels */
#define FILTER_SIZE 6
#define CONTRAST 4     /* of the colours' weights, for pictures with the contrast of photographs */
#define OVERSAMPLING 2 /* of the activation */

/* --- filters ---------------------------------------------------------------------------------- */
/* The modified Bessel function of the first kind, order 0, by its series. */
static double bessel_i0(double x) {
    double term = 1, sum = 1;
    for (int k = 1; term > 1e-17 * sum; k++) {
        term *= x / (2 * k) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/* Kaiser's window for a transition of `width`, as a share of half the rate [Kaiser 1974]. */
static void kaiser(int taps, double width, double *window) {
    const double attenuation = 2.285 * (taps - 1) * PI * width + 7.95;
    double beta = 0;
    if (attenuation > 50)
        beta = 0.1102 * (attenuation - 8.7);
    else if (attenuation > 21)
        beta = 0.5842 * pow(attenuation - 21, 0.4) + 0.07886 * (attenuation - 21);
    for (int n = 0; n < taps; n++) {
        const double at = 2.0 * n / (taps - 1) - 1;
        window[n] = bessel_i0(beta * sqrt(1 - at * at)) / bessel_i0(beta);
    }
}

/* The impulse response of an ideal low-pass filter: along a line, or around a point. */
static double response(double cutoff, double at, bool radial) {
    if (radial) return at == 0 ? PI * cutoff * cutoff : j1(2 * PI * cutoff * at) * cutoff / at;
    return at == 0 ? 2 * cutoff : sin(2 * PI * cutoff * at) / (PI * at);
}

/* Frequencies in periods along the picture's side, `rate` in pixels there. */
static chl_status add_filter(chl_params *params, const char *layer, const char *which, int taps,
                             double cutoff, double half_width, double rate, bool radial) {
    double window[128], sum = 0;
    float *f;
    if (taps == 1) return CHL_OK;
    if (taps > (int)(sizeof window / sizeof *window))
        return chl_fail(CHL_ERR_UNSUPPORTED, "a filter of %d taps", taps);
    const int count = radial ? taps * taps : taps;
    char name[CHL_STYLEGAN3_NAME + 16];
    snprintf(name, sizeof name, "%s.%s", layer, which);
    CHL_TRY(chl_params_add(params, name, radial ? chl_f32(2, taps, taps) : chl_f32(1, taps),
                           (void **)&f));
    kaiser(taps, 2 * half_width / (rate / 2), window);
    for (int pass = 0; pass < 2; pass++) { /* the sum, then the numbers, of sum 1 */
        const double scale = pass ? 1 / sum : 0;
        for (int i = 0; i < count; i++) {
            const int row = i / taps, column = i % taps;
            const double x = (column - (taps - 1) / 2.0) / rate;
            const double y = (row - (taps - 1) / 2.0) / rate;
            const double value = response(cutoff, radial ? hypot(x, y) : x, radial) *
                                 window[column] * (radial ? window[row] : 1);
            sum += pass ? 0 : value;
            f[i] = (float)(scale * value);
        }
    }
    return CHL_OK;
}

/* --- layers ----------------------------------------------------------------------------------- */
typedef struct band {
    double cutoff, half_width;
    int rate, size, channels;
} band;

/* What layer i makes; -1: the input layer, which makes what layer 0 makes. */
static band band_of(const chl_stylegan3_shape *shape, int i) {
    const int layers = shape->layers;
    const double last = shape->resolution / 2.0, top = last * LAST_STOPBAND;
    if (i < 0) i = 0;
    const double share = fmin((double)i / (layers - CRITICAL), 1);
    const double stop = FIRST_STOPBAND * pow(top / FIRST_STOPBAND, share);
    band b = {.cutoff = FIRST_CUTOFF * pow(last / FIRST_CUTOFF, share)};
    b.rate = (int)exp2(ceil(log2(fmin(2 * stop, shape->resolution))));
    b.half_width = fmax(stop, b.rate / 2.0) - b.cutoff;
    b.size = i >= layers - 1 ? shape->resolution : b.rate + 2 * MARGIN;
    b.channels = (int)rint(fmin(shape->channel_base / 2.0 / b.cutoff, shape->channel_max));
    if (i == layers) b.channels = 3;
    return b;
}

typedef struct random_net {
    chl_params *params;
    const chl_stylegan3_shape *shape;
    uint64_t seed;
    bool untrained;
} random_net;

/* A number that is 0 before training. */
static float learned(const random_net *net, float value) {
    return net->untrained ? 0 : value;
}

static chl_status add(const random_net *net, const char *layer, const char *name, chl_desc desc,
                      float mean, float deviation) {
    return chl_params_add_normal(net->params, net->seed, mean, deviation, desc, "%s.%s", layer,
                                 name);
}

static chl_status add_layer(const random_net *net, int i) {
    const chl_stylegan3_shape *shape = net->shape;
    const band in = band_of(shape, i - 1), out = band_of(shape, i);
    const bool colours = i == shape->layers;
    const int rate = (in.rate > out.rate ? in.rate : out.rate) * (colours ? 1 : OVERSAMPLING);
    const int up = rate / in.rate, down = rate / out.rate, k = colours ? 1 : shape->kernel;
    char layer[CHL_STYLEGAN3_NAME];
    snprintf(layer, sizeof layer, "synthesis.L%d_%d_%d", i, out.size, out.channels);
    CHL_TRY(add(net, layer, "affine.weight", chl_f32(2, in.channels, shape->w_dim), 0, 1));
    CHL_TRY(add(net, layer, "affine.bias", chl_f32(1, in.channels), 1, learned(net, 0.1f)));
    CHL_TRY(add(net, layer, "weight", chl_f32(4, out.channels, in.channels, k, k), 0,
                colours && !net->untrained ? CONTRAST : 1));
    CHL_TRY(add(net, layer, "bias", chl_f32(1, out.channels), 0, learned(net, 0.1f)));
    CHL_TRY(add(net, layer, "magnitude_ema", chl_f32(1, 1), 1, 0));
    CHL_TRY(add_filter(net->params, layer, "up_filter", up > 1 && !colours ? FILTER_SIZE * up : 1,
                       in.cutoff, in.half_width, rate, false));
    return add_filter(net->params, layer, "down_filter",
                      down > 1 && !colours ? FILTER_SIZE * down : 1, out.cutoff, out.half_width,
                      rate, shape->radial && i < shape->layers - CRITICAL);
}

/* Waves of all directions, none finer than the bandwidth. */
static chl_status add_input(const random_net *net) {
    const char *layer = "synthesis.input";
    const int c = band_of(net->shape, 0).channels;
    float *transform;
    CHL_TRY(add(net, layer, "weight", chl_f32(2, c, c), 0, 1));
    CHL_TRY(
        add(net, layer, "affine.weight", chl_f32(2, 4, net->shape->w_dim), 0, learned(net, 0.1f)));
    CHL_TRY(add(net, layer, "affine.bias", chl_f32(1, 4), 0, 0));
    CHL_TRY(add(net, layer, "freqs", chl_f32(2, c, 2), 0, 1));
    CHL_TRY(add(net, layer, "phases", chl_f32(1, c), 0, 3));
    CHL_TRY(chl_params_add(net->params, "synthesis.input.transform", chl_f32(2, 3, 3),
                           (void **)&transform));
    for (int k = 0; k < 9; k++) transform[k] = k % 4 == 0;
    ((float *)chl_params_find(net->params, "synthesis.input.affine.bias")->data)[0] = 1;
    float *f = chl_params_find(net->params, "synthesis.input.freqs")->data;
    float *phase = chl_params_find(net->params, "synthesis.input.phases")->data;
    for (int k = 0; k < c; k++) {
        const double r2 = (double)f[2 * k] * f[2 * k] + (double)f[2 * k + 1] * f[2 * k + 1];
        const double scale = FIRST_CUTOFF / (sqrt(r2) * exp(r2 / 4));
        f[2 * k] = (float)(scale * f[2 * k]);
        f[2 * k + 1] = (float)(scale * f[2 * k + 1]);
        phase[k] -= rintf(phase[k]);
    }
    return CHL_OK;
}

static chl_status add_mapping(const random_net *net) {
    const float rate = CHL_STYLEGAN_MAPPING_RATE;
    const int w = net->shape->w_dim;
    for (int i = 0; i < net->shape->mapping_layers; i++) {
        char layer[32];
        snprintf(layer, sizeof layer, "mapping.fc%d", i);
        CHL_TRY(add(net, layer, "weight", chl_f32(2, w, i ? w : net->shape->z_dim), 0, 1 / rate));
        CHL_TRY(add(net, layer, "bias", chl_f32(1, w), 0, learned(net, 0.1f / rate)));
    }
    return add(net, "mapping", "w_avg", chl_f32(1, w), 0, learned(net, 0.1f));
}

static chl_status check(const chl_stylegan3_shape *s) {
    const int r = s->resolution;
    if (r < 16 || r > 1024 || (r & (r - 1)))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "resolution must be a power of two from 16 to 1024, got %d", r);
    if (s->layers <= CRITICAL || s->layers >= CHL_STYLEGAN3_LAYERS)
        return chl_fail(CHL_ERR_ARGUMENT, "layers must be from %d to %d, got %d", CRITICAL + 1,
                        CHL_STYLEGAN3_LAYERS - 1, s->layers);
    if ((s->kernel != 1 && s->kernel != 3) || s->w_dim < 1 || s->z_dim < 1 ||
        s->mapping_layers < 1 || s->channel_base < r || s->channel_max < 1)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "kernel must be 1 or 3, channel_base at least the resolution, and "
            "channel_max, z_dim, w_dim, mapping_layers >= 1, got %d; %d; %d, %d, %d, %d",
            s->kernel, s->channel_base, s->channel_max, s->z_dim, s->w_dim, s->mapping_layers);
    return CHL_OK;
}

static chl_status draw(const chl_stylegan3_shape *shape, uint64_t seed, bool untrained,
                       chl_params **out) {
    random_net net = {.shape = shape, .seed = seed, .untrained = untrained};
    chl_status status;
    CHL_TRY(check(shape));
    CHL_TRY(chl_params_new("random StyleGAN3", &net.params));
    CHL_TRY_GOTO(add_mapping(&net));
    CHL_TRY_GOTO(add_input(&net));
    for (int i = 0; i <= shape->layers; i++) CHL_TRY_GOTO(add_layer(&net, i));
    *out = net.params;
    return CHL_OK;
done:
    chl_params_free(net.params);
    return status;
}

chl_status chl_stylegan3_random(const chl_stylegan3_shape *shape, uint64_t seed, chl_params **out) {
    return draw(shape, seed, false, out);
}

chl_status chl_stylegan3_untrained(const chl_stylegan3_shape *shape, uint64_t seed,
                                   chl_params **out) {
    return draw(shape, seed, true, out);
}
