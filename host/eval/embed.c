#include "eval/embed.h"
#include "io/sound.h"
#include "sound/mel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_eval_tell(const chl_eval_watch *watch, const char *what, int64_t done,
                         int64_t count) {
    if (!watch || !watch->progress || !watch->progress(watch->user, what, done, count))
        return CHL_OK;
    return chl_fail(CHL_ERR_CANCELLED, "%s: stopped after %lld of %lld", what, (long long)done,
                    (long long)count);
}

/* --- sounds ----------------------------------------------------------------------------------- */
#define BATCH 8
#define PIXELS (CHL_MEL_SIDE * CHL_MEL_SIDE)

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

static chl_status look(const chl_engine *engine, const char *path, float gain_db, float *picture) {
    amplified a = {.factor = powf(10, gain_db / 20)};
    CHL_TRY(chl_sound_open(path, &a.sound));
    const chl_wave_source source = {.samples = chl_sound_samples(a.sound),
                                    .read = read_amplified,
                                    .rewind = rewind_amplified,
                                    .user = &a};
    chl_status status = chl_mel_picture_from(engine->backend, &source, engine->mel, picture);
    chl_sound_close(a.sound);
    return status;
}

static chl_status check_sounds(const chl_engine *engine, int64_t count, const float *gain_db) {
    CHL_TRY(chl_engine_need(engine->audio, "--audio", "embedding sounds"));
    if (engine->audio_config.resolution != CHL_MEL_SIDE)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s looks at %d x %d, mel pictures are %d x %d",
                        engine->audio->source, engine->audio_config.resolution,
                        engine->audio_config.resolution, CHL_MEL_SIDE, CHL_MEL_SIDE);
    for (int64_t i = 0; gain_db && i < count; i++)
        if (gain_db[i] != 0 && engine->mel == CHL_MEL_COMPATIBLE)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "%s hears every sound at its own maximum (compatible mode): a level "
                            "changes nothing",
                            engine->audio->source);
    return CHL_OK;
}

chl_status chl_eval_embed_sounds(chl_engine *engine, int64_t count, const char *const *path,
                                 const float *gain_db, const chl_eval_watch *watch,
                                 float *embedding) {
    CHL_TRY(check_sounds(engine, count, gain_db));
    const int64_t d = engine->audio_config.classes;
    float *pictures = calloc(BATCH * PIXELS, sizeof(float));
    float *out = malloc(sizeof(float) * (size_t)(BATCH * d));
    chl_graph *g = NULL;
    chl_net net = {.params = NULL};
    chl_status status = CHL_OK;
    if (!pictures || !out) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for mel pictures"));
    CHL_TRY_GOTO(chl_engine_graph(engine, &g));
    net = chl_engine_net(g, engine->audio);
    chl_tensor x = chl_input(g, "mel pictures", chl_f32(4, BATCH, CHL_MEL_SIDE, CHL_MEL_SIDE, 1));
    chl_tensor y;
    chl_swin(&net, &engine->audio_config, x, NULL, &y);
    chl_keep(g, y);
    CHL_TRY_GOTO(chl_compile(g));
    for (int64_t at = 0; at < count; at += BATCH) {
        const int64_t n = count - at < BATCH ? count - at : BATCH;
        for (int64_t i = 0; i < n; i++)
            CHL_TRY_GOTO(
                look(engine, path[at + i], gain_db ? gain_db[at + i] : 0, pictures + i * PIXELS));
        CHL_TRY_GOTO(chl_write(g, x, pictures));
        CHL_TRY_GOTO(chl_run(g, 0));
        CHL_TRY_GOTO(chl_read(g, y, out));
        memcpy(embedding + at * d, out, sizeof(float) * (size_t)(n * d));
        CHL_TRY_GOTO(chl_eval_tell(watch, "listening", at + n, count));
    }
done:
    chl_net_done(&net);
    chl_graph_free(g);
    free(pictures);
    free(out);
    return status;
}

/* --- labels ----------------------------------------------------------------------------------- */
/* The prompt with the label in place of "{}". */
static chl_status fill_in(const char *prompt, const char *label, char *text, size_t size) {
    const char *hole = strstr(prompt, "{}");
    if (!hole) return chl_fail(CHL_ERR_ARGUMENT, "the prompt \"%s\" has no {}", prompt);
    if ((size_t)snprintf(text, size, "%.*s%s%s", (int)(hole - prompt), prompt, label, hole + 2) >=
        size)
        return chl_fail(CHL_ERR_ARGUMENT, "the label \"%.40s...\" is too long", label);
    return CHL_OK;
}

static chl_status normalise(const char *label, int d, const double *total, float *embedding) {
    double square = 0;
    for (int i = 0; i < d; i++) square += total[i] * total[i];
    if (!(square > 0)) /* NaN too */
        return chl_fail(CHL_ERR_NUMERIC, "the label \"%s\" has no embedding", label);
    for (int i = 0; i < d; i++) embedding[i] = (float)(total[i] / sqrt(square));
    return CHL_OK;
}

chl_status chl_eval_embed_labels(chl_engine *engine, int count, const char *const *label,
                                 int prompts, const char *const *prompt, float *embedding) {
    static const char *const usual[] = {CHL_EVAL_PROMPTS};
    if (prompts == 0) {
        prompt = usual;
        prompts = sizeof usual / sizeof *usual;
    }
    const int d = chl_engine_get_sizes(engine).embedding;
    for (int i = 0; i < count; i++) {
        double total[CHL_MOST_EMBEDDING] = {0};
        for (int p = 0; p < prompts; p++) {
            float one[CHL_MOST_EMBEDDING];
            char text[512];
            CHL_TRY(fill_in(prompt[p], label[i], text, sizeof text));
            CHL_TRY(chl_embed_text(engine, text, one));
            for (int k = 0; k < d; k++) total[k] += one[k];
        }
        CHL_TRY(normalise(label[i], d, total, embedding + (int64_t)i * d));
    }
    return CHL_OK;
}
