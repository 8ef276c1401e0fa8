/* Fills the cache of embeddings before trainings. */
#include "base/json.h"
#include "base/options.h"
#include "models/model.h"
#include "runtime/open.h"
#include "train/frozen.h"
#include "train/left_out.h"
#include "train/wordings.h"
#include <chladni/data.h>
#include <stdlib.h>

#define AT_ONCE 256 /* pictures between two looks at the callback */
#define BATCH 32

typedef struct job {
    chl_embed_ahead_options options;
    chl_dataset *data;
    chl_frozen *frozen;
    int64_t unreadable;
} job;

static chl_status embed_texts(const job *j) {
    chl_wordings all;
    if (!j->options.vocab || j->data->labels == 0) return CHL_OK;
    const uint64_t seed = j->options.seed ? j->options.seed : 1;
    CHL_TRY(chl_wordings_make(j->data, seed, j->options.wordnet, &all));
    float *rows = malloc(sizeof *rows * (size_t)(all.count * chl_frozen_width(j->frozen) + 1));
    const chl_status status =
        rows ? chl_frozen_texts(j->frozen, all.count, (const char *const *)all.text, rows)
             : chl_fail(CHL_ERR_MEMORY, "out of memory for texts");
    free(rows);
    chl_wordings_free(&all);
    return status;
}

static chl_status embed_some(job *j, int64_t count, const chl_media *picture, float *rows) {
    char *why[AT_ONCE] = {NULL};
    const chl_status status = chl_frozen_pictures(j->frozen, count, picture, rows, why);
    for (int64_t i = 0; i < count; i++) {
        if (!why[i]) continue;
        j->unreadable++;
        chl_log(CHL_LOG_WARN, "left out: %s", why[i]);
        free(why[i]);
    }
    return status;
}

static chl_status embed_pictures(job *j) {
    chl_media picture[AT_ONCE];
    float *rows = malloc(sizeof *rows * AT_ONCE * (size_t)chl_frozen_width(j->frozen));
    chl_status status = rows ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for pictures");
    const int64_t all = j->data->count;
    for (int64_t at = 0; at < all && status == CHL_OK;) {
        int64_t count = 0;
        for (; at < all && count < AT_ONCE; at++) {
            picture[count] = chl_sample_picture(&j->data->sample[at]);
            count += picture[count].path != NULL;
        }
        status = embed_some(j, count, picture, rows);
        if (status == CHL_OK && j->options.progress &&
            j->options.progress(j->options.user, "pictures", at, all))
            status = chl_fail(CHL_ERR_CANCELLED, "embedding was stopped after %lld of %lld clips",
                              (long long)at, (long long)all);
    }
    free(rows);
    return status;
}

static chl_status run(job *j, const chl_model_place *place, char **report) {
    const chl_embed_ahead_options *o = &j->options;
    const chl_dataset_choice choice = {.split = o->split, .tolerate = 1};
    CHL_TRY(chl_dataset_open_chosen(o->data, 0, &choice, &j->data));
    const chl_frozen_source source = {.device = place->device,
                                      .clip = o->clip,
                                      .vocab = o->vocab,
                                      .cache = o->cache,
                                      .batch =
                                          j->data->count < BATCH ? (int)j->data->count : BATCH};
    CHL_TRY(chl_frozen_open(&source, &j->frozen));
    CHL_TRY(embed_texts(j));
    CHL_TRY(embed_pictures(j));
    int64_t found, made;
    chl_frozen_counts(j->frozen, &found, &made);
    const uint64_t refused = chl_json_refused();
    json_t *root = json_pack("{s:I,s:I,s:I}", "embedded", (json_int_t)(made - j->unreadable),
                             "found", (json_int_t)found, "unreadable", (json_int_t)j->unreadable);
    *report = chl_json_text(root, JSON_COMPACT, refused);
    json_decref(root);
    return *report ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for the report");
}

chl_status chl_data_embed(const chl_embed_ahead_options *theirs, char **report) {
    job j = {.options = {.size = sizeof j.options}};
    const chl_embed_ahead_options *o = &j.options;
    CHL_NEEDS(theirs, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&j.options, sizeof j.options, theirs, "chl_embed_ahead_options"));
    CHL_TRY(chl_check_pointer(o->data, "data"));
    CHL_TRY(chl_check_pointer(o->clip, "clip"));
    CHL_TRY(chl_check_pointer(o->cache, "cache"));
    chl_model_place place;
    CHL_TRY(chl_model_place_open(o->device, CHL_PRECISION_FLOAT32, &place));
    const chl_status status = run(&j, &place, report);
    chl_frozen_close(j.frozen);
    chl_dataset_free(j.data);
    chl_device_close(place.device);
    return status;
}
