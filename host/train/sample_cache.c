#include "train/sample_cache.h"
#include "io/picture.h"
#include "io/sound.h"
#include "models/centre_square.h"
#include "sound/mel.h"
#include "train/in_parallel.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct cached_picture {
    struct cached_picture *next; /* the same picture at another size */
    int side;
    uint8_t pixels[];
} cached_picture;

struct chl_sample_cache {
    int64_t count;
    cached_picture **picture;
    float **mel;
    int64_t *frames;
};

chl_status chl_sample_cache_new(int64_t count, chl_sample_cache **out) {
    chl_sample_cache *cache = calloc(1, sizeof *cache);
    *out = cache;
    if (cache) {
        cache->count = count;
        cache->picture = calloc((size_t)count, sizeof(cached_picture *));
        cache->mel = calloc((size_t)count, sizeof(float *));
        cache->frames = calloc((size_t)count, sizeof(int64_t));
    }
    if (cache && cache->picture && cache->mel && cache->frames) return CHL_OK;
    chl_sample_cache_free(cache);
    *out = NULL;
    return chl_fail(CHL_ERR_MEMORY, "out of memory for %" PRId64 " samples", count);
}

void chl_sample_cache_free(chl_sample_cache *cache) {
    if (!cache) return;
    for (int64_t i = 0; i < cache->count; i++) {
        for (cached_picture *at = cache->picture ? cache->picture[i] : NULL, *next; at; at = next) {
            next = at->next;
            free(at);
        }
        if (cache->mel) free(cache->mel[i]);
    }
    free(cache->picture);
    free(cache->mel);
    free(cache->frames);
    free(cache);
}

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status fit(const chl_raster *raster, int side, uint8_t *out) {
    const int64_t numbers = 3 * (int64_t)side * side;
    if (raster->height == side && raster->width == side) {
        memcpy(out, raster->rgb, (size_t)numbers);
        return CHL_OK;
    }
    const int64_t all = 3 * (int64_t)raster->height * raster->width;
    float *pixels = malloc((size_t)all * sizeof(float));
    float *resized = malloc((size_t)numbers * sizeof(float));
    chl_status status;
    if (pixels && resized) {
        chl_raster_to_float(all, raster->rgb, pixels);
        status = chl_centre_square(chl_device_cpu(), raster->height, raster->width, pixels, side,
                                   resized);
        if (status == CHL_OK) status = chl_raster_from_float(numbers, resized, out);
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for a picture");
    }
    free(pixels);
    free(resized);
    return status;
}

static chl_status load_picture(const char *path, int side, cached_picture **out) {
    chl_raster raster;
    CHL_TRY(chl_raster_read(path, &raster));
    cached_picture *picture = malloc(sizeof *picture + 3 * (size_t)side * (size_t)side);
    chl_status status = picture ? fit(&raster, side, picture->pixels)
                                : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    chl_raster_free(&raster);
    if (status != CHL_OK) {
        free(picture);
        return status;
    }
    picture->side = side;
    *out = picture;
    return CHL_OK;
}

chl_status chl_sample_cache_picture(chl_sample_cache *cache, int64_t index, const char *path,
                                    int side, const uint8_t **pixels) {
    cached_picture **first = &cache->picture[index], *picture = *first;
    while (picture && picture->side != side) picture = picture->next;
    if (!picture) {
        CHL_TRY(load_picture(path, side, &picture));
        picture->next = *first;
        *first = picture;
    }
    *pixels = picture->pixels;
    return CHL_OK;
}

/* --- sounds ----------------------------------------------------------------------------------- */
static chl_status load_mel(const char *path, float **mel, int64_t *frames) {
    chl_sound *sound;
    CHL_TRY(chl_sound_open(path, &sound));
    const chl_wave_source source = {chl_sound_samples(sound), chl_sound_read, chl_sound_rewind,
                                    sound};
    chl_status status =
        chl_mel_whole_from(chl_device_cpu(), &source, CHL_MEL_ABSOLUTE, mel, frames);
    chl_sound_close(sound);
    return status;
}

/* Places in the batch whose samples are not there yet, each sample once. */
static int list_missing(const chl_sample_cache *cache, int count, const int64_t *index,
                        int *missing) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        bool known = cache->mel[index[i]] != NULL;
        for (int k = 0; k < found; k++) known = known || index[missing[k]] == index[i];
        if (!known) missing[found++] = i;
    }
    return found;
}

typedef struct missing_mels {
    chl_sample_cache *cache;
    const int *place; /* in the batch */
    const int64_t *index;
    const char *const *path;
} missing_mels;

static chl_status load_missing(void *user, int i) {
    const missing_mels *m = user;
    const int place = m->place[i];
    const int64_t sample = m->index[place];
    return load_mel(m->path[place], &m->cache->mel[sample], &m->cache->frames[sample]);
}

chl_status chl_sample_cache_mels(chl_sample_cache *cache, int count, const int64_t *index,
                                 const char *const *path, const float **mel, int64_t *frames) {
    int *missing = calloc((size_t)count + 1, sizeof *missing);
    if (!missing) return chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
    const int found = list_missing(cache, count, index, missing);
    missing_mels mels = {cache, missing, index, path};
    const chl_status status = chl_in_parallel(found, load_missing, &mels);
    free(missing);
    CHL_TRY(status);
    for (int i = 0; i < count; i++) {
        mel[i] = cache->mel[index[i]];
        frames[i] = cache->frames[index[i]];
    }
    return CHL_OK;
}
