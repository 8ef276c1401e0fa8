/* `eval supervised`, and the supervised baselines of `eval report` and `eval compare`. */
#include "eval_options.h"
#include "eval_report.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- NAME=PERCENT|NAME=FILE,FILE -------------------------------------------------------------- */
typedef struct baseline {
    const char *name, *value; /* into `entry` */
    bool is_figure;
    double percent;
} baseline;

/* Files between commas, none of them empty? */
static bool names_files(const char *list) {
    const size_t length = strlen(list);
    return length > 0 && *list != ',' && list[length - 1] != ',' && !strstr(list, ",,");
}

/* False: it is neither a figure nor files. */
static bool read_baseline(char *entry, baseline *to) {
    char *equals = strchr(entry, '='), *end = NULL;
    if (!equals || equals == entry || !equals[1]) return false;
    *equals = 0;
    *to = (baseline){.name = entry, .value = equals + 1};
    to->percent = strtod(to->value, &end);
    to->is_figure = end > to->value && !*end;
    return to->is_figure ? to->percent >= 0 && to->percent <= 100 : names_files(to->value);
}

/* Before an hour of other measurements. */
static int check_files(const char *files) {
    words file = {.count = 0};
    chl_status status = eval_split(files, ",", &file)
                            ? CHL_OK
                            : command_fail(CHL_ERR_MEMORY, "out of memory for the list of models");
    for (int i = 0; i < file.count && status == CHL_OK; i++)
        if (access(file.item[i], R_OK) != 0)
            status = command_fail(CHL_ERR_IO, "--supervised: %s cannot be read (%s)", file.item[i],
                                  strerror(errno));
    eval_words_free(&file);
    return status == CHL_OK ? EXIT_OK : run_error();
}

static int check_all_files(const char *list) {
    words entry = {.count = 0};
    int code = EXIT_OK;
    if (!eval_split(list, "|", &entry)) return EXIT_OK; /* which measuring says */
    for (int i = 0; i < entry.count && code == EXIT_OK; i++) {
        baseline b;
        if (read_baseline((char *)entry.item[i], &b) && !b.is_figure) code = check_files(b.value);
    }
    eval_words_free(&entry);
    return code;
}

int eval_check_supervised(const command_line *line, const eval_job *job) {
    words entry = {.count = 0};
    const char *list = job->supervised;
    if (!list) return EXIT_OK;
    bool fine = eval_split(list, "|", &entry) && entry.count > 0, files = false;
    for (int i = 0; fine && i < entry.count; i++) {
        baseline b;
        fine = read_baseline((char *)entry.item[i], &b);
        files = files || (fine && !b.is_figure);
    }
    eval_words_free(&entry);
    if (!fine)
        return usage_error(
            line,
            "--supervised must be NAME=PERCENT or NAME=FILE,FILE with | between, got "
            "\"%s\"",
            list);
    if (files && !job->zero.data && !job->probe.data)
        return usage_error(line, "--supervised NAME=FILE needs --data or --probe");
    return check_all_files(list);
}

/* --- measuring -------------------------------------------------------------------------------- */
/* *report is NULL where it fails. */
static int measure(eval_job *job, const char *files, json_t **report) {
    words file = {.count = 0};
    char *text = NULL;
    *report = NULL;
    if (!eval_split(files, ",", &file)) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for the list of models");
        return run_error();
    }
    chl_supervised_options o = job->tested;
    o.models = file.count;
    o.model = file.item;
    if (!o.data) o.data = job->probe.data ? job->probe.data : job->zero.data;
    o.place = &job->models;
    o.user = job;
    const chl_status status = chl_evaluate_supervised(&o, &text);
    eval_words_free(&file);
    if (status != CHL_OK) {
        run_error();
        return status == CHL_ERR_CANCELLED ? interrupt_code() : EXIT_RUN;
    }
    *report = json_parsed(text);
    chl_release(text);
    return *report ? EXIT_OK : run_error();
}

static int add_row(eval_job *job, const baseline *b, json_t *rows) {
    json_t *row = NULL;
    int code = EXIT_OK;
    if (b->is_figure)
        row = json_object();
    else
        code = measure(job, b->value, &row);
    if (code != EXIT_OK) return code;
    json_put(row, "name", json_text(b->name));
    json_t *share = json_object_get(row, "accuracy");
    json_put(row, "share", b->is_figure ? json_real(b->percent / 100) : json_incref(share));
    json_add(rows, row);
    return EXIT_OK;
}

int eval_add_supervised(eval_job *job, json_t *root) {
    words entry = {.count = 0};
    json_t *rows = json_array();
    json_put(root, "supervised", rows);
    if (!eval_split(job->supervised, "|", &entry)) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for the list of baselines");
        return run_error();
    }
    int code = EXIT_OK;
    for (int i = 0; i < entry.count && code == EXIT_OK; i++) {
        baseline b;
        if (read_baseline((char *)entry.item[i], &b)) code = add_row(job, &b, rows);
    }
    eval_words_free(&entry);
    return code;
}

/* --- the command ------------------------------------------------------------------------------ */
static int check_given(const command_line *line, const eval_job *job) {
    if (!job->supervised || !job->tested.data)
        return usage_error(line, "--model and --data are needed");
    if (names_files(job->supervised)) return EXIT_OK;
    return usage_error(line, "--model must be FILE,FILE,..., got \"%s\"", job->supervised);
}

int eval_supervised(int argc, char **argv) {
    eval_job job = eval_job_new();
    const option options[] = {
        {"model", NULL, OPTION_TEXT, &job.supervised, "F,F,...",
         "classifiers (train classifier), each tested on the folds that it was not trained on",
         NULL},
        {"data", NULL, OPTION_TEXT, &job.tested.data, "SRC",
         "labelled sounds: any source of `eval zero-shot`", NULL},
        {"split", NULL, OPTION_TEXT, &job.tested.split, "A,B",
         "only these splits, for data whose splits are no folds, e.g. test", NULL},
        SET_OPTIONS(job),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {.usage =
                             "eval supervised --model F,F,... --data SRC [--folds L | --split L]",
                         .about = "Tests networks that were trained on labels alone on sounds of "
                                  "other folds (the paper's Table 1, ResNet50).",
                         .options = options,
                         .count = sizeof options / sizeof options[0]};
    bool done;
    json_t *report = NULL;
    int code = eval_begin(&line, argc, argv, NULL, &job, &done);
    if (code == EXIT_OK && !done) code = check_given(&line, &job);
    if (code == EXIT_OK && !done) code = eval_check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.tested.confusion = job.confusion;
        code = measure(&job, job.supervised, &report);
        if (job.terminal && job.what) fputc('\n', stderr);
        if (code == EXIT_OK) code = eval_show(&job, report, print_supervised);
    }
    eval_job_free(&job);
    return code;
}
