#include "eval/corpus.h"
#include "data/source.h"
#include "train/dataset.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
}

/* The key "fold" where it is a number from 1 up, else a split that is one; 0: neither is. */
static int fold_of(const chl_dataset *data, int64_t sample) {
    const int *fold = chl_dataset_classes(data, "fold");
    return fold && fold[sample] > 0 ? fold[sample] : chl_source_fold(data->sample[sample].split);
}

/* Is the fold a chosen one? `any`: there are folds. */
static bool is_chosen(const chl_corpus_choice *choice, int fold, bool *any) {
    *any = *any || fold > 0;
    for (int i = 0; i < choice->folds; i++)
        if (choice->fold[i] == fold) return true;
    return choice->folds == 0;
}

static chl_status add_sample(const chl_dataset *data, int64_t sample, int fold, chl_corpus *c) {
    const chl_sample *s = &data->sample[sample];
    const char *label = s->kind ? s->kind : s->label;
    if (!label)
        return chl_fail(CHL_ERR_KEY, "%s line %lld: \"kind\" or \"label\" is needed", data->list,
                        (long long)s->line);
    const chl_corpus_sound sound = {
        .media = chl_sample_sound(s), .label = label, .fold = fold, .split = s->split};
    return chl_corpus_add(c, data->folder, &sound);
}

static chl_status read_pairs(const char *folder, const chl_corpus_choice *choice, chl_corpus *c) {
    const chl_dataset_choice wanted = {.split = choice->split};
    chl_dataset *data;
    bool any = false;
    CHL_TRY(chl_dataset_open_chosen(folder, CHL_NEED_SOUND, &wanted, &data));
    chl_status status = CHL_OK;
    for (int64_t i = 0; i < data->count && status == CHL_OK; i++) {
        const int fold = fold_of(data, i);
        if (is_chosen(choice, fold, &any)) status = add_sample(data, i, fold, c);
    }
    if (status == CHL_OK && choice->folds && !any)
        status = chl_fail(
            CHL_ERR_ARGUMENT,
            "folds must be left out for %s: none of its lines has a \"fold\" (or a \"split\") "
            "that is a whole number from 1 up",
            folder);
    else if (status == CHL_OK && c->count == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: it has no sound in the chosen folds", folder);
    chl_dataset_free(data);
    return status;
}

/* The layouts of data/source.h: official tables, folders named by labels, manifests, shards. */
static chl_status read_source(const char *path, const chl_corpus_choice *choice, chl_corpus *c) {
    const chl_source_choice wanted = {.split = choice->split,
                                      .esc10 = choice->esc10,
                                      .folds = choice->folds,
                                      .fold = choice->fold,
                                      .try_sounds = true};
    chl_source *source;
    CHL_TRY(chl_source_open(path, &wanted, &source));
    chl_status status = CHL_OK;
    c->layout = source->layout;
    c->missing = source->missing;
    for (int64_t i = 0; i < source->count && status == CHL_OK; i++) {
        const chl_entry *e = &source->entry[i];
        const chl_corpus_sound sound = {.media = e->sound,
                                        .label = e->kind ? e->kind : e->label,
                                        .fold = e->fold ? e->fold : chl_source_fold(e->split),
                                        .group = e->from,
                                        .split = e->split};
        status = sound.label ? chl_corpus_add(c, path, &sound)
                             : chl_fail(CHL_ERR_KEY, "%s line %lld: a label is needed", path,
                                        (long long)e->line);
    }
    chl_source_free(source);
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
            chl_corpus_forget(c, i);
            continue;
        }
        c->sound[at] = c->sound[i];
        c->truth[at] = c->truth[i];
        c->fold[at] = c->fold[i];
        c->split[at] = c->split[i];
        c->group[at++] = c->group[i];
    }
    c->count = at;
    free(round);
    free(kept);
    return CHL_OK;
}

static chl_status read_any(const char *folder, const chl_corpus_choice *choice, chl_corpus *out) {
    char *pairs;
    if (asprintf(&pairs, "%s/pairs.jsonl", folder) < 0) return no_memory(folder);
    const char *dot = strrchr(folder, '.');
    const bool manifest = dot && strcmp(dot, ".jsonl") == 0 && !chl_is_folder(folder);
    const bool listed = manifest || access(pairs, F_OK) == 0;
    free(pairs);
    if (!listed) return read_source(folder, choice, out);
    out->layout = "pairs.jsonl";
    if (choice->esc10)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "esc10 must be left out for %s: only ESC-50's table, meta/esc50.csv, marks ESC-10",
            folder);
    return read_pairs(folder, choice, out);
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
