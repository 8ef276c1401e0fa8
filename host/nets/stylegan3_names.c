/* Importing StyleGAN3 checkpoints: sizes off the names and shapes. A layer is named
 * "L<number>_<size>_<channels>" after what it makes. */
#include "nets/stylegan3.h"
#include "nets/stylegan_mapping.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CLAMP 256 /* conv_clamp, output_scale, filter_size, first_cutoff where none is stated */
#define OUTPUT_SCALE 0.25f
#define FILTER_SIZE 6
#define BANDWIDTH 2
#define LARGEST 4096 /* a map's side */

bool chl_stylegan3_recognises(const chl_params *params) {
    return chl_params_find(params, "synthesis.input.freqs") != NULL;
}

/* --- layers ----------------------------------------------------------------------------------- */
/* Finds "synthesis.L<i>_<size>_<channels>.weight". */
static bool find_layer(const chl_params *params, int i, chl_stylegan3_layer *layer) {
    for (int64_t k = 0; k < params->count; k++) {
        int number, size, channels, end = 0;
        const char *name = params->array[k].name;
        if (sscanf(name, "synthesis.L%d_%d_%d.weight%n", &number, &size, &channels, &end) == 3 &&
            end && !name[end] && number == i) {
            *layer = (chl_stylegan3_layer){.size = size, .channels = channels};
            return true;
        }
    }
    return false;
}

static chl_status find_layers(const chl_params *params, chl_stylegan3_config *config) {
    int i = 0;
    while (i < CHL_STYLEGAN3_LAYERS && find_layer(params, i, &config->layer[i])) {
        const int size = config->layer[i].size;
        if (size < 1 || size > LARGEST || config->layer[i].channels < 1)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: layer %d is named after a map of %d x %d of %d channels, expected "
                            "1 to %d on a side",
                            params->source, i, size, size, config->layer[i].channels, LARGEST);
        i++;
    }
    chl_stylegan3_layer more;
    if (i < 2)
        return chl_fail(CHL_ERR_KEY,
                        "%s: has %d layers \"synthesis.L<number>_<size>_<channels>\", expected at "
                        "least 2",
                        params->source, i);
    if (i == CHL_STYLEGAN3_LAYERS && find_layer(params, i, &more))
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: has more than %d layers", params->source, i);
    config->layers = i;
    config->rows = i + 1;
    config->resolution = config->layer[i - 1].size;
    if (config->layer[i - 1].channels != 3)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: makes %d colours, expected 3", params->source,
                        config->layer[i - 1].channels);
    return CHL_OK;
}

/* taps and rate that a stored filter tells; none: 1 and 1 */
static chl_status measure_filter(chl_params *params, const chl_stylegan3_config *config,
                                 const char *layer, const char *which, int *taps, int *axes,
                                 int *rate) {
    chl_array *f;
    *taps = *axes = *rate = 1;
    if (!chl_params_has(params, "%s.%s", layer, which)) return CHL_OK;
    CHL_TRY(chl_params_use(params, 0, &f, "%s.%s", layer, which));
    *taps = (int)f->desc.dim[0];
    *axes = f->desc.rank;
    *rate = *taps / config->filter_size;
    const bool square = *axes == 2 && f->desc.dim[1] == *taps && strcmp(which, "down_filter") == 0;
    if (f->desc.dtype != CHL_F32 || (*axes != 1 && !square) || *rate < 2 ||
        *rate * config->filter_size != *taps) {
        char text[96];
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: filter \"%s\" is %s, expected a multiple of %d taps, at least twice",
                        params->source, f->name, chl_shape_text(&f->desc, text, sizeof text),
                        config->filter_size);
    }
    return CHL_OK;
}

/* as Python rounds: towards minus infinity */
static int floor_half(int x) {
    return x >= 0 ? x / 2 : -((1 - x) / 2);
}

/* So many zeros that the result has the layer's size; one in front more where their number is odd,
 * or the rate is [Karras et al. 2021, appendix C.3]. */
static void pad(chl_stylegan3_layer *layer, int in) {
    const int needed = (layer->size - 1) * layer->down + 1 + layer->up_taps + layer->down_taps - 2;
    const int total = needed - (in + layer->kernel - 1) * layer->up;
    layer->before = floor_half(total + layer->up);
    layer->after = total - layer->before;
}

static chl_status measure_layer(chl_params *params, chl_stylegan3_config *config, int i) {
    chl_stylegan3_layer *layer = &config->layer[i];
    const int in = i ? config->layer[i - 1].channels : config->input_channels;
    const bool last = i == config->layers - 1;
    char name[CHL_STYLEGAN3_NAME];
    chl_array *w, *magnitude;
    int axes;
    chl_stylegan3_layer_name(config, i, name);
    CHL_TRY(chl_params_require(params, 4, &w, "%s.weight", name));
    layer->kernel = (int)w->desc.dim[2];
    if (w->desc.dim[0] != layer->channels || w->desc.dim[1] != in ||
        w->desc.dim[3] != layer->kernel || layer->kernel % 2 == 0 || (last && layer->kernel != 1)) {
        char text[96];
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s, expected [%d,%d,%s]", params->source,
                        w->name, chl_shape_text(&w->desc, text, sizeof text), layer->channels, in,
                        last ? "1,1" : "K,K] with an odd K");
    }
    CHL_TRY(chl_params_use(params, 0, &magnitude, "%s.magnitude_ema", name));
    if (magnitude->desc.dtype != CHL_F32 || chl_count(&magnitude->desc) != 1 ||
        !(*(float *)magnitude->data > 0))
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" must be one number above 0", params->source,
                        magnitude->name);
    CHL_TRY(measure_filter(params, config, name, "up_filter", &layer->up_taps, &axes, &layer->up));
    CHL_TRY(measure_filter(params, config, name, "down_filter", &layer->down_taps,
                           &layer->down_axes, &layer->down));
    pad(layer, i ? config->layer[i - 1].size : config->input_size);
    return CHL_OK;
}

/* The rates lead from the input layer's to the picture's: a file whose filters are others than they
 * seem does not fit. */
static chl_status find_input_rate(const chl_params *params, chl_stylegan3_config *config) {
    double rate = config->resolution;
    const chl_stylegan3_layer *last = &config->layer[config->layers - 1];
    for (int i = config->layers - 1; i >= 0; i--)
        rate *= (double)config->layer[i].down / config->layer[i].up;
    config->input_rate = (float)rate;
    if (last->up != 1 || last->down != 1 || last->before || last->after || rate < 1 ||
        rate > config->input_size)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: the layers lead from %d pixels to %d by a rate of %g, which does not "
                        "fit: expected filters of %d taps for each rate",
                        params->source, config->input_size, config->resolution,
                        config->resolution / rate, config->filter_size);
    return CHL_OK;
}

/* --- the input layer -------------------------------------------------------------------------- */
static chl_status measure_input(chl_params *params, chl_stylegan3_config *config) {
    chl_array *f, *phase, *transform, *affine;
    CHL_TRY(chl_params_use(params, 2, &f, "synthesis.input.freqs"));
    CHL_TRY(chl_params_use(params, 1, &phase, "synthesis.input.phases"));
    CHL_TRY(chl_params_use(params, 2, &transform, "synthesis.input.transform"));
    CHL_TRY(chl_params_require(params, 2, &affine, "synthesis.input.affine.weight"));
    config->input_channels = (int)f->desc.dim[0];
    config->input_size = config->layer[0].size;
    config->w_dim = (int)affine->desc.dim[1];
    if (f->desc.dtype != CHL_F32 || phase->desc.dtype != CHL_F32 ||
        transform->desc.dtype != CHL_F32 || f->desc.dim[1] != 2 ||
        phase->desc.dim[0] != f->desc.dim[0] || transform->desc.dim[0] != 3 ||
        transform->desc.dim[1] != 3)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: \"synthesis.input.freqs\" must be [C,2], \"phases\" [C] and "
                        "\"transform\" [3,3]",
                        params->source);
    return CHL_OK;
}

/* No wave of a training is finer than the bandwidth: one that is tells that another was set. */
static chl_status check_bandwidth(const chl_params *params, const chl_stylegan3_config *config) {
    const chl_array *f = chl_params_find(params, "synthesis.input.freqs");
    const float *at = f->data;
    for (int c = 0; c < config->input_channels; c++) {
        const double length = hypot((double)at[2 * c], (double)at[2 * c + 1]);
        if (length > config->input_bandwidth * 1.0001)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: the input layer has a wave of %g periods, more than its bandwidth "
                            "of %g, which the file should state",
                            params->source, length, (double)config->input_bandwidth);
    }
    return CHL_OK;
}

chl_status chl_stylegan3_import(chl_params *params, chl_stylegan3_config *config) {
    *config = (chl_stylegan3_config){.mapping_rate = CHL_STYLEGAN_MAPPING_RATE,
                                     .conv_clamp = CLAMP,
                                     .output_scale = OUTPUT_SCALE,
                                     .filter_size = FILTER_SIZE,
                                     .input_bandwidth = BANDWIDTH};
    if (!chl_stylegan3_recognises(params))
        return chl_fail(CHL_ERR_KEY,
                        "%s: is not a StyleGAN3 generator: expected \"synthesis.input.freqs\"",
                        params->source);
    CHL_TRY(chl_stylegan3_obey_facts(params, config));
    CHL_TRY(find_layers(params, config));
    CHL_TRY(measure_input(params, config));
    CHL_TRY(check_bandwidth(params, config));
    for (int i = 0; i < config->layers; i++) CHL_TRY(measure_layer(params, config, i));
    CHL_TRY(find_input_rate(params, config));
    CHL_TRY(chl_stylegan3_check_facts(params, config));
    return chl_stylegan_import_mapping(params, config->w_dim, config->rows, &config->z_dim,
                                       &config->mapping_layers);
}
