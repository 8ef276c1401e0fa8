/* What moved which part of an edited picture: gradients, and occlusion to check them. */
#include "eval/explain.h"
#include "base/options.h"
#include "eval/report.h"
#include "eval/sample_statistics.h"
#include "graph/build.h"
#include <chladni/eval.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 16
#define SOFTER (3.0f / 80) /* a mel picture's range is 80 dB */

typedef struct explaining {
    chl_engine *engine;
    const chl_explain_options *o;
    chl_explained x;
    int64_t code, pixels, embed, mels; /* numbers in each */
    float *softer;                     /* [mels]: the mel picture 3 dB softer */
    float *seen;                       /* [CHL_PARTS][embed]: what CLIP sees of a part's change */
    float *room; /* of one run: CHL_PARTS codes and pictures, or as many mel pictures */
} explaining;

/* The change of one part, zeros elsewhere. */
static void change_of(const explaining *e, int part, float *out) {
    const chl_explained *x = &e->x;
    for (int i = 0; i < (int)e->pixels; i++) {
        const int pixel = i / 3;
        const bool inside = chl_part_of(x->side, pixel / x->side, pixel % x->side) == part;
        out[i] = inside ? x->after[i] - x->before[i] : 0;
    }
}

/* --- along a way ------------------------------------------------------------------------------ */
/* From one input to another in a straight line; each part of the picture has its own gradient. */
typedef struct way {
    chl_graph *graph;
    chl_net net;
    chl_tensor input, gradient; /* [CHL_PARTS] of `numbers` each */
    chl_tensor given;           /* written once */
    int64_t numbers;
    const float *from, *to;
    void (*add)(explaining *e, const float *gradient); /* of one point of the way */
} way;

static chl_status integrate(explaining *e, const way *way) {
    float *at = e->room;
    for (int point = 0; point < e->o->points; point++) {
        const float share = ((float)point + 0.5f) / (float)e->o->points;
        for (int64_t i = 0; i < CHL_PARTS * way->numbers; i++) {
            const int64_t k = i % way->numbers;
            at[i] = way->from[k] + share * (way->to[k] - way->from[k]);
        }
        CHL_TRY(chl_write(way->graph, way->input, at));
        CHL_TRY(chl_run(way->graph, CHL_FIRST_SEGMENT));
        CHL_TRY(chl_read(way->graph, way->gradient, at));
        way->add(e, at);
    }
    return CHL_OK;
}

static chl_status follow(explaining *e, way *way, const float *given,
                         chl_status (*build)(const explaining *e, struct way *way)) {
    chl_status status = build(e, way);
    if (status == CHL_OK) status = chl_write(way->graph, way->given, given);
    if (status == CHL_OK) status = integrate(e, way);
    chl_net_done(&way->net);
    chl_graph_free(way->graph);
    return status;
}

/* --- rows ------------------------------------------------------------------------------------- */
/* The sum over the parts of <G(w_part), change of the part>: each part's code has its own gradient. */
static chl_status build_rows(const explaining *e, way *r) {
    CHL_TRY(chl_models_graph(e->engine, &r->graph));
    chl_graph *g = r->graph;
    const int side = e->x.side;
    r->net = chl_model_net(&e->engine->generator->model, g);
    r->input = chl_input(g, "w", chl_generator_codes(e->engine->generator, CHL_PARTS));
    r->given = chl_input(g, "change", chl_f32(4, CHL_PARTS, side, side, 3));
    chl_tensor picture = chl_generator_synthesize(e->engine->generator, &r->net, r->input);
    chl_tensor sum =
        chl_scale(g, chl_mean(g, chl_mul(g, picture, r->given)), (float)(CHL_PARTS * e->pixels));
    chl_grad(g, sum, 1, &r->input, &r->gradient);
    r->gradient = chl_keep(g, r->gradient);
    return chl_compile(g);
}

static void add_rows(explaining *e, const float *gradient) {
    const int latent = e->engine->generator->sizes.latent;
    for (int part = 0; part < CHL_PARTS; part++)
        for (int row = 0; row < e->x.rows; row++) {
            const float *of = gradient + part * e->code + row * latent;
            const float *from = e->o->source + row * latent, *to = e->o->edited + row * latent;
            e->x.by_row[row * CHL_PARTS + part] +=
                (chl_dot_of(latent, of, to) - chl_dot_of(latent, of, from)) / e->o->points;
        }
}

static chl_status explain_rows(explaining *e) {
    way way = {.numbers = e->code, .from = e->o->source, .to = e->o->edited, .add = add_rows};
    float *changes = e->room;
    for (int part = 0; part < CHL_PARTS; part++) change_of(e, part, changes + part * e->pixels);
    return follow(e, &way, changes, build_rows);
}

/* Each row in turn as it was in the source: how much less of its change a part has. */
static chl_status occlude_rows(explaining *e) {
    const int latent = e->engine->generator->sizes.latent;
    float *code = e->room, *picture = code + e->code, *change = picture + e->pixels;
    for (int row = 0; row < e->x.rows; row++) {
        memcpy(code, e->o->edited, sizeof(float) * (size_t)e->code);
        memcpy(code + row * latent, e->o->source + row * latent, sizeof(float) * (size_t)latent);
        CHL_TRY(chl_generator_render_each(e->engine->generator, 1, code, picture));
        for (int part = 0; part < CHL_PARTS; part++) {
            change_of(e, part, change);
            e->x.without_row[row * CHL_PARTS + part] =
                chl_dot_of(e->pixels, e->x.after, change) - chl_dot_of(e->pixels, picture, change);
        }
    }
    return CHL_OK;
}

/* --- the sound -------------------------------------------------------------------------------- */
/* What CLIP sees of each part's change. */
static chl_status look(explaining *e) {
    float *picture = e->room, *change = picture + e->pixels;
    const int side = e->x.side;
    float whole[CHL_MAX_EMBEDDING];
    CHL_TRY(chl_clip_embed_picture(e->engine->clip, side, side, e->x.after, whole));
    for (int part = 0; part < CHL_PARTS; part++) {
        float *seen = e->seen + part * e->embed;
        change_of(e, part, change);
        for (int64_t i = 0; i < e->pixels; i++) picture[i] = e->x.after[i] - change[i];
        CHL_TRY(chl_clip_embed_picture(e->engine->clip, side, side, picture, seen));
        for (int64_t i = 0; i < e->embed; i++) seen[i] = whole[i] - seen[i];
    }
    return CHL_OK;
}

static chl_status build_sound(const explaining *e, way *s) {
    const chl_audio_encoder *audio = e->engine->audio;
    CHL_TRY(chl_models_graph(e->engine, &s->graph));
    chl_graph *g = s->graph;
    s->net = chl_model_net(&audio->model, g);
    s->input =
        chl_input(g, "mel pictures", chl_audio_encoder_input(audio, CHL_PARTS, e->x.columns));
    s->given = chl_input(g, "seen", chl_f32(2, CHL_PARTS, (int)e->embed));
    chl_tensor heard = chl_audio_encoder_nodes(audio, &s->net, s->input);
    chl_tensor sum = chl_scale(g, chl_mean(g, chl_row_dot(g, heard, s->given)), (float)CHL_PARTS);
    chl_grad(g, sum, 1, &s->input, &s->gradient);
    s->gradient = chl_keep(g, s->gradient);
    return chl_compile(g);
}

static void add_patches(explaining *e, const float *gradient) {
    for (int part = 0; part < CHL_PARTS; part++)
        for (int64_t i = 0; i < e->mels; i++) {
            const int patch = chl_patch_of(e->x.bands, e->x.columns, (int)(i / e->x.columns),
                                           (int)(i % e->x.columns));
            e->x.by_patch[patch * CHL_PARTS + part] += (double)gradient[part * e->mels + i] *
                                                       (double)(e->x.mel[i] - e->softer[i]) /
                                                       e->o->points;
        }
}

static chl_status explain_sound(explaining *e) {
    way way = {.numbers = e->mels, .from = e->softer, .to = e->x.mel, .add = add_patches};
    return follow(e, &way, e->seen, build_sound);
}

/* Each patch in turn softer by `by`, which is silent for 1: table [CHL_PATCHES][CHL_PARTS]. */
static chl_status occlude_sound(explaining *e, float by, double *table) {
    float *mel = e->room, whole[CHL_MAX_EMBEDDING], without[CHL_MAX_EMBEDDING];
    CHL_TRY(chl_audio_encoder_embed(e->engine->audio, 1, e->x.columns, e->x.mel, whole));
    for (int patch = 0; patch < CHL_PATCHES; patch++) {
        for (int64_t i = 0; i < e->mels; i++)
            mel[i] = chl_patch_of(e->x.bands, e->x.columns, (int)(i / e->x.columns),
                                  (int)(i % e->x.columns)) == patch
                         ? fmaxf(e->x.mel[i] - by, 0)
                         : e->x.mel[i];
        CHL_TRY(chl_audio_encoder_embed(e->engine->audio, 1, e->x.columns, mel, without));
        for (int part = 0; part < CHL_PARTS; part++) {
            const float *seen = e->seen + part * e->embed;
            table[patch * CHL_PARTS + part] =
                chl_dot_of(e->embed, whole, seen) - chl_dot_of(e->embed, without, seen);
        }
    }
    return CHL_OK;
}

/* --- conclusions ------------------------------------------------------------------------------ */
/* table [count][CHL_PARTS] -> each one's share of all, with its sign */
static void find_shares(int count, const double *table, double *share) {
    double all = 0;
    for (int i = 0; i < count; i++) {
        share[i] = 0;
        for (int part = 0; part < CHL_PARTS; part++) share[i] += table[i * CHL_PARTS + part];
        all += fabs(share[i]);
    }
    for (int i = 0; i < count && all > 0; i++) share[i] /= all;
}

/* Of the patches that hold a sound: of the others both say exactly nothing. */
static double agreement(explaining *e, const double *occluded) {
    bool heard[CHL_PATCHES] = {false};
    double by[CHL_PATCHES * CHL_PARTS], without[CHL_PATCHES * CHL_PARTS];
    int count = 0;
    for (int64_t i = 0; i < e->mels; i++)
        if (e->x.mel[i] > 0)
            heard[chl_patch_of(e->x.bands, e->x.columns, (int)(i / e->x.columns),
                               (int)(i % e->x.columns))] = true;
    for (int i = 0; i < CHL_PATCHES * CHL_PARTS; i++) {
        if (!heard[i / CHL_PARTS]) continue;
        by[count] = e->x.by_patch[i];
        without[count++] = occluded[i];
    }
    return chl_spearman(count, by, without);
}

static void conclude(explaining *e) {
    chl_explained *x = &e->x;
    const double each = (double)e->pixels / CHL_PARTS;
    for (int part = 0; part < CHL_PARTS; part++) {
        change_of(e, part, e->room);
        for (int64_t i = 0; i < e->pixels; i++) x->change[part] += fabs((double)e->room[i]) / each;
    }
    find_shares(x->rows, x->by_row, x->row_share);
    find_shares(CHL_PATCHES, x->by_patch, x->patch_share);
    x->rows_agree = chl_spearman(x->rows * CHL_PARTS, x->by_row, x->without_row);
    x->sound_agrees = agreement(e, x->softer_patch);
    x->silence_agrees = agreement(e, x->silent_patch);
}

static json_t *list(int count, const double *x) {
    json_t *all = json_array();
    for (int i = 0; i < count; i++) chl_json_append(all, chl_report_number(x[i]));
    return all;
}

static json_t *table(int count, const double *x) {
    json_t *all = json_array();
    for (int i = 0; i < count; i++) chl_json_append(all, list(CHL_PARTS, x + i * CHL_PARTS));
    return all;
}

static chl_status report_all(const chl_explained *x, char **text) {
    const uint64_t refused = chl_json_refused();
    json_t *report = json_pack(
        "{s:[i, i], s:[i, i], s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "parts", CHL_PARTS_SIDE,
        CHL_PARTS_SIDE, "patches", CHL_PATCHES_SIDE, CHL_PATCHES_SIDE, "rows",
        table(x->rows, x->by_row), "row_share", list(x->rows, x->row_share), "sound",
        table(CHL_PATCHES, x->by_patch), "patch_share", list(CHL_PATCHES, x->patch_share), "change",
        list(CHL_PARTS, x->change), "agreement", "rows", chl_report_number(x->rows_agree), "sound",
        chl_report_number(x->sound_agrees), "silence", chl_report_number(x->silence_agrees));
    return chl_report_finish(report, refused, text);
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status allocate(explaining *e) {
    chl_explained *x = &e->x;
    const size_t rows = (size_t)x->rows * CHL_PARTS, patches = (size_t)CHL_PATCHES * CHL_PARTS;
    const int64_t pictures = CHL_PARTS * (e->code + e->pixels) + 2 * e->pixels,
                  mels = CHL_PARTS * e->mels;
    x->before = malloc(sizeof(float) * (size_t)e->pixels);
    x->after = malloc(sizeof(float) * (size_t)e->pixels);
    x->mel = malloc(sizeof(float) * (size_t)e->mels);
    x->by_row = calloc(rows, sizeof(double));
    x->without_row = calloc(rows, sizeof(double));
    x->by_patch = calloc(patches, sizeof(double));
    x->softer_patch = calloc(patches, sizeof(double));
    x->silent_patch = calloc(patches, sizeof(double));
    x->row_share = calloc((size_t)x->rows, sizeof(double));
    e->softer = malloc(sizeof(float) * (size_t)e->mels);
    e->seen = malloc(sizeof(float) * CHL_PARTS * (size_t)e->embed);
    e->room = malloc(sizeof(float) * (size_t)(pictures > mels ? pictures : mels));
    return x->before && x->after && x->mel && x->by_row && x->without_row && x->by_patch &&
                   x->softer_patch && x->silent_patch && x->row_share && e->softer && e->seen &&
                   e->room
               ? CHL_OK
               : chl_fail(CHL_ERR_MEMORY, "out of memory for an explanation");
}

static void release(explaining *e) {
    chl_explained *x = &e->x;
    void *all[] = {x->before,       x->after,    x->mel,       x->by_row,
                   x->without_row,  x->by_patch, e->seen,      x->softer_patch,
                   x->silent_patch, e->room,     x->row_share, e->softer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static chl_status hear(explaining *e) {
    chl_sound *sound;
    CHL_TRY(chl_audio_encoder_check(e->engine->audio, 1, &e->o->gain_db));
    CHL_TRY(chl_sound_open(e->o->sound, &sound));
    const chl_status status =
        chl_audio_encoder_picture(e->engine->audio, sound, e->o->gain_db, e->x.mel, &e->x.columns);
    chl_sound_close(sound);
    for (int64_t i = 0; status == CHL_OK && i < e->mels; i++)
        e->softer[i] = fmaxf(e->x.mel[i] - SOFTER, 0);
    return status;
}

static chl_status explain(explaining *e, char **report) {
    CHL_TRY(allocate(e));
    CHL_TRY(hear(e));
    CHL_TRY(chl_generator_render_each(e->engine->generator, 1, e->o->source, e->x.before));
    CHL_TRY(chl_generator_render_each(e->engine->generator, 1, e->o->edited, e->x.after));
    CHL_TRY(explain_rows(e));
    CHL_TRY(occlude_rows(e));
    CHL_TRY(look(e));
    CHL_TRY(explain_sound(e));
    CHL_TRY(occlude_sound(e, SOFTER, e->x.softer_patch));
    CHL_TRY(occlude_sound(e, 1, e->x.silent_patch));
    conclude(e);
    if (e->o->picture) CHL_TRY(chl_explained_draw(&e->x, e->o->picture));
    return report_all(&e->x, report);
}

chl_status chl_explain_edit(chl_engine *engine, const chl_explain_options *theirs, char **report) {
    CHL_NEEDS(engine, report);
    *report = NULL;
    chl_explain_options mine = {.size = sizeof mine, .points = POINTS};
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_explain_options"));
    if (mine.points == 0) mine.points = POINTS;
    CHL_TRY(chl_need(engine->generator, "generator", "an explanation"));
    CHL_TRY(chl_clip_need_pictures(engine->clip, "an explanation"));
    CHL_TRY(chl_need(engine->audio, "audio", "an explanation"));
    if (engine->audio->kind->picture)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "an explanation needs an audio encoder of mel pictures, "
                        "got one with a spectrum of its own");
    if (engine->sound_texts)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "an explanation needs an engine without sound_texts: it says what the sound "
            "encoder heard, got one whose sounds are told by %lld texts",
            (long long)engine->sound_texts->count);
    CHL_TRY(chl_check_pointer(mine.sound, "sound"));
    CHL_TRY(chl_check_pointer(mine.source, "source"));
    CHL_TRY(chl_check_pointer(mine.edited, "edited"));
    CHL_TRY(chl_check_int(mine.points >= 1, "points", ">= 1", mine.points));
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    const int64_t code = (int64_t)sizes->rows * sizes->latent;
    CHL_TRY(chl_check_finite(__func__, "source", mine.source, code));
    CHL_TRY(chl_check_finite(__func__, "edited", mine.edited, code));
    explaining e = {.engine = engine,
                    .o = &mine,
                    .x = {.side = sizes->picture,
                          .rows = sizes->rows,
                          .bands = engine->audio->sizes.rows,
                          .columns = engine->audio->sizes.columns},
                    .code = code,
                    .pixels = 3 * (int64_t)sizes->picture * sizes->picture,
                    .embed = engine->clip->config.embed,
                    .mels = chl_audio_encoder_pixels(engine->audio)};
    const chl_log_sink before = chl_log_divert(engine->log);
    const chl_status status = chl_log_restore(before, explain(&e, report));
    release(&e);
    return status;
}
