#include "train/frozen.h"
#include "io/number_cache.h"
#include "models/registry.h"
#include "train/left_out.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PICTURE ((int64_t)256 << 20) /* bytes of a file */
#define RESIZE CHL_CLIP_AREA
#define TEXT 't'
#define PICTURE 'p'

struct chl_frozen {
    chl_frozen_source source;
    chl_clip *clip; /* NULL: at rest */
    int width;
    chl_number_cache *kept; /* NULL: no cache */
    bool full;              /* the cache cannot be written, which the log has said */
    uint8_t pair[CHL_SHA256_BYTES], merges[CHL_SHA256_BYTES];
    int64_t found, made;
};

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for embeddings");
}

/* --- the pair --------------------------------------------------------------------------------- */
static chl_status need_clip(chl_frozen *f) {
    if (f->clip) return CHL_OK;
    const chl_model_place place = {.device = f->source.device, .precision = CHL_F32};
    const chl_clip_settings settings = {.resize = RESIZE};
    CHL_TRY(chl_clip_open(&place, f->source.clip, f->source.vocab, &settings, &f->clip));
    f->width = f->clip->config.embed;
    return CHL_OK;
}

void chl_frozen_rest(chl_frozen *f) {
    chl_clip_close(f->clip);
    f->clip = NULL;
}

/* What an embedding depends on beside what is embedded, and the merges, for texts. */
static chl_status digest_pair(chl_frozen *f) {
    char facts[128];
    chl_sha256 hash;
    CHL_TRY(chl_sha256_of_file(f->source.clip, f->pair));
    if (f->source.vocab) CHL_TRY(chl_sha256_of_file(f->source.vocab, f->merges));
    snprintf(facts, sizeof facts, "chladni %s, float32 on %s, resize %d", CHLADNI_VERSION,
             f->source.device->backend->host_memory ? "cpu" : "gpu", (int)RESIZE);
    chl_sha256_begin(&hash);
    chl_sha256_add(&hash, facts, strlen(facts));
    chl_sha256_add(&hash, f->pair, sizeof f->pair);
    chl_sha256_end(&hash, f->pair);
    return CHL_OK;
}

/* How wide the pair's embeddings are is kept too, as one number, so that it need not be opened. */
static void width_key(const chl_frozen *f, uint8_t key[CHL_SHA256_BYTES]) {
    chl_sha256 hash;
    chl_sha256_begin(&hash);
    chl_sha256_add(&hash, "width", 5);
    chl_sha256_add(&hash, f->pair, sizeof f->pair);
    chl_sha256_end(&hash, key);
}

/* A cache that cannot be written costs time, not the run. */
static void keep(chl_frozen *f, const uint8_t *key, int64_t count, const float *numbers) {
    if (!f->kept || f->full || chl_number_cache_add(f->kept, key, count, numbers) == CHL_OK) return;
    f->full = true;
    chl_log(CHL_LOG_WARN, "embeddings are not kept for other runs: %s", chl_error());
}

static chl_status find_width(chl_frozen *f) {
    uint8_t key[CHL_SHA256_BYTES];
    float width;
    if (!f->kept) return need_clip(f);
    CHL_TRY(digest_pair(f));
    width_key(f, key);
    if (chl_number_cache_find(f->kept, key, 1, &width)) {
        f->width = (int)width;
        return CHL_OK;
    }
    CHL_TRY(need_clip(f));
    width = (float)f->width;
    keep(f, key, 1, &width);
    return CHL_OK;
}

chl_status chl_frozen_open(const chl_frozen_source *source, chl_frozen **out) {
    *out = NULL;
    chl_frozen *f = calloc(1, sizeof *f);
    if (!f) return no_memory();
    f->source = *source;
    chl_status status = source->cache ? chl_number_cache_open(source->cache, &f->kept) : CHL_OK;
    if (status == CHL_OK) status = find_width(f);
    CHL_HAND_OVER(status, f, out, chl_frozen_close);
}

void chl_frozen_close(chl_frozen *f) {
    if (!f) return;
    chl_clip_close(f->clip);
    chl_number_cache_close(f->kept);
    free(f);
}

int chl_frozen_width(const chl_frozen *f) {
    return f->width;
}

void chl_frozen_counts(const chl_frozen *f, int64_t *found, int64_t *made) {
    *found = f->found;
    *made = f->made;
}

/* --- rows ------------------------------------------------------------------------------------- */
typedef struct wanted {
    chl_frozen *frozen;
    int64_t *missing;                 /* [count]: places of those that are not kept */
    int64_t count;                    /* of these */
    uint8_t (*key)[CHL_SHA256_BYTES]; /* [count], by place; NULL without a cache */
    float *rows, *made;               /* made [count][width] of the missing ones */
} wanted;

static chl_status wanted_new(chl_frozen *f, int64_t count, float *rows, wanted *w) {
    *w = (wanted){.frozen = f, .rows = rows};
    w->missing = malloc(sizeof *w->missing * (size_t)(count + 1));
    if (f->kept) w->key = malloc(sizeof *w->key * (size_t)(count + 1));
    return w->missing && (w->key || !f->kept) ? CHL_OK : no_memory();
}

static void wanted_free(const wanted *w) {
    free(w->missing);
    free(w->key);
    free(w->made);
}

static void look_up(wanted *w, int64_t place, char kind, const void *content, size_t size) {
    chl_frozen *f = w->frozen;
    chl_sha256 hash;
    chl_sha256_begin(&hash);
    chl_sha256_add(&hash, &kind, 1);
    chl_sha256_add(&hash, f->pair, sizeof f->pair);
    if (kind == TEXT) chl_sha256_add(&hash, f->merges, sizeof f->merges);
    chl_sha256_add(&hash, content, size);
    chl_sha256_end(&hash, w->key[place]);
    if (chl_number_cache_find(f->kept, w->key[place], f->width, w->rows + place * f->width))
        f->found++;
    else
        w->missing[w->count++] = place;
}

/* Memory for the missing ones; and the pair. */
static chl_status begin_making(wanted *w) {
    w->made = malloc(sizeof(float) * (size_t)(w->count * w->frozen->width + 1));
    return w->made ? need_clip(w->frozen) : no_memory();
}

/* why: of those that are not kept, by place; NULL: all are fine */
static void take_made(wanted *w, char *const *why) {
    chl_frozen *f = w->frozen;
    for (int64_t i = 0; i < w->count; i++) {
        const int64_t place = w->missing[i];
        const float *row = w->made + i * f->width;
        memcpy(w->rows + place * f->width, row, sizeof(float) * (size_t)f->width);
        if (w->key && !(why && why[place])) keep(f, w->key[place], f->width, row);
        f->made++;
    }
}

static chl_status make_texts(wanted *w, const char *const *text) {
    if (w->count == 0) return CHL_OK;
    CHL_TRY(begin_making(w));
    const char **list = malloc(sizeof *list * (size_t)w->count);
    if (!list) return no_memory();
    for (int64_t i = 0; i < w->count; i++) list[i] = text[w->missing[i]];
    const chl_status status =
        chl_clip_embed_texts(w->frozen->clip, w->frozen->source.batch, w->count, list, w->made);
    free(list);
    if (status == CHL_OK) take_made(w, NULL);
    return status;
}

chl_status chl_frozen_texts(chl_frozen *f, int64_t count, const char *const *text, float *rows) {
    wanted w;
    chl_status status = wanted_new(f, count, rows, &w);
    for (int64_t i = 0; i < count && status == CHL_OK; i++) {
        if (f->kept)
            look_up(&w, i, TEXT, text[i], strlen(text[i]));
        else
            w.missing[w.count++] = i;
    }
    if (status == CHL_OK) status = make_texts(&w, text);
    wanted_free(&w);
    return status;
}

/* --- pictures --------------------------------------------------------------------------------- */
typedef struct reading {
    const wanted *w;
    const chl_media *picture;
    char **why;
    float *pixels; /* of the one that was read last */
} reading;

static chl_status decode(reading *r, const chl_media *media, int *height, int *width) {
    chl_raster raster;
    CHL_TRY(chl_media_raster(media, &raster));
    const int64_t count = 3 * (int64_t)raster.height * raster.width;
    *height = raster.height;
    *width = raster.width;
    free(r->pixels);
    r->pixels = malloc(sizeof(float) * (size_t)count);
    if (r->pixels) chl_raster_to_float(count, raster.rgb, r->pixels);
    chl_raster_free(&raster);
    return r->pixels ? CHL_OK : no_memory();
}

static chl_status note_why(char **why) {
    free(*why);
    *why = strdup(chl_error());
    return *why ? CHL_OK : no_memory();
}

/* Where some may be unreadable, a black pixel takes their place in the run. */
static chl_status get_picture(void *user, int64_t index, int *height, int *width,
                              const float **pixels) {
    static const float black[3] = {-1, -1, -1};
    reading *r = user;
    const int64_t place = r->w->missing[index];
    const chl_status status = decode(r, &r->picture[place], height, width);
    *pixels = r->pixels;
    if (status == CHL_OK || !r->why || !chl_left_out_blames(status)) return status;
    *height = *width = 1;
    *pixels = black;
    return note_why(&r->why[place]);
}

static chl_status look_up_picture(wanted *w, int64_t place, const chl_media *picture, char **why) {
    chl_file_bytes bytes;
    chl_status status = chl_media_bytes(picture, MAX_PICTURE, &bytes);
    if (status == CHL_OK) {
        look_up(w, place, PICTURE, bytes.data, bytes.size);
        chl_file_bytes_free(&bytes);
    } else if (why && chl_left_out_blames(status)) {
        status = note_why(why);
    }
    return status;
}

static chl_status make_pictures(wanted *w, const chl_media *picture, char **why) {
    if (w->count == 0) return CHL_OK;
    CHL_TRY(begin_making(w));
    reading r = {.w = w, .picture = picture, .why = why};
    const chl_pictures pictures = {.count = w->count, .get = get_picture, .user = &r};
    const chl_status status =
        chl_clip_embed_pictures(w->frozen->clip, w->frozen->source.batch, &pictures, w->made);
    free(r.pixels);
    if (status == CHL_OK) take_made(w, why);
    return status;
}

chl_status chl_frozen_pictures(chl_frozen *f, int64_t count, const chl_media *picture, float *rows,
                               char **why) {
    wanted w;
    chl_status status = wanted_new(f, count, rows, &w);
    memset(rows, 0, sizeof *rows * (size_t)(count * f->width));
    for (int64_t i = 0; i < count && status == CHL_OK; i++) {
        if (f->kept)
            status = look_up_picture(&w, i, &picture[i], why ? &why[i] : NULL);
        else
            w.missing[w.count++] = i;
    }
    if (status == CHL_OK) status = make_pictures(&w, picture, why);
    for (int64_t i = 0; why && i < count && status == CHL_OK; i++)
        if (why[i]) memset(rows + i * f->width, 0, sizeof *rows * (size_t)f->width);
    wanted_free(&w);
    return status;
}
