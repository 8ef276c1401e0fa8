/* Retrieval among sounds, pictures and texts by the cosine of their embeddings. */
#include "base/free.h"
#include "base/options.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "eval/retrieval_set.h"
#include "models/engine.h"
#include "train/left_out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 8
#define GREY_SIDE 32

typedef struct retrieval {
    chl_engine *engine;
    const chl_retrieval_options *o;
    chl_progress_watch watch;
    chl_retrieval_set set;
    int width;
    float *sound, *picture, *text; /* embeddings */
    float *pixels;                 /* of the picture that is embedded */
    bool *unreadable;              /* [set.pictures] */
    int *number;                   /* [set.pictures] among those that can be read */
    int64_t unreadable_count;
} retrieval;

static chl_status no_memory(const retrieval *r) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its embeddings", r->o->data);
}

/* --- embeddings ------------------------------------------------------------------------------- */
static chl_status new_rows(const retrieval *r, int64_t count, float **rows) {
    *rows = malloc(sizeof **rows * (size_t)(count * r->width + 1));
    return *rows ? CHL_OK : no_memory(r);
}

/* What cannot be read is grey, and is left out afterwards. */
static chl_status get_picture(void *user, int64_t index, int *height, int *width,
                              const float **pixels) {
    retrieval *r = user;
    chl_raster raster = {.height = GREY_SIDE, .width = GREY_SIDE};
    CHL_TRY(chl_report_progress(&r->watch, "looking", index, r->set.pictures));
    const chl_status status = chl_media_raster(&r->set.picture[index], &raster);
    if (status != CHL_OK) {
        if (!chl_left_out_blames(status)) return status;
        chl_log(CHL_LOG_WARN, "left out: %s", chl_error());
        raster = (chl_raster){.height = GREY_SIDE, .width = GREY_SIDE};
        r->unreadable[index] = true;
        r->unreadable_count++;
    }
    const int64_t numbers = 3 * (int64_t)raster.height * raster.width;
    free(r->pixels);
    r->pixels = calloc((size_t)numbers, sizeof *r->pixels);
    if (r->pixels && raster.rgb) chl_raster_to_float(numbers, raster.rgb, r->pixels);
    *height = raster.height;
    *width = raster.width;
    chl_raster_free(&raster);
    if (!r->pixels) return no_memory(r);
    *pixels = r->pixels;
    return CHL_OK;
}

/* What could not be read is no candidate. Numbers only fall, so that pairs stay sorted. */
static void drop_unreadable(retrieval *r) {
    chl_retrieval_set *s = &r->set;
    int kept = 0;
    int64_t pairs = 0;
    for (int i = 0; i < s->pictures; i++) {
        r->number[i] = r->unreadable[i] ? -1 : kept;
        if (r->unreadable[i]) continue;
        memmove(r->picture + (int64_t)kept * r->width, r->picture + (int64_t)i * r->width,
                sizeof *r->picture * (size_t)r->width);
        kept++;
    }
    for (int64_t i = 0; i < s->shown; i++) {
        const chl_pair pair = {s->with_picture[i].from, r->number[s->with_picture[i].to]};
        if (pair.to >= 0) s->with_picture[pairs++] = pair;
    }
    s->pictures = kept;
    s->shown = pairs;
}

static chl_status embed_pictures(retrieval *r) {
    const chl_retrieval_set *s = &r->set;
    r->unreadable = calloc((size_t)s->pictures + 1, sizeof *r->unreadable);
    r->number = malloc(sizeof *r->number * ((size_t)s->pictures + 1));
    if (!r->unreadable || !r->number) return no_memory(r);
    CHL_TRY(new_rows(r, s->pictures, &r->picture));
    const chl_pictures pictures = {.count = s->pictures, .get = get_picture, .user = r};
    CHL_TRY(chl_clip_embed_pictures(r->engine->clip, BATCH, &pictures, r->picture));
    drop_unreadable(r);
    return CHL_OK;
}

static chl_status embed_texts(retrieval *r) {
    const chl_retrieval_set *s = &r->set;
    CHL_TRY(new_rows(r, s->texts, &r->text));
    CHL_TRY(chl_report_progress(&r->watch, "reading", 0, s->texts));
    if (s->labels)
        return chl_eval_embed_named(r->engine->clip, s->texts, s->text, NULL, r->o->prompts,
                                    r->o->prompt, r->text);
    for (int at = 0; at < s->texts; at += BATCH) {
        const int count = s->texts - at < BATCH ? s->texts - at : BATCH;
        CHL_TRY(chl_clip_embed_texts(r->engine->clip, BATCH, count, s->text + at,
                                     r->text + (int64_t)at * r->width));
        CHL_TRY(chl_report_progress(&r->watch, "reading", at + count, s->texts));
    }
    return CHL_OK;
}

/* --- both directions -------------------------------------------------------------------------- */
/* A picture or text is drawn together with what belongs to the recording of its first sound. */
static void groups_of(const retrieval *r, int64_t pairs, const chl_pair *back, int *group) {
    for (int64_t i = 0; i < pairs; i++)
        if (i == 0 || back[i].from != back[i - 1].from)
            group[back[i].from] = r->set.group[back[i].to];
}

/* rows [others]: pictures or texts; pairs begin with a sound. */
typedef struct other_side {
    const char *there, *back; /* keys of both directions */
    int others;
    const float *row;
    int64_t pairs;
    const chl_pair *pair;
    bool each_pair; /* each of an other one's pairs is a query */
} other_side;

static chl_status both_ways(const retrieval *r, const other_side *x, json_t *report) {
    const chl_retrieval_set *s = &r->set;
    chl_pair *back = malloc(sizeof *back * (size_t)(x->pairs + 1));
    int *group = malloc(sizeof *group * (size_t)(x->others + 1));
    chl_status status = back && group ? CHL_OK : no_memory(r);
    chl_recall task = {.width = r->width,
                       .queries = s->sounds,
                       .candidates = x->others,
                       .query = r->sound,
                       .candidate = x->row,
                       .pairs = x->pairs,
                       .pair = x->pair,
                       .group = s->group};
    json_t *found = NULL;
    if (status == CHL_OK) status = chl_recall_report(&task, &found);
    if (status == CHL_OK) {
        chl_json_set(report, x->there, found);
        for (int64_t i = 0; i < x->pairs; i++) back[i] = (chl_pair){x->pair[i].to, x->pair[i].from};
        chl_pairs_sort(x->pairs, back);
        groups_of(r, x->pairs, back, group);
        task = (chl_recall){.width = r->width,
                            .queries = x->others,
                            .candidates = s->sounds,
                            .query = x->row,
                            .candidate = r->sound,
                            .pairs = x->pairs,
                            .pair = back,
                            .each_pair = x->each_pair,
                            .group = group};
        status = chl_recall_report(&task, &found);
    }
    if (status == CHL_OK) chl_json_set(report, x->back, found);
    free(back);
    free(group);
    return status;
}

/* Whether there are pairs and the models take them; pairs that they do not take are told as absent. */
static bool can_search(json_t *root, const char *part, int64_t pairs, bool takes, const char *why) {
    if (pairs > 0 && !takes)
        chl_json_append(json_object_get(root, "absent"),
                        json_pack("{s:s, s:s}", "part", part, "why", why));
    return pairs > 0 && takes;
}

static chl_status search_pictures(retrieval *r, json_t *root) {
    const chl_retrieval_set *s = &r->set;
    if (!can_search(root, "audio_image", s->shown, chl_clip_has_pictures(r->engine->clip),
                    "it needs a CLIP with an image tower"))
        return CHL_OK;
    CHL_TRY(embed_pictures(r));
    json_t *found = json_object();
    chl_json_set(root, "audio_image", found);
    return both_ways(r,
                     &(other_side){.there = "audio_to_image",
                                   .back = "image_to_audio",
                                   .others = s->pictures,
                                   .row = r->picture,
                                   .pairs = s->shown,
                                   .pair = s->with_picture},
                     found);
}

static chl_status search_texts(retrieval *r, json_t *root) {
    const chl_retrieval_set *s = &r->set;
    if (!can_search(root, "audio_text", s->told, chl_clip_has_texts(r->engine->clip),
                    "it needs a CLIP with a text tower, and its vocab"))
        return CHL_OK;
    CHL_TRY(embed_texts(r));
    json_t *found = json_pack("{s:s}", "texts", s->labels ? "labels" : "captions");
    chl_json_set(root, "audio_text", found);
    return both_ways(r,
                     &(other_side){.there = "audio_to_text",
                                   .back = "text_to_audio",
                                   .others = s->texts,
                                   .row = r->text,
                                   .pairs = s->told,
                                   .pair = s->with_text,
                                   .each_pair = !s->labels},
                     found);
}

/* --- all -------------------------------------------------------------------------------------- */
/* Before the sounds are embedded: is there anything that they can find? */
static chl_status check_models(const retrieval *r) {
    const chl_clip *clip = r->engine->clip;
    if (r->set.shown > 0 && chl_clip_has_pictures(clip)) return CHL_OK;
    if (r->set.told > 0) return chl_clip_need_texts(clip, "retrieval of texts");
    return chl_clip_need_pictures(clip, "retrieval of pictures");
}

static chl_status search(retrieval *r, json_t *root) {
    const chl_retrieval_set *s = &r->set;
    if (s->shown == 0 && s->told == 0)
        return chl_fail(CHL_ERR_KEY, "%s: retrieval needs pictures, captions or labels, got none",
                        r->o->data);
    CHL_TRY(check_models(r));
    CHL_TRY(new_rows(r, s->sounds, &r->sound));
    CHL_TRY(
        chl_eval_embed_sounds(r->engine->audio, s->sounds, s->sound, NULL, &r->watch, r->sound));
    CHL_TRY(search_pictures(r, root));
    return search_texts(r, root);
}

static chl_status evaluate(retrieval *r, char **report) {
    const chl_retrieval_options *o = r->o;
    CHL_TRY(chl_retrieval_set_open(o->data, o->split, o->limit, o->by_label != 0, &r->set));
    r->width = chl_models_sizes(r->engine).embedding;
    const uint64_t refused = chl_json_refused();
    const chl_retrieval_set *s = &r->set;
    json_t *root =
        json_pack("{s:o, s:I, s:I, s:i, s:i, s:i, s:[]}", "data", chl_json_string(o->data), "clips",
                  (json_int_t)s->clips, "missing", (json_int_t)s->missing, "sounds", s->sounds,
                  "pictures", s->pictures, "texts", s->texts, "absent");
    const chl_status status = search(r, root);
    chl_json_set(root, "unreadable_pictures", json_integer(r->unreadable_count));
    return chl_report_end(status, root, refused, report);
}

static void retrieval_free(retrieval *r) {
    chl_retrieval_set_free(&r->set);
    CHL_FREE(r->sound, r->picture, r->text, r->pixels, r->unreadable, r->number);
}

chl_status chl_evaluate_retrieval(chl_engine *engine, const chl_retrieval_options *theirs,
                                  char **report) {
    chl_retrieval_options mine = {.size = sizeof mine};
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_retrieval_options"));
    CHL_TRY(chl_check_pointer(mine.data, "data"));
    CHL_TRY(chl_check_int(mine.limit >= 0, "limit", ">= 0", mine.limit));
    CHL_TRY(chl_check_int(mine.prompts >= 0, "prompts", ">= 0", mine.prompts));
    if (mine.prompts) CHL_TRY(chl_check_pointer(mine.prompt, "prompt"));
    CHL_TRY(chl_check_texts(__func__, "prompt", mine.prompts, mine.prompt));
    CHL_TRY(chl_need(engine->audio, "audio", "retrieval"));
    CHL_TRY(chl_need(engine->clip, "clip", "retrieval"));
    const chl_log_sink before = chl_log_divert(engine->log);
    retrieval r = {.engine = engine, .o = &mine, .watch = {mine.progress, mine.user}};
    const chl_status status = evaluate(&r, report);
    retrieval_free(&r);
    return chl_log_restore(before, status);
}
