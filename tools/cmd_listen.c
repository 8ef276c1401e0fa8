/* `listen`: what a recording sounds like to the models, before any edit. */
#include "eval_job.h"
#include "outputs.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_LABELS 5
/* Of the demo's models, on recordings that they were not trained on: docs/evaluation.md has its
 * errors. */
#define DEMO_THRESHOLD 0.3f

typedef struct listen_job {
    eval_job common;
    chl_listen_options listen;
    const char *png;
    bool has_threshold;
    char demo[4][PATH_MAX]; /* the demo's audio, clip, merges, labels */
} listen_job;

/* --- the demo's models ------------------------------------------------------------------------ */
static bool find_demo(const char *folder, listen_job *job) {
    static const char *const names[] = {"audio-recordings.safetensors", "clip.safetensors",
                                        "merges.txt", "labels.txt"};
    for (int i = 0; i < 4; i++) {
        const int length = snprintf(job->demo[i], PATH_MAX, "%s/weights/demo/%s", folder, names[i]);
        if (length < 0 || length >= PATH_MAX || access(job->demo[i], R_OK) != 0) return false;
    }
    return true;
}

/* In the working folder, or above the program's, as in a checkout with build/chladni. */
static bool demo_is_there(listen_job *job) {
    char program[PATH_MAX];
    if (find_demo(".", job)) return true;
    if (!program_path(program, sizeof program)) return false;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(program, '/');
        if (!slash) return false;
        *slash = 0;
    }
    return find_demo(program, job);
}

/* All models are the caller's, or all the demo's. */
static int choose_models(const command_line *line, listen_job *job) {
    chl_engine_options *models = &job->common.models;
    const int given = (models->audio != NULL) + (models->clip != NULL) + (models->vocab != NULL);
    if (given == 3 && job->common.labels) return EXIT_OK;
    if (given > 0)
        return usage_error(line, "--audio, --clip, --vocab and --labels are needed together");
    if (!demo_is_there(job))
        return usage_error(line, "--audio, --clip, --vocab and --labels are needed: there is no "
                                 "folder weights/demo here or beside the program");
    models->audio = job->demo[0];
    models->clip = job->demo[1];
    models->vocab = job->demo[2];
    if (!job->common.labels) job->common.labels = job->demo[3];
    if (!job->has_threshold) job->common.threshold = DEMO_THRESHOLD;
    return EXIT_OK;
}

/* --- text ------------------------------------------------------------------------------------- */
static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}
static double number_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

/* "1:05.0" */
static const char *clock_of(double seconds, char text[32]) {
    const int64_t tenths = llround(10 * seconds);
    snprintf(text, 32, "%lld:%02lld.%lld", (long long)(tenths / 600), (long long)(tenths / 10 % 60),
             (long long)(tenths % 10));
    return text;
}

static const char *verdict_of(const json_t *window) {
    if (json_is_true(json_object_get(window, "silent"))) return "(silence)";
    const char *best = text_of(window, "best");
    return best ? best : "(nothing that fits)";
}

/* Neighbours of the same verdict are one line; a window is told from its start to the next one's. */
static void print_times(const json_t *windows) {
    const size_t count = json_array_size(windows);
    for (size_t i = 0, next; i < count; i = next) {
        const json_t *first = json_array_get(windows, i);
        char from[32], to[32];
        double sum = 0;
        for (next = i;
             next < count && !strcmp(verdict_of(first), verdict_of(json_array_get(windows, next)));
             next++)
            sum += number_of(json_array_get(windows, next), "score");
        const double end = next < count ? number_of(json_array_get(windows, next), "start")
                                        : number_of(json_array_get(windows, next - 1), "end");
        printf("%8s - %8s  ", clock_of(number_of(first, "start"), from), clock_of(end, to));
        if (json_is_true(json_object_get(first, "silent")))
            puts(verdict_of(first));
        else
            printf("%-24s %6.3f\n", shown(verdict_of(first)), sum / (double)(next - i));
    }
}

static void print_conclusion(const json_t *report) {
    const json_t *threshold = json_object_get(report, "threshold");
    bool silent = true;
    size_t i;
    json_t *window;
    json_array_foreach(json_object_get(report, "windows"), i, window) silent =
        silent && json_is_true(json_object_get(window, "silent"));
    if (text_of(report, "best")) {
        printf("best: %s\n", shown(text_of(report, "best")));
    } else if (silent) {
        puts("nothing is heard: the recording is below -80 dB of full scale");
    } else {
        const json_t *nearest = json_array_get(json_object_get(report, "ranking"), 0);
        printf("nothing fits: the nearest label, %s, has %.3f; %.3f is needed\n",
               shown(text_of(nearest, "label")), number_of(nearest, "max"),
               json_number_value(threshold));
    }
    if (!json_is_number(threshold)) puts("(no --threshold: a label is named even where none fits)");
}

static void print_heard(const json_t *report) {
    const json_t *windows = json_object_get(report, "windows");
    const bool many = json_array_size(windows) > 1;
    const json_t *label;
    size_t i;
    printf("%s, %.1f s\n", shown(text_of(report, "sound")), number_of(report, "seconds"));
    print_conclusion(report);
    printf("\n%-24s %6s%s\n", "label", many ? "mean" : "cosine", many ? "    max  at" : "");
    json_array_foreach(json_object_get(report, "ranking"), i, label) {
        char at[32];
        if (i == SHOWN_LABELS || !json_is_number(json_object_get(label, "mean"))) break;
        printf("%-24s %6.3f", shown(text_of(label, "label")), number_of(label, "mean"));
        if (many)
            printf(" %6.3f  %s", number_of(label, "max"), clock_of(number_of(label, "at"), at));
        putchar('\n');
    }
    if (!many) return;
    putchar('\n');
    print_times(windows);
}

/* --- command ---------------------------------------------------------------------------------- */
static int run(listen_job *job) {
    chl_engine *engine;
    char *text = NULL;
    if (chl_engine_open(&job->common.models, &engine) != CHL_OK) return run_error();
    const chl_status status = chl_listen(engine, &job->listen, &text);
    chl_engine_close(engine);
    return eval_finish(&job->common, status, text, print_heard);
}

static int check(const command_line *line, listen_job *job, const char *positional) {
    if (positional && job->listen.sound)
        return usage_error(line, "give one sound, got %s and %s", job->listen.sound, positional);
    if (positional) job->listen.sound = input_path(positional);
    if (!job->listen.sound) return usage_error(line, "a sound is missing");
    int code = choose_models(line, job);
    if (code == EXIT_OK) code = eval_read_settings(line, &job->common);
    if (code != EXIT_OK) return code;
    output_table table = {0};
    output_reads(&table, job->listen.sound);
    output_add(&table, "png", OUTPUT_PICTURE, job->png);
    output_add(&table, "out", OUTPUT_JSON, job->common.out);
    return output_check(line, &table);
}

static void take_settings(listen_job *job) {
    job->listen.labels = job->common.zero.labels;
    job->listen.label = job->common.zero.label;
    job->listen.label_text = job->common.zero.label_text;
    job->listen.prompts = job->common.zero.prompts;
    job->listen.prompt = job->common.zero.prompt;
    job->listen.threshold = job->common.zero.threshold;
    job->listen.picture = job->png;
    job->listen.progress = eval_on_progress;
    job->listen.user = &job->common;
}

int command_listen(int argc, char **argv) {
    listen_job job = {.common = eval_job_new(), .listen = {.size = sizeof(chl_listen_options)}};
    const char *positional[1] = {NULL};
    const option options[] = {
        {"sound", "audio-path", OPTION_INPUT, &job.listen.sound, "S",
         "the sound, in place of SOUND", NULL},
        {"png", NULL, OPTION_OUTPUT, &job.png, "P.png",
         "picture: the mel picture above, the labels' curves below", NULL},
        {"threshold", NULL, OPTION_FLOAT, &job.common.threshold, "X",
         "cosine below which no label fits; 0: none (default: 0.3 with the demo's models, else "
         "0)",
         &job.has_threshold},
        {"labels", NULL, OPTION_TEXT, &job.common.labels, "FILE|A,B,...",
         "labels to choose from, one per line of the file (default: the demo's)", NULL},
        {"prompts", NULL, OPTION_TEXT, &job.common.prompts, "A|B...",
         "prompts; a label's embedding is their mean, {} stands for it (default \"{}|a {}\")",
         NULL},
        CLIP_OPTIONS(job.common.models),
        AUDIO_OPTION(job.common.models),
        MEL_OPTION(job.common.models),
        DEVICE_OPTIONS(job.common.models),
        {"json", NULL, OPTION_FLAG, &job.common.json, NULL, "print JSON on stdout instead of text",
         NULL},
        {"out", NULL, OPTION_OUTPUT, &job.common.out, "R.json", "also write the JSON to this file",
         NULL},
    };
    command_line line = {
        .usage = "listen SOUND [--png P.png] [--json] [--audio F --clip F --vocab F --labels L]",
        .about = "Names what a recording sounds like, over time in windows of ten seconds. Without "
                 "models: those of weights/demo.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = positional,
        .max_positionals = 1};
    bool done;
    watch_interrupts();
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = check(&line, &job, positional[0]);
    if (code == EXIT_OK && !done) {
        take_settings(&job);
        code = run(&job);
    }
    eval_job_free(&job.common);
    return code;
}
