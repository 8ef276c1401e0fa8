/* chladni-bench WORKLOAD: times one of the engine's workloads, alone or as a server of timed runs
 * for bench/compare.py. Weights and inputs come from names, so that nothing has to be downloaded.
 */
#include "arguments.h"
#include "exchanges.h"
#include "files.h"
#include "floors.h"
#include "io/new_file.h"
#include "io/npy.h"
#include "kernel_page.h"
#include "kernels.h"
#include "loader.h"
#include "steps.h"
#include "train_steps.h"
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 4096

typedef struct program {
    bench_step step;
    const char *html; /* a page to write; NULL: none */
    int runs;
    bool json, serve, floors;
} program;

static void usage(FILE *to) {
    fprintf(to, "usage: chladni-bench WORKLOAD [options]\n\n");
    for (int i = 0; i < bench_workloads(); i++)
        fprintf(to, "  %-10s %s\n", bench_workload_at(i)->name, bench_workload_at(i)->what);
    fprintf(to, "  %-10s single kernels: chladni-bench kernels --help\n", "kernels");
    fprintf(to, "  %-10s whole steps of a training: chladni-bench train --help\n", "train");
    fprintf(to, "  %-10s exchanges between ranks: chladni-bench collectives --help\n",
            "collectives");
    fprintf(to, "  %-10s sound files to mel pictures: chladni-bench loader --help\n", "loader");
    fprintf(to,
            "\n  --batch N       samples per run (1)\n"
            "  --size N        picture of the generator, pixels a side (256)\n"
            "  --device NAME   cpu, cuda, cuda:N or auto: a GPU where there is one (auto)\n"
            "  --bf16          activations in bf16, on a GPU\n"
            "  --threads N     of the CPU (all cores)\n"
            "  --face          wplus: with ArcFace's identity loss\n"
            "  --compatible    wplus: pictures reach CLIP as in the paper authors' code\n"
            "  --forward-only  stylegan2: no gradient\n"
            "  --runs N        timed runs (20)\n"
            "  --json          one line of JSON on stdout instead of text\n"
            "  --profile       where the time goes: seconds per network of the step and per op;\n"
            "                  on a GPU each op is waited for, so that its launch counts too\n"
            "  --html FILE     also as a page: a bar per network, and the ops (with --profile)\n"
            "  --path NAME     ops that have a path of this name take it where it can compute\n"
            "                  their shapes: chladni bench kernels --list has them\n"
            "  --floors        times nothing: what the step in bf16 moves and computes, and\n"
            "                  how fast an H100 could be, as a table\n"
            "  --no-fusion     run every kernel call separately (also --apart)\n"
            "  --serve         requests on stdin: run, dump FOLDER, about, quit\n");
}

static _Noreturn void unknown_workload(const char *name) {
    fprintf(stderr, "chladni-bench: no workload is called \"%s\", expected one of", name);
    for (int i = 0; i < bench_workloads(); i++)
        fprintf(stderr, "%s %s", i ? "," : "", bench_workload_at(i)->name);
    fputs(": chladni-bench --help\n", stderr);
    exit(2);
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
        HTML,
        PATH,
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
                                          {"html", 1, NULL, HTML},
                                          {"path", 1, NULL, PATH},
                                          {"help", 0, NULL, HELP},
                                          {0}};
    bench_step *step = &p->step;
    *p = (program){.runs = 20,
                   .step = {.device_name = "auto",
                            .options = {.batch = 1, .size = 256, .threads = omp_get_num_procs()}}};
    for (int c, index = 0; (c = getopt_long(argc, argv, "", flags, &index)) != -1;) switch (c) {
        case BATCH:
            step->options.batch = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case SIZE:
            step->options.size = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case DEVICE:
            step->device_name = optarg;
            break;
        case HALF:
            step->half = true;
            break;
        case THREADS:
            step->options.threads = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case RUNS:
            p->runs = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case FACE:
            step->options.face = true;
            break;
        case COMPATIBLE:
            step->options.compatible = true;
            break;
        case FORWARD:
            step->options.forward_only = true;
            break;
        case JSON:
            p->json = true;
            break;
        case PROFILE:
            step->profile = true;
            break;
        case FLOORS:
            p->floors = true;
            break;
        case NO_FUSION:
            step->no_fusion = true;
            break;
        case SERVE:
            p->serve = true;
            break;
        case HTML:
            p->html = optarg;
            step->profile = true;
            break;
        case PATH:
            step->path = optarg;
            break;
        case HELP:
            bench_helped(usage);
        default:
            bench_misused(usage);
        }
    if (optind + 1 != argc) bench_misused(usage);
    step->workload = bench_workload_named(argv[optind]);
    if (!step->workload) unknown_workload(argv[optind]);
    if (p->html) bench_check_ending("html", p->html, ".html");
    if (p->html && (p->serve || p->floors)) {
        fprintf(stderr, "chladni-bench: --html shows a timed step: it does not go with --%s\n",
                p->serve ? "serve" : "floors");
        exit(2);
    }
}

static void log_line(void *user, chl_log_level level, const char *line) {
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static chl_status print_floors(program *p) {
    bench_step *s = &p->step;
    bench_job *job = &s->job;
    job->shapes_only = true;
    CHL_TRY(chl_graph_new(bench_paper(), &job->graph));
    chl_graph_precision(job->graph, CHL_BF16);
    if (s->no_fusion) chl_graph_no_fusion(job->graph);
    CHL_TRY(s->workload->build(&s->options, job));
    CHL_TRY(chl_dry_run(job->graph, &s->plan));
    bench_print_floors(job->graph);
    return CHL_OK;
}

static chl_status dump_array(const bench_step *p, const bench_array *output, const char *folder) {
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

static chl_status dump(const bench_step *p, const char *folder) {
    for (int i = 0; i < p->job.outputs; i++) CHL_TRY(dump_array(p, &p->job.output[i], folder));
    for (int i = 0; i < p->job.outputs; i++) printf("%s%s", i ? " " : "", p->job.output[i].name);
    printf("\n");
    return CHL_OK;
}

static void print_about(const bench_step *p) {
    printf("{\"workload\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\", "
           "\"version\": \"%s\", \"compiler\": \"%s\", \"threads\": %d, "
           "\"batch\": %d, \"size\": %d, \"gflop\": %.3f, \"transient_mb\": %.1f, "
           "\"constant_mb\": %.1f, \"peak_mb\": %.1f, \"nodes\": %d}\n",
           p->workload->name, p->device->name, bench_step_precision(p), CHLADNI_VERSION,
           __VERSION__, p->options.threads, p->options.batch, p->options.size,
           1e-9 * p->plan.flops_step, 1e-6 * (double)p->plan.transient,
           1e-6 * (double)p->plan.constant, bench_step_peak_mb(p), p->plan.nodes);
}

static chl_status serve(bench_step *p) {
    char line[LINE];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, "quit")) break;
        if (!strcmp(line, "run")) {
            double seconds;
            CHL_TRY(bench_step_run(p, &seconds));
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

static void print_times(const bench_step *s, int runs, const double *sorted) {
    const double median = 0.5 * (sorted[(runs - 1) / 2] + sorted[runs / 2]);
    printf("%s on %s in %s, batch %d, %d threads: ", s->workload->name, s->device->name,
           bench_step_precision(s), s->options.batch, s->options.threads);
    if (s->device->backend->emulated)
        printf("ran %d times, which says nothing of speed, as the device is emulated; ", runs);
    else
        printf("median %.2f ms, quartiles %.2f - %.2f, %.0f GFLOP/s, ", 1e3 * median,
               1e3 * sorted[runs / 4], 1e3 * sorted[runs - 1 - runs / 4],
               1e-9 * s->plan.flops_step / median);
    printf("%.0f MB of activations, %.0f in all\n", 1e-6 * (double)s->plan.transient,
           bench_step_peak_mb(s));
}

static chl_status report(const program *p, const double *sorted) {
    const uint64_t refused = chl_json_refused();
    json_t *measured = bench_step_json(&p->step, p->runs, sorted);
    char *text = chl_json_text(measured, 0, refused);
    chl_status status = CHL_OK;
    if (!text)
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for the report");
    else if (p->json)
        puts(text);
    else
        print_times(&p->step, p->runs, sorted);
    if (text && !p->json && p->step.profile)
        bench_profile_print(json_object_get(measured, "profile"), stdout);
    if (status == CHL_OK && p->html) status = bench_write_steps_page(measured, p->html);
    free(text);
    json_decref(measured);
    return status;
}

static chl_status time_alone(program *p) {
    double *seconds = calloc((size_t)p->runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", p->runs);
    chl_status status = bench_step_time(&p->step, p->runs, seconds);
    if (status == CHL_OK) status = report(p, seconds);
    free(seconds);
    return status;
}

static chl_status run(program *p) {
    if (p->floors) return print_floors(p);
    if (p->html) CHL_TRY(chl_new_file_check(p->html, NULL));
    CHL_TRY(bench_step_open(&p->step));
    return p->serve ? serve(&p->step) : time_alone(p);
}

static int command(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "kernels") == 0) return bench_kernels(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "train") == 0) return bench_train(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "collectives") == 0)
        return bench_collectives(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "io") == 0) return bench_io(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "loader") == 0) return bench_loader(argc - 1, argv + 1);
    program p;
    parse(argc, argv, &p);
    omp_set_num_threads(p.step.options.threads);
    chl_log_to(log_line, NULL);
    const chl_status status = run(&p);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    bench_step_close(&p.step);
    return status != CHL_OK;
}

int main(int argc, char **argv) {
    return bench_finish(command(argc, argv));
}
