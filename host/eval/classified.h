/* Sounds that were classified, whoever did it: what a report says about them. */
#ifndef CHL_EVAL_CLASSIFIED_H
#define CHL_EVAL_CLASSIFIED_H
#include "base/json.h"
#include "eval/corpus_list.h"
#include <stdint.h>

typedef struct chl_classified {
    int64_t count;
    const int *truth, *named; /* [count] into label */
    const int *fold;          /* [count] from 1; all 0: no folds */
    const int *group;         /* [count] the original recording; -1: its own */
    int labels;
    const char *const *label;
} chl_classified;

/* The corpus's sounds with a name, named [count] >= 0: they move to its front and that of `named`. */
chl_classified chl_classified_in(chl_corpus *corpus, int *named);

/* Adds to `report`: sounds, accuracy, interval [low, high] (95 %, bootstrap over original
 * recordings), balanced (mean over the labels that occur), per_label, labels, confusion
 * [true][named]; where there are folds, folds, fold_mean and fold_interval (half the 95 % interval
 * of the mean, Student's t). */
chl_status chl_classified_report(const chl_classified *done, json_t *report);
/* The same, and the confusion matrix as PNG, with who named them and the layout in its title. path NULL:
 * none. */
chl_status chl_classified_tell(const chl_classified *done, const char *who, const char *layout,
                               const char *path, json_t *report);

/* The 95 % interval of x's mean: percentiles of 2000 draws of as many groups as there are, with
 * replacement [Efron 1979]. Numbers of one group (sounds of one recording) are drawn together; group
 * NULL or -1: each alone. The same input gives the same numbers. NAN for fewer than two. */
chl_status chl_bootstrap_mean(int64_t count, const double *x, const int *group, double *low,
                              double *high);
chl_status chl_bootstrap_share(int64_t count, const int *hit, const int *group, double *low,
                               double *high);
/* report[key] = [low, high] of chl_bootstrap_mean */
chl_status chl_report_interval(json_t *report, const char *key, int64_t count, const double *x,
                               const int *group);
#endif
