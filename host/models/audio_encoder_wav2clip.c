/* Wav2CLIP [Wu et al. 2022, released code]: the power spectrum of a sound at 16 kHz (512 samples to
 * a frame, 353 from one to the next), its logarithm standardised over the whole sound, through
 * ResNet-18 with one channel and two layers that lead into CLIP's space. */
#include "graph/build.h"
#include "models/audio_spectrum.h"
#include "nets/layers.h"
#include "nets/resnet.h"
#include <math.h>
#include <stdlib.h>

#define TAPS 512
#define BINS (TAPS / 2 + 1)
#define FILTERS "spectrogram.filters"

static const chl_audio_spectrum spectrum = {
    .rate = 16000, .taps = TAPS, .hop = 353, .bins = BINS, .centred = true, .filters = FILTERS};

typedef struct wav2clip {
    chl_resnet_config trunk;
    int hidden, embedding; /* of the layers behind the trunk; 0: there are none */
} wav2clip;

static bool recognises(const chl_params *params) {
    return chl_params_find(params, "audio_encoder.spectrogram.window") != NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */
/* The window times a Fourier transform. */
static chl_status add_filters(chl_params *params) {
    chl_array *window;
    CHL_TRY(chl_params_use(params, 1, &window, "spectrogram.window"));
    if (window->desc.dim[0] != TAPS)
        return chl_fail(CHL_ERR_SHAPE, "%s: spectrogram.window must have %d numbers, got %lld",
                        params->source, TAPS, (long long)window->desc.dim[0]);
    return chl_audio_spectrum_add_fourier(params, FILTERS, TAPS, window->data);
}

/* What a training leaves in its file and listening does not need. */
static void ignore_training(chl_params *params) {
    static const char *const unused[] = {"fc.weight",
                                         "fc.bias",
                                         "logit_scale",
                                         "image_transform.sequential.0.weight",
                                         "image_transform.sequential.0.bias",
                                         "image_transform.sequential.3.weight",
                                         "image_transform.sequential.3.bias"};
    for (size_t i = 0; i < sizeof unused / sizeof unused[0]; i++)
        chl_params_ignore_suffix(params, unused[i]);
}

/* The widths of the two layers behind the trunk; a ReLU and a dropout lie between them. */
static chl_status use_transform(chl_params *params, wav2clip *config) {
    if (!chl_params_has(params, "audio_transform.sequential.0.weight")) return CHL_OK;
    CHL_TRY(chl_params_use_linear(params, "audio_transform.sequential.0", &config->hidden));
    return chl_params_use_linear(params, "audio_transform.sequential.3", &config->embedding);
}

static int trunk_width(const wav2clip *config) {
    return chl_resnet_width(&config->trunk);
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes) {
    wav2clip *config = to;
    CHL_TRY(chl_params_strip(params, "audio_encoder."));
    ignore_training(params);
    CHL_TRY(chl_resnet_import_trunk(params, &config->trunk));
    CHL_TRY(use_transform(params, config));
    CHL_TRY(add_filters(params));
    const chl_array *conv = chl_params_find(params, "conv1.weight");
    *sizes = (chl_audio_encoder_sizes){.embedding =
                                           config->hidden ? config->embedding : trunk_width(config),
                                       .trunk = trunk_width(config),
                                       .rows = BINS,
                                       .columns = chl_audio_spectrum_max_frames(&spectrum),
                                       .channels = (int)conv->desc.dim[1]};
    return CHL_OK;
}

/* --- a sound's picture ------------------------------------------------------------------------ */
/* (x - mean) / (deviation + 1e-9), the deviation that of a sample */
static void standardise(float *x, int64_t count) {
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i];
    const double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean);
    const double deviation = sqrt(square / (double)(count - 1)) + 1e-9;
    for (int64_t i = 0; i < count; i++) x[i] = (float)(((double)x[i] - mean) / deviation);
}

static chl_status picture_of(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                             float *picture, int *columns) {
    float *power;
    CHL_TRY(chl_audio_spectrum_power(encoder, &spectrum, sound, gain_db, &power, columns));
    for (int64_t t = 0; t < *columns; t++)
        for (int64_t k = 0; k < BINS; k++)
            picture[k * *columns + t] = logf(power[t * BINS + k] + 1e-7f);
    free(power);
    standardise(picture, (int64_t)BINS * *columns);
    return CHL_OK;
}

/* --- the network ------------------------------------------------------------------------------ */
static chl_tensor trunk(chl_net *net, const void *config, chl_tensor pictures) {
    return chl_resnet_trunk(net, &((const wav2clip *)config)->trunk, 1, pictures);
}

static chl_tensor head(chl_net *net, const void *config, chl_tensor features) {
    const wav2clip *c = config;
    if (!c->hidden) return features;
    const chl_tensor x =
        chl_net_linear(net, features, trunk_width(c), c->hidden, "audio_transform.sequential.0.");
    return chl_net_linear(net, chl_activate(net->graph, x, CHL_LEAKY_RELU, 0), c->hidden,
                          c->embedding, "audio_transform.sequential.3.");
}

const chl_audio_encoder_kind chl_kind_wav2clip = {
    .kind = {"a Wav2CLIP audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears =
        "sounds of any length at 16 kHz, of longer ones than 30 s the middle, all equally loud",
    .config_bytes = sizeof(wav2clip),
    .open = open,
    .picture = picture_of,
    .trunk = trunk,
    .head = head};
