/* Pictures as 8-bit RGB PNG, with or without a text. */
#include "io/picture.h"

#ifdef CHLADNI_MEDIA
#include "io/new_file.h"
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

typedef struct png_writer {
    const char *path;
    FILE *file;
    png_structp png;
    png_infop info;
    const chl_picture_text *text; /* NULL: none */
    jmp_buf escape;
    chl_status status;
} png_writer;

static void on_write_error(png_structp png, png_const_charp text) {
    png_writer *w = png_get_error_ptr(png);
    w->status =
        chl_fail(CHL_ERR_IO, "%s: cannot be written: %s (%s)", w->path, text, strerror(errno));
    longjmp(w->escape, 1);
}

static void on_write_warning(png_structp png, png_const_charp text) {
    (void)png, (void)text;
}

/* libpng's field is char *, though nothing writes to it. */
static char *to_read(const char *text) {
    union {
        const char *from;
        char *to;
    } pointer = {text};
    return pointer.to;
}

static void encode_png(png_writer *w, int32_t height, int32_t width, const uint8_t *rgb) {
    if (setjmp(w->escape)) return;
    png_init_io(w->png, w->file);
    png_set_IHDR(w->png, w->info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (w->text) {
        png_text chunk = {.compression = PNG_ITXT_COMPRESSION_NONE,
                          .key = to_read(w->text->keyword),
                          .text = to_read(w->text->utf8),
                          .itxt_length = strlen(w->text->utf8)};
        png_set_text(w->png, w->info, &chunk, 1);
    }
    png_write_info(w->png, w->info);
    for (int32_t y = 0; y < height; y++) png_write_row(w->png, rgb + (int64_t)y * width * 3);
    png_write_end(w->png, w->info);
}

static chl_status write_png(const char *path, FILE *file, int32_t height, int32_t width,
                            const uint8_t *rgb, const chl_picture_text *text) {
    png_writer w = {.path = path, .file = file, .text = text};
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_write_error, on_write_warning);
    if (w.png) w.info = png_create_info_struct(w.png);
    if (!w.info) {
        png_destroy_write_struct(&w.png, NULL);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    }
    encode_png(&w, height, width, rgb);
    png_destroy_write_struct(&w.png, &w.info);
    return w.status;
}

chl_status chl_raster_write_png_text(const char *path, int32_t height, int32_t width,
                                     const uint8_t *rgb, const chl_picture_text *text) {
    if (height < 1 || width < 1)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: the picture has %d x %d pixels, expected at least 1 x 1", path, width,
                        height);
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    chl_status status = write_png(path, file.stream, height, width, rgb, text);
    if (status == CHL_OK) return chl_new_file_commit(&file);
    chl_new_file_abandon(&file);
    return status;
}

bool chl_raster_can_write(void) {
    return true;
}

#else /* CHLADNI_MEDIA */
#include "io/lacks.h"

bool chl_raster_can_write(void) {
    return false;
}

chl_status chl_raster_write_png_text(const char *path, int32_t height, int32_t width,
                                     const uint8_t *rgb, const chl_picture_text *text) {
    (void)height, (void)width, (void)rgb, (void)text;
    return chl_lacks_media(path, "writes no pictures", "libpng");
}
#endif

chl_status chl_raster_write_png(const char *path, int32_t height, int32_t width,
                                const uint8_t *rgb) {
    return chl_raster_write_png_text(path, height, width, rgb, NULL);
}
