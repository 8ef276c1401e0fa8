/* The files of a run. One that is replaced is replaced at once, by rename; one that grows gets
 * whole lines. */
#include "io/new_file.h"
#include "train/trainer_private.h"
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATS "stats.jsonl"

chl_status chl_run_folder_file(const chl_run_folder *folder, const char *file, char **path) {
    *path = NULL;
    if (asprintf(path, "%s/%s", folder->path, file) >= 0) return CHL_OK;
    *path = NULL;
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder->path);
}

bool chl_run_folder_has(const chl_run_folder *folder, const char *file) {
    char *path;
    if (chl_run_folder_file(folder, file, &path) != CHL_OK) return false;
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static chl_status make_folders(const char *path) {
    char *part = strdup(path);
    if (!part) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(part, 0777); /* an error here shows below, at the last folder */
        *at = '/';
    }
    free(part);
    struct stat about;
    if ((mkdir(path, 0777) != 0 && errno != EEXIST) || stat(path, &about) != 0)
        return chl_fail(CHL_ERR_IO, "%s: cannot create the run folder: %s", path, strerror(errno));
    if (!S_ISDIR(about.st_mode))
        return chl_fail(CHL_ERR_IO, "%s: the run folder must be a folder, got a file", path);
    return CHL_OK;
}

/* Removes half-written files of a killed process; the lock keeps other processes out. */
static void sweep(const chl_run_folder *folder) {
    char *pattern;
    glob_t found;
    if (chl_run_folder_file(folder, "*.tmp", &pattern) != CHL_OK) return;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const char *name = strrchr(found.gl_pathv[i], '/') + 1;
            const char *own[] = {CHL_CHECKPOINT ".", CHL_MODEL ".", STATS ".", "options.json."};
            for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
                if (strncmp(name, own[k], strlen(own[k])) == 0) unlink(found.gl_pathv[i]);
        }
        globfree(&found);
    }
    free(pattern);
}

chl_status chl_run_folder_open(const char *path, chl_run_folder *out) {
    *out = (chl_run_folder){.path = path};
    CHL_TRY(make_folders(path));
    char *log;
    CHL_TRY(chl_run_folder_file(out, "log.txt", &log));
    out->log = fopen(log, "ae");
    chl_status status = CHL_OK;
    if (!out->log)
        status = chl_fail(CHL_ERR_IO, "%s: %s", log, strerror(errno));
    else if (flock(fileno(out->log), LOCK_EX | LOCK_NB) != 0)
        status = chl_fail(CHL_ERR_IO, "%s: another process trains in this folder", path);
    free(log);
    if (status == CHL_OK)
        sweep(out);
    else
        chl_run_folder_close(out);
    return status;
}

void chl_run_folder_close(chl_run_folder *folder) {
    if (folder->log) fclose(folder->log);
    if (folder->stats) fclose(folder->stats);
    folder->log = folder->stats = NULL;
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
static int64_t step_of(const char *text, size_t length) {
    if (length == 0 || text[length - 1] != '\n') return 0;
    json_error_t error;
    json_t *line = json_loadb(text, length, 0, &error);
    const int64_t step = json_integer_value(json_object_get(line, "step"));
    json_decref(line);
    return step;
}

/* Copies the lines of steps 1 to `step`, in order, each once, and leaves out the others. */
static int64_t copy_lines(FILE *from, FILE *to, int64_t step) {
    char *text = NULL;
    size_t size = 0;
    int64_t copied = 0;
    for (ssize_t length; copied < step && (length = getline(&text, &size, from)) >= 0;) {
        if (step_of(text, (size_t)length) != copied + 1) continue;
        fwrite(text, 1, (size_t)length, to);
        copied++;
    }
    free(text);
    return copied;
}

static chl_status cut(const chl_run_folder *folder, const char *path, int64_t step) {
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    FILE *old = fopen(path, "re");
    const int64_t copied = old ? copy_lines(old, file.stream, step) : 0;
    if (old) fclose(old);
    CHL_TRY(chl_new_file_commit(&file));
    if (copied < step)
        chl_run_folder_note(folder, CHL_LOG_WARN,
                            "%s has lines for %" PRId64 " of the %" PRId64
                            " steps that the checkpoint stands for",
                            path, copied, step);
    return CHL_OK;
}

chl_status chl_run_folder_stats(chl_run_folder *folder, int64_t step) {
    char *path;
    CHL_TRY(chl_run_folder_file(folder, STATS, &path));
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
    const bool written =
        line && json_dumpf(line, folder->stats, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
        fputc('\n', folder->stats) != EOF && fflush(folder->stats) == 0;
    json_decref(line);
    if (written) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "cannot write %s/" STATS ": %s", folder->path, strerror(errno));
}

chl_status chl_run_folder_json(const chl_run_folder *folder, const char *name,
                               const json_t *value) {
    char *path;
    chl_new_file file;
    CHL_TRY(chl_run_folder_file(folder, name, &path));
    chl_status status = chl_new_file_begin(path, &file);
    if (status == CHL_OK) {
        json_dumpf(value, file.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        fputc('\n', file.stream);
        status = chl_new_file_commit(&file);
    }
    free(path);
    return status;
}
