/* Data sets in the layout in which their authors publish them: ESC-50 [Piczak 2015] and UrbanSound8K
 * [Salamon 2014]. Their tables tell label, fold and original recording of every sound. */
#include "eval/corpus_official.h"
#include "base/text_buffer.h"
#include "eval/csv.h"
#include "io/sound.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMED_MISSING 3 /* of the sounds that are not there */

typedef struct official_layout {
    const char *name, *table;
    const char *file, *label, *group; /* columns */
    bool fold_folders;                /* audio/fold1 ... beside audio */
    int folds;
} official_layout;

static const official_layout layouts[] = {
    {"ESC-50", "meta/esc50.csv", "filename", "category", "src_file", false, 5},
    {"UrbanSound8K", "metadata/UrbanSound8K.csv", "slice_file_name", "class", "fsID", true, 10},
};

typedef struct reading {
    const official_layout *layout;
    const char *folder;
    const chl_corpus_choice *choice;
    chl_csv csv;
    int file, label, fold, group, esc10; /* columns; -1: there is none */
    chl_text_buffer missing;
} reading;

static char *join(const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool is_there(const char *path, bool folder) {
    struct stat about;
    return stat(path, &about) == 0 && (bool)S_ISDIR(about.st_mode) == folder;
}

static chl_status find_columns(reading *r) {
    CHL_TRY(chl_csv_column(&r->csv, r->layout->file, &r->file));
    CHL_TRY(chl_csv_column(&r->csv, r->layout->label, &r->label));
    CHL_TRY(chl_csv_column(&r->csv, "fold", &r->fold));
    r->group = chl_csv_find(&r->csv, r->layout->group);
    r->esc10 = -1;
    return r->choice->esc10 ? chl_csv_column(&r->csv, "esc10", &r->esc10) : CHL_OK;
}

static bool is_chosen(const reading *r, int fold) {
    if (r->esc10 >= 0 && strcasecmp(r->csv.field[r->esc10], "true") != 0) return false;
    for (int i = 0; i < r->choice->folds; i++)
        if (r->choice->fold[i] == fold) return true;
    return r->choice->folds == 0;
}

/* ESC-50's names are FOLD-RECORDING-TAKE-CLASS.wav: the recording, for a table that does not tell
 * it. False: the name is another. */
static bool recording_of(const char *file, char *group, size_t size) {
    const char *first = strchr(file, '-'), *second = first ? strchr(first + 1, '-') : NULL;
    if (!second || strspn(first + 1, "0123456789") != (size_t)(second - first - 1)) return false;
    return (size_t)snprintf(group, size, "%.*s", (int)(second - first - 1), first + 1) < size;
}

/* Whether the file is there and begins as a sound. */
static chl_status try_sound(const char *path, bool *fine) {
    *fine = false;
    if (access(path, F_OK) != 0) return CHL_OK;
    chl_sound *sound;
    const chl_status status = chl_sound_open(path, &sound);
    *fine = status == CHL_OK;
    if (*fine) chl_sound_close(sound);
    const bool of_the_file = status == CHL_ERR_IO || status == CHL_ERR_FORMAT;
    return of_the_file ? CHL_OK : status;
}

static chl_status note_missing(reading *r, chl_corpus *c, const char *file) {
    if (c->missing++ < NAMED_MISSING)
        chl_text_add(&r->missing, "%s%s", c->missing > 1 ? ", " : "", file);
    return CHL_OK;
}

static chl_status add_row(reading *r, chl_corpus *c) {
    int fold;
    char recording[32], inside[32] = "audio", *path = NULL;
    const char *file = r->csv.field[r->file], *label = r->csv.field[r->label];
    CHL_TRY(chl_csv_int(&r->csv, r->fold, 1, r->layout->folds, &fold));
    if (!*file || !*label)
        return chl_fail(CHL_ERR_FORMAT, "%s line %lld: \"%s\" must not be empty", r->csv.path,
                        (long long)r->csv.line, *file ? r->layout->label : r->layout->file);
    if (!is_chosen(r, fold)) return CHL_OK;
    if (r->layout->fold_folders) snprintf(inside, sizeof inside, "audio/fold%d", fold);
    if (asprintf(&path, "%s/%s/%s", r->folder, inside, file) < 0)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", r->folder);
    chl_corpus_sound sound = {.path = path, .label = label, .fold = fold};
    if (r->group >= 0 && *r->csv.field[r->group])
        sound.group = r->csv.field[r->group];
    else if (!r->layout->fold_folders && recording_of(file, recording, sizeof recording))
        sound.group = recording;
    bool fine;
    chl_status status = try_sound(path, &fine);
    if (status == CHL_OK)
        status = fine ? chl_corpus_add(c, r->folder, &sound) : note_missing(r, c, file);
    free(path);
    return status;
}

/* A data set of which nothing is there is none; of one that lacks some the rest is used. */
static chl_status tell_missing(reading *r, const chl_corpus *c) {
    if (c->missing == 0 && c->count > 0) return CHL_OK;
    if (c->missing == 0)
        return chl_fail(CHL_ERR_FORMAT, "%s names no sound%s", r->csv.path,
                        r->choice->esc10 || r->choice->folds ? " of the chosen ones" : "");
    CHL_TRY(chl_text_done(&r->missing, "the names of missing sounds"));
    if (c->count == 0)
        return chl_fail(CHL_ERR_IO,
                        "%s: none of the %lld sounds of %s is in its folder audio, readable: %s%s",
                        r->folder, (long long)c->missing, r->layout->table, r->missing.text,
                        c->missing > NAMED_MISSING ? ", ..." : "");
    const int64_t named = c->missing + c->count;
    chl_log(CHL_LOG_WARN,
            "%s: %lld of the %lld sounds of %s are not there or not readable, and left out: %s%s",
            r->folder, (long long)c->missing, (long long)named, r->layout->table, r->missing.text,
            c->missing > NAMED_MISSING ? ", ..." : "");
    return CHL_OK;
}

static chl_status read_table(reading *r, const char *path, chl_corpus *c) {
    bool more;
    CHL_TRY(chl_csv_open(path, &r->csv));
    chl_status status = find_columns(r);
    while (status == CHL_OK && (status = chl_csv_next(&r->csv, &more)) == CHL_OK && more)
        status = add_row(r, c);
    if (status == CHL_OK) status = tell_missing(r, c);
    chl_csv_close(&r->csv);
    free(r->missing.text);
    return status;
}

/* Without its table, a data set would be read as folders of sounds called "audio" and "meta". */
static chl_status refuse_without_table(const char *folder, const char *audio) {
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        char inside[32];
        const char *table = layouts[i].table;
        snprintf(inside, sizeof inside, "%.*s", (int)strcspn(table, "/"), table);
        char *path = join(folder, inside);
        if (!path) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a path", folder);
        const bool looks_so = is_there(path, true) && is_there(audio, true);
        free(path);
        if (looks_so)
            return chl_fail(CHL_ERR_IO,
                            "%s has the folders of %s, audio and %s, but not its table %s", folder,
                            layouts[i].name, inside, table);
    }
    return CHL_OK;
}

chl_status chl_corpus_read_official(const char *folder, const chl_corpus_choice *choice,
                                    chl_corpus *corpus, bool *known) {
    *known = false;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        char *path = join(folder, layouts[i].table);
        if (!path) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a path", folder);
        chl_status status = CHL_OK;
        *known = access(path, F_OK) == 0;
        reading r = {.layout = &layouts[i], .folder = folder, .choice = choice};
        if (*known) corpus->layout = layouts[i].name;
        if (*known) status = read_table(&r, path, corpus);
        free(path);
        if (*known) return status;
    }
    char *audio = join(folder, "audio");
    if (!audio) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a path", folder);
    const chl_status status = refuse_without_table(folder, audio);
    free(audio);
    return status;
}
