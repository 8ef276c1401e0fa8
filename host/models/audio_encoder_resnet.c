/* Residual networks as audio encoders. ResNet-18 is that of the paper's predecessor [Lee et al. 2022,
 * released code]: it sees 128 x 512 of the mel spectrogram, in an order of its own
 * (chl_resnet18_picture). ResNet-50 sees the mel picture of 224 x 224, as trained here: a supervised
 * baseline, or an encoder. */
#include "models/audio_encoder.h"
#include "nets/layers.h"
#include "nets/resnet18.h"
#include "sound/mel.h"

#define HEARS "ten seconds at 44.1 kHz: of a longer sound the middle"

static void set_sizes(const chl_resnet_config *config, int rows, int columns,
                      chl_audio_encoder_sizes *sizes) {
    *sizes = (chl_audio_encoder_sizes){.embedding = config->classes,
                                       .trunk = chl_resnet_width(config),
                                       .rows = rows,
                                       .columns = columns,
                                       .channels = config->channels};
}

static chl_tensor head(chl_net *net, const void *config, chl_tensor features) {
    return chl_resnet_head(net, config, features);
}

/* --- ResNet-18 -------------------------------------------------------------------------------- */
/* It has a convolution of its own in front of the network. */
static bool is_18(const chl_params *params) {
    return chl_params_find(params, "conv.weight") != NULL;
}

static chl_status open_18(chl_params *params, void *config, chl_audio_encoder_sizes *sizes) {
    CHL_TRY(chl_resnet18_import(params, config));
    set_sizes(config, CHL_RESNET18_BANDS, CHL_RESNET18_FRAMES, sizes);
    return CHL_OK;
}

/* Rows and columns by the predecessor's names for them. */
static chl_desc input_of_18(int n, int columns) {
    (void)columns; /* always the same */
    return chl_f32(4, n, CHL_RESNET18_FRAMES, CHL_RESNET18_BANDS, 1);
}

static chl_tensor trunk_of_18(chl_net *net, const void *config, chl_tensor pictures) {
    return chl_resnet18_trunk(net, config, pictures);
}

const chl_audio_encoder_kind chl_kind_resnet18 = {
    .kind = {"a ResNet-18 audio encoder", CHL_ROLE_AUDIO_ENCODER, is_18},
    .hears = HEARS,
    .config_bytes = sizeof(chl_resnet_config),
    .open = open_18,
    .input = input_of_18,
    .trunk = trunk_of_18,
    .head = head};

/* --- ResNet-50 -------------------------------------------------------------------------------- */
/* AudioCLIP's has bottlenecks too, behind a spectrum of its own. */
static bool is_50(const chl_params *params) {
    return chl_params_find(params, "layer1.0.conv3.weight") &&
           chl_params_find(params, "fc.weight") && !chl_params_find(params, "fbsp.m") &&
           !chl_params_find(params, "att1.conv.weight");
}

static chl_status open_50(chl_params *params, void *config, chl_audio_encoder_sizes *sizes) {
    CHL_TRY(chl_resnet_import(params, config));
    set_sizes(config, CHL_MEL_SIDE, CHL_MEL_SIDE, sizes);
    return CHL_OK;
}

static chl_tensor trunk_of_50(chl_net *net, const void *config, chl_tensor pictures) {
    return chl_resnet_trunk(net, config, 1, pictures);
}

const chl_audio_encoder_kind chl_kind_resnet50 = {
    .kind = {"a ResNet-50 audio encoder", CHL_ROLE_AUDIO_ENCODER, is_50},
    .hears = HEARS,
    .config_bytes = sizeof(chl_resnet_config),
    .open = open_50,
    .trunk = trunk_of_50,
    .head = head};
