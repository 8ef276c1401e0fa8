#include "command.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Moves *text over the digits of a seed. */
static bool read_seed(const char **text, uint64_t *seed) {
    if (!isdigit((unsigned char)**text)) return false;
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(*text, &end, 10);
    *text = end;
    *seed = number;
    return !errno && number <= MAX_SEED;
}

/* Their number, or -1; writes them unless `seed` is NULL. */
static int read_seeds(const char *text, uint64_t *seed) {
    int count = 0;
    do {
        uint64_t first, last;
        if (!read_seed(&text, &first)) return -1;
        last = first;
        if (*text == '-' && (text++, !read_seed(&text, &last))) return -1;
        if (last < first || last - first >= (uint64_t)(MAX_PICTURES - count)) return -1;
        for (uint64_t s = first; s <= last; s++, count++)
            if (seed) seed[count] = s;
    } while (*text == ',' && *++text);
    return *text || text[-1] == ',' ? -1 : count;
}

int parse_seeds(const char *text, uint64_t **seed) {
    *seed = NULL;
    const int count = read_seeds(text, NULL);
    if (count < 0 || !(*seed = malloc(sizeof **seed * (size_t)count))) return -1;
    return read_seeds(text, *seed);
}

int take_generator_flags(const command_line *line, const generator_flags *flags,
                         chl_engine_options *models) {
    if (flags->has_label && (flags->label < 0 || flags->label == INT_MAX))
        return usage_error(line, "--class must be >= 0, got %d", flags->label);
    if (flags->has_label) models->generator_class = flags->label + 1;
    if (models->conv_clamp < 0 && models->conv_clamp != -1)
        return usage_error(line,
                           "--conv-clamp must be > 0, 0 (by the file's kind) or -1 (none), got %g",
                           (double)models->conv_clamp);
    return EXIT_OK;
}

int finish_output(int code) {
    const bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !failed) return code;
    (void)command_fail(CHL_ERR_IO, "cannot write to standard output%s%s", errno ? ": " : "",
                       errno ? strerror(errno) : "");
    return code == EXIT_OK ? run_error() : code;
}

bool program_path(char *path, size_t size) {
    const ssize_t length = readlink("/proc/self/exe", path, size);
    if (length <= 0 || (size_t)length >= size) return false;
    path[length] = 0;
    return true;
}

progress_line progress_start(const char *what, bool quiet) {
    return (progress_line){
        .what = what, .last = -1e9, .terminal = isatty(STDERR_FILENO), .quiet = quiet};
}

void progress_show(progress_line *line, const chl_edit_progress *p) {
    /* often enough to see it move; rarely enough for a log file */
    const double pause = line->terminal ? 0.1 : 10;
    const bool last = p->step == p->steps;
    if (line->quiet || (!last && p->seconds - line->last < pause)) return;
    line->last = p->seconds;
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = (int64_t)i * p->steps < (int64_t)p->step * WIDTH ? '#' : '.';
    bar[WIDTH] = 0;
    fprintf(stderr, "%s%s %s %d/%d  cosine %.4f  %s %.0f s%s", line->terminal ? "\r" : "",
            line->what, line->terminal ? bar : "step", p->step, p->steps, (double)p->cosine,
            last ? "took" : "left", last ? p->seconds : p->seconds_left,
            line->terminal ? "  " : "\n");
    fflush(stderr);
}

void progress_end(progress_line *line) {
    if (line->terminal && !line->quiet && line->last > -1e9) fputc('\n', stderr);
}
