#include "kernel_results.h"
#include "base/json.h"
#include "base/machine.h"
#include "steps.h"
#include <stdlib.h>
#include <string.h>

double kernel_ridge(const bench_roofs *roofs) {
    return roofs->copy > 0 ? roofs->arithmetic / roofs->copy : 0;
}

double kernel_roof_seconds(const bench_roofs *roofs, const kernel_result *r, bool *by_arithmetic) {
    const double memory = (double)r->bytes / roofs->copy;
    const double arithmetic = r->flops / roofs->arithmetic;
    *by_arithmetic = arithmetic > memory;
    return *by_arithmetic ? arithmetic : memory;
}

void kernel_report_free(kernel_report *report) {
    for (int i = 0; i < report->count; i++) free(report->result[i].seconds);
    free(report->result);
    report->result = NULL;
    report->count = 0;
    json_decref(report->steps);
    report->steps = NULL;
}

/* --- for people ------------------------------------------------------------------------------- */
static void print_roof(FILE *to, const char *what, double rate, const char *unit, const char *from,
                       double sheet) {
    fprintf(to, "  %-10s %9.1f %s (%s", what, rate, unit, from);
    if (sheet > 0) fprintf(to, "; datasheet %.0f, %.0f %% of it", sheet, 100 * rate / sheet);
    fprintf(to, ")\n");
}

static void print_name(const kernel_result *r, FILE *to) {
    fprintf(to, "%-26s %-22s %-20s %-6s %-13s ", r->name, r->what, r->shape, r->precision,
            r->path[0] ? r->path : "-");
}

static void print_row(const bench_roofs *roofs, const kernel_result *r, FILE *to) {
    bool arithmetic;
    const double roof = kernel_roof_seconds(roofs, r, &arithmetic), t = r->spread.median;
    print_name(r, to);
    fprintf(to, "%10.1f %9.1f - %-9.1f %7.1f ", 1e6 * t, 1e6 * r->spread.low, 1e6 * r->spread.high,
            1e-9 * (double)r->bytes / t);
    if (r->flops > 0)
        fprintf(to, "%8.3f ", 1e-12 * r->flops / t);
    else
        fprintf(to, "%8s ", "-");
    fprintf(to, "%5.0f %% %-10s", 100 * roof / t, arithmetic ? "arithmetic" : "memory");
    if (r->vendor)
        fprintf(to, " %s %.1f us, x %.2f", r->vendor, 1e6 * r->vendor_spread.median,
                r->vendor_spread.median / t);
    if (r->difference >= 0) fprintf(to, " differs from the CPU's by %.1e", r->difference);
    fputc('\n', to);
}

/* On an emulated device: what was computed, and that it is right. */
static void print_equal(const kernel_report *report, FILE *to) {
    fprintf(to, "%s in %s is emulated: its times say nothing, none is taken.\n\n", report->device,
            report->precision);
    fprintf(to, "%-26s %-22s %-20s %-6s %-13s relative difference from the CPU's\n", "kernel",
            "case", "shape", "type", "path");
    for (int i = 0; i < report->count; i++) {
        print_name(&report->result[i], to);
        if (report->result[i].difference >= 0)
            fprintf(to, "%.1e\n", report->result[i].difference);
        else
            fprintf(to, "- (private layout)\n");
    }
}

static void print_steps(const json_t *steps, FILE *to) {
    size_t i;
    const json_t *step;
    json_array_foreach(steps, i, step) {
        fprintf(to, "\na step of %s: median %.2f ms\n",
                json_string_value(json_object_get(step, "workload")),
                1e3 * json_real_value(json_object_get(step, "median")));
        bench_profile_print(json_object_get(step, "profile"), to);
    }
}

void kernel_print_text(const kernel_report *report, FILE *to) {
    const bench_roofs *roofs = &report->roofs;
    if (report->emulated) {
        print_equal(report, to);
        return;
    }
    fprintf(to, "%s in %s, %d threads, caches %s. Roofs measured now:\n", report->device,
            report->precision, report->threads, report->flush ? "cold" : "warm");
    print_roof(to, "memory", 1e-9 * roofs->copy, "GB/s", roofs->copy_from,
               1e-9 * roofs->sheet_copy);
    print_roof(to, "arithmetic", 1e-9 * roofs->arithmetic, "GFLOP/s", roofs->arithmetic_from,
               1e-9 * roofs->sheet_arithmetic);
    fprintf(to, "  ridge      %9.1f FLOP/byte\n\n", kernel_ridge(roofs));
    fprintf(to,
            "%-26s %-22s %-20s %-6s %-13s %10s %21s %7s %8s %7s %-10s vendor, its time over "
            "ours\n",
            "kernel", "case", "shape", "type", "path", "median us", "quartiles", "GB/s", "TFLOP/s",
            "of roof", "bound by");
    for (int i = 0; i < report->count; i++) print_row(roofs, &report->result[i], to);
    print_steps(report->steps, to);
}

/* --- for programs ----------------------------------------------------------------------------- */
/* From median_s to vendor_difference: empty where nothing was timed. */
static void print_csv_times(const bench_roofs *roofs, const kernel_result *r, FILE *to) {
    bool arithmetic;
    const double roof = kernel_roof_seconds(roofs, r, &arithmetic), t = r->spread.median;
    fprintf(to, "%.9f,%.9f,%.9f,%.3f,%.6f,%.4f,%s,", t, r->spread.low, r->spread.high,
            1e-9 * (double)r->bytes / t, 1e-12 * r->flops / t, roof / t,
            arithmetic ? "arithmetic" : "memory");
    if (r->vendor)
        fprintf(to, "%s,%.9f,%.3g", r->vendor, r->vendor_spread.median, r->vendor_difference);
    else
        fprintf(to, ",,");
}

void kernel_print_csv(const kernel_report *report, FILE *to) {
    fprintf(to, "set,kernel,case,shape,precision,batch,bytes,flops,median_s,low_s,high_s,gb_per_s,"
                "tflop_per_s,roof_share,bound_by,vendor,vendor_median_s,vendor_difference,path,"
                "difference\n");
    for (int i = 0; i < report->count; i++) {
        const kernel_result *r = &report->result[i];
        fprintf(to, "%s,%s,\"%s\",\"%s\",%s,%d,%lld,%.0f,", r->set, r->name, r->what, r->shape,
                r->precision, r->batch, (long long)r->bytes, r->flops);
        if (report->emulated)
            fprintf(to, ",,,,,,,,,");
        else
            print_csv_times(&report->roofs, r, to);
        fprintf(to, ",%s,", r->path);
        if (r->difference >= 0) fprintf(to, "%.3g", r->difference);
        fputc('\n', to);
    }
}

json_t *kernel_conditions(void) {
    json_t *found = json_object();
    double load, value;
    FILE *file = fopen("/proc/loadavg", "r");
    if (file && fscanf(file, "%lf", &load) == 1)
        chl_json_set(found, "load_average", json_real(load));
    if (file) fclose(file);
    file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "cpu MHz : %lf", &value) == 1) {
            chl_json_set(found, "clock_mhz", json_real(value));
            break;
        }
    if (file) fclose(file);
    file = fopen("/sys/class/thermal/thermal_zone0/temp", "r");
    if (file && fscanf(file, "%lf", &value) == 1)
        chl_json_set(found, "temperature_c", json_real(1e-3 * value));
    if (file) fclose(file);
    return found;
}

static json_t *spread_json(const kernel_spread *s) {
    return json_pack("{s:f, s:[f, f]}", "median", s->median, "quartiles", s->low, s->high);
}

/* The figures of the kernel at `row` of the report; NULL where the starts timed another one. */
static json_t *starts_json(const kernel_starts *s, int row, const kernel_result *r) {
    char key[KERNEL_START_KEY];
    snprintf(key, sizeof key, "%s: %s, %s, %s, %s", r->set, r->name, r->what, r->shape,
             r->precision);
    if (row >= s->kernels || strcmp(key, s->key[row]) != 0) return NULL;
    json_t *all = json_array();
    for (int i = 0; i < s->starts; i++)
        chl_json_append(all, json_real(s->seconds[0][(size_t)row * (size_t)s->starts + (size_t)i]));
    return all;
}

/* Seconds, rates and the vendor's. */
static void add_times(const bench_roofs *roofs, const kernel_result *r, json_t *out) {
    bool arithmetic;
    const double roof = kernel_roof_seconds(roofs, r, &arithmetic), t = r->spread.median;
    json_t *all = json_array();
    for (int i = 0; i < r->runs; i++) chl_json_append(all, json_real(r->seconds[i]));
    json_t *seconds = spread_json(&r->spread);
    chl_json_set(seconds, "all", all);
    chl_json_set(out, "seconds", seconds);
    chl_json_set(out, "gb_per_s", json_real(1e-9 * (double)r->bytes / t));
    chl_json_set(out, "tflop_per_s", json_real(1e-12 * r->flops / t));
    chl_json_set(out, "roof_share", json_real(roof / t));
    chl_json_set(out, "bound_by", json_string(arithmetic ? "arithmetic" : "memory"));
    if (!r->vendor) return;
    json_t *vendor = spread_json(&r->vendor_spread);
    chl_json_set(out, "vendor",
                 json_pack("{s:s, s:o, s:f}", "name", r->vendor, "seconds", vendor,
                           "relative_difference", r->vendor_difference));
}

static json_t *result_json(const kernel_report *report, const kernel_result *r) {
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:f}", "set", r->set, "kernel",
                            r->name, "case", r->what, "shape", r->shape, "precision", r->precision,
                            "batch", r->batch, "bytes", (json_int_t)r->bytes, "flops", r->flops);
    if (r->path[0]) chl_json_set(out, "path", json_string(r->path));
    if (r->difference >= 0) chl_json_set(out, "relative_difference", json_real(r->difference));
    if (!report->emulated) add_times(&report->roofs, r, out);
    return out;
}

static json_t *roofs_json(const bench_roofs *roofs) {
    json_t *roof = json_pack("{s:f, s:s, s:f, s:s}", "copy_gb_per_s", 1e-9 * roofs->copy,
                             "copy_from", roofs->copy_from, "arithmetic_tflop_per_s",
                             1e-12 * roofs->arithmetic, "arithmetic_from", roofs->arithmetic_from);
    if (roofs->sheet_copy > 0) {
        chl_json_set(roof, "datasheet_gb_per_s", json_real(1e-9 * roofs->sheet_copy));
        chl_json_set(roof, "datasheet_tflop_per_s", json_real(1e-12 * roofs->sheet_arithmetic));
    }
    return roof;
}

char *kernel_report_text(const kernel_report *report) {
    const uint64_t refused = chl_json_refused();
    json_t *kernels = json_array();
    for (int i = 0; i < report->count; i++) {
        json_t *kernel = result_json(report, &report->result[i]);
        if (report->starts)
            chl_json_set(kernel, "starts", starts_json(report->starts, i, &report->result[i]));
        chl_json_append(kernels, kernel);
    }
    json_t *out = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:o}", "format", 1, "version",
                            CHLADNI_VERSION, "device", report->device, "precision",
                            report->precision, "threads", report->threads, "instruction_set",
                            chl_instruction_set(), "compiler", __VERSION__, "caches",
                            report->flush ? "cold" : "warm", "conditions", kernel_conditions());
    if (report->emulated)
        chl_json_set(out, "emulated", json_true());
    else
        chl_json_set(out, "roofs", roofs_json(&report->roofs));
    chl_json_set(out, "kernels", kernels);
    if (report->steps) chl_json_set(out, "steps", json_incref(report->steps));
    if (report->starts) /* of the figures per start; those of one process are the clock's */
        chl_json_set(out, "clock", json_string(report->starts->processor ? "processor" : "wall"));
    char *text = chl_json_text(out, JSON_INDENT(1), refused);
    json_decref(out);
    return text;
}
