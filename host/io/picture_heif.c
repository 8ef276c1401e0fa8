/* HEIC and AVIF, both in the container HEIF [ISO/IEC 23008-12]. libheif turns the picture upright:
 * the container says how, and its EXIF, which may say so too, must not be obeyed a second time. */
#include "io/picture_private.h"
#include <string.h>

bool chl_is_heif(const uint8_t *data, size_t size) {
    static const char *const brands[] = {"heic", "heix", "heim", "heis",
                                         "hevc", "mif1", "msf1", "avif"};
    if (size < 12 || memcmp(data + 4, "ftyp", 4) != 0) return false;
    for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
        if (memcmp(data + 8, brands[i], 4) == 0) return true;
    return false;
}

#if defined(CHLADNI_MEDIA) && defined(CHLADNI_HEIF)
#include <libheif/heif.h>

static chl_status damaged(const char *name, struct heif_error problem) {
    if (problem.code == heif_error_Unsupported_feature ||
        problem.code == heif_error_Unsupported_filetype)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: is a HEIF picture of a kind that libheif cannot decode here (%s): "
                        "convert it to PNG",
                        name, problem.message);
    return chl_fail(CHL_ERR_FORMAT, "%s: is a damaged HEIF picture: %s", name, problem.message);
}

static chl_status copy_pixels(const struct heif_image *image, const char *name, bool alpha,
                              chl_raster *out) {
    int stride = 0;
    const uint8_t *from = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    const int width = heif_image_get_primary_width(image);
    const int height = heif_image_get_primary_height(image);
    if (!from) return chl_fail(CHL_ERR_FORMAT, "%s: is a HEIF picture without pixels", name);
    CHL_TRY(chl_raster_new(name, height, width, out));
    for (int y = 0; y < height; y++) {
        const uint8_t *row = from + (size_t)y * (size_t)stride;
        uint8_t *to = out->rgb + (size_t)y * (size_t)width * 3;
        if (alpha)
            chl_raster_over_white(row, width, to);
        else
            memcpy(to, row, (size_t)width * 3);
    }
    return CHL_OK;
}

static chl_status decode(const struct heif_image_handle *handle, const char *name,
                         chl_raster *out) {
    const bool alpha = heif_image_handle_has_alpha_channel(handle);
    struct heif_image *image = NULL;
    /* the claimed size is checked before anything is decoded */
    CHL_TRY(chl_raster_new(name, heif_image_handle_get_height(handle),
                           heif_image_handle_get_width(handle), out));
    chl_raster_free(out);
    const struct heif_error problem =
        heif_decode_image(handle, &image, heif_colorspace_RGB,
                          alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, NULL);
    if (problem.code != heif_error_Ok) return damaged(name, problem);
    const chl_status status = copy_pixels(image, name, alpha, out);
    heif_image_release(image);
    return status;
}

chl_status chl_heif_read(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    struct heif_context *context = heif_context_alloc();
    if (!context) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    struct heif_image_handle *handle = NULL;
    struct heif_error problem =
        heif_context_read_from_memory_without_copy(context, data, size, NULL);
    if (problem.code == heif_error_Ok)
        problem = heif_context_get_primary_image_handle(context, &handle);
    const chl_status status =
        problem.code == heif_error_Ok ? decode(handle, name, out) : damaged(name, problem);
    heif_image_handle_release(handle);
    heif_context_free(context);
    return status;
}
#else
#include "io/lacks.h"

chl_status chl_heif_read(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    (void)data, (void)size, (void)out;
    return chl_lacks_library(name, "a HEIC or AVIF picture", "libheif, or convert it to PNG");
}
#endif
