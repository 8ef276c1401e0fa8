/* The public header's embeddings. */
#include "models/engine.h"

chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding) {
    return chl_embed_sound_level(engine, path, 0, embedding);
}

chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                 float *embedding) {
    const chl_sound_files files = {.count = 1, .path = &path, .gain_db = &gain_db};
    return chl_audio_encoder_embed_files(engine->audio, 1, &files, embedding);
}

chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding) {
    return chl_clip_embed_texts(engine->clip, 1, 1, &utf8, embedding);
}

static chl_status check_pixels(int height, int width) {
    if (height > 0 && width > 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "a picture of %d x %d pixels", width, height);
}

chl_status chl_embed_picture(chl_engine *engine, int height, int width, const float *pixels,
                             float *embedding) {
    CHL_TRY(chl_clip_need_pictures(engine->clip, "embedding a picture"));
    CHL_TRY(check_pixels(height, width));
    return chl_clip_embed_picture(engine->clip, height, width, pixels, embedding);
}

chl_status chl_embed_face(chl_engine *engine, int height, int width, const float *pixels,
                          float *embedding) {
    CHL_TRY(chl_need(engine->face, "face", "embedding a face"));
    CHL_TRY(check_pixels(height, width));
    return chl_face_embed(engine->face, height, width, pixels, embedding);
}
