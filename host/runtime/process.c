#include "runtime/process.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_LOOK 0.5 /* s that count between two looks */
/* Who uses a smaller share of a processor does nothing. A thread that only looks after other
 * processes uses less, clocks of the system count hundredths of a second. */
#define NOTHING 0.005

/* Field 3 of /proc/N/stat, after the name in parentheses, is the letter; 14 and 15 are the ticks of
 * processors [proc(5)]. */
chl_process_state chl_process_look(int32_t process) {
    chl_process_state state = {.dead = kill(process, 0) != 0 && errno == ESRCH};
    char path[64], text[512];
    unsigned long long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    if (!file) return state;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *end = strrchr(text, ')');
    if (end && end[1] == ' ') {
        state.letter = end[2];
        if (sscanf(end + 3, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user, &system) ==
            2)
            state.processors = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    }
    state.dead = state.dead || state.letter == 'Z' || state.letter == 'X';
    return state;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double chl_process_await(chl_process_idle *idle) {
    const double at = now(), since = idle->looked > 0 ? at - idle->looked : 0;
    idle->seconds += since < LONGEST_LOOK ? since : LONGEST_LOOK;
    idle->looked = at;
    return idle->seconds;
}

chl_process_idle chl_process_watch(chl_process_idle *idle, const chl_process_state *state,
                                   int limit) {
    const char letter = state->letter == 't' ? 'T' : state->letter;
    const char why = letter == 'T' || letter == 'D' ? letter : 'S';
    if (idle->looked == 0 || why != idle->why ||
        state->processors - idle->processors >= NOTHING * limit)
        *idle = (chl_process_idle){.processors = state->processors, .why = why};
    chl_process_await(idle);
    return *idle;
}

double chl_process_loops(chl_process_loop *loop, const chl_process_state *state, uint64_t finished,
                         int limit) {
    const bool stands = state->letter == 'T' || state->letter == 't' || state->letter == 'D';
    if (loop->since.looked == 0 || finished != loop->finished || stands)
        *loop = (chl_process_loop){.finished = finished, .processors = state->processors};
    const double seconds = chl_process_await(&loop->since);
    return state->processors - loop->processors >= 0.5 * limit ? seconds : 0;
}
