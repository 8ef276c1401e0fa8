#include "models/registry.h"
#include "base/facts.h"
#include "io/weights.h"
#include "models/foreign.h"
#include <stdio.h>
#include <string.h>

/* Several of a role: the one that explains what a file lacks comes first. */
static const chl_model_kind *const kinds[] = {
    &chl_kind_stylegan2.kind,
    &chl_kind_stylegan3.kind,
    &chl_kind_swin.kind,
    &chl_kind_resnet18.kind,
    &chl_kind_resnet50.kind,
    &chl_kind_wav2clip.kind,
    &chl_kind_audioclip.kind,
    &chl_kind_clap.kind,
    &chl_kind_clap_fused.kind,
    &chl_kind_clip,
    &chl_kind_arcface,
    &chl_kind_e4e,
    &chl_kind_psp,
    &chl_kind_psp_last_map,
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const char *const role_name[] = {[CHL_ROLE_GENERATOR] = "a generator",
                                        [CHL_ROLE_CLIP] = "a CLIP pair",
                                        [CHL_ROLE_AUDIO_ENCODER] = "an audio encoder",
                                        [CHL_ROLE_FACE] = "a face encoder",
                                        [CHL_ROLE_STYLE_ENCODER] = "an encoder for inversion"};

/* The kind among those of `role` (any role: -1) that recognises the names behind `scope`. */
static const chl_model_kind *recognise(chl_params *params, const char *scope, int role) {
    const chl_model_kind *found = NULL;
    params->scope = scope;
    for (int i = 0; i < KINDS && !found; i++)
        if ((role < 0 || (int)kinds[i]->role == role) && kinds[i]->recognises(params))
            found = kinds[i];
    params->scope = NULL;
    return found;
}

/* --- wrappers --------------------------------------------------------------------------------- */
/* Trainers and compilers put a prefix before every name: "_orig_mod.", "module.", "model.",
 * "clip.model.", ... The first one is found behind which a kind recognises the names. */
#define PREFIX_LENGTH 128
#define PREFIX_PARTS 4

static const chl_model_kind *find_behind_prefix(chl_params *params, int role,
                                                char prefix[PREFIX_LENGTH]) {
    char tried[PREFIX_LENGTH] = "";
    for (int64_t i = 0; i < params->count; i++) {
        const char *name = params->array[i].name, *dot = name;
        for (int part = 0; part < PREFIX_PARTS && (dot = strchr(dot, '.')); part++) {
            const size_t length = (size_t)(++dot - name);
            if (length >= PREFIX_LENGTH) break;
            /* neighbours share their prefixes: most are not tried twice */
            if (strncmp(tried, name, length) == 0) continue;
            memcpy(prefix, name, length);
            prefix[length] = '\0';
            const chl_model_kind *found = recognise(params, prefix, role);
            if (found) return found;
        }
        snprintf(tried, sizeof tried, "%.*s", PREFIX_LENGTH - 1, name);
    }
    return NULL;
}

/* pSp and e4e files hold an encoder beside the generator, which is their decoder, and the options of the
 * encoder's training. */
static void leave_one(chl_params *params, const char *prefix) {
    const bool decoder = strcmp(prefix, "decoder.") == 0;
    if (!decoder && strcmp(prefix, "encoder.") != 0) return;
    chl_params_drop_all(params, decoder ? "encoder." : "decoder.", false);
    if (decoder) chl_params_drop_facts(params, "opts:");
}

static chl_status unwrap(chl_params *params, const char *prefix) {
    leave_one(params, prefix);
    chl_log(CHL_LOG_INFO, "%s: the prefix \"%s\" of its names is removed", params->source, prefix);
    return chl_params_strip(params, prefix);
}

/* --- which kind ------------------------------------------------------------------------------- */
/* Names without a prefix count first, of the wanted role before others, then the wanted role behind
 * one, then any role. NULL: none. */
static chl_status find_kind(chl_params *params, chl_model_role role, const chl_model_kind **out) {
    char prefix[PREFIX_LENGTH];
    *out = recognise(params, NULL, (int)role); /* an AudioCLIP is a CLIP pair too */
    if (!*out) *out = recognise(params, NULL, -1);
    if (*out) return CHL_OK;
    *out = find_behind_prefix(params, (int)role, prefix);
    if (*out) return unwrap(params, prefix);
    *out = find_behind_prefix(params, -1, prefix);
    return CHL_OK;
}

static const chl_model_kind *first_of(chl_model_role role) {
    int i = 0;
    while (kinds[i]->role != role) i++;
    return kinds[i];
}

/* What was opened, and for the error of a file that nobody recognises, the names that it has. */
typedef struct opened {
    chl_model model;
    const chl_model_kind *kind;
    char names[512]; /* empty: it was recognised */
    long long arrays;
} opened;

/* On failure nothing is left open. */
static chl_status read_as(const chl_model_place *place, chl_model_role role, const char *path,
                          opened *to) {
    chl_status status = chl_model_read(place, path, &to->model);
    to->names[0] = '\0';
    if (status != CHL_OK) return status;
    const char *foreign = chl_foreign_network(to->model.params);
    if (foreign)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_UNSUPPORTED,
                              "%s: holds %s, which is not supported, where %s is expected", path,
                              foreign, role_name[role]));
    CHL_TRY_GOTO(find_kind(to->model.params, role, &to->kind));
    if (to->kind && to->kind->role != role)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_KEY, "%s: holds %s, where %s is expected", path,
                              to->kind->name, role_name[role]));
    if (to->kind) return CHL_OK;
    to->kind = first_of(role);
    to->arrays = (long long)to->model.params->count;
    chl_params_list_names(to->model.params, to->names, sizeof to->names);
    return CHL_OK;
done:
    chl_model_close(&to->model);
    return status;
}

/* The kind's own error says which names it expects. */
static chl_status name_what_is_there(const opened *from, chl_status status) {
    char text[1024];
    if (status != CHL_ERR_KEY || !from->names[0]) return status;
    snprintf(text, sizeof text, "%s", chl_error());
    return chl_fail(status, "%s; the file has %lld keys, the first are %s", text, from->arrays,
                    from->names);
}

chl_status chl_generator_open(const chl_model_place *place, const char *path,
                              const chl_generator_settings *settings, chl_generator **out) {
    opened from;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_GENERATOR, path, &from));
    return name_what_is_there(
        &from,
        chl_generator_new(&from.model, (const chl_generator_kind *)from.kind, settings, out));
}

chl_status chl_clip_open(const chl_model_place *place, const char *path, const char *merges,
                         const chl_clip_settings *settings, chl_clip **out) {
    opened from;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_CLIP, path, &from));
    return name_what_is_there(&from, chl_clip_new(&from.model, merges, settings, out));
}

chl_status chl_audio_encoder_open(const chl_model_place *place, const char *path, chl_mel_mode mel,
                                  chl_audio_encoder **out) {
    opened from;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_AUDIO_ENCODER, path, &from));
    return name_what_is_there(
        &from,
        chl_audio_encoder_new(&from.model, (const chl_audio_encoder_kind *)from.kind, mel, out));
}

chl_status chl_face_open(const chl_model_place *place, const char *path, chl_face **out) {
    opened from;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_FACE, path, &from));
    return name_what_is_there(&from, chl_face_new(&from.model, out));
}

chl_status chl_style_encoder_open(const chl_model_place *place, const char *path,
                                  chl_style_encoder **out) {
    opened from;
    *out = NULL;
    CHL_TRY(read_as(place, CHL_ROLE_STYLE_ENCODER, path, &from));
    return name_what_is_there(&from, chl_style_encoder_new(&from.model, out));
}

/* --- what a file holds ------------------------------------------------------------------------ */
/* A kind that is recognised deeper inside of a network that is told already is a part of that one. */
static bool is_part(char told[][PREFIX_LENGTH], int count, const char *prefix) {
    for (int i = 0; i < count; i++)
        if (strlen(prefix) > strlen(told[i]) && strncmp(prefix, told[i], strlen(told[i])) == 0)
            return true;
    return false;
}

static void list_models(chl_params *params, char *text, size_t size) {
    char told[CHL_ROLES][PREFIX_LENGTH];
    size_t length = 0;
    int count = 0;
    for (int role = 0; role < CHL_ROLES; role++) {
        char *prefix = told[count];
        prefix[0] = '\0';
        const chl_model_kind *kind = recognise(params, NULL, role);
        if (!kind) kind = find_behind_prefix(params, role, prefix);
        if (!kind || is_part(told, count, prefix) || length >= size) continue;
        const char *hears =
            role == CHL_ROLE_AUDIO_ENCODER ? ((const chl_audio_encoder_kind *)kind)->hears : NULL;
        length += (size_t)snprintf(text + length, size - length, "%s%s%s%s%s", count++ ? ", " : "",
                                   kind->name, hears ? " (hears " : "", hears ? hears : "",
                                   hears ? ")" : "");
    }
}

chl_status chl_models_in(const char *path, char *text, size_t size) {
    chl_params *params;
    text[0] = '\0';
    CHL_TRY(chl_weights_read(path, &params));
    const char *foreign = chl_foreign_network(params);
    if (foreign)
        snprintf(text, size, "%s, which is not supported", foreign);
    else
        list_models(params, text, size);
    chl_params_free(params);
    return CHL_OK;
}
