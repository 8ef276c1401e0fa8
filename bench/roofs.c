#include "roofs.h"
#include "base/clock.h"
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <stdlib.h>
#include <string.h>

#define TRIES 51 /* other work may hold a core for most of them */

#define COPIES 9 /* and runs of a kernel */

/* --- the CPU ---------------------------------------------------------------------------------- */
#define COPIED ((size_t)64 << 20) /* bytes, beyond any cache that one socket's core owns */

static chl_status cpu_copy(double *rate) {
    char *from = malloc(COPIED), *to = malloc(COPIED);
    if (!from || !to) {
        free(from);
        free(to);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the copy that measures bandwidth");
    }
    double best = 0;
    const int parts = 64;
    const size_t part = COPIED / (size_t)parts;
#pragma omp parallel for schedule(static)
    for (int p = 0; p < parts; p++) { /* the threads that copy touch it first */
        memset(from + (size_t)p * part, p, part);
        memset(to + (size_t)p * part, 0, part);
    }
    for (int i = 0; i < COPIES; i++) {
        const double start = chl_seconds_now();
#pragma omp parallel for schedule(static)
        for (int p = 0; p < parts; p++)
            memcpy(to + (size_t)p * part, from + (size_t)p * part, part);
        const double now = 2.0 * (double)COPIED / (chl_seconds_now() - start);
        if (now > best) best = now;
    }
    free(from);
    free(to);
    *rate = best;
    return CHL_OK;
}

#define CHAINS 10 /* latency 4 x 2 units, and registers to spare on AVX2 */

/* `rounds` multiply-adds in each of the independent chains; a sum, so that none is left out. */
static float multiply_add(int rounds, float start) {
    chl_vec chain[CHAINS], factor = (chl_vec){0} + 0.999f, term = (chl_vec){0} + start;
    for (int c = 0; c < CHAINS; c++) chain[c] = term * (float)c;
    for (int i = 0; i < rounds; i++)
        for (int c = 0; c < CHAINS; c++) chain[c] = chain[c] * factor + term;
    chl_vec total = {0};
    for (int c = 0; c < CHAINS; c++) total += chain[c];
    return total[0];
}

static double cpu_arithmetic(void) {
    enum { ROUNDS = 1 << 19 };
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        float sum = 0;
        int threads = 0;
        const double start = chl_seconds_now();
#pragma omp parallel reduction(+ : sum, threads)
        {
            sum += multiply_add(ROUNDS, 1e-3f * (float)(i + 1));
            threads++;
        }
        const double seconds = chl_seconds_now() - start;
        const double done = 2.0 * ROUNDS * CHAINS * CHL_LANES * threads;
        if (sum > 0 && done / seconds > best) best = done / seconds; /* sum: it is used */
    }
    return best;
}

/* --- other devices ---------------------------------------------------------------------------- */
typedef struct rate_of {
    const char *kernel;
    bool bytes;
    double best;
} rate_of;

static chl_status take_rate(void *user, const kernel_node *node) {
    rate_of *rate = user;
    if (strcmp(node->name, rate->kernel) != 0) return CHL_OK;
    for (int i = 0; i < COPIES; i++) {
        double seconds;
        CHL_TRY(kernel_run(node, &seconds));
        const double now = (rate->bytes ? (double)node->bytes : node->flops) / seconds;
        if (now > rate->best) rate->best = now;
    }
    return CHL_OK;
}

static chl_status by_kernel(const kernel_settings *s, const char *kernel, bool bytes, kernel_case c,
                            double *rate) {
    rate_of found = {.kernel = kernel, .bytes = bytes};
    c.family = kernel_family_named(kernel);
    CHL_TRY(kernel_nodes(s, &c, c.batch, take_rate, &found));
    *rate = found.best;
    return CHL_OK;
}

static void add_sheet(const kernel_settings *s, bench_roofs *roofs) {
    static const struct { /* NVIDIA's datasheets; dense products */
        const char *device;
        double copy, half, single;
    } sheets[] = {{"H200", 4.8e12, 989e12, 67e12},
                  {"H100", 3.35e12, 989e12, 67e12},
                  {"A100", 2.039e12, 312e12, 19.5e12}};
    for (size_t i = 0; i < sizeof sheets / sizeof *sheets; i++)
        if (strstr(s->device->name, sheets[i].device)) {
            roofs->sheet_copy = sheets[i].copy;
            roofs->sheet_arithmetic = s->half ? sheets[i].half : sheets[i].single;
        }
}

chl_status bench_roofs_measure(const kernel_settings *s, bool small, bench_roofs *out) {
    *out = (bench_roofs){0};
    if (s->device->backend->host_memory) {
        out->copy_from = "copy of 64 MiB, all threads";
        out->arithmetic_from = "independent multiply-adds in registers, all threads";
        out->arithmetic = cpu_arithmetic();
        return cpu_copy(&out->copy);
    }
    const kernel_case sum = {.what = "roof", .batch = 16, .dims = 2, .dim = {64, 65536}};
    const kernel_case tiny = {.what = "roof", .batch = 1, .dims = 2, .dim = {8, 64}};
    const kernel_case product = {.what = "roof", .batch = 8192, .dims = 2, .dim = {8192, 8192}};
    const kernel_case little = {.what = "roof", .batch = 16, .dims = 2, .dim = {64, 64}};
    out->copy_from = "sum of two tensors";
    out->arithmetic_from = "matrix product";
    CHL_TRY(by_kernel(s, "sum", true, small ? tiny : sum, &out->copy));
    CHL_TRY(by_kernel(s, "linear", false, small ? little : product, &out->arithmetic));
    add_sheet(s, out);
    return CHL_OK;
}
