#include "eval/embed.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_report_progress(const chl_progress_watch *watch, const char *what, int64_t done,
                               int64_t count) {
    if (!watch || !watch->progress || !watch->progress(watch->user, what, done, count))
        return CHL_OK;
    return chl_fail(CHL_ERR_CANCELLED, "%s: stopped after %lld of %lld", what, (long long)done,
                    (long long)count);
}

/* --- sounds ----------------------------------------------------------------------------------- */
#define BATCH 8

typedef struct sounds_done {
    const chl_progress_watch *watch;
    int64_t count;
    const chl_media *sound;
    chl_media_sound opened;
} sounds_done;

static chl_status report(void *user, int64_t done) {
    const sounds_done *sounds = user;
    return chl_report_progress(sounds->watch, "listening", done, sounds->count);
}

static chl_status open_sound(void *user, int64_t index, chl_sound **sound) {
    sounds_done *sounds = user;
    CHL_TRY(chl_media_sound_open(&sounds->sound[index], &sounds->opened));
    *sound = sounds->opened.sound;
    return CHL_OK;
}

static void close_sound(void *user, chl_sound *unused) {
    (void)unused;
    chl_media_sound_close(&((sounds_done *)user)->opened);
}

static chl_status hear(chl_audio_encoder *encoder, bool of_trunk, int64_t count,
                       const chl_media *sound, const float *gain_db,
                       const chl_progress_watch *watch, float *out) {
    sounds_done done = {.watch = watch, .count = count, .sound = sound};
    const chl_sound_files files = {.count = count,
                                   .gain_db = gain_db,
                                   .of_trunk = of_trunk,
                                   .open = open_sound,
                                   .close = close_sound,
                                   .after = report,
                                   .user = &done};
    return chl_audio_encoder_embed_files(encoder, BATCH, &files, out);
}

chl_status chl_eval_embed_sounds(chl_audio_encoder *encoder, int64_t count, const chl_media *sound,
                                 const float *gain_db, const chl_progress_watch *watch,
                                 float *embedding) {
    return hear(encoder, false, count, sound, gain_db, watch, embedding);
}

chl_status chl_eval_trunk_of_sounds(chl_audio_encoder *encoder, int64_t count,
                                    const chl_media *sound, const float *gain_db,
                                    const chl_progress_watch *watch, float *features) {
    return hear(encoder, true, count, sound, gain_db, watch, features);
}

/* --- labels ----------------------------------------------------------------------------------- */
/* The prompt with the label in place of "{}". */
static chl_status fill_in(const char *prompt, const char *label, char *text, size_t size) {
    const char *hole = strstr(prompt, "{}");
    if (!hole) return chl_fail(CHL_ERR_ARGUMENT, "a prompt must contain {}, got \"%s\"", prompt);
    if ((size_t)snprintf(text, size, "%.*s%s%s", (int)(hole - prompt), prompt, label, hole + 2) >=
        size)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "a label in its prompt must be shorter than %zu bytes, got \"%.40s...\"",
                        size, label);
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

chl_status chl_eval_embed_labels(chl_clip *clip, int count, const char *const *label, int prompts,
                                 const char *const *prompt, float *embedding) {
    CHL_TRY(chl_clip_need_texts(clip, "embedding a text"));
    static const char *const usual[] = {CHL_EVAL_PROMPTS};
    if (prompts == 0) {
        prompt = usual;
        prompts = sizeof usual / sizeof *usual;
    }
    const int d = clip->config.embed;
    for (int i = 0; i < count; i++) {
        double total[CHL_MAX_EMBEDDING] = {0};
        for (int p = 0; p < prompts; p++) {
            float one[CHL_MAX_EMBEDDING];
            char text[512];
            CHL_TRY(fill_in(prompt[p], label[i], text, sizeof text));
            const char *const texts[] = {text};
            CHL_TRY(chl_clip_embed_texts(clip, 1, 1, texts, one));
            for (int k = 0; k < d; k++) total[k] += one[k];
        }
        CHL_TRY(normalise(label[i], d, total, embedding + (int64_t)i * d));
    }
    return CHL_OK;
}

/* --- labels as people write them -------------------------------------------------------------- */
char *chl_eval_spaced(const char *label) {
    char *text = strdup(label);
    for (char *at = text; at && *at; at++)
        if (*at == '_') *at = ' ';
    return text;
}

void chl_eval_free_texts(int count, char **text) {
    for (int i = 0; text && i < count; i++) free(text[i]);
    free(text);
}

chl_status chl_eval_embed_named(chl_clip *clip, int count, const char *const *label,
                                const char *const *label_text, int prompts,
                                const char *const *prompt, float *embedding) {
    char **text = calloc((size_t)count + 1, sizeof *text);
    bool whole = text != NULL;
    for (int i = 0; text && i < count; i++) {
        const char *own = label_text ? label_text[i] : NULL;
        text[i] = own ? strdup(own) : chl_eval_spaced(label[i]);
        whole = whole && text[i];
    }
    const chl_status status = whole
                                  ? chl_eval_embed_labels(clip, count, (const char *const *)text,
                                                          prompts, prompt, embedding)
                                  : chl_fail(CHL_ERR_MEMORY, "out of memory for %d labels", count);
    chl_eval_free_texts(count, text);
    return status;
}

int chl_eval_nearest(int labels, int d, const float *sound, const float *label, float *score) {
    int best = 0;
    for (int k = 0; k < labels; k++) {
        double dot = 0;
        for (int i = 0; i < d; i++) dot += (double)sound[i] * label[(int64_t)k * d + i];
        score[k] = (float)dot;
        if (score[k] > score[best]) best = k;
    }
    return best;
}
