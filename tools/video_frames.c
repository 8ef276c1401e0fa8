/* The frames of a video: pictures of the path, and how much they change from one to the next. */
#include "video.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 8
#define STRIP_FRAMES 10
#define GAP 4

static chl_status read_frame(const video_job *job, int frame, float **pixels) {
    char *path = video_file(job, "%06d.png", frame);
    *pixels = NULL;
    if (!path) return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    int height, width;
    chl_status status = chl_picture_read(path, &height, &width, pixels);
    if (status == CHL_OK && (height != job->size.picture || width != height)) {
        chl_release(*pixels);
        *pixels = NULL;
        status = command_fail(CHL_ERR_FORMAT, "%s: expected a frame of %d x %d, got %d x %d", path,
                              job->size.picture, job->size.picture, height, width);
    }
    free(path);
    return status;
}

/* --- rendering -------------------------------------------------------------------------------- */
typedef struct rendering {
    video_job *job;
    float *motion; /* [frames] */
    float *w, *pixels;
    char *path[AT_ONCE];
    int count;
} rendering;

/* Further from the source or nearer to it by the sound's motion. */
static void move(const rendering *r, int frame, float *w) {
    const video_job *job = r->job;
    const int latent = job->size.latent;
    for (int row = 0; row < job->size.rows; row++) {
        const float share = (float)score_motion(&job->score, frame / (double)job->fps, row);
        const float strength = 1 + job->react * share * r->motion[frame];
        for (int i = row * latent; share > 0 && i < (row + 1) * latent; i++)
            w[i] = job->source[i] + strength * (w[i] - job->source[i]);
    }
}

/* The code of a frame. */
static chl_status code_of(const rendering *r, int frame, float *w) {
    const video_job *job = r->job;
    const double at = fmin(frame / (double)job->fps / video_every(job), job->keys - 1);
    const int from = (int)at;
    const chl_status status =
        chl_path_at(job->engine, job->keys, job->key, from, (float)(at - from), w);
    if (job->react != 0) move(r, frame, w);
    return status;
}

static chl_status render_some(rendering *r) {
    const size_t side = (size_t)r->job->size.picture;
    chl_status status = CHL_OK;
    if (r->count) status = chl_generate(r->job->engine, r->count, r->w, r->pixels);
    for (int i = 0; i < r->count; i++) {
        if (status == CHL_OK)
            status = chl_picture_write(r->path[i], (int)side, (int)side,
                                       r->pixels + (size_t)i * 3 * side * side);
        free(r->path[i]);
    }
    r->count = 0;
    if (status == CHL_OK && interrupted())
        status = command_fail(CHL_ERR_CANCELLED, "stopped: the same command goes on");
    return status;
}

/* A frame that an earlier run has made; one that is damaged is made again. */
static bool is_there(const video_job *job, int frame, const char *path) {
    float *pixels = NULL;
    const bool whole = access(path, R_OK) == 0 && read_frame(job, frame, &pixels) == CHL_OK;
    chl_release(pixels);
    return whole;
}

static chl_status add_frame(rendering *r, int frame) {
    const size_t numbers = (size_t)r->job->size.rows * (size_t)r->job->size.latent;
    char *path = video_file(r->job, "%06d.png", frame);
    if (!path) return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (is_there(r->job, frame, path)) {
        r->job->frames_before++;
        free(path);
        return CHL_OK;
    }
    const chl_status status = code_of(r, frame, r->w + (size_t)r->count * numbers);
    r->path[r->count++] = path;
    return status == CHL_OK && r->count == AT_ONCE ? render_some(r) : status;
}

static chl_status render_all(rendering *r) {
    const video_job *job = r->job;
    chl_status status = CHL_OK;
    if (job->react != 0)
        status = chl_sound_motion(job->samples, job->wave, job->fps, job->frames, r->motion);
    for (int f = 0; f < job->frames && status == CHL_OK; f++) status = add_frame(r, f);
    if (status == CHL_OK) return render_some(r);
    for (int i = 0; i < r->count; i++) free(r->path[i]);
    return status;
}

chl_status video_render(video_job *job) {
    const size_t side = (size_t)job->size.picture,
                 numbers = (size_t)job->size.rows * (size_t)job->size.latent;
    rendering r = {.job = job};
    r.motion = calloc((size_t)job->frames, sizeof *r.motion);
    r.w = malloc(sizeof *r.w * AT_ONCE * numbers);
    r.pixels = malloc(sizeof *r.pixels * AT_ONCE * 3 * side * side);
    const chl_status status = r.motion && r.w && r.pixels
                                  ? render_all(&r)
                                  : command_fail(CHL_ERR_MEMORY, "out of memory for frames");
    free(r.motion);
    free(r.w);
    free(r.pixels);
    return status;
}

/* --- measuring -------------------------------------------------------------------------------- */
/* as a share of the range from black to white */
static double difference(const video_job *job, const float *a, const float *b) {
    const size_t count = 3 * (size_t)job->size.picture * (size_t)job->size.picture;
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += fabs((double)a[i] - (double)b[i]);
    return sum / (2 * (double)count);
}

/* Between two frames a cross-fade of two keys changes by that share of their difference. */
static double fade_at(const video_job *job, int frame, const double *between) {
    const int k = (int)(frame / (double)job->fps / video_every(job));
    return k < job->keys - 1 ? between[k] / ((double)job->fps * video_every(job)) : 0;
}

chl_status video_measure(video_job *job) {
    const size_t count = 3 * (size_t)job->size.picture * (size_t)job->size.picture;
    double *between = calloc((size_t)job->keys, sizeof *between);
    float *before, *now;
    if (!between) return command_fail(CHL_ERR_MEMORY, "out of memory for %d keys", job->keys);
    for (int k = 0; k + 1 < job->keys; k++)
        between[k] = difference(job, job->picture + (size_t)k * count,
                                job->picture + (size_t)(k + 1) * count);
    chl_status status = read_frame(job, 0, &before);
    for (int f = 1; f < job->frames && status == CHL_OK; f++) {
        status = read_frame(job, f, &now);
        if (status != CHL_OK) break;
        const double change = difference(job, before, now);
        job->change += change / (job->frames - 1);
        job->fade += fade_at(job, f - 1, between) / (job->frames - 1);
        job->largest = fmax(job->largest, change);
        chl_release(before);
        before = now;
    }
    chl_release(before);
    free(between);
    return status;
}

/* --- strip ------------------------------------------------------------------------------------ */
chl_status video_write_strip(video_job *job) {
    float *cell[STRIP_FRAMES] = {NULL};
    const int shown_frames = job->frames < STRIP_FRAMES ? job->frames : STRIP_FRAMES;
    chl_status status = CHL_OK;
    for (int i = 0; i < shown_frames && status == CHL_OK; i++)
        status = read_frame(job, (int)((2 * i + 1) * (int64_t)job->frames / (2 * shown_frames)),
                            &cell[i]);
    if (status == CHL_OK)
        status = chl_picture_grid(job->strip, 1, shown_frames, job->size.picture, job->size.picture,
                                  GAP, (const float *const *)cell);
    for (int i = 0; i < shown_frames; i++) chl_release(cell[i]);
    return status;
}
