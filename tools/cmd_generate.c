#include "command.h"
#include "outputs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct generate_job {
    chl_engine_options models;
    const char *seeds, *latent, *out;
    float truncation;
    uint64_t *seed; /* [count], of --seeds */

    chl_engine *engine;
    chl_engine_sizes size;
    int count;
    float *w, *pixels;
} generate_job;

static size_t code_numbers(const generate_job *job) {
    return (size_t)job->size.rows * (size_t)job->size.latent;
}

static int latents_from_seeds(generate_job *job) {
    job->w = malloc(sizeof(float) * (size_t)job->count * code_numbers(job));
    chl_status status = CHL_OK;
    if (!job->w) status = command_fail(CHL_ERR_MEMORY, "out of memory for %d latents", job->count);
    for (int i = 0; i < job->count && status == CHL_OK; i++)
        status = chl_seed_latent(job->engine, job->seed[i], job->truncation,
                                 job->w + (size_t)i * code_numbers(job));
    return status == CHL_OK ? EXIT_OK : run_error();
}

static int latents_from_file(generate_job *job) {
    const chl_status status =
        read_latents(job->latent, &job->size, MAX_PICTURES, &job->count, &job->w);
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* Several pictures to P.png: P-0000.png, P-0001.png ... To be freed; NULL without memory. */
static char *picture_path(const generate_job *job, int i) {
    char *path;
    if (job->count == 1) return strdup(job->out);
    const int stem = (int)(strlen(job->out) - strlen(".png"));
    return asprintf(&path, "%.*s-%04d.png", stem, job->out, i) < 0 ? NULL : path;
}

static int write_pictures(generate_job *job) {
    const size_t side = (size_t)job->size.picture;
    chl_status status = CHL_OK;
    for (int i = 0; i < job->count && status == CHL_OK; i++) {
        char *path = picture_path(job, i);
        status = path ? chl_picture_write(path, job->size.picture, job->size.picture,
                                          job->pixels + (size_t)i * 3 * side * side)
                      : command_fail(CHL_ERR_MEMORY, "out of memory for a name");
        free(path);
    }
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* N x 3 x H x W, as the frameworks that read .npy expect pictures */
static int write_array(generate_job *job) {
    const size_t side = (size_t)job->size.picture, area = side * side;
    float *planes = malloc(sizeof(float) * (size_t)job->count * 3 * area);
    if (!planes) {
        fputs("chladni: out of memory\n", stderr);
        return EXIT_RUN;
    }
    for (size_t n = 0; n < (size_t)job->count; n++)
        for (size_t i = 0; i < area; i++)
            for (size_t c = 0; c < 3; c++)
                planes[(n * 3 + c) * area + i] = job->pixels[(n * area + i) * 3 + c];
    const int64_t dim[] = {job->count, 3, (int64_t)side, (int64_t)side};
    chl_status status = chl_array_write(job->out, 4, dim, planes);
    free(planes);
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* Files of a latent file's pictures are known once it is read, which is before the first picture.
 */
static int check_outputs(const command_line *line, const generate_job *job) {
    output_table table = {0};
    if (job->count == 1 || ends_in(job->out, ".npy")) {
        output_add(&table, "out", OUTPUT_PICTURE_OR_ARRAY, job->out);
        return output_check(line, &table);
    }
    if (!ends_in(job->out, ".png"))
        return usage_error(line, "--out of several pictures must end in .png or .npy, got %s",
                           job->out);
    for (int i = 0; i < job->count; i++) {
        char *path = picture_path(job, i);
        table.broken = table.broken || !path;
        output_add(&table, "out", OUTPUT_PICTURE, path);
        free(path);
    }
    return output_check(line, &table);
}

static int run(const command_line *line, generate_job *job) {
    if (job->seeds) {
        const int code = check_outputs(line, job);
        if (code != EXIT_OK) return code;
    }
    if (chl_engine_open(&job->models, &job->engine) != CHL_OK) return run_error();
    job->size = chl_engine_get_sizes(job->engine);
    int code = job->seeds ? latents_from_seeds(job) : latents_from_file(job);
    if (code == EXIT_OK && job->latent) code = check_outputs(line, job);
    if (code != EXIT_OK) return code;
    const size_t picture = 3 * (size_t)job->size.picture * (size_t)job->size.picture;
    job->pixels = malloc(sizeof(float) * (size_t)job->count * picture);
    if (!job->pixels) {
        fputs("chladni: out of memory: generate fewer pictures at a time\n", stderr);
        return EXIT_RUN;
    }
    if (chl_generate(job->engine, job->count, job->w, job->pixels) != CHL_OK) return run_error();
    return ends_in(job->out, ".npy") ? write_array(job) : write_pictures(job);
}

static int check(const command_line *line, generate_job *job) {
    if (!job->models.generator) return usage_error(line, "--generator is missing");
    if ((job->seeds != NULL) + (job->latent != NULL) != 1)
        return usage_error(line, "give one of --seeds, --latent");
    if (!job->out) return usage_error(line, "--out is missing");
    if (job->seeds && (job->count = parse_seeds(job->seeds, &job->seed)) < 0)
        return usage_error(line,
                           "--seeds must be like 0-9 or 1,5,8, at most %d seeds of at most %u, got "
                           "%s",
                           MAX_PICTURES, MAX_SEED, job->seeds);
    return EXIT_OK;
}

int command_generate(int argc, char **argv) {
    generate_job job = {.models = {.size = sizeof job.models}, .truncation = 0.7f};
    generator_flags generator = {0};
    const option options[] = {
        {"seeds", "seed", OPTION_TEXT, &job.seeds, "0-9", "seeds: 0-9 or 1,5,8", NULL},
        {"latent", NULL, OPTION_INPUT, &job.latent, "W.npy|W.npz|W.pt",
         "W+ codes, rows x latent or N x rows x latent", NULL},
        {"out", NULL, OPTION_OUTPUT, &job.out, "P.png|X.npy",
         "picture files, or one float32 array N x 3 x H x W in [-1,1]", NULL},
        GENERATOR_OPTIONS(job.models, generator),
        DEVICE_OPTIONS(job.models),
        {"truncation", "trunc", OPTION_FLOAT, &job.truncation, "X",
         "truncation towards the mean of W (default 0.7; 1: none)", NULL},
    };
    command_line line = {
        .usage = "generate --generator F (--seeds 0-9 | --latent W.npy) --out P",
        .about =
            "Writes pictures of seeds or W+ codes. Several to P.png: P-0000.png, P-0001.png, ...",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = take_generator_flags(&line, &generator, &job.models);
    if (code == EXIT_OK && !done) code = check(&line, &job);
    if (code == EXIT_OK && !done) code = run(&line, &job);
    free(job.seed);
    free(job.w);
    free(job.pixels);
    chl_engine_close(job.engine);
    return code;
}
