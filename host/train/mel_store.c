#include "train/mel_store.h"
#include "io/number_cache.h"
#include "sound/mel.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION 1
#define LEVELS 255
#define MAX_FRAMES 400000 /* of a longer sound, an hour and more, nothing is kept */

struct chl_mel_store {
    chl_number_cache *kept;
    bool full; /* it cannot be written, which the log has said */
};

chl_status chl_mel_store_open(const char *folder, chl_mel_store **out) {
    char *path;
    *out = NULL;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return chl_fail(CHL_ERR_IO, "%s: the folder cannot be made (%s)", folder, strerror(errno));
    if (asprintf(&path, "%s/mels", folder) < 0)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder);
    chl_mel_store *store = calloc(1, sizeof *store);
    const chl_status status = store ? chl_number_cache_open(path, &store->kept)
                                    : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder);
    free(path);
    CHL_HAND_OVER(status, store, out, chl_mel_store_close);
}

void chl_mel_store_close(chl_mel_store *store) {
    if (!store) return;
    chl_number_cache_close(store->kept);
    free(store);
}

/* Of how many frames it has (what 'f'), or of the numbers (what 'm'); false: the file is not there. */
static bool key_of(const chl_media *media, char what, uint8_t key[CHL_SHA256_BYTES]) {
    struct stat about;
    char *path = realpath(media->path, NULL);
    const bool there = path && stat(path, &about) == 0;
    if (there) {
        const int64_t numbers[] = {
            VERSION,       about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
            media->offset, media->bytes};
        chl_sha256 hash;
        chl_sha256_begin(&hash);
        chl_sha256_add(&hash, &what, 1);
        chl_sha256_add(&hash, numbers, sizeof numbers);
        chl_sha256_add(&hash, path, strlen(path));
        chl_sha256_end(&hash, key);
    }
    free(path);
    return there;
}

/* Numbers are kept in fours, in the place of a float. */
static int64_t words_of(int64_t numbers) {
    return (numbers + (int64_t)sizeof(float) - 1) / (int64_t)sizeof(float);
}

bool chl_mel_store_find(chl_mel_store *store, const chl_media *media, float **mel,
                        int64_t *frames) {
    uint8_t key[CHL_SHA256_BYTES];
    float count;
    if (!key_of(media, 'f', key) || !chl_number_cache_find(store->kept, key, 1, &count) ||
        !(count >= 1 && count <= MAX_FRAMES))
        return false;
    const int64_t numbers = CHL_MEL_BANDS * (int64_t)count;
    float *words = malloc(sizeof *words * (size_t)words_of(numbers));
    const uint8_t *byte = (const uint8_t *)words;
    *mel = malloc(sizeof **mel * (size_t)numbers);
    const bool found = words && *mel && key_of(media, 'm', key) &&
                       chl_number_cache_find(store->kept, key, words_of(numbers), words);
    for (int64_t i = 0; found && i < numbers; i++) (*mel)[i] = (float)byte[i] / LEVELS;
    free(words);
    if (!found) free(*mel);
    *frames = (int64_t)count;
    return found;
}

static chl_status keep(chl_mel_store *store, const chl_media *media, const float *words,
                       int64_t frames) {
    uint8_t key[CHL_SHA256_BYTES];
    const float count = (float)frames;
    if (frames > MAX_FRAMES || !key_of(media, 'm', key)) return CHL_OK;
    /* the numbers first: a kill between them leaves nothing that is looked for */
    CHL_TRY(chl_number_cache_add(store->kept, key, words_of(CHL_MEL_BANDS * frames), words));
    return key_of(media, 'f', key) ? chl_number_cache_add(store->kept, key, 1, &count) : CHL_OK;
}

void chl_mel_store_add(chl_mel_store *store, const chl_media *media, float *mel, int64_t frames) {
    const int64_t numbers = CHL_MEL_BANDS * frames;
    float *words = calloc((size_t)words_of(numbers), sizeof *words);
    uint8_t *byte = (uint8_t *)words;
    for (int64_t i = 0; i < numbers; i++) {
        const float level = roundf(mel[i] * LEVELS);
        if (words) byte[i] = (uint8_t)level;
        mel[i] = level / LEVELS;
    }
    if (words && !store->full && keep(store, media, words, frames) != CHL_OK) {
        store->full = true;
        chl_log(CHL_LOG_WARN, "mel pictures are not kept for other runs: %s", chl_error());
    }
    free(words);
}
