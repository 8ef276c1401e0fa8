#include "train/sample_cache.h"
#include "base/free.h"
#include "base/grow.h"
#include "models/centre_square.h"
#include "sound/level.h"
#include "sound/mel.h"
#include "train/in_parallel.h"
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct cached_picture {
    struct cached_picture *next; /* the same picture at another size */
    int side;
    bool passing;
    uint8_t pixels[];
} cached_picture;

typedef struct cached_mel {
    float *mel;
    int32_t frames;
    bool passing; /* freed at the next pass */
} cached_mel;

struct chl_sample_cache {
    int64_t count, left; /* bytes that may still be kept */
    cached_picture **picture;
    cached_mel *mel;
    chl_mel_store *store; /* NULL: none */
    int64_t *passing;     /* [passing_room]: samples that have something that passes */
    int64_t passing_count, passing_room;
};

chl_status chl_sample_cache_new(int64_t count, int64_t bytes, chl_mel_store *store,
                                chl_sample_cache **out) {
    chl_sample_cache *cache = calloc(1, sizeof *cache);
    *out = cache;
    if (cache) {
        cache->count = count;
        cache->store = store;
        cache->left = bytes ? bytes : INT64_MAX;
        cache->picture = calloc((size_t)count + 1, sizeof(cached_picture *));
        cache->mel = calloc((size_t)count + 1, sizeof *cache->mel);
    }
    if (!cache) chl_mel_store_close(store);
    if (cache && cache->picture && cache->mel) return CHL_OK;
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
        if (cache->mel) free(cache->mel[i].mel);
    }
    chl_mel_store_close(cache->store);
    CHL_FREE(cache->picture, cache->mel, cache->passing, cache);
}

/* Takes the bytes, or notes that the sample's passes. */
static chl_status keep(chl_sample_cache *cache, int64_t index, int64_t bytes, bool *passing) {
    *passing = bytes > cache->left;
    if (!*passing) {
        cache->left -= bytes;
        return CHL_OK;
    }
    int64_t *more =
        chl_grown(cache->passing, cache->passing_count, &cache->passing_room, sizeof *more);
    if (!more) return chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
    cache->passing = more;
    cache->passing[cache->passing_count++] = index;
    return CHL_OK;
}

void chl_sample_cache_pass(chl_sample_cache *cache) {
    for (int64_t i = 0; i < cache->passing_count; i++) {
        cached_mel *m = &cache->mel[cache->passing[i]];
        if (m->passing) {
            free(m->mel);
            *m = (cached_mel){0};
        }
        for (cached_picture **at = &cache->picture[cache->passing[i]]; *at;) {
            cached_picture *picture = *at;
            if (!picture->passing) {
                at = &picture->next;
                continue;
            }
            *at = picture->next;
            free(picture);
        }
    }
    cache->passing_count = 0;
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

static chl_status load_picture(const chl_media *media, int side, cached_picture **out) {
    chl_raster raster;
    CHL_TRY(chl_media_raster(media, &raster));
    cached_picture *picture = malloc(sizeof *picture + 3 * (size_t)side * (size_t)side);
    chl_status status = picture
                            ? fit(&raster, side, picture->pixels)
                            : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", chl_media_name(media));
    chl_raster_free(&raster);
    if (status != CHL_OK) {
        free(picture);
        return status;
    }
    picture->side = side;
    *out = picture;
    return CHL_OK;
}

chl_status chl_sample_cache_picture(chl_sample_cache *cache, int64_t index, const chl_media *media,
                                    int side, const uint8_t **pixels) {
    cached_picture **first = &cache->picture[index], *picture = *first;
    while (picture && picture->side != side) picture = picture->next;
    if (!picture) {
        CHL_TRY(load_picture(media, side, &picture));
        picture->next = *first;
        *first = picture;
        CHL_TRY(keep(cache, index, 3 * (int64_t)side * side, &picture->passing));
    }
    *pixels = picture->pixels;
    return CHL_OK;
}

/* --- sounds ----------------------------------------------------------------------------------- */
typedef struct loading {
    int64_t index;
    const chl_media *media;
    float level_db; /* NAN: as it is */
    float *mel;
    int64_t frames;
    bool stored; /* it was in the store */
    char *why;   /* it cannot be read; NULL: it could */
} loading;

static chl_status load_mel(loading *l) {
    chl_media_sound sound;
    CHL_TRY(chl_media_sound_open(l->media, &sound));
    const chl_wave_source source = {chl_sound_samples(sound.sound), chl_sound_read,
                                    chl_sound_rewind, sound.sound};
    const chl_status status =
        chl_mel_whole_from(chl_device_cpu(), &source, CHL_MEL_ABSOLUTE, &l->mel, &l->frames);
    chl_media_sound_close(&sound);
    return status;
}

/* Each sample that is not there yet once. */
static int list_missing(const chl_sample_cache *cache, const chl_left_out *left, int count,
                        const int64_t *index, const chl_cached_sound *sound, loading *missing) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        bool known = cache->mel[index[i]].mel != NULL || chl_left_out_has(left, index[i]);
        for (int k = 0; k < found; k++) known = known || missing[k].index == index[i];
        if (!known)
            missing[found++] = (loading){
                .index = index[i], .media = &sound[i].media, .level_db = sound[i].level_db};
    }
    return found;
}

typedef struct batch {
    loading *missing;
    bool may_fail;
} batch;

static chl_status load_one(void *user, int i) {
    const batch *b = user;
    loading *l = &b->missing[i];
    if (l->stored) return CHL_OK;
    const chl_status status = load_mel(l);
    if (status == CHL_OK || !b->may_fail || !chl_left_out_blames(status)) return status;
    l->mel = NULL;
    l->why = strdup(chl_error());
    return l->why ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
}

/* Of the calling thread: in the order of the batch, so that what is kept does not depend on threads. */
static chl_status take(chl_sample_cache *cache, chl_left_out *left, loading *l) {
    if (l->why) return chl_left_out_add(left, l->index, chl_media_name(l->media), l->why);
    cached_mel *to = &cache->mel[l->index];
    if (cache->store && !l->stored) chl_mel_store_add(cache->store, l->media, l->mel, l->frames);
    if (!isnan(l->level_db)) chl_mel_to_level(l->mel, l->frames, (double)l->level_db);
    *to = (cached_mel){.mel = l->mel, .frames = (int32_t)l->frames};
    l->mel = NULL;
    return keep(cache, l->index, (int64_t)sizeof(float) * CHL_MEL_BANDS * l->frames, &to->passing);
}

static chl_status load_all(chl_sample_cache *cache, chl_left_out *left, loading *missing,
                           int found) {
    batch b = {missing, chl_left_out_allows(left)};
    for (int i = 0; cache->store && i < found; i++)
        missing[i].stored =
            chl_mel_store_find(cache->store, missing[i].media, &missing[i].mel, &missing[i].frames);
    chl_status status = chl_in_parallel(found, load_one, &b);
    for (int i = 0; i < found; i++) {
        if (status == CHL_OK) status = take(cache, left, &missing[i]);
        free(missing[i].mel);
        free(missing[i].why);
    }
    return status;
}

chl_status chl_sample_cache_mels(chl_sample_cache *cache, chl_left_out *left, int count,
                                 const int64_t *index, const chl_cached_sound *sound,
                                 const float **mel, int64_t *frames) {
    loading *missing = calloc((size_t)count + 1, sizeof *missing);
    if (!missing) return chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
    const int found = list_missing(cache, left, count, index, sound, missing);
    const chl_status status = load_all(cache, left, missing, found);
    free(missing);
    CHL_TRY(status);
    for (int i = 0; i < count; i++) {
        mel[i] = cache->mel[index[i]].mel;
        frames[i] = cache->mel[index[i]].frames;
    }
    return CHL_OK;
}
