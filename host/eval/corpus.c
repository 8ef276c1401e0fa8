#include "eval/corpus.h"
#include "train/dataset.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void chl_corpus_free(chl_corpus *corpus) {
    for (int64_t i = 0; i < corpus->count; i++) free(corpus->path[i]);
    for (int i = 0; i < corpus->labels; i++) free((void *)corpus->label[i]);
    chl_names_free(&corpus->names);
    free(corpus->path);
    free(corpus->truth);
    *corpus = (chl_corpus){0};
}

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
}

static int find_label(chl_corpus *c, const char *label) {
    const int known = chl_names_find(&c->names, label);
    if (known >= 0) return known;
    char *copy = strdup(label);
    const int number = copy ? chl_names_add(&c->names, copy) : -1;
    if (number < 0) free(copy);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the names keep it */
    c->label = c->names.name;
    c->labels = c->names.count;
    return number;
}

static chl_status add(chl_corpus *c, const char *folder, const char *path, const char *label) {
    const int truth = find_label(c, label);
    /* the capacity doubles when the count is a power of two */
    if ((c->count & (c->count - 1)) == 0) {
        const size_t capacity = c->count ? 2 * (size_t)c->count : 1;
        char **paths = realloc(c->path, sizeof *paths * capacity);
        if (paths) c->path = paths;
        int *truths = realloc(c->truth, sizeof *truths * capacity);
        if (truths) c->truth = truths;
        if (!paths || !truths) return no_memory(folder);
    }
    c->truth[c->count] = truth;
    c->path[c->count] = strdup(path);
    if (truth < 0 || !c->path[c->count]) {
        free(c->path[c->count]);
        return no_memory(folder);
    }
    c->count++;
    return CHL_OK;
}

static chl_status read_pairs(const char *folder, chl_corpus *c) {
    chl_dataset *data;
    CHL_TRY(chl_dataset_open(folder, CHL_NEED_SOUND, &data));
    chl_status status = CHL_OK;
    for (int64_t i = 0; i < data->count && status == CHL_OK; i++) {
        const chl_sample *s = &data->sample[i];
        const char *label = s->kind ? s->kind : s->label;
        status = label ? add(c, folder, s->sound, label)
                       : chl_fail(CHL_ERR_KEY,
                                  "%s/pairs.jsonl line %lld: \"kind\" or \"label\" is needed",
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
            status = add(c, path, file, label);
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
                          "%s must hold pairs.jsonl, or folders of sounds named by their labels",
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
        c->truth[at++] = c->truth[i];
    }
    c->count = at;
    free(round);
    free(kept);
    return CHL_OK;
}

chl_status chl_corpus_open(const char *folder, int64_t limit, chl_corpus *out) {
    *out = (chl_corpus){0};
    char *pairs = join(folder, "pairs.jsonl");
    if (!pairs) return no_memory(folder);
    const bool listed = access(pairs, F_OK) == 0;
    free(pairs);
    chl_status status = listed ? read_pairs(folder, out) : read_folders(folder, out);
    if (status == CHL_OK) status = thin_out(out, folder, limit);
    if (status != CHL_OK) chl_corpus_free(out);
    return status;
}
