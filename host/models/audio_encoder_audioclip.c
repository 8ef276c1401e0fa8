/* AudioCLIP's audio encoder [Guzhov et al. 2021, released code]: the power spectrum by trained
 * filters (1654 samples to a frame, 561 from one to the next), in decibels, as three bands of 341. */
#include "models/audio_spectrum.h"
#include "nets/esresnext.h"
#include <math.h>
#include <stdlib.h>

/* Samples are scaled from the whole numbers [-32768, 32767] to [-1, 1]. */
static const chl_audio_spectrum spectrum = {.rate = 44100,
                                            .taps = CHL_FBSP_TAPS,
                                            .hop = CHL_FBSP_HOP,
                                            .bins = CHL_FBSP_BINS,
                                            .scale = 65536 / 65535.0f,
                                            .offset = 1 / 65535.0f,
                                            .filters = CHL_FBSP_FILTERS};

static bool recognises(const chl_params *params) {
    return chl_params_find(params, "audio.fbsp.m") || chl_params_find(params, "fbsp.m");
}

/* A whole AudioCLIP holds a CLIP pair beside it. */
static chl_status leave_audio(chl_params *params) {
    if (!chl_params_find(params, "audio.fbsp.m")) return CHL_OK;
    chl_params_drop_all(params, "audio.", true);
    return chl_params_strip(params, "audio.");
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes) {
    chl_esresnext_config *config = to;
    CHL_TRY(leave_audio(params));
    chl_params_drop(params, "fbsp.bias"); /* the filters have none: it is empty */
    CHL_TRY(chl_esresnext_import(params, config));
    *sizes = (chl_audio_encoder_sizes){.embedding = config->embed,
                                       .trunk = config->out[CHL_ESRESNEXT_STAGES - 1],
                                       .rows = CHL_ESRESNEXT_CHANNELS * CHL_ESRESNEXT_ROWS,
                                       .columns = chl_audio_spectrum_max_frames(&spectrum),
                                       .channels = 1};
    return CHL_OK;
}

/* [341][columns][3]: pixel (row, frame) of channel c is bin 341 c + row. */
static chl_status picture_of(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                             float *picture, int *columns) {
    float *power;
    CHL_TRY(chl_audio_spectrum_power(encoder, &spectrum, sound, gain_db, &power, columns));
    for (int64_t row = 0; row < CHL_ESRESNEXT_ROWS; row++)
        for (int64_t t = 0; t < *columns; t++)
            for (int64_t c = 0; c < CHL_ESRESNEXT_CHANNELS; c++) {
                const float p = power[t * CHL_FBSP_BINS + c * CHL_ESRESNEXT_ROWS + row];
                picture[(row * *columns + t) * CHL_ESRESNEXT_CHANNELS + c] =
                    10 * log10f(p > 0 ? p : 1e-18f);
            }
    free(power);
    return CHL_OK;
}

static chl_desc input(int n, int columns) {
    return chl_f32(4, n, CHL_ESRESNEXT_ROWS, columns, CHL_ESRESNEXT_CHANNELS);
}

static chl_tensor trunk(chl_net *net, const void *config, chl_tensor pictures) {
    return chl_esresnext_trunk(net, config, pictures);
}

static chl_tensor head(chl_net *net, const void *config, chl_tensor features) {
    return chl_esresnext_head(net, config, features);
}

const chl_audio_encoder_kind chl_kind_audioclip = {
    .kind = {"AudioCLIP's audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears = "sounds of any length at 44.1 kHz, of longer ones than 30 s the middle",
    .config_bytes = sizeof(chl_esresnext_config),
    .open = open,
    .picture = picture_of,
    .hears_level = true,
    .input = input,
    .trunk = trunk,
    .head = head};
