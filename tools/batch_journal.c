/* What the workers have done: each appends to a file of its own, and all read all of them. */
#include "batch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *own_path(const batch *b) {
    char *name, *path = NULL;
    if (asprintf(&name, "%s.jsonl", b->worker) < 0) return NULL;
    path = batch_path(b, "work/journal", name);
    free(name);
    return path;
}

int batch_journal_open(batch *b) {
    char *path = own_path(b);
    b->journal = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    if (b->journal < 0)
        (void)command_fail(path ? CHL_ERR_IO : CHL_ERR_MEMORY, "%s: cannot be created (%s)",
                           path ? path : "the journal", strerror(errno));
    free(path);
    b->seen = json_object();
    if (!b->seen) json_refuse();
    return b->journal < 0 ? run_error() : EXIT_OK;
}

/* A worker that has done nothing leaves no file. */
void batch_journal_close(batch *b) {
    char *path = b->journal >= 0 ? own_path(b) : NULL;
    if (path && lseek(b->journal, 0, SEEK_END) == 0) unlink(path);
    if (b->journal >= 0) close(b->journal);
    b->journal = -1;
    free(path);
    json_decref(b->seen);
    b->seen = NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */
static void take_entry(batch *b, const json_t *entry) {
    const char *id = json_string_value(json_object_get(entry, "id"));
    const char *status = json_string_value(json_object_get(entry, "status"));
    const json_t *index = id ? json_object_get(b->by_id, id) : NULL;
    if (!index || !status) return; /* of a row whose file was another one */
    batch_job *job = &b->job[json_integer_value(index)];
    if (strcmp(status, "done") == 0) {
        job->status = BATCH_DONE;
        job->journaled = true;
        job->cosine = json_number_value(json_object_get(entry, "cosine"));
        job->distance = json_number_value(json_object_get(entry, "distance"));
    } else if (strcmp(status, "failed") == 0) {
        const char *reason = json_string_value(json_object_get(entry, "reason"));
        free(job->reason);
        job->reason = strdup(reason ? reason : "");
        if (!job->reason) json_refuse();
        job->failures++;
        if (job->status == BATCH_OPEN && job->failures > job->old_failures)
            job->status = BATCH_FAILED;
    }
}

/* Whole lines only: a worker may be writing, or may have been killed while it was. A line that is
 * not JSON is one that a full disk has cut. */
static chl_status take_lines(batch *b, char *text, size_t *taken) {
    *taken = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        json_t *entry;
        if (json_read(line, 0, &entry, NULL) == CHL_ERR_MEMORY) return CHL_ERR_MEMORY;
        if (entry) take_entry(b, entry);
        json_decref(entry);
        *taken = (size_t)(end + 1 - text);
    }
    return CHL_OK;
}

static chl_status read_journal(batch *b, const char *name) {
    char *path = batch_path(b, "work/journal", name), *text = NULL;
    const off_t from = (off_t)json_integer_value(json_object_get(b->seen, name));
    const int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const off_t end = file < 0 ? -1 : lseek(file, 0, SEEK_END);
    chl_status status = CHL_OK;
    size_t taken = 0;
    if (end > from && !(text = malloc((size_t)(end - from) + 1)))
        status = command_fail(CHL_ERR_MEMORY, "out of memory for %s", path);
    const ssize_t got = text ? pread(file, text, (size_t)(end - from), from) : 0;
    if (file < 0 && errno != ENOENT) /* a worker that has done nothing removes its own */
        status = command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path ? path : name,
                              strerror(errno));
    if (got < 0)
        status = command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path, strerror(errno));
    if (got > 0) {
        text[got] = 0;
        status = take_lines(b, text, &taken);
        json_put(b->seen, name, json_integer(from + (off_t)taken));
    }
    if (file >= 0) close(file);
    free(text);
    free(path);
    return status;
}

int batch_journal_refresh(batch *b) {
    char *path = batch_path(b, "work", "journal");
    DIR *folder = path ? opendir(path) : NULL;
    chl_status status = CHL_OK;
    if (!folder)
        status = command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path ? path : "the journal",
                              strerror(errno));
    free(path);
    for (struct dirent *entry; folder && status == CHL_OK && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') status = read_journal(b, entry->d_name);
    if (folder) closedir(folder);
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* --- writing ---------------------------------------------------------------------------------- */
chl_status batch_journal_write(batch *b, batch_job *job) {
    json_t *entry =
        job->status == BATCH_DONE
            ? json_pack("{s:s, s:s, s:i, s:s, s:f, s:f}", "id", job->id, "status", "done", "line",
                        job->line, "file", job->file, "cosine", job->cosine, "distance",
                        job->distance)
            : json_pack("{s:s, s:s, s:i, s:o}", "id", job->id, "status", "failed", "line",
                        job->line, "reason", json_text(job->reason ? job->reason : ""));
    char *text = json_dumped(entry, JSON_COMPACT | REPORT_DIGITS), *line = NULL;
    json_decref(entry);
    const int length = text ? asprintf(&line, "%s\n", text) : -1;
    free(text);
    if (length < 0) return command_fail(CHL_ERR_MEMORY, "out of memory for the journal");
    const ssize_t written = write(b->journal, line, (size_t)length);
    const int reason = written < 0 ? errno : written < length ? ENOSPC : 0;
    free(line);
    if (reason == 0 && fdatasync(b->journal) == 0) {
        job->journaled = job->status == BATCH_DONE;
        return CHL_OK;
    }
    return command_fail(CHL_ERR_IO, "%s/work/journal/%s.jsonl: cannot be written (%s)", b->out,
                        b->worker, strerror(reason ? reason : errno));
}
