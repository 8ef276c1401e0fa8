/* A folder of labelled sounds: pairs.jsonl, ESC-50's and UrbanSound8K's official layouts, or a folder
 * per label. */
#ifndef CHL_EVAL_CORPUS_H
#define CHL_EVAL_CORPUS_H
#include "eval/corpus_list.h"

/* With pairs.jsonl the label of a line is its `kind`, or its `label` where it has no kind.
 * meta/esc50.csv or metadata/UrbanSound8K.csv make it the data set of that name: labels, folds and
 * original recordings (src_file, fsID) are the table's, the order too; a sound that is not there or
 * cannot be read is counted, named in the log and left out. Otherwise every folder inside is a label and every file
 * in it, except hidden ones, a sound, in the order of their names. choice NULL: all. */
chl_status chl_corpus_open(const char *folder, const chl_corpus_choice *choice, chl_corpus *out);
#endif
