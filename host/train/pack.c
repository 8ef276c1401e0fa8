/* A data set as WebDataset shards. */
#include "base/json.h"
#include "base/options.h"
#include "data/captions.h"
#include "data/shard_writer.h"
#include "train/dataset.h"
#include "train/left_out.h"
#include <chladni/data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIPS 1000 /* in a shard: 0.9 GB of ten seconds as WAV */

static json_t *captions_of(const chl_sample *s) {
    json_t *list = json_array();
    size_t length;
    for (const char *at = s->captions, *one; (one = chl_captions_next(&at, &length));) {
        char *text = strndup(one, length);
        chl_json_append(list, chl_json_string(text));
        free(text);
    }
    return list;
}

/* The words under the keys of pairs.jsonl, which shards.c reads. */
static char *words_of(const chl_dataset *data, int64_t i) {
    const chl_sample *s = &data->sample[i];
    const int *folds = chl_dataset_classes(data, "fold"); /* of a list's lines */
    const int fold = s->entry ? s->entry->fold : folds ? folds[i] : 0;
    char number[16];
    snprintf(number, sizeof number, "%d", fold);
    const struct {
        const char *key, *text;
    } words[] = {{"label", s->label},
                 {"caption", s->caption},
                 {"kind", s->kind},
                 {"source", s->source},
                 {"split", s->split   ? s->split
                           : fold > 0 ? number
                                      : NULL}};
    const uint64_t refused = chl_json_refused();
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].text) chl_json_set(object, words[i].key, chl_json_string(words[i].text));
    if (s->captions) chl_json_set(object, "caption", captions_of(s));
    if (fold > 0 && s->split && chl_source_fold(s->split) != fold)
        chl_json_set(object, "fold", json_integer(fold));
    if (s->strength_given) chl_json_set(object, "strength", json_real((double)s->strength));
    if (!isnan(s->level_db)) chl_json_set(object, "level_db", json_real((double)s->level_db));
    char *text = chl_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(9), refused);
    json_decref(object);
    return text;
}

static chl_status pack_sample(chl_dataset *data, int64_t i, chl_shard_writer *writer,
                              int64_t *left_out) {
    const chl_sample *s = &data->sample[i];
    const chl_media sound = chl_sample_sound(s);
    chl_media picture = chl_sample_picture(s);
    if (picture.path && strcmp(chl_media_name(&picture), chl_media_name(&sound)) == 0)
        picture = (chl_media){0}; /* a video, which holds both */
    char *words = words_of(data, i), *why = NULL;
    if (!words) return chl_fail(CHL_ERR_MEMORY, "out of memory for a clip's words");
    const chl_status status = chl_shard_writer_add(writer, words, &sound, &picture, &why);
    free(words);
    if (why) {
        ++*left_out;
        chl_log(CHL_LOG_WARN, "left out: %s", why);
    }
    free(why);
    return status;
}

static chl_status pack_all(const chl_pack_options *o, chl_dataset *data, chl_shard_writer *writer,
                           int64_t *left_out) {
    for (int64_t i = 0; i < data->count; i++) {
        if (o->progress && o->progress(o->user, "clips", i, data->count))
            return chl_fail(CHL_ERR_CANCELLED, "packing was stopped after %lld clips",
                            (long long)i);
        CHL_TRY(pack_sample(data, i, writer, left_out));
    }
    return CHL_OK;
}

chl_status chl_data_pack(const chl_pack_options *theirs, char **report) {
    chl_pack_options o = {.size = sizeof o};
    CHL_NEEDS(theirs, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&o, sizeof o, theirs, "chl_pack_options"));
    CHL_TRY(chl_check_pointer(o.data, "data"));
    CHL_TRY(chl_check_pointer(o.out, "out"));
    CHL_TRY(chl_check_int(o.clips >= 0, "clips", ">= 0", o.clips));
    const chl_dataset_choice choice = {.split = o.split, .tolerate = 1};
    chl_dataset *data;
    chl_shard_writer *writer = NULL;
    int64_t shards = 0, left_out = 0;
    CHL_TRY(chl_dataset_open_chosen(o.data, CHL_NEED_SOUND, &choice, &data));
    chl_status status = chl_shard_writer_new(o.out, o.clips ? o.clips : CLIPS, &writer);
    if (status == CHL_OK) status = pack_all(&o, data, writer, &left_out);
    if (status == CHL_OK)
        status = chl_shard_writer_end(writer, &shards);
    else
        chl_shard_writer_abandon(writer);
    const uint64_t refused = chl_json_refused();
    json_t *root = json_pack("{s:I,s:I,s:I}", "clips", (json_int_t)(data->count - left_out),
                             "shards", (json_int_t)shards, "left_out",
                             (json_int_t)(left_out + chl_left_out_count(data->left_out)));
    chl_dataset_free(data);
    if (status == CHL_OK) {
        *report = chl_json_text(root, JSON_COMPACT, refused);
        if (!*report) status = chl_fail(CHL_ERR_MEMORY, "out of memory for the report");
    }
    json_decref(root);
    return status;
}
