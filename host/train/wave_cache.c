#include "train/wave_cache.h"
#include "sound/level.h"
#include "train/in_parallel.h"
#include "train/left_out.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct slot {
    int16_t *data;
    int64_t samples;
    bool passing; /* freed at the next call */
    char *why;    /* it cannot be read, and was not marked yet */
} slot;

struct chl_wave_cache {
    const chl_dataset *data;
    int64_t left;     /* bytes that may still be kept */
    slot *slot;       /* [data->count] */
    int64_t *loading; /* [data->count]: the samples that this call loads */
    int count;        /* of these */
};

chl_status chl_wave_cache_new(const chl_dataset *dataset, int64_t bytes, chl_wave_cache **out) {
    *out = NULL;
    chl_wave_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return chl_fail(CHL_ERR_MEMORY, "out of memory for sounds");
    *cache = (chl_wave_cache){.data = dataset, .left = bytes};
    cache->slot = calloc((size_t)dataset->count + 1, sizeof *cache->slot);
    cache->loading = calloc((size_t)dataset->count + 1, sizeof *cache->loading);
    if (cache->slot && cache->loading) {
        *out = cache;
        return CHL_OK;
    }
    chl_wave_cache_free(cache);
    return chl_fail(CHL_ERR_MEMORY, "out of memory for sounds");
}

void chl_wave_cache_free(chl_wave_cache *cache) {
    if (!cache) return;
    for (int64_t i = 0; cache->slot && i < cache->data->count; i++) {
        free(cache->slot[i].data);
        free(cache->slot[i].why);
    }
    free(cache->slot);
    free(cache->loading);
    free(cache);
}

static void free_passing(chl_wave_cache *cache) {
    for (int i = 0; i < cache->count; i++) {
        slot *s = &cache->slot[cache->loading[i]];
        if (!s->passing) continue;
        free(s->data);
        *s = (slot){0};
    }
    cache->count = 0;
}

static chl_status decode(const chl_sample *sample, slot *s) {
    const chl_media media = chl_sample_sound(sample);
    const char *path = chl_media_name(&media);
    chl_media_sound sound;
    float *wave;
    CHL_TRY(chl_media_sound_open(&media, &sound));
    const chl_status status = chl_sound_load_opened(sound.sound, &wave, &s->samples);
    chl_media_sound_close(&sound);
    CHL_TRY(status);
    if (!isnan(sample->level_db)) chl_wave_to_level(wave, s->samples, (double)sample->level_db);
    s->data = malloc(sizeof *s->data * (size_t)(s->samples + 1));
    for (int64_t k = 0; s->data && k < s->samples; k++)
        s->data[k] = (int16_t)fminf(fmaxf(rintf(wave[k] * 32768), -32768), 32767);
    free(wave);
    if (!s->data) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    if (s->samples < 1) return chl_fail(CHL_ERR_FORMAT, "%s: the sound has no samples", path);
    return CHL_OK;
}

static chl_status load(void *user, int i) {
    const chl_wave_cache *cache = user;
    slot *s = &cache->slot[cache->loading[i]];
    const chl_status status = decode(&cache->data->sample[cache->loading[i]], s);
    if (status == CHL_OK || !chl_left_out_allows(cache->data->left_out) ||
        !chl_left_out_blames(status))
        return status;
    free(s->data);
    s->data = NULL;
    s->why = strdup(chl_error());
    return s->why ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for sounds");
}

static chl_status settle(chl_wave_cache *cache, int64_t sample) {
    slot *s = &cache->slot[sample];
    const int64_t bytes = s->samples * (int64_t)sizeof *s->data;
    s->passing = s->data && bytes > cache->left;
    if (s->data && !s->passing) cache->left -= bytes;
    if (!s->why) return CHL_OK;
    const chl_status status =
        chl_left_out_add(cache->data->left_out, sample, cache->data->sample[sample].sound, s->why);
    free(s->why);
    *s = (slot){0};
    return status;
}

chl_status chl_wave_cache_take(chl_wave_cache *cache, int count, const int64_t *index,
                               chl_pcm *out) {
    free_passing(cache);
    for (int i = 0; i < count; i++) { /* each sample once: `passing` marks those on the list */
        slot *s = &cache->slot[index[i]];
        if (s->data || s->passing || chl_left_out_has(cache->data->left_out, index[i])) continue;
        s->passing = true;
        cache->loading[cache->count++] = index[i];
    }
    CHL_TRY(chl_in_parallel(cache->count, load, cache));
    for (int i = 0; i < cache->count; i++) CHL_TRY(settle(cache, cache->loading[i]));
    for (int i = 0; i < count; i++)
        out[i] = (chl_pcm){cache->slot[index[i]].data, cache->slot[index[i]].samples};
    return CHL_OK;
}
