/* chladni: one program, a subcommand per file (cmd_*.c). stdout is data, stderr is for people. */
#include "command.h"
#include "outputs.h"
#include "waiting.h"
#include <chladni/demo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"listen", command_listen, "what a recording sounds like, over time"},
    {"edit", command_edit, "edit a picture by a sound or a text (the paper's Eq. 14)"},
    {"batch", command_batch, "many edits, each exactly once, by any number of workers"},
    {"replay", command_replay, "the edit of a picture's recipe, again"},
    {"direction", command_direction, "directions of edits: their mean, a comparison"},
    {"video", command_video, "a picture that a sound changes over time, as a video"},
    {"align", command_align, "a photo of a face as generators of faces know them"},
    {"generate", command_generate, "pictures from seeds or latents"},
    {"embed", command_embed, "embeddings of sounds, pictures and texts"},
    {"mel", command_mel, "log-mel spectrogram of a sound"},
    {"data", command_data, "what a data set holds; the same as WebDataset shards"},
    {"train", command_train, "train a model on a folder of sounds, pictures and words"},
    {"eval", command_eval,
     "zero-shot classification, linear probes, edits classified by an independent network, "
     "ablations"},
    {"world", command_world, "sounds and pictures of the procedural demo world"},
    {"weights", command_weights, "inspect, convert or make weight files"},
    {"bench", command_bench, "times of kernels, steps, trainings and collectives on this machine"},
    {"info", command_info, "version, libraries, devices"},
};

static void log_line(void *user, chl_log_level level, const char *line) {
    (void)user;
    if (level == CHL_LOG_DEBUG && !getenv("CHLADNI_DEBUG")) return;
    fprintf(stderr, "chladni: %s", level == CHL_LOG_WARN ? "warning: " : "");
    print_with_flags(stderr, line);
    fputc('\n', stderr);
}

static void print_commands(FILE *to) {
    fputs("usage: chladni COMMAND ...\n\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].about);
    fputs("\nchladni COMMAND --help lists the flags of a command\n", to);
}

/* Where a standard stream is closed, the next file that is opened takes its number, and gets what is
 * printed. This one takes it instead; it is open the wrong way, so that printing fails as before. */
static void hold_standard_streams(void) {
    static const int wrong_way[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", wrong_way[i]) < 0) return;
}

int main(int argc, char **argv) {
    wait_briefly(argv);
    hold_standard_streams();
    static char line[BUFSIZ]; /* several ranks write to one stderr: each line at once */
    setvbuf(stderr, line, _IOLBF, sizeof line);
    json_watch();
    chl_log_to(log_line, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit (ulimit -f) is an error as a full disk is */
    if (chl_demo_register() != CHL_OK) return run_error();
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_commands(stdout);
        return finish_output(EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("chladni %s\n", chl_version());
        return finish_output(EXIT_OK);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        const int code = finish_output(commands[i].run(argc - 2, argv + 2));
        if (code != EXIT_OK) remove_empty_outputs();
        return code;
    }
    fprintf(stderr, "chladni: unknown command \"%s\"\n", shown(argv[1]));
    print_commands(stderr);
    return EXIT_USAGE;
}
