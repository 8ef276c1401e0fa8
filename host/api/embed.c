/* The public header's embeddings. */
#include "base/options.h"
#include "models/engine.h"

/* Sounds, texts or pictures that calls for many put into one run of a network. */
#define SOUNDS_AT_ONCE 8
#define TEXTS_AT_ONCE 32
#define PICTURES_AT_ONCE 32

static int at_once(int64_t count, int most) {
    return count < most ? (int)count : most;
}

static chl_status check_count(int64_t count) {
    return chl_check_int(count >= 0, "count", ">= 0", count);
}

/* --- sounds ----------------------------------------------------------------------------------- */
static chl_status embed_files(chl_engine *engine, int batch, const chl_sound_files *files,
                              float *embeddings) {
    const chl_log_sink before = chl_log_divert(engine->log);
    CHL_TRY(chl_log_restore(
        before, chl_audio_encoder_embed_files(engine->audio, batch, files, embeddings)));
    chl_sound_texts_apply(engine->sound_texts, files->count, embeddings);
    return CHL_OK;
}

chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding) {
    CHL_NEEDS(engine, path, embedding);
    return chl_embed_sound_level(engine, path, 0, embedding);
}

chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                 float *embedding) {
    CHL_NEEDS(engine, path, embedding);
    const chl_sound_files files = {.count = 1, .path = &path, .gain_db = &gain_db};
    return embed_files(engine, 1, &files, embedding);
}

chl_status chl_embed_sounds(chl_engine *engine, int64_t count, const char *const *paths,
                            const float *gain_db, float *embeddings) {
    const chl_sound_files files = {.count = count, .path = paths, .gain_db = gain_db};
    CHL_NEEDS(engine, paths, embeddings);
    CHL_TRY(check_count(count));
    CHL_TRY(chl_check_texts(__func__, "paths", count, paths));
    return embed_files(engine, at_once(count, SOUNDS_AT_ONCE), &files, embeddings);
}

chl_status chl_embed_sound_samples(chl_engine *engine, int rate, int channels, int64_t frames,
                                   const float *samples, float gain_db, float *embedding) {
    CHL_NEEDS(engine, samples, embedding);
    chl_sound *sound;
    CHL_TRY(chl_audio_encoder_check(engine->audio, 1, &gain_db));
    CHL_TRY(chl_sound_open_samples(rate, channels, frames, samples, "samples", &sound));
    const chl_log_sink before = chl_log_divert(engine->log);
    const chl_status status = chl_log_restore(
        before, chl_audio_encoder_embed_sound(engine->audio, sound, gain_db, embedding));
    chl_sound_close(sound);
    if (status == CHL_OK) chl_sound_texts_apply(engine->sound_texts, 1, embedding);
    return status;
}

/* --- texts ------------------------------------------------------------------------------------ */
static chl_status embed_texts(chl_engine *engine, int batch, int64_t count, const char *const *utf8,
                              float *embeddings) {
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before,
                           chl_clip_embed_texts(engine->clip, batch, count, utf8, embeddings));
}

chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding) {
    CHL_NEEDS(engine, utf8, embedding);
    return embed_texts(engine, 1, 1, &utf8, embedding);
}

chl_status chl_embed_texts(chl_engine *engine, int64_t count, const char *const *utf8,
                           float *embeddings) {
    CHL_NEEDS(engine, utf8, embeddings);
    CHL_TRY(check_count(count));
    CHL_TRY(chl_check_texts(__func__, "utf8", count, utf8));
    return embed_texts(engine, at_once(count, TEXTS_AT_ONCE), count, utf8, embeddings);
}

/* --- pictures --------------------------------------------------------------------------------- */
/* A picture has at most as many numbers as an int counts, and all of them at most as an int64_t. */
static chl_status check_pixels(const char *function, int64_t count, int height, int width,
                               const float *pixels) {
    CHL_TRY(chl_check_int(height > 0, "height", "> 0", height));
    CHL_TRY(chl_check_int(width > 0, "width", "> 0", width));
    const int64_t each = 3 * (int64_t)height * width;
    CHL_TRY(chl_check_int(each <= INT32_MAX, "height * width", "<= 715827882",
                          (int64_t)height * width));
    CHL_TRY(chl_check_int(count <= INT64_MAX / each / (int64_t)sizeof(float), "count",
                          "a number of pictures that fit into memory", count));
    return chl_check_finite(function, "pixels", pixels, count * each);
}

static chl_status embed_pictures(const char *function, chl_engine *engine, int64_t count,
                                 int height, int width, const float *pixels, float *embeddings) {
    CHL_TRY(chl_clip_need_pictures(engine->clip, "embedding a picture"));
    CHL_TRY(check_pixels(function, count, height, width, pixels));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(
        before, chl_clip_embed_equal_pictures(engine->clip, at_once(count, PICTURES_AT_ONCE), count,
                                              height, width, pixels, embeddings));
}

chl_status chl_embed_picture(chl_engine *engine, int height, int width, const float *pixels,
                             float *embedding) {
    CHL_NEEDS(engine, pixels, embedding);
    return embed_pictures(__func__, engine, 1, height, width, pixels, embedding);
}

chl_status chl_embed_pictures(chl_engine *engine, int64_t count, int height, int width,
                              const float *pixels, float *embeddings) {
    CHL_NEEDS(engine, pixels, embeddings);
    CHL_TRY(check_count(count));
    return embed_pictures(__func__, engine, count, height, width, pixels, embeddings);
}

chl_status chl_embed_face(chl_engine *engine, int height, int width, const float *pixels,
                          float *embedding) {
    CHL_NEEDS(engine, pixels, embedding);
    CHL_TRY(chl_need(engine->face, "face", "embedding a face"));
    CHL_TRY(check_pixels(__func__, 1, height, width, pixels));
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, chl_face_embed(engine->face, height, width, pixels, embedding));
}
