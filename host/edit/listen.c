#include "edit/listen.h"
#include "io/sound.h"
#include "io/weights.h"
#include "sound/mel.h"
#include <math.h>

/* As the predecessor resizes, before it takes the rows for something else (listen.h). */
#define RESNET_ROWS 512
#define RESNET_COLUMNS 128

/* --- opening ---------------------------------------------------------------------------------- */
/* What this engine trains carries the marker; everything else was trained on ref=max pictures. */
static chl_mel_mode mel_mode_of(chl_params *params) {
    chl_array *marker = chl_params_find(params, "chladni.absolute_level");
    if (!marker) return CHL_MEL_COMPATIBLE;
    marker->used = true;
    return CHL_MEL_ABSOLUTE;
}

/* The predecessor has a convolution of its own in front of the network. */
static chl_status import(chl_engine *engine) {
    chl_params *params = engine->audio;
    engine->audio_is_resnet = chl_params_has(params, "conv.weight");
    int channels;
    if (engine->audio_is_resnet) {
        CHL_TRY(chl_resnet18_import(params, &engine->resnet_config));
        channels = engine->resnet_config.channels;
        engine->audio_embedding = engine->resnet_config.classes;
    } else {
        CHL_TRY(chl_swin_import(params, &engine->audio_config));
        channels = engine->audio_config.channels;
        engine->audio_embedding = engine->audio_config.classes;
        if (engine->audio_config.resolution != CHL_MEL_SIDE)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: the audio encoder looks at %d x %d, mel pictures are %d x %d",
                            params->source, engine->audio_config.resolution,
                            engine->audio_config.resolution, CHL_MEL_SIDE, CHL_MEL_SIDE);
    }
    CHL_TRY(chl_params_check_all_used(params));
    if (channels != 1)
        return chl_fail(CHL_ERR_SHAPE, "%s: takes pictures of %d channels, a mel picture has one",
                        params->source, channels);
    return CHL_OK;
}

chl_status chl_listen_open(chl_engine *engine, const chl_engine_options *options) {
    engine->mel = options->mel;
    if (!options->audio) return CHL_OK;
    CHL_TRY(chl_weights_read(options->audio, &engine->audio));
    const chl_mel_mode trained = mel_mode_of(engine->audio);
    if (engine->mel == CHL_MEL_AUTO) engine->mel = trained;
    CHL_TRY(import(engine));
    if (engine->clip && engine->clip_config.embed != engine->audio_embedding)
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s gives embeddings of %d numbers, %s of %d: they were not trained together",
            options->audio, engine->audio_embedding, options->clip, engine->clip_config.embed);
    return CHL_OK;
}

/* --- a sound's picture ------------------------------------------------------------------------ */
static chl_mel_size size_of(const chl_engine *engine) {
    return engine->audio_is_resnet ? (chl_mel_size){RESNET_ROWS, RESNET_COLUMNS}
                                   : (chl_mel_size){CHL_MEL_SIDE, CHL_MEL_SIDE};
}

int64_t chl_listen_pixels(const chl_engine *engine) {
    return (int64_t)size_of(engine).rows * size_of(engine).columns;
}

chl_status chl_listen_check(const chl_engine *engine, int64_t count, const float *gain_db) {
    CHL_TRY(chl_engine_need(engine->audio, "audio", "embedding a sound"));
    for (int64_t i = 0; gain_db && i < count; i++) {
        if (!isfinite(gain_db[i]))
            return chl_fail(CHL_ERR_ARGUMENT, "a gain of %g dB", (double)gain_db[i]);
        if (gain_db[i] != 0 && engine->mel == CHL_MEL_COMPATIBLE)
            return chl_fail(
                CHL_ERR_ARGUMENT,
                "%s hears every sound at its own maximum (compatible mode), so that a level "
                "changes nothing: use an audio encoder trained in absolute mode",
                engine->audio->source);
    }
    return CHL_OK;
}

typedef struct amplified {
    chl_sound *sound;
    float factor;
} amplified;

static chl_status read_amplified(void *user, float *out, int64_t want, int64_t *got) {
    const amplified *a = user;
    CHL_TRY(chl_sound_read(a->sound, out, want, got));
    for (int64_t i = 0; i < *got; i++) out[i] *= a->factor;
    return CHL_OK;
}

static chl_status rewind_amplified(void *user) {
    return chl_sound_rewind(((amplified *)user)->sound);
}

chl_status chl_listen_picture(const chl_engine *engine, const char *path, float gain_db,
                              float *picture) {
    amplified a = {.factor = powf(10, gain_db / 20)};
    CHL_TRY(chl_sound_open(path, &a.sound));
    const chl_wave_source source = {.samples = chl_sound_samples(a.sound),
                                    .read = read_amplified,
                                    .rewind = rewind_amplified,
                                    .user = &a};
    const chl_status status =
        chl_mel_picture_from(engine->device, &source, engine->mel, size_of(engine), picture);
    chl_sound_close(a.sound);
    return status;
}

/* --- the network ------------------------------------------------------------------------------ */
chl_tensor chl_listen(const chl_engine *engine, chl_net *audio, int n, chl_tensor *pictures) {
    chl_tensor embedding = CHL_NONE;
    if (engine->audio_is_resnet) { /* rows and columns by its names for them */
        *pictures =
            chl_input(audio->graph, "mel pictures", chl_f32(4, n, RESNET_COLUMNS, RESNET_ROWS, 1));
        chl_resnet18(audio, &engine->resnet_config, *pictures, NULL, &embedding);
    } else {
        *pictures =
            chl_input(audio->graph, "mel pictures", chl_f32(4, n, CHL_MEL_SIDE, CHL_MEL_SIDE, 1));
        chl_swin(audio, &engine->audio_config, *pictures, NULL, &embedding);
    }
    return embedding;
}
