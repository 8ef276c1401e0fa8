#include "kernel_check.h"
#include "bf16.h"
#include <math.h>
#include <stdlib.h>

/* The tensor's numbers, to be freed; NULL where they are none to compare: packed, integers, elided. */
static chl_status read_floats(chl_graph *g, chl_tensor t, float **out) {
    *out = NULL;
    if (t <= CHL_NONE || !chl_info(g, t)->data) return CHL_OK;
    const chl_desc *desc = chl_desc_of(g, t);
    const int64_t count = chl_count(desc);
    if (desc->dtype != CHL_F32 && desc->dtype != CHL_BF16) return CHL_OK;
    float *data = malloc((size_t)count * sizeof *data);
    if (!data) return chl_fail(CHL_ERR_MEMORY, "out of memory for a kernel's result");
    const chl_status status = chl_read(g, t, data);
    if (status == CHL_OK && desc->dtype == CHL_BF16) bench_widen_bf16(data, count);
    if (status == CHL_OK)
        *out = data;
    else
        free(data);
    return status;
}

/* ||a - b|| / ||b||, Euclidean; where b is zero, ||a||. */
static double relative_difference(const float *a, const float *b, int64_t count) {
    double apart = 0, whole = 0;
    for (int64_t i = 0; i < count; i++) {
        apart += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        whole += (double)b[i] * b[i];
    }
    return sqrt(whole > 0 ? apart / whole : apart);
}

static chl_status compare_output(chl_graph *a, chl_tensor of_a, chl_graph *b, chl_tensor of_b,
                                 double *largest) {
    float *x, *y = NULL;
    CHL_TRY(read_floats(a, of_a, &x));
    chl_status status = read_floats(b, of_b, &y);
    if (status == CHL_OK && x && y) {
        const double difference = relative_difference(x, y, chl_count(chl_desc_of(b, of_b)));
        if (!(difference <= *largest)) *largest = difference; /* NaN too */
    }
    free(x);
    free(y);
    return status;
}

static chl_status compare_node(chl_graph *a, const chl_node *of_a, chl_graph *b,
                               const chl_node *of_b, double *largest) {
    if (of_a->op != of_b->op)
        return chl_fail(CHL_ERR_INTERNAL, "%s has %s where %s has %s: not comparable",
                        a->device->name, chl_op_name(of_a->op), b->device->name,
                        chl_op_name(of_b->op));
    *largest = -1;
    for (int i = 0; i < of_a->outputs; i++)
        CHL_TRY(compare_output(a, of_a->out[i], b, of_b->out[i], largest));
    return CHL_OK;
}

static chl_status compare(chl_graph *a, chl_graph *b, double allowed, kernel_differences *out) {
    int32_t n = kernel_next(a, 0), m = kernel_next(b, 0);
    for (; n < a->nodes && m < b->nodes; n = kernel_next(a, n + 1), m = kernel_next(b, m + 1)) {
        if (out->count == CHECK_KERNELS)
            return chl_fail(CHL_ERR_INTERNAL, "CHECK_KERNELS is too low");
        double *difference = &out->of[out->count];
        CHL_TRY(compare_node(a, &a->node[n], b, &b->node[m], difference));
        out->op[out->count++] = a->node[n].op;
        char path[24] = "the only path";
        chl_path_of(a, a->node[n].op, &a->call[n], path, sizeof path);
        if (!(*difference <= allowed))
            return chl_fail(CHL_ERR_INTERNAL,
                            "%s on %s (%s) differs from the CPU's by %.1e (relative L2), allowed "
                            "is %.0e: nothing is timed",
                            chl_op_name(a->node[n].op), a->device->name, path, *difference,
                            allowed);
    }
    return CHL_OK;
}

chl_status kernel_check(const kernel_settings *s, const kernel_case *c, int batch,
                        kernel_differences *out) {
    const kernel_settings plain = {.device = chl_device_cpu(), .numbers = true};
    chl_graph *here, *there;
    out->count = 0;
    CHL_TRY(kernel_graph(s, c, batch, true, &here));
    chl_status status = kernel_graph(&plain, c, batch, true, &there);
    if (status == CHL_OK) {
        status = compare(here, there, s->half ? CHECK_BF16 : CHECK_FLOAT, out);
        chl_graph_free(there);
    }
    chl_graph_free(here);
    return status;
}
