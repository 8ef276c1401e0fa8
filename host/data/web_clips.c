/* Tables of clips of videos on the web: VGGSound [Chen 2020] and AudioSet [Gemmeke 2017]. Their authors
 * publish the tables; the files are downloaded by others, who call them by the video's id, most with
 * the second at which the clip starts. A tenth of the first and a fifth of the second are gone. */
#include "base/text_buffer.h"
#include "data/csv.h"
#include "data/file_tree.h"
#include "data/layouts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STEM 128
#define VGGSOUND "vggsound.csv"
#define CLASSES "class_labels_indices.csv"
#define SEGMENTS "_segments.csv"

typedef struct reading {
    chl_source *source;
    const chl_source_choice *choice;
    const char *folder;
    chl_file_tree *tree;
    chl_csv csv;
    chl_names mid;     /* of AudioSet's classes */
    const char **name; /* [mid.count] what they are called */
} reading;

static chl_status no_memory(const reading *r) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", r->folder);
}

/* --- a clip ----------------------------------------------------------------------------------- */
/* start, end: seconds; end 0: not known. The names that downloaders use, the exact ones first. */
static void find_files(const reading *r, const char *id, double start, double end, chl_entry *to) {
    char stem[5][MAX_STEM];
    const long long second = llrint(start), ms = llrint(1000 * start), end_ms = llrint(1000 * end);
    snprintf(stem[0], MAX_STEM, "%s_%06lld", id, second);
    snprintf(stem[1], MAX_STEM, "%s_%lld", id, second);
    snprintf(stem[2], MAX_STEM, "%s_%lld_%lld", id, ms, end_ms);
    snprintf(stem[3], MAX_STEM, "Y%s", id);
    snprintf(stem[4], MAX_STEM, "%s", id);
    for (int i = 0; i < 5; i++) {
        const char *sound, *picture;
        chl_file_tree_find(r->tree, stem[i], &sound, &picture);
        if (!to->sound.path) to->sound.path = sound;
        if (!to->picture.path) to->picture.path = picture;
    }
}

/* The tree's paths end with it: the source gets copies. */
static chl_status add_clip(reading *r, chl_entry *entry, const char *id) {
    if (!entry->sound.path) return chl_source_miss(r->source, id);
    entry->sound.path = chl_source_text(r->source, entry->sound.path);
    if (!entry->sound.path) return no_memory(r);
    if (entry->picture.path) {
        entry->picture.path = chl_source_text(r->source, entry->picture.path);
        if (!entry->picture.path) return no_memory(r);
    }
    entry->from = chl_source_text(r->source, id);
    entry->line = r->csv.line;
    return entry->from ? chl_source_add_if_there(r->source, r->choice, entry, id) : no_memory(r);
}

static chl_status read_seconds(const reading *r, int column, double *seconds) {
    char *end;
    *seconds = strtod(r->csv.field[column], &end);
    while (*end == ' ') end++;
    if (end != r->csv.field[column] && !*end && *seconds >= 0 && *seconds < 1e6) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s line %lld: field %d must be seconds, got \"%.40s\"",
                    r->csv.path, (long long)r->csv.line, column + 1, r->csv.field[column]);
}

/* --- VGGSound: id, start, label, split -------------------------------------------------------- */
static chl_status add_vggsound(void *user) {
    reading *r = user;
    double start;
    chl_entry entry = {0};
    CHL_TRY(read_seconds(r, 1, &start));
    if (!chl_source_wants(r->choice, r->csv.field[3], 0)) return CHL_OK;
    entry.label = chl_source_shared(r->source, r->csv.field[2]);
    entry.split = chl_source_shared(r->source, r->csv.field[3]);
    if (!entry.label || !entry.split) return no_memory(r);
    find_files(r, r->csv.field[0], start, 0, &entry);
    return add_clip(r, &entry, r->csv.field[0]);
}

static chl_status read_rows(reading *r, const char *path, chl_status (*add)(void *user)) {
    CHL_TRY(chl_csv_open_headless(path, 4, &r->csv));
    return chl_csv_each(&r->csv, CHL_OK, add, r);
}

static chl_status read_vggsound(chl_source *s, const char *folder, const chl_source_choice *choice,
                                bool *mine) {
    *mine = false;
    reading r = {.source = s, .choice = choice, .folder = folder};
    char *path = chl_path_join(folder, VGGSOUND);
    if (!path) return no_memory(&r);
    *mine = access(path, F_OK) == 0;
    chl_status status = CHL_OK;
    if (*mine) {
        s->layout = "VGGSound";
        status = chl_file_tree_new(folder, &r.tree);
        if (status == CHL_OK) status = read_rows(&r, path, add_vggsound);
        chl_file_tree_free(r.tree);
    }
    free(path);
    return status;
}

/* --- AudioSet: id, start, end, "class,class" -------------------------------------------------- */
static chl_status read_classes(reading *r, const char *path) {
    int mid, name;
    bool more;
    CHL_TRY(chl_csv_open(path, &r->csv));
    chl_status status = chl_csv_column(&r->csv, "mid", &mid);
    if (status == CHL_OK) status = chl_csv_column(&r->csv, "display_name", &name);
    while (status == CHL_OK && (status = chl_csv_next(&r->csv, &more)) == CHL_OK && more) {
        const char *key = chl_source_shared(r->source, r->csv.field[mid]);
        const int number = key ? chl_names_add(&r->mid, key) : -1;
        const char **grown =
            number < 0 ? NULL : realloc((void *)r->name, sizeof *grown * (size_t)r->mid.count);
        if (grown) r->name = grown;
        if (grown) grown[number] = chl_source_shared(r->source, r->csv.field[name]);
        if (!grown || !grown[number]) status = no_memory(r);
    }
    chl_csv_close(&r->csv);
    return status;
}

/* The first class is the label; all of them, by their names, are the caption. */
static chl_status read_labels(reading *r, chl_entry *entry) {
    chl_text_buffer all = {0};
    char mid[MAX_STEM];
    for (const char *at = r->csv.field[3]; *at;) {
        const size_t length = strcspn(at, ",");
        snprintf(mid, sizeof mid, "%.*s", (int)length, at);
        const int number = chl_names_find(&r->mid, mid);
        if (number < 0) {
            free(all.text);
            return chl_fail(CHL_ERR_KEY, "%s line %lld: \"%s\" is no class of " CLASSES,
                            r->csv.path, (long long)r->csv.line, mid);
        }
        if (!entry->label) entry->label = r->name[number];
        chl_text_add(&all, "%s%s", all.size ? "; " : "", r->name[number]);
        at += length + (at[length] == ',');
    }
    CHL_TRY(chl_text_done(&all, "the names of classes"));
    entry->caption = chl_source_text(r->source, all.text);
    free(all.text);
    return entry->caption ? CHL_OK : no_memory(r);
}

/* balanced_train_segments.csv -> balanced_train */
static chl_status name_split(const reading *r, const char **split) {
    char name[MAX_STEM];
    const char *slash = strrchr(r->csv.path, '/'), *file = slash ? slash + 1 : r->csv.path;
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(SEGMENTS)), file);
    *split = chl_source_shared(r->source, name);
    return *split ? CHL_OK : no_memory(r);
}

static chl_status add_audioset(void *user) {
    reading *r = user;
    double start, end;
    chl_entry entry = {0};
    CHL_TRY(name_split(r, &entry.split));
    if (!chl_source_wants(r->choice, entry.split, 0)) return CHL_OK;
    CHL_TRY(read_seconds(r, 1, &start));
    CHL_TRY(read_seconds(r, 2, &end));
    CHL_TRY(read_labels(r, &entry));
    find_files(r, r->csv.field[0], start, end, &entry);
    return add_clip(r, &entry, r->csv.field[0]);
}

static chl_status read_segments(reading *r, char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        const size_t length = strlen(names[i]), ending = strlen(SEGMENTS);
        if (length <= ending || strcmp(names[i] + length - ending, SEGMENTS) != 0) continue;
        char *path = chl_path_join(r->folder, names[i]);
        if (!path) return no_memory(r);
        const chl_status status = read_rows(r, path, add_audioset);
        free(path);
        CHL_TRY(status);
    }
    return CHL_OK;
}

static chl_status read_audioset(chl_source *s, const char *folder, const chl_source_choice *choice,
                                bool *mine) {
    *mine = false;
    reading r = {.source = s, .choice = choice, .folder = folder};
    char *path = chl_path_join(folder, CLASSES), **names = NULL;
    int count = 0;
    if (!path) return no_memory(&r);
    *mine = access(path, F_OK) == 0;
    chl_status status = CHL_OK;
    if (*mine) {
        s->layout = "AudioSet";
        status = read_classes(&r, path);
        if (status == CHL_OK) status = chl_file_tree_new(folder, &r.tree);
        if (status == CHL_OK) status = chl_folder_list(folder, &names, &count);
        if (status == CHL_OK) status = read_segments(&r, names, count);
        chl_folder_free(names, count);
        chl_file_tree_free(r.tree);
        chl_names_free(&r.mid);
        free((void *)r.name);
    }
    free(path);
    return status;
}

const chl_layout chl_layout_vggsound = {"a folder with " VGGSOUND, read_vggsound};
const chl_layout chl_layout_audioset = {"a folder with " CLASSES " and *" SEGMENTS, read_audioset};
