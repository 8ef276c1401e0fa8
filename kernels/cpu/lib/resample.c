#include "cpu/lib/resample.h"

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
#define QUAD 4

size_t chl_axis_bytes(int64_t out, int64_t taps) {
    return (size_t)(2 * out + 1 + taps) * 4;
}

chl_axis chl_axis_at(char **memory, int64_t in, int64_t out, int64_t taps) {
    chl_axis axis = {.in = in, .out = out, .first = (int32_t *)*memory};
    axis.start = axis.first + out;
    axis.weight = (float *)(axis.start + out + 1);
    *memory += chl_axis_bytes(out, taps);
    return axis;
}
chl_axis chl_axis_place(char **memory, int64_t in, int64_t out, int64_t taps) {
    const chl_axis axis = chl_axis_at(memory, in, out, taps);
    axis.start[0] = 0;
    return axis;
}

chl_axis chl_axis_transpose(char **memory, const chl_axis *axis) {
    chl_axis t = chl_axis_place(memory, axis->out, axis->in, axis->start[axis->out]);
    memset(t.first, 0, (size_t)t.out * sizeof *t.first);
    memset(t.start, 0, (size_t)(t.out + 1) * sizeof *t.start);
    for (int64_t i = 0; i < axis->out; i++)
        for (int32_t k = axis->start[i]; k < axis->start[i + 1]; k++) {
            const int32_t j = axis->first[i] + k - axis->start[i];
            if (t.start[j + 1]++ == 0) t.first[j] = (int32_t)i;
        }
    for (int64_t j = 0; j < t.out; j++) t.start[j + 1] += t.start[j];
    for (int64_t i = 0; i < axis->out; i++)
        for (int32_t k = axis->start[i]; k < axis->start[i + 1]; k++) {
            const int32_t j = axis->first[i] + k - axis->start[i];
            t.weight[t.start[j] + (int32_t)i - t.first[j]] = axis->weight[k];
        }
    return t;
}

static void blend_rows(float *line, const float *x, int64_t stride, const float *weight,
                       int32_t taps, int64_t count) {
    for (int64_t c = 0; c < count; c += CHL_LANES) {
        chl_vec sum = {0};
        for (int32_t k = 0; k < taps; k++)
            sum += weight[k] * chl_load_part(x + k * stride + c, count - c);
        chl_put_part(line + c, sum, count - c, 0);
    }
}

/* Up to 4 channels: a pixel is one load and one store of 4 floats. The numbers beyond its channels
 * go to the next pixel, which is written afterwards, or to the padding of the line. */
static void blend_columns_narrow(float *y, const float *line, const chl_axis *axis,
                                 int64_t channels) {
    for (int64_t j = 0; j < axis->out; j++) {
        quad sum = {0};
        const float *from = line + axis->first[j] * channels;
        for (int32_t k = axis->start[j]; k < axis->start[j + 1]; k++, from += channels)
            sum += axis->weight[k] * *(const quad *)from;
        *(quad *)(y + j * channels) = sum;
    }
}

static void blend_columns_wide(float *y, const float *line, const chl_axis *axis,
                               int64_t channels) {
    for (int64_t j = 0; j < axis->out; j++)
        blend_rows(y + j * channels, line + axis->first[j] * channels, channels,
                   axis->weight + axis->start[j], axis->start[j + 1] - axis->start[j], channels);
}

static int64_t line_floats(int64_t columns, int64_t channels) {
    return (columns * channels + QUAD + CHL_LANES - 1) / CHL_LANES * CHL_LANES;
}

size_t chl_resample_bytes(int64_t samples, int64_t rows, int64_t columns_in, int64_t columns_out,
                          int64_t channels) {
    return (size_t)(chl_parts(samples * rows, 1) *
                    (line_floats(columns_in, channels) + line_floats(columns_out, channels))) *
           sizeof(float);
}

static void resample_row(const chl_resample *r, int64_t sample, int64_t row, float *line,
                         float *result) {
    const chl_axis *rows = r->rows;
    const int64_t at = sample * r->y_sample + row * r->y_row;
    const int64_t count = r->columns->out * r->channels;
    blend_rows(line, r->x + sample * r->x_sample + rows->first[row] * r->x_row, r->x_row,
               rows->weight + rows->start[row], rows->start[row + 1] - rows->start[row],
               r->columns->in * r->channels);
    if (r->channels <= QUAD)
        blend_columns_narrow(result, line, r->columns, r->channels);
    else
        blend_columns_wide(result, line, r->columns, r->channels);
    for (int64_t c = 0; c < count; c += CHL_LANES) {
        chl_vec v = chl_load_part(result + c, count - c);
        if (r->residual) v += chl_load_part(r->residual + at + c, count - c);
        chl_put_part(r->y + at + c, v, count - c, r->accumulate);
    }
}

void chl_resample_run(const chl_resample *r) {
    const int64_t rows = r->samples * r->rows->out, parts = chl_parts(rows, 1);
    const int64_t in = line_floats(r->columns->in, r->channels);
    const int64_t out = line_floats(r->columns->out, r->channels);
#pragma omp parallel for schedule(                                                                 \
    static) if (chl_worth_threads(rows * r->columns->out * r->channels))
    for (int64_t part = 0; part < parts; part++) {
        float *line = r->lines + part * (in + out);
        const int64_t end = chl_part_begin(rows, part + 1, parts);
        for (int64_t i = chl_part_begin(rows, part, parts); i < end; i++)
            resample_row(r, i / r->rows->out, i % r->rows->out, line, line + in);
    }
}
