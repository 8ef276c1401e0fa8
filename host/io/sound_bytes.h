/* The bytes of a sound file, wherever they lie, for the decoders; this room only. Reading goes
 * through one function, which remembers the first fault: decoders take a failed read for the end of
 * the file, and a sound must not become shorter for that. */
#ifndef CHL_IO_SOUND_BYTES_H
#define CHL_IO_SOUND_BYTES_H
#include "base/file_bytes.h"

typedef struct chl_sound_bytes {
    chl_open_file file; /* descriptor -1: in memory */
    const uint8_t *memory;
    chl_file_bytes owned; /* what came through a pipe or from another program */
    int64_t size;
    int64_t reached; /* behind the last byte that was read */
    int fault;       /* errno of the first read that failed; -1: the file became shorter */
    /* A header whose claimed length is wrong is read with another one. */
    int64_t patch_at;
    int patch_count;
    uint8_t patch[8];
} chl_sound_bytes;

/* Copies up to `count` bytes at `at`; fewer at the end or after a fault. */
int64_t chl_sound_bytes_read(chl_sound_bytes *bytes, int64_t at, void *to, int64_t count);
/* CHL_ERR_IO where a read has failed. */
chl_status chl_sound_bytes_check(const chl_sound_bytes *bytes, const char *name);
void chl_sound_bytes_close(chl_sound_bytes *bytes);

/* --- what headers say (sound_header.c) -------------------------------------------------------- */
/* The number in `count` bytes, at most 8. */
uint64_t chl_sound_number(const uint8_t *at, int count, bool big);
/* Whether the 4 bytes are printable: the names of chunks are. */
bool chl_sound_is_chunk_name(const uint8_t *name);
/* Makes the data chunk of WAV, RF64 and CAF reach to the end of the file where its claimed size is
 * none: 0, "unknown", or one after which no chunk follows. */
void chl_sound_mend_length(chl_sound_bytes *bytes, const char *name);
/* Whether the header of a container of chunks (WAV, RF64, W64, AIFF, CAF, AU, 8SVX) claims more bytes
 * of sound than the file has: of a file as it is, before its length is mended (sound_claim.c). */
bool chl_sound_is_cut(chl_sound_bytes *bytes, int64_t *claimed, int64_t *there);
/* Whether a frame near the end of a FLAC ends behind its first `samples` samples (sound_flac.c). */
bool chl_sound_flac_goes_on(chl_sound_bytes *bytes, int64_t samples);
/* FLAC: claims an unknown number of frames. False where the file has no STREAMINFO. */
bool chl_sound_hide_flac_length(chl_sound_bytes *bytes);
/* Where the links of a chained OGG begin, the first at 0: concatenated files and recorded radio.
 * *starts is to be freed. A file of another kind has one. */
chl_status chl_sound_ogg_links(chl_sound_bytes *bytes, const char *name, int64_t **starts,
                               int *count);
/* The number of MPEG frames that an MP3's Xing or Info header claims; 0 without. */
int64_t chl_sound_xing_frames(chl_sound_bytes *bytes);
/* ffmpeg's name for the container of what libsndfile may not read; NULL for another one. */
const char *chl_sound_kind(chl_sound_bytes *bytes);
#endif
