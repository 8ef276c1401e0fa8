#include "io/ffmpeg.h"
#include "io/child.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT "file:/dev/fd/3" /* a name that means nothing to a user */
#define MOST_ARGUMENTS 40
#define FIRST_BYTES ((size_t)1 << 20)

typedef struct process {
    const chl_ffmpeg_job *job;
    chl_child child;
    int sound[2]; /* a pipe: [0] is read here, [1] is the child's */
    size_t capacity;
} process;

static chl_status no_room(const process *p, const char *what) {
    return chl_fail(CHL_ERR_IO, "%s: cannot start ffmpeg: %s: %s", p->job->name, what,
                    strerror(errno));
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
    if (!chl_child_open(&p->child) || !chl_pipe_open(p->sound)) return no_room(p, "no pipe");
    p->child.output = p->sound[1];
    p->child.input = input->memory ? file_of(input->memory, input->size)
                                   : fcntl(input->file.descriptor, F_DUPFD_CLOEXEC, 0);
    if (p->child.input < 0 || !chl_descriptor_lift(&p->child.input))
        return no_room(p, "no descriptor for the sound");
    return CHL_OK;
}

/* arguments [MOST_ARGUMENTS + 1], a NULL at the end; false: there are more. */
static bool gather_arguments(const chl_ffmpeg_job *job, char **arguments) {
    static const char *const nothing[] = {NULL};
    static const char *const sound[] = {"-map", "0:a:0", "-c:a",   "pcm_f32le",
                                        "-f",   "wav",   "pipe:1", NULL};
    static const char *const first[] = {"ffmpeg",    "-nostdin", "-hide_banner",
                                        "-loglevel", "error",    "-protocol_whitelist",
                                        "file,pipe", NULL};
    const char *const input[] = {"-f", job->kind, "-i", INPUT, NULL};
    const char *const *const parts[] = {first, job->before ? job->before : nothing, input,
                                        job->behind ? job->behind : sound};
    int count = 0;
    for (int i = 0; i < 4; i++)
        for (const char *const *one = parts[i]; *one; one++) {
            if (count == MOST_ARGUMENTS) return false;
            arguments[count++] = (char *)*one;
        }
    arguments[count] = NULL;
    return true;
}

static chl_status start(process *p, bool *missing) {
    char *arguments[MOST_ARGUMENTS + 1];
    const int problem =
        gather_arguments(p->job, arguments) ? chl_child_start(&p->child, arguments) : E2BIG;
    chl_descriptor_close(&p->sound[1]);
    if (!problem) return CHL_OK;
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
                    "%s: ffmpeg decodes it to more than %" PRId64 " bytes, expected at most that%s",
                    p->job->name, p->job->max_bytes,
                    p->job->behind ? "" : ": convert it to a FLAC file first");
}

static chl_status listen_to(process *p, chl_file_bytes *out) {
    const int wait_ms = p->job->wait_ms > 0 ? p->job->wait_ms : CHL_PIPE_WAIT_MS;
    bool sound = true, text = true;
    while (sound || text) {
        struct pollfd pipes[2] = {{.fd = sound ? p->sound[0] : -1, .events = POLLIN},
                                  {.fd = text ? p->child.text[0] : -1, .events = POLLIN}};
        const int ready = poll(pipes, 2, wait_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0)
            return chl_fail(CHL_ERR_IO, "%s: nothing came from ffmpeg for %g s", p->job->name,
                            wait_ms / 1000.0);
        if (pipes[0].revents) CHL_TRY(take_sound(p, &sound, out));
        if (pipes[1].revents) chl_child_listen(&p->child, &text);
    }
    return CHL_OK;
}

/* The last line that it wrote, without our name of the sound. */
static const char *last_line(process *p) {
    const char *line = chl_child_last_line(&p->child);
    const size_t named = sizeof INPUT - 1;
    return strncmp(line, INPUT ": ", named + 2) == 0 ? line + named + 2 : line;
}

/* "Stream map '0:a:0' matches no streams", with more lines behind it that depend on the version. */
static bool finds_no_stream(const process *p) {
    return strstr(p->child.said, "matches no streams") != NULL;
}

/* Where the exit code is taken away, only the text tells. */
static chl_status finish(process *p, chl_status status) {
    const int code = chl_child_end(&p->child, status != CHL_OK);
    if (status != CHL_OK) return status;
    const char *line = last_line(p);
    if (WIFSIGNALED(code))
        return chl_fail(CHL_ERR_IO, "%s: ffmpeg was ended by signal %d", p->job->name,
                        WTERMSIG(code));
    if (WEXITSTATUS(code) != 0 && finds_no_stream(p))
        return chl_fail(CHL_ERR_FORMAT, "%s: has no %s track, expected one", p->job->name,
                        p->job->behind ? "picture" : "sound");
    if (WEXITSTATUS(code) != 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: ffmpeg cannot decode it (exit code %d): %s",
                        p->job->name, WEXITSTATUS(code), line);
    if (*line) chl_log(CHL_LOG_WARN, "%s: ffmpeg says: %s", p->job->name, line);
    return CHL_OK;
}

chl_status chl_ffmpeg_decode(const chl_ffmpeg_job *job, const chl_sound_bytes *input, bool *missing,
                             chl_file_bytes *out) {
    process p = {.job = job, .sound = {-1, -1}};
    *out = (chl_file_bytes){0};
    *missing = false;
    chl_status status = open_descriptors(&p, input);
    if (status == CHL_OK) status = start(&p, missing);
    if (status == CHL_OK) status = finish(&p, listen_to(&p, out));
    if (status == CHL_OK && out->size == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: ffmpeg finds no %s in it", job->name,
                          job->behind ? "picture" : "sound");
    chl_descriptor_close(&p.child.input);
    chl_child_close(&p.child);
    for (int i = 0; i < 2; i++) chl_descriptor_close(&p.sound[i]);
    if (status != CHL_OK) chl_file_bytes_free(out);
    return status;
}
