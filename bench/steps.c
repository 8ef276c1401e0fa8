#include "steps.h"
#include "base/clock.h"
#include "graph/graph_private.h"
#include "kernel_paths.h"
#include "runtime/open.h"
#include <stdlib.h>
#include <string.h>

static const bench_workload *const workloads[] = {
    &bench_workload_stylegan2,  &bench_workload_clip,  &bench_workload_swin,
    &bench_workload_swin_train, &bench_workload_wplus, &bench_workload_mel,
};

int bench_workloads(void) {
    return (int)(sizeof workloads / sizeof workloads[0]);
}
const bench_workload *bench_workload_at(int i) {
    return workloads[i];
}
const bench_workload *bench_workload_named(const char *name) {
    for (int i = 0; i < bench_workloads(); i++)
        if (strcmp(name, workloads[i]->name) == 0) return workloads[i];
    return NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */
static chl_status open_device(bench_step *s) {
    const char *why;
    s->device = chl_device_open(s->device_name, &why);
    if (!s->device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    if (s->profile && s->device->backend->emulated)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s is emulated: its times say nothing",
                        s->device->name);
    if (s->path) CHL_TRY(kernel_paths_check(s->device, (op_choice){0}, s->path));
    if (s->device->backend->allocate(s->device, sizeof(float), &s->last) != CHL_OK)
        return chl_fail(CHL_ERR_MEMORY, "no memory on %s", s->device->name);
    return CHL_OK;
}

static chl_status build(bench_step *s) {
    bench_job *job = &s->job;
    CHL_TRY(open_device(s));
    CHL_TRY(chl_graph_new(s->device, &job->graph));
    if (s->half) chl_graph_precision(job->graph, CHL_BF16);
    if (s->no_fusion) chl_graph_no_fusion(job->graph);
    if (s->path) chl_graph_path(job->graph, s->path);
    CHL_TRY(s->workload->build(&s->options, job));
    CHL_TRY(chl_dry_run(job->graph, &s->plan));
    CHL_TRY(chl_compile(job->graph));
    for (int i = 0; i < job->inputs; i++)
        CHL_TRY(chl_write(job->graph, job->input[i].tensor, job->input[i].data));
    return CHL_OK;
}

chl_status bench_step_open(bench_step *s) {
    const chl_status status = build(s);
    if (status != CHL_OK) bench_step_close(s);
    return status;
}

void bench_step_close(bench_step *s) {
    chl_graph_free(s->job.graph);
    if (s->last) s->device->backend->release(s->device, s->last);
    for (int i = 0; i < s->job.nets; i++) chl_params_free(s->job.params[i]);
    for (int i = 0; i < s->job.inputs; i++) free(s->job.input[i].data);
    chl_device_close(s->device);
    s->job = (bench_job){0};
    s->last = NULL;
    s->device = NULL;
}

/* --- running ---------------------------------------------------------------------------------- */
chl_status bench_step_run(bench_step *s, double *seconds) {
    CHL_TRY(chl_set_step(s->job.graph, (chl_step){.index = s->index++, .rate = s->job.rate}));
    float waited;
    const double start = chl_seconds_now();
    CHL_TRY(chl_run(s->job.graph, CHL_FIRST_SEGMENT));
    CHL_TRY(s->device->backend->download(s->device, &waited, s->last, sizeof waited));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

chl_status bench_step_time(bench_step *s, int runs, double *seconds) {
    double ignored;
    for (int i = 0; i < STEP_WARM; i++) CHL_TRY(bench_step_run(s, &ignored));
    chl_profile(s->job.graph, s->profile);
    for (int i = 0; i < runs; i++) CHL_TRY(bench_step_run(s, &seconds[i]));
    qsort(seconds, (size_t)runs, sizeof *seconds, ascending);
    return CHL_OK;
}

/* --- what was measured ------------------------------------------------------------------------ */
const char *bench_step_precision(const bench_step *s) {
    return s->half ? "bf16" : "float";
}

double bench_step_peak_mb(const bench_step *s) {
    return 1e-6 * (double)(s->plan.persistent + s->plan.constant + s->plan.transient);
}

static double rounded(double x, double unit) {
    return unit * (double)(int64_t)(x / unit + 0.5);
}

json_t *bench_step_json(const bench_step *s, int runs, const double *seconds) {
    const bool emulated = s->device->backend->emulated;
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "workload", s->workload->name, "device",
                  s->device->name, "precision", bench_step_precision(s), "batch", s->options.batch,
                  "size", s->options.size, "threads", s->options.threads);
    if (s->options.face) chl_json_set(out, "face", json_true());
    if (emulated) {
        chl_json_set(out, "emulated", json_true());
    } else {
        chl_json_set(out, "median", json_real(0.5 * (seconds[(runs - 1) / 2] + seconds[runs / 2])));
        chl_json_set(out, "quartiles",
                     json_pack("[f, f]", seconds[runs / 4], seconds[runs - 1 - runs / 4]));
    }
    chl_json_set(out, "gflop", json_real(rounded(1e-9 * s->plan.flops_step, 1e-3)));
    chl_json_set(out, "transient_mb", json_real(rounded(1e-6 * (double)s->plan.transient, 0.1)));
    chl_json_set(out, "peak_mb", json_real(rounded(bench_step_peak_mb(s), 0.1)));
    if (s->profile) chl_json_set(out, "profile", bench_profile_json(s));
    return out;
}
