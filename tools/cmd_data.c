/* `data`: what a data set holds, and the same as shards. */
#include "command.h"
#include "outputs.h"
#include <stdio.h>
#include <string.h>

typedef struct data_job {
    chl_inspect_options inspect;
    chl_pack_options pack;
    chl_embed_ahead_options embed;
    const char *source;
    bool json, index;
    int clips;
} data_job;

static long long number(const json_t *report, const char *key) {
    return (long long)json_integer_value(json_object_get(report, key));
}

static void print_counts(const char *what, const json_t *counts) {
    const char *key;
    json_t *value;
    printf("%s", what);
    json_object_foreach((json_t *)counts, key, value)
        printf(" %s: %lld;", shown(key), (long long)json_integer_value(value));
    putchar('\n');
}

static void print_names(const char *what, const json_t *names) {
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) {
        const json_t *first = json_is_array(name) ? json_array_get(name, 0) : name;
        printf("  %s %s", what, shown(json_string_value(first)));
        if (json_is_array(name)) printf(" = %s", shown(json_string_value(json_array_get(name, 1))));
        putchar('\n');
    }
}

static void print_inspection(const json_t *r) {
    const json_t *seconds = json_object_get(r, "seconds"), *epoch = json_object_get(r, "epoch");
    printf("%s: %s\n", shown(json_string_value(json_object_get(r, "source"))),
           json_string_value(json_object_get(r, "layout")));
    printf("clips %lld, missing %lld, unreadable %lld, twice the same %lld\n", number(r, "clips"),
           number(r, "missing"), number(r, "unreadable"), number(r, "duplicates"));
    print_names("missing", json_object_get(r, "missing_names"));
    print_names("unreadable", json_object_get(r, "unreadable_names"));
    print_names("twice", json_object_get(r, "duplicate_names"));
    printf("length %.2f h, %.2f to %.2f s, mean %.2f s; %.2f GB\n",
           json_real_value(json_object_get(seconds, "total")) / 3600,
           json_real_value(json_object_get(seconds, "min")),
           json_real_value(json_object_get(seconds, "max")),
           json_real_value(json_object_get(seconds, "mean")), 1e-9 * (double)number(r, "bytes"));
    print_counts("Hz", json_object_get(r, "rates"));
    print_counts("channels", json_object_get(r, "channels"));
    printf("pictures %lld, captions %lld, without a label %lld\n", number(r, "pictures"),
           number(r, "captions"), number(r, "unlabelled"));
    print_counts("labels", json_object_get(r, "labels"));
    printf("decoding: %.0f clips a second and thread; an epoch on %lld threads: %.0f s\n",
           json_real_value(json_object_get(epoch, "clips_per_second_and_thread")),
           number(epoch, "threads"), json_real_value(json_object_get(epoch, "seconds")));
}

static int finish(const data_job *job, chl_status status, char *text,
                  void (*print)(const json_t *)) {
    if (status == CHL_ERR_CANCELLED) {
        run_error();
        return interrupt_code();
    }
    json_t *report = status == CHL_OK ? json_parsed(text) : NULL;
    chl_release(text);
    if (!report) return run_error();
    if (job->json) return print_json(report, REPORT_DIGITS);
    print(report);
    json_decref(report);
    return EXIT_OK;
}

static int inspect(int argc, char **argv) {
    data_job job = {.inspect = {.size = sizeof job.inspect}};
    const option options[] = {
        {"split", NULL, OPTION_TEXT, &job.inspect.split, "NAME,...", "only these splits or folds",
         NULL},
        {"png", NULL, OPTION_OUTPUT, &job.inspect.picture, "C.png", "picture of the label counts",
         NULL},
        {"index", NULL, OPTION_FLAG, &job.index, NULL,
         "of shards: write x.tar.index beside each, for faster starts of trainings", NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {
        .usage = "data inspect SRC [--split NAME,...] [--index] [--png C.png] [--json]",
        .about = "Counts, lengths, rates, labels of a data set; clips that are missing, unreadable "
                 "or twice\nthere; how long decoding an epoch takes. docs/training.md lists what "
                 "SRC may be.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = &job.source,
        .max_positionals = 1};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (!job.source) return usage_error(&line, "SRC is missing");
    output_table table = {0};
    if (job.inspect.picture) output_add(&table, "png", OUTPUT_PICTURE, job.inspect.picture);
    code = output_check(&line, &table);
    if (code != EXIT_OK) return code;
    job.inspect.data = job.source;
    job.inspect.index = job.index;
    char *text = NULL;
    const chl_status status = chl_data_inspect(&job.inspect, &text);
    return finish(&job, status, text, print_inspection);
}

static void print_packing(const json_t *r) {
    printf("%lld clips in %lld shards; %lld left out\n", number(r, "clips"), number(r, "shards"),
           number(r, "left_out"));
}

static int on_progress(void *user, const char *what, int64_t done, int64_t count) {
    (void)user;
    (void)what;
    (void)done;
    (void)count;
    return interrupted();
}

static int pack(int argc, char **argv) {
    data_job job = {.pack = {.size = sizeof job.pack, .progress = on_progress}};
    const option options[] = {
        {"out", NULL, OPTION_TEXT, &job.pack.out, "NAME-%06d.tar", "the shards", NULL},
        {"clips", NULL, OPTION_INT, &job.clips, "N", "clips in a shard (default 1000)", NULL},
        {"split", NULL, OPTION_TEXT, &job.pack.split, "NAME,...", "only these splits or folds",
         NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {.usage =
                             "data pack SRC --out NAME-%06d.tar [--clips N] [--split NAME,...]",
                         .about = "Writes a data set as WebDataset shards, files as they are.",
                         .options = options,
                         .count = sizeof options / sizeof options[0],
                         .positional = &job.source,
                         .max_positionals = 1};
    bool done;
    const int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (!job.source) return usage_error(&line, "SRC is missing");
    if (!job.pack.out) return usage_error(&line, "--out is missing");
    if (job.clips < 0) return usage_error(&line, "--clips must be >= 0, got %d", job.clips);
    watch_interrupts();
    job.pack.data = job.source;
    job.pack.clips = job.clips;
    char *text = NULL;
    const chl_status status = chl_data_pack(&job.pack, &text);
    return finish(&job, status, text, print_packing);
}

static void print_embedding(const json_t *r) {
    printf("%lld embedded, %lld found, %lld unreadable\n", number(r, "embedded"),
           number(r, "found"), number(r, "unreadable"));
}

static int embed(int argc, char **argv) {
    data_job job = {.embed = {.size = sizeof job.embed, .seed = 1, .progress = on_progress}};
    const option options[] = {
        {"clip", NULL, OPTION_INPUT, &job.embed.clip, "FILE", "weights of the frozen CLIP pair",
         NULL},
        {"vocab", NULL, OPTION_INPUT, &job.embed.vocab, "FILE",
         "CLIP's BPE merges; without them pictures only", NULL},
        {"cache", NULL, OPTION_TEXT, &job.embed.cache, "DIR", "folder for train --cache", NULL},
        {"seed", NULL, OPTION_SEED, &job.embed.seed, "N",
         "of the training: the wordings of labels are drawn (default 1)", NULL},
        {"wordnet", NULL, OPTION_TEXT, &job.embed.wordnet, "DIR", "as the training's", NULL},
        {"split", NULL, OPTION_TEXT, &job.embed.split, "NAME,...", "only these splits or folds",
         NULL},
        {"device", NULL, OPTION_TEXT, &job.embed.device, "cpu|cuda|cuda:N|auto",
         "device that computes (default auto)", NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {.usage = "data embed SRC --clip F [--vocab F] --cache DIR",
                         .about = "Embeds the labels and pictures of a data set, for trainings.",
                         .options = options,
                         .count = sizeof options / sizeof options[0],
                         .positional = &job.source,
                         .max_positionals = 1};
    bool done;
    const int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (!job.source) return usage_error(&line, "SRC is missing");
    if (!job.embed.clip) return usage_error(&line, "--clip is missing");
    if (!job.embed.cache) return usage_error(&line, "--cache is missing");
    watch_interrupts();
    job.embed.data = job.source;
    char *text = NULL;
    const chl_status status = chl_data_embed(&job.embed, &text);
    return finish(&job, status, text, print_embedding);
}

int command_data(int argc, char **argv) {
    static const char usage[] = "data (inspect | pack | embed) SRC ...";
    const bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    if (argc > 0 && strcmp(argv[0], "inspect") == 0) return inspect(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "pack") == 0) return pack(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "embed") == 0) return embed(argc - 1, argv + 1);
    command_line line = {.usage = usage,
                         .about = "inspect says what a data set holds, pack writes it as shards, "
                                  "embed fills a training's cache."};
    bool done;
    if (help) return parse_options(&line, argc, argv, &done);
    return usage_error(&line, "give an action: inspect, pack or embed");
}
