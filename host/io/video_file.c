#include "io/video_file.h"
#include "io/child.h"
#include "io/new_file.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_ARGUMENTS 40
#define ASK_MS 50 /* between questions whether to stop */

/* --- the command ------------------------------------------------------------------------------ */
/* Its working folder is that of the frames, so that no name of a folder is read as a pattern. */
typedef struct command {
    char fps[32], seconds[32];
    char *sound, *made;
    char *argument[MOST_ARGUMENTS];
} command;

static char *absolute(const char *path) {
    char *folder = path[0] == '/' ? NULL : realpath(".", NULL), *whole;
    if (path[0] != '/' && !folder) return NULL;
    const int length =
        asprintf(&whole, "file:%s%s%s", folder ? folder : "", folder ? "/" : "", path);
    free(folder);
    return length < 0 ? NULL : whole;
}

/* path: that ffmpeg writes. */
static bool begin(const chl_video_job *job, const char *path, command *c) {
    snprintf(c->fps, sizeof c->fps, "%g", (double)job->fps);
    snprintf(c->seconds, sizeof c->seconds, "%.6f", job->frames / (double)job->fps);
    c->sound = absolute(job->sound);
    c->made = absolute(path);
    char *const all[] = {
        "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error",  "-y",        "-framerate",
        c->fps,   "-i",       "%06d.png",     "-i",        c->sound, "-map",      "0:v:0",
        "-map",   "1:a:0",    "-t",           c->seconds,  "-c:v",   "libx264",   "-crf",
        "18",     "-pix_fmt", "yuv420p",      "-c:a",      "aac",    "-movflags", "+faststart",
        "-f",     "mp4",      c->made,        NULL};
    _Static_assert(sizeof all <= sizeof c->argument, "room for the arguments");
    memcpy(c->argument, all, sizeof all);
    return c->sound && c->made;
}

static void end(command *c) {
    free(c->sound);
    free(c->made);
}

char *chl_video_file_command(const chl_video_job *job) {
    command c = {0};
    char *text = NULL, *folder = chl_text_quote(job->folder);
    bool whole = begin(job, job->path, &c) && folder;
    if (whole && asprintf(&text, "cd %s &&", folder) < 0) {
        text = NULL;
        whole = false;
    }
    for (int i = 0; whole && c.argument[i]; i++) {
        char *word = chl_text_quote(c.argument[i]), *longer = NULL;
        whole = word && asprintf(&longer, "%s %s", text, word) >= 0;
        free(word);
        if (!whole) break;
        free(text);
        text = longer;
    }
    end(&c);
    free(folder);
    if (whole) return text;
    free(text);
    return NULL;
}

/* --- running it ------------------------------------------------------------------------------- */
/* Until it says no more; *stopped: it was asked to. */
static void listen_to(const chl_video_job *job, chl_child *child, bool *stopped) {
    for (bool open = true; open && !*stopped;) {
        struct pollfd text = {.fd = child->text[0], .events = POLLIN};
        if (poll(&text, 1, ASK_MS) > 0) chl_child_listen(child, &open);
        *stopped = job->stop && job->stop(job->user);
    }
}

static chl_status run(const chl_video_job *job, const command *c, chl_child *child) {
    const int problem = chl_child_start(child, c->argument);
    const bool missing = problem == ENOENT || problem == EACCES;
    if (problem)
        return chl_fail(missing ? CHL_ERR_UNSUPPORTED : CHL_ERR_IO, "%s: cannot start ffmpeg: %s",
                        job->path, strerror(problem));
    bool stopped = false;
    listen_to(job, child, &stopped);
    const int code = chl_child_end(child, stopped);
    if (stopped) return chl_fail(CHL_ERR_CANCELLED, "%s: stopped", job->path);
    if (code == 0) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "%s: ffmpeg cannot join the frames in %s (%s %d): %s", job->path,
                    job->folder, WIFSIGNALED(code) ? "signal" : "exit code",
                    WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code),
                    chl_child_last_line(child));
}

static chl_status write_through(const chl_video_job *job, const char *path) {
    command c = {0};
    chl_child child;
    chl_status status = begin(job, path, &c)
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for names", job->path);
    if (status == CHL_OK && !chl_child_open(&child))
        status = chl_fail(CHL_ERR_IO, "%s: cannot start ffmpeg: no pipe: %s", job->path,
                          strerror(errno));
    else if (status == CHL_OK) {
        child.folder = job->folder;
        status = run(job, &c, &child);
        chl_child_close(&child);
    }
    end(&c);
    return status;
}

/* Under a name of its own, so that several may make one video at once. */
chl_status chl_video_file_write(const chl_video_job *job) {
    chl_new_file file;
    char open_file[64]; /* where there is no name, as for a pipe */
    CHL_TRY(chl_new_file_begin(job->path, &file));
    snprintf(open_file, sizeof open_file, "/proc/%ld/fd/%d", (long)getpid(), fileno(file.stream));
    const chl_status status = write_through(job, file.temporary ? file.temporary : open_file);
    if (status == CHL_OK) return chl_new_file_commit(&file);
    chl_new_file_abandon(&file);
    return status;
}
