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
