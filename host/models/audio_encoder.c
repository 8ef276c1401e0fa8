#include "models/audio_encoder.h"
#include "base/options.h"
#include "sound/mel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- opening ---------------------------------------------------------------------------------- */
/* What this engine trains carries the marker; everything else was trained on ref=max pictures. */
static chl_mel_mode mel_mode_of(chl_params *params) {
    chl_array *marker = chl_params_find(params, "chladni.absolute_level");
    if (!marker) return CHL_MEL_COMPATIBLE;
    marker->used = true;
    return CHL_MEL_ABSOLUTE;
}

static chl_status check_sizes(const chl_audio_encoder *encoder, int channels) {
    const char *source = encoder->model.params->source;
    CHL_TRY(chl_params_check_all_used(encoder->model.params));
    if (channels != 1)
        return chl_fail(CHL_ERR_SHAPE, "%s: takes pictures of %d channels, a mel picture has one",
                        source, channels);
    if (encoder->sizes.embedding > CHL_MAX_EMBEDDING)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: an embedding must have at most %d numbers, got %d", source,
                        CHL_MAX_EMBEDDING, encoder->sizes.embedding);
    return CHL_OK;
}

chl_status chl_audio_encoder_new(const chl_model *model, const chl_audio_encoder_kind *kind,
                                 chl_mel_mode mel, chl_audio_encoder **out) {
    chl_model taken = *model;
    *out = NULL;
    chl_audio_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) {
        chl_model_close(&taken);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for an audio encoder");
    }
    encoder->model = taken;
    encoder->kind = kind;
    int channels;
    chl_status status;
    const chl_mel_mode trained = mel_mode_of(encoder->model.params);
    encoder->mel = mel == CHL_MEL_AUTO ? trained : mel;
    CHL_TRY_GOTO(
        encoder->kind->open(encoder->model.params, &encoder->config, &encoder->sizes, &channels));
    CHL_TRY_GOTO(check_sizes(encoder, channels));
    *out = encoder;
    return CHL_OK;
done:
    chl_audio_encoder_close(encoder);
    return status;
}

void chl_audio_encoder_close(chl_audio_encoder *encoder) {
    if (!encoder) return;
    chl_model_close(&encoder->model);
    free(encoder->config);
    free(encoder);
}

/* --- a sound's picture ------------------------------------------------------------------------ */
int64_t chl_audio_encoder_pixels(const chl_audio_encoder *encoder) {
    return (int64_t)encoder->sizes.rows * encoder->sizes.columns;
}

chl_status chl_audio_encoder_check(const chl_audio_encoder *encoder, int64_t count,
                                   const float *gain_db) {
    CHL_TRY(chl_need(encoder, "audio", "embedding a sound"));
    for (int64_t i = 0; gain_db && i < count; i++) {
        CHL_TRY(chl_check_float(isfinite(gain_db[i]), "gain_db", "finite", (double)gain_db[i]));
        if (gain_db[i] != 0 && encoder->mel == CHL_MEL_COMPATIBLE)
            return chl_fail(
                CHL_ERR_ARGUMENT,
                "%s hears every sound at its own maximum (compatible mode), so that a level "
                "changes nothing: use an audio encoder trained in absolute mode",
                encoder->model.params->source);
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

chl_status chl_audio_encoder_picture(const chl_audio_encoder *encoder, chl_sound *sound,
                                     float gain_db, float *picture) {
    amplified a = {.sound = sound, .factor = powf(10, gain_db / 20)};
    const chl_wave_source source = {.samples = chl_sound_samples(sound),
                                    .read = read_amplified,
                                    .rewind = rewind_amplified,
                                    .user = &a};
    const chl_mel_size size = {encoder->sizes.rows, encoder->sizes.columns};
    return chl_mel_picture_from(encoder->model.place.device, &source, encoder->mel, size, picture);
}

/* --- embeddings ------------------------------------------------------------------------------- */
static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    const chl_audio_encoder *encoder = owner;
    to->in[0] = chl_input(net->graph, "mel pictures", encoder->kind->input(key->n));
    to->out = encoder->kind->embed(net, encoder->config, to->in[0]);
}

chl_status chl_audio_encoder_embed(chl_audio_encoder *encoder, int n, const float *pictures,
                                   float *embeddings) {
    const chl_graph_key key = {.n = n};
    return chl_model_run(&encoder->model, &key, build, encoder,
                         (const void *const[CHL_GRAPH_INPUTS]){pictures}, embeddings);
}

chl_status chl_audio_encoder_embed_sound(chl_audio_encoder *encoder, chl_sound *sound,
                                         float gain_db, float *embedding) {
    float *picture = malloc(sizeof(float) * (size_t)chl_audio_encoder_pixels(encoder));
    if (!picture) return chl_fail(CHL_ERR_MEMORY, "out of memory for mel pictures");
    chl_status status = chl_audio_encoder_picture(encoder, sound, gain_db, picture);
    if (status == CHL_OK) status = chl_audio_encoder_embed(encoder, 1, picture, embedding);
    free(picture);
    return status;
}

static chl_status picture_of_file(const chl_audio_encoder *encoder, const char *path, float gain_db,
                                  float *picture) {
    chl_sound *sound;
    CHL_TRY(chl_sound_open(path, &sound));
    const chl_status status = chl_audio_encoder_picture(encoder, sound, gain_db, picture);
    chl_sound_close(sound);
    return status;
}

chl_status chl_audio_encoder_embed_files(chl_audio_encoder *encoder, int batch,
                                         const chl_sound_files *files, float *embeddings) {
    CHL_TRY(chl_audio_encoder_check(encoder, files->count, files->gain_db));
    const int64_t d = encoder->sizes.embedding, pixels = chl_audio_encoder_pixels(encoder);
    float *pictures = calloc((size_t)(batch * pixels), sizeof(float));
    float *out = malloc(sizeof(float) * (size_t)(batch * d));
    chl_status status = CHL_OK;
    if (!pictures || !out) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for mel pictures"));
    for (int64_t at = 0; at < files->count; at += batch) {
        const int64_t n = files->count - at < batch ? files->count - at : batch;
        for (int64_t i = 0; i < n; i++)
            CHL_TRY_GOTO(picture_of_file(encoder, files->path[at + i],
                                         files->gain_db ? files->gain_db[at + i] : 0,
                                         pictures + i * pixels));
        CHL_TRY_GOTO(chl_audio_encoder_embed(encoder, batch, pictures, out));
        memcpy(embeddings + at * d, out, sizeof(float) * (size_t)(n * d));
        if (files->after) CHL_TRY_GOTO(files->after(files->user, at + n));
    }
done:
    free(pictures);
    free(out);
    return status;
}
