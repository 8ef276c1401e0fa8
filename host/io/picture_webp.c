/* WebP [RFC 9649]: a RIFF file. The extended form has chunks beside the picture, EXIF among them.
 */
#include "io/picture_private.h"
#include <string.h>

bool chl_is_webp(const uint8_t *data, size_t size) {
    return size >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0;
}

#if defined(CHLADNI_MEDIA) && defined(CHLADNI_WEBP)
#include "io/exif.h"
#include <stdlib.h>
#include <webp/decode.h>

static int orientation_of(const uint8_t *data, size_t size) {
    for (size_t at = 12; size - at > 8;) {
        const size_t bytes = (size_t)data[at + 4] | (size_t)data[at + 5] << 8 |
                             (size_t)data[at + 6] << 16 | (size_t)data[at + 7] << 24;
        if (bytes > size - at - 8) break;
        if (memcmp(data + at, "EXIF", 4) == 0) return chl_exif_orientation(data + at + 8, bytes);
        at += 8 + bytes;
        if (bytes & 1 && at < size) at++;
    }
    return 1;
}

static chl_status damaged(const char *name, VP8StatusCode code) {
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    return chl_fail(CHL_ERR_FORMAT, "%s: is a damaged WebP picture: %s", name,
                    code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED
                        ? "it ends too early"
                        : "it cannot be decoded");
}

static chl_status decode(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    const size_t stride = (size_t)out->width * 4, bytes = stride * (size_t)out->height;
    WebPDecoderConfig config;
    uint8_t *rgba = malloc(bytes);
    if (!rgba || !WebPInitDecoderConfig(&config)) {
        free(rgba);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    }
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){.rgba = rgba, .stride = (int)stride, .size = bytes};
    const VP8StatusCode code = WebPDecode(data, size, &config);
    WebPFreeDecBuffer(&config.output);
    if (code == VP8_STATUS_OK)
        chl_raster_over_white(rgba, (int64_t)out->height * out->width, out->rgb);
    free(rgba);
    return code == VP8_STATUS_OK ? CHL_OK : damaged(name, code);
}

chl_status chl_webp_read(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    WebPBitstreamFeatures features;
    const VP8StatusCode code = WebPGetFeatures(data, size, &features);
    if (code != VP8_STATUS_OK) return damaged(name, code);
    if (features.has_animation)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: is an animated WebP, expected one picture: take a frame of it", name);
    CHL_TRY(chl_raster_new(name, features.height, features.width, out));
    CHL_TRY(decode(data, size, name, out));
    return chl_raster_orient(out, orientation_of(data, size));
}
#else
#include "io/lacks.h"

chl_status chl_webp_read(const uint8_t *data, size_t size, const char *name, chl_raster *out) {
    (void)data, (void)size, (void)out;
    return chl_lacks_library(name, "a WebP picture", "libwebp, or convert it to PNG");
}
#endif
