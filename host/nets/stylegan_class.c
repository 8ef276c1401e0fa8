/* Generators with classes (stylegan2-ada-pytorch and stylegan3, c_dim > 0). The mapping network is
 *
 *     y = normalise(E c / sqrt(C) + e)          c one-hot [C]: a column of E [F,C] and the bias e
 * [F] x = fc0([normalise(z), y]), fc1, ...      fc0: g W [z, y] + r b, W [O, Z+F], g = r/sqrt(Z+F)
 *
 * with r the mapping's rate. y is constant for a class, so that
 *
 *     fc0 = r/sqrt(Z) W' z + r b',   W' = W_z sqrt(Z/(Z+F)),   b' = b + W_y y / sqrt(Z+F)
 *
 * is the first layer of a network without classes.
 *
 * Truncation moves towards the mean of the class's own codes: w_avg is the mean over all classes,
 * where no class's pictures lie. StyleGAN-XL's files hold a mean for each class, w_avg [C,W]. */
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NORMALISATION_EPS 1e-8

/* y [F] of the class */
static void embed(const chl_array *weight, const chl_array *bias, int label, double *y) {
    const int64_t features = weight->desc.dim[0], classes = weight->desc.dim[1];
    const float *e = weight->data, *b = bias->data;
    double squares = 0;
    for (int64_t i = 0; i < features; i++) {
        y[i] = (double)e[i * classes + label] / sqrt((double)classes) + (double)b[i];
        squares += y[i] * y[i];
    }
    const double scale = 1 / sqrt(squares / (double)features + NORMALISATION_EPS);
    for (int64_t i = 0; i < features; i++) y[i] *= scale;
}

/* Replaces W [O, Z+F] and b [O] by W' [O, Z] and b', in place. */
static void fold(chl_array *weight, chl_array *bias, int64_t features, const double *y) {
    const int64_t out = weight->desc.dim[0], whole = weight->desc.dim[1], z = whole - features;
    const double scale = sqrt((double)z / (double)whole), gain = 1 / sqrt((double)whole);
    float *w = weight->data, *b = bias->data;
    for (int64_t i = 0; i < out; i++) {
        const float *row = w + i * whole;
        double sum = 0;
        for (int64_t k = 0; k < features; k++) sum += (double)row[z + k] * y[k];
        b[i] = (float)((double)b[i] + gain * sum);
        for (int64_t k = 0; k < z; k++) w[i * z + k] = (float)(scale * (double)row[k]);
    }
    weight->desc.dim[1] = z;
}

static chl_status check_class(const chl_params *params, int64_t classes, int label) {
    if (label >= 0 && label < classes) return CHL_OK;
    if (label < 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: the generator has %lld classes (\"mapping.embed.weight\"): set "
                        "generator_class",
                        params->source, (long long)classes);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s: the generator has %lld classes, numbered from 0: class %d does not exist",
                    params->source, (long long)classes, label);
}

/* Leaves the label's mean, or none: then it is measured. */
static void choose_centre(chl_params *params, int64_t classes, int label) {
    chl_array *average = chl_params_find(params, "mapping.w_avg");
    if (!average || classes == 1) return;
    if (average->desc.rank != 2 || average->desc.dim[0] != classes) {
        chl_params_drop(params, "mapping.w_avg");
        return;
    }
    const int64_t width = average->desc.dim[1];
    float *means = average->data;
    memmove(means, means + label * width, sizeof *means * (size_t)width);
    average->desc.dim[0] = 1;
}

chl_status chl_stylegan_choose_class(chl_params *params, int label) {
    chl_array *e, *e_bias, *w, *b;
    if (!chl_params_has(params, "mapping.embed.weight")) {
        if (label < 0) return CHL_OK;
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: the generator has no classes (no \"mapping.embed.weight\"): do not "
                        "set generator_class",
                        params->source);
    }
    CHL_TRY(chl_params_require(params, 2, &e, "mapping.embed.weight"));
    CHL_TRY(check_class(params, e->desc.dim[1], label));
    CHL_TRY(chl_params_require(params, 1, &e_bias, "mapping.embed.bias"));
    CHL_TRY(chl_params_require(params, 2, &w, "mapping.fc0.weight"));
    CHL_TRY(chl_params_require(params, 1, &b, "mapping.fc0.bias"));
    const int64_t features = e->desc.dim[0], classes = e->desc.dim[1];
    if (features < 1 || e_bias->desc.dim[0] != features || w->desc.dim[1] <= features ||
        b->desc.dim[0] != w->desc.dim[0])
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s: \"mapping.embed.weight\" and \"mapping.fc0.weight\" do not fit each other "
            "or their biases",
            params->source);
    double *y = malloc((size_t)features * sizeof *y);
    if (!y) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a class", params->source);
    embed(e, e_bias, label, y);
    fold(w, b, features, y);
    free(y);
    choose_centre(params, classes, label);
    chl_params_drop(params, "mapping.embed.weight");
    chl_params_drop(params, "mapping.embed.bias");
    return CHL_OK;
}
