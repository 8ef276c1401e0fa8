/* How many edits run at once, and what a batch will cost. */
#include "batch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With more at once an edit takes as long (docs/batch.md), and more is lost to a kill. */
#define MAX_SIZE 8
#define PROBE_STEPS 3

/* --- memory ----------------------------------------------------------------------------------- */
static double read_number(const char *path) {
    double number = -1;
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lf", &number) != 1) number = -1; /* "max" */
    if (file) fclose(file);
    return number;
}

/* Bytes that this process may still take; a container's limit counts. */
static double free_memory(void) {
    double bytes = INFINITY, kilobytes;
    char text[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(text, sizeof text, file))
        if (sscanf(text, "MemAvailable: %lf", &kilobytes) == 1) bytes = 1024 * kilobytes;
    if (file) fclose(file);
    const double limit = read_number("/sys/fs/cgroup/memory.max");
    const double used = read_number("/sys/fs/cgroup/memory.current");
    if (limit > 0 && used >= 0) bytes = fmin(bytes, limit - used);
    return bytes;
}

static chl_status cost_of(batch *b, const batch_job *job, int n, chl_cost *cost) {
    chl_edit_options options;
    float *numbers;
    chl_status status = batch_open_engine(b, job);
    if (status == CHL_OK) status = one_edit_library_options(b->engine, &job->e, &options, &numbers);
    if (status != CHL_OK) return status;
    status = chl_edit_many_cost(b->engine, &options, n, cost);
    free(numbers);
    return status;
}

static double bytes_of(const chl_cost *cost) {
    return (double)cost->weight_bytes + (double)cost->activation_bytes + (double)cost->state_bytes;
}

static const batch_job *first_of_group(const batch *b, int group) {
    for (int i = 0; i < b->count; i++)
        if (b->job[i].group == group) return &b->job[i];
    return NULL;
}

/* Half of what is free, for one group; workers of several devices share it. */
static chl_status fit(batch *b, const batch_job *job, int *size) {
    chl_cost one, two;
    chl_status status = cost_of(b, job, 1, &one);
    if (status == CHL_OK) status = cost_of(b, job, 2, &two);
    if (status != CHL_OK) return status;
    const double each = bytes_of(&two) - bytes_of(&one), fixed = bytes_of(&one) - each;
    const int sharing = b->workers > 1 ? b->workers : 1;
    const double room = (free_memory() / 2 / sharing - fixed) / fmax(each, 1);
    *size = room >= MAX_SIZE ? MAX_SIZE : room >= 1 ? (int)room : 1;
    return CHL_OK;
}

/* The generator decides: a group with the last one's models needs no second look. */
int batch_choose_size(batch *b, int *size) {
    const char *last = "";
    *size = MAX_SIZE;
    for (int group = 0; group < b->groups; group++) {
        const batch_job *job = first_of_group(b, group);
        if (!job || strcmp(last, job->e.ask.models.generator) == 0) continue;
        int fits;
        last = job->e.ask.models.generator;
        if (fit(b, job, &fits) != CHL_OK) return run_error();
        if (fits < *size) *size = fits;
    }
    return EXIT_OK;
}

/* --- time ------------------------------------------------------------------------------------- */
typedef struct probe {
    double first, last; /* seconds after the first and the last step */
} probe;

static int on_probe(void *user, const chl_edit_progress *progress) {
    probe *p = user;
    if (progress->step == 1) p->first = progress->seconds;
    p->last = progress->seconds;
    return interrupted();
}

/* A few steps with codes and targets of no meaning; *setup: what a chunk takes beside its steps. */
static chl_status time_steps(batch *b, const batch_job *job, int n, double *setup, double *step) {
    const chl_engine_sizes size = chl_engine_get_sizes(b->engine);
    const size_t code = (size_t)size.rows * (size_t)size.latent;
    float *source = calloc((size_t)n, sizeof(float) * code),
          *edited = malloc((size_t)n * sizeof(float) * code);
    float *target = calloc((size_t)n, sizeof(float) * (size_t)size.embedding), *numbers = NULL;
    probe p = {0};
    chl_edit_options options;
    chl_status status = source && edited && target
                            ? one_edit_library_options(b->engine, &job->e, &options, &numbers)
                            : command_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n);
    for (int i = 0; i < n && status == CHL_OK; i++) target[(size_t)i * (size_t)size.embedding] = 1;
    const double began = seconds_now();
    if (status == CHL_OK) {
        options.steps = PROBE_STEPS;
        options.starts = 1;
        options.progress = on_probe;
        options.user = &p;
        status = chl_edit_many(b->engine, &options, n, source, target, edited, NULL);
    }
    *step = (p.last - p.first) / (PROBE_STEPS - 1);
    *setup = fmax(0, seconds_now() - began - PROBE_STEPS * *step);
    free(source);
    free(edited);
    free(target);
    free(numbers);
    return status;
}

static double steps_of(const batch *b, const one_edit *e) {
    const chl_edit_options options = edit_library_options(&e->ask, b->engine, NULL, NULL);
    return chl_edit_steps(&options);
}

/* For pictures that are inverted, each once. */
static chl_status inversion_steps(const batch *b, double *steps) {
    json_t *seen = json_object();
    *steps = 0;
    for (int i = 0; i < b->count; i++) {
        const batch_job *job = &b->job[i];
        const char *digest = json_string_value(json_object_get(job->digests, "image"));
        if (!digest || json_object_get(seen, digest)) continue;
        json_put(seen, digest, json_true());
        *steps += job->e.ask.invert_steps ? job->e.ask.invert_steps
                                          : chl_invert_defaults(b->engine).steps;
    }
    const bool whole = json_is_whole(seen);
    json_decref(seen);
    return whole ? CHL_OK : command_fail(CHL_ERR_MEMORY, "out of memory for the plan");
}

/* What pictures take before their edits. */
typedef struct stages {
    double inversion, tuning; /* bytes, of the largest */
    double steps;             /* of tunings, in steps of the edit by their FLOP */
} stages;

static chl_status stages_of(const batch *b, const chl_cost *edit, stages *out) {
    json_t *seen = json_object();
    chl_status status = CHL_OK;
    *out = (stages){0};
    for (int i = 0; i < b->count && status == CHL_OK; i++) {
        const batch_job *job = &b->job[i];
        const char *digest = json_string_value(json_object_get(job->digests, "image"));
        chl_cost cost;
        if (!digest) continue;
        chl_invert_options inversion = chl_invert_defaults(b->engine);
        if (job->e.ask.invert_steps > 0) inversion.steps = job->e.ask.invert_steps;
        status = chl_invert_cost(b->engine, &inversion, &cost);
        if (status == CHL_OK) out->inversion = fmax(out->inversion, bytes_of(&cost));
        if (status != CHL_OK || job->e.ask.tune <= 0) continue;
        status = chl_tune_cost(b->engine, NULL, &cost);
        if (status != CHL_OK) continue;
        out->tuning = bytes_of(&cost);
        if (!json_object_get(seen, digest))
            out->steps += job->e.ask.tune * cost.flops_step / edit->flops_step;
        json_put(seen, digest, json_true());
    }
    json_decref(seen);
    return status;
}

/* --- the plan --------------------------------------------------------------------------------- */
static int print(const batch *b, double edits, const stages *before, double inversions,
                 double seconds) {
    const double bytes = fmax(edits, fmax(before->inversion, before->tuning));
    int twins = 0, unreadable = 0;
    for (int i = 0; i < b->count; i++) {
        twins += b->job[i].twin >= 0;
        unreadable += b->job[i].unreadable != NULL;
    }
    if (b->json)
        return print_json(json_pack("{s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "edits",
                                    b->count, "repeated", twins, "unreadable", unreadable,
                                    "at_once", b->size, "chunks", b->chunks, "bytes", bytes,
                                    "inversion_bytes", before->inversion, "tuning_bytes",
                                    before->tuning, "inversion_steps", inversions, "seconds",
                                    seconds),
                          REPORT_DIGITS);
    printf("edits       %8d, of which %d are asked for more than once and %d have a file that "
           "cannot be read\nat once     %8d, in %d chunks\nmemory      %8.1f MB beside the "
           "program\ntime        %8.0f s by one worker on this machine, by a few steps\n",
           b->count, twins, unreadable, b->size, b->chunks, 1e-6 * bytes, seconds);
    return EXIT_OK;
}

int batch_print_plan(batch *b) {
    const batch_job *job = &b->job[b->order[0]];
    double setup, step, inversions, seconds = 0;
    stages before;
    chl_cost cost;
    if (cost_of(b, job, b->size, &cost) != CHL_OK) return run_error();
    chl_status status = inversion_steps(b, &inversions);
    if (status == CHL_OK) status = stages_of(b, &cost, &before);
    if (status == CHL_OK) status = time_steps(b, job, b->size, &setup, &step);
    if (status == CHL_ERR_CANCELLED) return interrupt_code();
    if (status != CHL_OK) return run_error();
    for (int i = 0; i < b->chunks; i++) {
        const one_edit *e = &batch_job_at(b, &b->chunk[i], 0)->e;
        seconds += setup + steps_of(b, e) * step * b->chunk[i].slots / b->size;
    }
    seconds += inversions * step / b->size + before.steps * step;
    return print(b, bytes_of(&cost), &before, inversions, seconds);
}
