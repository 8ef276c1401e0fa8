/* What a graph's step cannot be faster than: per op the bytes, the FLOPs and the time of the
 * larger.
 *
 *     bench_job job = {.shapes_only = true};
 *     CHL_TRY(chl_graph_new(bench_paper(), &job.graph));
 *     CHL_TRY(workload->build(&options, &job));
 *     bench_print_floors(job.graph);
 *
 * tools/floors-table.py keeps the tables in docs/kernels/floors.md. */
#ifndef CHL_BENCH_FLOORS_H
#define CHL_BENCH_FLOORS_H
#include "graph/graph.h"

/* A backend for graphs that are only looked at: every op, in bf16 too, no memory. Packed weights
 * have the size that the CUDA backend gives them, so that a graph is the one that it would run. */
chl_device *bench_paper(void);

/* A table in Markdown, the largest floor first, then the sum. Counted for each node of the step:
 * its inputs once, its outputs once, twice where it adds to them; weights in the form that is read.
 * What is computed once, at compile time, is left out. */
void bench_print_floors(const chl_graph *graph);
#endif
