#include "data/file_tree.h"
#include "data/source_list.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 8 /* folders in folders */

typedef struct files {
    const char *sound, *picture, *video;
} files;

struct chl_file_tree {
    chl_source texts; /* of which the paths are kept */
    chl_names stem;
    files *files; /* [capacity], by the stem's number */
    int capacity;
};

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its files", folder);
}

static files *files_of(chl_file_tree *t, const char *name) {
    char stem[NAME_MAX + 1];
    const char *dot = strrchr(name, '.');
    memcpy(stem, name, (size_t)(dot - name));
    stem[dot - name] = 0;
    int number = chl_names_find(&t->stem, stem);
    if (number >= 0) return &t->files[number];
    const char *copy = chl_source_text(&t->texts, stem);
    number = copy ? chl_names_add(&t->stem, copy) : -1;
    if (number < 0) return NULL;
    if (number >= t->capacity) {
        const int capacity = t->capacity ? 2 * t->capacity : 1024;
        files *grown = realloc(t->files, sizeof *grown * (size_t)capacity);
        if (!grown) return NULL;
        t->files = grown;
        t->capacity = capacity;
    }
    t->files[number] = (files){NULL, NULL, NULL};
    return &t->files[number];
}

static chl_status add_file(chl_file_tree *t, const char *folder, const char *name) {
    const bool picture = chl_names_picture(name), video = chl_names_video(name);
    if (!picture && !chl_names_sound(name)) return CHL_OK;
    files *f = files_of(t, name);
    char *path = f ? chl_path_join(folder, name) : NULL;
    const char *copy = path ? chl_source_text(&t->texts, path) : NULL;
    free(path);
    if (!copy) return no_memory(folder);
    if (video && (!f->video || strcmp(copy, f->video) > 0)) f->video = copy;
    const char **to = picture ? &f->picture : &f->sound;
    /* the same in any order of the disk: of wav and mp4 of one name the first by the alphabet's end */
    if (!*to || strcmp(copy, *to) > 0) *to = copy;
    return CHL_OK;
}

static chl_status add_folder(chl_file_tree *t, const char *folder, int depth) {
    DIR *list = opendir(folder);
    if (!list)
        return chl_fail(CHL_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
    chl_status status = CHL_OK;
    for (const struct dirent *entry; status == CHL_OK && (entry = readdir(list));) {
        const char *name = entry->d_name;
        if (name[0] == '.') continue;
        const bool known_file = entry->d_type == DT_REG;
        char *path = known_file ? NULL : chl_path_join(folder, name);
        if (!known_file && !path)
            status = no_memory(folder);
        else if (path && depth < DEEPEST && (entry->d_type != DT_LNK || depth == 0) &&
                 chl_is_folder(path))
            status = add_folder(t, path, depth + 1);
        else
            status = add_file(t, folder, name);
        free(path);
    }
    closedir(list);
    return status;
}

chl_status chl_file_tree_new(const char *folder, chl_file_tree **out) {
    *out = NULL;
    chl_file_tree *tree = calloc(1, sizeof *tree);
    if (!tree) return no_memory(folder);
    CHL_HAND_OVER(add_folder(tree, folder, 0), tree, out, chl_file_tree_free);
}

void chl_file_tree_free(chl_file_tree *t) {
    if (!t) return;
    for (int i = 0; i < t->texts.chunks; i++) free(t->texts.chunk[i]);
    free(t->texts.chunk);
    chl_names_free(&t->stem);
    free(t->files);
    free(t);
}

void chl_file_tree_find(const chl_file_tree *t, const char *stem, const char **sound,
                        const char **picture) {
    const int number = chl_names_find(&t->stem, stem);
    *sound = number < 0 ? NULL : t->files[number].sound;
    *picture = number < 0 ? NULL : t->files[number].picture;
    if (number >= 0 && !*picture) *picture = t->files[number].video;
}
