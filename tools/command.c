#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int parse_seeds(const char *text, int *seed) {
    int count = 0;
    while (*text) {
        char *end;
        long first = strtol(text, &end, 10), last = first;
        if (end == text || first < 0) return -1;
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
            if (end == text) return -1;
        }
        if (last < first || last > INT32_MAX || last - first >= MAX_PICTURES - count) return -1;
        for (long s = first; s <= last; s++, count++)
            if (seed) seed[count] = (int)s;
        if (*end && *end != ',') return -1;
        if (*end == ',' && !end[1]) return -1;
        text = end + (*end == ',');
    }
    return count > 0 ? count : -1;
}

void print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(value);
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
    for (int i = 0; i < WIDTH; i++) bar[i] = i * p->steps < p->step * WIDTH ? '#' : '.';
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
