/* Small random models, written as files, for tests of what the program does with models: they know nothing, but run fast
 * and read whole sounds. */
#ifndef CHL_TEST_SMALL_MODELS_H
#define CHL_TEST_SMALL_MODELS_H
#include "harness/parity.h"
#include "io/sound.h"
#include "nets/clip.h"
#include "nets/swin.h"
#include <stdbool.h>

static inline void save_model(chl_params *params, const char *path) {
    MUST(chl_weights_write_safetensors(params, path));
    chl_params_free(params);
}

/* CLIP for 32x32 pictures and short texts; `layers`: of its image tower */
static inline void save_small_clip(int layers, int embed, uint64_t seed, const char *path) {
    const chl_clip_config clip = {.image = {layers, 64, 2, 128},
                                  .text = {1, 64, 2, 128},
                                  .embed = embed,
                                  .resolution = 32,
                                  .patch = 16,
                                  .context = 16,
                                  .vocabulary = 714};
    chl_params *params;
    MUST(chl_clip_random(&clip, seed, &params));
    save_model(params, path);
}

/* a Swin audio encoder with one block per stage */
static inline void save_small_audio(int embed, uint64_t seed, const char *path) {
    const chl_swin_config audio = {.resolution = 224,
                                   .channels = 1,
                                   .patch = 4,
                                   .embed = 8,
                                   .classes = embed,
                                   .stages = 4,
                                   .depth = {1, 1, 1, 1},
                                   .heads = {1, 1, 2, 2}};
    chl_params *params;
    MUST(chl_swin_random(&audio, seed, &params));
    save_model(params, path);
}

/* false in a build without CHLADNI_MEDIA */
static inline bool reads_sounds(void) {
    float *wave;
    int64_t samples;
    if (chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples) != CHL_OK)
        return false;
    free(wave);
    return true;
}

/* the only test of a program that needs files of sounds, in a build that reads none */
static inline void skipped_without_files_of_sounds(void **unused) {
    (void)unused;
    skip();
}
#endif
