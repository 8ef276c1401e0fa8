/* Rows become jobs, jobs become chunks. */
#include "batch.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LETTERS 48
#define ID_LETTERS 16 /* of the id, in file names */

static int no_memory(void) {
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for the list of edits");
    return run_error();
}

/* --- a row ------------------------------------------------------------------------------------ */
static const char *jobs_name(const batch *b) {
    return b->jobs ? b->jobs : "the grid";
}

/* A path of a row counts from the folder of JOBS. The text lives as long as b->folder_part. */
static const char *from_folder(batch *b, const char *path) {
    const char *slash = b->jobs ? strrchr(b->jobs, '/') : NULL;
    if (!slash || path[0] == '/') return path;
    char *whole;
    if (asprintf(&whole, "%.*s/%s", (int)(slash - b->jobs), b->jobs, path) < 0) return NULL;
    json_t *text = json_string_nocheck(whole);
    free(whole);
    json_add(b->folder_part, text);
    return json_string_value(text);
}

static int take_cell(batch *b, int line, const char *name, const char *text) {
    const option *o = option_named(one_edit_table(), name);
    if (!o || strcmp(o->name, "device") == 0)
        return batch_row_error(jobs_name(b), line,
                               "unknown column \"%s\", expected name or a flag of edit: image, "
                               "seed, latent, sound, level, text, mix, steps, ...",
                               name);
    if (o->kind == OPTION_INPUT && !(text = from_folder(b, text))) return no_memory();
    if (option_set(o, text)) return EXIT_OK;
    return batch_row_error(jobs_name(b), line, "%s must be %s, got %s", name, option_expects(o),
                           text);
}

/* A row that has a source or target of its own does without that of the flags. */
static void forget_defaults(const json_t *cells, one_edit *e) {
    if (json_object_get(cells, "image") || json_object_get(cells, "seed") ||
        json_object_get(cells, "latent")) {
        e->ask.image = e->ask.latent = NULL;
        e->seed = NULL;
    }
}

static int take_row(batch *b, const json_t *row, batch_job *job) {
    json_t *cells = json_object_get(row, "cells"), *value;
    const char *name;
    int code = EXIT_OK;
    job->line = (int)json_integer_value(json_object_get(row, "line"));
    *one_edit_bound() = b->base;
    forget_defaults(cells, one_edit_bound());
    json_object_foreach(cells, name, value) {
        if (code == EXIT_OK && strcmp(name, "name") != 0)
            code = take_cell(b, job->line, name, json_string_value(value));
    }
    if (code != EXIT_OK) return code;
    job->e = *one_edit_bound();
    const char *wrong = one_edit_settle(&job->e);
    if (!wrong && job->e.ask.direction)
        wrong =
            "batch does optimisations: chladni edit --direction adds a direction, to many seeds "
            "at once";
    return wrong ? batch_row_error(jobs_name(b), job->line, "%s", wrong) : EXIT_OK;
}

/* --- names ------------------------------------------------------------------------------------ */
/* Letters that every file system and shell takes; of a path its name without ending. */
static void append_name(char *to, const char *from, bool path) {
    const char *slash = path ? strrchr(from, '/') : NULL, *begin = slash ? slash + 1 : from;
    const char *dot = path ? strrchr(begin, '.') : NULL;
    size_t length = dot && dot > begin ? (size_t)(dot - begin) : strlen(begin);
    size_t at = strlen(to);
    if (length > NAME_LETTERS) length = NAME_LETTERS;
    for (size_t i = 0; i < length; i++)
        to[at++] = isalnum((unsigned char)begin[i]) || strchr("-_.", begin[i]) ? begin[i] : '_';
    to[at] = 0;
}

static int name_file(const json_t *row, batch_job *job) {
    char name[4 * NAME_LETTERS] = "";
    const char *given = json_string_value(json_object_get(json_object_get(row, "cells"), "name"));
    const one_edit *e = &job->e;
    if (given) {
        append_name(name, given, false);
    } else {
        if (e->seed) append_name(name, "seed", false);
        append_name(name,
                    e->seed        ? e->seed
                    : e->ask.image ? e->ask.image
                                   : e->ask.latent,
                    !e->seed);
        append_name(name, "-", false);
        append_name(name, e->sound ? e->sound : e->ask.text, e->sound != NULL);
        if (e->ask.mix) append_name(name, "-mixed", false);
        if (e->level != 0) {
            char level[32];
            snprintf(level, sizeof level, "-%gdB", (double)e->level);
            append_name(name, level, false);
        }
    }
    if (name[0] == '.' || name[0] == '-') name[0] = '_';
    return asprintf(&job->file, "%s-%.*s.png", name, ID_LETTERS, job->id) < 0 ? no_memory()
                                                                              : EXIT_OK;
}

/* --- ids and groups --------------------------------------------------------------------------- */
/* A file that cannot be read fails its job; the id then is of its path. */
static int digest_inputs(batch *b, batch_job *job) {
    json_t *models, *inputs = NULL, *instead = NULL;
    if (one_edit_digests(&b->files, &job->e, EDIT_MODELS, &models) != CHL_OK) {
        char before[64];
        snprintf(before, sizeof before, "line %d: ", job->line);
        say_error(before);
        return EXIT_RUN;
    }
    if (one_edit_digests(&b->files, &job->e, EDIT_INPUTS, &inputs) == CHL_OK) {
        json_put_all(models, inputs);
        job->digests = json_incref(models);
    } else {
        job->unreadable = take_error();
        instead =
            json_pack("[O, o, o, o]", models, json_text(job->e.ask.image ? job->e.ask.image : ""),
                      json_text(job->e.ask.latent ? job->e.ask.latent : ""),
                      json_text(job->e.sound ? job->e.sound : ""));
    }
    const chl_status status = recipe_id(&job->e, instead ? instead : models, job->id);
    json_decref(models);
    json_decref(inputs);
    json_decref(instead);
    return status == CHL_OK && (job->digests || job->unreadable) ? EXIT_OK : run_error();
}

/* Jobs that the same graph edits. */
static int find_group(batch *b, batch_job *job, json_t *groups) {
    static const char *const own[] = {"image", "seed", "latent",     "sound",
                                      "level", "text", "truncation", "invert-steps"};
    json_t *options = one_edit_options(&job->e);
    const bool tuned = job->e.ask.tune > 0; /* to a picture: its edits are a group of their own */
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!tuned || (strcmp(own[i], "image") != 0 && strcmp(own[i], "invert-steps") != 0))
            json_object_del(options, own[i]);
    json_object_del(options, "mix");
    char *key = options ? json_dumped(options, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(options);
    if (!key) return no_memory();
    const json_t *known = json_object_get(groups, key);
    job->group = known ? (int)json_integer_value(known) : b->groups++;
    if (!known) json_put(groups, key, json_integer(job->group));
    free(key);
    return EXIT_OK;
}

static void find_twin(batch *b, batch_job *job, int index) {
    const json_t *first = json_object_get(b->by_id, job->id);
    job->twin = first ? (int)json_integer_value(first) : -1;
    if (!first) json_put(b->by_id, job->id, json_integer(index));
}

void batch_warn_of_twins(const batch *b) {
    int twins = 0;
    const batch_job *example = NULL;
    for (int i = 0; i < b->count; i++) {
        if (b->job[i].twin < 0) continue;
        if (!twins++) example = &b->job[i];
    }
    if (twins)
        fprintf(stderr,
                "chladni: warning: %s: %d edits are asked for more than once and done once; the "
                "first is line %d, which is the same as line %d\n",
                shown(jobs_name(b)), twins, example->line, b->job[example->twin].line);
}

int batch_plan_jobs(batch *b, const command_line *line) {
    int code =
        b->jobs ? batch_rows_read(b->jobs, &b->rows) : batch_rows_of_grid(line, &b->grid, &b->rows);
    if (code != EXIT_OK) return code;
    json_t *groups = json_object();
    b->count = (int)json_array_size(b->rows);
    b->job = calloc((size_t)b->count, sizeof *b->job);
    b->order = calloc((size_t)b->count, sizeof *b->order);
    b->folder_part = json_array();
    b->by_id = json_object();
    if (!b->job || !b->order) {
        json_decref(groups);
        return no_memory();
    }
    for (int i = 0; i < b->count && code == EXIT_OK; i++)
        code = take_row(b, json_array_get(b->rows, (size_t)i), &b->job[i]);
    for (int i = 0; i < b->count && code == EXIT_OK; i++) { /* all rows are right: now the files */
        batch_job *job = &b->job[i];
        code = digest_inputs(b, job);
        if (code == EXIT_OK) code = find_group(b, job, groups);
        if (code == EXIT_OK) find_twin(b, job, i);
        if (code == EXIT_OK) code = name_file(json_array_get(b->rows, (size_t)i), job);
    }
    if (code == EXIT_OK && !json_is_whole(groups)) code = no_memory();
    json_decref(groups);
    return code;
}

/* --- chunks ----------------------------------------------------------------------------------- */
static int sort_by_group(batch *b) {
    int *next = calloc((size_t)b->groups + 1, sizeof *next);
    if (!next) return no_memory();
    for (int i = 0; i < b->count; i++) next[b->job[i].group + 1]++;
    for (int group = 0; group < b->groups; group++) next[group + 1] += next[group];
    for (int i = 0; i < b->count; i++) b->order[next[b->job[i].group]++] = i;
    free(next);
    return EXIT_OK;
}

/* A twin takes no part but keeps its place: which edits share a chunk does not depend on contents. */
int batch_plan_chunks(batch *b) {
    b->chunk = calloc((size_t)b->count, sizeof *b->chunk);
    if (!b->chunk) return no_memory();
    const int code = sort_by_group(b);
    if (code != EXIT_OK) return code;
    batch_chunk *last = NULL;
    int group = -1;
    for (int i = 0; i < b->count; i++) {
        const batch_job *job = &b->job[b->order[i]];
        const int slots = one_edit_slots(&job->e);
        if (!last || job->group != group || last->slots + slots > b->size) {
            last = &b->chunk[b->chunks++];
            last->first = i;
            group = job->group;
        }
        last->count++;
        last->slots += slots;
    }
    return EXIT_OK;
}

bool batch_chunk_finished(const batch *b, const batch_chunk *chunk) {
    for (int i = 0; i < chunk->count; i++) {
        const batch_job *job = batch_job_at(b, chunk, i);
        if (job->twin < 0 && job->status == BATCH_OPEN) return false;
    }
    return true;
}

bool batch_chunk_is_mine(const batch *b, int chunk) {
    return b->shards == 0 || chunk % b->shards == b->shard_index;
}

void batch_plan_free(batch *b) {
    for (int i = 0; b->job && i < b->count; i++) {
        free(b->job[i].file);
        free(b->job[i].unreadable);
        free(b->job[i].reason);
        json_decref(b->job[i].digests);
    }
    free(b->job);
    free(b->order);
    free(b->chunk);
    json_decref(b->rows);
    json_decref(b->folder_part);
    json_decref(b->by_id);
    file_digests_free(&b->files);
}
