/* Which kernels are timed, at which shapes: families of graphs, each an op with what leads to its
 * gradients, and named sets of their shapes.
 *
 * A kernel of one's own becomes part of the table by a builder and a line in families[]
 * (kernel_cases.c); docs/benchmarks.md shows it. */
#ifndef CHL_BENCH_KERNEL_CASES_H
#define CHL_BENCH_KERNEL_CASES_H
#include "graph/build.h"

#define KERNEL_DIMS 5

typedef struct kernel_case kernel_case;

typedef struct kernel_family {
    const char *name;    /* what --shape names: of the forward op, or with what is special */
    const char *kernels; /* the ops of the table that its graph runs, separated by spaces */
    const char *shape;   /* what the numbers of a shape are, e.g. "tokens x width" */
    int min_dims, max_dims;
    bool zero_last; /* the last number is a switch and may be 0 */
    /* NULL, or why these numbers are refused */
    const char *(*refuses)(const int *dim, int dims);
    chl_tensor (*build)(chl_graph *g, int batch, const kernel_case *c);
} kernel_family;

struct kernel_case {
    const char *what; /* where this shape occurs */
    const kernel_family *family;
    int batch, dims;
    int dim[KERNEL_DIMS];
};

typedef struct kernel_set {
    const char *name, *about;
    int count;
    /* The case `i` of the set. */
    kernel_case (*at)(int i);
} kernel_set;

int kernel_families(void);
const kernel_family *kernel_family_at(int i);
const kernel_family *kernel_family_named(const char *name); /* NULL: none */
int kernel_sets(void);
const kernel_set *kernel_set_at(int i);
const kernel_set *kernel_set_named(const char *name); /* NULL: none */
#endif
