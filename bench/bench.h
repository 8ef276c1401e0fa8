/* What a workload of chladni-bench is: a graph whose segment 0 is one timed run, with inputs and
 * weights computed from names (bench/peers/weights.py is the twin), and named outputs that another
 * framework must reproduce before anything is timed.
 *
 *     static chl_status build(const bench_options *options, bench_job *job) {
 *         chl_tensor x = bench_input(job, "x", chl_f32(2, options->batch, 8), BENCH_UNIT);
 *         bench_output(job, "y", chl_scale(job->graph, x, 2));
 *         return CHL_OK;
 *     }
 *     const bench_workload bench_workload_doubling = {"doubling", "y = 2 x", build};
 *
 * and a line in the table of steps.c. docs/performance.md describes the protocol. */
#ifndef CHL_BENCH_H
#define CHL_BENCH_H
#include "base/params.h"
#include "graph/build.h"

#define BENCH_MAX_NETS 4
#define BENCH_MAX_ARRAYS 16
#define BENCH_MAX_PARTS 8
#define BENCH_NAME 96
#define BENCH_UNIT 1.7320508075688772 /* amplitude of a uniform variable of variance 1 */

typedef struct bench_options {
    int batch, size, threads;
    bool face;         /* wplus: with the identity loss */
    bool compatible;   /* wplus: pictures prepared for CLIP as the paper's authors do */
    bool forward_only; /* stylegan2 */
} bench_options;

typedef struct bench_array {
    char name[BENCH_NAME];
    chl_tensor tensor;
    float *data; /* inputs and start values only */
} bench_array;

typedef struct bench_job {
    chl_graph *graph;
    bool shapes_only; /* nothing will be run: numbers need not be computed */
    chl_params *params[BENCH_MAX_NETS];
    int nets;
    bench_array input[BENCH_MAX_ARRAYS], output[BENCH_MAX_ARRAYS];
    int inputs, outputs;
    const char *part[BENCH_MAX_PARTS]; /* names of chl_graph_part's numbers, from 1; 0: NULL */
    int parts;
    float rate; /* learning rate of every step; 0 where nothing is optimised */
} bench_job;

typedef struct bench_workload {
    const char *name, *what;
    chl_status (*build)(const bench_options *options, bench_job *job);
} bench_workload;

/* An input written once, uniform in +-amplitude, seeded by its name. Errors stick to the graph. */
chl_tensor bench_input(bench_job *job, const char *name, chl_desc desc, double amplitude);
/* A trainable that starts as the array of the name `base` plus that of the name `delta` (may be
 * NULL). */
chl_tensor bench_start(bench_job *job, const char *name, chl_desc desc, const char *base,
                       double amplitude, const char *delta, double delta_amplitude);
/* Keeps the tensor and offers it under this name. */
void bench_output(bench_job *job, const char *name, chl_tensor tensor);
/* What is built from here on belongs to this network of the step, its gradient too: a literal. A
 * step that names none is one part. */
void bench_part(bench_job *job, const char *name);
/* Gives the job `params`, whose numbers are replaced by those of the names. */
chl_status bench_import(bench_job *job, chl_params *params);

extern const bench_workload bench_workload_stylegan2, bench_workload_clip, bench_workload_swin,
    bench_workload_swin_train, bench_workload_wplus, bench_workload_mel;

/* --- shared by workloads (bench/networks.c) --------------------------------------------------- */
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/stylegan2.h"

/* Channel base 32768, no clamp: what the converted checkpoints that editing uses have. */
chl_status bench_stylegan2(bench_job *job, int size, chl_stylegan2_config *config, chl_net *net);
/* ViT-B/32 */
chl_status bench_clip(bench_job *job, chl_clip_config *config, chl_net *net);
/* IR-SE50 */
chl_status bench_arcface(bench_job *job, chl_arcface_config *config, chl_net *net);
#endif
