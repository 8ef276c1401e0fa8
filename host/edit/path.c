/* Edits over time: from one code to the next, smoothly, and motion that follows the sound. */
#include "base/options.h"
#include "edit/edit_private.h"
#include <math.h>
#include <stdlib.h>

#define RATE 44100
#define LEAST 1e-4     /* of full scale: quieter counts as this */
#define HEARD 0.05     /* seconds around a frame whose loudness counts, at least */
#define AROUND 2.0     /* seconds that a loudness is compared with */
#define SWING 12.0     /* decibels that are the whole motion */
#define DIES_AWAY 0.25 /* seconds in which motion falls to 1/e */

/* --- beginning elsewhere ---------------------------------------------------------------------- */
/* The offset that all rows share which may move: moves [rows], or NULL for all. */
static void take_shared(int rows, int latent, const int *moves, const float *source,
                        const float *from, float *offset) {
    for (int i = 0; i < latent; i++) {
        double sum = 0;
        int count = 0;
        for (int row = 0; row < rows; row++) {
            if (moves && !moves[row]) continue;
            sum += (double)from[row * latent + i] - (double)source[row * latent + i];
            count++;
        }
        offset[i] = (float)(sum / count);
    }
}

chl_status chl_edit_from(chl_engine *engine, const chl_edit_options *theirs, const float *source,
                         const float *target, const float *from, float *edited) {
    CHL_NEEDS(engine, source, target, from, edited);
    chl_edit_options mine;
    CHL_TRY(chl_edit_take_options(engine, theirs, &mine));
    if (mine.space == CHL_SPACE_WHITENED)
        return chl_fail(CHL_ERR_UNSUPPORTED, "an edit that begins at another code needs the space "
                                             "w or shared, got whitened");
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    const int64_t numbers = (int64_t)sizes->rows * sizes->latent;
    CHL_FINITE(source, numbers);
    CHL_FINITE(from, numbers);
    CHL_FINITE(target, (int64_t)engine->clip->config.embed);
    if (mine.neutral)
        CHL_TRY(chl_check_finite(__func__, "neutral", mine.neutral, engine->clip->config.embed));
    float *offset = malloc(sizeof *offset * (size_t)sizes->latent);
    if (!offset) return chl_fail(CHL_ERR_MEMORY, "out of memory for a code");
    take_shared(sizes->rows, sizes->latent, mine.rows, source, from, offset);
    const chl_edit_many_more more = {.from = mine.space == CHL_SPACE_SHARED ? offset : from,
                                     .held = from};
    const chl_log_sink before = chl_log_divert(engine->log);
    const chl_status status = chl_log_restore(
        before, chl_edit_run(engine, &mine, &more, 1, source, target, edited, NULL));
    free(offset);
    return status;
}

/* --- the path --------------------------------------------------------------------------------- */
/* The slope at a key between two steps: their harmonic mean, or none where they turn [Fritsch, Butland
 * 1984]. With it no number leaves the range of its two keys. */
static double slope_between(double before, double after) {
    return before * after > 0 ? 2 * before * after / (before + after) : 0;
}

static double number_at(int keys, int64_t numbers, const float *key, int k, double t) {
    const double from = (double)key[k * numbers], to = (double)key[(k + 1) * numbers];
    const double step = to - from;
    const double before = k > 0 ? from - (double)key[(k - 1) * numbers] : step;
    const double after = k + 2 < keys ? (double)key[(k + 2) * numbers] - to : step;
    const double leaves = slope_between(before, step), arrives = slope_between(step, after);
    const double t2 = t * t, t3 = t2 * t;
    return from + (3 * t2 - 2 * t3) * step + (t3 - 2 * t2 + t) * leaves + (t3 - t2) * arrives;
}

chl_status chl_path_at(const chl_engine *engine, int keys, const float *key, int from, float share,
                       float *w) {
    CHL_NEEDS(engine, key, w);
    CHL_TRY(chl_need(engine->generator, "generator", "a path through codes"));
    CHL_TRY(chl_check_int(keys >= 1, "keys", ">= 1", keys));
    CHL_TRY(chl_check_int(from >= 0 && from < keys, "from", "in [0, keys - 1]", from));
    const bool last = from == keys - 1;
    CHL_TRY(chl_check_float(share >= 0 && share <= (last ? 0 : 1), "share",
                            last ? "0 at the last key" : "in [0, 1]", (double)share));
    const int64_t numbers =
        (int64_t)engine->generator->sizes.rows * engine->generator->sizes.latent;
    for (int64_t i = 0; i < numbers; i++)
        w[i] = last ? key[from * numbers + i]
                    : (float)number_at(keys, numbers, key + i, from, (double)share);
    return CHL_OK;
}

/* --- motion ----------------------------------------------------------------------------------- */
/* in decibels */
static double loudness(int64_t samples, const float *wave, double from, double to) {
    const int64_t first = (int64_t)fmax(from * RATE, 0),
                  last = (int64_t)fmin(to * RATE, (double)samples);
    double sum = 0;
    for (int64_t i = first; i < last; i++) sum += (double)wave[i] * (double)wave[i];
    const double power = last > first ? sum / (double)(last - first) : 0;
    return 10 * log10(fmax(power, LEAST * LEAST));
}

/* The mean of what lies within AROUND / 2 of a frame. */
static double usual(const float *level, int frames, int frame, int reach) {
    const int first = frame > reach ? frame - reach : 0,
              last = frame + reach < frames - 1 ? frame + reach : frames - 1;
    double sum = 0;
    for (int i = first; i <= last; i++) sum += (double)level[i];
    return sum / (last - first + 1);
}

chl_status chl_sound_motion(int64_t samples, const float *wave, float fps, int frames,
                            float *motion) {
    CHL_NEEDS(wave, motion);
    CHL_TRY(chl_check_int(samples >= 1 && samples <= INT64_MAX / 8, "samples",
                          ">= 1, and fit into memory", samples));
    CHL_TRY(chl_check_float(isfinite(fps) && fps > 0, "fps", "> 0", (double)fps));
    CHL_TRY(chl_check_int(frames >= 1, "frames", ">= 1", frames));
    CHL_FINITE(wave, samples);
    float *level = malloc(sizeof *level * (size_t)frames);
    if (!level) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d frames", frames);
    const double rate = (double)fps, half = fmax(1 / rate, HEARD) / 2;
    for (int f = 0; f < frames; f++)
        level[f] = (float)loudness(samples, wave, f / rate - half, f / rate + half);
    const int reach = (int)(AROUND * rate / 2);
    double now = 0;
    for (int f = 0; f < frames; f++) {
        const double louder = ((double)level[f] - usual(level, frames, f, reach)) / SWING;
        const double to = fmin(fmax(louder, -1), 1);
        now = to > now ? to : to + (now - to) * exp(-1 / (rate * DIES_AWAY));
        motion[f] = (float)now;
    }
    free(level);
    return CHL_OK;
}
