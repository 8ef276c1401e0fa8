/* What is searched: the different sounds, pictures and texts of a set of clips, and which belong together.
 * Lines with the same sound are one sound with several captions, as AudioCaps' table has them. */
#ifndef CHL_EVAL_RETRIEVAL_SET_H
#define CHL_EVAL_RETRIEVAL_SET_H
#include "eval/recall.h"
#include "train/dataset.h"

typedef struct chl_retrieval_set {
    chl_dataset *data;
    int64_t clips, missing; /* not there or not readable */
    int sounds, pictures, texts;
    chl_media *sound, *picture;
    const char *const *text;
    bool labels;                        /* the texts are labels, not captions */
    int *group;                         /* [sounds] the recording it is a part of */
    int64_t shown, told;                /* pairs */
    chl_pair *with_picture, *with_text; /* from: a sound */
    /* private */
    chl_names sound_name, picture_name, text_name, group_name;
    int64_t shown_room, told_room;
    int sound_room, picture_room;
} chl_retrieval_set;

/* limit: clips at most, the first; 0: all. labels: texts are labels even where there are captions. Where
 * any clip has a caption, those without one have no text. */
chl_status chl_retrieval_set_open(const char *path, const char *split, int64_t limit, bool labels,
                                  chl_retrieval_set *out);
void chl_retrieval_set_free(chl_retrieval_set *set);
#endif
