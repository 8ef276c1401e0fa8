/* ResNet-50 on the mel picture of 224 x 224, as trained here: a supervised baseline, or an encoder. */
#include "models/audio_encoder.h"
#include "nets/resnet.h"
#include "sound/mel.h"

/* AudioCLIP's has bottlenecks too, behind a spectrum of its own. */
static bool recognises(const chl_params *params) {
    return chl_params_find(params, "layer1.0.conv3.weight") &&
           chl_params_find(params, "fc.weight") && !chl_params_find(params, "fbsp.m") &&
           !chl_params_find(params, "att1.conv.weight");
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes,
                       int *channels) {
    chl_resnet_config *config = to;
    CHL_TRY(chl_resnet_import(params, config));
    *sizes = (chl_audio_encoder_sizes){config->classes, CHL_MEL_SIDE, CHL_MEL_SIDE};
    *channels = config->channels;
    return CHL_OK;
}

static chl_tensor embed(chl_net *net, const void *config, chl_tensor pictures) {
    chl_tensor embedding = CHL_NONE;
    chl_resnet(net, config, 1, pictures, NULL, &embedding);
    return embedding;
}

const chl_audio_encoder_kind chl_kind_resnet50 = {
    .kind = {"a ResNet-50 audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears = "ten seconds at 44.1 kHz: of a longer sound the middle",
    .config_bytes = sizeof(chl_resnet_config),
    .open = open,
    .embed = embed};
