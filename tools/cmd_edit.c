#include "edit_journal.h"
#include "edit_pictures.h"
#include "edit_run.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- report ----------------------------------------------------------------------------------- */
static bool is_single(const edit_job *job) {
    return job->pairs == 1;
}

/* The change outside --mask, said and put into the report where there is a mask. */
static int report_outside(edit_job *job, const float *w, const float *source, json_t *report) {
    float change;
    if (!job->ask.mask) return EXIT_OK;
    if (edit_change_outside(job, w, source, &change) != CHL_OK) return run_error();
    json_put(report, "outside", json_real((double)change));
    if (!job->json) fprintf(stderr, "; change outside the mask %.4f", (double)change);
    return EXIT_OK;
}

/* How far --explain's gradients and occlusion agree. */
static void report_explained(const edit_job *job, json_t *report) {
    const json_t *agreement = json_object_get(job->explained, "agreement");
    if (!job->explained) return;
    json_put(report, "explained", json_incref(job->explained));
    if (!job->json)
        fprintf(stderr, "; explained, rank correlation with occlusion %.2f (rows), %.2f (sound)",
                json_number_value(json_object_get(agreement, "rows")),
                json_number_value(json_object_get(agreement, "sound")));
}

/* Ends the line of text, or prints the JSON. */
static int finish_report(edit_job *job, json_t *report, const float *w, const float *source) {
    const int code = report_outside(job, w, source, report);
    report_explained(job, report);
    if (code == EXIT_OK && job->json) return print_json(report, REPORT_DIGITS);
    json_decref(report);
    if (code == EXIT_OK) fputc('\n', stderr);
    return code;
}

static int report_moved(edit_job *job, const char *out) {
    const double moved = edit_distance(job, job->edited, job->source);
    json_t *report = json_pack("{s:o, s:o, s:f, s:f}", "out", json_text(out), "direction",
                               json_text(job->ask.direction), "strength", (double)job->ask.strength,
                               "distance", moved);
    if (!job->json)
        fprintf(stderr, "%s: moved by %.4g, %g times a direction", shown(out), moved,
                (double)job->ask.strength);
    return finish_report(job, report, job->edited, job->source);
}

/* "; distance 0.598, of at most 0.6": what --keep found */
static void print_goal(const edit_job *job, int pair) {
    const chl_goal_result *r = &job->goal[pair];
    const bool identity = job->ask.goal.keep == CHL_KEEP_IDENTITY;
    const float kept = r->chosen < 0 ? (float)identity : r->point[r->chosen].kept;
    fprintf(stderr, "; %s %.4g, of at %s %g%s, %d steps", edit_keep_name(&job->ask), (double)kept,
            identity ? "least" : "most", (double)job->ask.goal.bound,
            r->slack    ? ", which no weight reaches"
            : r->within ? ""
                        : ", not reached",
            r->steps);
}

/* The optimiser's word; a search ends with another optimisation than the one that it chooses. */
static float last_cosine(const edit_job *job) {
    const chl_goal_result *r = job->goal;
    return job->ask.keep ? r->chosen < 0 ? NAN : r->point[r->chosen].cosine : job->last.cosine;
}

static int report_single(edit_job *job, bool partial) {
    const char *const outs[] = {job->out, job->strip, job->sheet, job->direction_out, job->explain};
    const char *out = outs[0];
    for (int i = 1; i < 5 && !out; i++) out = outs[i];
    if (job->ask.direction) return report_moved(job, out);
    if (!job->json) {
        fprintf(stderr, "%s: cosine with the %s %.4f after %d steps%s", shown(out),
                job->ask.text ? "text" : "sound", (double)last_cosine(job), job->last.step,
                partial ? " (stopped early)" : "");
        if (job->ask.keep) print_goal(job, 0);
        return finish_report(job, json_object(), job->edited, job->source);
    }
    json_t *mask = json_array();
    for (int i = 0; i < job->size.rows; i++) json_add(mask, json_real((double)job->mask[i]));
    if (job->ask.keep) {
        json_decref(mask);
        const float cosine = last_cosine(job);
        return finish_report(job,
                             json_pack("{s:o, s:b, s:i, s:o, s:f, s:o}", "out", json_text(out),
                                       "partial", partial, "step", job->last.step, "cosine",
                                       isnan(cosine) ? json_null() : json_real((double)cosine),
                                       "seconds", job->last.seconds, "goal",
                                       edit_goal_report(&job->ask, job->goal)),
                             job->edited, job->source);
    }
    return finish_report(job,
                         json_pack("{s:o,s:b,s:i,s:i,s:f,s:f,s:f,s:f,s:f,s:o}", "out",
                                   json_text(out), "partial", partial, "step", job->last.step,
                                   "steps", job->last.steps, "cosine", (double)job->last.cosine,
                                   "similarity_loss", (double)job->last.similarity_loss,
                                   "latent_loss", (double)job->last.latent_loss, "identity_loss",
                                   (double)job->last.identity_loss, "seconds", job->last.seconds,
                                   "layer_mask", mask),
                         job->edited, job->source);
}

/* One line or JSON object for a code: which, how near its target, how far from its source. */
static int describe(edit_job *job, const float *w, int pair, const char *kind, json_t *list) {
    char source[256], target[256];
    float cosine = 0;
    edit_source_name(job, pair / job->targets, source, sizeof source);
    edit_target_name(job, pair % job->targets, target, sizeof target);
    const float *aim = job->target + (size_t)pair * (size_t)job->size.embedding;
    if (!job->ask.direction && edit_cosine(job, w, aim, &cosine) != CHL_OK) return run_error();
    const double moved = edit_distance(job, w, edit_code(job, job->source, pair));
    json_t *entry = json_pack(
        "{s:o,s:o,s:o,s:f}", "source", json_text(source), "target", json_text(target), "cosine",
        job->ask.direction ? json_null() : json_real((double)cosine), "distance", moved);
    if (edit_by_level(job)) {
        const float level = job->level[pair % job->targets];
        json_put(entry, "gain_db", json_real((double)level));
        snprintf(target + strlen(target), sizeof target - strlen(target), " at %+g dB",
                 (double)level);
    }
    if (job->ask.keep) json_put(entry, "goal", edit_goal_report(&job->ask, &job->goal[pair]));
    json_add(list, entry);
    if (!job->json) {
        fprintf(stderr, "%s, %s: ", shown(source), shown(target));
        if (!job->ask.direction) fprintf(stderr, "%scosine %.4f, ", kind, (double)cosine);
        fprintf(stderr, "moved by %.4g", moved);
        if (job->ask.keep) print_goal(job, pair);
    }
    const int code = report_outside(job, w, edit_code(job, job->source, pair), entry);
    if (!job->json) fputc('\n', stderr);
    return code;
}

static int report_many(edit_job *job, bool partial) {
    json_t *edits = json_array(), *mixed = json_array();
    int code = EXIT_OK;
    for (int pair = 0; pair < job->pairs && code == EXIT_OK; pair++)
        if (job->reached[pair])
            code = describe(job, edit_code(job, job->edited, pair), pair, "", edits);
    for (int pair = 0; job->ask.mix && pair < job->pairs && code == EXIT_OK; pair++) {
        const float *w = edit_result(job, pair / 2, 0);
        if (w) code = describe(job, w, pair, "mixed: ", mixed);
    }
    json_t *whole = json_pack("{s:b,s:i,s:f,s:o,s:o}", "partial", partial, "steps", job->last.steps,
                              "seconds", job->seconds, "edits", edits, "mixed", mixed);
    const char *const written[] = {job->out, job->strip, job->sheet, job->direction_out};
    const char *const keys[] = {"out", "strip", "sheet", "direction_out"};
    for (int i = 0; i < 4; i++)
        if (written[i]) json_put(whole, keys[i], json_text(written[i]));
    if (job->json && code == EXIT_OK) return print_json(whole, REPORT_DIGITS);
    json_decref(whole);
    return code;
}

/* --- run -------------------------------------------------------------------------------------- */
static int save(edit_job *job, bool partial) {
    int code = job->latent_out ? edit_write_latents(job) : EXIT_OK;
    if (code == EXIT_OK && job->direction_out) code = edit_write_directions(job);
    if (code == EXIT_OK && job->keep_plot) code = edit_write_keep_plot(job);
    if (code == EXIT_OK && job->explain) code = edit_write_explanation(job);
    if (code == EXIT_OK && job->strip) code = edit_write_strip(job);
    if (code == EXIT_OK && job->sheet) code = edit_write_sheet(job);
    if (code != EXIT_OK) return code;
    if (!is_single(job)) return report_many(job, partial);
    return report_single(job, partial);
}

static int run(edit_job *job) {
    int code = edit_prepare(job);
    if (code != EXIT_OK || job->dry_run) return code;
    chl_status status = edit_optimise(job);
    if (job->snapshot != CHL_OK) return EXIT_RUN;
    if (job->writing != CHL_OK) return run_error();
    if (status == CHL_OK) {
        code = save(job, false);
        edit_journal_close(job, code == EXIT_OK);
        return code;
    }
    code = status == CHL_ERR_CANCELLED ? interrupt_code() : run_error();
    if (!job->reached[0]) return code; /* nothing better than the source exists */
    int saved = save(job, true);
    edit_journal_close(job, status == CHL_ERR_NUMERIC && saved == EXIT_OK); /* all were tried */
    return saved == EXIT_OK ? code : saved;
}

/* --- command line ----------------------------------------------------------------------------- */
static int check_targets(const command_line *line, const edit_job *job) {
    const bool sound = job->sound.count > 0, both = sound && job->ask.text;
    if (sound && job->ask.direction)
        return usage_error(line, "--direction and --sound exclude each other");
    if (job->ask.direction && (job->every || job->dry_run))
        return usage_error(line, "--direction adds a direction without an optimisation: leave out "
                                 "--every and --dry-run");
    if (!sound && !job->ask.text && !job->ask.direction)
        return usage_error(line, "give one of --sound, --text, --direction");
    if (both && !job->ask.mix) return usage_error(line, "--sound and --text together need --mix");
    if (job->ask.mix && (!both || job->sound.count > 1))
        return usage_error(line, "--mix needs one --sound and one --text");
    if (job->sheet && job->ask.mix)
        return usage_error(line, "--sheet and --mix exclude each other: use --strip for a mix");
    if (sound && !job->ask.models.audio) return usage_error(line, "--sound needs --audio");
    if (job->ask.models.sound_texts && !sound)
        return usage_error(line, "--sound-texts needs --sound");
    if ((job->ask.text || job->ask.neutral) && !job->ask.models.vocab)
        return usage_error(line, "a text needs --vocab");
    return EXIT_OK;
}

static int check(const command_line *line, const edit_job *job) {
    if ((job->ask.image != NULL) + (job->ask.latent != NULL) + (job->seeds != NULL) != 1)
        return usage_error(line, "give one of --image, --seed, --latent");
    int code = check_targets(line, job);
    if (code != EXIT_OK) return code;
    if (!job->ask.models.generator) return usage_error(line, "--generator is missing");
    if (!job->ask.models.clip && !job->ask.direction) return usage_error(line, "--clip is missing");
    if (!job->out && !job->strip && !job->sheet && !job->direction_out && !job->explain &&
        !job->dry_run)
        return usage_error(line, "--out is missing (or --strip, --sheet, --explain, "
                                 "--direction-out)");
    const char *wrong = edit_settings_wrong(&job->ask);
    if (wrong) return usage_error(line, "%s", wrong);
    if (job->strip_steps < 0 || job->strip_steps > 100 || (job->strip_steps && job->ask.mix))
        return usage_error(line, "--strip-steps must be in [0, 100], and 0 with --mix, got %d",
                           job->strip_steps);
    if (job->explain && (job->sound.count != 1 || job->ask.mix))
        return usage_error(line, "--explain needs one --sound, and no --mix");
    if (job->explain && job->ask.models.sound_texts)
        return usage_error(line, "--explain and --sound-texts exclude each other: it says what the "
                                 "sound encoder heard");
    if (job->keep_plot && !job->ask.keep) return usage_error(line, "--keep-plot needs --keep");
    if (job->ask.keep && (job->every || job->strip_steps))
        return usage_error(line, "--keep searches: leave out --every and --strip-steps");
    if (job->batch < 1) return usage_error(line, "--batch must be >= 1, got %d", job->batch);
    if (job->tuned_out && job->ask.tune == 0) return usage_error(line, "--save-tuned needs --tune");
    if (job->inverted_out && !job->ask.image)
        return usage_error(line, "--save-inverted needs --image");
    if (job->embed_recipe && !job->out) return usage_error(line, "--embed-recipe needs --out");
    if (job->gain != 0 && !job->sound.count) return usage_error(line, "--level needs --sound");
    if (job->gain != 0 && edit_by_level(job))
        return usage_error(line, "--level and --sheet of one sound exclude each other");
    if (job->every < 0) return usage_error(line, "--every must be >= 0, got %d", job->every);
    return EXIT_OK;
}

/* What can only be said once sources and targets are counted. */
static int check_counts(const command_line *line, const edit_job *job) {
    if (job->explain && !is_single(job))
        return usage_error(line, "--explain is of one edit: one source by one sound");
    if (job->every > 0 && (!is_single(job) || !job->out))
        return usage_error(line, "--every works for one edit with --out only");
    if (edit_by_level(job) && job->full_level < 0 &&
        (job->out || job->strip || job->latent_out || job->direction_out))
        return usage_error(line,
                           "--out, --strip and --latent-out beside --sheet are of 0 dB, which "
                           "--sheet-levels must contain, got %s",
                           job->levels);
    const int code = edit_check_names(line, job);
    return code != EXIT_OK || job->dry_run ? code : edit_check_outputs(line, job);
}

int command_edit(int argc, char **argv) {
    edit_job job = {.ask = edit_defaults(), .batch = 4, .levels = "-24,-18,-12,-6,0"};
    const option options[] = {
        {"image", NULL, OPTION_INPUT, &job.ask.image, "P",
         "picture to edit (PNG, JPEG, WebP, HEIC); it is inverted first", NULL},
        {"seed", "seeds", OPTION_TEXT, &job.seeds, "N",
         "seed of the picture to edit, or several: 1,5,8-10", NULL},
        {"latent", NULL, OPTION_INPUT, &job.ask.latent, "W.npy|W.npz|W.pt", "W+ code to edit",
         NULL},
        {"sound", "audio-path", OPTION_INPUTS, &job.sound, "S",
         "sound that guides the edit (WAV, FLAC, OGG, MP3); given several times: one edit per "
         "sound",
         NULL},
        {"level", NULL, OPTION_FLOAT, &job.gain, "DB", "gain of the sounds in dB (default 0)",
         NULL},
        {"text", NULL, OPTION_TEXT, &job.ask.text, "T", "text that guides the edit", NULL},
        {"mix", NULL, OPTION_TEXT, &job.ask.mix, "linear:A|rows:K",
         "mix the edits by --text and --sound: A text + (1-A) sound (default 0.5), or the first K "
         "rows from the sound (default half of them)",
         NULL},
        {"out", NULL, OPTION_OUTPUT, &job.out, "O.png",
         "file for the edited picture; a folder for several", NULL},
        {"embed-recipe", NULL, OPTION_FLAG, &job.embed_recipe, NULL,
         "write into each picture of --out how it was made, and beside it as O.json (chladni "
         "replay)",
         NULL},
        {"latent-out", NULL, OPTION_OUTPUT, &job.latent_out, "W.npy",
         "file for the edited W+ codes", NULL},
        {"direction-out", NULL, OPTION_OUTPUT, &job.direction_out, "D.npy",
         "file for the direction, edited code minus source code, with D.json beside it; a folder "
         "for several (chladni direction)",
         NULL},
        DIRECTION_OPTIONS(job.ask),
        {"strip", NULL, OPTION_OUTPUT, &job.strip, "P.png",
         "picture of source and edit side by side; with --mix: source, text, sound, mix", NULL},
        {"strip-steps", NULL, OPTION_INT, &job.strip_steps, "N",
         "number of intermediate steps shown between them (default 0)", NULL},
        {"sheet", NULL, OPTION_OUTPUT, &job.sheet, "P.png",
         "table of pictures, a row per seed: the source, then an edit per sound, or edits by one "
         "sound at rising level",
         NULL},
        {"sheet-levels", NULL, OPTION_TEXT, &job.levels, "DB,...",
         "gains in dB for the sheet of one sound (default -24,-18,-12,-6,0)", NULL},
        SETTINGS_OPTIONS(job.ask),
        {"explain", NULL, OPTION_OUTPUT, &job.explain, "E.png",
         "picture of what moved what: parts of the sound and rows of the code, by gradients, and "
         "how far occlusion agrees",
         NULL},
        {"save-inverted", NULL, OPTION_OUTPUT, &job.inverted_out, "W.npy",
         "file for the W+ code of --image that the edit begins at: a --latent of later edits, or "
         "one of --sources of eval edits",
         NULL},
        {"save-tuned", NULL, OPTION_OUTPUT, &job.tuned_out, "T.safetensors",
         "file for the generator that --tune made, a --generator of later edits, with the photo's "
         "code beside it as T.npy (--latent)",
         NULL},
        {"keep-plot", NULL, OPTION_OUTPUT, &job.keep_plot, "P.png",
         "picture of what --keep tried: the cosine with the target over what is kept", NULL},
        {"batch", NULL, OPTION_INT, &job.batch, "N",
         "edits optimised at once (default 4); memory is proportional to it, and a seed's picture "
         "depends on which edits share its batch",
         NULL},
        {"every", NULL, OPTION_INT, &job.every, "K",
         "also write O-00000K.png every K steps (default 0: never)", NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
        {"dry-run", NULL, OPTION_FLAG, &job.dry_run, NULL,
         "print the memory and arithmetic of a batch of edits, without doing it", NULL},
    };
    command_line line = {
        .usage = "edit (--image P | --seed N | --latent W.npy) (--sound S | --text T | --direction "
                 "D.npy) --out O.png "
                 "--generator F --clip F [--audio F] [--vocab F] [--face F] [--encoder F] ...",
        .about =
            "Optimises the W+ code of a picture towards the embedding of a sound or text (Eq. "
            "14).\n"
            "Several seeds or sounds: an edit of every seed by every sound; O is then a folder, "
            "and\n"
            "pictures are written as they are finished. The same command continues after a kill.\n"
            "ctrl-C stops and keeps the picture reached so far, in --tune the generator too.",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done)
        code = take_generator_flags(&line, &job.ask.generator, &job.ask.models);
    if (code == EXIT_OK && !done) code = check(&line, &job);
    if (code == EXIT_OK && !done) code = edit_read_choices(&line, &job);
    if (code == EXIT_OK && !done) code = check_counts(&line, &job);
    if (code == EXIT_OK && !done) {
        watch_interrupts();
        code = run(&job);
    }
    edit_release(&job);
    return code;
}
