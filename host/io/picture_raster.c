/* The picture in memory: allocated, laid over white, turned upright, as floats and back. */
#include "io/picture_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void chl_raster_to_float(int64_t count, const uint8_t *bytes, float *pixels) {
    for (int64_t i = 0; i < count; i++) pixels[i] = (float)bytes[i] / 127.5f - 1;
}

chl_status chl_raster_from_float(int64_t count, const float *pixels, uint8_t *bytes) {
    for (int64_t i = 0; i < count; i++) {
        if (isnan(pixels[i]))
            return chl_fail(
                CHL_ERR_NUMERIC,
                "the picture has a NaN at value %lld of %lld, expected numbers in [-1, 1]",
                (long long)i, (long long)count);
        float x = fminf(fmaxf(pixels[i], -1), 1);
        bytes[i] = (uint8_t)((x + 1) * 127.5f + 0.5f);
    }
    return CHL_OK;
}

void chl_raster_free(chl_raster *raster) {
    free(raster->rgb);
    *raster = (chl_raster){0};
}

chl_status chl_raster_new(const char *name, int64_t height, int64_t width, chl_raster *out) {
    if (height < 1 || width < 1)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: the picture has %lld x %lld pixels, expected at least 1 x 1", name,
                        (long long)width, (long long)height);
    if (height > CHL_RASTER_MAX_SIDE || width > CHL_RASTER_MAX_SIDE ||
        height * width > CHL_RASTER_MAX_PIXELS)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: the picture has %lld x %lld pixels, expected at most %d on a side and %d "
            "in all: scale it down first",
            name, (long long)width, (long long)height, CHL_RASTER_MAX_SIDE, CHL_RASTER_MAX_PIXELS);
    out->rgb = malloc((size_t)(height * width * 3));
    if (!out->rgb) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    out->height = (int32_t)height;
    out->width = (int32_t)width;
    return CHL_OK;
}

void chl_raster_over_white(const uint8_t *rgba, int64_t pixels, uint8_t *rgb) {
    for (int64_t i = 0; i < pixels; i++) {
        int alpha = rgba[4 * i + 3];
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

chl_status chl_raster_orient(chl_raster *raster, int orientation) {
    if (orientation <= 1 || orientation > 8) return CHL_OK;
    bool swap = orientation >= 5; /* rows of the result are columns of the source */
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int64_t from_h = raster->height, from_w = raster->width;
    int64_t height = swap ? from_w : from_h, width = swap ? from_h : from_w;
    uint8_t *turned = malloc((size_t)(height * width * 3));
    if (!turned)
        return chl_fail(CHL_ERR_MEMORY,
                        "out of memory to rotate a picture as its EXIF orientation says");
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int64_t sy = swap ? x : y, sx = swap ? y : x;
            if (flip_y) sy = from_h - 1 - sy;
            if (flip_x) sx = from_w - 1 - sx;
            memcpy(turned + (y * width + x) * 3, raster->rgb + (sy * from_w + sx) * 3, 3);
        }
    free(raster->rgb);
    *raster = (chl_raster){.height = (int32_t)height, .width = (int32_t)width, .rgb = turned};
    return CHL_OK;
}
