#include "io/picture_private.h"
#ifdef CHLADNI_MEDIA
#include "base/file_bytes.h"
#include "io/exif.h"
#include "io/jpeg_markers.h"
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#define MAX_BYTES ((int64_t)512 << 20) /* of a picture file, or what comes through a pipe */

/* --- reading PNG ------------------------------------------------------------------------------ */
/* The state that must survive libpng's longjmp is kept here, not in local variables. */
typedef struct png_reader {
    const char *name;
    const uint8_t *data;
    size_t size, at;
    png_structp png;
    png_infop info;
    uint8_t *rows; /* [height, width, 4] */
    png_bytep *row;
    chl_raster *out;
    int orientation;
    jmp_buf escape;
    chl_status status;
} png_reader;

static void on_png_error(png_structp png, png_const_charp text) {
    png_reader *r = png_get_error_ptr(png);
    r->status = chl_fail(CHL_ERR_FORMAT, "%s: is a damaged PNG: %s", r->name, text);
    longjmp(r->escape, 1);
}

static void on_png_warning(png_structp png, png_const_charp text) {
    const png_reader *r = png_get_error_ptr(png);
    chl_log(CHL_LOG_DEBUG, "%s: %s", r->name, text);
}

static void png_take(png_structp png, png_bytep to, size_t count) {
    png_reader *r = png_get_io_ptr(png);
    if (count > r->size - r->at) png_error(png, "it ends too early");
    memcpy(to, r->data + r->at, count);
    r->at += count;
}

/* Asks for 8-bit RGBA, whatever the file holds. */
static void set_png_transforms(png_reader *r) {
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_add_alpha(r->png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

static int png_orientation(const png_reader *r) {
    png_uint_32 size = 0;
    png_bytep block = NULL;
    if (png_get_eXIf_1(r->png, r->info, &size, &block)) return chl_exif_orientation(block, size);
    png_textp text = NULL;
    const int texts = png_get_text(r->png, r->info, &text, NULL);
    for (int i = 0; i < texts; i++)
        if (strcmp(text[i].key, "Raw profile type exif") == 0)
            return chl_exif_orientation_in_text(text[i].text);
    return 1;
}

static void decode_png(png_reader *r) {
    png_read_info(r->png, r->info);
    int64_t height = png_get_image_height(r->png, r->info);
    int64_t width = png_get_image_width(r->png, r->info);
    r->status = chl_raster_new(r->name, height, width, r->out);
    if (r->status != CHL_OK) return;
    set_png_transforms(r);
    if (png_get_rowbytes(r->png, r->info) != (size_t)width * 4)
        png_error(r->png, "its rows do not come out as RGBA");
    r->rows = malloc((size_t)(height * width * 4));
    r->row = malloc((size_t)height * sizeof *r->row);
    if (!r->rows || !r->row) {
        r->status = chl_fail(CHL_ERR_MEMORY, "%s: out of memory", r->name);
        return;
    }
    for (int64_t y = 0; y < height; y++) r->row[y] = r->rows + y * width * 4;
    png_read_image(r->png, r->row);
    png_read_end(r->png, r->info);
    chl_raster_over_white(r->rows, height * width, r->out->rgb);
    r->orientation = png_orientation(r);
}

/* setjmp in a function of its own: nothing local to it changes before the jump. */
static void decode_png_guarded(png_reader *r) {
    if (!setjmp(r->escape)) decode_png(r);
}

static chl_status read_png(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    png_reader r = {.name = name, .data = data, .size = size, .out = out};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_png_error, on_png_warning);
    if (r.png) r.info = png_create_info_struct(r.png);
    if (!r.info) {
        png_destroy_read_struct(&r.png, NULL, NULL);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    }
    png_set_user_limits(r.png, 0x7fffffff, 0x7fffffff); /* chl_raster_new sets the limit */
    png_set_chunk_malloc_max(r.png, 8 << 20);
    png_set_read_fn(r.png, &r, png_take);
    decode_png_guarded(&r);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.rows);
    free(r.row);
    return r.status == CHL_OK ? chl_raster_orient(out, r.orientation) : r.status;
}

/* --- reading JPEG ----------------------------------------------------------------------------- */
static chl_status jpeg_problem(const char *name, tjhandle jpeg) {
    return chl_fail(CHL_ERR_FORMAT, "%s: is a damaged JPEG: %s", name, tjGetErrorStr2(jpeg));
}

static chl_status decode_jpeg(tjhandle jpeg, const uint8_t *data, size_t size, const char *name,
                              chl_raster *out) {
    /* a file that has tables only leaves these unchanged */
    int width = 0, height = 0, sampling = 0, space = 0;
    if (tjDecompressHeader3(jpeg, data, size, &width, &height, &sampling, &space))
        return jpeg_problem(name, jpeg);
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: is a CMYK JPEG: convert it to RGB first", name);
    if (!chl_jpeg_is_whole(data, size))
        return chl_fail(CHL_ERR_FORMAT, "%s: is a damaged JPEG: it ends too early", name);
    CHL_TRY(chl_raster_new(name, height, width, out));
    /* LIMITSCANS: a progressive file of a few KiB can ask for thousands of passes */
    int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    if (tjDecompress2(jpeg, data, size, out->rgb, width, 0, height, TJPF_RGB, flags) == 0)
        return CHL_OK;
    /* A warning may be harmless or mean half a picture of grey; only its text distinguishes them.
     */
    const char *text = tjGetErrorStr2(jpeg);
    if (tjGetErrorCode(jpeg) != TJERR_WARNING || strstr(text, "remature end") ||
        strstr(text, "bad Huffman"))
        return jpeg_problem(name, jpeg);
    chl_log(CHL_LOG_WARN, "%s: %s", name, text);
    return CHL_OK;
}

static chl_status read_jpeg(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    tjhandle jpeg = tjInitDecompress();
    if (!jpeg) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    chl_status status = decode_jpeg(jpeg, data, size, name, out);
    tjDestroy(jpeg);
    if (status != CHL_OK) return status;
    return chl_raster_orient(out, chl_jpeg_orientation(data, size));
}

/* --- reading either --------------------------------------------------------------------------- */
chl_status chl_raster_read_memory(const void *data, size_t size, const char *name,
                                  chl_raster *out) {
    static const uint8_t png_start[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg_start[3] = {0xff, 0xd8, 0xff};
    *out = (chl_raster){0};
    chl_status status;
    if (size == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes)", name);
    else if (size >= sizeof png_start && memcmp(data, png_start, sizeof png_start) == 0)
        status = read_png(data, size, name, out);
    else if (size >= sizeof jpeg_start && memcmp(data, jpeg_start, sizeof jpeg_start) == 0)
        status = read_jpeg(data, size, name, out);
    else if (chl_is_webp(data, size))
        status = chl_webp_read(data, size, name, out);
    else if (chl_is_heif(data, size))
        status = chl_heif_read(data, size, name, out);
    else
        status = chl_fail(CHL_ERR_FORMAT,
                          "%s: is neither PNG nor JPEG, WebP or HEIC: convert other kinds first, "
                          "e.g. with ImageMagick",
                          name);
    if (status != CHL_OK) chl_raster_free(out);
    return status;
}

chl_status chl_raster_read(const char *path, chl_raster *out) {
    const chl_file_rules rules = {.max_bytes = MAX_BYTES, .pipes = true};
    chl_file_bytes file;
    *out = (chl_raster){0};
    CHL_TRY(chl_file_bytes_read(path, &rules, &file));
    const chl_status status = chl_raster_read_memory(file.data, file.size, path, out);
    chl_file_bytes_free(&file);
    return status;
}

#else /* CHLADNI_MEDIA */
#include "io/lacks.h"

static chl_status without(const char *name) {
    return chl_lacks_media(name, "reads and writes no pictures", "libpng and libturbojpeg");
}
chl_status chl_raster_read(const char *path, chl_raster *out) {
    *out = (chl_raster){0};
    return without(path);
}
chl_status chl_raster_read_memory(const void *data, size_t size, const char *name,
                                  chl_raster *out) {
    (void)data, (void)size;
    *out = (chl_raster){0};
    return without(name);
}
#endif
