/* Resizing with the filters of the frameworks whose networks we load (attributes.h), and its
 * adjoint. Each filter is one function from an output position to taps; the rest is resample.c. */
#include "cpu/lib/resample.h"
#include <math.h>

typedef struct taps {
    int64_t first, count;
    float *weight;
} taps;

static int64_t clamped(int64_t i, int64_t size) {
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static void take_linear(taps *t, double at, int64_t in) {
    const int64_t left = clamped((int64_t)floor(at), in);
    t->first = left;
    t->count = left + 1 < in ? 2 : 1;
    const double share = t->count == 2 ? at - (double)left : 0;
    t->weight[0] = (float)(1 - share);
    if (t->count == 2) t->weight[1] = (float)share;
}

/* [Keys 1981] */
static double cubic(double x, double a) {
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

/* Four taps; those outside the picture read its edge. */
static void take_cubic(taps *t, double at, int64_t in) {
    const int64_t left = (int64_t)floor(at);
    t->first = clamped(left - 1, in);
    t->count = clamped(left + 2, in) - t->first + 1;
    double weight[4] = {0};
    for (int64_t k = -1; k <= 2; k++)
        weight[clamped(left + k, in) - t->first] += cubic(at - (double)(left + k), -0.75);
    for (int64_t k = 0; k < t->count; k++) t->weight[k] = (float)weight[k];
}

/* The kernel is stretched by the reduction; taps outside are omitted and the others scaled to sum
 * 1. */
static void take_cubic_antialiased(taps *t, int64_t i, int64_t in, int64_t out) {
    const double scale = (double)in / (double)out, stretch = scale > 1 ? scale : 1;
    const double centre = scale * ((double)i + 0.5), support = 2 * stretch;
    const double begin = centre - support + 0.5, end = centre + support + 0.5;
    t->first = begin > 0 ? (int64_t)begin : 0;
    t->count = (end < (double)in ? (int64_t)end : in) - t->first;
    double total = 0;
    for (int64_t k = 0; k < t->count; k++)
        total += cubic(((double)(t->first + k) - centre + 0.5) / stretch, -0.5);
    for (int64_t k = 0; k < t->count; k++)
        t->weight[k] =
            (float)(cubic(((double)(t->first + k) - centre + 0.5) / stretch, -0.5) / total);
}

static void take_area(taps *t, int64_t i, int64_t in, int64_t out) {
    t->first = i * in / out;
    t->count = ((i + 1) * in + out - 1) / out - t->first;
    for (int64_t k = 0; k < t->count; k++) t->weight[k] = 1 / (float)t->count;
}

/* In units of 1/out of an input pixel: pixel j covers [j out, (j+1) out), output i [i in, (i+1)
 * in). */
static void take_box(taps *t, int64_t i, int64_t in, int64_t out) {
    const int64_t begin = i * in, end = begin + in;
    t->first = begin / out;
    t->count = (end + out - 1) / out - t->first;
    for (int64_t k = 0; k < t->count; k++) {
        int64_t left = (t->first + k) * out, right = left + out;
        if (left < begin) left = begin;
        if (right > end) right = end;
        t->weight[k] = (float)((double)(right - left) / (double)in);
    }
}

static void take(taps *t, chl_filter filter, int64_t i, int64_t in, int64_t out) {
    const double half_pixel = ((double)i + 0.5) * (double)in / (double)out - 0.5;
    switch (filter) {
    case CHL_FILTER_NEAREST:
        *t = (taps){(2 * i + 1) * in / (2 * out), 1, t->weight};
        t->weight[0] = 1;
        break;
    case CHL_FILTER_BILINEAR:
        take_linear(t, half_pixel > 0 ? half_pixel : 0, in);
        break;
    case CHL_FILTER_BILINEAR_ENDS:
        take_linear(t, out > 1 ? (double)(i * (in - 1)) / (double)(out - 1) : 0, in);
        break;
    case CHL_FILTER_BICUBIC:
        take_cubic(t, half_pixel, in);
        break;
    case CHL_FILTER_BICUBIC_PIL:
        take_cubic_antialiased(t, i, in, out);
        break;
    case CHL_FILTER_AREA:
        take_area(t, i, in, out);
        break;
    case CHL_FILTER_BOX:
        take_box(t, i, in, out);
        break;
    }
}

static int64_t max_taps(chl_filter filter, int64_t in, int64_t out) {
    switch (filter) {
    case CHL_FILTER_NEAREST:
        return 1;
    case CHL_FILTER_BILINEAR:
    case CHL_FILTER_BILINEAR_ENDS:
        return 2;
    case CHL_FILTER_BICUBIC:
        return 4;
    case CHL_FILTER_BICUBIC_PIL:
        return in > out ? 4 * in / out + 2 : 5;
    case CHL_FILTER_AREA:
    case CHL_FILTER_BOX:
        return in / out + 2;
    }
    return 0;
}

static void fill_axis(const chl_axis *axis, chl_filter filter) {
    axis->start[0] = 0;
    for (int64_t i = 0; i < axis->out; i++) {
        taps t = {.weight = axis->weight + axis->start[i]};
        take(&t, filter, i, axis->in, axis->out);
        axis->first[i] = (int32_t)t.first;
        axis->start[i + 1] = axis->start[i] + (int32_t)t.count;
    }
}

/* --- resize_axes: rows, columns and their transposes, for the forward and its gradient ---------- */
typedef struct axes {
    chl_axis rows, columns, rows_back, columns_back;
} axes;

/* the most taps that the filter may need along h, along w */
static int64_t taps_down(const chl_call *call) {
    const int64_t out = call->attr.resize.out_h;
    return out * max_taps(call->attr.resize.filter, call->attr.resize.h, out);
}
static int64_t taps_across(const chl_call *call) {
    const int64_t out = call->attr.resize.out_w;
    return out * max_taps(call->attr.resize.filter, call->attr.resize.w, out);
}
static size_t axes_bytes(const chl_call *call) {
    const int64_t down = taps_down(call), across = taps_across(call);
    return chl_axis_bytes(call->attr.resize.out_h, down) +
           chl_axis_bytes(call->attr.resize.h, down) +
           chl_axis_bytes(call->attr.resize.out_w, across) +
           chl_axis_bytes(call->attr.resize.w, across);
}
/* Where the four lie in `memory`. */
static axes axes_at(const chl_call *call, void *memory) {
    const int64_t h = call->attr.resize.h, out_h = call->attr.resize.out_h;
    const int64_t w = call->attr.resize.w, out_w = call->attr.resize.out_w;
    const int64_t down = taps_down(call), across = taps_across(call);
    char *at = memory;
    axes a;
    a.rows = chl_axis_at(&at, h, out_h, down);
    a.columns = chl_axis_at(&at, w, out_w, across);
    a.rows_back = chl_axis_at(&at, out_h, h, down);
    a.columns_back = chl_axis_at(&at, out_w, w, across);
    return a;
}
static chl_kernel_status lay_out(const chl_call *call) {
    const axes a = axes_at(call, call->out[0]);
    fill_axis(&a.rows, call->attr.resize.filter);
    fill_axis(&a.columns, call->attr.resize.filter);
    char *rows_back = (char *)a.rows_back.first, *columns_back = (char *)a.columns_back.first;
    (void)chl_axis_transpose(&rows_back, &a.rows);
    (void)chl_axis_transpose(&columns_back, &a.columns);
    return CHL_KERNEL_OK;
}
/* what resize_axes left in input 1 */
static axes given_axes(const chl_call *call) {
    return axes_at(call, (void *)call->in[1]);
}

/* --- resize and its gradient --------------------------------------------------------------------- */
static size_t forward_workspace(const chl_call *call) {
    const chl_desc *x = &call->in_desc[0];
    return chl_resample_bytes(x->dim[0], call->attr.resize.out_h, call->attr.resize.w,
                              call->attr.resize.out_w, chl_channels(x));
}

static chl_kernel_status forward(const chl_call *call) {
    const int64_t in_w = call->attr.resize.in_w, channels = chl_channels(&call->in_desc[0]);
    const axes along = given_axes(call);
    const int64_t out_h = call->attr.resize.out_h, out_w = call->attr.resize.out_w;
    chl_resample_run(&(chl_resample){
        .rows = &along.rows,
        .columns = &along.columns,
        .x = (const float *)call->in[0] +
             (call->attr.resize.y * in_w + call->attr.resize.x) * channels,
        .x_sample = call->attr.resize.in_h * in_w * channels,
        .x_row = in_w * channels,
        .y = call->out[0],
        .y_sample = out_h * out_w * channels,
        .y_row = out_w * channels,
        .samples = call->in_desc[0].dim[0],
        .channels = channels,
        .accumulate = chl_accumulates(call, 0),
        .lines = call->workspace,
    });
    return CHL_KERNEL_OK;
}

static size_t backward_workspace(const chl_call *call) {
    const chl_desc *dy = &call->in_desc[0];
    return chl_resample_bytes(dy->dim[0], call->attr.resize.h, call->attr.resize.out_w,
                              call->attr.resize.w, chl_channels(dy));
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t in_h = call->attr.resize.in_h, in_w = call->attr.resize.in_w;
    const int64_t samples = call->in_desc[0].dim[0], channels = chl_channels(&call->in_desc[0]);
    const axes along = given_axes(call);
    const int64_t h = call->attr.resize.h, w = call->attr.resize.w;
    const int64_t out_h = call->attr.resize.out_h, out_w = call->attr.resize.out_w;
    float *dx = call->out[0];
    /* pixels outside the window get no gradient */
    if (!chl_accumulates(call, 0) && (h < in_h || w < in_w))
        memset(dx, 0, (size_t)(samples * in_h * in_w * channels) * sizeof *dx);
    chl_resample_run(&(chl_resample){
        .rows = &along.rows_back,
        .columns = &along.columns_back,
        .x = call->in[0],
        .x_sample = out_h * out_w * channels,
        .x_row = out_w * channels,
        .y = dx + (call->attr.resize.y * in_w + call->attr.resize.x) * channels,
        .y_sample = in_h * in_w * channels,
        .y_row = in_w * channels,
        .samples = samples,
        .channels = channels,
        .accumulate = chl_accumulates(call, 0),
        .lines = call->workspace,
    });
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_resize_axes = {.run = lay_out, .opaque = axes_bytes};
const chl_body chl_cpu_resize = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_resize_dx = {.run = backward, .workspace = backward_workspace};
