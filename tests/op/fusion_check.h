/* What the tests of fused calls share: a graph is built and run in four ways, and what was kept of it
 * is compared. */
#ifndef TESTS_FUSION_CHECK_H
#define TESTS_FUSION_CHECK_H
#include "graph/build.h"
#include "graph/graph_private.h"
#include <stdio.h>
#include <stdlib.h>

enum { H = 9, W = 9, MOST = 2 * H * W * 256, READ = 6 };

extern int bad;         /* failures */
extern bool only_first; /* the first failure ends the run */
extern chl_device *gpu; /* emulated or not */

typedef struct result {
    float data[READ][MOST];
    int64_t count[READ];
    int found[CHL_FUSION_COUNT];
} result;

typedef struct way {
    chl_device *device;
    chl_dtype precision;
    chl_param_kind kind;
    bool no_fusion;
} way;

void note_failure(void);
/* the same numbers for every backend */
const float *numbers(int64_t count, float scale, float phase);
/* compiles, runs, reads what was kept, counts the fused calls; frees the graph */
chl_status finish(chl_graph *g, int count, const chl_tensor *kept, result *r);
/* the rms of the difference over the rms of what it should be */
double apart(const result *got, const result *want, int i);
void expect_near(const char *of, const char *what, double error, double allowed);
void expect_found(const char *of, const result *r, const int *want);

/* a constant of the numbers above */
chl_tensor given(chl_graph *g, const char *name, chl_desc desc, float phase);
/* the same in the precision of activations, added to a trainable 0: *moved */
chl_tensor given_moved(chl_graph *g, chl_desc desc, float phase, chl_tensor *moved);
/* a loss that is linear in x */
chl_tensor weighted(chl_graph *g, chl_tensor x, float phase);
/* an empty graph that runs so */
chl_status begin(const way *how, chl_graph **g);

/* a few calls, in float against the CPU, in bf16 against the same one by one */
typedef chl_status (*builder)(const void *which, const way *how, result *r);
void check_both(const char *name, builder build, const void *which, const int *want,
                const int *want_half, int outputs, const char *const *what, double allowed_in_half);
void check_small(const char *name, builder build, const void *which, const int *want, int outputs,
                 const char *const *what, double allowed_in_half);

void check_face_units(void); /* fusion_face.c */
void check_styles(void);     /* fusion_styles.c */
void check_rows(void);       /* fusion_rows.c */
#endif
