/* `replay`: the edit of a picture's recipe, again. */
#include "outputs.h"
#include "recipe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct replay {
    const char *picture, *out, *as; /* picture: or the recipe beside it */
    bool json;
    one_edit given; /* files and device that the command line names instead of the recipe's */
    json_t *recipe;
    one_edit e;
    file_digests files;
    int step;   /* at which the edit ended */
    int differ; /* files whose contents are not the recipe's */
    progress_line line;
} replay;

/* --- files ------------------------------------------------------------------------------------ */
/* A file that the recipe does without would make another edit. */
static int check_given(const command_line *line, const replay *r) {
    const chl_engine_options *models = &r->given.ask.models;
    const struct {
        const char *flag, *path, *what;
    } file[] = {{"encoder", models->encoder, "encoder"},
                {"face", models->face, "face encoder"},
                {"mask", r->given.ask.mask, "mask"}};
    const json_t *options = json_object_get(r->recipe, "options");
    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++)
        if (file[i].path && !json_object_get(options, file[i].flag))
            return usage_error(line, "--%s: the recipe of %s has no %s: leave it out", file[i].flag,
                               r->picture, file[i].what);
    return EXIT_OK;
}

/* What the command line names takes the place of the recipe's. */
static int take_given(const command_line *line, replay *r) {
    const int code = check_given(line, r);
    if (code != EXIT_OK) return code;
    json_t *given = one_edit_options(&r->given), *value;
    const char *flag;
    json_object_foreach(given, flag, value) {
        json_put(json_object_get(r->recipe, "options"), flag, json_incref(value));
    }
    json_decref(given);
    return recipe_edit(r->picture, r->recipe, &r->e) == CHL_OK ? EXIT_OK : run_error();
}

static int check_file(replay *r, const char *flag, const char *expected) {
    const char *path =
        json_string_value(json_object_get(json_object_get(r->recipe, "options"), flag));
    const char *digest = path ? file_digest(&r->files, path) : NULL;
    if (!digest) {
        char before[160];
        snprintf(before, sizeof before, "the recipe's %.32s (say where it is by --%.32s): ", flag,
                 flag);
        say_error(before);
        return EXIT_RUN;
    }
    if (strcmp(digest, expected) == 0) return EXIT_OK;
    r->differ++;
    fprintf(stderr,
            "chladni: warning: %s: the contents are not those that the picture was made with: "
            "SHA-256 %.16s..., expected %.16s...\n",
            shown(path), digest, expected);
    return EXIT_OK;
}

static int check_files(replay *r) {
    json_t *digests = json_object_get(r->recipe, "sha256"), *value;
    const char *flag, *version = json_string_value(json_object_get(r->recipe, "chladni"));
    int code = EXIT_OK;
    if (version && strcmp(version, chl_version()) != 0)
        fprintf(stderr, "chladni: warning: the picture was made by version %s, this is %s\n",
                shown(version), chl_version());
    json_object_foreach(digests, flag, value) {
        if (code == EXIT_OK && json_is_string(value))
            code = check_file(r, flag, json_string_value(value));
    }
    return code;
}

/* --- the command ------------------------------------------------------------------------------ */
/* false without memory */
static bool print_command(FILE *to, const replay *r, const char *name) {
    json_t *options = json_object_get(r->recipe, "options"), *value;
    const int at_once =
        (int)json_integer_value(json_array_get(json_object_get(r->recipe, "at_once"), 0));
    const char *flag;
    bool whole = true;
    fprintf(to, "#!/bin/sh\n# by chladni %s\n", chl_version());
    if (at_once > 1)
        fprintf(to,
                "# %d edits were optimised at once; alone, on a GPU rounding differs, and `chladni "
                "replay` gives the same pixels\n",
                at_once);
    fputs("exec chladni edit", to);
    json_object_foreach(options, flag, value) {
        const option *o = option_named(one_edit_table(), flag);
        fprintf(to, " \\\n    --%s", flag);
        if (o->kind == OPTION_FLAG) continue;
        fputc(' ', to);
        whole = print_quoted(to, json_string_value(value)) && whole;
    }
    fputs(" \\\n    --out ", to);
    whole = print_quoted(to, name) && whole;
    fputs(" \"$@\"\n", to);
    return whole;
}

static int write_script(const replay *r) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    const char *slash = strrchr(r->picture, '/');
    bool whole = to && print_command(to, r, r->out ? r->out : slash ? slash + 1 : r->picture);
    whole = to && close_text(to) && whole;
    chl_status status = whole ? chl_file_write(r->as, text, size)
                              : command_fail(CHL_ERR_MEMORY, "out of memory for the command");
    free(text);
    struct stat about;
    if (status == CHL_OK && stat(r->as, &about) == 0 && S_ISREG(about.st_mode) &&
        chmod(r->as, about.st_mode | (about.st_mode & 0444) >> 2) != 0)
        fprintf(stderr, "chladni: warning: %s: cannot be made executable\n", shown(r->as));
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* --- the edit --------------------------------------------------------------------------------- */
static int on_progress(void *user, const chl_edit_progress *progress) {
    replay *r = user;
    progress_show(&r->line, progress);
    return interrupted() || progress->step == r->step;
}

static int on_inversion(void *user, const chl_edit_progress *progress) {
    replay *r = user;
    progress_show(&r->line, progress);
    return interrupted();
}

/* Alone; where a result depends on how many run at once, as many as then, all of them this one. */
static chl_status optimise(replay *r, chl_engine *engine, int slot, const float *source,
                           float *edited) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const size_t code = (size_t)size.rows * (size_t)size.latent, width = (size_t)size.embedding;
    const json_t *recorded = json_array_get(json_object_get(r->recipe, "at_once"), (size_t)slot);
    const bool alone = chl_edit_is_independent(engine) || json_integer_value(recorded) < 2;
    const size_t n = alone ? 1 : (size_t)json_integer_value(recorded);
    float *sources = calloc(n, sizeof(float) * code), *all = calloc(n, sizeof(float) * code);
    float *target = calloc(n, sizeof(float) * width), *numbers = NULL;
    chl_edit_options options;
    chl_status status = sources && all && target
                            ? one_edit_target(engine, &r->e, slot, target)
                            : command_fail(CHL_ERR_MEMORY, "out of memory for %zu edits", n);
    if (status == CHL_OK) status = one_edit_library_options(engine, &r->e, &options, &numbers);
    for (size_t i = 0; i < n && status == CHL_OK; i++) {
        memcpy(sources + i * code, source, sizeof(float) * code);
        memmove(target + i * width, target, sizeof(float) * width);
    }
    if (status == CHL_OK) {
        options.progress = on_progress;
        options.user = r;
        if (r->step >= chl_edit_steps(&options) || r->e.ask.keep) r->step = 0;
        r->line = progress_start("editing", r->json);
        status = edit_many(engine, &r->e.ask, &options, (int)n, sources, target, all, NULL, NULL);
        progress_end(&r->line);
        if (status == CHL_ERR_CANCELLED && !interrupted()) status = CHL_OK;
        memcpy(edited, all, sizeof(float) * code);
    }
    free(sources);
    free(all);
    free(target);
    free(numbers);
    return status;
}

static chl_status make_picture(replay *r, chl_engine *engine, const char *path) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    const size_t code = (size_t)size.rows * (size_t)size.latent, side = (size_t)size.picture;
    float *source = calloc(4, sizeof(float) * code),
          *pixels = calloc(3 * side * side, sizeof(float));
    chl_status status =
        source && pixels ? CHL_OK : command_fail(CHL_ERR_MEMORY, "out of memory for a picture");
    if (status == CHL_OK) {
        r->line = progress_start("inverting", r->json);
        status = one_edit_source(engine, &r->e, on_inversion, r, source);
        progress_end(&r->line);
    }
    if (status == CHL_OK && r->e.ask.tune > 0) {
        r->line = progress_start("tuning", r->json);
        status = one_edit_tune(engine, &r->e.ask, on_inversion, r, source);
        progress_end(&r->line);
    }
    if (status == CHL_OK && r->e.ask.direction)
        status = one_edit_move(engine, &r->files, &r->e.ask, source, source + code);
    for (int i = 0; !r->e.ask.direction && i < one_edit_slots(&r->e) && status == CHL_OK; i++)
        status = optimise(r, engine, i, source, source + (size_t)(1 + i) * code);
    if (status == CHL_OK) status = one_edit_result(engine, &r->e, source + code, source + 3 * code);
    if (status == CHL_OK) status = chl_generate(engine, 1, source + 3 * code, pixels);
    if (status == CHL_OK) status = chl_picture_write(path, size.picture, size.picture, pixels);
    free(source);
    free(pixels);
    return status;
}

/* --- the comparison --------------------------------------------------------------------------- */
static int report(const replay *r, int64_t pixels, int64_t different, double largest) {
    if (r->json) {
        const int code =
            print_json(json_pack("{s:b, s:I, s:I, s:f, s:i}", "equal", different == 0, "pixels",
                                 (json_int_t)pixels, "different", (json_int_t)different, "largest",
                                 largest, "other_files", r->differ),
                       REPORT_DIGITS);
        return code != EXIT_OK ? code : different ? EXIT_RUN : EXIT_OK;
    }
    if (different == 0) {
        fprintf(stderr, "%s: equal, all %lld pixels\n", shown(r->picture), (long long)pixels);
        return EXIT_OK;
    }
    fprintf(
        stderr,
        "chladni: %s: %lld of %lld pixels differ, by at most %.0f of 255: another machine, number "
        "of threads, version or file gives other pixels\n",
        shown(r->picture), (long long)different, (long long)pixels, largest);
    return EXIT_RUN;
}

static int compare(const replay *r, const char *path) {
    int height[2], width[2];
    float *pixels[2] = {NULL, NULL};
    char *picture;
    const int stem = (int)strlen(r->picture) - (ends_in(r->picture, ".json") ? 5 : 0);
    if (asprintf(&picture, "%.*s%s", stem, r->picture, r->picture[stem] ? ".png" : "") < 0) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for a name");
        return run_error();
    }
    chl_status status = chl_picture_read(picture, &height[0], &width[0], &pixels[0]);
    free(picture);
    if (status == CHL_OK) status = chl_picture_read(path, &height[1], &width[1], &pixels[1]);
    if (status == CHL_OK && (height[0] != height[1] || width[0] != width[1]))
        status = command_fail(CHL_ERR_SHAPE, "%s: has %d x %d pixels, the generator makes %d x %d",
                              r->picture, width[0], height[0], width[1], height[1]);
    int64_t different = 0;
    double largest = 0;
    const int64_t count = status == CHL_OK ? (int64_t)height[0] * width[0] : 0;
    for (int64_t i = 0; i < count; i++) {
        double most = 0;
        for (int c = 0; c < 3; c++)
            most = fmax(most, fabs((double)pixels[0][3 * i + c] - (double)pixels[1][3 * i + c]));
        different += most > 0;
        largest = fmax(largest, most * 127.5);
    }
    chl_release(pixels[0]);
    chl_release(pixels[1]);
    return status == CHL_OK ? report(r, count, different, largest) : run_error();
}

/* A new folder, to be freed and removed; NULL: an error is stored. */
static char *temporary_folder(void) {
    const char *where = getenv("TMPDIR");
    char *folder;
    if (asprintf(&folder, "%s/chladni-XXXXXX", where && where[0] ? where : "/tmp") < 0)
        folder = NULL;
    if (folder && mkdtemp(folder)) return folder;
    (void)command_fail(CHL_ERR_IO, "%s: no temporary folder could be made: name a file by --out",
                       folder ? folder : "/tmp");
    free(folder);
    return NULL;
}

static int do_again(replay *r) {
    char *folder = r->out ? NULL : temporary_folder(), *path = r->out ? strdup(r->out) : NULL;
    chl_engine *engine = NULL;
    if (folder && asprintf(&path, "%s/replay.png", folder) < 0) path = NULL;
    if (!path || (!r->out && !folder)) {
        free(folder);
        return run_error();
    }
    r->step =
        (int)json_integer_value(json_object_get(json_object_get(r->recipe, "result"), "step"));
    chl_status status = chl_engine_open(&r->e.ask.models, &engine);
    if (status == CHL_OK) status = make_picture(r, engine, path);
    chl_engine_close(engine);
    const int code = status == CHL_OK              ? compare(r, path)
                     : status == CHL_ERR_CANCELLED ? interrupt_code()
                                                   : run_error();
    if (folder) {
        unlink(path);
        rmdir(folder);
    }
    free(folder);
    free(path);
    return code;
}

static int check_outputs(const command_line *line, const replay *r) {
    output_table table = {0};
    output_reads(&table, r->picture);
    output_add(&table, "out", OUTPUT_PICTURE, r->as ? NULL : r->out);
    return output_check(line, &table);
}

static int run(const command_line *line, replay *r) {
    const char *wrong = edit_files_wrong(&r->given.ask);
    if (wrong) return usage_error(line, "%s", wrong);
    int code = check_outputs(line, r);
    if (code != EXIT_OK) return code;
    if (recipe_read(r->picture, &r->recipe) != CHL_OK) return run_error();
    code = take_given(line, r);
    if (code != EXIT_OK) return code;
    if (r->as) return write_script(r);
    wrong = one_edit_settle(&r->e);
    if (wrong) {
        (void)command_fail(CHL_ERR_FORMAT, "%s: its recipe is no edit: %s", r->picture, wrong);
        return run_error();
    }
    code = check_files(r);
    return code == EXIT_OK ? do_again(r) : code;
}

int command_replay(int argc, char **argv) {
    replay r = {.given = one_edit_defaults()};
    const option options[] = {
        {"out", NULL, OPTION_OUTPUT, &r.out, "O.png", "keep the new picture", NULL},
        {"as", NULL, OPTION_OUTPUT, &r.as, "E.sh",
         "write the command as a shell script instead (-: standard output)", NULL},
        {"image", NULL, OPTION_INPUT, &r.given.ask.image, "P", "the picture that was edited", NULL},
        {"latent", NULL, OPTION_INPUT, &r.given.ask.latent, "W.npy", "the W+ code that was edited",
         NULL},
        {"direction", NULL, OPTION_INPUT, &r.given.ask.direction, "D.npy",
         "the direction that was added", NULL},
        {"mask", NULL, OPTION_INPUT, &r.given.ask.mask, "M.png", "where the picture may change",
         NULL},
        {"sound", NULL, OPTION_INPUT, &r.given.sound, "S", "the sound", NULL},
        {"generator", "ckpt", OPTION_INPUT, &r.given.ask.models.generator, "FILE", "the generator",
         NULL},
        {"clip", NULL, OPTION_INPUT, &r.given.ask.models.clip, "FILE", "CLIP's weights", NULL},
        {"vocab", NULL, OPTION_INPUT, &r.given.ask.models.vocab, "FILE", "CLIP's BPE merges", NULL},
        AUDIO_OPTION(r.given.ask.models),
        FACE_OPTION(r.given.ask.models, "for the identity loss"),
        ENCODER_OPTION(r.given.ask.models),
        DEVICE_OPTIONS(r.given.ask.models),
        {"json", NULL, OPTION_FLAG, &r.json, NULL, "print the comparison as JSON on stdout", NULL},
    };
    command_line line = {
        .usage = "replay PICTURE.png [--out O.png] [--as E.sh] [--generator F ...]",
        .about =
            "Does the edit of a picture again by the recipe in it, and says whether the pixels "
            "are equal\n(exit code 0; 1: they differ). batch writes recipes, and edit with "
            "--embed-recipe. Files are named\nwhere they are no longer where the recipe says.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = &r.picture,
        .max_positionals = 1};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done && !r.picture)
        code = usage_error(&line, "the picture with the recipe is missing");
    if (code == EXIT_OK && !done) {
        watch_interrupts();
        code = run(&line, &r);
    }
    json_decref(r.recipe);
    file_digests_free(&r.files);
    return code;
}
