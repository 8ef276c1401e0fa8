/* What `edit` was asked for, and where its results are. */
#include "edit_job.h"
#include "direction.h"
#include "outputs.h"
#include "recipe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what was asked for ----------------------------------------------------------------------- */
/* "-24,-12,0"; their number, or -1 */
static int read_levels(edit_job *job, const char *text) {
    int count = 0;
    job->full_level = -1;
    while (count < MAX_LEVELS) {
        char *end;
        job->level[count] = strtof(text, &end);
        if (end == text || !isfinite(job->level[count])) return -1;
        if (job->level[count] == 0) job->full_level = count;
        count++;
        if (!*end) return count;
        if (*end != ',') return -1;
        text = end + 1;
    }
    return -1;
}

int edit_read_choices(const command_line *line, edit_job *job) {
    if (job->ask.mix && !edit_read_mix(&job->ask))
        return usage_error(line, EDIT_MIX_FORM, job->ask.mix);
    if (job->ask.keep && !edit_read_keep(&job->ask))
        return usage_error(line, EDIT_KEEP_FORM, job->ask.keep);
    job->sources = 1;
    if (job->seeds) job->sources = parse_seeds(job->seeds, &job->seed);
    if (job->sources < 0)
        return usage_error(line,
                           "--seed must be like 7 or 1,5,8-10, at most %d seeds of at most %u, got "
                           "%s",
                           MAX_PICTURES, MAX_SEED, job->seeds);
    job->targets = job->ask.mix ? 2 : job->ask.text || job->ask.direction ? 1 : job->sound.count;
    if (edit_by_level(job)) {
        job->targets = read_levels(job, job->levels);
        if (job->targets < 0)
            return usage_error(line,
                               "--sheet-levels must be like -24,-12,0, at most %d numbers, got %s",
                               MAX_LEVELS, job->levels);
    }
    if (job->targets > MAX_PICTURES / job->sources)
        return usage_error(line, "sources x targets must be <= %d, got %d x %d", MAX_PICTURES,
                           job->sources, job->targets);
    job->pairs = job->sources * job->targets;
    return EXIT_OK;
}

size_t edit_code_numbers(const edit_job *job) {
    return (size_t)job->size.rows * (size_t)job->size.latent;
}

int edit_results(const edit_job *job) {
    return job->ask.mix || edit_by_level(job) ? 1 : job->targets;
}

const float *edit_result(const edit_job *job, int source, int result) {
    const int first = source * job->targets;
    if (job->ask.mix)
        return job->reached[first] && job->reached[first + 1] ? edit_code(job, job->mixed, source)
                                                              : NULL;
    const int pair = first + (edit_by_level(job) ? job->full_level : result);
    return job->reached[pair] ? edit_code(job, job->edited, pair) : NULL;
}

/* --- names ------------------------------------------------------------------------------------ */
/* sounds/rain.wav -> rain */
static int stem(const char *path, const char **begin) {
    const char *slash = strrchr(path, '/');
    *begin = slash ? slash + 1 : path;
    const char *dot = strrchr(*begin, '.');
    return dot && dot > *begin ? (int)(dot - *begin) : (int)strlen(*begin);
}

void edit_source_name(const edit_job *job, int source, char *name, size_t room) {
    if (job->seeds)
        snprintf(name, room, "seed%llu", (unsigned long long)job->seed[source]);
    else
        snprintf(name, room, "source");
}

void edit_target_name(const edit_job *job, int target, char *name, size_t room) {
    const char *begin;
    if (job->ask.text && target == 0) {
        snprintf(name, room, "text");
        return;
    }
    const int length =
        job->ask.direction
            ? stem(job->ask.direction, &begin)
            : stem(job->sound.item[job->ask.mix || edit_by_level(job) ? 0 : target], &begin);
    snprintf(name, room, "%.*s", length, begin);
}

static int by_seed(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Pictures are named by their seed. */
static int check_seeds(const command_line *line, const edit_job *job) {
    const size_t bytes = sizeof *job->seed * (size_t)job->sources;
    uint64_t *sorted = malloc(bytes);
    if (!sorted) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for %d seeds", job->sources);
        return run_error();
    }
    memcpy(sorted, job->seed, bytes);
    qsort(sorted, (size_t)job->sources, sizeof *sorted, by_seed);
    int code = EXIT_OK;
    for (int i = 1; i < job->sources && code == EXIT_OK; i++)
        if (sorted[i] == sorted[i - 1])
            code = usage_error(line, "--seed %s names seed %llu twice: its pictures would be one",
                               job->seeds, (unsigned long long)sorted[i]);
    free(sorted);
    return code;
}

int edit_check_names(const command_line *line, const edit_job *job) {
    const int code = job->seeds ? check_seeds(line, job) : EXIT_OK;
    if (code != EXIT_OK) return code;
    if (job->ask.mix || job->ask.text) return EXIT_OK;
    for (int i = 0; i < job->sound.count; i++)
        for (int j = 0; j < i; j++) {
            char a[NAME_ROOM], b[NAME_ROOM];
            edit_target_name(job, i, a, sizeof a);
            edit_target_name(job, j, b, sizeof b);
            if (strcmp(a, b) == 0)
                return usage_error(
                    line, "the pictures of two sounds would both be named %s: rename a sound", a);
        }
    return EXIT_OK;
}

/* --- outputs ---------------------------------------------------------------------------------- */
static char *path_of(const edit_job *job, const char *out, const char *ending, int source,
                     int result) {
    char from[NAME_ROOM], to[NAME_ROOM] = "mixed", *path;
    if (job->sources * edit_results(job) == 1) return strdup(out);
    edit_source_name(job, source, from, sizeof from);
    if (!job->ask.mix) edit_target_name(job, result, to, sizeof to);
    return asprintf(&path, "%s/%s-%s.%s", out, from, to, ending) < 0 ? NULL : path;
}

char *edit_result_path(const edit_job *job, int source, int result) {
    return path_of(job, job->out, "png", source, result);
}

char *edit_direction_path(const edit_job *job, int source, int result) {
    return path_of(job, job->direction_out, "npy", source, result);
}

char *edit_tuned_code_path(const edit_job *job) {
    const char *ending = strrchr(job->tuned_out, '.');
    char *path;
    return asprintf(&path, "%.*s.npy",
                    ending ? (int)(ending - job->tuned_out) : (int)strlen(job->tuned_out),
                    job->tuned_out) < 0
               ? NULL
               : path;
}

char *edit_snapshot_path(const edit_job *job, int step) {
    const char *dot = strrchr(job->out, '.'), *slash = strrchr(job->out, '/');
    const int length =
        dot && (!slash || dot > slash) ? (int)(dot - job->out) : (int)strlen(job->out);
    char *path;
    return asprintf(&path, "%.*s-%06d.png", length, job->out, step) < 0 ? NULL : path;
}

static void add_derived(output_table *table, const char *flag, output_kind kind, char *path) {
    table->broken = table->broken || !path;
    output_add(table, flag, kind, path);
    free(path);
}

/* A picture of --out, and the recipe beside it. */
static void add_result(output_table *table, const edit_job *job, int source, int result) {
    char *path = edit_result_path(job, source, result);
    if (job->embed_recipe) add_derived(table, "out", OUTPUT_JSON, path ? recipe_path(path) : NULL);
    add_derived(table, "out", OUTPUT_PICTURE, path);
}

/* A direction of --direction-out, and what it is of. */
static void add_direction(output_table *table, const edit_job *job, int source, int result) {
    char *path = edit_direction_path(job, source, result);
    add_derived(table, "direction-out", OUTPUT_JSON, path ? direction_about_path(path) : NULL);
    add_derived(table, "direction-out", OUTPUT_ARRAY, path);
}

int edit_check_outputs(const command_line *line, const edit_job *job) {
    output_table table = {0};
    const int results = edit_results(job), count = job->sources * results;
    const chl_edit_options options = edit_library_options(&job->ask, NULL, NULL, NULL);
    const int steps = chl_edit_steps(&options);
    if (count > 1) output_add(&table, "out", OUTPUT_FOLDER, job->out);
    if (count > 1) output_add(&table, "direction-out", OUTPUT_FOLDER, job->direction_out);
    for (int i = 0; job->direction_out && i < count; i++)
        add_direction(&table, job, i / results, i % results);
    for (int i = 0; job->out && i < count; i++) add_result(&table, job, i / results, i % results);
    for (int i = 1; job->out && job->every > 0 && i <= steps / job->every && i <= MAX_PICTURES; i++)
        add_derived(&table, "every", OUTPUT_PICTURE, edit_snapshot_path(job, i * job->every));
    output_add(&table, "latent-out", OUTPUT_ARRAY, job->latent_out);
    output_add(&table, "save-inverted", OUTPUT_ARRAY, job->inverted_out);
    output_add(&table, "save-tuned", OUTPUT_WEIGHTS, job->tuned_out);
    if (job->tuned_out) add_derived(&table, "save-tuned", OUTPUT_ARRAY, edit_tuned_code_path(job));
    output_add(&table, "keep-plot", OUTPUT_PICTURE, job->keep_plot);
    output_add(&table, "explain", OUTPUT_PICTURE, job->explain);
    output_add(&table, "strip", OUTPUT_PICTURE, job->strip);
    output_add(&table, "sheet", OUTPUT_PICTURE, job->sheet);
    return output_check(line, &table);
}
