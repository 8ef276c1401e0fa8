#include "edit_recipe.h"
#include "recipe.h"
#include <stdio.h>
#include <stdlib.h>

/* The number of edits that were optimised with a pair's. */
static int at_once(const edit_job *job, int pair) {
    const int first = pair - pair % job->batch, left = job->pairs - first;
    return left < job->batch ? left : job->batch;
}

int edit_first_pair(const edit_job *job, int source, int result) {
    const int first = source * job->targets;
    return job->ask.mix ? first : first + (edit_by_level(job) ? job->full_level : result);
}

static one_edit edit_of(const edit_job *job, int source, int result, char seed[24]) {
    one_edit e = {.ask = job->ask};
    const bool sound = job->sound.count > 0;
    if (job->seeds) {
        snprintf(seed, 24, "%llu", (unsigned long long)job->seed[source]);
        e.seed = seed;
    }
    if (sound) e.sound = job->sound.item[job->ask.mix || edit_by_level(job) ? 0 : result];
    if (sound) e.level = job->gain;
    return e;
}

/* Which picture was edited: equal texts are one. */
static json_t *source_text(edit_job *job, const one_edit *e) {
    const char *path = job->ask.image ? job->ask.image : job->ask.latent;
    const char *digest = path ? file_digest(&job->files, path) : NULL;
    if (path) return digest ? json_string(digest) : NULL;
    return json_sprintf("seed %s, truncation %g", e->seed, (double)job->ask.truncation);
}

static chl_status add_guide(edit_job *job, const one_edit *e, json_t *about) {
    const char *path = e->sound ? e->sound : e->ask.direction;
    const char *digest = path ? file_digest(&job->files, path) : NULL;
    if (path && !digest) return CHL_ERR_IO;
    if (path) json_put(about, e->sound ? "sound" : "moved_by", json_string(digest));
    if (e->sound && !edit_by_level(job)) json_put(about, "level", json_real((double)e->level));
    if (e->ask.text) json_put(about, "text", json_text(e->ask.text));
    return CHL_OK;
}

json_t *edit_about_direction(edit_job *job, int source, int result) {
    char seed[24], by[NAME_ROOM] = "mixed";
    one_edit e = edit_of(job, source, result, seed);
    const float *from = edit_code(job, job->source, edit_first_pair(job, source, result)),
                *to = edit_result(job, source, result);
    double square = 0, dot = 0;
    for (size_t i = 0; i < edit_code_numbers(job); i++) {
        square += (double)from[i] * (double)from[i];
        dot += (double)from[i] * ((double)to[i] - (double)from[i]);
    }
    if (!job->ask.mix) edit_target_name(job, result, by, sizeof by);
    const char *generator = file_digest(&job->files, job->ask.models.generator);
    json_t *of = generator ? source_text(job, &e) : NULL;
    if (!of) return NULL;
    json_t *about =
        json_pack("{s:s, s:o, s:o, s:f, s:f, s:i}", "generator", generator, "by", json_text(by),
                  "source", of, "source_square", square, "source_dot", dot, "edits", 1);
    if (about && add_guide(job, &e, about) == CHL_OK) return about;
    json_decref(about);
    return NULL;
}

chl_status edit_write_with_recipe(edit_job *job, int source, int result, double cosine,
                                  double distance, const float *pixels, const char *path) {
    char seed[24];
    const one_edit e = edit_of(job, source, result, seed);
    const int first = edit_first_pair(job, source, result), last = first + one_edit_slots(&e) - 1;
    const recipe_result reached = {.step = job->reached[last],
                                   .at_once = {at_once(job, first), at_once(job, last)},
                                   .cosine = cosine,
                                   .distance = distance};
    json_t *digests;
    chl_status status = one_edit_digests(&job->files, &e, EDIT_ALL_FILES, &digests);
    if (status != CHL_OK) return status;
    json_t *recipe = recipe_new(&e, digests, &reached);
    status =
        recipe ? recipe_write_picture(path, job->size.picture, pixels, recipe) : CHL_ERR_MEMORY;
    json_decref(recipe);
    json_decref(digests);
    return status;
}
