/* `eval report`: every evaluation whose inputs are there, as one JSON and one page. */
#include "eval_options.h"
#include "eval_report.h"
#include "page.h"
#include <stdlib.h>
#include <string.h>

typedef struct whole {
    eval_job *job;
    chl_engine *engine;
    json_t *root, *absent;
    const chl_prompt_set *set;
    int sets;
} whole;

static void leave_out(const whole *w, const char *part, const char *why) {
    json_t *row = json_object();
    json_put(row, "part", json_text(part));
    json_put(row, "why", json_text(why));
    json_add(w->absent, row);
}

/* Says what failed, and keeps it for the report. */
static int fail_part(const whole *w, const char *part, chl_status status) {
    char *text = take_error(), *why = NULL;
    (void)command_fail(status, "%s", text ? text : "out of memory");
    run_error();
    if (asprintf(&why, "it failed: %s", text ? text : "out of memory") < 0) why = NULL;
    leave_out(w, part, why ? why : "it failed: out of memory");
    free(text);
    free(why);
    return status == CHL_ERR_CANCELLED ? interrupt_code() : EXIT_RUN;
}

/* Puts the part's report into the whole one. A part that nobody asked for by a flag of its own is left out
 * where it cannot be measured, and says why. */
static int take_part(const whole *w, const char *part, bool asked, chl_status status, char *text) {
    json_t *report =
        text ? json_parsed(text) : NULL; /* after a failure what was measured before it */
    chl_release(text);
    if (report) json_put(w->root, part, report);
    if (status == CHL_OK) return report ? EXIT_OK : run_error();
    if (asked || status == CHL_ERR_MEMORY || status == CHL_ERR_CANCELLED)
        return fail_part(w, part, status);
    char *why = take_error();
    leave_out(w, part, why ? why : "out of memory");
    free(why);
    return EXIT_OK;
}

/* --- parts ------------------------------------------------------------------------------------ */
static int zero_shot(const whole *w) {
    chl_zero_shot_options o = w->job->zero;
    char *text = NULL;
    if (!o.data) {
        leave_out(w, "zero_shot", "it needs --data");
        return EXIT_OK;
    }
    if (!w->job->models.vocab) {
        leave_out(w, "zero_shot", "it needs --vocab");
        return EXIT_OK;
    }
    o.prompt_sets = w->sets;
    o.prompt_set = w->set;
    const chl_status status = chl_evaluate_zero_shot(w->engine, &o, &text);
    return take_part(w, "zero_shot", true, status, text);
}

static int probe(const whole *w, const char *part, int choose) {
    chl_probe_options o = w->job->probe;
    const bool asked = o.data != NULL;
    char *text = NULL;
    if (!o.data) o.data = w->job->zero.data;
    o.choose_l2 = choose;
    if (!o.data) {
        leave_out(w, part, "it needs --probe or --data");
        return EXIT_OK;
    }
    const chl_status status = chl_evaluate_probe(w->engine, &o, &text);
    return take_part(w, part, asked, status, text);
}

static int retrieval(const whole *w) {
    chl_retrieval_options o = w->job->retrieval;
    const bool asked = o.data != NULL;
    char *text = NULL;
    if (!o.data) o.data = w->job->zero.data;
    if (!o.data) {
        leave_out(w, "retrieval", "it needs --retrieval or --data");
        return EXIT_OK;
    }
    const chl_status status = chl_evaluate_retrieval(w->engine, &o, &text);
    return take_part(w, "retrieval", asked, status, text);
}

static int edits(const whole *w) {
    const chl_trial_options *o = &w->job->trial;
    char *text = NULL;
    if (!o->sources) {
        leave_out(w, "edits",
                  "they need --sources, --sounds, --generator, and --judge or --directions");
        return EXIT_OK;
    }
    if (!o->judge) leave_out(w, "judged edits", "they need --judge");
    if (!o->directions) leave_out(w, "directions", "they need --directions N and --vocab");
    if (!o->classifier)
        leave_out(w, "semantic accuracy", "it needs --classifier DIR and --directions N");
    if (!o->identity)
        leave_out(w, "identity ablation",
                  "it needs --identity N and --face, for a generator of faces");
    const chl_status status = chl_evaluate_edits(w->engine, o, &text);
    const int code = take_part(w, "edits", true, status, text);
    if (code == EXIT_OK && o->intensity > 0 &&
        !json_object_get(json_object_get(w->root, "edits"), "intensity"))
        leave_out(w, "intensity", "no kind of the sounds is in the usual --louder");
    return code;
}

static int supervised(const whole *w) {
    if (w->job->supervised) {
        const int code = eval_add_supervised(w->job, w->root);
        if (code != EXIT_OK) leave_out(w, "supervised baseline", "it failed, or was interrupted");
        return code;
    }
    json_put(w->root, "supervised", json_array());
    leave_out(w, "supervised baseline",
              "it needs --supervised NAME=FILE, a network of `train classifier`, or NAME=PERCENT");
    return EXIT_OK;
}

/* --- all of them ------------------------------------------------------------------------------ */
static void describe_models(const whole *w) {
    const chl_engine_options *m = &w->job->models;
    const char *const files[][2] = {{"audio", m->audio},
                                    {"clip", m->clip},
                                    {"vocab", m->vocab},
                                    {"generator", m->generator},
                                    {"face", m->face},
                                    {"judge", w->job->trial.judge},
                                    {"data", w->job->zero.data},
                                    {"probe", w->job->probe.data},
                                    {"probe_test", w->job->probe.test},
                                    {"retrieval", w->job->retrieval.data},
                                    {"classifier", w->job->trial.classifier},
                                    {"biased", w->job->trial.biased},
                                    {"sounds", w->job->trial.sounds},
                                    {"sources", w->job->trial.sources}};
    json_t *models = json_object();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i][1]) json_put(models, files[i][0], json_text(files[i][1]));
    json_put(w->root, "inputs", models);
}

static int plain_probe(const whole *w) {
    return probe(w, "probe", 0);
}

static int linear_probe(const whole *w) {
    return probe(w, "linear_probe", 1);
}

static int published(const whole *w) {
    char *text = NULL;
    const chl_status status = chl_published_figures(&text);
    return take_part(w, "published", true, status, text);
}

/* What of the keys of parts is there. */
static bool has_figures(const json_t *root) {
    static const char *const keys[] = {"zero_shot", "probe", "linear_probe", "retrieval", "edits"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (json_object_get(root, keys[i])) return true;
    return json_array_size(json_object_get(root, "supervised")) > 0;
}

/* Up to the first failure. *write: there is something to report. */
static int measure(const whole *w, bool *write) {
    static const struct {
        const char *name;
        int (*measure)(const whole *w);
    } parts[] = {{"zero_shot", zero_shot},       {"probe", plain_probe},
                 {"linear_probe", linear_probe}, {"supervised baseline", supervised},
                 {"retrieval", retrieval},       {"edits", edits}};
    int code = EXIT_OK;
    describe_models(w);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (code == EXIT_OK)
            code = parts[i].measure(w);
        else
            leave_out(w, parts[i].name, "an earlier part failed");
    *write = code == EXIT_OK || has_figures(w->root);
    if (!*write) return code;
    const int last = published(w);
    return code == EXIT_OK ? last : code;
}

/* The figures of the JSON, as rounded as there. */
static int print_text(const char *text) {
    json_t *report = json_parsed(text);
    if (!report) return run_error();
    print_whole(report);
    json_decref(report);
    return EXIT_OK;
}

/* Prints, and writes the page and the JSON: the same figures in all. */
static int finish(const whole *w) {
    const eval_job *job = w->job;
    char *text = json_dumped(w->root, JSON_REAL_PRECISION(6) | JSON_INDENT(1));
    if (!text) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for the report");
        return run_error();
    }
    int code = job->html ? eval_write_page(text, job->html) : EXIT_OK;
    if (code == EXIT_OK && job->out && chl_file_write(job->out, text, strlen(text)) != CHL_OK)
        code = run_error();
    if (code == EXIT_OK && job->json)
        puts(text);
    else if (code == EXIT_OK)
        code = print_text(text);
    free(text);
    return code;
}

static int run(whole *w) {
    if (eval_find_neutral(w->job) != CHL_OK ||
        chl_engine_open(&w->job->models, &w->engine) != CHL_OK)
        return run_error();
    w->root = json_object();
    w->absent = json_array();
    json_put(w->root, "kind", json_text("report"));
    json_put(w->root, "absent", w->absent);
    bool write;
    int code = measure(w, &write);
    if (w->job->terminal && w->job->what) fputc('\n', stderr);
    if (write) {
        const int shown = finish(w);
        if (code == EXIT_OK) code = shown;
    }
    json_decref(w->root);
    chl_engine_close(w->engine);
    return code;
}

/* --- flags ------------------------------------------------------------------------------------ */
#define MAX_SETS 16

/* "A|B;C": sets with ; between them, prompts with |. */
static int run_sets(const command_line *line, eval_job *job) {
    words set, prompt[MAX_SETS];
    chl_prompt_set sets[MAX_SETS];
    whole w = {.job = job, .set = sets};
    if (!eval_split(job->prompt_sets, ";", &set) || set.count == 0 || set.count > MAX_SETS) {
        eval_words_free(&set);
        return usage_error(line,
                           "--prompt-sets must be 1 to %d sets with ; between them, got \"%s\"",
                           MAX_SETS, job->prompt_sets);
    }
    int code = EXIT_OK;
    for (int i = 0; i < set.count && code == EXIT_OK; i++, w.sets++) {
        if (!eval_split(set.item[i], "|", &prompt[i]) || prompt[i].count == 0)
            code = usage_error(line, "--prompt-sets must have a prompt in each set");
        sets[i] = (chl_prompt_set){prompt[i].count, prompt[i].item};
    }
    if (code == EXIT_OK) code = run(&w);
    for (int i = 0; i < w.sets; i++) eval_words_free(&prompt[i]);
    eval_words_free(&set);
    return code;
}

static int check(const command_line *line, const eval_job *job) {
    if (!job->models.audio || !job->models.clip)
        return usage_error(line, "--audio and --clip are needed");
    if (!job->zero.data && !job->probe.data && !job->retrieval.data && !job->trial.sources)
        return usage_error(line, "give --data, --probe, --retrieval or --sources");
    const int code = eval_check_parts(line, job);
    if (code != EXIT_OK) return code;
    if (job->trial.sources && (!job->trial.sounds || !job->models.generator))
        return usage_error(line, "--sources needs --sounds and --generator");
    return eval_check_supervised(line, job);
}

int eval_report(int argc, char **argv) {
    eval_job job = eval_job_new();
    generator_flags generator = {0};
    float identity_weight = 0.005f;
    job.trial.intensity = 0;
    use_flag("test", "--probe-test");
    job.prompt_sets = "{};{}|a {};the sound of {};a photo of {}";
    const option options[] = {
        {"data", NULL, OPTION_TEXT, &job.zero.data, "SRC",
         "labelled sounds for zero-shot classification, and for a probe and retrieval without data "
         "of their own",
         NULL},
        LABEL_OPTIONS(job),
        {"prompt-sets", NULL, OPTION_TEXT, &job.prompt_sets, "A|B;C;...",
         "sets of prompts that are also measured (default four)", &job.has_prompt_sets},
        FOLD_OPTIONS(job),
        COMPARED_OPTIONS(job),
        {"l2", NULL, OPTION_FLOAT, &job.l2, "X",
         "weight of the logistic regression's penalty (default 1)", NULL},
        TRIAL_OPTIONS(job),
        {"directions", NULL, OPTION_INT, &job.trial.directions, "N",
         "sources that are also edited by text: Table 2, Fig. 8 (default 0)", NULL},
        {"classifier", NULL, OPTION_TEXT, &job.trial.classifier, "DIR",
         "labelled sounds: a linear classifier of them names the edits of --directions (Fig. 17a)",
         NULL},
        {"identity", NULL, OPTION_INT, &job.identity, "N",
         "sources that are edited with and without the identity loss; needs --face (default 0)",
         NULL},
        {"face", NULL, OPTION_INPUT, &job.models.face, "FILE",
         "ArcFace weights (model_ir_se50.pth), for generators of faces", NULL},
        {"identity-weight", "lambda-identity", OPTION_FLOAT, &identity_weight, "X",
         "weight of the identity loss in every edit (default 0.005 with --face, else 0)",
         &job.has_identity_weight},
        {"html", NULL, OPTION_OUTPUT, &job.html, "R.html", "the report as a page", NULL},
        GENERATOR_OPTIONS(job.models, generator),
        CLIP_OPTIONS(job.models),
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        DEVICE_OPTIONS(job.models),
        REPORT_OPTIONS(job),
    };
    command_line line = {
        .usage =
            "eval report --audio F --clip F [--vocab F --data SRC] [--sources SRC --sounds DIR "
            "--generator F --judge F] --html R.html --out R.json",
        .about = "Measures everything whose inputs are there, the published figures beside.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = eval_begin(&line, argc, argv, &generator, &job, &done);
    if (code == EXIT_OK && !done) code = check(&line, &job);
    if (code == EXIT_OK && !done) code = eval_check_outputs(&line, &job);
    if (code == EXIT_OK && !done) {
        job.zero.limit = job.limit;
        job.trial.identity = job.identity;
        if (job.models.face) job.edit.identity_weight = identity_weight;
        job.zero.user = job.trial.user = job.probe.user = job.retrieval.user = &job;
        code = run_sets(&line, &job);
    }
    eval_job_free(&job);
    return code;
}
