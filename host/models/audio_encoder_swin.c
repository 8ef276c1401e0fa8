/* The paper's audio encoder: Swin sees the mel spectrogram as 224 x 224. */
#include "models/audio_encoder.h"
#include "nets/layers.h"
#include "nets/swin.h"
#include "sound/mel.h"

static bool recognises(const chl_params *params) {
    return chl_params_find(params, "patch_embed.proj.weight") ||
           chl_params_find(params, "feature_extractor.patch_embed.proj.weight");
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes) {
    chl_swin_config *config = to;
    CHL_TRY(chl_swin_import(params, config));
    if (config->resolution != CHL_MEL_SIDE)
        return chl_fail(
            CHL_ERR_UNSUPPORTED, "%s: the audio encoder looks at %d x %d, mel pictures are %d x %d",
            params->source, config->resolution, config->resolution, CHL_MEL_SIDE, CHL_MEL_SIDE);
    *sizes = (chl_audio_encoder_sizes){.embedding = config->classes,
                                       .trunk = chl_swin_width(config),
                                       .rows = CHL_MEL_SIDE,
                                       .columns = CHL_MEL_SIDE,
                                       .channels = config->channels};
    return CHL_OK;
}

static chl_tensor trunk(chl_net *net, const void *config, chl_tensor pictures) {
    return chl_swin_trunk(net, config, pictures);
}

static chl_tensor head(chl_net *net, const void *config, chl_tensor features) {
    return chl_swin_head(net, config, features);
}

const chl_audio_encoder_kind chl_kind_swin = {
    .kind = {"a Swin audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears = "ten seconds at 44.1 kHz: of a longer sound the middle",
    .config_bytes = sizeof(chl_swin_config),
    .open = open,
    .trunk = trunk,
    .head = head};
