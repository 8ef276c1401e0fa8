#include "eval/corpus.h"
#include "eval/corpus_official.h"
#include "train/dataset.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
}

static chl_status read_pairs(const char *folder, chl_corpus *c) {
    chl_dataset *data;
    CHL_TRY(chl_dataset_open(folder, CHL_NEED_SOUND, &data));
    chl_status status = CHL_OK;
    for (int64_t i = 0; i < data->count && status == CHL_OK; i++) {
        const chl_sample *s = &data->sample[i];
        const char *label = s->kind ? s->kind : s->label;
        status =
            label
                ? chl_corpus_add(c, folder, &(chl_corpus_sound){.path = s->sound, .label = label})
                : chl_fail(CHL_ERR_KEY, "%s/pairs.jsonl line %lld: \"kind\" or \"label\" is needed",
                           folder, (long long)s->line);
    }
    chl_dataset_free(data);
    return status;
}

static char *join(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Names in the folder, sorted; hidden ones left out. */
static int keep_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static chl_status list(const char *folder, struct dirent ***entry, int *count) {
    *count = scandir(folder, entry, keep_visible, alphasort);
    if (*count >= 0) return CHL_OK;
    *count = 0;
    *entry = NULL;
    return chl_fail(CHL_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
}

static void free_list(struct dirent **entry, int count) {
    for (int i = 0; i < count; i++) free(entry[i]);
    free(entry);
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static chl_status read_label_folder(const char *path, const char *label, chl_corpus *c) {
    struct dirent **entry;
    int count;
    CHL_TRY(list(path, &entry, &count));
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *file = join(path, entry[i]->d_name);
        if (!file)
            status = no_memory(path);
        else if (!is_folder(file))
            status = chl_corpus_add(c, path, &(chl_corpus_sound){.path = file, .label = label});
        free(file);
    }
    free_list(entry, count);
    return status;
}

static chl_status read_folders(const char *folder, chl_corpus *c) {
    struct dirent **entry;
    int count;
    CHL_TRY(list(folder, &entry, &count));
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *path = join(folder, entry[i]->d_name);
        if (!path)
            status = no_memory(folder);
        else if (is_folder(path))
            status = read_label_folder(path, entry[i]->d_name, c);
        free(path);
    }
    free_list(entry, count);
    if (status == CHL_OK && c->count == 0)
        status = chl_fail(CHL_ERR_FORMAT,
                          "%s must hold pairs.jsonl, meta/esc50.csv, metadata/UrbanSound8K.csv, or "
                          "folders of sounds named by their labels",
                          folder);
    return status;
}

/* Keeps one sound of every label, then a second one of every label, and so on, so that a short test
 * is balanced. */
static chl_status thin_out(chl_corpus *c, const char *folder, int64_t limit) {
    if (limit <= 0 || limit >= c->count) return CHL_OK;
    int64_t *round = calloc((size_t)c->labels, sizeof *round);
    bool *kept = calloc((size_t)c->count, sizeof *kept);
    if (!round || !kept) {
        free(round);
        free(kept);
        return no_memory(folder);
    }
    int64_t left = limit, at = 0;
    for (int64_t turn = 0; left > 0; turn++) {
        memset(round, 0, (size_t)c->labels * sizeof *round);
        for (int64_t i = 0; i < c->count && left > 0; i++) {
            if (round[c->truth[i]]++ != turn) continue;
            kept[i] = true;
            left--;
        }
    }
    for (int64_t i = 0; i < c->count; i++) {
        if (!kept[i]) {
            free(c->path[i]);
            continue;
        }
        c->path[at] = c->path[i];
        c->truth[at] = c->truth[i];
        c->fold[at] = c->fold[i];
        c->group[at++] = c->group[i];
    }
    c->count = at;
    free(round);
    free(kept);
    return CHL_OK;
}

static chl_status read_any(const char *folder, const chl_corpus_choice *choice, chl_corpus *out) {
    char *pairs = join(folder, "pairs.jsonl");
    if (!pairs) return no_memory(folder);
    const bool listed = access(pairs, F_OK) == 0;
    bool official = false;
    free(pairs);
    out->layout = listed ? "pairs.jsonl" : "folders";
    if (!listed) CHL_TRY(chl_corpus_read_official(folder, choice, out, &official));
    if (official) return CHL_OK;
    if (choice->esc10)
        return chl_fail(CHL_ERR_ARGUMENT, "esc10 must be 0 for %s: it has no meta/esc50.csv",
                        folder);
    if (choice->folds)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "folds must be 0 for %s: it has no official folds (meta/esc50.csv, "
                        "metadata/UrbanSound8K.csv)",
                        folder);
    return listed ? read_pairs(folder, out) : read_folders(folder, out);
}

chl_status chl_corpus_open(const char *folder, const chl_corpus_choice *choice, chl_corpus *out) {
    static const chl_corpus_choice all = {0};
    if (!choice) choice = &all;
    *out = (chl_corpus){0};
    chl_status status = read_any(folder, choice, out);
    if (status == CHL_OK) status = thin_out(out, folder, choice->limit);
    if (status != CHL_OK) chl_corpus_free(out);
    return status;
}
