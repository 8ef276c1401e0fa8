/* Frames and a sound into a file, by the program ffmpeg as a child process, without a shell. */
#include "video.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PART ".part"
#define LOG "ffmpeg.log" /* in the folder of the frames */
#define MOST_ARGUMENTS 40

/* --- the command ------------------------------------------------------------------------------ */
/* Its working folder is that of the frames, so that no name of a folder is read as a pattern. */
typedef struct join {
    char fps[32], seconds[32];
    char *sound, *made;
    char *argument[MOST_ARGUMENTS];
} join;

static char *absolute(const char *path, const char *ending) {
    char *folder = path[0] == '/' ? NULL : realpath(".", NULL), *whole;
    if (path[0] != '/' && !folder) return NULL;
    const int length =
        asprintf(&whole, "file:%s%s%s%s", folder ? folder : "", folder ? "/" : "", path, ending);
    free(folder);
    return length < 0 ? NULL : whole;
}

static bool begin(const video_job *job, const char *ending, join *j) {
    snprintf(j->fps, sizeof j->fps, "%g", (double)job->fps);
    snprintf(j->seconds, sizeof j->seconds, "%.6f", job->frames / (double)job->fps);
    j->sound = absolute(job->e.sound, "");
    j->made = absolute(job->out, ending);
    char *const all[] = {
        "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error",  "-y",        "-framerate",
        j->fps,   "-i",       "%06d.png",     "-i",        j->sound, "-map",      "0:v:0",
        "-map",   "1:a:0",    "-t",           j->seconds,  "-c:v",   "libx264",   "-crf",
        "18",     "-pix_fmt", "yuv420p",      "-c:a",      "aac",    "-movflags", "+faststart",
        "-f",     "mp4",      j->made,        NULL};
    _Static_assert(sizeof all <= sizeof j->argument, "room for the arguments");
    memcpy(j->argument, all, sizeof all);
    return j->sound && j->made;
}

static void end(join *j) {
    free(j->sound);
    free(j->made);
}

char *video_join_command(const video_job *job) {
    join j = {0};
    char *text = NULL;
    size_t size;
    FILE *to = begin(job, "", &j) ? open_memstream(&text, &size) : NULL;
    if (to) {
        fputs("cd ", to);
        print_quoted(to, job->folder);
        fputs(" &&", to);
        for (int i = 0; j.argument[i]; i++) {
            fputc(' ', to);
            print_quoted(to, j.argument[i]);
        }
    }
    end(&j);
    if (to && close_text(to)) return text;
    free(text);
    return NULL;
}

/* --- the child -------------------------------------------------------------------------------- */
/* It gets the signals' defaults and none blocked, and a group of its own: ctrl-C is ours. */
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

/* 0, or an errno. PATH and the libraries' path alone: ffmpeg's own variables would write files. */
static int spawn(const video_job *job, const join *j, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    const char *path = getenv("PATH"), *libraries = getenv("LD_LIBRARY_PATH");
    char *given[2] = {NULL}, *environment[3] = {NULL};
    if (asprintf(&given[0], "PATH=%s", path ? path : "/usr/bin:/bin") < 0) return ENOMEM;
    environment[0] = given[0];
    if (libraries && asprintf(&given[1], "LD_LIBRARY_PATH=%s", libraries) >= 0)
        environment[1] = given[1];
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int problem = posix_spawn_file_actions_addchdir_np(&actions, job->folder);
    if (!problem) problem = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!problem)
        problem =
            posix_spawn_file_actions_addopen(&actions, 2, LOG, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!problem) problem = posix_spawn_file_actions_adddup2(&actions, 2, 1);
    if (!problem) problem = set_signals(&attributes);
    if (!problem)
        problem = posix_spawnp(pid, "ffmpeg", &actions, &attributes, j->argument, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(given[0]);
    free(given[1]);
    return problem;
}

static int wait_for(pid_t pid, bool *stopped) {
    const struct timespec nap = {.tv_nsec = 20000000};
    int code = 0;
    for (pid_t ended; (ended = waitpid(pid, &code, WNOHANG)) != pid;) {
        if (ended < 0 && errno != EINTR) return -1;
        if (interrupted() && !*stopped) {
            *stopped = true;
            kill(pid, SIGKILL);
        }
        nanosleep(&nap, NULL);
    }
    return code;
}

/* The last line that it wrote. */
static void last_line(const video_job *job, char *line, int room) {
    char *path = video_file(job, LOG, 0), next[512];
    FILE *file = path ? fopen(path, "r") : NULL;
    line[0] = 0;
    while (file && fgets(next, sizeof next, file)) {
        next[strcspn(next, "\n")] = 0;
        if (next[0]) snprintf(line, (size_t)room, "%s", next);
    }
    if (file) fclose(file);
    free(path);
}

static chl_status run(const video_job *job, const join *j, bool *missing) {
    pid_t pid;
    char line[512];
    const int problem = spawn(job, j, &pid);
    *missing = problem == ENOENT || problem == EACCES;
    if (problem)
        return command_fail(*missing ? CHL_ERR_UNSUPPORTED : CHL_ERR_IO, "cannot start ffmpeg: %s",
                            strerror(problem));
    bool stopped = false;
    const int code = wait_for(pid, &stopped);
    if (stopped) return command_fail(CHL_ERR_CANCELLED, "stopped: the same command goes on");
    if (code == 0) return CHL_OK;
    last_line(job, line, sizeof line);
    return command_fail(CHL_ERR_IO, "%s: ffmpeg cannot join the frames in %s (%s %d): %s", job->out,
                        job->folder, WIFSIGNALED(code) ? "signal" : "exit code",
                        WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code), line);
}

chl_status video_join(const video_job *job, bool *missing) {
    join j = {0};
    chl_status status = CHL_ERR_MEMORY;
    *missing = false;
    if (begin(job, PART, &j)) {
        const char *part = j.made + strlen("file:");
        status = run(job, &j, missing);
        if (status == CHL_OK && rename(part, job->out) != 0)
            status =
                command_fail(CHL_ERR_IO, "%s: cannot be replaced: %s", job->out, strerror(errno));
        if (status != CHL_OK) unlink(part);
    } else {
        status = command_fail(CHL_ERR_MEMORY, "out of memory for the names of a video");
    }
    end(&j);
    return status;
}
