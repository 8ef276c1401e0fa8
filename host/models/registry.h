/* What kinds of models there are: opens a weight file as the kind that its names say it is.
 *
 *     const chl_model_place place = {.device = device, .precision = CHL_F32};
 *     const chl_generator_settings settings = {0};
 *     chl_generator *generator;
 *     CHL_TRY(chl_generator_open(&place, "ffhq.pkl", &settings, &generator));
 *     ... generator.h ...
 *     chl_generator_close(generator);
 *
 * To add a kind: write its table of functions (as generator_stylegan2.c does) and list it in
 * registry.c.
 *
 * A file that holds a model of another role is CHL_ERR_KEY, and the text says what it holds. One
 * that no kind recognises is opened as the first kind of the role, whose reader says which keys are
 * missing. Keys that are unknown or of a wrong shape are errors too. */
#ifndef CHL_MODELS_REGISTRY_H
#define CHL_MODELS_REGISTRY_H
#include "models/audio_encoder.h"
#include "models/clip.h"
#include "models/face.h"
#include "models/generator.h"
#include "models/style_encoder.h"

chl_status chl_generator_open(const chl_model_place *place, const char *path,
                              const chl_generator_settings *settings, chl_generator **out);
/* A file may hold one tower only. merges: CLIP's BPE merges, or NULL. */
chl_status chl_clip_open(const chl_model_place *place, const char *path, const char *merges,
                         const chl_clip_settings *settings, chl_clip **out);
/* `mel` AUTO: absolute for encoders that were trained by this engine, compatible for others. */
chl_status chl_audio_encoder_open(const chl_model_place *place, const char *path, chl_mel_mode mel,
                                  chl_audio_encoder **out);
chl_status chl_face_open(const chl_model_place *place, const char *path, chl_face **out);
chl_status chl_style_encoder_open(const chl_model_place *place, const char *path,
                                  chl_style_encoder **out);

/* What a file holds, by the names of its arrays: "a StyleGAN2 generator, an e4e encoder for inversion", and
 * of sounds what an audio encoder hears: "a Swin audio encoder (hears ten seconds at 44.1 kHz: ...)"; ""
 * where no kind recognises them. */
chl_status chl_models_in(const char *path, char *text, size_t size);
#endif
