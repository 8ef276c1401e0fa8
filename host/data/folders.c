/* A folder per label. */
#include "data/layouts.h"
#include <stdlib.h>

static chl_status add_file(chl_source *s, const char *path, const char *label) {
    const chl_entry entry = {.sound.path = chl_source_text(s, path), .label = label};
    if (!entry.sound.path) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", path);
    return chl_source_add(s, &entry);
}

/* Every file that is no picture is a sound: what it is tells its content, not its name. */
static chl_status read_label(chl_source *s, const char *folder, const char *name) {
    char **names;
    int count;
    CHL_TRY(chl_folder_list(folder, &names, &count));
    const char *label = chl_source_shared(s, name);
    chl_status status = label ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder);
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *file = chl_path_join(folder, names[i]);
        if (!file)
            status = chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
        else if (!chl_is_folder(file) && !chl_names_picture(file))
            status = add_file(s, file, label);
        free(file);
    }
    chl_folder_free(names, count);
    return status;
}

static chl_status read_folders(chl_source *s, const char *path, const chl_source_choice *choice,
                               bool *mine) {
    char **names;
    int count;
    *mine = false;
    if (!chl_is_folder(path)) return CHL_OK;
    if (choice->esc10)
        return chl_fail(CHL_ERR_ARGUMENT, "esc10 must be 0 for %s: it has no meta/esc50.csv", path);
    if (choice->folds || choice->split)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s for %s: it has no official folds (meta/esc50.csv, "
                        "metadata/UrbanSound8K.csv)",
                        choice->folds ? "folds must be 0" : "split must be left out", path);
    s->layout = "folders";
    CHL_TRY(chl_folder_list(path, &names, &count));
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *folder = chl_path_join(path, names[i]);
        if (!folder)
            status = chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", path);
        else if (chl_is_folder(folder))
            status = read_label(s, folder, names[i]);
        free(folder);
    }
    chl_folder_free(names, count);
    *mine = s->count > 0;
    return status;
}

const chl_layout chl_layout_folders = {"folders of sounds named by their labels", read_folders};
