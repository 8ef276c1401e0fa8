/* `eval`: zero-shot classification, a linear probe, edits judged by an independent network, the
 * ablation. */
#include "eval_job.h"
#include "eval_report.h"
#include "outputs.h"
#include <stdio.h>
#include <string.h>

/* Embeds the directional loss's neutral text with an engine of its own: the evaluation may open
 * several engines later. */
static chl_status find_neutral(eval_job *job) {
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

#define REPORT_OPTIONS(job)                                                                        \
    {"json", NULL, OPTION_FLAG, &(job).json, NULL, "print JSON on stdout instead of Markdown",     \
     NULL},                                                                                        \
    {                                                                                              \
        "out", NULL, OPTION_OUTPUT, &(job).out, "R.json", "also write the JSON to this file", NULL \
    }
#define LABEL_OPTIONS(job)                                                                         \
    {"labels",                                                                                     \
     NULL,                                                                                         \
     OPTION_TEXT,                                                                                  \
     &(job).labels,                                                                                \
     "FILE|A,B,...",                                                                               \
     "labels to choose from, one per line of the file (default: those of --data); LABEL=TEXT "     \
     "says what prompts call it",                                                                  \
     NULL},                                                                                        \
    {                                                                                              \
        "prompts", NULL, OPTION_TEXT, &(job).prompts, "A|B...",                                    \
            "prompts; a label's embedding is their mean, {} stands for it (default \"{}|a {}\")",  \
            NULL                                                                                   \
    }
#define SET_OPTIONS(job)                                                                           \
    {"folds",      NULL,      OPTION_TEXT,                                                         \
     &(job).folds, "1-5|1,3", "only these folds of ESC-50 or UrbanSound8K (default: all)",         \
     NULL},                                                                                        \
        {"esc10",      NULL, OPTION_FLAG,                                                          \
         &(job).esc10, NULL, "only ESC-10, the ten classes that ESC-50's table marks so",          \
         NULL},                                                                                    \
    {                                                                                              \
        "confusion", NULL, OPTION_OUTPUT, &(job).confusion, "C.png",                               \
            "picture of the confusion matrix", NULL                                                \
    }
#define TRIAL_OPTIONS(job)                                                                           \
    {"judge",      NULL,                                                                             \
     OPTION_INPUT, &(job).trial.judge,                                                               \
     "FILE",       "weights of the network that classifies the edits",                               \
     NULL},                                                                                          \
        {"sources",   NULL,                                                                          \
         OPTION_TEXT, &(job).trial.sources,                                                          \
         "DIR",       "calm scenes with latents.npy, which are edited",                              \
         NULL},                                                                                      \
        {"sounds",    NULL,                                                                          \
         OPTION_TEXT, &(job).trial.sounds,                                                           \
         "DIR",       "folder of held-out sounds and their kinds",                                   \
         NULL},                                                                                      \
        {"biased",    NULL,                                                                          \
         OPTION_TEXT, &(job).trial.biased,                                                           \
         "DIR",       "training folder of the audio encoder, to measure leakage of its bias",        \
         NULL},                                                                                      \
        {"limit",    NULL,                                                                           \
         OPTION_INT, &(job).trial.scenes,                                                            \
         "N",        "number of sources to edit (default 20)",                                       \
         NULL},                                                                                      \
        {"batch", NULL, OPTION_INT, &(job).trial.batch, "N", "edits optimised at once (default 10)", \
         NULL},                                                                                      \
        {"min-strength",                                                                             \
         "least-strength",                                                                           \
         OPTION_FLOAT,                                                                               \
         &(job).trial.min_strength,                                                                  \
         "X",                                                                                        \
         "min. strength of the sounds used (default 0)",                                             \
         NULL},                                                                                      \
        {"by-label",                                                                                 \
         NULL,                                                                                       \
         OPTION_FLAG,                                                                                \
         &(job).by_label,                                                                            \
         NULL,                                                                                       \
         "guide by the sounds' labels as texts, which leaves out the audio encoder's errors",        \
         NULL},                                                                                      \
        {"seed",      NULL,                                                                          \
         OPTION_SEED, &(job).trial.seed,                                                             \
         "N",         "seed of the pairing of sounds and sources (default 0)",                       \
         NULL},                                                                                      \
        {"steps", NULL, OPTION_INT, &(job).edit.steps, "N", "steps of an edit (default 300)", NULL}, \
        {"lr", NULL, OPTION_FLOAT, &(job).edit.rate, "X", "Adam's learning rate (default 0.1)",      \
         NULL},                                                                                      \
        {"latent-weight",                                                                            \
         "lambda-similarity",                                                                        \
         OPTION_FLOAT,                                                                               \
         &(job).edit.latent_weight,                                                                  \
         "X",                                                                                        \
         "weight of the latent distance L_reg (default 0.002)",                                      \
         NULL},                                                                                      \
        {"latent-weight-relative",                                                                   \
         "lambda-relative",                                                                          \
         OPTION_FLOAT,                                                                               \
         &(job).latent_weight_relative,                                                              \
         "X",                                                                                        \
         "the same with the distance divided by the variance of mapped codes",                       \
         &(job).has_relative},                                                                       \
        {"space",                                                                                    \
         NULL,                                                                                       \
         OPTION_CHOICE,                                                                              \
         &(job).space,                                                                               \
         "w|whitened|shared",                                                                        \
         "what is optimised (default w)",                                                            \
         NULL},                                                                                      \
        {"similarity",                                                                               \
         NULL,                                                                                       \
         OPTION_CHOICE,                                                                              \
         &(job).similarity,                                                                          \
         "cosine|hinge|directional",                                                                 \
         "similarity loss (default cosine)",                                                         \
         NULL},                                                                                      \
        {"margin",     NULL,                                                                         \
         OPTION_FLOAT, &(job).edit.margin,                                                           \
         "X",          "margin of the hinge loss (default 1)",                                       \
         NULL},                                                                                      \
        {"neutral",   NULL,                                                                          \
         OPTION_TEXT, &(job).neutral,                                                                \
         "T",         "text that the directional loss starts from",                                  \
         NULL},                                                                                      \
        {"adam-eps", NULL, OPTION_FLOAT, &(job).edit.adam_eps, "X", "Adam's epsilon (default 1e-8)", \
         NULL},                                                                                      \
        {"latent-weight-rise",                                                                       \
         "lambda-rise",                                                                              \
         OPTION_FLOAT,                                                                               \
         &(job).edit.latent_weight_rise,                                                             \
         "P",                                                                                        \
         "--latent-weight grows as (share of the steps done)^P (default 0: constant)",               \
         NULL},                                                                                      \
        {"mask-rate",  NULL,                                                                         \
         OPTION_FLOAT, &(job).edit.mask_rate,                                                        \
         "X",          "learning rate of the layer weights, relative to --lr (default 1)",           \
         NULL},                                                                                      \
    {                                                                                                \
        "fixed-mask", NULL, OPTION_FLAG, &(job).fixed_mask, NULL, "keep all layer weights equal",    \
            NULL                                                                                     \
    }

static int check_outputs(const command_line *line, const eval_job *job) {
    output_table table = {0};
    output_add(&table, "out", OUTPUT_JSON, job->out);
    output_add(&table, "sheet", OUTPUT_PICTURE, job->trial.sheet);
    output_add(&table, "confusion", OUTPUT_PICTURE, job->confusion);
    return output_check(line, &table);
}

/* --- zero-shot -------------------------------------------------------------------------------- */
static int run_zero_shot(eval_job *job) {
    chl_engine *engine;
    char *text = NULL;
    if (chl_engine_open(&job->models, &engine) != CHL_OK) return run_error();
    const chl_status status = chl_evaluate_zero_shot(engine, &job->zero, &text);
    chl_engine_close(engine);
    return eval_finish(job, status, text, print_zero_shot);
}

static int check_zero_shot(const command_line *line, const eval_job *job) {
    if ((job->zero.sound != NULL) == (job->zero.data != NULL))
        return usage_error(line, "give one of --sound, --data");
    if (!job->models.audio || !job->models.clip || !job->models.vocab)
        return usage_error(line, "--audio, --clip and --vocab are needed");
    if (job->zero.sound && job->label.count == 0)
        return usage_error(line, "--sound needs --labels");
    if (job->zero.sound && (job->folds || job->esc10 || job->confusion || job->zero.others))
        return usage_error(line, "--folds, --esc10, --confusion and --others need --data");
    return EXIT_OK;
}

static int zero_shot(int argc, char **argv) {
    eval_job job = eval_job_new();
    const option options[] = {
        {"sound", "audio-path", OPTION_INPUT, &job.zero.sound, "S", "one sound to classify", NULL},
        {"data", NULL, OPTION_TEXT, &job.zero.data, "DIR",
         "pairs.jsonl with kinds, a folder of sounds per label, ESC-50 or UrbanSound8K", NULL},
        LABEL_OPTIONS(job),
        SET_OPTIONS(job),
        {"others", NULL, OPTION_TEXT, &job.zero.others, "DIR",
         "sounds of none of the labels: how many reach --threshold", NULL},
        {"threshold", NULL, OPTION_FLOAT, &job.threshold, "X",
         "cosine with the nearest label that --others counts by (default 0)", NULL},
        {"limit", NULL, OPTION_INT, &job.limit, "N",
         "number of the folder's sounds to use (default: all)", NULL},
        CLIP_OPTIONS(job.models),
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval zero-shot (--sound S --labels L | --data DIR) --audio F --clip F --vocab F",
        .about = "Finds the label whose text embedding is nearest to that of a sound (the paper's "
                 "Table 1).",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = eval_read_settings(&line, &job);
    if (code == EXIT_OK && !done) code = check_zero_shot(&line, &job);
    if (code == EXIT_OK && !done) code = check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.zero.limit = job.limit;
        job.zero.user = &job;
        job.zero.confusion = job.confusion;
        code = run_zero_shot(&job);
    }
    eval_job_free(&job);
    return code;
}

/* --- probe ------------------------------------------------------------------------------------ */
static int run_probe(eval_job *job) {
    chl_engine *engine;
    char *text = NULL;
    if (chl_engine_open(&job->models, &engine) != CHL_OK) return run_error();
    const chl_status status = chl_evaluate_probe(engine, &job->probe, &text);
    chl_engine_close(engine);
    return eval_finish(job, status, text, print_probe);
}

static int probe(int argc, char **argv) {
    eval_job job = eval_job_new();
    const option options[] = {
        {"data", NULL, OPTION_TEXT, &job.probe.data, "DIR",
         "ESC-50 or UrbanSound8K; with --test: the sounds to train on, in any layout", NULL},
        {"test", NULL, OPTION_TEXT, &job.probe.test, "DIR", "the sounds to test on", NULL},
        SET_OPTIONS(job),
        {"l2", NULL, OPTION_FLOAT, &job.l2, "X",
         "weight of the penalty, scikit-learn's 1/C (default 1)", NULL},
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval probe --data DIR [--test DIR | --folds L] --audio F",
        .about = "Trains a logistic regression on the embeddings of sounds and tests it on others: "
                 "fold by fold, or on --test.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = eval_read_settings(&line, &job);
    if (code == EXIT_OK && !done && (!job.probe.data || !job.models.audio))
        code = usage_error(&line, "--data and --audio are needed");
    if (code == EXIT_OK && !done) code = check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.probe.user = &job;
        job.probe.confusion = job.confusion;
        code = run_probe(&job);
    }
    eval_job_free(&job);
    return code;
}

/* --- edits ------------------------------------------------------------------------------------ */
static int run_edits(eval_job *job) {
    chl_engine *engine;
    char *text = NULL;
    if (find_neutral(job) != CHL_OK || chl_engine_open(&job->models, &engine) != CHL_OK)
        return run_error();
    const chl_status status = chl_evaluate_edits(engine, &job->trial, &text);
    chl_engine_close(engine);
    return eval_finish(job, status, text, print_edits);
}

static int check_trial(const command_line *line, const eval_job *job) {
    if (!job->trial.judge) return usage_error(line, "--judge is missing");
    if (!job->trial.sources || !job->trial.sounds)
        return usage_error(line, "--sources and --sounds are needed");
    if (!job->models.generator || !job->models.clip)
        return usage_error(line, "--generator and --clip are needed");
    return EXIT_OK;
}

static int edits(int argc, char **argv) {
    eval_job job = eval_job_new();
    generator_flags generator = {0};
    const option options[] = {
        TRIAL_OPTIONS(job),
        {"gate", NULL, OPTION_INT, &job.trial.gate, "N",
         "pictures for a check of the judge (default 200; 0: none)", NULL},
        {"intensity", NULL, OPTION_INT, &job.trial.intensity, "N",
         "sources per kind for edits by sounds of rising level (default 5; 0: none)", NULL},
        {"louder", NULL, OPTION_TEXT, &job.trial.louder, "A,B,...",
         "kinds for --intensity (default rain,fire,wind)", NULL},
        {"levels", NULL, OPTION_INT, &job.trial.levels, "N", "levels for --intensity (default 7)",
         NULL},
        {"level-step", NULL, OPTION_FLOAT, &job.trial.level_step, "DB",
         "dB between two levels (default 4)", NULL},
        {"directions", NULL, OPTION_INT, &job.trial.directions, "N",
         "sources that are also edited by text; needs --vocab (default 0)", NULL},
        {"sheet", NULL, OPTION_OUTPUT, &job.trial.sheet, "S.png",
         "table of pictures: a row per source, a column per kind of sound", NULL},
        {"sheet-rows", NULL, OPTION_INT, &job.trial.sheet_rows, "N",
         "max. rows of --sheet (default 20)", NULL},
        GENERATOR_OPTIONS(job.models, generator),
        CLIP_OPTIONS(job.models),
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval edits --judge F --sources DIR --sounds DIR --generator F --clip F --audio F "
                 "...",
        .about = "Edits every source by a sound of every kind; an independent network classifies "
                 "the edits.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = take_generator_flags(&line, &generator, &job.models);
    if (code == EXIT_OK && !done) code = eval_read_settings(&line, &job);
    if (code == EXIT_OK && !done) code = check_trial(&line, &job);
    if (code == EXIT_OK && !done && !job.models.audio && !job.by_label)
        code = usage_error(&line, "--audio is missing");
    if (code == EXIT_OK && !done) code = check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.trial.user = &job;
        code = run_edits(&job);
    }
    eval_job_free(&job);
    return code;
}

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
    if (find_neutral(job) != CHL_OK) return run_error();
    const chl_status status = chl_evaluate_ablation(&options, &text);
    return eval_finish(job, status, text, print_ablation);
}

static int check_ablation(const command_line *line, const eval_job *job) {
    if (!job->with || !job->without) return usage_error(line, "--with and --without are needed");
    if (!job->models.clip) return usage_error(line, "--clip is missing");
    if (job->zero.data && !job->models.vocab) return usage_error(line, "--data needs --vocab");
    if (!job->zero.data && !job->trial.sources)
        return usage_error(line, "give --data, or --sources, or both");
    return job->trial.sources ? check_trial(line, job) : EXIT_OK;
}

static int ablation(int argc, char **argv) {
    eval_job job = eval_job_new();
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
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval ablation --with A,B,C --without D,E,F [--data DIR] [--judge F --sources DIR "
                 "--sounds DIR --biased DIR] ...",
        .about =
            "Compares two groups of audio encoders: means and 95 % intervals of their figures.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = take_generator_flags(&line, &generator, &job.models);
    if (code == EXIT_OK && !done) code = eval_read_settings(&line, &job);
    if (code == EXIT_OK && !done) code = check_ablation(&line, &job);
    if (code == EXIT_OK && !done) code = check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.zero.limit = job.limit;
        job.zero.user = job.trial.user = &job;
        code = run_ablation(&job);
    }
    eval_job_free(&job);
    return code;
}

/* ---------------------------------------------------------------------------------------------- */
int command_eval(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } actions[] = {
        {"zero-shot", zero_shot}, {"probe", probe}, {"edits", edits}, {"ablation", ablation}};
    watch_interrupts();
    for (size_t i = 0; argc > 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(argv[0], actions[i].name) == 0) return actions[i].run(argc - 1, argv + 1);
    const command_line line = {
        .usage = "eval (zero-shot | probe | edits | ablation) ...",
        .about = "Evaluates models; `chladni eval zero-shot --help` etc. list the flags."};
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        printf("usage: chladni %s\n\n%s\n", line.usage, line.about);
        return EXIT_OK;
    }
    return usage_error(&line, "give an evaluation: zero-shot, probe, edits or ablation");
}
