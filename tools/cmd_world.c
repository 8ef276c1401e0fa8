#include "command.h"
#include "outputs.h"
#include <chladni/demo.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct world_job {
    chl_world_options options;
    const char *out, *sound, *picture, *files_of, *sounds_of;
    uint64_t seed;
    int count, split, algorithm;
    float strength;
    bool no_sounds, force, clean;
    bool has_count, has_split, has_seconds, has_side, has_bias, has_min, has_second;
    double start, last;
    bool terminal;
} world_job;

static int on_progress(void *user, int64_t done, int64_t count) {
    world_job *job = user;
    const double seconds = seconds_now() - job->start;
    if (seconds - job->last >= (job->terminal ? 0.2 : 10)) {
        job->last = seconds;
        fprintf(stderr, "%swriting %lld/%lld  left %.0f s%s", job->terminal ? "\r" : "",
                (long long)done, (long long)count,
                seconds * (double)(count - done) / (double)(done ? done : 1),
                job->terminal ? "  " : "\n");
        fflush(stderr);
    }
    return interrupted();
}

/* Sample numbers, one a line; an empty last line is none. */
static chl_status mark_samples(FILE *list, const char *name, int count, unsigned char *written) {
    char line[64], *end;
    for (int number = 1; fgets(line, sizeof line, list); number++) {
        line[strcspn(line, "\n")] = 0;
        if (!*line && fgetc(list) == EOF) break;
        const long long sample = strtoll(line, &end, 10);
        if (end == line || *end || sample < 0 || sample >= count)
            return command_fail(CHL_ERR_FORMAT, "%s: line %d: a sample must be 0 to %d, got \"%s\"",
                                name, number, count - 1, line);
        written[sample] = 1;
    }
    if (!ferror(list)) return CHL_OK;
    return command_fail(CHL_ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
}

/* One byte a sample for chl_world_options; NULL without a list. To be freed. */
static chl_status read_list(const char *name, int count, unsigned char **written) {
    *written = NULL;
    if (!name || count < 1) return CHL_OK; /* count: the library's error */
    FILE *list = fopen(name, "r");
    if (!list) return command_fail(CHL_ERR_IO, "%s: %s", name, strerror(errno));
    *written = calloc((size_t)count, 1);
    chl_status status = *written ? mark_samples(list, name, count, *written)
                                 : command_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    fclose(list);
    return status;
}

static int write_folder(world_job *job) {
    chl_world_options *o = &job->options;
    o->out = job->out;
    o->count = job->count;
    o->seed = job->seed;
    o->split = (chl_world_split)job->split;
    o->no_sounds = job->no_sounds;
    o->force = job->force;
    o->progress = on_progress;
    o->user = job;
    job->start = seconds_now();
    job->terminal = isatty(STDERR_FILENO);
    chl_status status = chl_world_write(o);
    if (job->terminal && job->last > 0) fputc('\n', stderr);
    if (status == CHL_ERR_CANCELLED) {
        run_error();
        return interrupt_code();
    }
    if (status != CHL_OK) return run_error();
    fprintf(stderr, "%s: %d samples in %.1f s\n", shown(job->out), job->count,
            seconds_now() - job->start);
    return EXIT_OK;
}

static int run(world_job *job) {
    const uint64_t seed = job->seed;
    chl_status status;
    if (job->sound)
        status = chl_world_sound(job->sound, job->algorithm, job->strength, !job->clean, seed,
                                 job->options.seconds, job->out);
    else if (job->picture)
        status = chl_world_picture(strcmp(job->picture, "nothing") == 0 ? NULL : job->picture,
                                   job->strength, seed, job->options.side, job->out);
    else {
        unsigned char *written = NULL, *with_sound = NULL;
        status = read_list(job->files_of, job->count, &written);
        if (status == CHL_OK) status = read_list(job->sounds_of, job->count, &with_sound);
        job->options.written = written;
        job->options.with_sound = with_sound;
        const int code = status == CHL_OK ? write_folder(job) : run_error();
        free(written);
        free(with_sound);
        return code;
    }
    return status == CHL_OK ? EXIT_OK : run_error();
}

static int check(const command_line *line, const world_job *job) {
    const bool single = job->sound || job->picture;
    if (!job->out) return usage_error(line, "--out is missing");
    if (job->sound && job->picture)
        return usage_error(line, "--sound and --picture exclude each other");
    if (single && (job->has_count || job->has_split || job->has_bias || job->has_min ||
                   job->has_second || job->no_sounds || job->files_of || job->sounds_of))
        return usage_error(line, "--count, --split, --bias, --min-strength, --second-event, "
                                 "--no-sounds, --files-of and --sounds-of apply to a folder only");
    output_table table = {0}; /* of one file; the library checks a folder before its first sample */
    if (single) output_add(&table, "out", job->sound ? OUTPUT_SOUND : OUTPUT_PICTURE, job->out);
    return output_check(line, &table);
}

int command_world(int argc, char **argv) {
    world_job job = {.options = chl_world_defaults(), .count = 1000, .strength = 0.8f};
    const option options[] = {
        {"out", NULL, OPTION_OUTPUT, &job.out, "DIR",
         "folder to write (a file with --sound, --picture)", NULL},
        {"count", NULL, OPTION_INT, &job.count, "N", "samples (1000)", &job.has_count},
        {"seed", NULL, OPTION_SEED, &job.seed, "N", "of everything that is drawn (0)", NULL},
        {"split", NULL, OPTION_CHOICE, &job.split, "train|test|calm",
         "train: with the planted bias; test: held-out synthesis, no bias; calm: no events "
         "(default "
         "train)",
         &job.has_split},
        {"size", NULL, OPTION_INT, &job.options.side, "N", "pixels on a side (default 128)",
         &job.has_side},
        {"seconds", NULL, OPTION_FLOAT, &job.options.seconds, "X",
         "length of a sound (default 6); in a folder the mean of lengths from half to 1.5 times",
         &job.has_seconds},
        {"no-sounds", NULL, OPTION_FLAG, &job.no_sounds, NULL,
         "write pictures and latents only, a sixth of them without an event", NULL},
        {"bias", NULL, OPTION_FLOAT, &job.options.bias, "X",
         "share of training samples with their kind's favourite time, season and house (default "
         "0.8)",
         &job.has_bias},
        {"min-strength", "least-strength", OPTION_FLOAT, &job.options.min_strength, "X",
         "min. strength of the events in a folder, 0 to 1 (default 0.25)", &job.has_min},
        {"second-event", NULL, OPTION_FLOAT, &job.options.second_event, "X",
         "share of the pictures with an event that show a second, weaker one; needs --no-sounds "
         "(default 0)",
         &job.has_second},
        {"files-of", NULL, OPTION_INPUT, &job.files_of, "LIST",
         "write pictures and sounds of these samples only, numbers one a line; the tables are of "
         "all",
         NULL},
        {"sounds-of", NULL, OPTION_INPUT, &job.sounds_of, "LIST",
         "write the sounds of these samples only, numbers one a line", NULL},
        {"force", NULL, OPTION_FLAG, &job.force, NULL, "write to a folder that is not empty", NULL},
        {"sound", NULL, OPTION_TEXT, &job.sound, "KIND", "write one sound of this kind to O.wav",
         NULL},
        {"picture", NULL, OPTION_TEXT, &job.picture, "KIND|nothing", "write one picture to O.png",
         NULL},
        {"strength", NULL, OPTION_FLOAT, &job.strength, "X",
         "strength of the event of --sound or --picture, 0 to 1 (default 0.8)", NULL},
        {"algorithm", NULL, OPTION_INT, &job.algorithm, "N",
         "synthesis algorithm of --sound, 0 to 3; 3 is held out of training (default 0)", NULL},
        {"clean", NULL, OPTION_FLAG, &job.clean, NULL,
         "--sound without the room, noise and microphone of a recording", NULL},
    };
    command_line line = {
        .usage = "world (--out DIR [--count N] [--split S] ... | --sound KIND --out O.wav | "
                 "--picture KIND --out O.png)",
        .about = "Writes sounds, pictures and captions of a small procedural world. Kinds: rain,\n"
                 "thunderstorm, wind, fire, birdsong, ocean waves, underwater bubbles, explosion,\n"
                 "crickets, church bell.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    code = check(&line, &job);
    if (code != EXIT_OK) return code;
    watch_interrupts();
    return run(&job);
}
