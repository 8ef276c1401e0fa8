/* Resampling and blurring of 8-bit pictures on the host, as PIL and SciPy do it: for preparing photos,
 * where bits of a published data set count. Networks resample in graphs (chl_resize). For host/io,
 * this room only. */
#ifndef CHL_IO_RASTER_FILTER_H
#define CHL_IO_RASTER_FILTER_H
#include "io/picture.h"

/* Weights of the inputs of each output of one axis: output i = sum_k weight[i * taps + k] *
 * input[first[i] + k]. */
typedef struct chl_lanczos {
    int in, out, taps;
    int *first;
    float *weight;
} chl_lanczos;

/* Lanczos' filter with three lobes, widened where the picture gets smaller. */
chl_status chl_lanczos_new(int in, int out, chl_lanczos *to);
void chl_lanczos_free(chl_lanczos *lanczos);
/* row [in][3] -> out [out][3], rounded to 0...255 */
void chl_lanczos_row(const chl_lanczos *lanczos, const uint8_t *row, uint8_t *out);
/* rows [in][width] -> out [width], output i of the axis */
void chl_lanczos_column(const chl_lanczos *lanczos, int i, int width, const uint8_t *rows,
                        uint8_t *out);
/* The whole picture: rows first, then columns. */
chl_status chl_raster_lanczos(const chl_raster *in, int height, int width, chl_raster *out);

/* Gaussian blur of pixels [height][width][3], in place; the picture is mirrored at its edges, which
 * are repeated; the kernel ends at four sigmas. */
chl_status chl_blur(int height, int width, double sigma, float *pixels);
/* The median of channel c of [count][3]. */
chl_status chl_channel_median(int64_t count, const float *pixels, int c, float *median);
#endif
