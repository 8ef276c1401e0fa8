#include "command.h"
#include "outputs.h"
#include <stdio.h>
#include <string.h>

static void print_array(void *user, const char *name, const char *dtype, int rank,
                        const int64_t *dim) {
    int64_t *numbers = user, count = 1;
    char shape[128] = "";
    for (int i = 0; i < rank; i++) {
        size_t at = strlen(shape);
        snprintf(shape + at, sizeof shape - at, "%s%lld", i ? "," : "", (long long)dim[i]);
        count *= dim[i];
    }
    *numbers += count;
    printf("%-64s %s [%s]\n", shown(name), dtype, shape);
}

static int inspect(const char *path) {
    int64_t numbers = 0;
    if (chl_weights_inspect(path, print_array, &numbers) != CHL_OK) return run_error();
    char models[1024];
    if (chl_weights_models(path, sizeof models, models) != CHL_OK) return run_error();
    fprintf(stderr, "%.3f million numbers: %s\n", 1e-6 * (double)numbers,
            models[0] ? models : "no model that chladni knows");
    return EXIT_OK;
}

enum { OUT, FORMAT, KIND, SEED, FLAGS };

/* A flag or a word that the action does not read. */
static int check_action(const command_line *line, const char *action, const char *file,
                        const bool given[FLAGS]) {
    static const struct {
        const char *name;
        bool file, takes[FLAGS];
    } actions[] = {{"inspect", true, {false}},
                   {"convert", true, {[OUT] = true, [FORMAT] = true}},
                   {"random", false, {[OUT] = true, [KIND] = true, [SEED] = true}}};
    for (size_t a = 0; a < sizeof actions / sizeof actions[0]; a++) {
        if (strcmp(action, actions[a].name) != 0) continue;
        if (file && !actions[a].file)
            return usage_error(line, "weights %s takes no file, got %s", action, file);
        for (int k = 0; k < FLAGS; k++)
            if (given[k] && !actions[a].takes[k])
                return usage_error(line, "weights %s takes no --%s", action, line->options[k].name);
    }
    return EXIT_OK;
}

int command_weights(int argc, char **argv) {
    const char *word[2] = {NULL, NULL}, *out = NULL;
    uint64_t seed = 0;
    int kind = -1, format = CHL_FLOAT32;
    bool given[FLAGS] = {false};
    const option options[FLAGS] = {
        {"out", NULL, OPTION_OUTPUT, &out, "F.safetensors", "file that convert and random write",
         &given[OUT]},
        {"format", NULL, OPTION_CHOICE, &format, "f32|f16",
         "number format that convert writes (default f32)", &given[FORMAT]},
        {"kind", NULL, OPTION_CHOICE, &kind,
         "generator|clip|audio|face|stylegan3-t|stylegan3-r|encoder",
         "model that random makes (generator: a StyleGAN2; encoder: an e4e for it)", &given[KIND]},
        {"seed", NULL, OPTION_SEED, &seed, "N", "seed of random's numbers (default 0)",
         &given[SEED]},
    };
    static const char *const kinds[] = {"generator",   "clip",        "audio",  "face",
                                        "stylegan3-t", "stylegan3-r", "encoder"};
    command_line line = {
        .usage = "weights (inspect FILE | convert FILE --out F | random --kind K --out F)",
        .about =
            "inspect: prints names and shapes. convert: writes safetensors. random: makes a small\n"
            "untrained model for trying the program. Nothing in a file is ever executed.",
        .options = options,
        .count = FLAGS,
        .positional = word,
        .max_positionals = 2};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    const char *action = word[0] ? word[0] : "";
    code = check_action(&line, action, word[1], given);
    if (code != EXIT_OK) return code;
    if (word[1]) word[1] = input_path(word[1]);
    if (strcmp(action, "inspect") == 0 && word[1]) return inspect(word[1]);
    if (out) {
        output_table table = {0};
        output_add(&table, "out", OUTPUT_WEIGHTS, out);
        if (word[1]) output_reads(&table, word[1]);
        code = output_check(&line, &table);
        if (code != EXIT_OK) return code;
    }
    if (strcmp(action, "convert") == 0 && word[1] && out)
        return chl_weights_convert(word[1], (chl_float_format)format, out) == CHL_OK ? EXIT_OK
                                                                                     : run_error();
    if (strcmp(action, "random") == 0 && kind >= 0 && out)
        return chl_weights_random(kinds[kind], seed, out) == CHL_OK ? EXIT_OK : run_error();
    return usage_error(&line, "give an action and its file: inspect FILE, convert FILE --out F, or "
                              "random --kind K --out F");
}
