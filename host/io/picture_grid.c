/* Writing pictures of floats, and contact sheets of them, as PNG. */
#include "io/picture.h"
#include <stdlib.h>
#include <string.h>

#define MAX_PIXELS_ON_A_SIDE 65535

chl_status chl_raster_write_float(const char *path, int height, int width, const float *pixels,
                                  const chl_picture_text *text) {
    if (height < 1 || width < 1)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: the picture has %d x %d pixels, expected at least 1 x 1", path, width,
                        height);
    const int64_t count = 3 * (int64_t)height * width;
    uint8_t *bytes = malloc((size_t)count);
    if (!bytes) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", path);
    chl_status status = chl_raster_from_float(count, pixels, bytes);
    if (status == CHL_OK) status = chl_raster_write_png_text(path, height, width, bytes, text);
    free(bytes);
    return status;
}

chl_status chl_raster_write_grid(const char *path, int rows, int columns, int height, int width,
                                 int gap, const float *const *pictures) {
    if (rows < 1 || columns < 1 || height < 1 || width < 1 || gap < 0)
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "%s: rows, columns, height and width must be >= 1 and gap >= 0, got %d, %d, "
            "%d, %d and %d",
            path, rows, columns, height, width, gap);
    const int64_t tall = (int64_t)rows * ((int64_t)height + gap) - gap;
    const int64_t wide = (int64_t)columns * ((int64_t)width + gap) - gap;
    if (tall > MAX_PIXELS_ON_A_SIDE || wide > MAX_PIXELS_ON_A_SIDE)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: the sheet has %lld x %lld pixels, expected at most %d on a side", path,
                        (long long)wide, (long long)tall, MAX_PIXELS_ON_A_SIDE);
    float *sheet = malloc(sizeof(float) * 3 * (size_t)tall * (size_t)wide);
    if (!sheet) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", path);
    for (int64_t i = 0; i < 3 * tall * wide; i++) sheet[i] = 1;
    for (int64_t cell = 0; cell < (int64_t)rows * columns; cell++) {
        if (!pictures[cell]) continue;
        const int64_t top = cell / columns * (height + gap);
        const int64_t left = cell % columns * (width + gap);
        for (int y = 0; y < height; y++)
            memcpy(sheet + 3 * ((top + y) * wide + left), pictures[cell] + 3 * (int64_t)y * width,
                   sizeof(float) * 3 * (size_t)width);
    }
    chl_status status = chl_raster_write_float(path, (int)tall, (int)wide, sheet, NULL);
    free(sheet);
    return status;
}
