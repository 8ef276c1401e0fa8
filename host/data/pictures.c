/* Pictures alone, for a training that hears nothing: in one folder, or a folder per label. */
#include "data/layouts.h"

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", path);
}

/* label NULL: of the whole set, whose folders are labels. */
static chl_status add(chl_source *s, const char *path, const char *name, const char *label) {
    if (chl_is_folder(path)) {
        if (label) return CHL_OK;
        const char *of_folder = chl_source_shared(s, name);
        return of_folder ? chl_folder_each(s, path, of_folder, add) : no_memory(path);
    }
    if (!chl_names_picture(path)) return CHL_OK;
    const chl_entry entry = {
        .picture.path = chl_source_text(s, path), .label = label, .line = s->count + 1};
    return entry.picture.path ? chl_source_add(s, &entry) : no_memory(path);
}

static chl_status read_pictures(chl_source *s, const char *path, const chl_source_choice *choice,
                                bool *mine) {
    *mine = false;
    if (!choice->pictures || !chl_is_folder(path)) return CHL_OK;
    s->layout = "pictures";
    CHL_TRY(chl_folder_each(s, path, NULL, add));
    *mine = s->count > 0;
    if (*mine && choice->split)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "split must be left out for %s, got \"%s\": pictures have no official folds", path,
            choice->split);
    return CHL_OK;
}

const chl_layout chl_layout_pictures = {"for a training on pictures alone a folder of them",
                                        read_pictures};
