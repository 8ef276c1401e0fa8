#include "kernels.h"
#include "io/new_file.h"
#include "kernel_check.h"
#include "kernel_compare.h"
#include "kernel_paths.h"
#include "kernel_starts.h"
#include "runtime/open.h"
#include "vendor.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* --- selection -------------------------------------------------------------------------------- */
void kernel_key(const kernel_node *node, char *key) {
    snprintf(key, KERNEL_KEY, "%s, %s, %s, %s", node->name, node->of->what, node->shape,
             node->precision);
}

typedef struct selection {
    const kernel_command *command;
    kernel_selected *visit;
    void *user;
    const char *set;
    int named, found; /* kernels of a wanted name, and those on the wanted path too */
    bool check;
    kernel_differences differences;
    int next; /* of them */
} selection;

static chl_status visit_matching(void *user, const kernel_node *node) {
    selection *s = user;
    const kernel_command *c = s->command;
    kernel_node checked = *node;
    if (s->check && s->next < s->differences.count)
        checked.difference = s->differences.of[s->next++];
    /* an op at a shape of one's own is meant with all its kernels */
    if (!c->own.family && !kernel_matches(c->pattern, node->name)) return CHL_OK;
    s->named++;
    if (c->path && strcmp(node->path, c->path) != 0) return CHL_OK;
    s->found++;
    return s->visit(s->user, s->set, &checked);
}

static bool has_kernel(const kernel_command *c, const kernel_family *f) {
    char name[40];
    for (const char *at = f->kernels; *at;) {
        const int length = (int)strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", length, at);
        if (kernel_matches(c->pattern, name)) return true;
        at += length + (at[length] == ' ');
    }
    return false;
}

static chl_status select_case(selection *s, const kernel_settings *settings,
                              const kernel_case *of) {
    const kernel_command *c = s->command;
    for (int b = 0; b < (c->batches ? c->batches : 1); b++) {
        const int batch = c->batches ? c->batch[b] : of->batch;
        s->next = 0;
        if (s->check) CHL_TRY(kernel_check(settings, of, batch, &s->differences));
        CHL_TRY(kernel_nodes(settings, of, batch, visit_matching, s));
    }
    return CHL_OK;
}

/* An error where nothing was selected. */
static chl_status check_found(const selection *s) {
    const kernel_command *c = s->command;
    if (s->found) return CHL_OK;
    if (s->named)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "no chosen shape can take the path \"%s\": choose another set, or give a "
                        "shape",
                        c->path);
    return chl_fail(CHL_ERR_ARGUMENT,
                    "no chosen set has a kernel \"%s\": choose another set, or give a shape",
                    c->pattern);
}

chl_status kernel_select(const kernel_command *c, const kernel_settings *settings,
                         kernel_selected *visit, void *user) {
    selection s = {.command = c, .visit = visit, .user = user, .set = "own"};
    s.check = !c->serve && (c->check || settings->device->backend->emulated);
    if (c->own.family) {
        CHL_TRY(select_case(&s, settings, &c->own));
        return check_found(&s);
    }
    for (int i = 0; i < c->sets; i++) {
        s.set = c->set[i]->name;
        for (int k = 0; k < c->set[i]->count; k++) {
            const kernel_case of = c->set[i]->at(k);
            if (has_kernel(c, of.family)) CHL_TRY(select_case(&s, settings, &of));
        }
    }
    return check_found(&s);
}

/* --- measuring -------------------------------------------------------------------------------- */
typedef struct measuring {
    kernel_report report;
    bool no_vendor, tf32, progress;
} measuring;

static chl_status run_both(const kernel_node *node, kernel_vendor *vendor, double *own,
                           double *theirs) {
    for (int i = -KERNEL_WARM; i < node->settings->runs; i++) {
        double a = 0, b = 0;
        for (int turn = 0; turn < 2; turn++) /* every second round in the opposite order */
            if ((turn + i) % 2 == 0)
                CHL_TRY(kernel_run(node, &a));
            else
                CHL_TRY(kernel_run_other(node->settings, kernel_vendor_run, vendor, &b));
        if (i < 0) continue;
        own[i] = a;
        theirs[i] = b;
    }
    return CHL_OK;
}

static chl_status time_beside_vendor(const kernel_node *node, kernel_vendor *vendor,
                                     kernel_result *r) {
    const int runs = node->settings->runs;
    CHL_TRY(kernel_vendor_difference(node, vendor, &r->vendor_difference));
    if (!(r->vendor_difference <= kernel_vendor_tolerance(vendor)))
        return chl_fail(
            CHL_ERR_INTERNAL,
            "%s of %s differs from %s's by %.1e (relative L2), allowed is %.0e: nothing "
            "is timed",
            node->name, node->shape, kernel_vendor_name(vendor), r->vendor_difference,
            kernel_vendor_tolerance(vendor));
    double *theirs = calloc((size_t)runs, sizeof *theirs);
    if (!theirs) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", runs);
    const chl_status status = run_both(node, vendor, r->seconds, theirs);
    if (status == CHL_OK) {
        r->vendor = kernel_vendor_name(vendor);
        r->vendor_spread = kernel_spread_of(theirs, runs);
    }
    free(theirs);
    return status;
}

static chl_status time_kernel(const kernel_node *node, const measuring *m, kernel_result *r) {
    kernel_vendor *vendor = NULL;
    if (!m->no_vendor) CHL_TRY(kernel_vendor_new(node, m->tf32, &vendor));
    chl_status status =
        vendor ? time_beside_vendor(node, vendor, r) : kernel_time(node, r->seconds);
    kernel_vendor_free(vendor);
    double *sorted = malloc((size_t)r->runs * sizeof *sorted);
    if (!sorted && status == CHL_OK)
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", r->runs);
    if (status == CHL_OK) {
        memcpy(sorted, r->seconds, (size_t)r->runs * sizeof *sorted);
        r->spread = kernel_spread_of(sorted, r->runs);
    }
    free(sorted);
    return status;
}

static kernel_result *new_result(kernel_report *report, int runs) {
    if (report->count == report->capacity) {
        const int capacity = report->capacity ? 2 * report->capacity : 64;
        kernel_result *more = realloc(report->result, (size_t)capacity * sizeof *more);
        if (!more) return NULL;
        report->result = more;
        report->capacity = capacity;
    }
    kernel_result *r = &report->result[report->count];
    *r = (kernel_result){.runs = runs, .seconds = calloc((size_t)runs, sizeof(double))};
    if (!r->seconds) return NULL;
    report->count++;
    return r;
}

static chl_status measure(void *user, const char *set, const kernel_node *node) {
    measuring *m = user;
    kernel_result *r = new_result(&m->report, node->settings->runs);
    if (!r) return chl_fail(CHL_ERR_MEMORY, "out of memory for %s", node->name);
    snprintf(r->set, sizeof r->set, "%s", set);
    snprintf(r->name, sizeof r->name, "%s", node->name);
    snprintf(r->what, sizeof r->what, "%s", node->of->what);
    snprintf(r->shape, sizeof r->shape, "%s", node->shape);
    snprintf(r->precision, sizeof r->precision, "%s", node->precision);
    snprintf(r->path, sizeof r->path, "%s", node->path);
    r->difference = node->difference;
    r->batch = node->batch;
    r->bytes = node->bytes;
    r->flops = node->flops;
    if (m->progress) fprintf(stderr, "%s of %s\n", r->name, r->shape);
    return m->report.emulated ? CHL_OK : time_kernel(node, m, r);
}

/* --- whole steps ------------------------------------------------------------------------------ */
static chl_status profile_step(const kernel_command *c, const bench_workload *workload,
                               json_t *to) {
    bench_step step = {.workload = workload,
                       .device_name = c->device,
                       .half = c->half,
                       .path = c->path,
                       .profile = true,
                       .options = {.batch = 1, .size = c->size, .threads = c->threads}};
    step.options.face = c->face && strcmp(workload->name, "wplus") == 0;
    if (c->batches) step.options.batch = c->batch[0];
    fprintf(stderr, "a step of %s\n", workload->name);
    double *seconds = calloc((size_t)c->step_runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", c->step_runs);
    chl_status status = bench_step_open(&step);
    if (status == CHL_OK) status = bench_step_time(&step, c->step_runs, seconds);
    if (status == CHL_OK) chl_json_append(to, bench_step_json(&step, c->step_runs, seconds));
    bench_step_close(&step);
    free(seconds);
    return status;
}

static chl_status profile_steps(const kernel_command *c, kernel_report *report) {
    if (!c->steps) return CHL_OK;
    const uint64_t refused = chl_json_refused();
    report->steps = json_array();
    for (int i = 0; i < c->steps; i++) CHL_TRY(profile_step(c, c->step[i], report->steps));
    if (chl_json_refused() == refused) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "out of memory for the steps");
}

/* --- the command ------------------------------------------------------------------------------ */
static chl_status print(const kernel_command *c, const kernel_report *report) {
    if (c->csv) {
        kernel_print_csv(report, stdout);
    } else if (c->json) {
        char *text = kernel_report_text(report);
        if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for the report");
        puts(text);
        free(text);
    } else {
        kernel_print_text(report, stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return chl_fail(CHL_ERR_IO, "cannot write to standard output");
    return CHL_OK;
}

static chl_status run(const kernel_command *c, const kernel_settings *settings,
                      const kernel_starts *starts) {
    measuring m = {.no_vendor = c->no_vendor,
                   .tf32 = c->tf32,
                   .progress = c->json || c->csv,
                   .report = {.device = settings->device->name,
                              .precision = settings->half ? "bf16" : "float",
                              .threads = c->threads,
                              .emulated = settings->device->backend->emulated,
                              .starts = starts,
                              .flush = settings->flush}};
    chl_status status = CHL_OK;
    if (!m.report.emulated) status = bench_roofs_measure(settings, c->small, &m.report.roofs);
    if (status == CHL_OK) status = kernel_select(c, settings, measure, &m);
    if (status == CHL_OK) status = profile_steps(c, &m.report);
    if (status == CHL_OK) status = print(c, &m.report);
    if (status == CHL_OK && c->html) status = kernel_write_page(&m.report, c->html);
    if (status == CHL_OK && c->png) status = kernel_write_png(&m.report, c->png);
    kernel_report_free(&m.report);
    return status;
}

/* Threads have a processor's time each: of several, only the clock tells what they took together. */
static chl_status choose_clock(const kernel_command *c, kernel_settings *s) {
    const bool one = s->device->backend->host_memory && c->threads == 1;
    s->processor = c->clock ? strcmp(c->clock, "processor") == 0 : one && c->serve;
    if (one || !s->processor) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "clock must be wall but for one thread of the CPU");
}

/* What needs times has nothing to show on an emulated device. */
static chl_status check_device(const kernel_command *c, chl_device *device) {
    if (c->half && !device->backend->bf16)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s computes in float32 only", device->name);
    if (c->tf32 && device->backend->host_memory)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "tf32 is for the vendor's products on a GPU, and the device is %s",
                        device->name);
    const char *what = c->html    ? "a page"
                       : c->png   ? "a picture"
                       : c->steps ? "the profile of a step"
                       : c->serve ? "figures per start"
                                  : NULL;
    if (device->backend->emulated && what)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s is emulated: its times say nothing, and %s is of "
                        "times",
                        device->name, what);
    if (!c->path) return CHL_OK;
    const char *own = c->own.family ? c->own.family->kernels : NULL;
    return kernel_paths_check(device, (op_choice){.pattern = c->pattern, .names = own}, c->path);
}

static chl_status with_device(const kernel_command *c, const kernel_starts *starts) {
    const char *why;
    chl_device *device = chl_device_open(c->device, &why);
    if (!device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    kernel_settings settings = {.device = device,
                                .half = c->half,
                                .numbers = true,
                                .path = c->path,
                                .runs = c->runs,
                                .flush = c->warm ? 0 : (size_t)c->flush_mb << 20};
    chl_status status =
        device->backend->allocate(device, settings.flush + KERNEL_SPARE, &settings.spare);
    if (status == CHL_OK) status = check_device(c, device);
    if (status == CHL_OK) status = choose_clock(c, &settings);
    if (status == CHL_OK)
        status = c->serve ? kernel_serve(c, &settings) : run(c, &settings, starts);
    device->backend->release(device, settings.spare);
    chl_device_close(device);
    return status;
}

static int measure_here(const kernel_command *c, const kernel_starts *starts) {
    omp_set_num_threads(c->threads);
    chl_status status = c->html && !c->serve ? chl_new_file_check(c->html, NULL) : CHL_OK;
    if (status == CHL_OK && c->png && !c->serve) status = chl_new_file_check(c->png, NULL);
    if (status == CHL_OK) status = with_device(c, starts);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    return status != CHL_OK;
}

/* Starts of this program, then what this process measures; or a comparison. */
static int starts_first(const kernel_command *c, int argc, char **argv) {
    /* getopt has moved words behind flags; a process that serves takes no notice of --starts and
     * --against */
    char **arguments = calloc((size_t)argc + 3, sizeof *arguments);
    if (!arguments) return 1;
    static char program[] = "chladni-bench", serve[] = "--serve";
    arguments[0] = program;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *arguments);
    arguments[argc + 1] = serve;
    int code = 1;
    if (c->against) {
        code = kernel_compare_programs(c, arguments);
    } else {
        kernel_starts starts;
        const char *const programs[2] = {KERNEL_THIS_PROGRAM, NULL};
        const chl_status status = kernel_starts_measure(c, programs, arguments, &starts);
        if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
        if (status == CHL_OK) code = measure_here(c, &starts);
        kernel_starts_free(&starts);
    }
    free(arguments);
    return code;
}

int bench_kernels(int argc, char **argv) {
    kernel_command c;
    const int said = kernel_parse(argc, argv, &c);
    if (said) return said - 1;
    if (c.compare[0]) return kernel_compare_files(c.compare[0], c.compare[1], c.bound, c.json);
    return c.starts && !c.serve ? starts_first(&c, argc, argv) : measure_here(&c, NULL);
}
