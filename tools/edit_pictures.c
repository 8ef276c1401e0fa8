/* What `edit` writes: the edited pictures, strips and sheets. */
#include "edit_pictures.h"
#include "direction.h"
#include "edit_recipe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 4 /* pixels between pictures of a sheet */

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status render(edit_job *job, const float *w, float **pixels) {
    const size_t side = (size_t)job->size.picture;
    *pixels = malloc(sizeof(float) * 3 * side * side);
    if (!*pixels) return command_fail(CHL_ERR_MEMORY, "out of memory for a picture");
    return chl_generate(job->engine, 1, w, *pixels);
}

/* Frees the path. */
static chl_status write_picture(edit_job *job, const float *w, char *path) {
    float *pixels = NULL;
    chl_status status =
        path ? render(job, w, &pixels) : command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (status == CHL_OK)
        status = chl_picture_write(path, job->size.picture, job->size.picture, pixels);
    free(pixels);
    free(path);
    return status;
}

chl_status edit_write_snapshot(edit_job *job, const chl_edit_progress *progress) {
    return write_picture(job, progress->w, edit_snapshot_path(job, progress->step));
}

chl_status edit_write_source(edit_job *job) {
    return write_picture(job, job->source, edit_result_path(job, 0, 0));
}

chl_status edit_cosine(edit_job *job, const float *w, const float *target, float *cosine) {
    float *pixels, view[CHL_MAX_EMBEDDING];
    chl_status status = render(job, w, &pixels);
    if (status == CHL_OK)
        status = chl_embed_picture(job->engine, job->size.picture, job->size.picture, pixels, view);
    free(pixels);
    *cosine = 0;
    for (int i = 0; status == CHL_OK && i < job->size.embedding; i++)
        *cosine += view[i] * target[i];
    return status;
}

chl_status edit_change_outside(edit_job *job, const float *w, const float *source, float *change) {
    float *before = NULL, *after = NULL;
    chl_status status = render(job, source, &before);
    if (status == CHL_OK) status = render(job, w, &after);
    if (status == CHL_OK)
        status = chl_change_outside(job->engine, job->region, before, after, change);
    free(before);
    free(after);
    return status;
}

double edit_distance(const edit_job *job, const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < edit_code_numbers(job); i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / job->size.rows);
}

int edit_write_latents(const edit_job *job) {
    const int results = edit_results(job), count = job->sources * results;
    const size_t numbers = edit_code_numbers(job);
    float *codes = calloc((size_t)count, sizeof(float) * numbers);
    if (!codes) {
        fputs("chladni: out of memory\n", stderr);
        return EXIT_RUN;
    }
    for (int i = 0; i < count; i++) {
        const float *w = edit_result(job, i / results, i % results);
        if (w) memcpy(codes + (size_t)i * numbers, w, sizeof(float) * numbers);
    }
    const int64_t dim[] = {count, job->size.rows, job->size.latent};
    chl_status status =
        chl_array_write(job->latent_out, count == 1 ? 2 : 3, count == 1 ? dim + 1 : dim, codes);
    free(codes);
    return status == CHL_OK ? EXIT_OK : run_error();
}

static chl_status write_direction(edit_job *job, int source, int result) {
    const size_t numbers = edit_code_numbers(job);
    const float *from = edit_code(job, job->source, edit_first_pair(job, source, result)),
                *to = edit_result(job, source, result);
    if (!to) return CHL_OK;
    char *path = edit_direction_path(job, source, result);
    float *difference = malloc(sizeof(float) * numbers);
    json_t *about = edit_about_direction(job, source, result);
    chl_status status = about ? CHL_OK : CHL_ERR_IO;
    if (!path || !difference)
        status = command_fail(CHL_ERR_MEMORY, "out of memory for a direction");
    if (status == CHL_OK) {
        for (size_t i = 0; i < numbers; i++) difference[i] = to[i] - from[i];
        status =
            direction_write(path, job->size.rows, job->size.latent, difference, json_incref(about));
    }
    json_decref(about);
    free(difference);
    free(path);
    return status;
}

int edit_write_directions(edit_job *job) {
    const int results = edit_results(job);
    chl_status status = CHL_OK;
    for (int i = 0; i < job->sources * results && status == CHL_OK; i++)
        status = write_direction(job, i / results, i % results);
    return status == CHL_OK ? EXIT_OK : run_error();
}

static chl_status write_with_recipe(edit_job *job, int source, int result, const float *w) {
    char *path = edit_result_path(job, source, result);
    float *pixels = NULL, cosine = NAN;
    const int first = edit_first_pair(job, source, result), last = first + (job->ask.mix != NULL);
    const double moved = edit_distance(job, w, edit_code(job, job->source, first));
    chl_status status =
        path ? render(job, w, &pixels) : command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (status == CHL_OK && !job->ask.direction)
        status =
            edit_cosine(job, w, job->target + (size_t)last * (size_t)job->size.embedding, &cosine);
    if (status == CHL_OK)
        status = edit_write_with_recipe(job, source, result, (double)cosine, moved, pixels, path);
    free(pixels);
    free(path);
    return status;
}

/* The last edit that a result is made of. */
static int last_pair(const edit_job *job, int source, int result) {
    const int first = source * job->targets;
    return job->ask.mix ? first + 1 : first + (edit_by_level(job) ? job->full_level : result);
}

chl_status edit_write_results(edit_job *job, int count) {
    const int results = edit_results(job), end = job->at + count;
    chl_status status = CHL_OK;
    for (int s = job->at / job->targets; job->out && s * job->targets < end; s++)
        for (int r = 0; r < results && status == CHL_OK; r++) {
            const int pair = last_pair(job, s, r);
            const float *w = pair >= job->at && pair < end ? edit_result(job, s, r) : NULL;
            if (!w) continue;
            status = job->embed_recipe ? write_with_recipe(job, s, r, w)
                                       : write_picture(job, w, edit_result_path(job, s, r));
        }
    return status;
}

int edit_write_keep_plot(const edit_job *job) {
    char(*name)[2 * NAME_ROOM + 2] = calloc((size_t)job->pairs, sizeof *name);
    const char **names = calloc((size_t)job->pairs, sizeof *names);
    chl_status status = name && names ? CHL_OK : command_fail(CHL_ERR_MEMORY, "out of memory");
    for (int pair = 0; pair < job->pairs && status == CHL_OK; pair++) {
        char from[NAME_ROOM], to[NAME_ROOM];
        edit_source_name(job, pair / job->targets, from, sizeof from);
        edit_target_name(job, pair % job->targets, to, sizeof to);
        snprintf(name[pair], sizeof name[pair], "%s %s", from, to);
        names[pair] = name[pair];
    }
    if (status == CHL_OK)
        status = chl_goal_plot(&job->ask.goal, job->pairs, job->goal, names, job->keep_plot);
    free(name);
    free(names);
    return status == CHL_OK ? EXIT_OK : run_error();
}

int edit_write_explanation(edit_job *job) {
    const chl_explain_options options = {.size = sizeof options,
                                         .sound = job->sound.item[0],
                                         .gain_db = job->gain,
                                         .source = job->source,
                                         .edited = job->edited,
                                         .picture = job->explain};
    char *text = NULL;
    if (chl_explain_edit(job->engine, &options, &text) != CHL_OK) return run_error();
    job->explained = json_parsed(text);
    chl_release(text);
    return job->explained ? EXIT_OK : run_error();
}

/* --- strips and sheets ------------------------------------------------------------------------ */
typedef struct table {
    int rows, columns;
    float **cell; /* NULL: stays white */
} table;

static table new_table(int rows, int columns) {
    return (table){rows, columns, calloc((size_t)rows * (size_t)columns, sizeof(float *))};
}

static chl_status fill(edit_job *job, table *t, int row, int column, const float *w) {
    if (!t->cell)
        return command_fail(CHL_ERR_MEMORY, "out of memory for %d pictures", t->rows * t->columns);
    return w ? render(job, w, &t->cell[row * t->columns + column]) : CHL_OK;
}

static int finish(edit_job *job, table *t, chl_status status, const char *path) {
    if (status == CHL_OK)
        status = chl_picture_grid(path, t->rows, t->columns, job->size.picture, job->size.picture,
                                  GAP, (const float *const *)t->cell);
    for (int i = 0; t->cell && i < t->rows * t->columns; i++) free(t->cell[i]);
    free(t->cell);
    return status == CHL_OK ? EXIT_OK : run_error();
}

static const float *reached(const edit_job *job, int pair) {
    return job->reached[pair] ? edit_code(job, job->edited, pair) : NULL;
}

/* source | steps in between | edited, a row for every edit */
static int write_edit_strip(edit_job *job) {
    const int results = edit_results(job), between = job->strip_steps;
    table t = new_table(job->sources * results, between + 2);
    chl_status status = CHL_OK;
    for (int row = 0; row < t.rows && status == CHL_OK; row++) {
        const int source = row / results;
        const int pair =
            source * job->targets + (edit_by_level(job) ? job->full_level : row % results);
        const bool whole = job->reached[pair] && job->reached[pair] == job->last.steps;
        status = fill(job, &t, row, 0, edit_code(job, job->source, pair));
        for (int i = 0; whole && i < between && status == CHL_OK; i++)
            status = fill(job, &t, row, i + 1, edit_code(job, job->trail, i * job->pairs + pair));
        if (status == CHL_OK) status = fill(job, &t, row, between + 1, reached(job, pair));
    }
    return finish(job, &t, status, job->strip);
}

/* source | by the text | by the sound | mixed */
static int write_mix_strip(edit_job *job) {
    table t = new_table(job->sources, 4);
    chl_status status = CHL_OK;
    for (int s = 0; s < job->sources && status == CHL_OK; s++) {
        const float *codes[] = {edit_code(job, job->source, 2 * s), reached(job, 2 * s),
                                reached(job, 2 * s + 1), edit_result(job, s, 0)};
        for (int i = 0; i < 4 && status == CHL_OK; i++) status = fill(job, &t, s, i, codes[i]);
    }
    return finish(job, &t, status, job->strip);
}

int edit_write_strip(edit_job *job) {
    return job->ask.mix ? write_mix_strip(job) : write_edit_strip(job);
}

/* source | the sound at each level, or each of several sounds; a row for every source */
int edit_write_sheet(edit_job *job) {
    table t = new_table(job->sources, job->targets + 1);
    chl_status status = CHL_OK;
    for (int s = 0; s < job->sources && status == CHL_OK; s++) {
        status = fill(job, &t, s, 0, edit_code(job, job->source, s * job->targets));
        for (int i = 0; i < job->targets && status == CHL_OK; i++)
            status = fill(job, &t, s, i + 1, reached(job, s * job->targets + i));
    }
    return finish(job, &t, status, job->sheet);
}
