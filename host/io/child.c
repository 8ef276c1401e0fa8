#include "io/child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 10 /* descriptors are moved here, away from 0 to 3, which the child gets */

/* --- descriptors ------------------------------------------------------------------------------ */
void chl_descriptor_close(int *descriptor) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

bool chl_descriptor_lift(int *descriptor) {
    if (*descriptor >= FIRST_FREE) return true;
    const int higher = fcntl(*descriptor, F_DUPFD_CLOEXEC, FIRST_FREE);
    chl_descriptor_close(descriptor);
    *descriptor = higher;
    return higher >= 0;
}

bool chl_pipe_open(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const bool first = chl_descriptor_lift(&ends[0]);
    return chl_descriptor_lift(&ends[1]) && first;
}

bool chl_child_open(chl_child *child) {
    *child = (chl_child){.input = -1, .output = -1, .text = {-1, -1}};
    return chl_pipe_open(child->text);
}

void chl_child_close(chl_child *child) {
    chl_descriptor_close(&child->text[0]);
    chl_descriptor_close(&child->text[1]);
}

/* --- beginning -------------------------------------------------------------------------------- */
static int set_signals(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
}

static int set_files(const chl_child *child, posix_spawn_file_actions_t *actions) {
    int problem = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!problem && child->folder)
        problem = posix_spawn_file_actions_addchdir_np(actions, child->folder);
    if (!problem)
        problem = posix_spawn_file_actions_adddup2(
            actions, child->output >= 0 ? child->output : child->text[1], 1);
    if (!problem) problem = posix_spawn_file_actions_adddup2(actions, child->text[1], 2);
    if (!problem && child->input >= 0)
        problem = posix_spawn_file_actions_adddup2(actions, child->input, 3);
#if __GLIBC_PREREQ(2, 34) /* what the calling program left open for its children */
    if (!problem)
        problem = posix_spawn_file_actions_addclosefrom_np(actions, child->input >= 0 ? 4 : 3);
#endif
    return problem;
}

static int spawn(chl_child *child, char *const *argument, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes) {
    const char *path = getenv("PATH"), *libraries = getenv("LD_LIBRARY_PATH");
    char *given[2] = {NULL}, *environment[3] = {NULL};
    if (asprintf(&given[0], "PATH=%s", path ? path : "/usr/bin:/bin") < 0) return ENOMEM;
    environment[0] = given[0];
    if (libraries && asprintf(&given[1], "LD_LIBRARY_PATH=%s", libraries) >= 0)
        environment[1] = given[1];
    const int problem =
        posix_spawnp(&child->pid, argument[0], actions, attributes, argument, environment);
    free(given[0]);
    free(given[1]);
    if (problem) child->pid = 0;
    return problem;
}

int chl_child_start(chl_child *child, char *const *argument) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int problem = set_files(child, &actions);
    if (!problem) problem = set_signals(&attributes);
    if (!problem) problem = spawn(child, argument, &actions, &attributes);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    chl_descriptor_close(&child->text[1]);
    return problem;
}

/* --- what it says ----------------------------------------------------------------------------- */
void chl_child_listen(chl_child *child, bool *open) {
    if (child->said_count > sizeof child->said / 2) {
        const size_t kept = sizeof child->said / 4;
        memmove(child->said, child->said + child->said_count - kept, kept);
        child->said_count = kept;
    }
    const ssize_t got = read(child->text[0], child->said + child->said_count,
                             sizeof child->said - 1 - child->said_count);
    if (got < 0 && errno == EINTR) return;
    *open = got > 0;
    if (got > 0) child->said_count += (size_t)got;
}

const char *chl_child_last_line(chl_child *child) {
    size_t count = child->said_count;
    while (count > 0 && (unsigned char)child->said[count - 1] <= ' ') count--;
    child->said[count] = 0;
    child->said_count = count;
    const char *line = strrchr(child->said, '\n');
    return line ? line + 1 : child->said;
}

/* --- the end ---------------------------------------------------------------------------------- */
int chl_child_end(chl_child *child, bool killed) {
    int code = 0;
    if (!child->pid) return 0;
    if (killed) kill(child->pid, SIGKILL);
    while (waitpid(child->pid, &code, 0) < 0)
        if (errno != EINTR) {
            code = 0;
            break;
        }
    child->pid = 0;
    return code;
}
