/* The codes that a sound's windows lead to. */
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
    return status;
}

/* --- keys ------------------------------------------------------------------------------------- */
/* Of the window around a key's time; at the ends of the sound what there is of it. */
static chl_status hear(const video_job *job, int k, float *target) {
    const double at = fmin((double)k * (double)job->every, job->length);
    const int64_t half = (int64_t)((double)job->window * RATE / 2), middle = (int64_t)(at * RATE);
    int64_t first = middle - half, last = middle + half;
    if (last > job->samples) last = job->samples;
    if (first > last - half) first = last - half;
    if (first < 0) first = 0;
    return chl_embed_sound_samples(job->engine, RATE, 1, last - first, job->wave + first, 0,
                                   target);
}

/* The first begins at the source, the others at the key before them. */
static chl_status optimise(video_job *job, int k, const float *target, float *code) {
    chl_edit_options options;
    float *lent;
    char what[64];
    chl_status status = one_edit_library_options(job->engine, &job->e, &options, &lent);
    if (status != CHL_OK) return status;
    options.progress = on_progress;
    options.user = job;
    if (k > 0) options.steps = job->warm_steps;
    snprintf(what, sizeof what, "key %d of %d", k + 1, job->keys);
    job->line = progress_start(what, job->json);
    status = k == 0 ? chl_edit(job->engine, &options, job->source, target, code, NULL)
                    : chl_edit_from(job->engine, &options, job->source, target,
                                    code - numbers_of(job), code);
    progress_end(&job->line);
    free(lent);
    return status;
}

/* Its picture, clamped as a file's is, and how near that is to the sound. */
static chl_status see(video_job *job, int k, const float *target, const float *code) {
    const size_t side = (size_t)job->size.picture, count = 3 * side * side;
    float *pixels = job->picture + (size_t)k * count, view[CHL_MAX_EMBEDDING];
    chl_status status = chl_generate(job->engine, 1, code, pixels);
    if (status == CHL_OK)
        status = chl_embed_picture(job->engine, (int)side, (int)side, pixels, view);
    for (size_t i = 0; status == CHL_OK && i < count; i++)
        pixels[i] = fminf(fmaxf(pixels[i], -1), 1);
    for (int i = 0; status == CHL_OK && i < job->size.embedding; i++)
        job->cosine[k] += view[i] * target[i];
    return status;
}

static chl_status find_key(video_job *job, int k) {
    float target[CHL_MAX_EMBEDDING], *code = job->key + (size_t)k * numbers_of(job);
    char *path = video_file(job, "key-%04d.npy", k);
    if (!path) return no_name();
    chl_status status = hear(job, k, target);
    if (status == CHL_OK && read_code(job, path, code)) {
        job->keys_before++;
    } else if (status == CHL_OK) {
        status = optimise(job, k, target, code);
        if (status == CHL_OK) status = write_code(job, path, code);
    }
    free(path);
    return status == CHL_OK ? see(job, k, target, code) : status;
}

chl_status video_find_keys(video_job *job) {
    chl_status status = CHL_OK;
    for (int k = 0; k < job->keys && status == CHL_OK; k++) status = find_key(job, k);
    return status;
}
