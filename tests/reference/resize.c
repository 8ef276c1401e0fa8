/* Every filter as its definition reads, one output at a time. */
#include "reference.h"

static double cubic(double x, double a) { /* [Keys 1981] */
    x = fabs(x);
    if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    if (x < 2) return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
    return 0;
}

static int64_t edge(int64_t i, int64_t size) {
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

/* `taps` neighbours of a position between pixel centres, edges repeated */
static void interpolate(double *weight, double at, int64_t in, int taps) {
    const double left = floor(at);
    for (int k = 0; k < taps; k++) {
        const double position = left + k - (taps / 2 - 1), distance = fabs(at - position);
        weight[edge((int64_t)position, in)] += taps == 2 ? 1 - distance : cubic(distance, -0.75);
    }
}

static void antialiased(double *weight, double centre, double scale, int64_t in) {
    const double stretch = scale > 1 ? scale : 1;
    const int64_t begin = (int64_t)floor(centre - 2 * stretch + 0.5);
    const int64_t end = (int64_t)floor(centre + 2 * stretch + 0.5);
    double total = 0;
    for (int64_t j = begin > 0 ? begin : 0; j < end && j < in; j++)
        total += weight[j] = cubic(((double)j + 0.5 - centre) / stretch, -0.5);
    for (int64_t j = 0; j < in; j++) weight[j] /= total;
}

/* weight[j] of input pixel j in output i */
static void weights_of(double *weight, chl_filter filter, int64_t i, int64_t in, int64_t out) {
    const double scale = (double)in / (double)out, half = ((double)i + 0.5) * scale - 0.5;
    for (int64_t j = 0; j < in; j++) weight[j] = 0;
    switch (filter) {
    case CHL_FILTER_NEAREST: /* the product is exact, so the quotient of a whole number is whole */
        weight[(int64_t)floor(((double)i + 0.5) * (double)in / (double)out)] = 1;
        break;
    case CHL_FILTER_BILINEAR:
        interpolate(weight, half, in, 2);
        break;
    case CHL_FILTER_BILINEAR_ENDS:
        interpolate(weight, out == 1 ? 0 : (double)i * (double)(in - 1) / (double)(out - 1), in, 2);
        break;
    case CHL_FILTER_BICUBIC:
        interpolate(weight, half, in, 4);
        break;
    case CHL_FILTER_BICUBIC_PIL:
        antialiased(weight, ((double)i + 0.5) * scale, scale, in);
        break;
    case CHL_FILTER_AREA: {
        const int64_t begin = i * in / out, end = ((i + 1) * in + out - 1) / out;
        for (int64_t j = begin; j < end; j++) weight[j] = 1.0 / (double)(end - begin);
        break;
    }
    case CHL_FILTER_BOX: /* each input `out` times, then the mean of `in` neighbours */
        for (int64_t k = 0; k < in; k++) weight[(i * in + k) / out] += 1.0 / (double)in;
        break;
    }
}

REFERENCE(resize) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const int64_t *in = call->in_desc[0].dim, *out = call->out_desc[0].dim;
    double rows[256], columns[256]; /* no case has a longer window */
    for (int64_t i = 0; i < out[1]; i++)
        for (int64_t j = 0; j < out[2]; j++) {
            weights_of(rows, a->resize.filter, i, a->resize.h, out[1]);
            weights_of(columns, a->resize.filter, j, a->resize.w, out[2]);
            for (int64_t n = 0; n < out[0]; n++)
                for (int64_t c = 0; c < out[3]; c++) {
                    real y = 0;
                    for (int64_t r = 0; r < a->resize.h; r++)
                        for (int64_t q = 0; q < a->resize.w; q++) {
                            const int64_t row = a->resize.y + r, column = a->resize.x + q;
                            y += rows[r] * columns[q] *
                                 IN(0)[((n * in[1] + row) * in[2] + column) * in[3] + c];
                        }
                    OUT(0)[((n * out[1] + i) * out[2] + j) * out[3] + c] = y;
                }
        }
}
