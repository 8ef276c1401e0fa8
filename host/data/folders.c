/* A folder per label. */
#include "data/layouts.h"
#include <stdio.h>

/* Every file that is no picture is a sound: what it is tells its content, not its name. */
static chl_status add_sound(chl_source *s, const char *path, const char *name, const char *label) {
    (void)name;
    if (chl_is_folder(path) || chl_names_picture(path)) return CHL_OK;
    const chl_entry entry = {.sound.path = chl_source_text(s, path), .label = label};
    if (!entry.sound.path) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", path);
    return chl_source_add(s, &entry);
}

static chl_status read_label(chl_source *s, const char *path, const char *name, const char *above) {
    (void)above;
    if (!chl_is_folder(path)) return CHL_OK;
    const char *label = chl_source_shared(s, name);
    if (!label) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    return chl_folder_each(s, path, label, add_sound);
}

/* Folders name labels and nothing else. */
static chl_status check_choice(const char *path, const chl_source_choice *choice) {
    static const char tables[] = "meta/esc50.csv or metadata/UrbanSound8K.csv";
    char numbers[64] = "";
    for (int i = 0, at = 0; i < choice->folds && at < (int)sizeof numbers; i++)
        at += snprintf(numbers + at, sizeof numbers - (size_t)at, "%s%d", i ? "," : "",
                       choice->fold[i]);
    if (choice->esc10)
        return chl_fail(CHL_ERR_ARGUMENT, "esc10 must be left out for %s: it has no meta/esc50.csv",
                        path);
    if (choice->folds)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "folds must be left out for %s, got %s: a folder per label has no official "
                        "folds, which %s would tell",
                        path, numbers, tables);
    if (choice->split)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "split must be left out for %s, got \"%s\": a folder per label has no "
                        "official folds, which %s would tell",
                        path, choice->split, tables);
    return CHL_OK;
}

static chl_status read_folders(chl_source *s, const char *path, const chl_source_choice *choice,
                               bool *mine) {
    *mine = false;
    if (!chl_is_folder(path)) return CHL_OK;
    CHL_TRY(check_choice(path, choice));
    s->layout = "folders";
    CHL_TRY(chl_folder_each(s, path, NULL, read_label));
    *mine = s->count > 0;
    return CHL_OK;
}

const chl_layout chl_layout_folders = {"folders of sounds named by their labels", read_folders};
