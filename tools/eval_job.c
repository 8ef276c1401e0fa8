#include "eval_job.h"
#include "edit_settings.h"
#include "outputs.h"
#include "page.h"
#include <chladni/demo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- progress --------------------------------------------------------------------------------- */
int eval_on_progress(void *user, const char *what, int64_t done, int64_t count) {
    eval_job *job = user;
    const double at = seconds_now();
    if (!job->what || strcmp(job->what, what) != 0 || done == 0) {
        if (job->terminal && job->what) fputc('\n', stderr);
        job->what = what;
        job->start = at;
        job->last = job->terminal ? 0 : at; /* a log file shows long tasks only */
    }
    if (at - job->last >= (job->terminal ? 0.2 : 20) || (job->terminal && done == count)) {
        job->last = at;
        fprintf(stderr, "%s%s %lld/%lld  left %.0f s%s", job->terminal ? "\r" : "", what,
                (long long)done, (long long)count,
                done ? (at - job->start) * (double)(count - done) / (double)done : 0,
                job->terminal ? "  " : "\n");
        fflush(stderr);
    }
    return interrupted();
}

/* --- lists ------------------------------------------------------------------------------------ */
/* Takes `text` over. */
static bool split(char *text, const char *separators, words *out) {
    out->text = text;
    out->item = text ? calloc(strlen(text) + 1, sizeof *out->item) : NULL;
    if (!out->item) return false;
    for (char *save, *word = strtok_r(text, separators, &save); word;
         word = strtok_r(NULL, separators, &save))
        out->item[out->count++] = word;
    return true;
}

bool eval_split(const char *text, const char *separators, words *out) {
    *out = (words){.count = 0};
    return split(strdup(text), separators, out);
}

void eval_words_free(words *list) {
    free(list->text);
    free(list->item);
}

/* The whole file; NULL when it cannot be read. */
static char *slurp(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    if (!file) return NULL;
    if (getdelim(&text, &size, 0, file) < 0 || ferror(file)) { /* to its end: a text has no 0 */
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* A file with a label a line, or labels with commas between them. */
static int read_labels(const command_line *line, const char *list, words *out) {
    if (!list) return EXIT_OK;
    const bool file = access(list, R_OK) == 0;
    char *text = file ? slurp(list) : strdup(list);
    if (!split(text, file ? "\r\n" : ",", out) || out->count == 0)
        return usage_error(line, "--labels must be a file or a list with a label, got %s", list);
    return EXIT_OK;
}

static int read_list(const command_line *line, const char *flag, const char *list,
                     const char *separators, words *out) {
    if (!list) return EXIT_OK;
    if (eval_split(list, separators, out) && out->count > 0) return EXIT_OK;
    return usage_error(line, "%s must be a list with an entry, got \"%s\"", flag, list);
}

void eval_job_free(eval_job *job) {
    eval_words_free(&job->label);
    eval_words_free(&job->prompt);
    eval_words_free(&job->with_list);
    eval_words_free(&job->without_list);
    free(job->label_text);
    free(job->fold);
}

/* --- output --------------------------------------------------------------------------- */
int eval_show(const eval_job *job, json_t *report, void (*print)(const json_t *)) {
    int code = EXIT_OK;
    const size_t flags = JSON_REAL_PRECISION(6);
    if (job->out) code = write_json(report, flags | JSON_INDENT(1), job->out);
    if (job->json) {
        const int printed = print_json(json_incref(report), flags);
        if (code == EXIT_OK) code = printed;
    } else {
        print(report);
    }
    json_decref(report);
    return code;
}

int eval_finish(eval_job *job, chl_status status, char *text, void (*print)(const json_t *)) {
    if (job->terminal && job->what) fputc('\n', stderr);
    if (status == CHL_OK) {
        json_t *report = json_parsed(text);
        chl_release(text);
        return report ? eval_show(job, report, print) : run_error();
    }
    run_error();
    json_t *part = text ? json_parsed(text) : NULL; /* measured before the failure */
    chl_release(text);
    if (part) (void)eval_show(job, part, print);
    return status == CHL_ERR_CANCELLED ? interrupt_code() : EXIT_RUN;
}

/* --- page ----------------------------------------------------------------------------------- */
extern const char eval_page_html[]; /* eval_page.html */

int eval_write_page(const char *text, const char *path) {
    char *page = page_with_data(eval_page_html, text);
    const chl_status status = page ? chl_file_write(path, page, strlen(page))
                                   : command_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    free(page);
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* --- settings --------------------------------------------------------------------------------- */
eval_job eval_job_new(void) {
    eval_job job = {.models = {.size = sizeof(chl_engine_options)},
                    .zero = {.size = sizeof(chl_zero_shot_options)},
                    .probe = {.size = sizeof(chl_probe_options)},
                    .retrieval = {.size = sizeof(chl_retrieval_options)},
                    .pictures = {.size = sizeof(chl_pictures_options)},
                    .tested = {.size = sizeof(chl_supervised_options)},
                    .trial = chl_trial_defaults(),
                    .edit = chl_edit_defaults(NULL),
                    .terminal = isatty(STDERR_FILENO)};
    job.trial.judged_by = job.pictures.judged_by = chl_demo_judge();
    return job;
}

/* "crackling_fire=fire": a label and what prompts say for it. */
static int split_labels(const command_line *line, eval_job *job) {
    if (job->label.count == 0 || !job->label.item) return EXIT_OK;
    job->label_text = calloc((size_t)job->label.count, sizeof *job->label_text);
    if (!job->label_text) return usage_error(line, "out of memory for --labels");
    for (int i = 0; i < job->label.count && job->label.item[i]; i++) {
        char *equals = strchr(job->label.item[i], '=');
        if (!equals) continue;
        *equals = 0;
        if (equals == job->label.item[i] || !equals[1])
            return usage_error(line,
                               "--labels must have a label and a text around =, got \"%s=%s\"",
                               job->label.item[i], equals + 1);
        job->label_text[i] = equals + 1;
    }
    return EXIT_OK;
}

static int read_folds(const command_line *line, eval_job *job) {
    if (!job->folds) return EXIT_OK;
    uint64_t *seed;
    const int count = parse_seeds(job->folds, &seed);
    bool fine = count > 0;
    for (int i = 0; fine && i < count; i++) fine = seed[i] >= 1 && seed[i] <= 10;
    if (fine) job->fold = malloc(sizeof *job->fold * (size_t)count);
    for (int i = 0; job->fold && i < count; i++) job->fold[i] = (int)seed[i];
    free(seed);
    if (!job->fold)
        return usage_error(line, "--folds must be like 1-5 or 1,3, from 1 to 10, got %s",
                           job->folds);
    job->zero.folds = job->probe.folds = job->tested.folds = count;
    job->zero.fold = job->probe.fold = job->tested.fold = job->fold;
    return EXIT_OK;
}

int eval_read_settings(const command_line *line, eval_job *job) {
    int code = read_labels(line, job->labels, &job->label);
    if (code == EXIT_OK) code = read_list(line, "--prompts", job->prompts, "|", &job->prompt);
    if (code == EXIT_OK) code = read_list(line, "--with", job->with, ",", &job->with_list);
    if (code == EXIT_OK) code = read_list(line, "--without", job->without, ",", &job->without_list);
    if (code == EXIT_OK) code = split_labels(line, job);
    if (code == EXIT_OK) code = read_folds(line, job);
    if (code != EXIT_OK) return code;
    job->zero.label_text = job->label_text;
    job->zero.esc10 = job->probe.esc10 = job->tested.esc10 = job->esc10;
    job->tested.progress = eval_on_progress;
    job->zero.threshold = (double)job->threshold;
    job->probe.l2 = (double)job->l2;
    job->probe.of_trunk = job->of_trunk;
    job->probe.progress = eval_on_progress;
    job->zero.label = job->label.item;
    job->zero.labels = job->label.count;
    job->zero.prompt = job->prompt.item;
    job->zero.prompts = job->prompt.count;
    job->zero.progress = eval_on_progress;
    job->retrieval.prompt = job->prompt.item;
    job->retrieval.prompts = job->prompt.count;
    job->retrieval.by_label = job->label_texts;
    job->retrieval.progress = eval_on_progress;
    job->pictures.progress = eval_on_progress;
    job->edit.code_noise = (double)job->code_noise;
    job->trial.edit = &job->edit;
    job->trial.progress = eval_on_progress;
    chl_edit_options *edit = &job->edit;
    edit->seed = job->trial.seed;
    edit->space = (chl_space)job->space;
    edit->similarity = (chl_similarity)job->similarity;
    edit->adaptive_mask = !job->fixed_mask;
    job->trial.by_label = job->by_label;
    if (job->has_relative) {
        edit->latent_weight = job->latent_weight_relative;
        edit->latent_scale = 1;
    }
    if (edit->similarity == CHL_DIRECTIONAL && (!job->neutral || !job->models.vocab))
        return usage_error(line, "--similarity directional needs --neutral and --vocab");
    if (edit->similarity != CHL_DIRECTIONAL && job->neutral)
        return usage_error(line, "--neutral needs --similarity directional");
    const char *wrong = edit_loss_wrong(edit);
    return wrong ? usage_error(line, "%s", wrong) : EXIT_OK;
}

int eval_begin(command_line *line, int argc, char **argv, const generator_flags *generator,
               eval_job *job, bool *done) {
    int code = parse_options(line, argc, argv, done);
    if (code == EXIT_OK && !*done && generator)
        code = take_generator_flags(line, generator, &job->models);
    return code == EXIT_OK && !*done ? eval_read_settings(line, job) : code;
}

/* --- before an evaluation --------------------------------------------------------------------- */
chl_status eval_find_neutral(eval_job *job) {
    if (job->edit.similarity != CHL_DIRECTIONAL) return CHL_OK;
    chl_engine_options models = {.size = sizeof models,
                                 .clip = job->models.clip,
                                 .vocab = job->models.vocab,
                                 .clip_exact_gelu = job->models.clip_exact_gelu,
                                 .clip_image_heads = job->models.clip_image_heads,
                                 .clip_text_heads = job->models.clip_text_heads,
                                 .clip_compatible = job->models.clip_compatible};
    chl_engine *engine;
    chl_status status = chl_engine_open(&models, &engine);
    if (status != CHL_OK) return status;
    status = chl_embed_text(engine, job->neutral, job->neutral_embedding);
    chl_engine_close(engine);
    job->edit.neutral = job->neutral_embedding;
    return status;
}

int eval_check_outputs(const command_line *line, const eval_job *job) {
    output_table table = {0};
    output_add(&table, "out", OUTPUT_JSON, job->out);
    output_add(&table, "html", OUTPUT_PAGE, job->html);
    output_add(&table, "sheet", OUTPUT_PICTURE, job->trial.sheet);
    output_add(&table, "confusion", OUTPUT_PICTURE, job->confusion);
    return output_check(line, &table);
}

static int check_counts(const command_line *line, const eval_job *job) {
    const struct {
        const char *flag;
        int count;
    } counts[] = {{"--zero-shot-limit", job->limit},
                  {"--intensity", job->trial.intensity},
                  {"--directions", job->trial.directions},
                  {"--identity", job->identity}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].count < 0)
            return usage_error(line, "%s must be >= 0, got %d", counts[i].flag, counts[i].count);
    return EXIT_OK;
}

/* How edits are made, where none are. */
static int check_trial_flags(const command_line *line, const eval_job *job) {
    static const char *const flags[EVAL_TRIAL_FLAGS] = {"--limit",
                                                        "--batch",
                                                        "--min-strength",
                                                        "--seed",
                                                        "--steps",
                                                        "--lr",
                                                        "--latent-weight",
                                                        "--space",
                                                        "--similarity",
                                                        "--margin",
                                                        "--neutral",
                                                        "--adam-eps",
                                                        "--latent-weight-rise",
                                                        "--mask-rate",
                                                        "--starts",
                                                        "--start-steps",
                                                        "--code-noise"};
    for (int i = 0; i < EVAL_TRIAL_FLAGS; i++)
        if (job->trial_given[i])
            return usage_error(line, "%s needs --sources, which are edited", flags[i]);
    return EXIT_OK;
}

int eval_check_parts(const command_line *line, const eval_job *job) {
    const chl_trial_options *t = &job->trial;
    const bool sources = t->sources != NULL, sounds = job->zero.data != NULL,
               probed = sounds || job->probe.data;
    static const char *const edited = "--sources, which are edited";
    const struct {
        const char *flag, *needs;
        bool given, there;
    } parts[] = {
        {"--judge", edited, t->judge, sources},
        {"--sounds", edited, t->sounds, sources},
        {"--biased", edited, t->biased, sources},
        {"--intensity", edited, t->intensity > 0, sources},
        {"--directions", edited, t->directions > 0, sources},
        {"--classifier", edited, t->classifier, sources},
        {"--identity", edited, job->identity > 0, sources},
        {"--sheet", edited, t->sheet, sources},
        {"--by-label", edited, job->by_label, sources},
        {"--latent-weight-relative", edited, job->has_relative, sources},
        {"--fixed-mask", edited, job->fixed_mask, sources},
        {"--intensity", "--judge, which sees the kinds", t->intensity > 0, t->judge},
        {"--intensity", "sounds, which --by-label leaves out", t->intensity > 0, !job->by_label},
        {"--louder", "--intensity", job->has_louder, t->intensity > 0},
        {"--biased", "--judge", t->biased, t->judge},
        {"--directions", "--vocab", t->directions > 0, job->models.vocab},
        {"--classifier", "--directions, whose edits it names", t->classifier, t->directions > 0},
        {"--identity", "--face", job->identity > 0, job->models.face},
        {"--identity-weight", edited, job->has_identity_weight, sources},
        {"--identity-weight", "--face", job->has_identity_weight, job->models.face},
        {"--prompt-sets", "--data, the sounds to classify", job->has_prompt_sets, sounds},
        {"--prompt-sets", "--vocab", job->has_prompt_sets, job->models.vocab},
        {"--probe-test", "--probe, the sounds to train on", job->probe.test, job->probe.data},
        {"--zero-shot-limit", "--data, the sounds to classify", job->limit > 0, sounds},
        {"--labels", "--data, the sounds to classify", job->labels, sounds},
        {"--folds", "--data or --probe", job->folds, probed},
        {"--l2", "--probe or --data", job->l2 > 0, probed},
        {"--probe-trunk", "--probe or --data", job->of_trunk, probed},
        {"--prompts", "--data or --retrieval", job->prompts, sounds || job->retrieval.data},
        {"--esc10", "--data or --probe", job->esc10, probed},
    };
    int code = check_counts(line, job);
    if (code == EXIT_OK && !sources) code = check_trial_flags(line, job);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && code == EXIT_OK; i++)
        if (parts[i].given && !parts[i].there)
            return usage_error(line, "%s needs %s", parts[i].flag, parts[i].needs);
    return code;
}

int eval_check_trial(const command_line *line, const eval_job *job) {
    if (!job->trial.judge) return usage_error(line, "--judge is missing");
    if (!job->trial.sources || !job->trial.sounds)
        return usage_error(line, "--sources and --sounds are needed");
    if (!job->models.generator || !job->models.clip)
        return usage_error(line, "--generator and --clip are needed");
    return EXIT_OK;
}
