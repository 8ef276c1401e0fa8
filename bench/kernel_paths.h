/* --path: in which ways a device computes which op (chl_paths). */
#ifndef CHL_BENCH_KERNEL_PATHS_H
#define CHL_BENCH_KERNEL_PATHS_H
#include "graph/graph.h"
#include <stdio.h>

/* CHL_ERR_ARGUMENT unless an op that `pattern` selects (NULL: any) has a path of this name; the text
 * has those that they have. */
chl_status kernel_paths_check(chl_device *device, const char *pattern, const char *name);
/* A line for each op that has several. */
void kernel_paths_print(chl_device *device, FILE *to);
#endif
