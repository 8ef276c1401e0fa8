/* A set of labelled sounds: a folder with pairs.jsonl, or any layout of data/source.h. */
#ifndef CHL_EVAL_CORPUS_H
#define CHL_EVAL_CORPUS_H
#include "eval/corpus_list.h"

/* The label of a sound is its `kind`, or its `label` where it has no kind. Labels, folds and original
 * recordings are the layout's, the order too; a sound of a table that is not there or cannot be read
 * is counted, named in the log and left out. choice NULL: all. */
chl_status chl_corpus_open(const char *folder, const chl_corpus_choice *choice, chl_corpus *out);
#endif
