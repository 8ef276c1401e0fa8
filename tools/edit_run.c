/* `edit`: sources and targets as codes and embeddings, then the optimisations. */
#include "edit_run.h"
#include "edit_journal.h"
#include "edit_pictures.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- sources ---------------------------------------------------------------------------------- */
static int on_inversion(void *user, const chl_edit_progress *progress) {
    edit_job *job = user;
    progress_show(&job->line, progress);
    return interrupted();
}

static chl_status invert_image(edit_job *job) {
    float *pixels;
    chl_status status = chl_picture_read_square(job->ask.image, job->size.picture, &pixels);
    if (status != CHL_OK) return status;
    chl_invert_options options = chl_invert_defaults(job->engine);
    if (job->ask.invert_steps > 0) options.steps = job->ask.invert_steps;
    options.progress = on_inversion;
    options.user = job;
    job->line = progress_start("inverting", job->json);
    status = chl_invert(job->engine, &options, pixels, job->source);
    progress_end(&job->line);
    chl_release(pixels);
    if (status != CHL_OK || !job->inverted_out) return status;
    const int64_t dim[] = {job->size.rows, job->size.latent};
    return chl_array_write(job->inverted_out, 2, dim, job->source);
}

/* The code that the weights are tuned at lies beside them: later edits begin there. */
static chl_status save_tuned(const edit_job *job) {
    const int64_t dim[] = {job->size.rows, job->size.latent};
    char *code = edit_tuned_code_path(job);
    chl_status status = chl_write_generator(job->engine, job->tuned_out);
    if (!code) status = command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (status == CHL_OK) status = chl_array_write(code, 2, dim, job->source);
    free(code);
    return status;
}

static int on_tuning(void *user, const chl_edit_progress *progress) {
    edit_job *job = user;
    job->last = *progress;
    return on_inversion(job, progress);
}

/* CHL_ERR_CANCELLED: the weights reached are the generator's, and saved too. */
static chl_status tune(edit_job *job) {
    job->line = progress_start("tuning", job->json);
    const chl_status status = one_edit_tune(job->engine, &job->ask, on_tuning, job, job->source);
    progress_end(&job->line);
    if ((status != CHL_OK && status != CHL_ERR_CANCELLED) || !job->tuned_out) return status;
    const chl_status saved = save_tuned(job);
    return saved == CHL_OK ? status : saved;
}

static int report_stopped_tuning(const edit_job *job, bool written) {
    const chl_edit_progress *last = &job->last;
    const char *const kept[] = {written ? job->out : NULL, job->strip, job->sheet, job->tuned_out};
    const char *const keys[] = {"out", "strip", "sheet", "save_tuned"};
    json_t *report = json_pack("{s:b, s:i, s:{s:i, s:i, s:f, s:f}}", "partial", true, "step", 0,
                               "tuning", "step", last->step, "steps", last->steps, "pixel_loss",
                               (double)last->latent_loss, "seconds", last->seconds);
    bool any = false;
    for (int i = 0; i < 4; i++) {
        if (!kept[i]) continue;
        json_put(report, keys[i], json_text(kept[i]));
        if (!job->json) fprintf(stderr, "%s%s", any ? ", " : "", shown(kept[i]));
        any = true;
    }
    if (job->json) return print_json(report, REPORT_DIGITS);
    json_decref(report);
    fprintf(stderr, "%s after %d of %d steps of tuning, before any edit (stopped early)\n",
            any ? ": kept" : "nothing is kept", last->step, last->steps);
    return EXIT_OK;
}

/* The inverted picture in the generator as far as it is tuned; several edits' pictures do not exist. */
static int keep_tuning(edit_job *job) {
    const bool written = job->out && job->sources * edit_results(job) == 1;
    int code = EXIT_OK;
    if (written && edit_write_source(job) != CHL_OK) code = run_error();
    if (code == EXIT_OK && job->strip) code = edit_write_strip(job);
    if (code == EXIT_OK && job->sheet) code = edit_write_sheet(job);
    if (code == EXIT_OK) code = report_stopped_tuning(job, written);
    return code == EXIT_OK ? interrupt_code() : code;
}

static chl_status read_latent(edit_job *job) {
    float *code;
    int count;
    const chl_status status = read_latents(job->ask.latent, &job->size, 1, &count, &code);
    if (status != CHL_OK) return status;
    memcpy(job->source, code, sizeof(float) * edit_code_numbers(job));
    chl_release(code);
    return CHL_OK;
}

static chl_status find_sources(edit_job *job) {
    const size_t numbers = edit_code_numbers(job);
    for (int s = 0; s < job->sources; s++) {
        float *first = job->source + (size_t)s * (size_t)job->targets * numbers;
        chl_status status = job->ask.image    ? invert_image(job)
                            : job->ask.latent ? read_latent(job)
                                              : chl_seed_latent(job->engine, job->seed[s],
                                                                job->ask.truncation, first);
        if (status != CHL_OK) return status;
        for (int t = 1; t < job->targets; t++)
            memcpy(first + (size_t)t * numbers, first, sizeof(float) * numbers);
    }
    return CHL_OK;
}

/* --- targets ---------------------------------------------------------------------------------- */
static chl_status find_target(edit_job *job, int t, float *embedding) {
    if (edit_by_level(job))
        return chl_embed_sound_level(job->engine, job->sound.item[0], job->level[t], embedding);
    if (job->ask.text && t == 0) return chl_embed_text(job->engine, job->ask.text, embedding);
    return chl_embed_sound_level(job->engine, job->sound.item[job->ask.mix ? 0 : t], job->gain,
                                 embedding);
}

static chl_status find_targets(edit_job *job) {
    const size_t width = (size_t)job->size.embedding;
    chl_status status = CHL_OK;
    if (job->ask.direction) return CHL_OK;
    if (job->ask.neutral)
        status = chl_embed_text(job->engine, job->ask.neutral, job->neutral_embedding);
    for (int t = 0; t < job->targets && status == CHL_OK; t++)
        status = find_target(job, t, job->target + (size_t)t * width);
    for (int pair = job->targets; pair < job->pairs && status == CHL_OK; pair++)
        memcpy(job->target + (size_t)pair * width,
               job->target + (size_t)(pair % job->targets) * width, sizeof(float) * width);
    return status;
}

/* --- the optimisations ------------------------------------------------------------------------ */
static int trail_step(const edit_job *job, int between, int steps) {
    return (int)((int64_t)steps * (between + 1) / (job->strip_steps + 1));
}

static void keep_trail(edit_job *job, const chl_edit_progress *progress, int count) {
    const size_t numbers = edit_code_numbers(job);
    for (int i = 0; i < job->strip_steps; i++)
        if (trail_step(job, i, progress->steps) == progress->step)
            memcpy(job->trail + ((size_t)i * (size_t)job->pairs + (size_t)job->at) * numbers,
                   progress->w, sizeof(float) * (size_t)count * numbers);
}

static int batch_at(const edit_job *job) {
    return job->pairs - job->at < job->batch ? job->pairs - job->at : job->batch;
}

static int on_progress(void *user, const chl_edit_progress *progress) {
    edit_job *job = user;
    progress_show(&job->line, progress);
    job->last = *progress;
    if (job->strip) keep_trail(job, progress, batch_at(job));
    if (job->every > 0 && progress->step % job->every == 0) {
        job->snapshot = edit_write_snapshot(job, progress);
        if (job->snapshot != CHL_OK) { /* said now: stopping has an error text of its own */
            progress_end(&job->line);
            run_error();
            return 1;
        }
    }
    return interrupted();
}

static chl_edit_options edit_options(edit_job *job) {
    chl_edit_options options =
        edit_library_options(&job->ask, job->engine, job->neutral_embedding, job->region);
    options.progress = on_progress;
    options.user = job;
    return options;
}

static chl_status optimise_batch(edit_job *job, const chl_edit_options *options) {
    const size_t numbers = edit_code_numbers(job), at = (size_t)job->at;
    const int count = batch_at(job);
    char what[64] = "editing";
    if (job->pairs > job->batch)
        snprintf(what, sizeof what, "editing %d-%d of %d", job->at + 1, job->at + count,
                 job->pairs);
    job->line = progress_start(what, job->json);
    job->last = (chl_edit_progress){0};
    chl_status status =
        edit_many(job->engine, &job->ask, options, count, job->source + at * numbers,
                  job->target + at * (size_t)job->size.embedding, job->edited + at * numbers,
                  job->mask + at * (size_t)job->size.rows, job->ask.keep ? job->goal + at : NULL);
    progress_end(&job->line);
    job->seconds += job->last.seconds;
    for (int i = 0; i < count; i++) job->reached[job->at + i] = job->last.step;
    return status;
}

/* Of the sources whose second edit is among `count` from job->at. */
static chl_status mix_edits(edit_job *job, int count) {
    const size_t numbers = edit_code_numbers(job);
    const float amount = edit_mix_amount(&job->ask, job->size.rows);
    for (int s = job->at / 2; 2 * s + 1 < job->at + count; s++) {
        chl_status status = chl_mix_latents(
            job->engine, job->ask.mix_kind, amount, edit_code(job, job->edited, 2 * s),
            edit_code(job, job->edited, 2 * s + 1), job->mixed + (size_t)s * numbers);
        if (status != CHL_OK) return status;
    }
    return CHL_OK;
}

static void report_broken(const edit_job *job) {
    char which[64];
    snprintf(which, sizeof which, "edits %d-%d: ", job->at + 1, job->at + batch_at(job));
    say_error(which);
}

/* An earlier run of this command finished the batch. */
static bool take_finished(edit_job *job, const chl_edit_options *options) {
    const int count = batch_at(job);
    if (!edit_journal_read(job, count)) return false;
    const int steps = chl_edit_steps(options);
    if (!job->json)
        fprintf(stderr, "edits %d-%d of %d were finished before\n", job->at + 1, job->at + count,
                job->pairs);
    for (int i = 0; i < count; i++) job->reached[job->at + i] = steps;
    job->last = (chl_edit_progress){.step = steps, .steps = steps};
    return true;
}

/* What was reached is written before the next batch begins. */
static chl_status do_batch(edit_job *job, const chl_edit_options *options) {
    const int count = batch_at(job);
    const bool finished = take_finished(job, options);
    const chl_status status = finished ? CHL_OK : optimise_batch(job, options);
    const bool reached = status == CHL_OK || status == CHL_ERR_CANCELLED;
    if (!reached && status != CHL_ERR_NUMERIC) return status;
    if (status == CHL_ERR_NUMERIC && job->at + job->batch < job->pairs) report_broken(job);
    if (job->ask.mix) job->writing = mix_edits(job, count);
    if (job->writing == CHL_OK) job->writing = edit_write_results(job, count);
    if (job->writing != CHL_OK) return job->writing;
    if (status == CHL_OK && !finished) edit_journal_write(job, count);
    return status;
}

/* w_s + strength d; on the way there, smaller strengths. */
static chl_status move_pair(edit_job *job, int pair) {
    const size_t numbers = edit_code_numbers(job);
    const float *from = edit_code(job, job->source, pair);
    float *to = job->edited + (size_t)pair * numbers;
    const chl_status status = one_edit_move(job->engine, &job->files, &job->ask, from, to);
    for (int i = 0; status == CHL_OK && i < job->strip_steps; i++) {
        float *between = job->trail + ((size_t)i * (size_t)job->pairs + (size_t)pair) * numbers;
        const float share = (float)(i + 1) / (float)(job->strip_steps + 1);
        for (size_t k = 0; k < numbers; k++) between[k] = from[k] + share * (to[k] - from[k]);
    }
    job->reached[pair] = status == CHL_OK;
    return status;
}

static chl_status move_all(edit_job *job) {
    chl_status status = CHL_OK;
    job->at = 0;
    job->last = (chl_edit_progress){.step = 1, .steps = 1};
    for (int pair = 0; pair < job->pairs && status == CHL_OK; pair++) status = move_pair(job, pair);
    if (status == CHL_OK) status = job->writing = edit_write_results(job, job->pairs);
    return status;
}

chl_status edit_optimise(edit_job *job) {
    if (job->ask.direction) return move_all(job);
    chl_edit_options options = edit_options(job);
    chl_status status = CHL_OK;
    job->at = 0;
    /* an amount that makes no sense is found here, not after the optimisation */
    if (job->ask.mix) status = mix_edits(job, job->pairs);
    edit_journal_open(job, &options);
    bool broken = false; /* some edits: the others are finished */
    for (; job->at < job->pairs && status == CHL_OK; job->at += job->batch) {
        status = do_batch(job, &options);
        if (status != CHL_ERR_NUMERIC) continue;
        broken = true;
        status = CHL_OK;
    }
    return broken && status == CHL_OK ? CHL_ERR_NUMERIC : status;
}

/* What is done to the picture before the edit. */
typedef struct stage_cost {
    const char *name, *state;
    int steps; /* 0: it is not done, or by the encoder alone */
    bool done;
    chl_cost cost;
} stage_cost;

enum { STAGES = 2 };

static chl_status stage_costs(const edit_job *job, stage_cost stage[STAGES]) {
    chl_invert_options inversion = chl_invert_defaults(job->engine);
    if (job->ask.invert_steps > 0) inversion.steps = job->ask.invert_steps;
    stage[0] = (stage_cost){"inversion", "", inversion.steps, job->ask.image != NULL, {0}};
    stage[1] = (stage_cost){
        "tuning", " (weights that move, Adam's moments)", job->ask.tune, job->ask.tune > 0, {0}};
    chl_status status = CHL_OK;
    if (stage[0].done) status = chl_invert_cost(job->engine, &inversion, &stage[0].cost);
    if (status == CHL_OK && stage[1].done)
        status = chl_tune_cost(job->engine, NULL, &stage[1].cost);
    return status;
}

static void print_stage(const stage_cost *stage) {
    const chl_cost *cost = &stage->cost;
    printf("%s, before it, %d steps\n"
           "weights      %8.1f MB\nactivations  %8.1f MB\n"
           "state        %8.1f MB%s\n"
           "a step       %8.2f GFLOP, %d nodes\n",
           stage->name, stage->steps, 1e-6 * (double)cost->weight_bytes,
           1e-6 * (double)cost->activation_bytes, 1e-6 * (double)cost->state_bytes, stage->state,
           1e-9 * cost->flops_step, cost->nodes);
}

static void report_stage(const stage_cost *stage, json_t *report) {
    const chl_cost *cost = &stage->cost;
    json_put(report, stage->name,
             json_pack("{s:i,s:I,s:I,s:I,s:f,s:i}", "steps", stage->steps, "weight_bytes",
                       (json_int_t)cost->weight_bytes, "activation_bytes",
                       (json_int_t)cost->activation_bytes, "state_bytes",
                       (json_int_t)cost->state_bytes, "flops_step", cost->flops_step, "nodes",
                       cost->nodes));
}

static int dry_run(edit_job *job) {
    chl_edit_options options = edit_options(job);
    const int batch = job->pairs < job->batch ? job->pairs : job->batch;
    chl_cost cost;
    stage_cost stage[STAGES];
    if (chl_edit_many_cost(job->engine, &options, batch, &cost) != CHL_OK ||
        stage_costs(job, stage) != CHL_OK)
        return run_error();
    if (job->json) {
        json_t *report = json_pack("{s:i,s:I,s:I,s:I,s:f,s:f,s:i}", "batch", batch, "weight_bytes",
                                   (json_int_t)cost.weight_bytes, "activation_bytes",
                                   (json_int_t)cost.activation_bytes, "state_bytes",
                                   (json_int_t)cost.state_bytes, "flops_setup", cost.flops_setup,
                                   "flops_step", cost.flops_step, "nodes", cost.nodes);
        for (int k = 0; k < STAGES; k++)
            if (stage[k].done) report_stage(&stage[k], report);
        return print_json(report, REPORT_DIGITS);
    }
    printf("%d edit%s at once\n"
           "weights      %8.1f MB (packed ones too)\nactivations  %8.1f MB\nstate        %8.1f MB\n"
           "setup        %8.2f GFLOP\na step       %8.2f GFLOP, %d nodes\n",
           batch, batch == 1 ? "" : "s", 1e-6 * (double)cost.weight_bytes,
           1e-6 * (double)cost.activation_bytes, 1e-6 * (double)cost.state_bytes,
           1e-9 * cost.flops_setup, 1e-9 * cost.flops_step, cost.nodes);
    for (int k = 0; k < STAGES; k++)
        if (stage[k].done) print_stage(&stage[k]);
    return EXIT_OK;
}

/* --- begin and end ---------------------------------------------------------------------------- */
static bool allocate(edit_job *job) {
    const size_t code = sizeof(float) * edit_code_numbers(job), pairs = (size_t)job->pairs;
    job->source = calloc(pairs, code + 1);
    job->edited = calloc(pairs, code + 1);
    job->mask = calloc(pairs, sizeof(float) * (size_t)job->size.rows + 1);
    job->target = calloc(pairs, sizeof(float) * (size_t)job->size.embedding + 1);
    job->mixed = calloc((size_t)job->sources, code + 1);
    job->trail = calloc(pairs * (size_t)job->strip_steps + 1, code + 1);
    job->goal = calloc(job->ask.keep ? pairs : 1, sizeof *job->goal);
    job->reached = calloc(pairs, sizeof *job->reached);
    job->region = calloc((size_t)job->size.picture * (size_t)job->size.picture + 1, sizeof(float));
    return job->source && job->edited && job->mask && job->target && job->mixed && job->trail &&
           job->goal && job->reached && job->region;
}

int edit_prepare(edit_job *job) {
    if (chl_engine_open(&job->ask.models, &job->engine) != CHL_OK) return run_error();
    job->size = chl_engine_get_sizes(job->engine);
    if (!allocate(job)) {
        fputs("chladni: out of memory\n", stderr);
        return EXIT_RUN;
    }
    chl_status status = CHL_OK;
    if (job->ask.mask) status = edit_read_region(&job->ask, job->size.picture, job->region);
    if (status != CHL_OK) return run_error();
    if (job->dry_run) return dry_run(job);
    status = find_targets(job); /* cheap and likelier to fail: before any inversion */
    if (status == CHL_OK) status = find_sources(job);
    const bool found = status == CHL_OK;
    if (found && job->ask.tune > 0) status = tune(job);
    if (status == CHL_ERR_CANCELLED) return found ? keep_tuning(job) : interrupt_code();
    return status == CHL_OK ? EXIT_OK : run_error();
}

void edit_release(edit_job *job) {
    edit_journal_close(job, false);
    void *all[] = {job->source, job->edited,  job->mask,       job->target, job->mixed, job->trail,
                   job->seed,   job->reached, job->sound.item, job->goal,   job->region};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    json_decref(job->explained);
    file_digests_free(&job->files);
    chl_engine_close(job->engine);
}
