/* What a recording of any length sounds like over time. It is read front to back: two windows of it
 * are in memory. */
#include "eval/listen.h"
#include "base/free.h"
#include "base/options.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "sound/mel.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (CHL_MEL_FRAMES * 512 - 1) /* samples of CHL_MEL_FRAMES frames */
#define HOP (CHL_MEL_FRAMES * 512 / 2)
#define SILENCE 1e-4f /* the floor of the mel picture, 80 dB below full scale */
#define BATCH 8

typedef struct listening {
    const chl_listen_options *options;
    chl_audio_encoder *encoder;
    chl_heard heard;
    float *label;                 /* [labels][embedding] */
    float *wave;                  /* [WINDOW + HOP] */
    int64_t held;                 /* of it */
    int64_t begin;                /* of the wave, in the recording */
    float *pictures, *embeddings; /* of windows that wait for the encoder: [BATCH] */
    int waiting, columns;         /* how many; of the picture of each */
    float *shown;                 /* a mel picture, where the encoder's own is none */
    int64_t room;                 /* windows */
} listening;

static chl_status no_memory(const listening *l) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its windows", l->options->sound);
}

/* --- windows ---------------------------------------------------------------------------------- */
static bool make_room(listening *l) {
    chl_heard *h = &l->heard;
    if (h->count < l->room) return true;
    const int64_t room = l->room ? 2 * l->room : BATCH;
    const size_t pixels = (size_t)h->rows * (size_t)h->columns;
    chl_heard_window *window = realloc(h->window, sizeof *window * (size_t)room);
    if (window) h->window = window;
    float *score = realloc(h->score, sizeof *score * (size_t)(room * h->labels));
    if (score) h->score = score;
    uint8_t *picture = l->options->picture ? realloc(h->picture, pixels * (size_t)room) : NULL;
    if (picture) h->picture = picture;
    if (!window || !score || (l->options->picture && !picture)) return false;
    l->room = room;
    return true;
}

/* The windows that wait get their cosines. */
static chl_status flush(listening *l) {
    chl_heard *h = &l->heard;
    const int d = l->encoder->sizes.embedding;
    if (l->waiting == 0) return CHL_OK;
    CHL_TRY(
        chl_audio_encoder_embed(l->encoder, l->waiting, l->columns, l->pictures, l->embeddings));
    for (int i = 0; i < l->waiting; i++) {
        const int64_t at = h->count - l->waiting + i;
        float *score = h->score + at * h->labels;
        chl_heard_window *w = &h->window[at];
        w->best = chl_eval_nearest(h->labels, d, l->embeddings + (int64_t)i * d, l->label, score);
        w->fits = !w->silent && (h->threshold == 0 || (double)score[w->best] >= h->threshold);
    }
    l->waiting = 0;
    return CHL_OK;
}

/* People see a mel picture, whatever picture the encoder makes of a sound. */
static chl_status keep_picture(listening *l, int64_t samples, const float *picture) {
    const int64_t pixels = (int64_t)l->heard.rows * l->heard.columns;
    if (!l->options->picture) return CHL_OK;
    if (l->encoder->kind->picture) {
        CHL_TRY(chl_mel_picture(l->encoder->model.place.device, l->wave, samples, CHL_MEL_ABSOLUTE,
                                l->shown));
        picture = l->shown;
    }
    uint8_t *to = l->heard.picture + l->heard.count * pixels;
    for (int64_t i = 0; i < pixels; i++)
        to[i] = (uint8_t)lrintf(255 * fminf(fmaxf(picture[i], 0), 1));
    return CHL_OK;
}

/* The first `samples` of the wave as a picture of the encoder, behind those that wait, which have as
 * many columns. */
static chl_status add_picture(listening *l, int64_t samples, const float **out) {
    const int64_t rows = l->encoder->sizes.rows;
    float *picture = l->pictures + l->waiting * rows * l->columns;
    int columns;
    chl_sound *sound;
    CHL_TRY(chl_sound_open_samples(CHL_MEL_RATE, 1, samples, l->wave, l->options->sound, &sound));
    const chl_status status = chl_audio_encoder_picture(l->encoder, sound, 0, picture, &columns);
    chl_sound_close(sound);
    CHL_TRY(status);
    if (columns != l->columns) {
        CHL_TRY(flush(l));
        memmove(l->pictures, picture, sizeof *picture * (size_t)(rows * columns));
        picture = l->pictures;
        l->columns = columns;
    }
    *out = picture;
    return CHL_OK;
}

/* The first `samples` of the wave as a window. */
static chl_status add_window(listening *l, int64_t samples) {
    chl_heard *h = &l->heard;
    if (l->waiting == BATCH) CHL_TRY(flush(l));
    if (!make_room(l)) return no_memory(l);
    const float *picture;
    float peak = 0;
    CHL_TRY(add_picture(l, samples, &picture));
    for (int64_t i = 0; i < samples; i++) peak = fmaxf(peak, fabsf(l->wave[i]));
    h->window[h->count] = (chl_heard_window){.start = (double)l->begin / CHL_MEL_RATE,
                                             .end = (double)(l->begin + samples) / CHL_MEL_RATE,
                                             .silent = peak < SILENCE};
    CHL_TRY(keep_picture(l, samples, picture));
    h->seconds = h->window[h->count].end;
    h->count++;
    l->waiting++;
    return CHL_OK;
}

static chl_status report_progress(const listening *l, int64_t samples) {
    const chl_progress_watch watch = {l->options->progress, l->options->user};
    const int64_t done = l->begin + l->held;
    return chl_report_progress(&watch, "listening, seconds", done / CHL_MEL_RATE,
                               (done > samples ? done : samples) / CHL_MEL_RATE);
}

/* One window where all of it fits; else a window every HOP, the last one at the end. */
static chl_status hear(listening *l, chl_sound *sound) {
    const int64_t samples = chl_sound_samples(sound);
    CHL_TRY(chl_sound_read(sound, l->wave, WINDOW, &l->held));
    CHL_TRY(add_window(l, l->held));
    for (int64_t got = l->held == WINDOW ? HOP : 0; got == HOP;) {
        CHL_TRY(chl_sound_read(sound, l->wave + WINDOW, HOP, &got));
        if (got == 0) break;
        memmove(l->wave, l->wave + got, sizeof *l->wave * WINDOW);
        l->begin += got;
        CHL_TRY(add_window(l, WINDOW));
        CHL_TRY(report_progress(l, samples));
    }
    return flush(l);
}

/* --- report ----------------------------------------------------------------------------------- */
typedef struct ranked {
    int label;
    double mean, max, at; /* over the windows; the start of the window with the maximum */
} ranked;

static int by_mean(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->mean < y->mean || x->mean > y->mean) return x->mean < y->mean ? 1 : -1;
    return x->label - y->label;
}

/* Over the windows that are not silent; NaN where all are. */
static ranked *rank(const chl_heard *h) {
    ranked *all = calloc((size_t)h->labels, sizeof *all);
    int64_t heard = 0;
    for (int64_t w = 0; w < h->count; w++) heard += !h->window[w].silent;
    for (int k = 0; all && k < h->labels; k++) {
        all[k] = (ranked){.label = k, .mean = heard ? 0 : (double)NAN, .max = (double)NAN};
        for (int64_t w = 0; w < h->count; w++) {
            if (h->window[w].silent) continue;
            const double score = (double)h->score[w * h->labels + k];
            all[k].mean += score / (double)heard;
            if (!(score <= all[k].max)) {
                all[k].max = score;
                all[k].at = h->window[w].start;
            }
        }
    }
    if (all) qsort(all, (size_t)h->labels, sizeof *all, by_mean);
    return all;
}

static json_t *best_of(const chl_heard *h, const chl_heard_window *w) {
    return w->fits ? chl_json_string(h->label[w->best]) : json_null();
}

static json_t *describe_window(const chl_heard *h, int64_t at) {
    const chl_heard_window *w = &h->window[at];
    json_t *scores = json_array();
    for (int k = 0; k < h->labels; k++)
        chl_json_append(scores, chl_report_number((double)h->score[at * h->labels + k]));
    return json_pack("{s:f, s:f, s:o, s:o, s:f, s:b, s:o}", "start", w->start, "end", w->end,
                     "best", best_of(h, w), "nearest", chl_json_string(h->label[w->best]), "score",
                     (double)h->score[at * h->labels + w->best], "silent", w->silent, "scores",
                     scores);
}

/* Labels from the best one down; the recording's best is the best one by the mean that fits
 * somewhere. */
static chl_status describe(const listening *l, char **report) {
    const chl_heard *h = &l->heard;
    const uint64_t refused = chl_json_refused();
    ranked *order = rank(h);
    if (!order) return no_memory(l);
    json_t *labels = json_array(), *windows = json_array(), *names = json_array(), *best = NULL;
    for (int i = 0; i < h->labels; i++) {
        const ranked *r = &order[i];
        bool fits = false;
        for (int64_t w = 0; w < h->count; w++)
            fits = fits || (h->window[w].fits && h->window[w].best == r->label);
        if (fits && !best) best = chl_json_string(h->label[r->label]);
        chl_json_append(names, chl_json_string(h->label[i]));
        chl_json_append(labels, json_pack("{s:o, s:o, s:o, s:f, s:b}", "label",
                                          chl_json_string(h->label[r->label]), "mean",
                                          chl_report_number(r->mean), "max",
                                          chl_report_number(r->max), "at", r->at, "fits", fits));
    }
    for (int64_t w = 0; w < h->count; w++) chl_json_append(windows, describe_window(h, w));
    free(order);
    return chl_report_finish(json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:o}", "sound",
                                       chl_json_string(l->options->sound), "seconds", h->seconds,
                                       "threshold",
                                       h->threshold != 0 ? json_real(h->threshold) : json_null(),
                                       "best", best ? best : json_null(), "ranking", labels,
                                       "labels", names, "windows", windows),
                             refused, report);
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status work(chl_engine *engine, listening *l, char **report) {
    const chl_listen_options *o = l->options;
    const size_t d = (size_t)chl_models_sizes(engine).embedding,
                 pixels = (size_t)chl_audio_encoder_pixels(engine->audio);
    l->label = malloc(sizeof *l->label * (size_t)o->labels * d);
    l->wave = malloc(sizeof *l->wave * (WINDOW + HOP));
    l->pictures = malloc(sizeof *l->pictures * BATCH * pixels);
    l->embeddings = malloc(sizeof *l->embeddings * BATCH * d);
    l->shown = malloc(sizeof *l->shown * CHL_MEL_SIDE * CHL_MEL_SIDE);
    if (!l->label || !l->wave || !l->pictures || !l->embeddings || !l->shown) return no_memory(l);
    CHL_TRY(chl_eval_embed_named(engine->clip, o->labels, o->label, o->label_text, (int)o->prompts,
                                 o->prompt, l->label));
    chl_sound *sound;
    CHL_TRY(chl_sound_open(o->sound, &sound));
    const chl_status status = hear(l, sound);
    chl_sound_close(sound);
    CHL_TRY(status);
    if (o->picture) CHL_TRY(chl_heard_draw(&l->heard, o->sound, o->picture));
    return describe(l, report);
}

static chl_status check(const chl_listen_options *o) {
    CHL_TRY(chl_check_pointer(o->sound, "sound"));
    CHL_TRY(chl_check_int(o->labels >= 1, "labels", ">= 1", o->labels));
    CHL_TRY(chl_check_int(o->prompts >= 0 && o->prompts <= INT_MAX, "prompts", ">= 0", o->prompts));
    CHL_TRY(chl_check_pointer(o->label, "label"));
    if (o->prompts) CHL_TRY(chl_check_pointer(o->prompt, "prompt"));
    CHL_TRY(chl_check_texts(__func__, "label", o->labels, o->label));
    CHL_TRY(chl_check_texts(__func__, "prompt", o->prompts, o->prompt));
    return chl_check_float(isfinite(o->threshold), "threshold", "finite", o->threshold);
}

chl_status chl_listen(chl_engine *engine, const chl_listen_options *theirs, char **report) {
    chl_listen_options mine = {.size = sizeof mine};
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_listen_options"));
    CHL_TRY(check(&mine));
    CHL_TRY(chl_need(engine->audio, "audio", "listening"));
    const chl_log_sink before = chl_log_divert(engine->log);
    const bool own = engine->audio->kind->picture != NULL;
    listening l = {.options = &mine,
                   .encoder = engine->audio,
                   .heard = {.labels = mine.labels,
                             .label = mine.label,
                             .threshold = mine.threshold,
                             .rows = own ? CHL_MEL_SIDE : engine->audio->sizes.rows,
                             .columns = own ? CHL_MEL_SIDE : engine->audio->sizes.columns}};
    const chl_status status = work(engine, &l, report);
    CHL_FREE(l.heard.window, l.heard.score, l.heard.picture, l.label, l.wave, l.pictures, l.shown,
             l.embeddings);
    return chl_log_restore(before, status);
}
