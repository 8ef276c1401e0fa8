/* The codes that a sound's windows and a score's texts lead to. */
#include "video.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE 44100

char *video_file(const video_job *job, const char *format, int number) {
    char name[64], *path;
    snprintf(name, sizeof name, format, number);
    return asprintf(&path, "%s/%s", job->folder, name) < 0 ? NULL : path;
}

static size_t numbers_of(const video_job *job) {
    return (size_t)job->size.rows * (size_t)job->size.latent;
}

static int on_progress(void *user, const chl_edit_progress *progress) {
    video_job *job = user;
    progress_show(&job->line, progress);
    return interrupted();
}

/* --- codes that an earlier run has made ------------------------------------------------------- */
static bool read_code(const video_job *job, const char *path, float *code) {
    float *read;
    int count;
    if (access(path, R_OK) != 0 || read_latents(path, &job->size, 1, &count, &read) != CHL_OK)
        return false; /* it is made again */
    memcpy(code, read, sizeof(float) * numbers_of(job));
    chl_release(read);
    return true;
}

static chl_status write_code(const video_job *job, const char *path, const float *code) {
    const int64_t dim[] = {job->size.rows, job->size.latent};
    return chl_array_write(path, 2, dim, code);
}

static chl_status no_name(void) {
    return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
}

chl_status video_find_source(video_job *job) {
    char *path = video_file(job, "source.npy", 0);
    if (!path) return no_name();
    chl_status status = CHL_OK;
    if (!read_code(job, path, job->source)) {
        job->line = progress_start("inverting", job->json);
        status = one_edit_source(job->engine, &job->e, on_progress, job, job->source);
        progress_end(&job->line);
        if (status == CHL_OK) status = write_code(job, path, job->source);
    }
    free(path);
    if (status != CHL_OK || job->e.ask.tune == 0) return status;
    job->line = progress_start("tuning", job->json);
    status = one_edit_tune(job->engine, &job->e.ask, on_progress, job, job->source);
    progress_end(&job->line);
    return status;
}

/* --- optimisations ---------------------------------------------------------------------------- */
typedef struct way {
    const char *what;
    const float *from; /* NULL: the source */
    uint64_t rows;     /* that may move */
    const float *target;
} way;

/* moves [SCORE_MOST_ROWS]; NULL where every row may. */
static const int *moving_rows(const video_job *job, uint64_t rows, int *moves) {
    bool all = true;
    for (int row = 0; row < job->size.rows; row++) {
        moves[row] = rows >> row & 1;
        all = all && moves[row];
    }
    return all ? NULL : moves;
}

static bool none_moves(const video_job *job, uint64_t rows) {
    const uint64_t there = SCORE_ALL_ROWS >> (SCORE_MOST_ROWS - job->size.rows);
    return !(rows & there);
}

static chl_status optimise(video_job *job, const way *way, float *code) {
    chl_edit_options options;
    float *lent;
    int moves[SCORE_MOST_ROWS];
    if (none_moves(job, way->rows)) {
        memcpy(code, way->from ? way->from : job->source, sizeof(float) * numbers_of(job));
        return CHL_OK;
    }
    chl_status status = one_edit_library_options(job->engine, &job->e, &options, &lent);
    if (status != CHL_OK) return status;
    options.progress = on_progress;
    options.user = job;
    options.rows = moving_rows(job, way->rows, moves);
    if (way->from) options.steps = job->warm_steps;
    job->line = progress_start(way->what, job->json);
    status = way->from
                 ? chl_edit_from(job->engine, &options, job->source, way->target, way->from, code)
                 : chl_edit(job->engine, &options, job->source, way->target, code, NULL);
    progress_end(&job->line);
    free(lent);
    return status;
}

/* Reads a code that is there already, or makes and keeps it. */
static chl_status find_code(video_job *job, const char *format, int number, const way *way,
                            float *code, bool *before) {
    char *path = video_file(job, format, number);
    if (!path) return no_name();
    *before = read_code(job, path, code);
    chl_status status = *before ? CHL_OK : optimise(job, way, code);
    if (status == CHL_OK && !*before) status = write_code(job, path, code);
    free(path);
    return status;
}

/* --- what the sound leads to ------------------------------------------------------------------ */
double video_key_time(const video_job *job, int k) {
    return fmin(k * video_every(job), job->length);
}

static float *target_of(const video_job *job, int k) {
    return job->target + (size_t)k * (size_t)job->size.embedding;
}

/* Of the window around a key's time; at the ends of the sound what there is of it. */
static chl_status hear(const video_job *job, int k) {
    const int64_t half = (int64_t)((double)job->window * RATE / 2),
                  middle = (int64_t)(video_key_time(job, k) * RATE);
    int64_t first = middle - half, last = middle + half;
    if (last > job->samples) last = job->samples;
    if (first > last - half) first = last - half;
    if (first < 0) first = 0;
    return chl_embed_sound_samples(job->engine, RATE, 1, last - first, job->wave + first, 0,
                                   target_of(job, k));
}

/* The rows that may move on the way to a key: to the first one, those of the part there. */
static uint64_t rows_of(const video_job *job, int k) {
    return score_moves(&job->score, video_key_time(job, k ? k - 1 : 0), video_key_time(job, k));
}

/* The first begins at the source, the others at the key before them. */
static chl_status find_heard(video_job *job, int k) {
    float *code = job->key + (size_t)k * numbers_of(job);
    char what[64];
    bool before;
    chl_status status = hear(job, k);
    if (status != CHL_OK) return status;
    snprintf(what, sizeof what, "key %d of %d", k + 1, job->keys);
    const way way = {.what = what,
                     .from = k ? code - numbers_of(job) : NULL,
                     .rows = rows_of(job, k),
                     .target = target_of(job, k)};
    status = find_code(job, "key-%04d.npy", k, &way, code, &before);
    job->keys_before += status == CHL_OK && before;
    return status;
}

/* --- what texts lead to ----------------------------------------------------------------------- */
/* A text's edit is one, however many keys it joins, so that it changes no others. */
static chl_status find_said(video_job *job, int t) {
    float *target = job->text_target + (size_t)t * (size_t)job->size.embedding;
    char what[64];
    bool before;
    chl_status status = chl_embed_text(job->engine, job->score.text[t], target);
    if (status != CHL_OK) return status;
    snprintf(what, sizeof what, "text %d of %d", t + 1, job->score.texts);
    const way way = {.what = what, .rows = SCORE_ALL_ROWS, .target = target};
    return find_code(job, "text-%04d.npy", t, &way, job->said + (size_t)t * numbers_of(job),
                     &before);
}

/* Eq. 19 of both edits, where the key has a text; rows that may not move stay those of the key before. */
static chl_status join(video_job *job, int k, float *mixed) {
    const size_t numbers = numbers_of(job), latent = (size_t)job->size.latent;
    float *code = job->key + (size_t)k * numbers;
    const score_part *part = score_at(&job->score, video_key_time(job, k));
    const float *held = k ? code - numbers : job->source;
    const uint64_t rows = rows_of(job, k);
    chl_status status = CHL_OK;
    memcpy(mixed, code, sizeof(float) * numbers);
    if (part->number >= 0)
        status = chl_mix_latents(job->engine, CHL_MIX_LINEAR, (float)part->weight,
                                 job->said + (size_t)part->number * numbers, code, mixed);
    for (int row = 0; row < job->size.rows && status == CHL_OK; row++)
        memcpy(code + (size_t)row * latent, (rows >> row & 1 ? mixed : held) + (size_t)row * latent,
               sizeof(float) * latent);
    return status;
}

static chl_status join_all(video_job *job) {
    float *mixed = malloc(sizeof *mixed * numbers_of(job));
    if (!mixed) return command_fail(CHL_ERR_MEMORY, "out of memory for a code");
    chl_status status = CHL_OK;
    for (int k = 0; k < job->keys && status == CHL_OK; k++) status = join(job, k, mixed);
    free(mixed);
    return status;
}

/* --- keys ------------------------------------------------------------------------------------- */
static float cosine_with(const video_job *job, const float *view, const float *target) {
    float sum = 0;
    for (int i = 0; i < job->size.embedding; i++) sum += view[i] * target[i];
    return sum;
}

/* A key's picture, clamped as a file's is, and how near that is to the sound and the text. */
static chl_status see(video_job *job, int k) {
    const size_t side = (size_t)job->size.picture, count = 3 * side * side;
    const score_part *part = score_at(&job->score, video_key_time(job, k));
    float *pixels = job->picture + (size_t)k * count, view[CHL_MAX_EMBEDDING];
    chl_status status =
        chl_generate(job->engine, 1, job->key + (size_t)k * numbers_of(job), pixels);
    if (status == CHL_OK)
        status = chl_embed_picture(job->engine, (int)side, (int)side, pixels, view);
    if (status != CHL_OK) return status;
    for (size_t i = 0; i < count; i++) pixels[i] = fminf(fmaxf(pixels[i], -1), 1);
    job->cosine[k] = cosine_with(job, view, target_of(job, k));
    job->text_cosine[k] = NAN;
    if (part->number >= 0)
        job->text_cosine[k] = cosine_with(
            job, view, job->text_target + (size_t)part->number * (size_t)job->size.embedding);
    return CHL_OK;
}

/* Those that a key is joined with. */
static chl_status find_all_said(video_job *job) {
    double *time = malloc(sizeof *time * (size_t)job->keys);
    chl_status status = CHL_OK;
    if (!time) return command_fail(CHL_ERR_MEMORY, "out of memory for %d keys", job->keys);
    for (int k = 0; k < job->keys; k++) time[k] = video_key_time(job, k);
    score_warn(&job->score, job->keys, time);
    for (int t = 0; t < job->score.texts && status == CHL_OK; t++)
        if (score_says(&job->score, t, job->keys, time)) status = find_said(job, t);
    free(time);
    return status;
}

chl_status video_find_keys(video_job *job) {
    chl_status status = find_all_said(job);
    for (int k = 0; k < job->keys && status == CHL_OK; k++) status = find_heard(job, k);
    if (status == CHL_OK) status = join_all(job);
    for (int k = 0; k < job->keys && status == CHL_OK; k++) status = see(job, k);
    return status;
}
