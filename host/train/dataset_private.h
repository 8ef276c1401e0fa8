/* What the readers of samples share; the files of the data set only. */
#ifndef CHL_TRAIN_DATASET_PRIVATE_H
#define CHL_TRAIN_DATASET_PRIVATE_H
#include "base/names.h"
#include "train/dataset.h"
#include "train/left_out.h"

typedef struct chl_sample_reader {
    chl_dataset *data;
    const char *path; /* of the list, for texts */
    int64_t line, capacity;
    int64_t rows; /* of pairs.jsonl, the lines that are no samples too */
    bool splits;  /* some line tells its split */
    unsigned need;
    const chl_dataset_choice *choice;
    chl_names label, kind, source, group; /* by label_id, kind_id, ... */
} chl_sample_reader;

/* The next sample, empty. */
chl_status chl_sample_add(chl_sample_reader *reader, chl_sample **out);
/* Sets its numbers by its texts, which must stay. */
chl_status chl_sample_number(chl_sample_reader *reader, chl_sample *sample);
void chl_sample_release(const chl_sample *sample);
chl_status chl_pairs_read(chl_sample_reader *reader);     /* pairs_file.c */
chl_status chl_source_samples(chl_sample_reader *reader); /* source_samples.c */
#endif
