/* A list of labelled sounds, which a layout's reader fills. */
#ifndef CHL_EVAL_CORPUS_LIST_H
#define CHL_EVAL_CORPUS_LIST_H
#include "base/names.h"
#include "data/media.h"
#include <stdbool.h>

typedef struct chl_corpus {
    int64_t count;
    chl_media *sound;
    int *truth; /* index into label */
    int labels;
    const char **label; /* [labels], those of `names` */
    chl_names names;
    const char *layout; /* "pairs.jsonl", "ESC-50", "UrbanSound8K", "folders" */
    int *fold;          /* [count], from 1; 0: it is of none */
    int *group;         /* [count] the original recording, index into groups; -1: not known */
    chl_names groups;
    int *split; /* [count] "train", ..., index into splits; -1: it is of none */
    chl_names splits;
    int64_t missing; /* sounds of the layout's table that are not there or cannot be read */
} chl_corpus;

/* Which of a folder's sounds are taken. Zeros: all. */
typedef struct chl_corpus_choice {
    int64_t limit; /* maximum number of sounds, of all labels alike */
    bool esc10;    /* only ESC-50's ten classes of ESC-10 */
    int folds;     /* only these folds: fold [folds] */
    const int *fold;
    const char *split; /* only these splits or folds: "test", "1,2"; NULL: all */
} chl_corpus_choice;

void chl_corpus_free(chl_corpus *corpus);
/* Releases the texts of one sound, whose place may then be taken. */
void chl_corpus_forget(chl_corpus *corpus, int64_t sound);

typedef struct chl_corpus_sound {
    chl_media media;
    const char *label;
    int fold;          /* 0: none */
    const char *group; /* NULL: not known */
    const char *split; /* NULL: none */
} chl_corpus_sound;
/* Copies its texts; `folder` is for the error. */
chl_status chl_corpus_add(chl_corpus *corpus, const char *folder, const chl_corpus_sound *sound);
#endif
