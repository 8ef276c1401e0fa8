/* Data sets in the layout in which their authors publish them: ESC-50 [Piczak 2015] and UrbanSound8K
 * [Salamon 2014]. Their tables tell label, fold and original recording of every sound. */
#include "data/csv.h"
#include "data/layouts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct official_layout {
    const char *name, *table;
    const char *file, *label, *group; /* columns */
    bool fold_folders;                /* audio/fold1 ... beside audio */
    int folds;
} official_layout;

static const official_layout official[] = {
    {"ESC-50", "meta/esc50.csv", "filename", "category", "src_file", false, 5},
    {"UrbanSound8K", "metadata/UrbanSound8K.csv", "slice_file_name", "class", "fsID", true, 10},
};
enum { OFFICIAL = sizeof official / sizeof official[0] };

typedef struct reading {
    const official_layout *layout;
    const char *folder;
    const chl_source_choice *choice;
    chl_source *source;
    chl_csv csv;
    int file, label, fold, group, esc10; /* columns; -1: there is none */
} reading;

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
}

static chl_status find_columns(reading *r) {
    CHL_TRY(chl_csv_column(&r->csv, r->layout->file, &r->file));
    CHL_TRY(chl_csv_column(&r->csv, r->layout->label, &r->label));
    CHL_TRY(chl_csv_column(&r->csv, "fold", &r->fold));
    r->group = chl_csv_find(&r->csv, r->layout->group);
    r->esc10 = -1;
    return r->choice->esc10 ? chl_csv_column(&r->csv, "esc10", &r->esc10) : CHL_OK;
}

/* ESC-50's names are FOLD-RECORDING-TAKE-CLASS.wav: the recording, for a table that does not tell
 * it. False: the name is another. */
static bool recording_of(const char *file, char *group, size_t size) {
    const char *first = strchr(file, '-'), *second = first ? strchr(first + 1, '-') : NULL;
    if (!second || strspn(first + 1, "0123456789") != (size_t)(second - first - 1)) return false;
    return (size_t)snprintf(group, size, "%.*s", (int)(second - first - 1), first + 1) < size;
}

static chl_status add_sound(reading *r, const char *path, int fold) {
    char recording[32];
    const char *file = r->csv.field[r->file], *group = NULL;
    if (r->group >= 0 && *r->csv.field[r->group])
        group = r->csv.field[r->group];
    else if (!r->layout->fold_folders && recording_of(file, recording, sizeof recording))
        group = recording;
    const chl_entry entry = {.sound.path = chl_source_text(r->source, path),
                             .label = chl_source_shared(r->source, r->csv.field[r->label]),
                             .from = group ? chl_source_shared(r->source, group) : NULL,
                             .line = r->csv.line,
                             .fold = fold};
    if (!entry.sound.path || !entry.label || (group && !entry.from)) return no_memory(r->folder);
    return chl_source_add_if_there(r->source, r->choice, &entry, file);
}

static chl_status add_row(void *user) {
    reading *r = user;
    int fold;
    char inside[32] = "audio", *path = NULL;
    const char *file = r->csv.field[r->file], *label = r->csv.field[r->label];
    CHL_TRY(chl_csv_int(&r->csv, r->fold, 1, r->layout->folds, &fold));
    if (!*file || !*label)
        return chl_fail(CHL_ERR_FORMAT, "%s line %lld: \"%s\" must not be empty", r->csv.path,
                        (long long)r->csv.line, *file ? r->layout->label : r->layout->file);
    if (r->esc10 >= 0 && strcasecmp(r->csv.field[r->esc10], "true") != 0) return CHL_OK;
    if (!chl_source_wants(r->choice, NULL, fold)) return CHL_OK;
    if (r->layout->fold_folders) snprintf(inside, sizeof inside, "audio/fold%d", fold);
    if (asprintf(&path, "%s/%s/%s", r->folder, inside, file) < 0) return no_memory(r->folder);
    const chl_status status = add_sound(r, path, fold);
    free(path);
    return status;
}

static chl_status read_table(reading *r, const char *path) {
    CHL_TRY(chl_csv_open(path, &r->csv));
    return chl_csv_each(&r->csv, find_columns(r), add_row, r);
}

/* Without its table, a data set would be read as folders of sounds called "audio" and "meta". */
static chl_status refuse_without_table(const char *folder, const char *audio) {
    for (int i = 0; i < OFFICIAL; i++) {
        char inside[32];
        const char *table = official[i].table;
        snprintf(inside, sizeof inside, "%.*s", (int)strcspn(table, "/"), table);
        char *path = chl_path_join(folder, inside);
        if (!path) return no_memory(folder);
        const bool looks_so = chl_is_folder(path) && chl_is_folder(audio);
        free(path);
        if (looks_so)
            return chl_fail(CHL_ERR_IO,
                            "%s has the folders of %s, audio and %s, but not its table %s", folder,
                            official[i].name, inside, table);
    }
    return CHL_OK;
}

static chl_status read_official(chl_source *s, const char *folder, const chl_source_choice *choice,
                                bool *mine) {
    *mine = false;
    for (int i = 0; i < OFFICIAL && !*mine; i++) {
        reading r = {.layout = &official[i], .folder = folder, .choice = choice, .source = s};
        char *path = chl_path_join(folder, official[i].table);
        if (!path) return no_memory(folder);
        *mine = access(path, F_OK) == 0;
        if (*mine) s->layout = official[i].name;
        const chl_status status = *mine ? read_table(&r, path) : CHL_OK;
        free(path);
        CHL_TRY(status);
    }
    if (*mine) return CHL_OK;
    char *audio = chl_path_join(folder, "audio");
    if (!audio) return no_memory(folder);
    const chl_status status = refuse_without_table(folder, audio);
    free(audio);
    return status;
}

const chl_layout chl_layout_official = {"a folder with meta/esc50.csv or metadata/UrbanSound8K.csv",
                                        read_official};
