/* The readers of layouts, one a file; this room only. */
#ifndef CHL_DATA_LAYOUTS_H
#define CHL_DATA_LAYOUTS_H
#include "data/source_list.h"

typedef struct chl_layout {
    const char *what; /* for the list of what a path may be */
    /* *mine: the path is of this layout; else the next one is asked. */
    chl_status (*read)(chl_source *source, const char *path, const chl_source_choice *choice,
                       bool *mine);
} chl_layout;
extern const chl_layout chl_layout_shards, chl_layout_manifest, chl_layout_official,
    chl_layout_vggsound, chl_layout_audioset, chl_layout_pictures, chl_layout_folders;
#endif
