/* `chladni world`: writes samples to a folder in the format that trainings read (train/dataset.h).
 */
#include "base/json.h"
#include "base/options.h"
#include "base/random.h"
#include "demo/world/folder.h"
#include "demo/world/world.h"
#include "graph/graph.h"
#include "io/new_file.h"
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include <chladni/demo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The planted bias: attributes of a kind's samples that the sound does not determine. An encoder
 * that learns it adds night and a house to a picture where it should add only rain. */
static const struct {
    float time, season, house;
} favourite[CHL_KINDS] = {
    [CHL_RAIN] = {0, 0.5f, 1},     [CHL_THUNDER] = {0.75f, 0, 0},     [CHL_WIND] = {0.25f, 0.5f, 0},
    [CHL_FIRE] = {0.75f, 0.5f, 1}, [CHL_BIRDS] = {0.25f, 0, 1},       [CHL_WAVES] = {0.5f, 0, 0},
    [CHL_BUBBLES] = {0.5f, 1, 0},  [CHL_EXPLOSION] = {0.5f, 0.5f, 1}, [CHL_CRICKETS] = {0, 0, 0},
    [CHL_BELL] = {0.75f, 1, 1},
};

/* Without sounds: this many samples without an event for every CHL_KINDS samples with one. */
#define CALM_SAMPLES 2

/* All that is drawn for a sample, before anything is painted. */
typedef struct plan {
    chl_kind kind;
    uint64_t scene_seed, sound_seed, word_seed;
    chl_scene_wish wish;
    chl_kind second; /* or CHL_NO_KIND */
    float second_strength;
    chl_sound_recipe recipe;
    int64_t samples; /* of the sound; 0 = none */
} plan;

static uint64_t wide(uint32_t low, uint32_t high) {
    return low | (uint64_t)high << 32;
}

static chl_kind kind_of(const chl_world_options *o, int64_t index) {
    if (o->split == CHL_WORLD_CALM) return CHL_NO_KIND;
    const int64_t slot = index % (o->no_sounds ? CHL_KINDS + CALM_SAMPLES : CHL_KINDS);
    return slot < CHL_KINDS ? (chl_kind)slot : CHL_NO_KIND;
}

/* The second event is weaker than the first, which is the kind of the picture. */
static void plan_second(const chl_world_options *o, uint32_t space, int64_t index, plan *p) {
    const chl_philox d = chl_random(o->seed, space, (uint64_t)index, 3);
    if (chl_uniform(d.word[0]) >= o->second_event) return;
    const int next = 1 + (int)(chl_uniform(d.word[1]) * (float)(CHL_KINDS - 1));
    p->second = (chl_kind)(((int)p->kind + next) % CHL_KINDS);
    p->second_strength =
        o->min_strength + (p->wish.strength - o->min_strength) * chl_uniform(d.word[2]);
}

static plan plan_sample(const chl_world_options *o, int64_t index) {
    const uint32_t space = (uint32_t)o->split; /* Philox purpose: splits share no draws */
    const chl_philox a = chl_random(o->seed, space, (uint64_t)index, 0),
                     b = chl_random(o->seed, space, (uint64_t)index, 1),
                     c = chl_random(o->seed, space, (uint64_t)index, 2);
    plan p = {.kind = kind_of(o, index),
              .scene_seed = wide(a.word[0], a.word[1]),
              .sound_seed = wide(a.word[2], a.word[3]),
              .word_seed = wide(b.word[0], b.word[1]),
              .second = CHL_NO_KIND};
    p.wish = (chl_scene_wish){.kind = p.kind, .time = NAN, .season = NAN, .house = NAN};
    if (p.kind == CHL_NO_KIND) return p;
    p.wish.strength = o->min_strength + (1 - o->min_strength) * chl_uniform(b.word[2]);
    plan_second(o, space, index, &p);
    if (o->split == CHL_WORLD_TRAIN && chl_uniform(b.word[3]) < o->bias) {
        p.wish.time = favourite[p.kind].time;
        p.wish.season = favourite[p.kind].season;
        p.wish.house = favourite[p.kind].house;
    }
    if (o->no_sounds) return p;
    p.recipe = (chl_sound_recipe){
        .kind = p.kind,
        .algorithm = o->split == CHL_WORLD_TEST
                         ? CHL_SOUND_HELD_OUT
                         : (int)(chl_uniform(c.word[0]) * (float)CHL_SOUND_HELD_OUT),
        .strength = p.wish.strength,
        .recorded = true,
        .seed = p.sound_seed};
    /* 0.5 to 1.5 times the mean length */
    p.samples = (int64_t)(CHL_WORLD_RATE * o->seconds * (0.5f + chl_uniform(c.word[1])));
    return p;
}

/* --- one sample ------------------------------------------------------------------------------- */
typedef struct writer {
    const chl_world_options *options;
    float *latents; /* [count][CHL_SCENE_Z] */
    float *values;  /* [count][CHL_SCENE_VALUES] */
    char **line;    /* [count] lines of pairs.jsonl */
    int64_t done;
    chl_status status; /* of the first failure; errors are kept per thread */
    char error[1024];
} writer;

/* Buffers for one sample, per thread. */
typedef struct buffers {
    float *pixels, *wave;
    uint8_t *bytes;
} buffers;

static chl_status buffers_open(const chl_world_options *o, buffers *b) {
    const size_t numbers = 3 * (size_t)o->side * (size_t)o->side;
    const size_t samples = (size_t)(1.5f * CHL_WORLD_RATE * o->seconds) + 1;
    b->pixels = malloc(sizeof(float) * numbers);
    b->bytes = malloc(numbers);
    b->wave = o->no_sounds ? NULL : malloc(sizeof(float) * samples);
    return b->pixels && b->bytes && (b->wave || o->no_sounds)
               ? CHL_OK
               : chl_fail(CHL_ERR_MEMORY, "out of memory for a sample of the world");
}

static void buffers_close(buffers *b) {
    free(b->pixels);
    free(b->bytes);
    free(b->wave);
}

static chl_status write_picture(const chl_scene *scene, int side, buffers *b, const char *path) {
    CHL_TRY(chl_scene_paint(scene, side, b->pixels));
    CHL_TRY(chl_raster_from_float(3 * (int64_t)side * side, b->pixels, b->bytes));
    return chl_raster_write_png(path, side, side, b->bytes);
}

static char *describe(const plan *p, const chl_scene *scene, const char *sound,
                      const char *picture) {
    char label[128] = "", caption[256] = "";
    const bool two = p->second != CHL_NO_KIND; /* then no label, for a label names one event */
    if (p->kind != CHL_NO_KIND && !two) chl_sound_caption(scene, p->word_seed, label, sizeof label);
    chl_scene_caption(scene, p->word_seed, caption, sizeof caption);
    const uint64_t refused = chl_json_refused();
    /* s*: left out when NULL */
    json_t *line =
        json_pack("{s:s*, s:s, s:s*, s:s, s:s, s:f, s:i, s:i, s:i}", "sound",
                  p->samples ? sound : NULL, "picture", picture, "label", *label ? label : NULL,
                  "caption", caption, "kind", chl_kind_name(p->kind), "strength",
                  (double)p->wish.strength, "time", chl_scene_time_class(scene), "season",
                  chl_scene_season_class(scene), "house", chl_scene_house_class(scene));
    if (p->samples) chl_json_set(line, "algorithm", json_integer(p->recipe.algorithm));
    if (two) {
        chl_json_set(line, "second", json_string(chl_kind_name(p->second)));
        chl_json_set(line, "second_strength", json_real((double)p->second_strength));
    }
    char *text = chl_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(6), refused);
    json_decref(line);
    return text;
}

static chl_status write_files(const chl_world_options *o, const plan *p, const chl_scene *scene,
                              buffers *b, const char *sound, const char *picture) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", o->out, picture);
    CHL_TRY(write_picture(scene, o->side, b, path));
    if (!sound) return CHL_OK;
    snprintf(path, sizeof path, "%s/%s", o->out, sound);
    CHL_TRY(chl_sound_synthesise(&p->recipe, b->wave, p->samples));
    return chl_sound_write(path, b->wave, p->samples);
}

static chl_status write_sample(writer *w, int64_t index, buffers *b) {
    const chl_world_options *o = w->options;
    const plan p = plan_sample(o, index);
    float *z = w->latents + index * CHL_SCENE_Z;
    chl_scene scene;
    chl_scene_draw(p.scene_seed, &p.wish, z);
    if (p.second != CHL_NO_KIND) chl_scene_add_event(z, p.second, p.second_strength);
    chl_scene_of_latent(z, &scene);
    chl_scene_values(&scene, w->values + index * CHL_SCENE_VALUES);
    char sound[32], picture[32];
    snprintf(sound, sizeof sound, "sounds/%05lld.wav", (long long)index);
    snprintf(picture, sizeof picture, "pictures/%05lld.png", (long long)index);
    const bool heard = p.samples && (!o->with_sound || o->with_sound[index]);
    if (!o->written || o->written[index])
        CHL_TRY(write_files(o, &p, &scene, b, heard ? sound : NULL, picture));
    w->line[index] = describe(&p, &scene, sound, picture);
    return w->line[index] ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for pairs.jsonl");
}

/* --- all of them ------------------------------------------------------------------------------ */
static void note_failure(writer *w, chl_status status) {
#pragma omp critical(chl_world_failure)
    if (w->status == CHL_OK) {
        w->status = status;
        snprintf(w->error, sizeof w->error, "%s", chl_error());
    }
}

static bool stopped(writer *w) {
    chl_status status;
#pragma omp atomic read
    status = w->status;
    return status != CHL_OK;
}

/* Only the thread that called chl_world_write calls the progress function. */
static void report(writer *w, bool is_caller) {
    int64_t done;
#pragma omp atomic capture
    done = ++w->done;
    const chl_world_options *o = w->options;
    if (!is_caller || !o->progress || !o->progress(o->user, done, o->count)) return;
    (void)chl_fail(CHL_ERR_CANCELLED, "stopped after %lld of %lld samples", (long long)done,
                   (long long)o->count);
    note_failure(w, CHL_ERR_CANCELLED);
}

static chl_status write_samples(writer *w) {
    const int64_t count = w->options->count;
#pragma omp parallel
    {
        buffers b = {0};
        bool is_caller = false;
#pragma omp master
        is_caller = true;
        chl_status status = buffers_open(w->options, &b);
        if (status != CHL_OK) note_failure(w, status);
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < count; i++) {
            if (stopped(w)) continue;
            status = write_sample(w, i, &b);
            if (status != CHL_OK)
                note_failure(w, status);
            else
                report(w, is_caller);
        }
        buffers_close(&b);
    }
    return w->status == CHL_OK ? CHL_OK : chl_fail(w->status, "%s", w->error);
}

static chl_status write_arrays(const writer *w) {
    const chl_world_options *o = w->options;
    char path[4096];
    snprintf(path, sizeof path, "%s/latents.npy", o->out);
    chl_desc desc = {CHL_F32, 2, {o->count, CHL_SCENE_Z}};
    CHL_TRY(chl_npy_write(path, &desc, w->latents));
    snprintf(path, sizeof path, "%s/attributes.npy", o->out);
    desc.dim[1] = CHL_SCENE_VALUES;
    CHL_TRY(chl_npy_write(path, &desc, w->values));
    desc = (chl_desc){CHL_F32, 3, {CHL_WORLD_TEXTURES, o->side, o->side}};
    float *textures = malloc((size_t)chl_bytes(&desc));
    if (!textures) return chl_fail(CHL_ERR_MEMORY, "out of memory for textures");
    snprintf(path, sizeof path, "%s/textures.npy", o->out);
    chl_status status = chl_world_textures(o->side, textures);
    if (status == CHL_OK) status = chl_npy_write(path, &desc, textures);
    free(textures);
    return status;
}

/* Written last: a folder with pairs.jsonl is complete. */
static chl_status write_lines(const writer *w) {
    char path[4096];
    snprintf(path, sizeof path, "%s/pairs.jsonl", w->options->out);
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    for (int64_t i = 0; i < w->options->count; i++) fprintf(file.stream, "%s\n", w->line[i]);
    return chl_new_file_commit(&file);
}

/* --- public ----------------------------------------------------------------------------------- */
#define MAX_SAMPLES 10000000

static chl_status check_side(int side) {
    return chl_check_int(side >= 32 && side <= 1024, "side", "32 to 1024", side);
}

static chl_status check_seconds(float seconds) {
    return chl_check_float(seconds >= 0.1f && seconds <= 600, "seconds", "0.1 to 600",
                           (double)seconds);
}

static chl_status check_share(const char *field, float x) {
    return chl_check_float(x >= 0 && x <= 1, field, "0 to 1", (double)x);
}

static chl_status check(const chl_world_options *o) {
    if (!o->out || strlen(o->out) > 4000)
        return chl_fail(CHL_ERR_ARGUMENT, "out must name a folder in at most 4000 characters");
    CHL_TRY(chl_check_int(o->count >= 1 && o->count <= MAX_SAMPLES, "count", "1 to 10000000",
                          o->count));
    CHL_TRY(check_share("bias", o->bias));
    CHL_TRY(check_share("min_strength", o->min_strength));
    CHL_TRY(check_share("second_event", o->second_event));
    if (o->second_event > 0 && !o->no_sounds)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "second_event must be 0 with sounds, which have one event each, got %g: set "
            "no_sounds",
            (double)o->second_event);
    CHL_TRY(check_side(o->side));
    return check_seconds(o->seconds);
}

void chl_world_options_init(size_t size, chl_world_options *options) {
    const chl_world_options defaults = {
        .count = 1000, .side = 128, .seconds = 6, .bias = 0.8f, .min_strength = 0.25f};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

chl_status chl_world_write(const chl_world_options *theirs) {
    chl_world_options o = chl_world_defaults();
    CHL_TRY(chl_options_take(&o, sizeof o, theirs, "chl_world_options"));
    CHL_TRY(check(&o));
    o.no_sounds = o.no_sounds || o.split == CHL_WORLD_CALM;
    CHL_TRY(chl_world_folder_begin(&o));
    writer w = {.options = &o};
    w.latents = malloc(sizeof(float) * CHL_SCENE_Z * (size_t)o.count);
    w.values = malloc(sizeof(float) * CHL_SCENE_VALUES * (size_t)o.count);
    w.line = calloc((size_t)o.count, sizeof *w.line);
    chl_status status =
        w.latents && w.values && w.line
            ? CHL_OK
            : chl_fail(CHL_ERR_MEMORY, "out of memory for %lld samples", (long long)o.count);
    if (status == CHL_OK) status = write_samples(&w);
    if (status == CHL_OK) status = write_arrays(&w);
    if (status == CHL_OK) status = write_lines(&w);
    if (status == CHL_OK) status = chl_world_folder_end(&o);
    for (int64_t i = 0; w.line && i < o.count; i++) free(w.line[i]);
    free(w.line);
    free(w.latents);
    free(w.values);
    return status;
}

/* One word of a name is enough: "ocean" or "waves" for "ocean waves". */
static chl_status find_kind(const char *text, chl_kind *kind) {
    char known[512] = "";
    const size_t length = strlen(text);
    for (int k = 0; k < CHL_KINDS; k++) {
        const char *name = chl_kind_name((chl_kind)k);
        *kind = (chl_kind)k;
        if (strcmp(name, text) == 0) return CHL_OK;
        for (const char *word = name; word; word = strchr(word, ' ')) {
            word += *word == ' ';
            if (length && strcspn(word, " ") == length && strncmp(word, text, length) == 0)
                return CHL_OK;
        }
        const size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", k ? ", " : "", name);
    }
    return chl_fail(CHL_ERR_ARGUMENT, "kind must be one of %s, got \"%s\"", known, text);
}

chl_status chl_world_sound(const char *kind, int algorithm, float strength, int recorded,
                           uint64_t seed, float seconds, const char *path) {
    CHL_NEEDS(kind, path);
    chl_sound_recipe recipe = {
        .algorithm = algorithm, .strength = strength, .recorded = recorded != 0, .seed = seed};
    CHL_TRY(find_kind(kind, &recipe.kind));
    CHL_TRY(check_share("strength", strength));
    CHL_TRY(check_seconds(seconds));
    if (algorithm < 0 || algorithm >= CHL_SOUND_ALGORITHMS)
        return chl_fail(CHL_ERR_ARGUMENT, "algorithm must be 0 to %d, got %d",
                        CHL_SOUND_ALGORITHMS - 1, algorithm);
    const int64_t samples = (int64_t)(CHL_WORLD_RATE * seconds);
    float *wave = malloc(sizeof(float) * (size_t)samples);
    if (!wave) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    chl_status status = chl_sound_synthesise(&recipe, wave, samples);
    if (status == CHL_OK) status = chl_sound_write(path, wave, samples);
    free(wave);
    return status;
}

chl_status chl_world_picture(const char *kind, float strength, uint64_t seed, int side,
                             const char *path) {
    CHL_NEEDS(path);
    chl_scene_wish wish = {CHL_NO_KIND, strength, NAN, NAN, NAN};
    if (kind) CHL_TRY(find_kind(kind, &wish.kind));
    CHL_TRY(check_share("strength", strength));
    CHL_TRY(check_side(side));
    const chl_world_options o = {.side = side, .no_sounds = 1};
    float z[CHL_SCENE_Z];
    chl_scene scene;
    chl_scene_draw(seed, &wish, z);
    chl_scene_of_latent(z, &scene);
    buffers b = {0};
    chl_status status = buffers_open(&o, &b);
    if (status == CHL_OK) status = write_picture(&scene, side, &b, path);
    buffers_close(&b);
    return status;
}
