#include "io/ffmpeg.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 10 /* descriptors are moved here, away from 0 to 3, which the child gets */
#define INPUT "file:/dev/fd/3" /* a name that means nothing to a user */
#define FIRST_BYTES ((size_t)1 << 20)

typedef struct process {
    const chl_ffmpeg_job *job;
    pid_t pid;
    int input, sound[2], text[2]; /* pipes: [0] is read here, [1] is the child's */
    char said[1024];              /* the end of what it wrote to its standard error */
    size_t said_count;
    size_t capacity;
} process;

static void close_descriptor(int *descriptor) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

static chl_status no_room(const process *p, const char *what) {
    return chl_fail(CHL_ERR_IO, "%s: cannot start ffmpeg: %s: %s", p->job->name, what,
                    strerror(errno));
}

/* Moves a descriptor to FIRST_FREE or above. */
static bool lift(int *descriptor) {
    const int higher = fcntl(*descriptor, F_DUPFD_CLOEXEC, FIRST_FREE);
    close_descriptor(descriptor);
    *descriptor = higher;
    return higher >= 0;
}

static bool open_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const bool first = lift(&ends[0]);
    return lift(&ends[1]) && first;
}

/* A file in memory, for bytes that came without one. */
static int file_of(const uint8_t *data, int64_t size) {
    const int file = memfd_create("chladni-sound", MFD_CLOEXEC);
    for (int64_t at = 0; file >= 0 && at < size;) {
        const ssize_t written = write(file, data + at, (size_t)(size - at));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            close(file);
            return -1;
        }
        at += written;
    }
    return file;
}

static chl_status open_descriptors(process *p, const chl_sound_bytes *input) {
    p->input = input->memory ? file_of(input->memory, input->size)
                             : fcntl(input->file.descriptor, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (p->input < 0 || (p->input < FIRST_FREE && !lift(&p->input)))
        return no_room(p, "no descriptor for the sound");
    if (!open_pipe(p->sound) || !open_pipe(p->text)) return no_room(p, "no pipe");
    return CHL_OK;
}

/* The child gets the signals' defaults and none blocked, whatever the calling program did. */
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

/* PATH and the libraries' path alone: variables of ffmpeg's own (FFREPORT) would write files. */
static int spawn(process *p, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes) {
    char *const arguments[] = {
        "ffmpeg",    "-nostdin", "-hide_banner",       "-loglevel", "error", "-protocol_whitelist",
        "file,pipe", "-f",       (char *)p->job->kind, "-i",        INPUT,   "-map",
        "0:a:0",     "-c:a",     "pcm_f32le",          "-f",        "wav",   "pipe:1",
        NULL};
    const char *path = getenv("PATH"), *libraries = getenv("LD_LIBRARY_PATH");
    char *given[3] = {NULL}, *environment[3] = {NULL};
    if (asprintf(&given[0], "PATH=%s", path ? path : "/usr/bin:/bin") < 0) return ENOMEM;
    environment[0] = given[0];
    if (libraries && asprintf(&given[1], "LD_LIBRARY_PATH=%s", libraries) >= 0)
        environment[1] = given[1];
    const int problem =
        posix_spawnp(&p->pid, "ffmpeg", actions, attributes, arguments, environment);
    free(given[0]);
    free(given[1]);
    return problem;
}

static chl_status start(process *p, bool *missing) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int problem = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!problem) problem = posix_spawn_file_actions_adddup2(&actions, p->sound[1], 1);
    if (!problem) problem = posix_spawn_file_actions_adddup2(&actions, p->text[1], 2);
    if (!problem) problem = posix_spawn_file_actions_adddup2(&actions, p->input, 3);
#if __GLIBC_PREREQ(2, 34) /* what the calling program left open for its children */
    if (!problem) problem = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
#endif
    if (!problem) problem = set_signals(&attributes);
    if (!problem) problem = spawn(p, &actions, &attributes);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close_descriptor(&p->sound[1]);
    close_descriptor(&p->text[1]);
    if (!problem) return CHL_OK;
    p->pid = 0;
    *missing = problem == ENOENT || problem == EACCES;
    return chl_fail(*missing ? CHL_ERR_UNSUPPORTED : CHL_ERR_IO, "%s: cannot start ffmpeg: %s",
                    p->job->name, strerror(problem));
}

/* --- what it writes --------------------------------------------------------------------------- */
static chl_status take_sound(process *p, bool *open, chl_file_bytes *out) {
    if (out->size == p->capacity) {
        const size_t larger = p->capacity ? 2 * p->capacity : FIRST_BYTES;
        uint8_t *data = realloc(out->data, larger);
        if (!data)
            return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for %zu bytes of sound",
                            p->job->name, larger);
        out->data = data;
        p->capacity = larger;
    }
    const ssize_t got = read(p->sound[0], out->data + out->size, p->capacity - out->size);
    if (got < 0 && errno == EINTR) return CHL_OK;
    *open = got > 0;
    if (got > 0) out->size += (size_t)got;
    if ((int64_t)out->size <= p->job->max_bytes) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: ffmpeg decodes it to more than %" PRId64
                    " bytes, expected at most that: convert it to a FLAC file first",
                    p->job->name, p->job->max_bytes);
}

/* Keeps the end of the text. */
static void take_text(process *p, bool *open) {
    if (p->said_count > sizeof p->said / 2) {
        const size_t kept = sizeof p->said / 4;
        memmove(p->said, p->said + p->said_count - kept, kept);
        p->said_count = kept;
    }
    const ssize_t got =
        read(p->text[0], p->said + p->said_count, sizeof p->said - 1 - p->said_count);
    if (got < 0 && errno == EINTR) return;
    *open = got > 0;
    if (got > 0) p->said_count += (size_t)got;
}

static chl_status listen_to(process *p, chl_file_bytes *out) {
    const int wait_ms = p->job->wait_ms > 0 ? p->job->wait_ms : CHL_PIPE_WAIT_MS;
    bool sound = true, text = true;
    while (sound || text) {
        struct pollfd pipes[2] = {{.fd = sound ? p->sound[0] : -1, .events = POLLIN},
                                  {.fd = text ? p->text[0] : -1, .events = POLLIN}};
        const int ready = poll(pipes, 2, wait_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0)
            return chl_fail(CHL_ERR_IO, "%s: nothing came from ffmpeg for %g s", p->job->name,
                            wait_ms / 1000.0);
        if (pipes[0].revents) CHL_TRY(take_sound(p, &sound, out));
        if (pipes[1].revents) take_text(p, &text);
    }
    return CHL_OK;
}

/* The last line that it wrote, without its ends. */
static const char *last_line(process *p) {
    while (p->said_count > 0 && (unsigned char)p->said[p->said_count - 1] <= ' ') p->said_count--;
    p->said[p->said_count] = 0;
    const char *line = strrchr(p->said, '\n');
    line = line ? line + 1 : p->said;
    const size_t named = sizeof INPUT - 1;
    return strncmp(line, INPUT ": ", named + 2) == 0 ? line + named + 2 : line;
}

/* Waits for the child, so that none is left behind. A program that ignores SIGCHLD takes the exit
 * code away: then only the text tells. */
static chl_status finish(process *p, chl_status status) {
    int code = 0;
    if (status != CHL_OK) kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &code, 0) < 0)
        if (errno != EINTR) {
            code = 0;
            break;
        }
    if (status != CHL_OK) return status;
    const char *line = last_line(p);
    if (WIFSIGNALED(code))
        return chl_fail(CHL_ERR_IO, "%s: ffmpeg was ended by signal %d", p->job->name,
                        WTERMSIG(code));
    if (WEXITSTATUS(code) != 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: ffmpeg cannot decode it (exit code %d): %s",
                        p->job->name, WEXITSTATUS(code), line);
    if (*line) chl_log(CHL_LOG_WARN, "%s: ffmpeg says: %s", p->job->name, line);
    return CHL_OK;
}

chl_status chl_ffmpeg_decode(const chl_ffmpeg_job *job, const chl_sound_bytes *input, bool *missing,
                             chl_file_bytes *out) {
    process p = {.job = job, .input = -1, .sound = {-1, -1}, .text = {-1, -1}};
    *out = (chl_file_bytes){0};
    *missing = false;
    chl_status status = open_descriptors(&p, input);
    if (status == CHL_OK) status = start(&p, missing);
    if (status == CHL_OK) status = finish(&p, listen_to(&p, out));
    if (status == CHL_OK && out->size == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: ffmpeg finds no sound in it", job->name);
    close_descriptor(&p.input);
    for (int i = 0; i < 2; i++) {
        close_descriptor(&p.sound[i]);
        close_descriptor(&p.text[i]);
    }
    if (status != CHL_OK) chl_file_bytes_free(out);
    return status;
}
