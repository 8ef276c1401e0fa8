/* Where a clip's sound or picture lies: a file, or a part of one, as in a tar shard.
 *
 *     chl_media_sound sound;
 *     CHL_TRY(chl_media_sound_open(&media, &sound));
 *     ... chl_sound_read(sound.sound, ...) ...
 *     chl_media_sound_close(&sound); */
#ifndef CHL_DATA_MEDIA_H
#define CHL_DATA_MEDIA_H
#include "base/file_bytes.h"
#include "io/picture.h"
#include "io/sound.h"

typedef struct chl_media {
    const char *path;      /* NULL: there is none */
    const char *name;      /* for texts, "x.tar: a.flac"; NULL: the path */
    int64_t offset, bytes; /* bytes 0: the whole file */
} chl_media;

static inline const char *chl_media_name(const chl_media *media) {
    return media->name ? media->name : media->path;
}
/* All bytes; at most `max_bytes`, or CHL_ERR_UNSUPPORTED. */
chl_status chl_media_bytes(const chl_media *media, int64_t max_bytes, chl_file_bytes *out);

typedef struct chl_media_sound {
    chl_sound *sound;
    chl_file_bytes bytes; /* of a part of a file */
} chl_media_sound;
/* Errors of chl_sound_open. */
chl_status chl_media_sound_open(const chl_media *media, chl_media_sound *out);
void chl_media_sound_close(chl_media_sound *sound);
/* By the ending, letters of any size: a file with a picture in its middle, and perhaps a sound. */
bool chl_names_video(const char *name);
/* Errors of chl_raster_read; of a video the picture in its middle (io/video_frame.h). */
chl_status chl_media_raster(const chl_media *media, chl_raster *out);
#endif
