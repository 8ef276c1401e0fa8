/* Seconds of single kernels: every node of a graph that is built from a kernel_case.
 *
 * Before each cold run a buffer larger than the caches is cleared. On a device that works beside the
 * host both are queued without waiting, so that the launch is hidden, and the time of the clearing
 * alone is taken off. On the CPU the clock starts after the clearing. */
#ifndef CHL_BENCH_KERNEL_TIMING_H
#define CHL_BENCH_KERNEL_TIMING_H
#include "graph/graph_private.h"
#include "kernel_cases.h"

typedef struct kernel_settings {
    chl_device *device;
    bool half;        /* activations in bf16, where the device has them */
    bool numbers;     /* pseudo-random inputs in place of zeros: results can be compared */
    const char *path; /* the way in which ops are computed that have it; NULL: they choose */
    bool processor;   /* on the CPU: seconds of this thread on a processor, not of the clock */
    int runs;         /* timed ones, after KERNEL_WARM others */
    size_t flush;     /* bytes cleared before each run; 0: caches stay warm */
    void *spare;      /* device memory, [flush + KERNEL_SPARE] bytes */
} kernel_settings;

#define KERNEL_WARM 3
#define KERNEL_SPARE 64

typedef struct kernel_node { /* one kernel that may be timed */
    const kernel_settings *settings;
    const kernel_case *of;
    const chl_graph *graph;
    const chl_node *node;
    const chl_call *call;
    int batch;
    const char *name; /* of the op */
    char shape[96];   /* of its first input */
    char path[24];    /* how it is computed (chl_paths); empty: there is one way */
    const char *precision;
    int64_t bytes;     /* every input and output once */
    double flops;      /* 0 where its cost is bytes */
    double difference; /* from the CPU's (kernel_check.h); < 0: not compared */
} kernel_node;

/* The case's graph with its gradients, compiled and run once. `keep`: every result stays readable. */
chl_status kernel_graph(const kernel_settings *settings, const kernel_case *c, int batch, bool keep,
                        chl_graph **out);
/* The next node from `n` on that is a kernel of the case; graph->nodes: there is none. */
int32_t kernel_next(const chl_graph *graph, int32_t n);
typedef chl_status kernel_visit(void *user, const kernel_node *node);
/* Builds and runs the case's graph, then calls visit for each of its kernels. */
chl_status kernel_nodes(const kernel_settings *settings, const kernel_case *c, int batch,
                        kernel_visit *visit, void *user);
/* Seconds of one run. */
chl_status kernel_run(const kernel_node *node, double *seconds);
/* The same of a function that queues or does the work on the node's device. */
chl_status kernel_run_other(const kernel_settings *settings, chl_kernel_status (*run)(void *user),
                            void *user, double *seconds);
/* settings->runs of them after the warm ones, in the order of running. */
chl_status kernel_time(const kernel_node *node, double *seconds);
/* Of n numbers, which are sorted: median, quartiles. */
typedef struct kernel_spread {
    double median, low, high;
} kernel_spread;
kernel_spread kernel_spread_of(double *seconds, int n);
#endif
