/* The checkpoints of a run folder by their names: checkpoint.safetensors is the newest,
 * checkpoint-500.safetensors that of step 500.
 *
 * An older one is the same file under its second name, which it gets before the newest one's name
 * is given to another: at no moment is there less than one whole checkpoint. */
#include "train/trainer_private.h"
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLDER "checkpoint-%" PRId64 ".safetensors"

static chl_status older_path(const chl_run_folder *folder, int64_t step, char **path) {
    char name[64];
    snprintf(name, sizeof name, OLDER, step);
    return chl_run_folder_file(folder, name, path);
}

/* --- listing ---------------------------------------------------------------------------------- */
static int newest_first(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The step of "checkpoint-STEP.safetensors"; 0: another name */
static int64_t step_of(const char *name) {
    char again[64];
    int64_t step = 0;
    if (sscanf(name, "checkpoint-%" SCNd64, &step) != 1 || step < 1) return 0;
    snprintf(again, sizeof again, OLDER, step);
    return strcmp(name, again) == 0 ? step : 0;
}

/* Brackets and stars in the folder's own name are no pattern. */
static char *escape(const char *folder) {
    static const char names[] = "/checkpoint-*.safetensors";
    char *pattern = malloc(2 * strlen(folder) + sizeof names), *to = pattern;
    for (const char *at = folder; pattern && *at; at++) {
        if (strchr("*?[\\", *at)) *to++ = '\\';
        *to++ = *at;
    }
    if (pattern) memcpy(to, names, sizeof names);
    return pattern;
}

chl_status chl_checkpoint_list(const chl_run_folder *folder, int64_t **steps, int *count) {
    char *pattern = escape(folder->path);
    glob_t found = {0};
    *count = 0;
    *steps = NULL;
    const int result = pattern ? glob(pattern, GLOB_NOSORT, NULL, &found) : GLOB_NOSPACE;
    free(pattern);
    if (result == GLOB_NOMATCH) return CHL_OK;
    if (result == 0) *steps = malloc((found.gl_pathc + 1) * sizeof **steps);
    for (size_t i = 0; *steps && i < found.gl_pathc; i++) {
        const int64_t step = step_of(strrchr(found.gl_pathv[i], '/') + 1);
        if (step > 0) (*steps)[(*count)++] = step;
    }
    globfree(&found);
    if (*steps) {
        qsort(*steps, (size_t)*count, sizeof **steps, newest_first);
        return CHL_OK;
    }
    if (result == GLOB_NOSPACE || result == 0)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a list of checkpoints",
                        folder->path);
    return chl_fail(CHL_ERR_IO, "%s: its checkpoints cannot be listed", folder->path);
}

chl_status chl_checkpoint_path(const chl_run_folder *folder, int64_t step, char **path) {
    if (step > 0) return older_path(folder, step, path);
    return chl_run_folder_file(folder, CHL_CHECKPOINT, path);
}

chl_status chl_checkpoint_there(const chl_run_folder *folder, bool *there) {
    int64_t *steps;
    int count;
    CHL_TRY(chl_run_folder_has(folder, CHL_CHECKPOINT, there));
    if (*there) return CHL_OK;
    CHL_TRY(chl_checkpoint_list(folder, &steps, &count));
    *there = count > 0;
    free(steps);
    return CHL_OK;
}

/* --- keeping ---------------------------------------------------------------------------------- */
/* A file system without links: then the name moves, and the run resumes from it if it dies now. */
chl_status chl_checkpoint_keep(const chl_run_folder *folder, int64_t step) {
    char *newest, *older;
    CHL_TRY(chl_run_folder_file(folder, CHL_CHECKPOINT, &newest));
    chl_status status = older_path(folder, step, &older);
    if (status == CHL_OK) {
        if (unlink(older) != 0 && errno != ENOENT)
            status = chl_fail(CHL_ERR_IO, "%s: cannot be replaced (%s)", older, strerror(errno));
        else if (link(newest, older) != 0 && errno != ENOENT && rename(newest, older) != 0)
            status = chl_fail(CHL_ERR_IO, "%s: cannot be kept as %s (%s)", newest, older,
                              strerror(errno));
        free(older);
    }
    free(newest);
    return status;
}

/* Those of later steps are of a run that was taken back. A file that cannot be removed only takes
 * space: the next checkpoint tries again. */
chl_status chl_checkpoint_remove(const chl_run_folder *folder, int64_t step, int keep) {
    int64_t *steps;
    int count, kept = 1;
    chl_status status = CHL_OK;
    CHL_TRY(chl_checkpoint_list(folder, &steps, &count));
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *path;
        if (steps[i] < step && kept < keep) {
            kept++;
            continue;
        }
        status = older_path(folder, steps[i], &path);
        if (status == CHL_OK && unlink(path) != 0 && errno != ENOENT)
            chl_run_folder_note(folder, CHL_LOG_WARN, "%s: cannot be removed (%s)", path,
                                strerror(errno));
        if (status == CHL_OK) free(path);
    }
    free(steps);
    return status;
}
