/* A table of clips with a header: the names of columns say what is in them. */
#include "base/decibels.h"
#include "data/captions.h"
#include "data/csv.h"
#include "data/layouts.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SOUND, PICTURE, LABEL, KIND, FROM, SPLIT, FOLD, STRENGTH, LEVEL, COLUMNS };
#define NAMES 6
static const char *const names[COLUMNS][NAMES] = {
    {"sound", "audio", "file", "filename", "file_name", "path"},
    {"picture", "image", "frame"},
    {"label", "category", "class"},
    {"kind"},
    {"source"},
    {"split"},
    {"fold"},
    {"strength"},
    {"level_db"}};

typedef struct reading {
    chl_source *source;
    const chl_source_choice *choice;
    chl_csv csv;
    char *folder;
    int column[COLUMNS];                    /* -1: there is none */
    int captions, caption[CHL_CSV_COLUMNS]; /* the columns of captions, in their order */
} reading;

/* "caption", "text", then "caption_1", "caption_2", ..., as Clotho has them; -1: it is none. */
static long caption_order(const char *name) {
    static const char begin[] = "caption_";
    if (strcmp(name, "caption") == 0) return 0;
    if (strcmp(name, "text") == 0) return 1;
    if (strncmp(name, begin, strlen(begin)) != 0) return -1;
    const char *digits = name + strlen(begin);
    if (!*digits || digits[strspn(digits, "0123456789")]) return -1;
    const long number = strtol(digits, NULL, 10);
    return number < LONG_MAX - 2 ? number + 2 : LONG_MAX;
}

static void find_captions(reading *r) {
    for (int c = 0; c < r->csv.columns; c++) {
        const long order = caption_order(r->csv.column[c]);
        if (order < 0) continue;
        int at = r->captions++;
        for (; at > 0 && caption_order(r->csv.column[r->caption[at - 1]]) > order; at--)
            r->caption[at] = r->caption[at - 1];
        r->caption[at] = c;
    }
}

static chl_status find_columns(reading *r) {
    for (int c = 0; c < COLUMNS; c++) {
        r->column[c] = -1;
        for (int k = 0; k < NAMES && names[c][k] && r->column[c] < 0; k++)
            r->column[c] = chl_csv_find(&r->csv, names[c][k]);
    }
    find_captions(r);
    int unused;
    if (r->choice->split && r->column[SPLIT] < 0 && r->column[FOLD] < 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "split must be left out for %s, got \"%s\": it has no column \"split\" or "
                        "\"fold\"",
                        r->csv.path, r->choice->split);
    return r->column[SOUND] >= 0 ? CHL_OK : chl_csv_column(&r->csv, names[SOUND][0], &unused);
}

static const char *field(const reading *r, int column) {
    const char *text = r->column[column] < 0 ? "" : r->csv.field[r->column[column]];
    return *text ? text : NULL;
}

static chl_status read_path(reading *r, int column, const char **path) {
    *path = NULL;
    if (!field(r, column)) return CHL_OK;
    char *joined = chl_path_join(r->folder, field(r, column));
    if (joined) *path = chl_source_text(r->source, joined);
    free(joined);
    return *path ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", r->csv.path);
}

static chl_status read_strength(const reading *r, chl_entry *entry) {
    const char *text = field(r, STRENGTH);
    char *end;
    entry->strength = 1;
    if (!text) return CHL_OK;
    entry->level_told = true;
    errno = 0;
    entry->strength = strtof(text, &end);
    if (!*end && end != text && isfinite(entry->strength)) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s line %lld: \"strength\" must be a number, got \"%.40s\"",
                    r->csv.path, (long long)r->csv.line, text);
}

static chl_status read_level(const reading *r, chl_entry *entry) {
    const char *text = field(r, LEVEL);
    char *end;
    if (!text) return CHL_OK;
    entry->level_given = true;
    entry->level_db = strtof(text, &end);
    if (!*end && end != text && chl_is_level((double)entry->level_db)) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s line %lld: \"level_db\" must be " CHL_LEVELS ", got \"%.40s\"", r->csv.path,
                    (long long)r->csv.line, text);
}

static chl_status read_captions(reading *r, chl_entry *entry) {
    chl_text_buffer all = {0};
    const char *first = NULL;
    for (int i = r->captions - 1; i >= 0; i--)
        if (*r->csv.field[r->caption[i]]) first = r->csv.field[r->caption[i]];
    if (!first) return CHL_OK;
    entry->caption = chl_source_text(r->source, first);
    if (!entry->caption) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", r->csv.path);
    for (int i = 0; i < r->captions; i++) chl_captions_add(&all, r->csv.field[r->caption[i]]);
    if (!all.size && !all.failed) return CHL_OK;
    CHL_TRY(chl_text_done(&all, "captions"));
    if (strchr(all.text, '\n')) entry->captions = chl_source_text(r->source, all.text);
    const bool lost = strchr(all.text, '\n') && !entry->captions;
    free(all.text);
    return lost ? chl_fail(CHL_ERR_MEMORY, "%s: out of memory", r->csv.path) : CHL_OK;
}

static chl_status add_row(void *user) {
    reading *r = user;
    const int split = field(r, SPLIT) ? SPLIT : FOLD;
    chl_entry entry = {.line = r->csv.line, .fold = chl_source_fold(field(r, FOLD))};
    if (entry.fold == 0) entry.fold = chl_source_fold(field(r, split));
    const struct {
        const char **to;
        int column;
    } texts[] = {
        {&entry.label, LABEL}, {&entry.kind, KIND}, {&entry.from, FROM}, {&entry.split, split}};
    if (!field(r, SOUND))
        return chl_fail(CHL_ERR_FORMAT, "%s line %lld: \"%s\" must not be empty", r->csv.path,
                        (long long)r->csv.line, r->csv.column[r->column[SOUND]]);
    if (!chl_source_wants(r->choice, field(r, split), entry.fold)) return CHL_OK;
    CHL_TRY(read_strength(r, &entry));
    CHL_TRY(read_level(r, &entry));
    CHL_TRY(read_path(r, SOUND, &entry.sound.path));
    CHL_TRY(read_path(r, PICTURE, &entry.picture.path));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = field(r, texts[i].column);
        if (!text) continue;
        *texts[i].to = chl_source_shared(r->source, text);
        if (!*texts[i].to) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", r->csv.path);
    }
    CHL_TRY(read_captions(r, &entry));
    return chl_source_add_if_there(r->source, r->choice, &entry, field(r, SOUND));
}

static chl_status read_rows(reading *r, const char *path) {
    CHL_TRY(chl_csv_open(path, &r->csv));
    return chl_csv_each(&r->csv, find_columns(r), add_row, r);
}

static chl_status read_manifest(chl_source *s, const char *path, const chl_source_choice *choice,
                                bool *mine) {
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    *mine = dot && strcmp(dot, ".csv") == 0 && !chl_is_folder(path);
    if (!*mine) return CHL_OK;
    s->layout = "manifest";
    reading r = {.source = s, .choice = choice};
    r.folder = slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
    if (!r.folder) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    const chl_status status = read_rows(&r, path);
    free(r.folder);
    return status;
}

const chl_layout chl_layout_manifest = {
    "a table .csv with a column sound (picture, label, caption, kind, source, split, fold)",
    read_manifest};
