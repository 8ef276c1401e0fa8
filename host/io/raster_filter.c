#include "io/raster_filter.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOBES 3

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a picture");
}

/* --- Lanczos ---------------------------------------------------------------------------------- */
static double sinc(double x) {
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double lanczos(double x) {
    return fabs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

chl_status chl_lanczos_new(int in, int out, chl_lanczos *to) {
    const double scale = (double)in / out, stretch = fmax(scale, 1), reach = LOBES * stretch;
    *to = (chl_lanczos){.in = in, .out = out, .taps = (int)ceil(reach) * 2 + 1};
    to->first = calloc((size_t)out, sizeof *to->first);
    to->weight = calloc((size_t)out * (size_t)to->taps, sizeof *to->weight);
    if (!to->first || !to->weight) {
        chl_lanczos_free(to);
        return no_memory();
    }
    for (int i = 0; i < out; i++) {
        const double centre = (i + 0.5) * scale;
        const int first = (int)fmax(0, floor(centre - reach + 0.5));
        const int end = (int)fmin(in, floor(centre + reach + 0.5));
        float *weight = to->weight + (size_t)i * (size_t)to->taps;
        double sum = 0;
        for (int k = first; k < end; k++) sum += lanczos((k - centre + 0.5) / stretch);
        for (int k = first; k < end; k++)
            weight[k - first] = (float)(lanczos((k - centre + 0.5) / stretch) / sum);
        to->first[i] = first + to->taps <= in ? first : in > to->taps ? in - to->taps : 0;
        /* windows at the end begin earlier, so that all have `taps` inputs */
        memmove(weight + (first - to->first[i]), weight, sizeof *weight * (size_t)(end - first));
        memset(weight, 0, sizeof *weight * (size_t)(first - to->first[i]));
    }
    return CHL_OK;
}

void chl_lanczos_free(chl_lanczos *l) {
    free(l->first);
    free(l->weight);
    *l = (chl_lanczos){0};
}

static uint8_t to_byte(float x) {
    return (uint8_t)(x <= 0 ? 0 : x >= 255 ? 255 : x + 0.5f);
}

static int taps_of(const chl_lanczos *l) {
    return l->taps < l->in ? l->taps : l->in;
}

void chl_lanczos_row(const chl_lanczos *l, const uint8_t *row, uint8_t *out) {
    const int taps = taps_of(l);
    for (int i = 0; i < l->out; i++) {
        const float *weight = l->weight + (size_t)i * (size_t)l->taps;
        const uint8_t *from = row + 3 * (size_t)l->first[i];
        float sum[3] = {0};
        for (int k = 0; k < taps; k++)
            for (int c = 0; c < 3; c++) sum[c] += weight[k] * from[3 * k + c];
        for (int c = 0; c < 3; c++) out[3 * i + c] = to_byte(sum[c]);
    }
}

void chl_lanczos_column(const chl_lanczos *l, int i, int width, const uint8_t *rows, uint8_t *out) {
    const int taps = taps_of(l);
    const float *weight = l->weight + (size_t)i * (size_t)l->taps;
    const uint8_t *from = rows + (size_t)l->first[i] * (size_t)width;
    for (int x = 0; x < width; x++) {
        float sum = 0;
        for (int k = 0; k < taps; k++)
            sum += weight[k] * from[(size_t)k * (size_t)width + (size_t)x];
        out[x] = to_byte(sum);
    }
}

chl_status chl_raster_lanczos(const chl_raster *in, int height, int width, chl_raster *out) {
    chl_lanczos across = {0}, down = {0};
    const size_t row = 3 * (size_t)width;
    uint8_t *narrow = calloc(row, (size_t)in->height);
    *out = (chl_raster){height, width, malloc(row * (size_t)height)};
    chl_status status = narrow && out->rgb ? CHL_OK : no_memory();
    if (status == CHL_OK) status = chl_lanczos_new(in->width, width, &across);
    if (status == CHL_OK) status = chl_lanczos_new(in->height, height, &down);
    for (int y = 0; y < in->height && status == CHL_OK; y++)
        chl_lanczos_row(&across, in->rgb + 3 * (size_t)in->width * (size_t)y,
                        narrow + row * (size_t)y);
    for (int y = 0; y < height && status == CHL_OK; y++)
        chl_lanczos_column(&down, y, (int)row, narrow, out->rgb + row * (size_t)y);
    chl_lanczos_free(&across);
    chl_lanczos_free(&down);
    free(narrow);
    if (status != CHL_OK) chl_raster_free(out);
    return status;
}

/* --- blur ------------------------------------------------------------------------------------- */
/* ... c b a | a b c ... x y z | z y x ... */
static int mirrored(int i, int n) {
    const int period = 2 * n;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - 1 - i;
}

/* out [count] = sum over the kernel of rows of the picture; row(i) = pixels + mirrored(i) * stride */
static void blur_lines(int lines, int count, int radius, const float *kernel, const float *from,
                       float *to) {
    for (int y = 0; y < lines; y++) {
        float *out = to + (size_t)y * (size_t)count;
        memset(out, 0, sizeof *out * (size_t)count);
        for (int k = -radius; k <= radius; k++) {
            const float *row = from + (size_t)mirrored(y + k, lines) * (size_t)count;
            const float weight = kernel[k + radius];
            for (int x = 0; x < count; x++) out[x] += weight * row[x];
        }
    }
}

/* [height][width][3] -> [width][height][3] */
static void transpose(int height, int width, const float *from, float *to) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                to[3 * ((size_t)x * (size_t)height + (size_t)y) + (size_t)c] =
                    from[3 * ((size_t)y * (size_t)width + (size_t)x) + (size_t)c];
}

chl_status chl_blur(int height, int width, double sigma, float *pixels) {
    const int radius = (int)(4 * sigma + 0.5);
    const size_t all = 3 * (size_t)height * (size_t)width;
    float *other = malloc(sizeof *other * all),
          *kernel = malloc(sizeof *kernel * (size_t)(2 * radius + 1));
    if (other && kernel) {
        double sum = 0;
        for (int k = -radius; k <= radius; k++) sum += exp(-0.5 * k * k / (sigma * sigma));
        for (int k = -radius; k <= radius; k++)
            kernel[k + radius] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / sum);
        blur_lines(height, 3 * width, radius, kernel, pixels, other);
        transpose(height, width, other, pixels);
        blur_lines(width, 3 * height, radius, kernel, pixels, other);
        transpose(width, height, other, pixels);
    }
    const chl_status status = other && kernel ? CHL_OK : no_memory();
    free(other);
    free(kernel);
    return status;
}

/* --- median ----------------------------------------------------------------------------------- */
/* The value of rank k; reorders the values so that smaller ones stand before it (Hoare). */
static float ranked(float *values, int64_t count, int64_t k) {
    int64_t low = 0, high = count - 1;
    while (low < high) {
        const float pivot = values[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot) i++;
            while (values[j] > pivot) j--;
            if (i > j) break;
            const float swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return values[k];
}

chl_status chl_channel_median(int64_t count, const float *pixels, int c, float *median) {
    float *values = calloc((size_t)count, sizeof *values);
    if (!values) return no_memory();
    for (int64_t i = 0; i < count; i++) values[i] = pixels[3 * i + c];
    const float upper = ranked(values, count, count / 2);
    *median = count % 2 ? upper : (ranked(values, count, count / 2 - 1) + upper) / 2;
    free(values);
    return CHL_OK;
}
