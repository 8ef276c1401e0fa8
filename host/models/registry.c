#include "models/registry.h"

/* Several of a role: the one that explains what a file lacks comes first. */
static const chl_model_kind *const kinds[] = {
    &chl_kind_stylegan2.kind, &chl_kind_swin.kind, &chl_kind_resnet18.kind,
    &chl_kind_clip,           &chl_kind_arcface,
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const char *const role_name[] = {[CHL_ROLE_GENERATOR] = "a generator",
                                        [CHL_ROLE_CLIP] = "a CLIP pair",
                                        [CHL_ROLE_AUDIO_ENCODER] = "an audio encoder",
                                        [CHL_ROLE_FACE] = "a face encoder"};

static const chl_model_kind *kind_of(const chl_params *params, chl_model_role role) {
    const chl_model_kind *first = NULL;
    for (int i = 0; i < KINDS; i++) {
        if (kinds[i]->recognises(params)) return kinds[i];
        if (!first && kinds[i]->role == role) first = kinds[i];
    }
    return first;
}

/* On failure nothing is left open. */
static chl_status read_as(const chl_model_place *place, chl_model_role role, const char *path,
                          chl_model *model, const chl_model_kind **kind) {
    CHL_TRY(chl_model_read(place, path, model));
    *kind = kind_of(model->params, role);
    if ((*kind)->role == role) return CHL_OK;
    chl_model_close(model);
    return chl_fail(CHL_ERR_KEY, "%s: holds %s, where %s is expected", path, (*kind)->name,
                    role_name[role]);
}

chl_status chl_generator_open(const chl_model_place *place, const char *path,
                              const chl_generator_settings *settings, chl_generator **out) {
    chl_model model;
    const chl_model_kind *kind;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_GENERATOR, path, &model, &kind));
    return chl_generator_new(&model, (const chl_generator_kind *)kind, settings, out);
}

chl_status chl_clip_open(const chl_model_place *place, const char *path, const char *merges,
                         const chl_clip_settings *settings, chl_clip **out) {
    chl_model model;
    const chl_model_kind *kind;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_CLIP, path, &model, &kind));
    return chl_clip_new(&model, merges, settings, out);
}

chl_status chl_audio_encoder_open(const chl_model_place *place, const char *path, chl_mel_mode mel,
                                  chl_audio_encoder **out) {
    chl_model model;
    const chl_model_kind *kind;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_AUDIO_ENCODER, path, &model, &kind));
    return chl_audio_encoder_new(&model, (const chl_audio_encoder_kind *)kind, mel, out);
}

chl_status chl_face_open(const chl_model_place *place, const char *path, chl_face **out) {
    chl_model model;
    const chl_model_kind *kind;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_FACE, path, &model, &kind));
    return chl_face_new(&model, out);
}
