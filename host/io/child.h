/* Other programs as child processes, without a shell; this room only. */
#ifndef CHL_IO_CHILD_H
#define CHL_IO_CHILD_H
#include "base/status.h"
#include <stdbool.h>
#include <sys/types.h>

typedef struct chl_child {
    const char *folder; /* it works in; NULL: the caller's */
    int input,
        output;      /* its descriptors 3 and 1; -1: none, and what it says on 1 is kept as on 2 */
    pid_t pid;       /* 0: it has not begun */
    int text[2];     /* a pipe: [0] is read here, [1] is the child's standard error */
    char said[1024]; /* the end of what it wrote there */
    size_t said_count;
} chl_child;

/* All descriptors of this header are above 3, and closed in programs that are started. */
bool chl_pipe_open(int ends[2]);
void chl_descriptor_close(int *descriptor);
/* Moves it to such a number; false, and it is closed, where there is none. */
bool chl_descriptor_lift(int *descriptor);

/* A child that has not begun; the pipe for its text. false, with errno. */
bool chl_child_open(chl_child *child);
/* Starts argument[0], which is searched in PATH. It has no standard input, the signals' defaults and
 * none blocked, a process group of its own, so that signals of the terminal do not reach it, and of
 * the environment PATH and LD_LIBRARY_PATH alone, as a program's own variables may write files. 0, or
 * an errno: ENOENT and EACCES where there is no such program. */
int chl_child_start(chl_child *child, char *const *argument);
/* Reads from its text; *open: more may come. */
void chl_child_listen(chl_child *child, bool *open);
/* The last line that it wrote, without its ends. Changes `said`. */
const char *chl_child_last_line(chl_child *child);
/* Waits until it has ended, after killing it where `kill` is set, so that none is left behind; what
 * waitpid says of it. A program that ignores SIGCHLD takes that away: 0. */
int chl_child_end(chl_child *child, bool kill);
void chl_child_close(chl_child *child);
#endif
