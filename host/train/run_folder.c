/* The files of a run. One that is replaced is replaced at once, by rename; one that grows gets
 * whole lines. */
#include "base/json.h"
#include "io/new_file.h"
#include "train/trainer_private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG "log.txt"

chl_status chl_run_folder_file(const chl_run_folder *folder, const char *file, char **path) {
    *path = NULL;
    if (asprintf(path, "%s/%s", folder->path, file) >= 0) return CHL_OK;
    *path = NULL;
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder->path);
}

chl_status chl_run_folder_has(const chl_run_folder *folder, const char *file, bool *there) {
    char *path;
    struct stat about;
    chl_status status = CHL_OK;
    CHL_TRY(chl_run_folder_file(folder, file, &path));
    *there = stat(path, &about) == 0;
    if (!*there && errno != ENOENT) /* a file that cannot be seen is not a file that is missing */
        status = chl_fail(CHL_ERR_IO, "%s: cannot be examined (%s)", path, strerror(errno));
    free(path);
    return status;
}

chl_status chl_run_folder_sync(const chl_run_folder *folder) {
    const int descriptor = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int reason = descriptor < 0 ? errno : 0;
    /* EINVAL: this kind of file system has no such call */
    if (descriptor >= 0 && fsync(descriptor) != 0 && errno != EINVAL) reason = errno;
    if (descriptor >= 0) close(descriptor);
    if (reason == 0) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "%s: the folder cannot be written to the disk (%s)", folder->path,
                    strerror(reason));
}

/* *there: the length of the longest part of the path that was there. */
static chl_status make_folders(const char *path, size_t *there) {
    char *part = strdup(path);
    if (!part) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    bool made = false;
    *there = 0;
    for (char *at = part + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        made = mkdir(part, 0777) == 0 || made; /* an error here shows below, at the last folder */
        *at = '/';
        if (!made) *there = (size_t)(at - part);
    }
    free(part);
    struct stat about;
    const bool last = mkdir(path, 0777) == 0;
    if (!made && !last) *there = strlen(path);
    if ((!last && errno != EEXIST) || stat(path, &about) != 0)
        return chl_fail(CHL_ERR_IO, "%s: cannot create the run folder: %s", path, strerror(errno));
    if (!S_ISDIR(about.st_mode))
        return chl_fail(CHL_ERR_IO, "%s: the run folder must be a folder, got a file", path);
    return CHL_OK;
}

/* Those that appear complete or not at all. */
static const char *const replaced[] = {CHL_CHECKPOINT, CHL_MODEL,  CHL_STATS,   CHL_OPTIONS,
                                       CHL_EVENTS,     CHL_CURVES, "merges.txt"};
enum { REPLACED = sizeof replaced / sizeof replaced[0] };

/* model.safetensors.<digits>.tmp */
static bool is_half_written(const char *name) {
    const size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 4, ".tmp") != 0) return false;
    for (int k = 0; k < REPLACED; k++) {
        const size_t stem = strlen(replaced[k]);
        if (strncmp(name, replaced[k], stem) == 0 && name[stem] == '.') return true;
    }
    return false;
}

/* Removes half-written files of a killed process; the lock keeps other processes out. */
static void sweep(const chl_run_folder *folder) {
    DIR *list = opendir(folder->path);
    if (!list) return;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (is_half_written(entry->d_name)) unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
}

/* Before the first step: the model is written after the last. */
static chl_status check_files(const chl_run_folder *folder) {
    for (int k = 0; k < REPLACED; k++) {
        char *path;
        CHL_TRY(chl_run_folder_file(folder, replaced[k], &path));
        const chl_status status = chl_new_file_check(path, NULL);
        free(path);
        CHL_TRY(status);
    }
    return CHL_OK;
}

/* Keeps other processes out, where the file system knows locks: Lustre need not. */
static chl_status lock(const chl_run_folder *folder) {
    int result;
    do result = flock(fileno(folder->log), LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0) return CHL_OK;
    if (errno == EWOULDBLOCK)
        return chl_fail(CHL_ERR_IO, "%s: another process trains in this folder", folder->path);
    if (errno != ENOSYS && errno != EOPNOTSUPP && errno != ENOLCK)
        return chl_fail(CHL_ERR_IO, "%s/" LOG ": it cannot be locked: %s", folder->path,
                        strerror(errno));
    chl_run_folder_note(folder, CHL_LOG_WARN,
                        "%s: its file system has no locks (%s): take care that no other process "
                        "trains in this folder",
                        folder->path, strerror(errno));
    return CHL_OK;
}

chl_status chl_run_folder_open(const char *path, int rank, chl_run_folder *out) {
    char name[32] = LOG, *log;
    *out = (chl_run_folder){.path = path, .new_end = SIZE_MAX};
    CHL_TRY(make_folders(path, &out->new_end));
    if (rank > 0) snprintf(name, sizeof name, "log-%d.txt", rank);
    CHL_TRY(chl_run_folder_file(out, name, &log));
    const int new_file = open(log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (new_file >= 0) close(new_file);
    out->log = fopen(log, "ae");
    chl_status status = CHL_OK;
    if (!out->log)
        status = chl_fail(CHL_ERR_IO, "%s: %s", log, strerror(errno));
    else
        status = lock(out);
    if (new_file >= 0 && status == CHL_OK) /* not that of another process that was faster */
        out->new_log = log;
    else
        free(log);
    if (status == CHL_OK && rank == 0) {
        sweep(out);
        status = check_files(out);
    }
    return status;
}

void chl_run_folder_close(chl_run_folder *folder) {
    if (folder->log) fclose(folder->log);
    if (folder->stats) fclose(folder->stats);
    if (folder->events) fclose(folder->events);
    free(folder->new_log);
    folder->log = folder->stats = folder->events = NULL;
    folder->new_log = NULL;
}

void chl_run_folder_remove_log(const chl_run_folder *folder) {
    if (folder->new_log) unlink(folder->new_log);
}

void chl_run_folder_remove(const chl_run_folder *folder) {
    char *path = folder->path ? strdup(folder->path) : NULL;
    for (size_t end = path ? strlen(path) : 0; end > folder->new_end; end--)
        if (!path[end] || path[end] == '/') {
            path[end] = 0;
            if (rmdir(path) != 0 && errno != ENOENT && errno != EINVAL) break;
        }
    free(path);
}

void chl_run_folder_note(const chl_run_folder *folder, chl_log_level level, const char *format,
                         ...) {
    char line[1024], when[32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    chl_log(level, "%s", line);
    if (!folder->log) return;
    const time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    fprintf(folder->log, "%s %s%s\n", when, level == CHL_LOG_WARN ? "warning: " : "", line);
    fflush(folder->log);
}

/* --- stats.jsonl ------------------------------------------------------------------------------ */
/* The step of a line; 0 for a line that a kill cut short. */
static chl_status step_of(const char *text, size_t length, int64_t *step) {
    *step = 0;
    if (length == 0 || text[length - 1] != '\n') return CHL_OK;
    json_t *line;
    CHL_TRY(chl_json_read(text, length, 0, CHL_STATS, &line, NULL));
    *step = json_integer_value(json_object_get(line, "step"));
    json_decref(line);
    return CHL_OK;
}

/* Copies the first line of each step from 1 to `step`, in the order of the file, and leaves out the
 * other lines. A missing or damaged line costs no other one. */
static chl_status copy_lines(FILE *from, FILE *to, int64_t step, int64_t *copied) {
    char *text = NULL;
    size_t size = 0;
    bool *seen = calloc((size_t)step + 1, sizeof *seen);
    if (!seen) return chl_fail(CHL_ERR_MEMORY, "out of memory for the steps of " CHL_STATS);
    chl_status status = CHL_OK;
    errno = 0;
    for (ssize_t length; (length = getline(&text, &size, from)) >= 0;) {
        int64_t at;
        status = step_of(text, (size_t)length, &at);
        if (status != CHL_OK) break;
        if (at < 1 || at > step || seen[at]) continue;
        fwrite(text, 1, (size_t)length, to);
        seen[at] = true;
        ++*copied;
    }
    free(text);
    free(seen);
    CHL_TRY(status);
    if (feof(from)) return CHL_OK; /* else memory, or the disk */
    return chl_fail(CHL_ERR_IO, "cannot be read to its end (%s)", strerror(errno));
}

static chl_status cut(const chl_run_folder *folder, const char *path, int64_t step) {
    chl_new_file file;
    int64_t copied = 0;
    FILE *old = fopen(path, "re");
    if (!old && errno != ENOENT)
        return chl_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path, strerror(errno));
    chl_status status = chl_new_file_begin(path, &file);
    if (status == CHL_OK) {
        if (old) status = copy_lines(old, file.stream, step, &copied);
        if (status != CHL_OK) {
            status = chl_fail_in(status, "%s", path);
            chl_new_file_abandon(&file);
        } else
            status = chl_new_file_commit(&file);
    }
    if (old) fclose(old);
    CHL_TRY(status);
    if (copied < step)
        chl_run_folder_note(folder, CHL_LOG_WARN,
                            "%s has lines for %" PRId64 " of the %" PRId64
                            " steps that the checkpoint stands for",
                            path, copied, step);
    return CHL_OK;
}

chl_status chl_run_folder_stats(chl_run_folder *folder, int64_t step) {
    char *path;
    CHL_TRY(chl_run_folder_file(folder, CHL_STATS, &path));
    chl_status status = cut(folder, path, step);
    if (status == CHL_OK) {
        folder->stats = fopen(path, "ae");
        if (!folder->stats) status = chl_fail(CHL_ERR_IO, "%s: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

chl_status chl_run_folder_add(const chl_run_folder *folder, json_t *line) {
    /* nine digits tell any two float32 apart */
    char *text = chl_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(9), chl_json_refused());
    json_decref(line);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for a line of " CHL_STATS);
    const bool written = fprintf(folder->stats, "%s\n", text) > 0 && fflush(folder->stats) == 0;
    free(text);
    if (written) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "cannot write %s/" CHL_STATS ": %s", folder->path, strerror(errno));
}

chl_status chl_run_folder_flush(const chl_run_folder *folder) {
    if (fflush(folder->stats) != 0 || fsync(fileno(folder->stats)) != 0)
        return chl_fail(CHL_ERR_IO, "cannot write %s/" CHL_STATS ": %s", folder->path,
                        strerror(errno));
    return CHL_OK;
}

chl_status chl_run_folder_check_log(const chl_run_folder *folder) {
    if (!ferror(folder->log)) return CHL_OK;
    return chl_fail(CHL_ERR_IO,
                    "%s/" LOG ": a line could not be written: check the free space; the "
                    "checkpoint is complete",
                    folder->path);
}

/* --- files that are replaced ------------------------------------------------------------------ */
chl_status chl_run_folder_text(const chl_run_folder *folder, const char *name, const char *text,
                               size_t size) {
    char *path;
    chl_new_file file;
    CHL_TRY(chl_run_folder_file(folder, name, &path));
    chl_status status = chl_new_file_begin(path, &file);
    if (status == CHL_OK) {
        fwrite(text, 1, size, file.stream);
        status = chl_new_file_commit(&file);
    }
    free(path);
    return status;
}
