/* ESC-50 and UrbanSound8K as published. */
#ifndef CHL_EVAL_CORPUS_OFFICIAL_H
#define CHL_EVAL_CORPUS_OFFICIAL_H
#include "eval/corpus_list.h"

/* Reads the folder where it has one of the official tables; *known tells. */
chl_status chl_corpus_read_official(const char *folder, const chl_corpus_choice *choice,
                                    chl_corpus *corpus, bool *known);
#endif
