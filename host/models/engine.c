#include "models/engine.h"
#include "base/options.h"
#include "runtime/open.h"
#include <stdlib.h>

/* Merges without a CLIP are of no use, but a file that cannot be read is an error all the same. */
static chl_status try_merges(const char *vocab) {
    chl_tokenizer *tokenizer;
    CHL_TRY(chl_tokenizer_open(vocab, &tokenizer));
    chl_tokenizer_free(tokenizer);
    return CHL_OK;
}

static chl_status open_generator(chl_engine *engine, const chl_engine_options *options) {
    if (!options->generator) return CHL_OK;
    const chl_generator_settings settings = {.conv_clamp = options->conv_clamp,
                                             .class_number = (int)options->generator_class};
    return chl_generator_open(&engine->place, options->generator, &settings, &engine->generator);
}

static chl_status open_clip(chl_engine *engine, const chl_engine_options *options) {
    if (!options->clip) return options->vocab ? try_merges(options->vocab) : CHL_OK;
    const chl_clip_settings settings = {.gelu = (chl_clip_gelu)options->clip_exact_gelu,
                                        .image_heads = options->clip_image_heads,
                                        .text_heads = options->clip_text_heads,
                                        .resize = options->clip_compatible ? CHL_CLIP_COMPATIBLE
                                                                           : CHL_CLIP_AREA};
    return chl_clip_open(&engine->place, options->clip, options->vocab, &settings, &engine->clip);
}

/* CLAP's space is its own. */
static chl_status check_space(const chl_engine *engine, const chl_engine_options *options) {
    const bool of_clap = engine->clip && engine->clip->clap;
    const char *kind = engine->audio->kind->kind.name;
    if (engine->clip && engine->audio->class_name)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "%s is a classifier, trained on labels: it shares no space with %s: expected "
            "an audio encoder that was trained into that space",
            options->audio, options->clip);
    if (!engine->clip || engine->audio->kind->own_space == of_clap) return CHL_OK;
    if (of_clap)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s is %s: its embeddings lie in another space than those of CLAP's text "
                        "encoder, %s: expected CLAP's audio encoder",
                        options->audio, kind, options->clip);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s is %s: its embeddings lie in a space of their own, which %s does not "
                    "share: expected an audio encoder that was trained into CLIP's space",
                    options->audio, kind, options->clip);
}

static chl_status open_audio(chl_engine *engine, const chl_engine_options *options) {
    if (!options->audio) return CHL_OK;
    CHL_TRY(chl_audio_encoder_open(&engine->place, options->audio, options->mel, &engine->audio));
    CHL_TRY(check_space(engine, options));
    if (engine->clip && engine->clip->config.embed != engine->audio->sizes.embedding)
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s gives embeddings of %d numbers, %s of %d: they were not trained together",
            options->audio, engine->audio->sizes.embedding, options->clip,
            engine->clip->config.embed);
    return CHL_OK;
}

static chl_status open_face(chl_engine *engine, const chl_engine_options *options) {
    if (!options->face) return CHL_OK;
    return chl_face_open(&engine->place, options->face, &engine->face);
}

static chl_status open_encoder(chl_engine *engine, const chl_engine_options *options) {
    if (!options->encoder) return CHL_OK;
    CHL_TRY(chl_style_encoder_open(&engine->place, options->encoder, &engine->encoder));
    if (!engine->generator) return CHL_OK;
    return chl_style_encoder_fits(engine->encoder, engine->generator);
}

static chl_status open_sound_texts(chl_engine *engine, const chl_engine_options *options) {
    const float temperature = options->sound_texts_temperature, own = options->sound_own_share;
    if (!options->sound_texts) {
        CHL_TRY(chl_check_float(temperature == 0, "sound_texts_temperature",
                                "0 without texts (set sound_texts)", (double)temperature));
        return chl_check_float(own == 0, "sound_own_share", "0 without texts (set sound_texts)",
                               (double)own);
    }
    CHL_TRY(chl_need(engine->audio, "audio", "telling sounds by texts"));
    return chl_sound_texts_open(engine->clip, options->sound_texts, temperature, own,
                                &engine->sound_texts);
}

static chl_status open_all(chl_engine *engine, const chl_engine_options *options) {
    CHL_TRY(chl_model_place_open(options->device, options->precision, &engine->place));
    CHL_TRY(open_generator(engine, options));
    CHL_TRY(open_clip(engine, options));
    CHL_TRY(open_audio(engine, options));
    CHL_TRY(open_sound_texts(engine, options));
    CHL_TRY(open_face(engine, options));
    return open_encoder(engine, options);
}

chl_status chl_models_open(const chl_engine_options *options, chl_engine **out) {
    *out = NULL;
    chl_engine *engine = calloc(1, sizeof *engine);
    if (!engine) return chl_fail(CHL_ERR_MEMORY, "out of memory for an engine");
    engine->log = (chl_log_sink){options->log, options->log_user};
    const chl_log_sink before = chl_log_divert(engine->log);
    CHL_HAND_OVER(chl_log_restore(before, open_all(engine, options)), engine, out,
                  chl_models_close);
}

void chl_models_close(chl_engine *engine) {
    if (!engine) return;
    chl_generator_close(engine->generator);
    chl_clip_close(engine->clip);
    chl_audio_encoder_close(engine->audio);
    chl_face_close(engine->face);
    chl_style_encoder_close(engine->encoder);
    chl_sound_texts_close(engine->sound_texts);
    chl_device_close(engine->place.device);
    free(engine);
}

chl_engine_sizes chl_models_sizes(const chl_engine *engine) {
    chl_engine_sizes sizes = {0};
    if (engine->generator) {
        sizes.picture = engine->generator->sizes.picture;
        sizes.rows = engine->generator->sizes.rows;
        sizes.latent = engine->generator->sizes.latent;
        sizes.z = engine->generator->sizes.z;
    }
    if (engine->clip)
        sizes.embedding = engine->clip->config.embed;
    else if (engine->audio)
        sizes.embedding = engine->audio->sizes.embedding;
    if (engine->face) sizes.face = engine->face->config.embed;
    return sizes;
}

chl_status chl_models_graph(const chl_engine *engine, chl_graph **out) {
    CHL_TRY(chl_graph_new(engine->place.device, out));
    chl_graph_precision(*out, engine->place.precision);
    return CHL_OK;
}
