/* --path: in which ways a device computes which op (chl_paths). */
#ifndef CHL_BENCH_KERNEL_PATHS_H
#define CHL_BENCH_KERNEL_PATHS_H
#include "graph/graph.h"
#include <stdio.h>

typedef struct op_choice { /* both NULL: all ops */
    const char *pattern;
    const char *names; /* separated by spaces; in place of the pattern */
} op_choice;

/* CHL_ERR_ARGUMENT unless one of the ops has a path of this name; the text has those that they
 * have. */
chl_status kernel_paths_check(chl_device *device, op_choice ops, const char *name);
/* A line for each op that has several. */
void kernel_paths_print(chl_device *device, FILE *to);
#endif
