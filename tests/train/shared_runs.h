/* A training in one process and on several ranks, compared: what tests of ranks and of micro-batches
 * share. */
#ifndef TEST_TRAIN_SHARED_RUNS_H
#define TEST_TRAIN_SHARED_RUNS_H
#include "toy.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

/* A sanitizer sees memory, not numbers, and sees all of it in a few steps. Biases, which begin at 0,
 * are then shorter, and rounding is a larger share of them. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED) && defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
enum { RUN = 8 };
#define ALLOWED 1e-4
#else
enum { RUN = 20 };
#define ALLOWED 1e-5
#endif
enum { GLOBAL = 12, MOST = 4 };
#define SMALL_CLIP                                                                                 \
    "resolution=16,patch=8,width=64,layers=1,text_width=64,text_layers=1,context=8,embed=16,pool=" \
    "8"
#define VOCAB CHLADNI_FIXTURES "/text/merges.txt"

/* A temporary folder, one of samples with a sound, a picture and a label, and a CLIP pair; set up
 * and torn down by the group functions. */
extern char *root, *data, *clip_path;
/* Runs a training as one rank: chl_trainer_run, or what a test has put in its place. */
extern chl_status (*run_rank)(const chl_training *training, const chl_train_options *options);
int write_all(void **state);
int remove_all(void **state);

typedef struct rank {
    const chl_training *training;
    chl_train_options options;
    chl_status status;
    bool saved; /* there was a checkpoint when this rank ended */
    char error[512];
} rank;

/* options_of a small sound encoder, with all four losses */
chl_train_options audio_options(const char *out);
/* `ready`, or NULL, changes the options of a rank. */
void run_ranks(const chl_training *training, const chl_train_options *options, int ranks,
               void (*ready)(chl_train_options *, int), rank *all);
/* RUN steps of GLOBAL samples; needs out */
chl_train_options options_of(const chl_training *training, const char *sizes);
/* On so many ranks, in root/name, which the caller frees. */
char *train_on(const char *name, const chl_training *training, chl_train_options options,
               int ranks);
/* Fails unless every rank fails with a text that contains this one. */
void refuse(const chl_training *training, const chl_train_options *options, int ranks,
            void (*ready)(chl_train_options *, int), const char *text);
/* Fails unless weights and losses of the two runs differ by less than ALLOWED. */
void compare(const char *whole, const char *shared, int ranks);
#endif
