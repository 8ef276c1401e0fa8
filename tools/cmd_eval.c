/* `eval`: zero-shot classification, a linear probe, retrieval, sets of pictures, edits judged by an independent network. */
#include "eval_options.h"
#include "eval_report.h"
#include <stdio.h>
#include <string.h>

/* The end of a command whose flags are read (code, done): checks its outputs, opens the models, evaluates
 * and reports. Releases the job. */
static int measure(const command_line *line, eval_job *job, int code, bool done,
                   chl_status (*evaluate)(chl_engine *, eval_job *, char **),
                   void (*print)(const json_t *)) {
    chl_engine *engine = NULL;
    char *text = NULL;
    if (code == EXIT_OK && !done) code = eval_check_outputs(line, job);
    if (code == EXIT_OK && !done) {
        chl_status status = chl_engine_open(&job->models, &engine);
        if (status == CHL_OK) status = evaluate(engine, job, &text);
        chl_engine_close(engine);
        code = eval_finish(job, status, text, print);
    }
    eval_job_free(job);
    return code;
}

/* --- zero-shot -------------------------------------------------------------------------------- */
static chl_status evaluate_zero_shot(chl_engine *engine, eval_job *job, char **text) {
    return chl_evaluate_zero_shot(engine, &job->zero, text);
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
    int code = eval_begin(&line, argc, argv, NULL, &job, &done);
    if (code == EXIT_OK && !done) code = check_zero_shot(&line, &job);
    job.zero.limit = job.limit;
    job.zero.user = &job;
    job.zero.confusion = job.confusion;
    return measure(&line, &job, code, done, evaluate_zero_shot, print_zero_shot);
}

/* --- probe ------------------------------------------------------------------------------------ */
static chl_status evaluate_probe(chl_engine *engine, eval_job *job, char **text) {
    return chl_evaluate_probe(engine, &job->probe, text);
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
        {"trunk", NULL, OPTION_FLAG, &job.of_trunk, NULL,
         "use the features of the encoder's trunk, which its last layers map into CLIP's space, in "
         "place of its embeddings",
         NULL},
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval probe --data DIR [--test DIR | --folds L] --audio F",
        .about =
            "Trains a logistic regression on the embeddings of sounds, or with --trunk on the "
            "features of the encoder's trunk, and tests it on others: fold by fold, or on --test.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, NULL, &job, &done);
    if (code == EXIT_OK && !done && (!job.probe.data || !job.models.audio))
        code = usage_error(&line, "--data and --audio are needed");
    job.probe.user = &job;
    job.probe.confusion = job.confusion;
    return measure(&line, &job, code, done, evaluate_probe, print_probe);
}

/* --- retrieval -------------------------------------------------------------------------------- */
static chl_status evaluate_retrieval(chl_engine *engine, eval_job *job, char **text) {
    return chl_evaluate_retrieval(engine, &job->retrieval, text);
}

static int retrieval(int argc, char **argv) {
    eval_job job = eval_job_new();
    const option options[] = {
        {"data", NULL, OPTION_TEXT, &job.retrieval.data, "SRC",
         "clips with pictures, captions or labels: any source of `train`", NULL},
        {"split", NULL, OPTION_TEXT, &job.retrieval.split, "A,B",
         "only these splits or folds, \"test\" or \"1,2\"", NULL},
        {"limit", NULL, OPTION_INT, &job.limit, "N", "only the first N clips (default: all)", NULL},
        {"by-label", NULL, OPTION_FLAG, &job.label_texts, NULL,
         "texts are the labels, even where there are captions", NULL},
        PROMPT_OPTION(job),
        CLIP_OPTIONS(job.models),
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval retrieval --data SRC --audio F --clip F [--vocab F]",
        .about = "Searches pictures and texts by sounds, and sounds by pictures and texts.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, NULL, &job, &done);
    if (code == EXIT_OK && !done && (!job.retrieval.data || !job.models.audio || !job.models.clip))
        code = usage_error(&line, "--data, --audio and --clip are needed");
    job.retrieval.limit = job.limit;
    job.retrieval.user = &job;
    return measure(&line, &job, code, done, evaluate_retrieval, print_retrieval);
}

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status evaluate_pictures(chl_engine *engine, eval_job *job, char **text) {
    return chl_evaluate_pictures(engine, &job->pictures, text);
}

static int check_pictures(const command_line *line, const eval_job *job) {
    const chl_pictures_options *o = &job->pictures;
    if (!o->data) return usage_error(line, "--data is missing");
    if ((o->pictures != NULL) == (job->models.generator != NULL))
        return usage_error(line, "give one of --generator, --pictures");
    if (!job->models.clip && !o->judge) return usage_error(line, "--clip or --judge is needed");
    if (o->pictures && (o->seed || job->truncation > 0))
        return usage_error(line, "--seed and --truncation need --generator");
    return EXIT_OK;
}

static int pictures(int argc, char **argv) {
    eval_job job = eval_job_new();
    generator_flags generator = {0};
    const option options[] = {
        {"data", NULL, OPTION_TEXT, &job.pictures.data, "SRC",
         "the pictures to compare with: any source of `train`, or a folder of pictures", NULL},
        {"pictures", NULL, OPTION_TEXT, &job.pictures.pictures, "SRC",
         "pictures instead of a generator's; a folder per kind names their kinds", NULL},
        GENERATOR_OPTIONS(job.models, generator),
        {"seed", NULL, OPTION_SEED, &job.pictures.seed, "N",
         "the generator's first seed, of as many as --data has pictures (default 0)", NULL},
        {"truncation", NULL, OPTION_FLOAT, &job.truncation, "X",
         "truncation towards the mean of W (default 0: none, as 1)", NULL},
        {"limit", NULL, OPTION_INT, &job.limit, "N",
         "max. number of pictures of each set, from all over it (default: all)", NULL},
        {"size", NULL, OPTION_INT, &job.pictures.side, "N",
         "pixels on a side, to which all are brought (default 0: the generator's, else what CLIP "
         "or the judge takes)",
         NULL},
        {"neighbours", NULL, OPTION_INT, &job.neighbours, "N",
         "neighbours of precision and recall (default 3)", NULL},
        {"judge", NULL, OPTION_INPUT, &job.pictures.judge, "FILE",
         "weights of the network that names what the pictures show (train judge)", NULL},
        CLIP_OPTIONS(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval pictures --data SRC (--generator F | --pictures SRC) (--clip F | --judge F)",
        .about = "Compares a generator's pictures, or a folder's, with a data set's: FID, KID, "
                 "precision and recall by CLIP; what a judge sees in them.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, &generator, &job, &done);
    if (code == EXIT_OK && !done) code = check_pictures(&line, &job);
    job.pictures.limit = job.limit;
    job.pictures.neighbours = job.neighbours;
    job.pictures.truncation = (double)job.truncation;
    job.pictures.user = &job;
    return measure(&line, &job, code, done, evaluate_pictures, print_pictures);
}

/* --- edits ------------------------------------------------------------------------------------ */
static chl_status evaluate_edits(chl_engine *engine, eval_job *job, char **text) {
    const chl_status status = eval_find_neutral(job);
    return status == CHL_OK ? chl_evaluate_edits(engine, &job->trial, text) : status;
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
        SOUND_TEXTS_OPTIONS(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage = "eval edits --judge F --sources SRC --sounds DIR --generator F --clip F --audio F "
                 "...",
        .about = "Edits every source by a sound of every kind; an independent network classifies "
                 "the edits.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, &generator, &job, &done);
    if (code == EXIT_OK && !done) code = eval_check_trial(&line, &job);
    if (code == EXIT_OK && !done && !job.models.audio && !job.by_label)
        code = usage_error(&line, "--audio is missing");
    job.trial.user = &job;
    return measure(&line, &job, code, done, evaluate_edits, print_edits);
}

/* ---------------------------------------------------------------------------------------------- */
int command_eval(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } actions[] = {
        {"zero-shot", zero_shot},    {"probe", probe},          {"supervised", eval_supervised},
        {"retrieval", retrieval},    {"pictures", pictures},    {"edits", edits},
        {"ablation", eval_ablation}, {"compare", eval_compare}, {"report", eval_report}};
    watch_interrupts();
    for (size_t i = 0; argc > 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(argv[0], actions[i].name) == 0) return actions[i].run(argc - 1, argv + 1);
    const command_line line = {
        .usage = "eval (zero-shot | probe | supervised | retrieval | pictures | edits | ablation | "
                 "compare | report) ...",
        .about = "Evaluates models; `chladni eval zero-shot --help` etc. list the flags."};
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        printf("usage: chladni %s\n\n%s\n", line.usage, line.about);
        return EXIT_OK;
    }
    return usage_error(&line, "give an evaluation: zero-shot, probe, supervised, retrieval, "
                              "pictures, edits, ablation, compare or report");
}
