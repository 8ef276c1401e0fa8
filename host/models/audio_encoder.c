#include "models/audio_encoder.h"
#include "base/options.h"
#include "nets/class_names.h"
#include "nets/layers.h"
#include "sound/mel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- opening ---------------------------------------------------------------------------------- */
static bool is_marked(chl_params *params, const char *name) {
    chl_array *marker = chl_params_find(params, name);
    if (marker) marker->used = true;
    return marker;
}

/* What this engine trains carries a marker; everything else was trained on ref=max pictures. */
static chl_mel_mode mel_mode_of(chl_params *params) {
    const bool repeated = is_marked(params, CHL_MARKER_REPEATED);
    if (!is_marked(params, CHL_MARKER_ABSOLUTE)) return CHL_MEL_COMPATIBLE;
    return repeated ? CHL_MEL_REPEATED : CHL_MEL_ABSOLUTE;
}

static chl_status settle_mel(chl_audio_encoder *encoder, chl_mel_mode mel) {
    const chl_audio_encoder_kind *kind = encoder->kind;
    const chl_mel_mode trained = mel_mode_of(encoder->model.params);
    encoder->mel = mel == CHL_MEL_AUTO ? trained : mel;
    if (!kind->picture) return CHL_OK;
    if (mel != CHL_MEL_AUTO)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "mel must be auto with %s, which is %s: it makes its own picture of a sound",
            encoder->model.params->source, kind->kind.name);
    encoder->mel = kind->hears_level ? CHL_MEL_ABSOLUTE : CHL_MEL_COMPATIBLE;
    return CHL_OK;
}

static bool has_any(const chl_params *params, const char *prefix) {
    for (int64_t i = 0; i < params->count; i++)
        if (strncmp(params->array[i].name, prefix, strlen(prefix)) == 0) return true;
    return false;
}

static chl_status take_classes(chl_audio_encoder *encoder) {
    chl_params *params = encoder->model.params;
    if (!has_any(params, CHL_CLASS_PREFIX)) return CHL_OK;
    const int classes = encoder->sizes.embedding;
    encoder->class_name = calloc((size_t)classes, sizeof *encoder->class_name);
    if (!encoder->class_name) return chl_fail(CHL_ERR_MEMORY, "out of memory for a classifier");
    CHL_TRY(chl_class_names_take(params, CHL_CLASS_PREFIX, classes, encoder->class_name));
    return has_any(params, CHL_SPLIT_PREFIX)
               ? chl_class_names_take(params, CHL_SPLIT_PREFIX, 1, &encoder->split)
               : CHL_OK;
}

static chl_status check_sizes(const chl_audio_encoder *encoder) {
    const char *source = encoder->model.params->source;
    CHL_TRY(chl_params_check_all_used(encoder->model.params));
    if (encoder->sizes.channels != 1)
        return chl_fail(CHL_ERR_SHAPE, "%s: takes pictures of %d channels, a mel picture has one",
                        source, encoder->sizes.channels);
    if (encoder->sizes.embedding > CHL_MAX_EMBEDDING)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: an embedding must have at most %d numbers, got %d", source,
                        CHL_MAX_EMBEDDING, encoder->sizes.embedding);
    return CHL_OK;
}

chl_status chl_audio_encoder_new(const chl_model *model, const chl_audio_encoder_kind *kind,
                                 chl_mel_mode mel, chl_audio_encoder **out) {
    *out = NULL;
    chl_audio_encoder *encoder = chl_model_take(model, sizeof *encoder);
    if (!encoder) return chl_fail(CHL_ERR_MEMORY, "out of memory for an audio encoder");
    encoder->kind = kind;
    encoder->config = calloc(1, kind->config_bytes);
    chl_status status;
    if (!encoder->config)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for an audio encoder"));
    CHL_TRY_GOTO(settle_mel(encoder, mel));
    CHL_TRY_GOTO(kind->open(encoder->model.params, encoder->config, &encoder->sizes));
    CHL_TRY_GOTO(take_classes(encoder));
    CHL_TRY_GOTO(check_sizes(encoder));
done:
    CHL_HAND_OVER(status, encoder, out, chl_audio_encoder_close);
}

void chl_audio_encoder_close(chl_audio_encoder *encoder) {
    if (!encoder) return;
    chl_model_close(&encoder->model);
    free(encoder->config);
    free(encoder->class_name);
    free(encoder);
}

chl_desc chl_audio_encoder_input(const chl_audio_encoder *encoder, int n, int columns) {
    if (encoder->kind->input) return encoder->kind->input(n, columns);
    return chl_f32(4, n, encoder->sizes.rows, columns, 1);
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
            return chl_fail(CHL_ERR_ARGUMENT,
                            "%s hears every sound at its own maximum (%s), so that a level "
                            "changes nothing: use an audio encoder trained in absolute mode",
                            encoder->model.params->source,
                            encoder->kind->picture ? encoder->kind->kind.name : "compatible mode");
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

static chl_status mel_picture(const chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                              float *picture, int *columns) {
    amplified a = {.sound = sound, .factor = powf(10, gain_db / 20)};
    const chl_wave_source source = {.samples = chl_sound_samples(sound),
                                    .read = read_amplified,
                                    .rewind = rewind_amplified,
                                    .user = &a};
    const chl_mel_size size = {encoder->sizes.rows, encoder->sizes.columns};
    *columns = size.columns;
    return chl_mel_picture_from(encoder->model.place.device, &source, encoder->mel, size, picture);
}

chl_status chl_audio_encoder_picture(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                                     float *picture, int *columns) {
    if (encoder->kind->picture)
        return encoder->kind->picture(encoder, sound, gain_db, picture, columns);
    return mel_picture(encoder, sound, gain_db, picture, columns);
}

/* --- embeddings ------------------------------------------------------------------------------- */
chl_tensor chl_audio_encoder_nodes(const chl_audio_encoder *encoder, chl_net *net,
                                   chl_tensor pictures) {
    const chl_tensor features = encoder->kind->trunk(net, encoder->config, pictures);
    return chl_unit_rows(net->graph, encoder->kind->head(net, encoder->config, features));
}

static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    const chl_audio_encoder *encoder = owner;
    to->in[0] = chl_input(net->graph, "pictures of sounds",
                          chl_audio_encoder_input(encoder, key->n, key->width));
    to->out = key->use == CHL_AUDIO_TRUNK ? encoder->kind->trunk(net, encoder->config, to->in[0])
                                          : chl_audio_encoder_nodes(encoder, net, to->in[0]);
}

static chl_status run_network(chl_audio_encoder *encoder, int use, int n, int columns,
                              const float *pictures, float *out) {
    const chl_graph_key key = {.use = use, .n = n, .width = columns};
    return chl_model_run(&encoder->model, &key, build, encoder,
                         (const void *const[CHL_GRAPH_INPUTS]){pictures}, out);
}

chl_status chl_audio_encoder_embed(chl_audio_encoder *encoder, int n, int columns,
                                   const float *pictures, float *embeddings) {
    return run_network(encoder, CHL_AUDIO_NETWORK, n, columns, pictures, embeddings);
}

chl_status chl_audio_encoder_embed_sound(chl_audio_encoder *encoder, chl_sound *sound,
                                         float gain_db, float *embedding) {
    int columns;
    float *picture = malloc(sizeof(float) * (size_t)chl_audio_encoder_pixels(encoder));
    if (!picture) return chl_fail(CHL_ERR_MEMORY, "out of memory for pictures of sounds");
    chl_status status = chl_audio_encoder_picture(encoder, sound, gain_db, picture, &columns);
    if (status == CHL_OK) status = chl_audio_encoder_embed(encoder, 1, columns, picture, embedding);
    free(picture);
    return status;
}

/* --- many files ------------------------------------------------------------------------------- */
/* Pictures of equally many columns that wait for a run. */
typedef struct file_run {
    chl_audio_encoder *encoder;
    const chl_sound_files *files;
    int batch;
    int width;             /* of a row of what comes out */
    float *pictures, *out; /* [batch]; [batch][width] */
    int waiting, columns;  /* of each that waits */
    int64_t done;
    float *embeddings; /* of all files */
} file_run;

static chl_status picture_of_file(file_run *r, int64_t file, float *picture, int *columns) {
    const chl_sound_files *files = r->files;
    chl_sound *sound;
    CHL_TRY(files->open ? files->open(files->user, file, &sound)
                        : chl_sound_open(files->path[file], &sound));
    const chl_status status = chl_audio_encoder_picture(
        r->encoder, sound, files->gain_db ? files->gain_db[file] : 0, picture, columns);
    if (files->open)
        files->close(files->user, sound);
    else
        chl_sound_close(sound);
    return status;
}

static int64_t place_of(const file_run *r, int i) {
    return (int64_t)i * r->encoder->sizes.rows * r->columns;
}

static chl_status run_waiting(file_run *r) {
    const int64_t d = r->width;
    const int use = r->files->of_trunk ? CHL_AUDIO_TRUNK : CHL_AUDIO_NETWORK;
    if (r->waiting == 0) return CHL_OK;
    CHL_TRY(run_network(r->encoder, use, r->batch, r->columns, r->pictures, r->out));
    memcpy(r->embeddings + r->done * d, r->out, sizeof(float) * (size_t)(r->waiting * d));
    r->done += r->waiting;
    r->waiting = 0;
    return r->files->after ? r->files->after(r->files->user, r->done) : CHL_OK;
}

static chl_status add_file(file_run *r, int64_t file) {
    float *picture = r->pictures + place_of(r, r->waiting);
    int columns;
    CHL_TRY(picture_of_file(r, file, picture, &columns));
    if (columns != r->columns) {
        CHL_TRY(run_waiting(r));
        r->columns = columns;
        memmove(r->pictures, picture, sizeof *picture * (size_t)place_of(r, 1));
    }
    r->waiting++;
    return r->waiting == r->batch ? run_waiting(r) : CHL_OK;
}

chl_status chl_audio_encoder_embed_files(chl_audio_encoder *encoder, int batch,
                                         const chl_sound_files *files, float *embeddings) {
    CHL_TRY(chl_audio_encoder_check(encoder, files->count, files->gain_db));
    const size_t pixels = (size_t)chl_audio_encoder_pixels(encoder);
    const chl_audio_encoder_sizes *sizes = &encoder->sizes;
    file_run run = {.encoder = encoder,
                    .files = files,
                    .batch = batch,
                    .width = files->of_trunk ? sizes->trunk : sizes->embedding,
                    .embeddings = embeddings};
    run.pictures = calloc((size_t)batch * pixels, sizeof *run.pictures);
    run.out = malloc(sizeof *run.out * (size_t)batch * (size_t)run.width);
    chl_status status = CHL_OK;
    if (!run.pictures || !run.out)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for pictures of sounds"));
    for (int64_t i = 0; i < files->count; i++) CHL_TRY_GOTO(add_file(&run, i));
    CHL_TRY_GOTO(run_waiting(&run));
done:
    free(run.pictures);
    free(run.out);
    return status;
}
