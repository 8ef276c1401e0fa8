/* A small training for tests of the loop of all trainings: two layers that learn a fixed function
 * of the latents; and folders with its runs. */
#ifndef TEST_TRAIN_TOY_H
#define TEST_TRAIN_TOY_H
#include "train/trainer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
/* which needs cmocka's assertions */
#include "temporary.h"

enum { SAMPLES = 12, LATENT = 6, HIDDEN = 8, STEPS = 20, BATCH = 4 };
#define AVERAGE 0.99f

extern const chl_training toy_training;

/* What the tests look at from inside a run. */
typedef struct chl_toy_seen {
    int nan_at;       /* step whose target is NaN; 0 = never */
    const char *text; /* what a new run writes to its words.txt; NULL: no such file */
    float weight_spare;
    double average[HIDDEN * LATENT], mean; /* followed in double precision */
    int64_t followed;                      /* steps that are in `average` */
    float last_average[HIDDEN * LATENT], last_mean;
    struct {
        float decay, scale;
    } of_body, of_bias, of_position, of_head;
    float momentum; /* of sgd */
    bool has_still;
} chl_toy_seen;
extern chl_toy_seen seen;

typedef struct place {
    char *root, *data;
} place;

int set_up(void **state); /* a place, with data; clears `seen` */
int tear_down(void **state);
void write_data(const char *folder, uint32_t purpose);
void fill(chl_params *params, const char *name, chl_desc desc, uint32_t purpose);
chl_train_options toy_options(const place *p, const char *out);
/* Runs to the end in a new folder, whose name the caller frees. */
char *whole_run(const place *p, const char *name);
/* Line `step` of stats.jsonl, or NULL. */
json_t *stats_line(const char *folder, int step);
double loss_of(const char *folder, int step);
/* Model, checkpoint and all that stats.jsonl says but the seconds. */
void assert_same_run(const char *a, const char *b);
#endif
