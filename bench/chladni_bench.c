/* chladni-bench WORKLOAD: times one of the engine's workloads, alone or as a server of timed runs
 * for bench/compare.py. Weights and inputs come from names, so that nothing has to be downloaded.
 */
#include "arguments.h"
#include "base/clock.h"
#include "bench.h"
#include "exchanges.h"
#include "files.h"
#include "floors.h"
#include "io/npy.h"
#include "kernels.h"
#include "runtime/open.h"
#include "train_steps.h"
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bench_workload *const workloads[] = {
    &bench_workload_stylegan2, &bench_workload_clip, &bench_workload_swin,
    &bench_workload_wplus,     &bench_workload_mel,
};
#define WORKLOADS (int)(sizeof workloads / sizeof workloads[0])
#define WARM 3 /* untimed runs of the stand-alone mode */
#define LINE 4096

typedef struct program {
    const bench_workload *workload;
    bench_options options;
    const char *device_name;
    int runs;
    bool half, json, serve, profile, floors, no_fusion;
    chl_device *device;
    void *last; /* device memory: reading it waits for all that is queued */
    bench_job job;
    chl_plan plan;
    int64_t steps;
} program;

static void usage(FILE *to) {
    fprintf(to, "usage: chladni-bench WORKLOAD [options]\n\n");
    for (int i = 0; i < WORKLOADS; i++)
        fprintf(to, "  %-10s %s\n", workloads[i]->name, workloads[i]->what);
    fprintf(to, "  %-10s single kernels: chladni-bench kernels --help\n", "kernels");
    fprintf(to, "  %-10s whole steps of a training: chladni-bench train --help\n", "train");
    fprintf(to, "  %-10s exchanges between ranks: chladni-bench collectives --help\n",
            "collectives");
    fprintf(to, "\n  --batch N       samples per run (1)\n"
                "  --size N        picture of the generator, pixels a side (256)\n"
                "  --device NAME   cpu, cuda, cuda:N or auto: a GPU where there is one (auto)\n"
                "  --bf16          activations in bf16, on a GPU\n"
                "  --threads N     of the CPU (all cores)\n"
                "  --face          wplus: with ArcFace's identity loss\n"
                "  --compatible    wplus: pictures reach CLIP as in the paper authors' code\n"
                "  --forward-only  stylegan2: no gradient\n"
                "  --runs N        timed runs (20)\n"
                "  --json          one line of JSON on stdout instead of text\n"
                "  --profile       seconds per op, on stderr; on the CPU\n"
                "  --floors        times nothing: what the step in bf16 moves and computes, and\n"
                "                  how fast an H100 could be, as a table\n"
                "  --no-fusion     run every kernel call separately (also --apart)\n"
                "  --serve         requests on stdin: run, dump FOLDER, about, quit\n");
}

static void parse(int argc, char **argv, program *p) {
    enum {
        BATCH = 256,
        SIZE,
        DEVICE,
        HALF,
        THREADS,
        FACE,
        COMPATIBLE,
        FORWARD,
        RUNS,
        JSON,
        PROFILE,
        FLOORS,
        NO_FUSION,
        SERVE,
        HELP
    };
    static const struct option flags[] = {{"batch", 1, NULL, BATCH},
                                          {"size", 1, NULL, SIZE},
                                          {"device", 1, NULL, DEVICE},
                                          {"bf16", 0, NULL, HALF},
                                          {"threads", 1, NULL, THREADS},
                                          {"face", 0, NULL, FACE},
                                          {"compatible", 0, NULL, COMPATIBLE},
                                          {"forward-only", 0, NULL, FORWARD},
                                          {"runs", 1, NULL, RUNS},
                                          {"json", 0, NULL, JSON},
                                          {"profile", 0, NULL, PROFILE},
                                          {"floors", 0, NULL, FLOORS},
                                          {"no-fusion", 0, NULL, NO_FUSION},
                                          {"apart", 0, NULL, NO_FUSION},
                                          {"serve", 0, NULL, SERVE},
                                          {"help", 0, NULL, HELP},
                                          {0}};
    *p = (program){.device_name = "auto",
                   .runs = 20,
                   .options = {.batch = 1, .size = 256, .threads = omp_get_num_procs()}};
    for (int c, index = 0; (c = getopt_long(argc, argv, "", flags, &index)) != -1;) switch (c) {
        case BATCH:
            p->options.batch = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case SIZE:
            p->options.size = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case DEVICE:
            p->device_name = optarg;
            break;
        case HALF:
            p->half = true;
            break;
        case THREADS:
            p->options.threads = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case RUNS:
            p->runs = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case FACE:
            p->options.face = true;
            break;
        case COMPATIBLE:
            p->options.compatible = true;
            break;
        case FORWARD:
            p->options.forward_only = true;
            break;
        case JSON:
            p->json = true;
            break;
        case PROFILE:
            p->profile = true;
            break;
        case FLOORS:
            p->floors = true;
            break;
        case NO_FUSION:
            p->no_fusion = true;
            break;
        case SERVE:
            p->serve = true;
            break;
        case HELP:
            usage(stdout);
            exit(0);
        default:
            bench_misused(usage);
        }
    for (int i = 0; optind + 1 == argc && i < WORKLOADS; i++)
        if (!strcmp(argv[optind], workloads[i]->name)) p->workload = workloads[i];
    if (!p->workload) bench_misused(usage);
}

static void log_line(void *user, chl_log_level level, const char *line) {
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static chl_status open_device(program *p) {
    const char *why;
    p->device = chl_device_open(p->device_name, &why);
    if (!p->device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    if (p->profile &&
        !p->device->backend->host_memory) /* there ops are queued, not run, one by one */
        return chl_fail(CHL_ERR_UNSUPPORTED, "--profile needs --device cpu");
    if (p->device->backend->allocate(p->device, sizeof(float), &p->last) != CHL_OK)
        return chl_fail(CHL_ERR_MEMORY, "no memory on %s", p->device->name);
    return CHL_OK;
}

static chl_status prepare(program *p) {
    bench_job *job = &p->job;
    CHL_TRY(open_device(p));
    CHL_TRY(chl_graph_new(p->device, &job->graph));
    if (p->half) chl_graph_precision(job->graph, CHL_BF16);
    if (p->no_fusion) chl_graph_no_fusion(job->graph);
    CHL_TRY(p->workload->build(&p->options, job));
    CHL_TRY(chl_dry_run(job->graph, &p->plan));
    CHL_TRY(chl_compile(job->graph));
    for (int i = 0; i < job->inputs; i++)
        CHL_TRY(chl_write(job->graph, job->input[i].tensor, job->input[i].data));
    return CHL_OK;
}

static chl_status print_floors(program *p) {
    bench_job *job = &p->job;
    job->shapes_only = true;
    CHL_TRY(chl_graph_new(bench_paper(), &job->graph));
    chl_graph_precision(job->graph, CHL_BF16);
    if (p->no_fusion) chl_graph_no_fusion(job->graph);
    CHL_TRY(p->workload->build(&p->options, job));
    CHL_TRY(chl_dry_run(job->graph, &p->plan));
    bench_print_floors(job->graph);
    return CHL_OK;
}

static chl_status run_once(program *p, double *seconds) {
    CHL_TRY(chl_set_step(p->job.graph, (chl_step){.index = p->steps++, .rate = p->job.rate}));
    float waited;
    double start = chl_seconds_now();
    CHL_TRY(chl_run(p->job.graph, CHL_FIRST_SEGMENT));
    CHL_TRY(p->device->backend->download(p->device, &waited, p->last, sizeof waited));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

static chl_status dump_array(const program *p, const bench_array *output, const char *folder) {
    const chl_graph *g = p->job.graph;
    const chl_desc *desc = chl_desc_of(g, output->tensor);
    char path[LINE + BENCH_NAME];
    snprintf(path, sizeof path, "%s/%s.npy", folder, output->name);
    float *data = malloc((size_t)chl_bytes(desc));
    if (!data) return chl_fail(CHL_ERR_MEMORY, "out of memory for \"%s\"", output->name);
    chl_status status = chl_read(p->job.graph, output->tensor, data);
    if (status == CHL_OK) status = chl_npy_write(path, desc, data);
    free(data);
    return status;
}

static chl_status dump(const program *p, const char *folder) {
    for (int i = 0; i < p->job.outputs; i++) CHL_TRY(dump_array(p, &p->job.output[i], folder));
    for (int i = 0; i < p->job.outputs; i++) printf("%s%s", i ? " " : "", p->job.output[i].name);
    printf("\n");
    return CHL_OK;
}

/* all that the planner allocates, weights included */
static double peak_mb(const program *p) {
    return 1e-6 * (double)(p->plan.persistent + p->plan.constant + p->plan.transient);
}

static const char *precision(const program *p) {
    return p->half ? "bf16" : "float";
}

static void print_about(const program *p) {
    printf("{\"workload\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\", "
           "\"version\": \"%s\", \"compiler\": \"%s\", \"threads\": %d, "
           "\"batch\": %d, \"size\": %d, \"gflop\": %.3f, \"transient_mb\": %.1f, "
           "\"constant_mb\": %.1f, \"peak_mb\": %.1f, \"nodes\": %d}\n",
           p->workload->name, p->device->name, precision(p), CHLADNI_VERSION, __VERSION__,
           p->options.threads, p->options.batch, p->options.size, 1e-9 * p->plan.flops_step,
           1e-6 * (double)p->plan.transient, 1e-6 * (double)p->plan.constant, peak_mb(p),
           p->plan.nodes);
}

static chl_status serve(program *p) {
    char line[LINE];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, "quit")) break;
        if (!strcmp(line, "run")) {
            double seconds;
            CHL_TRY(run_once(p, &seconds));
            printf("%.9f\n", seconds);
        } else if (!strncmp(line, "dump ", 5)) {
            CHL_TRY(dump(p, line + 5));
        } else if (!strcmp(line, "about")) {
            print_about(p);
        } else {
            printf("error unknown request\n");
        }
        fflush(stdout);
    }
    return CHL_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const program *p, const double *sorted) {
    const int n = p->runs;
    const double median = 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
    const double low = sorted[n / 4], high = sorted[n - 1 - n / 4];
    if (!p->json) {
        printf("%s on %s in %s, batch %d, %d threads: median %.2f ms, quartiles %.2f - %.2f, %.0f "
               "GFLOP/s, "
               "%.0f MB of activations, %.0f in all\n",
               p->workload->name, p->device->name, precision(p), p->options.batch,
               p->options.threads, 1e3 * median, 1e3 * low, 1e3 * high,
               1e-9 * p->plan.flops_step / median, 1e-6 * (double)p->plan.transient, peak_mb(p));
        return;
    }
    printf("{\"workload\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\", \"batch\": %d, "
           "\"size\": %d, \"threads\": %d, \"median\": %.9f, "
           "\"quartiles\": [%.9f, %.9f], \"gflop\": %.3f, \"transient_mb\": %.1f, \"peak_mb\": "
           "%.1f}\n",
           p->workload->name, p->device->name, precision(p), p->options.batch, p->options.size,
           p->options.threads, median, low, high, 1e-9 * p->plan.flops_step,
           1e-6 * (double)p->plan.transient, peak_mb(p));
}

static chl_status time_alone(program *p) {
    double ignored, *seconds = calloc((size_t)p->runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", p->runs);
    chl_status status = CHL_OK;
    for (int i = 0; i < WARM; i++) CHL_TRY_GOTO(run_once(p, &ignored));
    chl_profile(p->job.graph, p->profile);
    for (int i = 0; i < p->runs; i++) CHL_TRY_GOTO(run_once(p, &seconds[i]));
    if (p->profile) chl_profile_report(p->job.graph);
    qsort(seconds, (size_t)p->runs, sizeof *seconds, ascending);
    print_times(p, seconds);
done:
    free(seconds);
    return status;
}

static void release(program *p) {
    chl_graph_free(p->job.graph);
    if (p->last) p->device->backend->release(p->device, p->last);
    for (int i = 0; i < p->job.nets; i++) chl_params_free(p->job.params[i]);
    for (int i = 0; i < p->job.inputs; i++) free(p->job.input[i].data);
    chl_device_close(p->device);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "kernels") == 0) return bench_kernels(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "train") == 0) return bench_train(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "collectives") == 0)
        return bench_collectives(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "io") == 0) return bench_io(argc - 1, argv + 1);
    program p;
    parse(argc, argv, &p);
    omp_set_num_threads(p.options.threads);
    chl_log_to(log_line, NULL);
    chl_status status = p.floors ? print_floors(&p) : prepare(&p);
    if (status == CHL_OK && !p.floors) status = p.serve ? serve(&p) : time_alone(&p);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    release(&p);
    return status != CHL_OK;
}
