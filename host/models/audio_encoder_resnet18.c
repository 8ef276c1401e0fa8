/* The audio encoder of the paper's predecessor [Lee et al. 2022, released code]: ResNet-18 sees
 * 128 x 512 of the mel spectrogram, in an order of its own (chl_resnet18_picture). */
#include "models/audio_encoder.h"
#include "nets/resnet18.h"

/* It has a convolution of its own in front of the network. */
static bool recognises(const chl_params *params) {
    return chl_params_find(params, "conv.weight") != NULL;
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes,
                       int *channels) {
    chl_resnet_config *config = to;
    CHL_TRY(chl_resnet18_import(params, config));
    *sizes = (chl_audio_encoder_sizes){config->classes, CHL_RESNET18_BANDS, CHL_RESNET18_FRAMES};
    *channels = config->channels;
    return CHL_OK;
}

/* Rows and columns by the predecessor's names for them. */
static chl_desc input(int n, int columns) {
    (void)columns; /* always the same */
    return chl_f32(4, n, CHL_RESNET18_FRAMES, CHL_RESNET18_BANDS, 1);
}

static chl_tensor embed(chl_net *net, const void *config, chl_tensor pictures) {
    chl_tensor embedding = CHL_NONE;
    chl_resnet18(net, config, pictures, NULL, &embedding);
    return embedding;
}

const chl_audio_encoder_kind chl_kind_resnet18 = {
    .kind = {"a ResNet-18 audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears = "ten seconds at 44.1 kHz: of a longer sound the middle",
    .config_bytes = sizeof(chl_resnet_config),
    .open = open,
    .input = input,
    .embed = embed};
