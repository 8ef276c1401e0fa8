/* Pictures alone, for a training that hears nothing: in one folder, or a folder per label. */
#include "data/layouts.h"
#include <stdlib.h>

static chl_status no_memory(const char *folder) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
}

static chl_status add_picture(chl_source *s, const char *path, const char *label) {
    const chl_entry entry = {
        .picture.path = chl_source_text(s, path), .label = label, .line = s->count + 1};
    return entry.picture.path ? chl_source_add(s, &entry) : no_memory(path);
}

/* label NULL: of the whole set, whose folders are labels. */
static chl_status read_folder(chl_source *s, const char *folder, const char *label) {
    char **names;
    int count;
    CHL_TRY(chl_folder_list(folder, &names, &count));
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        char *file = chl_path_join(folder, names[i]);
        const char *name = file && !label ? chl_source_shared(s, names[i]) : label;
        if (!file || !name)
            status = no_memory(folder);
        else if (!chl_is_folder(file))
            status = chl_names_picture(file) ? add_picture(s, file, label) : CHL_OK;
        else if (!label)
            status = read_folder(s, file, name);
        free(file);
    }
    chl_folder_free(names, count);
    return status;
}

static chl_status read_pictures(chl_source *s, const char *path, const chl_source_choice *choice,
                                bool *mine) {
    *mine = false;
    if (!choice->pictures || !chl_is_folder(path)) return CHL_OK;
    s->layout = "pictures";
    CHL_TRY(read_folder(s, path, NULL));
    *mine = s->count > 0;
    if (*mine && choice->split)
        return chl_fail(CHL_ERR_ARGUMENT, "split must be left out for %s: it has no official folds",
                        path);
    return CHL_OK;
}

const chl_layout chl_layout_pictures = {"for a training on pictures alone a folder of them",
                                        read_pictures};
