/* What `edit` was asked for, and where its results are. */
#include "edit_job.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what was asked for ----------------------------------------------------------------------- */
/* "linear", "linear:0.3", "rows", "rows:9" */
static bool read_mix(edit_job *job) {
    static const char *const names[] = {"linear", "rows"};
    const size_t length = strcspn(job->mix, ":");
    job->mix_amount = -1;
    for (int k = 0; k < 2; k++) {
        if (strlen(names[k]) != length || strncmp(job->mix, names[k], length) != 0) continue;
        job->mix_kind = (chl_mix)k;
        if (!job->mix[length]) return true;
        char *end;
        job->mix_amount = strtof(job->mix + length + 1, &end);
        return job->mix[length + 1] && !*end && isfinite(job->mix_amount) && job->mix_amount >= 0;
    }
    return false;
}

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
    if (job->mix && !read_mix(job))
        return usage_error(line, "--mix must be linear, linear:0.5, rows or rows:9, got %s",
                           job->mix);
    job->sources = 1;
    if (job->seeds) job->sources = parse_seeds(job->seeds, NULL);
    if (job->sources < 0)
        return usage_error(line, "--seed must be like 7 or 1,5,8-10, got %s", job->seeds);
    job->targets = job->mix ? 2 : job->text ? 1 : job->sound.count;
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
    return job->mix || edit_by_level(job) ? 1 : job->targets;
}

const float *edit_result(const edit_job *job, int source, int result) {
    const int first = source * job->targets;
    if (job->mix)
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
        snprintf(name, room, "seed%d", job->seed[source]);
    else
        snprintf(name, room, "source");
}

void edit_target_name(const edit_job *job, int target, char *name, size_t room) {
    const char *begin;
    if (job->text && target == 0) {
        snprintf(name, room, "text");
        return;
    }
    const int length = stem(job->sound.item[job->mix || edit_by_level(job) ? 0 : target], &begin);
    snprintf(name, room, "%.*s", length, begin);
}

int edit_check_names(const command_line *line, const edit_job *job) {
    if (job->mix || job->text) return EXIT_OK;
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
