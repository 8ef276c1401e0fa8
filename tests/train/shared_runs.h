/* A training in one process and on several ranks, compared: what tests of ranks and of micro-batches
 * share. */
#ifndef TEST_TRAIN_SHARED_RUNS_H
#define TEST_TRAIN_SHARED_RUNS_H
#include "toy.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

enum { GLOBAL = 12, MOST = 4, RUN = 20 };
#define VOCAB CHLADNI_FIXTURES "/text/merges.txt"

/* A temporary folder, one of samples with a sound, a picture and a label, and a CLIP pair; set up
 * and torn down by the group functions. */
extern char *root, *data, *clip_path;
int write_all(void **state);
int remove_all(void **state);

typedef struct rank {
    const chl_training *training;
    chl_train_options options;
    chl_status status;
    char error[512];
} rank;

/* RUN steps of GLOBAL samples with all four losses */
chl_train_options audio_options(const char *out);
/* `ready`, or NULL, changes the options of a rank. */
void run_ranks(const chl_training *training, const chl_train_options *options, int ranks,
               void (*ready)(chl_train_options *, int), rank *all);
/* audio_options on so many ranks, in root/name, which the caller frees */
char *train(const char *name, int ranks);
/* Fails unless weights and losses of the two runs of RUN steps differ by less than 1e-5. */
void compare(const char *whole, const char *shared, int ranks);
#endif
