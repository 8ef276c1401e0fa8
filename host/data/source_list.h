/* A list of clips, which a layout's reader fills, and what readers share. source.h reads any layout. */
#ifndef CHL_DATA_SOURCE_LIST_H
#define CHL_DATA_SOURCE_LIST_H
#include "base/names.h"
#include "data/media.h"

typedef struct chl_entry {
    chl_media sound, picture;
    const char *label, *caption, *kind, *from; /* NULL: none; from: the recording it is a part of */
    const char
        *captions;     /* all of them, as captions.h keeps them; NULL: there are fewer than two */
    const char *split; /* "train", "test", a fold's number */
    int64_t line;      /* of its table, from 1; of shards the clip's number */
    int fold;          /* from 1; 0: none */
    bool level_told;   /* of kind and label: see chl_sample.strength */
    float strength;
    bool level_given; /* level_db: see chl_sample */
    float level_db;
} chl_entry;

typedef struct chl_source {
    const char *layout; /* "WebDataset", "manifest", "ESC-50", ... */
    int64_t count;
    chl_entry *entry;
    int64_t missing;
    char **missing_name; /* [missing] */
    /* private */
    int64_t capacity, missing_capacity;
    char **chunk; /* of texts */
    int chunks;
    size_t chunk_left;
    char *chunk_at;
    chl_names shared; /* labels, paths of shards, ... each once */
} chl_source;

/* Which clips. Zeros: all. */
typedef struct chl_source_choice {
    const char *split; /* of these splits or folds: "train", "1,2,3,4" */
    bool esc10;        /* only ESC-50's ten classes of ESC-10 */
    int folds;         /* only these: fold [folds] */
    const int *fold;
    bool pictures;   /* pictures without a sound are clips too: a folder of them is a set */
    bool try_sounds; /* a sound that does not begin as one is missing too: each is opened */
    bool
        write_index; /* of shards: write "x.tar.index" beside each, and believe none that is there */
} chl_source_choice;

void chl_source_free(chl_source *source); /* NULL is fine */
/* A copy that lives as long as the source; NULL without memory. `shared`: equal texts are one. */
const char *chl_source_text(chl_source *source, const char *text);
const char *chl_source_shared(chl_source *source, const char *text);
/* Takes the entry's pointers as they are; the picture of a video without another one is in its middle. A text of it that is NULL because there was no memory is
 * the caller's to notice. */
chl_status chl_source_add(chl_source *source, const chl_entry *entry);
chl_status chl_source_miss(chl_source *source, const char *name);
/* The fold that a split's text is: a whole number from 1 up; 0 for any other, and for NULL. */
int chl_source_fold(const char *split);
/* Is an entry of this split or fold wanted? */
bool chl_source_wants(const chl_source_choice *choice, const char *split, int fold);
/* Adds the entry if its sound is there (and begins as a sound, where the choice wants that tried); notes
 * it as missing, by `name`, if not. */
chl_status chl_source_add_if_there(chl_source *source, const chl_source_choice *choice,
                                   const chl_entry *entry, const char *name);

char *chl_path_join(const char *folder, const char *name); /* malloc; NULL without memory */
bool chl_is_folder(const char *path);
/* By the ending, letters of any size. */
bool chl_names_sound(const char *name);
bool chl_names_picture(const char *name);
/* Names in a folder, sorted, without hidden ones. *names is freed by chl_folder_free. */
chl_status chl_folder_list(const char *folder, char ***names, int *count);
void chl_folder_free(char **names, int count);
/* Calls `visit` with each file and folder of these, its path, its name and the caller's label. */
typedef chl_status chl_folder_visit(chl_source *source, const char *path, const char *name,
                                    const char *label);
chl_status chl_folder_each(chl_source *source, const char *folder, const char *label,
                           chl_folder_visit *visit);
#endif
