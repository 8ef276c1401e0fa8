/* bench: the program chladni-bench, which is installed beside this one and sees the inside of the
 * library, which this one does not. */
#include "command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_PATH 4096

static const char usage[] =
    "usage: chladni bench [kernels] [PATTERN] ...   single kernels, against what the machine can "
    "do\n"
    "       chladni bench steps WORKLOAD ...        a step of stylegan2, clip, swin, swin-train, "
    "wplus "
    "or mel\n"
    "       chladni bench train MODEL ...           whole steps of a training\n"
    "       chladni bench collectives ...           exchanges between ranks\n"
    "       chladni bench io ...                    readers and writers of files\n"
    "       chladni bench loader ...                sounds to mel pictures; cores that feed a "
    "GPU\n\n"
    "Each has --help. `chladni bench kernels --compare OLD.json NEW.json` finds what became "
    "slower.\n";

/* FOLDER/chladni-bench, or FOLDER/bench/chladni-bench where this is a build; false: neither. */
static bool find_program(char *path) {
    static const char *const places[] = {"chladni-bench", "bench/chladni-bench"};
    char self[LONGEST_PATH];
    if (!program_path(self, sizeof self)) return false;
    char *slash = strrchr(self, '/');
    if (slash) slash[1] = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (snprintf(path, LONGEST_PATH, "%s%s", self, places[i]) < LONGEST_PATH &&
            access(path, X_OK) == 0)
            return true;
    return false;
}

int command_bench(int argc, char **argv) {
    static char program[] = "chladni-bench", kernels[] = "kernels";
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    char path[LONGEST_PATH];
    if (!find_program(path)) {
        (void)command_fail(CHL_ERR_UNSUPPORTED,
                           "the program chladni-bench is not beside this one: configure the build "
                           "with -DCHLADNI_BENCH=ON and install it");
        return run_error();
    }
    char **arguments = calloc((size_t)argc + 3, sizeof *arguments);
    if (!arguments) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory");
        return run_error();
    }
    static const char *const parts[] = {"kernels", "steps", "train", "collectives", "io", "loader"};
    bool named = false;
    for (size_t i = 0; argc > 0 && i < sizeof parts / sizeof *parts; i++)
        named = named || strcmp(argv[0], parts[i]) == 0;
    int count = 0, from = 0;
    arguments[count++] = program;
    if (!named) arguments[count++] = kernels;
    if (named && strcmp(argv[0], "steps") == 0)
        from = 1; /* a workload is chladni-bench's first word */
    for (int i = from; i < argc; i++) arguments[count++] = argv[i];
    fflush(NULL);
    execv(path, arguments);
    const int problem = errno;
    free(arguments);
    (void)command_fail(CHL_ERR_IO, "cannot run %s: %s", path, strerror(problem));
    return run_error();
}
