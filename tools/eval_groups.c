/* `eval ablation` and `eval compare`: the same figures for groups of audio encoders. */
#include "command.h"
#include "eval_options.h"
#include "eval_report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- ablation --------------------------------------------------------------------------------- */
static int run_ablation(eval_job *job) {
    const chl_ablation_group group[] = {
        {"with", job->with_list.count, job->with_list.item, job->fixed_mask},
        {"without", job->without_list.count, job->without_list.item, job->fixed_mask},
        {"with, fixed mask", job->with_list.count, job->with_list.item, 1}};
    const chl_ablation_options options = {.size = sizeof options,
                                          .models = &job->models,
                                          .groups = job->masks ? 3 : 2,
                                          .group = group,
                                          .zero_shot = &job->zero,
                                          .trial = &job->trial};
    char *text = NULL;
    if (eval_find_neutral(job) != CHL_OK) return run_error();
    const chl_status status = chl_evaluate_ablation(&options, &text);
    return eval_finish(job, status, text, print_ablation);
}

static int check_ablation(const command_line *line, const eval_job *job) {
    if (!job->with || !job->without) return usage_error(line, "--with and --without are needed");
    if (!job->models.clip) return usage_error(line, "--clip is missing");
    if (job->zero.data && !job->models.vocab) return usage_error(line, "--data needs --vocab");
    if (!job->zero.data && !job->trial.sources)
        return usage_error(line, "give --data, or --sources, or both");
    const int code = eval_check_parts(line, job);
    return code == EXIT_OK && job->trial.sources ? eval_check_trial(line, job) : code;
}

int eval_ablation(int argc, char **argv) {
    eval_job job = eval_job_new();
    job.trial.intensity = 0;
    generator_flags generator = {0};
    const option options[] = {
        {"with", NULL, OPTION_TEXT, &job.with, "A,B,C", "audio encoders, one per training seed",
         NULL},
        {"without", NULL, OPTION_TEXT, &job.without, "D,E,F",
         "audio encoders trained without one thing, e.g. L_kl", NULL},
        {"masks", NULL, OPTION_FLAG, &job.masks, NULL,
         "also measure the first group with equal layer weights", NULL},
        {"data", NULL, OPTION_TEXT, &job.zero.data, "DIR", "folder for zero-shot classification",
         NULL},
        LABEL_OPTIONS(job),
        TRIAL_OPTIONS(job),
        {"zero-shot-limit", NULL, OPTION_INT, &job.limit, "N",
         "number of sounds for zero-shot classification (default: all)", NULL},
        GENERATOR_OPTIONS(job.models, generator),
        CLIP_OPTIONS(job.models),
        MEL_OPTION(job.models),
        SOUND_TEXTS_OPTIONS(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval ablation --with A,B,C --without D,E,F [--data DIR] [--judge F --sources SRC "
                 "--sounds DIR --biased DIR] ...",
        .about =
            "Compares two groups of audio encoders: means and 95 % intervals of their figures.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, &generator, &job, &done);
    if (code == EXIT_OK && !done) code = check_ablation(&line, &job);
    if (code == EXIT_OK && !done) code = eval_check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.zero.limit = job.limit;
        job.zero.user = job.trial.user = &job;
        code = run_ablation(&job);
    }
    eval_job_free(&job);
    return code;
}

/* --- compare ---------------------------------------------------------------------------------- */
#define MAX_GROUPS 32

/* "A=FILE,FILE|B=FILE": names and the files of each. */
typedef struct named_files {
    words entry;                  /* between | */
    const char *name[MAX_GROUPS]; /* into entry */
    words file[MAX_GROUPS];
} named_files;

static int read_named(const command_line *line, const char *flag, const char *text,
                      named_files *out) {
    if (!eval_split(text, "|", &out->entry) || out->entry.count == 0 ||
        out->entry.count > MAX_GROUPS)
        return usage_error(line, "%s must be 1 to %d of NAME=FILE with | between them, got \"%s\"",
                           flag, MAX_GROUPS, text);
    for (int i = 0; i < out->entry.count; i++) {
        char *equals = strchr(out->entry.item[i], '=');
        const size_t name = equals ? (size_t)(equals - out->entry.item[i]) : 0;
        if (name == 0 || !eval_split(equals + 1, ",", &out->file[i]) || out->file[i].count == 0)
            return usage_error(line, "%s must be NAME=FILE, got \"%s\"", flag, out->entry.item[i]);
        *equals = 0;
        out->name[i] = out->entry.item[i];
    }
    return EXIT_OK;
}

static void free_named(named_files *list) {
    for (int i = 0; i < list->entry.count && i < MAX_GROUPS; i++) eval_words_free(&list->file[i]);
    eval_words_free(&list->entry);
}

/* clip [groups]: the file that --clips has for each encoder. */
static int match_clips(const command_line *line, const named_files *encoders,
                       const named_files *clips, const char *clip[MAX_GROUPS]) {
    for (int c = 0; c < clips->entry.count; c++) {
        int i = 0;
        while (i < encoders->entry.count && strcmp(encoders->name[i], clips->name[c]) != 0) i++;
        if (i == encoders->entry.count || clips->file[c].count != 1)
            return usage_error(line, "--clips must have one file for a name in --encoders, got %s",
                               clips->name[c]);
        clip[i] = clips->file[c].item[0];
    }
    return EXIT_OK;
}

/* Adds the supervised baselines; writes and prints. Releases the text. */
static int finish_comparison(eval_job *job, char *text) {
    json_t *report = json_parsed(text);
    chl_release(text);
    if (!report) return run_error();
    int code = job->supervised ? eval_add_supervised(job, report) : EXIT_OK;
    if (job->terminal && job->what) fputc('\n', stderr);
    char *whole = code == EXIT_OK ? json_dumped(report, JSON_REAL_PRECISION(17)) : NULL;
    if (code == EXIT_OK && !whole) code = run_error();
    if (code == EXIT_OK && job->html) code = eval_write_page(whole, job->html);
    free(whole);
    if (code == EXIT_OK) return eval_show(job, report, print_comparison);
    json_decref(report);
    return code;
}

static int run_compare(eval_job *job, const named_files *encoders, const char *const *clip) {
    chl_ablation_group *group = calloc((size_t)encoders->entry.count, sizeof *group);
    if (!group) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for a comparison");
        return run_error();
    }
    for (int i = 0; i < encoders->entry.count; i++)
        group[i] = (chl_ablation_group){encoders->name[i], encoders->file[i].count,
                                        encoders->file[i].item, job->fixed_mask};
    const chl_ablation_options options = {.size = sizeof options,
                                          .models = &job->models,
                                          .groups = encoders->entry.count,
                                          .group = group,
                                          .zero_shot = &job->zero,
                                          .trial = &job->trial,
                                          .probe = &job->probe,
                                          .clip = clip,
                                          .sheet = job->trial.sheet,
                                          .published = 1,
                                          .retrieval = &job->retrieval,
                                          .intensity = job->trial.intensity > 0};
    char *text = NULL;
    chl_status status = eval_find_neutral(job);
    if (status == CHL_OK) status = chl_evaluate_ablation(&options, &text);
    free(group);
    if (status != CHL_OK) return eval_finish(job, status, text, print_comparison);
    return finish_comparison(job, text);
}

static int check_compare(const command_line *line, const eval_job *job) {
    if (!job->encoders) return usage_error(line, "--encoders is missing");
    if (!job->models.clip && !job->clips) return usage_error(line, "--clip is missing");
    if (job->zero.data && !job->models.vocab) return usage_error(line, "--data needs --vocab");
    if (!job->zero.data && !job->probe.data && !job->retrieval.data && !job->trial.sources)
        return usage_error(line, "give --data, --probe, --retrieval or --sources");
    int code = eval_check_parts(line, job);
    if (code == EXIT_OK) code = eval_check_supervised(line, job);
    return code == EXIT_OK && job->trial.sources ? eval_check_trial(line, job) : code;
}

static int compare_named(const command_line *line, eval_job *job) {
    named_files encoders = {.entry = {.count = 0}}, clips = {.entry = {.count = 0}};
    const char *clip[MAX_GROUPS] = {NULL};
    int code = read_named(line, "--encoders", job->encoders, &encoders);
    if (code == EXIT_OK && job->clips) code = read_named(line, "--clips", job->clips, &clips);
    if (code == EXIT_OK) code = match_clips(line, &encoders, &clips, clip);
    if (code == EXIT_OK) code = run_compare(job, &encoders, clip);
    free_named(&encoders);
    free_named(&clips);
    return code;
}

int eval_compare(int argc, char **argv) {
    eval_job job = eval_job_new();
    job.trial.intensity = 0;
    use_flag("test", "--probe-test");
    generator_flags generator = {0};
    const option options[] = {
        {"encoders", NULL, OPTION_TEXT, &job.encoders, "A=F,F|B=F",
         "audio encoders: a name, then its weight files, one per training seed", NULL},
        {"clips", NULL, OPTION_TEXT, &job.clips, "A=F|...",
         "CLIP of an encoder that embeds into another space than that of --clip", NULL},
        {"data", NULL, OPTION_TEXT, &job.zero.data, "DIR", "folder for zero-shot classification",
         NULL},
        FOLD_OPTIONS(job),
        COMPARED_OPTIONS(job),
        {"sheet", NULL, OPTION_OUTPUT, &job.trial.sheet, "S.png",
         "picture of edits: a row per encoder, a column per kind of sound", NULL},
        {"html", NULL, OPTION_OUTPUT, &job.html, "R.html", "the comparison as a page", NULL},
        LABEL_OPTIONS(job),
        TRIAL_OPTIONS(job),
        GENERATOR_OPTIONS(job.models, generator),
        CLIP_OPTIONS(job.models),
        SOUND_TEXTS_OPTIONS(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval compare --encoders A=F,F|B=F --clip F [--vocab F --data DIR] [--probe DIR] "
                 "[--retrieval SRC] [--judge F --sources SRC --sounds DIR --generator F] ...",
        .about = "Compares audio encoders on your own sounds, the published figures beside.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, &generator, &job, &done);
    if (code == EXIT_OK && !done) code = check_compare(&line, &job);
    if (code == EXIT_OK && !done) code = eval_check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.zero.limit = job.limit;
        job.zero.user = job.trial.user = job.probe.user = job.retrieval.user = &job;
        code = compare_named(&line, &job);
    }
    eval_job_free(&job);
    return code;
}
