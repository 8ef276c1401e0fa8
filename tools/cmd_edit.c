#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct edit_job {
    chl_engine_options models;
    const char *image, *latent, *sound, *text, *neutral, *out, *latent_out;
    int seed, steps, invert_steps, similarity, every;
    float rate, lambda_similarity, lambda_identity, margin, truncation, clamp;
    bool has_seed, has_steps, has_rate, has_similarity, has_identity;
    bool adaptive, fixed, json, dry_run;

    chl_engine *engine;
    chl_engine_sizes size;
    float *source, *edited, *pixels, *mask;
    float target[CHL_MOST_EMBEDDING], away[CHL_MOST_EMBEDDING];
    progress_line line;
    chl_edit_progress last; /* of the edit, for the report */
    chl_status snapshot;    /* of --every */
    bool said;              /* the error is on stderr already */
} edit_job;

static int64_t code_numbers(const edit_job *job) {
    return (int64_t)job->size.rows * job->size.latent;
}

static chl_status write_picture(edit_job *job, const float *w, const char *path) {
    chl_status status = chl_generate(job->engine, 1, w, job->pixels);
    if (status != CHL_OK) return status;
    return chl_picture_write(path, job->size.picture, job->size.picture, job->pixels);
}

/* out.png -> out-000050.png */
static chl_status write_snapshot(edit_job *job, const chl_edit_progress *progress) {
    const char *dot = strrchr(job->out, '.'), *slash = strrchr(job->out, '/');
    int stem = dot && (!slash || dot > slash) ? (int)(dot - job->out) : (int)strlen(job->out);
    char path[4096];
    snprintf(path, sizeof path, "%.*s-%06d.png", stem, job->out, progress->step);
    return write_picture(job, progress->w, path);
}

static int on_progress(void *user, const chl_edit_progress *progress) {
    edit_job *job = user;
    progress_show(&job->line, progress);
    job->last = *progress;
    if (job->every > 0 && progress->step % job->every == 0) {
        job->snapshot = write_snapshot(job, progress);
        if (job->snapshot != CHL_OK) return 1;
    }
    return interrupted();
}

static int on_inversion(void *user, const chl_edit_progress *progress) {
    edit_job *job = user;
    progress_show(&job->line, progress);
    return interrupted();
}

static chl_status invert_image(edit_job *job) {
    float *pixels;
    chl_status status = chl_picture_read_square(job->image, job->size.picture, &pixels);
    if (status != CHL_OK) return status;
    chl_invert_options options = chl_invert_defaults(job->engine);
    if (job->invert_steps > 0) options.steps = job->invert_steps;
    options.progress = on_inversion;
    options.user = job;
    job->line = progress_start("inverting", job->json);
    status = chl_invert(job->engine, &options, pixels, job->source);
    progress_end(&job->line);
    chl_release(pixels);
    return status;
}

static chl_status read_latent(edit_job *job) {
    int rank;
    int64_t dim[6], numbers = 1;
    float *data;
    chl_status status = chl_array_read(job->latent, &rank, dim, &data);
    if (status != CHL_OK) return status;
    for (int i = 0; i < rank; i++) numbers *= dim[i];
    job->said = numbers != code_numbers(job);
    if (!job->said)
        memcpy(job->source, data, sizeof(float) * (size_t)numbers);
    else
        fprintf(stderr, "chladni: %s: %lld numbers; this generator's latent has %d x %d\n",
                job->latent, (long long)numbers, job->size.rows, job->size.latent);
    chl_release(data);
    return numbers == code_numbers(job) ? CHL_OK : CHL_ERR_SHAPE;
}

static chl_status find_source(edit_job *job) {
    if (job->image) return invert_image(job);
    if (job->latent) return read_latent(job);
    return chl_seed_latent(job->engine, (uint64_t)job->seed, job->truncation, job->source);
}

static chl_status find_target(edit_job *job) {
    if (job->neutral) {
        chl_status status = chl_embed_text(job->engine, job->neutral, job->away);
        if (status != CHL_OK) return status;
    }
    return job->sound ? chl_embed_sound(job->engine, job->sound, job->target)
                      : chl_embed_text(job->engine, job->text, job->target);
}

static chl_edit_options edit_options(edit_job *job) {
    chl_edit_options options = chl_edit_defaults(job->engine);
    if (job->has_steps) options.steps = job->steps;
    if (job->has_rate) options.rate = job->rate;
    if (job->has_similarity) options.lambda_similarity = job->lambda_similarity;
    if (job->has_identity) options.lambda_identity = job->lambda_identity;
    options.similarity = (chl_similarity)job->similarity;
    options.margin = job->margin;
    options.adaptive_mask = !job->fixed;
    options.neutral =
        job->away; /* zeros without --neutral: the direction is then the target itself */
    options.progress = on_progress;
    options.user = job;
    return options;
}

static int dry_run(edit_job *job) {
    chl_edit_options options = edit_options(job);
    chl_cost cost;
    if (chl_edit_cost(job->engine, &options, &cost) != CHL_OK) return run_error();
    json_t *report =
        json_pack("{s:I,s:I,s:I,s:f,s:f,s:i}", "weight_bytes", (json_int_t)cost.weight_bytes,
                  "activation_bytes", (json_int_t)cost.activation_bytes, "state_bytes",
                  (json_int_t)cost.state_bytes, "flops_setup", cost.flops_setup, "flops_step",
                  cost.flops_step, "nodes", cost.nodes);
    if (job->json) {
        print_json(report);
        return EXIT_OK;
    }
    json_decref(report);
    printf("weights      %8.1f MB (packed ones too)\nactivations  %8.1f MB\nstate        %8.1f MB\n"
           "setup        %8.2f GFLOP\na step       %8.2f GFLOP, %d nodes\n",
           1e-6 * (double)cost.weight_bytes, 1e-6 * (double)cost.activation_bytes,
           1e-6 * (double)cost.state_bytes, 1e-9 * cost.flops_setup, 1e-9 * cost.flops_step,
           cost.nodes);
    return EXIT_OK;
}

static void report(const edit_job *job, bool partial) {
    if (!job->json) {
        fprintf(stderr, "%s: cosine with the %s %.4f after %d steps%s\n", job->out,
                job->sound ? "sound" : "text", (double)job->last.cosine, job->last.step,
                partial ? " (stopped early)" : "");
        return;
    }
    json_t *mask = json_array();
    for (int i = 0; i < job->size.rows; i++)
        json_array_append_new(mask, json_real((double)job->mask[i]));
    print_json(json_pack(
        "{s:s,s:b,s:i,s:i,s:f,s:f,s:f,s:f,s:f,s:o}", "out", job->out, "partial", partial, "step",
        job->last.step, "steps", job->last.steps, "cosine", (double)job->last.cosine,
        "similarity_loss", (double)job->last.similarity_loss, "latent_loss",
        (double)job->last.latent_loss, "identity_loss", (double)job->last.identity_loss, "seconds",
        job->last.seconds, "layer_mask", mask));
}

static int save(edit_job *job, bool partial) {
    const int64_t dim[] = {job->size.rows, job->size.latent};
    if (write_picture(job, job->edited, job->out) != CHL_OK) return run_error();
    if (job->latent_out && chl_array_write(job->latent_out, 2, dim, job->edited) != CHL_OK)
        return run_error();
    report(job, partial);
    return EXIT_OK;
}

static int optimise(edit_job *job) {
    chl_edit_options options = edit_options(job);
    job->line = progress_start("editing", job->json);
    chl_status status =
        chl_edit(job->engine, &options, job->source, job->target, job->edited, job->mask);
    progress_end(&job->line);
    if (job->snapshot != CHL_OK) return run_error();
    if (status == CHL_OK) return save(job, false);
    int code = status == CHL_ERR_CANCELLED ? interrupt_code() : run_error();
    if (job->last.step == 0) return code; /* nothing better than the source exists */
    int saved = save(job, true);
    return saved == EXIT_OK ? code : saved;
}

static int run(edit_job *job) {
    if (chl_engine_open(&job->models, &job->engine) != CHL_OK) return run_error();
    job->size = chl_engine_get_sizes(job->engine);
    size_t numbers = (size_t)code_numbers(job);
    job->source = calloc(numbers + 1, sizeof(float));
    job->edited = calloc(numbers + 1, sizeof(float));
    job->mask = calloc((size_t)job->size.rows + 1, sizeof(float));
    job->pixels =
        malloc(sizeof(float) * (3 * (size_t)job->size.picture * (size_t)job->size.picture + 1));
    if (!job->source || !job->edited || !job->mask || !job->pixels) {
        fputs("chladni: out of memory\n", stderr);
        return EXIT_RUN;
    }
    if (job->dry_run) return dry_run(job);
    chl_status status = find_target(job); /* cheap and likelier to fail: before any inversion */
    if (status == CHL_OK) status = find_source(job);
    if (status == CHL_ERR_CANCELLED) return interrupt_code();
    if (status != CHL_OK) return job->said ? EXIT_RUN : run_error();
    return optimise(job);
}

static int check(const command_line *line, const edit_job *job) {
    if ((job->image != NULL) + (job->latent != NULL) + job->has_seed != 1)
        return usage_error(line, "give one of --image, --seed, --latent");
    if ((job->sound != NULL) + (job->text != NULL) != 1)
        return usage_error(line, "give one of --sound, --text");
    if (!job->models.generator) return usage_error(line, "--generator is missing");
    if (!job->models.clip) return usage_error(line, "--clip is missing");
    if (job->sound && !job->models.audio) return usage_error(line, "--sound needs --audio");
    if ((job->text || job->neutral) && !job->models.vocab)
        return usage_error(line, "a text needs --vocab");
    if (!job->out && !job->dry_run) return usage_error(line, "--out is missing");
    if (job->has_seed && job->seed < 0) return usage_error(line, "--seed must not be negative");
    if (job->adaptive && job->fixed)
        return usage_error(line, "--adaptive-mask and --fixed-mask exclude each other");
    return EXIT_OK;
}

int command_edit(int argc, char **argv) {
    edit_job job = {.models = {.size = sizeof job.models}, .truncation = 0.7f, .margin = 1};
    const option options[] = {
        {"image", NULL, OPTION_TEXT, &job.image, "P", "picture to edit (PNG, JPEG); inverted first",
         NULL},
        {"seed", NULL, OPTION_INT, &job.seed, "N", "edit the picture of this seed", &job.has_seed},
        {"latent", NULL, OPTION_TEXT, &job.latent, "W.npy", "edit this W+ code", NULL},
        {"sound", "audio-path", OPTION_TEXT, &job.sound, "S",
         "what the picture should sound like (WAV, FLAC, OGG, MP3)", NULL},
        {"text", NULL, OPTION_TEXT, &job.text, "T", "what the picture should look like, in words",
         NULL},
        {"out", NULL, OPTION_TEXT, &job.out, "O.png", "where the picture goes", NULL},
        {"latent-out", NULL, OPTION_TEXT, &job.latent_out, "W.npy", "where the edited W+ code goes",
         NULL},
        MODEL_OPTIONS(job.models, true),
        {"steps", "step", OPTION_INT, &job.steps, "N", "optimisation steps (300)", &job.has_steps},
        {"lr", NULL, OPTION_FLOAT, &job.rate, "X", "Adam's learning rate (0.1; 0.05 with --face)",
         &job.has_rate},
        {"lambda-similarity", NULL, OPTION_FLOAT, &job.lambda_similarity, "X",
         "weight of the latent distance (0.002; 0.008 with --face)", &job.has_similarity},
        {"lambda-identity", NULL, OPTION_FLOAT, &job.lambda_identity, "X",
         "weight of the identity loss (0.005 with --face)", &job.has_identity},
        {"similarity", NULL, OPTION_CHOICE, &job.similarity, "cosine|hinge|directional",
         "form of the similarity loss (cosine)", NULL},
        {"margin", NULL, OPTION_FLOAT, &job.margin, "X", "of the hinge form (1)", NULL},
        {"neutral", NULL, OPTION_TEXT, &job.neutral, "T", "text the directional form starts from",
         NULL},
        {"adaptive-mask", NULL, OPTION_FLAG, &job.adaptive, NULL,
         "learn the layer weights (the default)", NULL},
        {"fixed-mask", NULL, OPTION_FLAG, &job.fixed, NULL, "all layers weigh the same", NULL},
        {"truncation", NULL, OPTION_FLOAT, &job.truncation, "X", "of a seed's latent (0.7)", NULL},
        {"invert-steps", NULL, OPTION_INT, &job.invert_steps, "N", "steps of the inversion (300)",
         NULL},
        {"conv-clamp", NULL, OPTION_FLOAT, &job.models.conv_clamp, "X",
         "generator's clamp (0 = by its kind, -1 = none)", NULL},
        {"every", NULL, OPTION_INT, &job.every, "K", "also write O-00000K.png every K steps", NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "report as JSON on stdout", NULL},
        {"dry-run", NULL, OPTION_FLAG, &job.dry_run, NULL, "memory and arithmetic only", NULL},
    };
    command_line line = {
        .usage = "edit (--image P | --seed N | --latent W.npy) (--sound S | --text T) --out O.png "
                 "--generator F --clip F [--audio F] [--vocab F] [--face F] ...",
        .about = "Optimises the W+ code of a picture until CLIP sees in it what the sound says.\n"
                 "ctrl-C keeps what was reached.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = check(&line, &job);
    if (code != EXIT_OK || done) return code;
    watch_interrupts();
    code = run(&job);
    free(job.source);
    free(job.edited);
    free(job.mask);
    free(job.pixels);
    chl_engine_close(job.engine);
    return code;
}
