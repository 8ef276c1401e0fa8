/* Reading pictures (PNG, JPEG; WebP and HEIC or AVIF in a build with libwebp and libheif;
 * recognised by content) and writing them (PNG), as 8-bit RGB rows, top row first.
 *
 * Every picture becomes RGB: grey is repeated in three channels, palettes are looked up, 16 bits
 * are scaled to 8 with rounding, transparent pixels are composited over white (on the stored
 * values, as PIL does), and the picture is rotated and mirrored as its EXIF orientation says
 * (JPEG's APP1, PNG's eXIf and ImageMagick's text in its place, WebP's EXIF; HEIF says it in its
 * own way). A file that ends too early is an error. Limits: a CMYK JPEG and an animated WebP are
 * errors; colour profiles are ignored.
 *
 * In a build without CHLADNI_MEDIA reading and writing are CHL_ERR_UNSUPPORTED. */
#ifndef CHL_IO_PICTURE_H
#define CHL_IO_PICTURE_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A few KiB of PNG can claim gigabytes of pixels: a larger picture than this is an error. */
#define CHL_RASTER_MAX_PIXELS 100000000 /* 300 MB as RGB */
#define CHL_RASTER_MAX_SIDE 32768

typedef struct chl_raster {
    int32_t height, width;
    uint8_t *rgb; /* [height, width, 3] */
} chl_raster;

chl_status chl_raster_read(const char *path, chl_raster *out);
/* The file's bytes in memory; `name` replaces the path in error texts. */
chl_status chl_raster_read_memory(const void *data, size_t size, const char *name, chl_raster *out);
void chl_raster_free(chl_raster *raster);

/* Whether this build can. */
bool chl_raster_can_write(void);
/* The file appears complete or not at all. */
chl_status chl_raster_write_png(const char *path, int32_t height, int32_t width,
                                const uint8_t *rgb);
/* Beside the pixels, as an iTXt chunk: keyword of 1 to 79 letters, utf8 of any length. */
typedef struct chl_picture_text {
    const char *keyword, *utf8;
} chl_picture_text;
/* The same with a text; NULL: none. */
chl_status chl_raster_write_png_text(const char *path, int32_t height, int32_t width,
                                     const uint8_t *rgb, const chl_picture_text *text);

/* pixels = byte / 127.5 - 1, in [-1,1]. The inverse clamps, then rounds (x + 1) * 127.5, halves up,
 * as StyleGAN2's tools do; applied to the first's result it gives the same bytes. NaN is
 * CHL_ERR_NUMERIC. */
void chl_raster_to_float(int64_t count, const uint8_t *bytes, float *pixels);
chl_status chl_raster_from_float(int64_t count, const float *pixels, uint8_t *bytes);
/* chl_raster_from_float, then chl_raster_write_png_text. pixels [height][width][3] */
chl_status chl_raster_write_float(const char *path, int height, int width, const float *pixels,
                                  const chl_picture_text *text);
/* Equal pictures in a grid, row by row, `gap` white pixels between neighbours, as one PNG.
 * pictures [rows * columns], each [height][width][3]; NULL leaves the cell white. picture_grid.c */
chl_status chl_raster_write_grid(const char *path, int rows, int columns, int height, int width,
                                 int gap, const float *const *pictures);
#endif
