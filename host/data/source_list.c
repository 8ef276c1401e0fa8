#include "data/source_list.h"
#include "base/free.h"
#include "base/grow.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 16)

/* --- texts ------------------------------------------------------------------------------------ */
const char *chl_source_text(chl_source *s, const char *text) {
    const size_t size = strlen(text) + 1;
    if (size > s->chunk_left) {
        const size_t room = size > CHUNK ? size : CHUNK;
        char **grown = realloc(s->chunk, sizeof *grown * (size_t)(s->chunks + 1));
        if (grown) s->chunk = grown;
        char *chunk = grown ? malloc(room) : NULL;
        if (!chunk) return NULL;
        s->chunk[s->chunks++] = chunk;
        s->chunk_at = chunk;
        s->chunk_left = room;
    }
    char *copy = memcpy(s->chunk_at, text, size);
    s->chunk_at += size;
    s->chunk_left -= size;
    return copy;
}

const char *chl_source_shared(chl_source *s, const char *text) {
    int number = chl_names_find(&s->shared, text);
    if (number < 0) {
        const char *copy = chl_source_text(s, text);
        number = copy ? chl_names_add(&s->shared, copy) : -1;
    }
    return number < 0 ? NULL : s->shared.name[number];
}

/* --- entries ---------------------------------------------------------------------------------- */
static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a list of clips");
}

chl_status chl_source_add(chl_source *s, const chl_entry *entry) {
    chl_entry *more = chl_grown(s->entry, s->count, &s->capacity, sizeof *more);
    if (!more) return no_memory();
    s->entry = more;
    more[s->count] = *entry;
    if (!entry->level_told) more[s->count].strength = 1;
    if (!entry->picture.path && chl_names_video(chl_media_name(&entry->sound)))
        more[s->count].picture = entry->sound;
    s->count++;
    return CHL_OK;
}

chl_status chl_source_miss(chl_source *s, const char *name) {
    char **more = chl_grown(s->missing_name, s->missing, &s->missing_capacity, sizeof *more);
    if (!more) return no_memory();
    s->missing_name = more;
    more[s->missing] = strdup(name);
    return more[s->missing] ? (s->missing++, CHL_OK) : no_memory();
}

static bool names_it(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; *at;) {
        const size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, name, length) == 0) return true;
        at += part + (at[part] == ',');
    }
    return false;
}

int chl_source_fold(const char *split) {
    char *end = NULL;
    const long fold = split && *split >= '0' && *split <= '9' ? strtol(split, &end, 10) : 0;
    return end && !*end && fold >= 1 && fold <= INT_MAX ? (int)fold : 0;
}

bool chl_source_wants(const chl_source_choice *choice, const char *split, int fold) {
    char number[16];
    for (int i = 0; i < choice->folds; i++)
        if (choice->fold[i] == fold) return true;
    if (choice->folds) return false;
    if (!choice->split) return true;
    snprintf(number, sizeof number, "%d", fold);
    return (split && names_it(choice->split, split)) || (fold && names_it(choice->split, number));
}

static chl_status try_sound(const chl_media *media, bool *fine) {
    chl_media_sound sound;
    const chl_status status = chl_media_sound_open(media, &sound);
    *fine = status == CHL_OK;
    if (*fine) chl_media_sound_close(&sound);
    const bool of_the_file = status == CHL_ERR_IO || status == CHL_ERR_FORMAT;
    return of_the_file ? CHL_OK : status;
}

chl_status chl_source_add_if_there(chl_source *s, const chl_source_choice *choice,
                                   const chl_entry *entry, const char *name) {
    bool fine = access(entry->sound.path, R_OK) == 0;
    if (fine && choice->try_sounds) CHL_TRY(try_sound(&entry->sound, &fine));
    return fine ? chl_source_add(s, entry) : chl_source_miss(s, name);
}

/* --- names ------------------------------------------------------------------------------------ */
char *chl_path_join(const char *folder, const char *name) {
    char *path;
    if (name[0] == '/') return strdup(name);
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

bool chl_is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool ends_in_one_of(const char *name, const char *const *ending) {
    const char *dot = strrchr(name, '.');
    for (; dot && *ending; ending++)
        if (strcasecmp(dot + 1, *ending) == 0) return true;
    return false;
}

bool chl_names_sound(const char *name) {
    static const char *const endings[] = {"wav", "flac", "ogg", "mp3", "opus", "aiff",
                                          "aif", "m4a",  "aac", "wma", "webm", "mp4",
                                          "mkv", "mov",  "m4v", NULL};
    return ends_in_one_of(name, endings);
}

bool chl_names_picture(const char *name) {
    static const char *const endings[] = {"jpg", "jpeg", "png", "webp", NULL};
    return ends_in_one_of(name, endings);
}

static int keep_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

chl_status chl_folder_list(const char *folder, char ***names, int *count) {
    struct dirent **entry;
    *names = NULL;
    *count = scandir(folder, &entry, keep_visible, alphasort);
    if (*count < 0) {
        *count = 0;
        return chl_fail(CHL_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
    }
    *names = calloc((size_t)*count + 1, sizeof **names);
    bool whole = *names != NULL;
    for (int i = 0; i < *count; i++) {
        if (whole) (*names)[i] = strdup(entry[i]->d_name);
        whole = whole && (*names)[i];
        free(entry[i]);
    }
    free(entry);
    if (whole) return CHL_OK;
    chl_folder_free(*names, *count);
    *names = NULL;
    *count = 0;
    return no_memory();
}

void chl_folder_free(char **names, int count) {
    for (int i = 0; names && i < count; i++) free(names[i]);
    free(names);
}

chl_status chl_folder_each(chl_source *s, const char *folder, const char *label,
                           chl_folder_visit *visit) {
    char **names;
    int count;
    CHL_TRY(chl_folder_list(folder, &names, &count));
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *path = chl_path_join(folder, names[i]);
        status = path ? visit(s, path, names[i], label)
                      : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
        free(path);
    }
    chl_folder_free(names, count);
    return status;
}

void chl_source_free(chl_source *s) {
    if (!s) return;
    for (int i = 0; i < s->chunks; i++) free(s->chunk[i]);
    for (int64_t i = 0; i < s->missing; i++) free(s->missing_name[i]);
    chl_names_free(&s->shared);
    CHL_FREE(s->missing_name, s->chunk, s->entry, s);
}
