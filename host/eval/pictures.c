/* Two sets of pictures, a generator's or a folder's and the data's: how far they are apart by CLIP's embeddings, and what a
 * judge sees in each. */
#include "base/free.h"
#include "base/options.h"
#include "eval/classified.h"
#include "eval/embed.h"
#include "eval/report.h"
#include "graph/build.h"
#include "io/picture.h"
#include "models/engine.h"
#include "train/dataset.h"
#include "train/feature_distance.h"
#include "train/left_out.h"
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16
#define TOLERATE 0.25 /* share of a folder's pictures that may be unreadable, as in a training */
#define NEIGHBOURS 3  /* as upstream's pr50k3 */

typedef struct picture_set {
    const char *name, *what;  /* the file or folder; for the progress */
    chl_dataset *data;        /* NULL: the generator's */
    int64_t most, count;      /* pictures there are at most, and were seen */
    float *view;              /* [most][embedding], with CLIP */
    chl_judgement *judgement; /* [most], with a judge */
    int *kind; /* [most], the judge's, that the line or folder says; -1: none of them */
} picture_set;

typedef struct work {
    chl_engine *engine;
    const chl_pictures_options *o;
    chl_progress_watch watch;
    int side, embedding; /* embedding 0: no CLIP */
    void *judge;
    chl_judge_sizes judge_sizes;
    chl_graph *fit; /* to the judge's size; NULL: as they are */
    chl_tensor plain, fitted;
    float *code, *pixels, *judged; /* [AT_ONCE][side][side][3], and of the judge's size */
    uint8_t *bytes;
} work;

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for pictures");
}

/* --- one picture ------------------------------------------------------------------------------ */
static int kind_of(const work *w, const chl_sample *sample) {
    const char *name = sample->kind ? sample->kind : sample->label;
    for (int c = 0; name && c < w->judge_sizes.kinds; c++)
        if (strcmp(w->judge_sizes.kind[c], name) == 0) return c;
    return -1;
}

/* The next one that can be read; *end: there is none. */
static chl_status read_picture(const work *w, picture_set *s, int64_t *at, float *pixels, int *kind,
                               bool *end) {
    for (; *at < s->data->count; ++*at) {
        const uint8_t *bytes;
        const int64_t index = chl_dataset_spread(s->data->count, *at);
        const chl_sample *sample = &s->data->sample[index];
        chl_dataset_next_batch(s->data);
        const chl_status status = chl_dataset_picture(s->data, index, w->side, &bytes);
        if (status == CHL_OK) {
            chl_raster_to_float(3 * (int64_t)w->side * w->side, bytes, pixels);
            *kind = kind_of(w, sample);
            ++*at;
            return CHL_OK;
        }
        if (!chl_left_out_blames(status)) return status;
        CHL_TRY(chl_left_out_add(s->data->left_out, index, sample->picture, chl_error()));
    }
    *end = true;
    return CHL_OK;
}

/* Rounded to bytes, as a picture file would be. */
static chl_status paint_picture(work *w, int64_t *at, float *pixels, int *kind) {
    const int64_t numbers = 3 * (int64_t)w->side * w->side;
    const float truncation = w->o->truncation > 0 ? (float)w->o->truncation : 1;
    CHL_TRY(chl_generator_seed_code(w->engine->generator, w->o->seed + (uint64_t)*at, truncation,
                                    w->code));
    CHL_TRY(chl_generator_render(w->engine->generator, 1, w->side, w->code, pixels));
    CHL_TRY(chl_raster_from_float(numbers, pixels, w->bytes));
    chl_raster_to_float(numbers, w->bytes, pixels);
    *kind = -1;
    ++*at;
    return CHL_OK;
}

/* --- a set ------------------------------------------------------------------------------------ */
static chl_status judge_pictures(work *w, int n, chl_judgement *out) {
    if (!w->judge) return CHL_OK;
    const float *pixels = w->pixels;
    if (w->fit) {
        CHL_TRY(chl_write(w->fit, w->plain, w->pixels));
        CHL_TRY(chl_run(w->fit, CHL_FIRST_SEGMENT));
        CHL_TRY(chl_read(w->fit, w->fitted, w->judged));
        pixels = w->judged;
    }
    return w->o->judged_by->classify(w->judge, n, pixels, out);
}

static chl_status see_set(work *w, picture_set *s) {
    const int64_t numbers = 3 * (int64_t)w->side * w->side;
    int64_t at = 0;
    bool end = false;
    while (!end && s->count < s->most) {
        int n = 0;
        CHL_TRY(chl_report_progress(&w->watch, s->what, s->count, s->most));
        while (n < AT_ONCE && s->count + n < s->most && !end) {
            float *pixels = w->pixels + n * numbers;
            int *kind = s->kind + s->count + n;
            CHL_TRY(s->data ? read_picture(w, s, &at, pixels, kind, &end)
                            : paint_picture(w, &at, pixels, kind));
            if (!end) n++;
        }
        if (n > 0 && w->embedding > 0)
            CHL_TRY(chl_clip_embed_equal_pictures(w->engine->clip, AT_ONCE, n, w->side, w->side,
                                                  w->pixels, s->view + s->count * w->embedding));
        if (n > 0) CHL_TRY(judge_pictures(w, n, s->judgement + s->count));
        s->count += n;
    }
    return chl_report_progress(&w->watch, s->what, s->count, s->count);
}

static chl_status open_set(const work *w, const char *source, const char *what, picture_set *s) {
    const chl_dataset_choice choice = {.tolerate = TOLERATE, .memory = 1};
    s->name = source;
    s->what = what;
    CHL_TRY(chl_dataset_open_chosen(source, CHL_NEED_PICTURE, &choice, &s->data));
    s->most = s->data->count;
    if (w->o->limit > 0 && s->most > w->o->limit) s->most = w->o->limit;
    return CHL_OK;
}

static chl_status set_memory(const work *w, picture_set *s) {
    const size_t most = (size_t)s->most;
    s->view = malloc((most * (size_t)w->embedding + 1) * sizeof *s->view);
    s->judgement = calloc(most + 1, sizeof *s->judgement);
    s->kind = malloc((most + 1) * sizeof *s->kind);
    return s->view && s->judgement && s->kind ? CHL_OK : no_memory();
}

static void set_free(picture_set *s) {
    chl_dataset_free(s->data);
    CHL_FREE(s->view, s->judgement, s->kind);
}

static int64_t neighbours(const work *w) {
    return w->o->neighbours > 0 ? w->o->neighbours : NEIGHBOURS;
}

static chl_status check_count(const work *w, const picture_set *s, int64_t count) {
    if (w->embedding == 0 || count > neighbours(w)) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s: more than %lld pictures are needed, got %lld", s->name,
                    (long long)neighbours(w), (long long)count);
}

/* --- the report ------------------------------------------------------------------------------- */
static chl_status compare(const work *w, const picture_set *a, const picture_set *b, json_t *root) {
    double fid, precision, recall;
    if (w->embedding == 0) return CHL_OK;
    CHL_TRY(check_count(w, a, a->count));
    CHL_TRY(check_count(w, b, b->count));
    const int k = (int)neighbours(w); /* less than a count, which is that of an array */
    CHL_TRY(chl_frechet_distance(a->count, a->view, b->count, b->view, w->embedding, &fid));
    CHL_TRY(chl_precision_recall(a->count, a->view, b->count, b->view, w->embedding, k, &precision,
                                 &recall));
    json_t *distances = json_pack("{s:o, s:i, s:i}", "features",
                                  chl_json_string(w->engine->clip->model.params->source),
                                  "embedding", w->embedding, "neighbours", k);
    chl_report_set(distances, "fid", fid);
    chl_report_set(distances, "kid",
                   chl_kernel_distance(a->count, a->view, b->count, b->view, w->embedding));
    chl_report_set(distances, "precision", precision);
    chl_report_set(distances, "recall", recall);
    chl_json_set(root, "distances", distances);
    return CHL_OK;
}

/* Of pictures whose line or folder names a kind of the judge's: how many it names so, of each kind and in all. */
static chl_status name_right(const work *w, const picture_set *s, json_t *report) {
    int hits[CHL_JUDGE_MAX_KINDS] = {0}, cases[CHL_JUDGE_MAX_KINDS] = {0};
    double *hit = malloc((size_t)(s->count + 1) * sizeof *hit);
    int64_t n = 0, right = 0;
    if (!hit) return no_memory();
    for (int64_t i = 0; i < s->count; i++) {
        const int kind = s->kind[i];
        if (kind < 0) continue;
        hit[n++] = s->judgement[i].kind == kind;
        right += s->judgement[i].kind == kind;
        hits[kind] += s->judgement[i].kind == kind;
        cases[kind]++;
    }
    json_t *kinds = json_object();
    for (int c = 0; c < w->judge_sizes.kinds; c++)
        if (cases[c] > 0)
            chl_json_set(kinds, w->judge_sizes.kind[c], chl_report_share(hits[c], cases[c]));
    chl_json_set(report, "labelled", json_integer(n));
    chl_json_set(report, "named_right", chl_report_share(right, n));
    const chl_status status = chl_report_interval(report, "interval", n, hit, NULL);
    chl_json_set(report, "right_per_kind", kinds);
    free(hit);
    return status;
}

static chl_status describe_judged(const work *w, const picture_set *s, json_t *report) {
    int named[CHL_JUDGE_MAX_KINDS] = {0};
    double certainty = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const chl_judgement *j = &s->judgement[i];
        named[j->kind]++;
        certainty += (double)j->probability[j->kind] / (double)s->count;
    }
    json_t *kinds = json_object();
    for (int c = 0; c < w->judge_sizes.kinds; c++)
        chl_json_set(kinds, w->judge_sizes.kind[c], chl_report_share(named[c], s->count));
    chl_json_set(report, "named", kinds);
    chl_report_set(report, "certainty", certainty);
    return name_right(w, s, report);
}

static chl_status describe_set(const work *w, const char *key, const picture_set *s, json_t *root) {
    json_t *set = json_pack("{s:o, s:I, s:I}", "source", chl_json_string(s->name), "count",
                            (json_int_t)s->count, "unreadable",
                            (json_int_t)(s->data ? chl_left_out_count(s->data->left_out) : 0));
    chl_json_set(root, key, set);
    return w->judge ? describe_judged(w, s, set) : CHL_OK;
}

static chl_status describe(const work *w, const picture_set *a, const picture_set *b,
                           json_t *root) {
    chl_json_set(root, "side", json_integer(w->side));
    if (w->judge) chl_json_set(root, "judge", chl_json_string(w->o->judge));
    CHL_TRY(describe_set(w, "pictures", a, root));
    CHL_TRY(describe_set(w, "data", b, root));
    return compare(w, a, b, root);
}

/* --- all together ----------------------------------------------------------------------------- */
static chl_status open_judge(work *w) {
    if (!w->o->judge) return CHL_OK;
    CHL_TRY(chl_check_pointer(w->o->judged_by, "judged_by"));
    return w->o->judged_by->open(w->engine, w->o->judge, &w->judge, &w->judge_sizes);
}

/* The graph that brings pictures to the judge's size. */
static chl_status build_fit(work *w) {
    const int side = w->side, theirs = w->judge_sizes.side;
    if (!w->judge || theirs == side) return CHL_OK;
    w->judged = malloc(AT_ONCE * 3 * (size_t)theirs * (size_t)theirs * sizeof *w->judged);
    if (!w->judged) return no_memory();
    CHL_TRY(chl_models_graph(w->engine, &w->fit));
    w->plain = chl_input(w->fit, "pictures", chl_f32(4, AT_ONCE, side, side, 3));
    const chl_tensor x = chl_resize(w->fit, w->plain, CHL_FILTER_BICUBIC_PIL, theirs, theirs);
    w->fitted = chl_keep(w->fit, x);
    return chl_compile(w->fit);
}

static int side_of(const work *w) {
    if (w->o->side > 0) return w->o->side;
    if (w->engine->generator) return w->engine->generator->sizes.picture;
    return w->engine->clip ? w->engine->clip->config.resolution : w->judge_sizes.side;
}

static chl_status open_sets(const work *w, picture_set *a, picture_set *b) {
    CHL_TRY(open_set(w, w->o->data, "data", b));
    if (w->o->pictures) return open_set(w, w->o->pictures, "pictures", a);
    const char *name = w->engine->generator->model.params->source;
    *a = (picture_set){.name = name, .what = "pictures", .most = b->most};
    const uint64_t largest = UINT32_MAX - (uint64_t)a->most + 1;
    if (w->o->seed <= largest) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "seed must be <= %llu for %lld pictures, got %llu",
                    (unsigned long long)largest, (long long)a->most,
                    (unsigned long long)w->o->seed);
}

static chl_status begin(work *w, picture_set *a, picture_set *b) {
    const chl_engine_sizes size = chl_models_sizes(w->engine);
    w->embedding = w->engine->clip ? w->engine->clip->config.embed : 0;
    CHL_TRY(open_judge(w));
    CHL_TRY(open_sets(w, a, b));
    CHL_TRY(check_count(w, a, a->most));
    CHL_TRY(check_count(w, b, b->most));
    w->side = side_of(w);
    if (w->side <= 0) /* a judge's may be anything */
        return chl_check_int(false, "side", "> 0", w->side);
    const size_t numbers = 3 * (size_t)w->side * (size_t)w->side;
    w->pixels = calloc(AT_ONCE * numbers, sizeof *w->pixels);
    w->bytes = malloc(numbers);
    w->code = calloc((size_t)size.rows * (size_t)size.latent + 1, sizeof *w->code);
    if (!w->pixels || !w->bytes || !w->code) return no_memory();
    CHL_TRY(set_memory(w, a));
    CHL_TRY(set_memory(w, b));
    return build_fit(w);
}

static chl_status evaluate(work *w, char **report) {
    picture_set a = {0}, b = {0};
    const uint64_t refused = chl_json_refused();
    json_t *root = json_object();
    chl_status status = begin(w, &a, &b);
    if (status == CHL_OK) status = see_set(w, &b);
    if (status == CHL_OK) status = see_set(w, &a);
    if (status == CHL_OK) status = describe(w, &a, &b, root);
    set_free(&a);
    set_free(&b);
    return chl_report_end(status, root, refused, report);
}

static chl_status check(const chl_engine *engine, const chl_pictures_options *o) {
    CHL_TRY(chl_check_pointer(o->data, "data"));
    CHL_TRY(chl_check_int(o->limit >= 0, "limit", ">= 0", o->limit));
    CHL_TRY(chl_check_int(o->side >= 0, "side", ">= 0", o->side));
    CHL_TRY(chl_check_int(o->neighbours >= 0, "neighbours", ">= 0", o->neighbours));
    CHL_TRY(chl_check_float(o->truncation >= 0, "truncation", ">= 0", o->truncation));
    if (!o->pictures) {
        CHL_TRY(chl_need(engine->generator, "generator", "pictures of seeds"));
        CHL_TRY(chl_generator_need_mapping(engine->generator, "pictures of seeds"));
    }
    if (engine->clip) return chl_clip_need_pictures(engine->clip, "FID");
    return o->judge ? CHL_OK : chl_need(engine->clip, "clip", "FID");
}

chl_status chl_evaluate_pictures(chl_engine *engine, const chl_pictures_options *theirs,
                                 char **report) {
    chl_pictures_options mine = {.size = sizeof mine};
    CHL_NEEDS(engine, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_pictures_options"));
    CHL_TRY(check(engine, &mine));
    const chl_log_sink before = chl_log_divert(engine->log);
    work w = {.engine = engine, .o = &mine, .watch = {mine.progress, mine.user}};
    const chl_status status = evaluate(&w, report);
    if (w.judge) mine.judged_by->close(w.judge);
    chl_graph_free(w.fit);
    CHL_FREE(w.code, w.pixels, w.judged, w.bytes);
    return chl_log_restore(before, status);
}
