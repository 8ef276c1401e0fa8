#include "data/media.h"
#include "io/video_frame.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAX_PART ((int64_t)1 << 30) /* three hours of CD sound in a shard */

static chl_status read_part(const chl_media *m, int descriptor, uint8_t *to) {
    for (int64_t at = 0; at < m->bytes;) {
        const ssize_t got =
            pread(descriptor, to + at, (size_t)(m->bytes - at), (off_t)(m->offset + at));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return chl_fail(CHL_ERR_IO, "%s: bytes %" PRId64 " to %" PRId64 " of %s expected, %s",
                            chl_media_name(m), m->offset, m->offset + m->bytes, m->path,
                            got < 0 ? strerror(errno) : "it ends before");
        at += got;
    }
    return CHL_OK;
}

chl_status chl_media_bytes(const chl_media *m, int64_t max_bytes, chl_file_bytes *out) {
    *out = (chl_file_bytes){0};
    if (!m->bytes)
        return chl_file_bytes_read(m->path, &(chl_file_rules){.max_bytes = max_bytes}, out);
    if (m->bytes > max_bytes)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: at most %" PRId64 " bytes expected, got %" PRId64,
                        chl_media_name(m), max_bytes, m->bytes);
    chl_open_file file;
    CHL_TRY(chl_file_open(m->path, false, &file));
    out->size = (size_t)m->bytes;
    out->data = malloc(out->size);
    chl_status status = out->data
                            ? read_part(m, file.descriptor, out->data)
                            : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", chl_media_name(m));
    close(file.descriptor);
    if (status != CHL_OK) chl_file_bytes_free(out);
    return status;
}

chl_status chl_media_sound_open(const chl_media *m, chl_media_sound *out) {
    *out = (chl_media_sound){0};
    if (!m->bytes) return chl_sound_open(m->path, &out->sound);
    CHL_TRY(chl_media_bytes(m, MAX_PART, &out->bytes));
    const chl_status status =
        chl_sound_open_memory(out->bytes.data, out->bytes.size, chl_media_name(m), &out->sound);
    if (status != CHL_OK) chl_file_bytes_free(&out->bytes);
    return status;
}

void chl_media_sound_close(chl_media_sound *sound) {
    chl_sound_close(sound->sound);
    chl_file_bytes_free(&sound->bytes);
}

bool chl_names_video(const char *name) {
    static const char *const endings[] = {"mp4", "m4v", "mov", "mkv", "webm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0) return true;
    return false;
}

chl_status chl_media_raster(const chl_media *m, chl_raster *out) {
    chl_file_bytes bytes;
    const bool video = chl_names_video(chl_media_name(m));
    if (!m->bytes) return (video ? chl_video_frame_read : chl_raster_read)(m->path, out);
    CHL_TRY(chl_media_bytes(m, MAX_PART, &bytes));
    const chl_status status = (video ? chl_video_frame_read_memory : chl_raster_read_memory)(
        bytes.data, bytes.size, chl_media_name(m), out);
    chl_file_bytes_free(&bytes);
    return status;
}
