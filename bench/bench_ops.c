/* Single ops, forward and backward, at the sizes of an edit and of training: seconds, bytes, FLOPs.
 *
 *     bench_ops [--device NAME] [--bf16] [--runs N] [--flush MB] [--small] [--layers N | OP]
 *
 * --layers: instead of the ops, each modulated convolution of StyleGAN2 at 1024 for N pictures,
 * which bench/peers/layers.py times in PyTorch, and cuDNN's convolution of the same shape.
 *
 * A line of JSON per op and case. kernel_timing.h says how it is timed. */
#include "kernel_timing.h"
#include "runtime/open.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *device, *only;
    bool half, small;
    int runs, layers; /* 0, or pictures */
    size_t flush;     /* bytes */
} options;

static chl_status time_node(void *user, const kernel_node *node) {
    const options *o = user;
    if (o->only && strcmp(o->only, node->name) != 0) return CHL_OK;
    double *seconds = calloc((size_t)o->runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", o->runs);
    const chl_status status = kernel_time(node, seconds);
    if (status == CHL_OK) {
        const kernel_spread s = kernel_spread_of(seconds, o->runs);
        printf("{\"op\": \"%s\", \"case\": \"%s\", \"shape\": \"%s\", \"precision\": \"%s\", "
               "\"bytes\": %lld, \"flops\": %.0f, \"seconds\": {\"median\": %.9f, "
               "\"quartiles\": [%.9f, %.9f]}}\n",
               node->name, node->of->what, node->shape, node->precision, (long long)node->bytes,
               node->flops, s.median, s.low, s.high);
        fflush(stdout);
    }
    free(seconds);
    return status;
}

static chl_status time_set(options *o, const kernel_settings *settings) {
    const kernel_set *set = kernel_set_named(o->layers ? "stylegan2-1024" : "paper-batch");
    for (int i = 0; i < set->count; i++) {
        const kernel_case c = set->at(i);
        const int batch = o->layers ? o->layers : o->small ? 2 : c.batch;
        CHL_TRY(kernel_nodes(settings, &c, batch, time_node, o));
    }
    return CHL_OK;
}

static bool parse(int argc, char **argv, options *o) {
    *o = (options){.device = "auto", .runs = 21, .flush = (size_t)256 << 20};
    for (int i = 1; i < argc; i++) {
        const bool value = i + 1 < argc;
        if (strcmp(argv[i], "--bf16") == 0)
            o->half = true;
        else if (strcmp(argv[i], "--small") == 0)
            o->small = true;
        else if (strcmp(argv[i], "--device") == 0 && value)
            o->device = argv[++i];
        else if (strcmp(argv[i], "--runs") == 0 && value)
            o->runs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--layers") == 0 && value)
            o->layers = atoi(argv[++i]);
        else if (strcmp(argv[i], "--flush") == 0 && value)
            o->flush = (size_t)atoi(argv[++i]) << 20;
        else if (argv[i][0] != '-' && !o->only)
            o->only = argv[i];
        else
            return false;
    }
    return o->runs > 0 && o->layers >= 0;
}

int main(int argc, char **argv) {
    options o;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: bench_ops [--device NAME] [--bf16] [--runs N] [--flush MB] "
                        "[--small] [--layers N | OP]\n");
        return 2;
    }
    const char *why;
    chl_device *device = chl_device_open(o.device, &why);
    if (!device) {
        fprintf(stderr, "bench_ops: %s\n", why);
        return 1;
    }
    kernel_settings settings = {.device = device, .half = o.half, .runs = o.runs, .flush = o.flush};
    if (device->backend->allocate(device, o.flush + KERNEL_SPARE, &settings.spare) != CHL_OK) {
        fprintf(stderr, "bench_ops: no memory for the buffer that flushes the caches\n");
        return 1;
    }
    const chl_status status = time_set(&o, &settings);
    if (status != CHL_OK) fprintf(stderr, "bench_ops: %s\n", chl_error());
    device->backend->release(device, settings.spare);
    chl_device_close(device);
    return status != CHL_OK;
}
