/* A StyleGAN2 network of random weights, for demonstrations, tests and benchmarks without a
 * checkpoint. */
#include "nets/random_weights.h"
#include "nets/stylegan2.h"
#include <stdio.h>

#define NAME_LENGTH 64
/* as in stylegan2.c: the mapping's weights and biases are stored divided by this rate */
#define MAPPING_RATE 0.01

typedef struct random_net {
    chl_params *params;
    uint64_t seed;
    bool untrained;
    chl_status status; /* the first failure */
} random_net;

static void fill(random_net *net, chl_desc shape, double mean, double deviation, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));
static void fill(random_net *net, chl_desc shape, double mean, double deviation, const char *format,
                 ...) {
    if (net->status != CHL_OK) return;
    char name[NAME_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    net->status = chl_params_add_normal(net->params, net->seed, (float)mean, (float)deviation,
                                        shape, "%s", name);
}

/* A number that is 0 before training. */
static float learned(const random_net *net, double value) {
    return net->untrained ? 0 : (float)value;
}

static void fill_affine(random_net *net, const char *layer, int in, int w_dim) {
    fill(net, chl_f32(2, in, w_dim), 0, 1, "%s.affine.weight", layer);
    fill(net, chl_f32(1, in), 1, learned(net, 0.1), "%s.affine.bias", layer);
}

static void fill_conv(random_net *net, const char *layer, int in, int out, int resolution,
                      int w_dim) {
    fill_affine(net, layer, in, w_dim);
    fill(net, chl_f32(4, out, in, 3, 3), 0, 1, "%s.weight", layer);
    fill(net, chl_f32(1, out), 0, learned(net, 0.1), "%s.bias", layer);
    fill(net, chl_f32(2, resolution, resolution), 0, 1, "%s.noise_const", layer);
    fill(net, chl_f32(1, 1), learned(net, 0.05), learned(net, 0.02), "%s.noise_strength", layer);
}

/* Small blocks have larger colour weights, as in trained networks: pictures show shapes, not noise.
 */
static void fill_rgb(random_net *net, const char *layer, int in, int block, int w_dim) {
    double deviation = 0.45;
    for (int b = 0; b < block; b++) deviation *= 0.8;
    if (net->untrained) deviation = 1;
    fill_affine(net, layer, in, w_dim);
    fill(net, chl_f32(4, 3, in, 1, 1), 0, deviation, "%s.weight", layer);
    fill(net, chl_f32(1, 3), 0, learned(net, 0.05), "%s.bias", layer);
}

static void fill_mapping(random_net *net, const chl_stylegan2_shape *shape) {
    for (int i = 0; i < shape->mapping_layers; i++) {
        fill(net, chl_f32(2, shape->w_dim, i ? shape->w_dim : shape->z_dim), 0, 1 / MAPPING_RATE,
             "mapping.fc%d.weight", i);
        fill(net, chl_f32(1, shape->w_dim), 0, learned(net, 0.1 / MAPPING_RATE),
             "mapping.fc%d.bias", i);
    }
    fill(net, chl_f32(1, shape->w_dim), 0, learned(net, 0.1), "mapping.w_avg");
}

static int channels_at(const chl_stylegan2_shape *shape, int resolution) {
    int channels = shape->channel_base / resolution;
    return channels < shape->channel_max ? channels : shape->channel_max;
}

static chl_status check(const chl_stylegan2_shape *shape) {
    int r = shape->resolution, largest = 4 << (CHL_STYLEGAN2_BLOCKS - 1);
    if (r < 4 || r > largest || (r & (r - 1)))
        return chl_fail(CHL_ERR_ARGUMENT, "resolution must be a power of two from 4 to %d, got %d",
                        largest, r);
    if (channels_at(shape, r) < 1 || shape->w_dim < 1 || shape->z_dim < 1 ||
        shape->mapping_layers < 1)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "channels, mapping_layers, z_dim and w_dim must be >= 1, got %d, %d, %d, %d",
            channels_at(shape, r), shape->mapping_layers, shape->z_dim, shape->w_dim);
    return CHL_OK;
}

static chl_status draw(const chl_stylegan2_shape *shape, uint64_t seed, bool untrained,
                       chl_params **out) {
    CHL_TRY(check(shape));
    random_net net = {.seed = seed, .untrained = untrained};
    CHL_TRY(chl_params_new("random StyleGAN2", &net.params));
    int w_dim = shape->w_dim, in = channels_at(shape, 4);
    fill_mapping(&net, shape);
    fill(&net, chl_f32(3, in, 4, 4), 0, 1, "synthesis.b4.const");
    for (int r = 4, block = 0; r <= shape->resolution; r *= 2, block++) {
        int channels = channels_at(shape, r);
        char layer[NAME_LENGTH / 2];
        snprintf(layer, sizeof layer, "synthesis.b%d.conv0", r);
        if (block) fill_conv(&net, layer, in, channels, r, w_dim);
        snprintf(layer, sizeof layer, "synthesis.b%d.conv1", r);
        fill_conv(&net, layer, channels, channels, r, w_dim);
        snprintf(layer, sizeof layer, "synthesis.b%d.torgb", r);
        fill_rgb(&net, layer, channels, block, w_dim);
        in = channels;
    }
    return chl_params_give(net.params, net.status, out);
}

chl_status chl_stylegan2_random(const chl_stylegan2_shape *shape, uint64_t seed, chl_params **out) {
    return draw(shape, seed, false, out);
}

chl_status chl_stylegan2_untrained(const chl_stylegan2_shape *shape, uint64_t seed,
                                   chl_params **out) {
    return draw(shape, seed, true, out);
}
