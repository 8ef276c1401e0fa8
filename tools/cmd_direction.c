/* `direction`: directions of edits, averaged and compared. */
#include "direction.h"
#include "outputs.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct direction_job {
    const char *by, *out, *png;
    int plot;
    float perplexity;
    bool json;
    const char **path; /* of directions and folders */
    int paths;
    direction_list list;
} direction_job;

static int run_out_of_memory(void) {
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for directions");
    return run_error();
}

/* --- mean ------------------------------------------------------------------------------------- */
/* The mean of edits by different sounds points nowhere. */
static int check_same(const direction_job *job) {
    char first[256], name[256];
    for (int i = 0; i < job->list.count; i++) {
        direction_name(&job->list.item[i], i ? name : first, sizeof name);
        if (i == 0 || job->by || strcmp(first, name) == 0) continue;
        (void)command_fail(CHL_ERR_ARGUMENT,
                           "%s is by %s, %s by %s: expected directions by one, which --by names",
                           job->list.item[0].path, first, job->list.item[i].path, name);
        return run_error();
    }
    return EXIT_OK;
}

static int edits_of(const direction *d) {
    const int edits = (int)json_integer_value(json_object_get(d->about, "edits"));
    return edits > 0 ? edits : 1;
}

/* What all of them say alike. */
static json_t *about_mean(const direction_list *list) {
    static const char *const keys[] = {"generator", "sound", "text", "level"};
    json_t *about = json_object();
    char name[256];
    int edits = 0;
    direction_name(&list->item[0], name, sizeof name);
    for (int i = 0; i < list->count; i++) edits += edits_of(&list->item[i]);
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        json_t *value = json_object_get(list->item[0].about, keys[k]);
        bool alike = value != NULL;
        for (int i = 1; i < list->count; i++)
            alike = alike && json_equal(value, json_object_get(list->item[i].about, keys[k]));
        if (alike) json_put(about, keys[k], json_incref(value));
    }
    json_put(about, "by", json_text(name));
    json_put(about, "edits", json_integer(edits));
    return about;
}

/* A mean counts as often as it has edits. */
static int write_mean(const direction_job *job) {
    const direction *first = &job->list.item[0];
    const size_t count = (size_t)first->rows * (size_t)first->latent;
    float *mean = malloc(sizeof *mean * count);
    if (!mean) return run_out_of_memory();
    double edits = 0;
    for (int n = 0; n < job->list.count; n++) edits += edits_of(&job->list.item[n]);
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int n = 0; n < job->list.count; n++)
            sum += edits_of(&job->list.item[n]) * (double)job->list.item[n].numbers[i];
        mean[i] = (float)(sum / edits);
    }
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)mean[i] * (double)mean[i];
    const chl_status status =
        direction_write(job->out, first->rows, first->latent, mean, about_mean(&job->list));
    free(mean);
    if (status != CHL_OK) return run_error();
    if (job->json)
        return print_json(json_pack("{s:o, s:i, s:i, s:f}", "out", json_text(job->out),
                                    "directions", job->list.count, "edits", (int)edits, "length",
                                    sqrt(squares)),
                          REPORT_DIGITS);
    fprintf(stderr, "%s: mean of %d directions, length %.4g\n", shown(job->out), job->list.count,
            sqrt(squares));
    return EXIT_OK;
}

/* --- compare ---------------------------------------------------------------------------------- */
typedef struct compared {
    float *numbers; /* [count][numbers] */
    const char **name, **group, **source, **guide;
    char **made; /* texts of `group` */
    int *by_text;
    double *square, *dot;
} compared;

static bool allocate(compared *c, size_t count, size_t numbers) {
    c->numbers = calloc(count, sizeof *c->numbers * numbers);
    c->name = calloc(count, sizeof *c->name);
    c->group = calloc(count, sizeof *c->group);
    c->source = calloc(count, sizeof *c->source);
    c->guide = calloc(count, sizeof *c->guide);
    c->made = calloc(count, sizeof *c->made);
    c->by_text = calloc(count, sizeof *c->by_text);
    c->square = calloc(count, sizeof *c->square);
    c->dot = calloc(count, sizeof *c->dot);
    return c->numbers && c->name && c->group && c->source && c->guide && c->made && c->by_text &&
           c->square && c->dot;
}

static void release(compared *c, int count) {
    for (int i = 0; c->made && i < count; i++) free(c->made[i]);
    void *all[] = {c->numbers, c->name, c->group,   c->source, c->guide,
                   c->made,    c->dot,  c->by_text, c->square};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static double number_of(const direction *d, const char *key) {
    const json_t *value = json_object_get(d->about, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool take(compared *c, const direction *d, int i) {
    char name[256];
    const size_t numbers = (size_t)d->rows * (size_t)d->latent;
    const char *text = direction_text(d, "text");
    const char *slash = strrchr(d->path, '/');
    memcpy(c->numbers + (size_t)i * numbers, d->numbers, sizeof *c->numbers * numbers);
    direction_name(d, name, sizeof name);
    c->by_text[i] = text != NULL;
    if (asprintf(&c->made[i], "%s%s", text ? "text: " : "", text ? text : name) < 0)
        c->made[i] = NULL;
    c->group[i] = c->made[i];
    c->name[i] = slash ? slash + 1 : d->path;
    c->source[i] = direction_text(d, "source");
    c->guide[i] = text ? text : direction_text(d, "by");
    c->square[i] = number_of(d, "source_square");
    c->dot[i] = number_of(d, "source_dot");
    return c->made[i] != NULL;
}

static double number_in(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void print_table2(const json_t *table) {
    static const char *const keys[] = {"source_sound", "source_text", "sound_text", "directions"};
    static const char *const names[] = {"source and sound-guided code",
                                        "source and text-guided code",
                                        "sound- and text-guided code", "their directions"};
    printf("\ncosine between                       number    mean  deviation\n");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *row = json_object_get(table, keys[i]);
        const json_t *count = json_object_get(row, i < 2 ? "edits" : "pairs");
        printf("%-36s %6d %7.3f %10.3f\n", names[i], (int)json_integer_value(count),
               number_in(row, "mean"), number_in(row, "deviation"));
    }
}

static void print_comparison(const json_t *report) {
    const json_t *groups = json_object_get(report, "groups"),
                 *between = json_object_get(report, "between");
    const json_t *explained = json_object_get(json_object_get(report, "pca"), "explained");
    const json_t *group, *cell;
    size_t i, k;
    printf("mean cosines between directions; on the diagonal, among those of one row\n%-24s %6s",
           "", "number");
    for (i = 0; i < json_array_size(groups); i++) printf(" %6zu", i + 1);
    putchar('\n');
    json_array_foreach(groups, i, group) {
        printf("%3zu %-20.20s %6d", i + 1,
               shown(json_string_value(json_object_get(group, "group"))),
               (int)json_integer_value(json_object_get(group, "count")));
        json_array_foreach(json_array_get(between, i), k, cell) {
            if (json_is_number(cell))
                printf(" %6.3f", json_number_value(cell));
            else
                printf(" %6s", "-");
        }
        putchar('\n');
    }
    printf("\nprincipal components: the first holds %.1f %%, the second %.1f %%\n",
           100 * json_number_value(json_array_get(explained, 0)),
           100 * json_number_value(json_array_get(explained, 1)));
    print_table2(json_object_get(report, "table2"));
}

static int finish_comparison(const direction_job *job, char *text) {
    json_t *report = json_parsed(text);
    chl_release(text);
    if (!report) return run_error();
    int code = job->out ? write_json(report, REPORT_DIGITS | JSON_INDENT(1), job->out) : EXIT_OK;
    if (code == EXIT_OK && job->json) return print_json(report, REPORT_DIGITS);
    if (code == EXIT_OK) print_comparison(report);
    json_decref(report);
    return code;
}

static int compare(const direction_job *job) {
    const int count = job->list.count;
    const direction *first = &job->list.item[0];
    const size_t numbers = (size_t)first->rows * (size_t)first->latent;
    compared c = {0};
    char *text = NULL;
    bool room = allocate(&c, (size_t)count, numbers);
    for (int i = 0; i < count && room; i++) room = take(&c, &job->list.item[i], i);
    chl_status status = CHL_OK;
    if (room) {
        const chl_direction_options options = {.size = sizeof options,
                                               .count = count,
                                               .numbers = (int64_t)numbers,
                                               .direction = c.numbers,
                                               .name = c.name,
                                               .group = c.group,
                                               .picture = job->png,
                                               .plot = (chl_direction_plot)job->plot,
                                               .perplexity = job->perplexity,
                                               .by_text = c.by_text,
                                               .source = c.source,
                                               .guide = c.guide,
                                               .source_square = c.square,
                                               .source_dot = c.dot};
        status = chl_compare_directions(&options, &text);
    }
    release(&c, count);
    if (!room) return run_out_of_memory();
    return status == CHL_OK ? finish_comparison(job, text) : run_error();
}

/* --- command ---------------------------------------------------------------------------------- */
static int check(const command_line *line, const direction_job *job, bool mean) {
    output_table table = {0};
    if (job->paths == 0) return usage_error(line, "directions are missing: D.npy or a folder");
    if (mean && !job->out) return usage_error(line, "--out is missing");
    char *about = mean ? direction_about_path(job->out) : NULL;
    for (int i = 0; i < job->paths; i++) output_reads(&table, job->path[i]);
    output_add(&table, "out", mean ? OUTPUT_ARRAY : OUTPUT_JSON, job->out);
    output_add(&table, "out", OUTPUT_JSON, about);
    output_add(&table, "png", OUTPUT_PICTURE, job->png);
    free(about);
    return output_check(line, &table);
}

static int run(direction_job *job, bool is_mean) {
    int code = direction_list_read(&job->list, job->paths, job->path, job->by);
    if (code == EXIT_OK && is_mean) code = check_same(job);
    if (code == EXIT_OK) code = is_mean ? write_mean(job) : compare(job);
    direction_list_free(&job->list);
    return code;
}

static int begin(command_line *line, int argc, char **argv, direction_job *job, bool mean) {
    line->positional = job->path;
    line->max_positionals = argc;
    bool done;
    int code = parse_options(line, argc, argv, &done);
    job->paths = line->positionals;
    if (code == EXIT_OK && !done) code = check(line, job, mean);
    return code == EXIT_OK && !done ? run(job, mean) : code;
}

static int mean(int argc, char **argv, direction_job *job) {
    const option options[] = {
        {"out", NULL, OPTION_OUTPUT, &job->out, "M.npy", "the mean, with M.json beside it", NULL},
        {"by", NULL, OPTION_TEXT, &job->by, "NAME", "only directions by the sound of this name",
         NULL},
        {"json", NULL, OPTION_FLAG, &job->json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {.usage = "direction mean (DIR | D.npy) ... --out M.npy [--by NAME]",
                         .about = "The mean of directions by one sound, over many sources.",
                         .options = options,
                         .count = sizeof options / sizeof options[0]};
    return begin(&line, argc, argv, job, true);
}

static int comparison(int argc, char **argv, direction_job *job) {
    const option options[] = {
        {"png", NULL, OPTION_OUTPUT, &job->png, "P.png",
         "picture: a point per direction, by --plot", NULL},
        {"plot", NULL, OPTION_CHOICE, &job->plot, "pca|tsne",
         "what the picture shows: the first two principal components (default), or t-SNE", NULL},
        {"perplexity", NULL, OPTION_FLOAT, &job->perplexity, "X",
         "of t-SNE: how many neighbours count (default 30, at most a third of the others)", NULL},
        {"by", NULL, OPTION_TEXT, &job->by, "NAME", "only directions by the sound of this name",
         NULL},
        {"json", NULL, OPTION_FLAG, &job->json, NULL, "print JSON on stdout instead of text", NULL},
        {"out", NULL, OPTION_OUTPUT, &job->out, "R.json", "also write the JSON to this file", NULL},
    };
    command_line line = {.usage = "direction compare (DIR | D.npy) ... [--png P.png] [--json]",
                         .about = "Cosines between directions, their principal components, and the "
                                  "cosines between codes (the paper's Fig. 8 and Table 2).",
                         .options = options,
                         .count = sizeof options / sizeof options[0]};
    return begin(&line, argc, argv, job, false);
}

int command_direction(int argc, char **argv) {
    const command_line line = {
        .usage = "direction (mean | compare) ...",
        .about =
            "Directions of edits, as `chladni edit --direction-out` writes them: mean averages "
            "them, compare\ncompares them; `chladni direction mean --help` etc. list the "
            "flags. `chladni edit --direction` applies one."};
    int (*action)(int, char **, direction_job *) = NULL;
    if (argc > 0 && strcmp(argv[0], "mean") == 0) action = mean;
    if (argc > 0 && strcmp(argv[0], "compare") == 0) action = comparison;
    if (!action && argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        printf("usage: chladni %s\n\n%s\n", line.usage, line.about);
        return EXIT_OK;
    }
    if (!action) return usage_error(&line, "give an action: mean or compare");
    direction_job job = {.path = calloc((size_t)argc, sizeof *job.path)};
    if (!job.path) return run_out_of_memory();
    const int code = action(argc - 1, argv + 1, &job);
    free(job.path);
    return code;
}
