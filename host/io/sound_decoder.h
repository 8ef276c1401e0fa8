/* What decodes a sound file: frames of interleaved floats, front to back; this room only. */
#ifndef CHL_IO_SOUND_DECODER_H
#define CHL_IO_SOUND_DECODER_H
#include "io/sound_bytes.h"

/* libsndfile reports INT64_MAX for a header without a length; this value can still be multiplied by
 * a rate. */
#define CHL_SOUND_UNKNOWN_LENGTH (INT64_MAX / 65536)

typedef struct chl_sound_decoder chl_sound_decoder;

/* What a library does; `close` frees the state. */
typedef struct chl_sound_library {
    /* Up to `want` frames -> out [want][channels]; 0 only at the sound's true end. */
    chl_status (*read)(chl_sound_decoder *decoder, float *out, int64_t want, int64_t *got);
    chl_status (*rewind)(chl_sound_decoder *decoder);
    void (*close)(chl_sound_decoder *decoder);
} chl_sound_library;

struct chl_sound_decoder {
    const char *name;
    int rate, channels;
    int64_t frames; /* as the header claims; CHL_SOUND_UNKNOWN_LENGTH where it does not */
    bool warned;    /* the user knows already that the file is not what its header says */
    bool cut;       /* the length is unknown because the file ends in the middle */
    void *state;
    const chl_sound_library *library;
};

/* Gives the decoder the state, which it frees when it is closed; NULL: there was no memory for it. */
static inline chl_status chl_sound_decoder_use(chl_sound_decoder *decoder,
                                               const chl_sound_library *library, void *state) {
    if (!state) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", decoder->name);
    decoder->state = state;
    decoder->library = library;
    return CHL_OK;
}

typedef enum chl_sndfile_verdict {
    CHL_SNDFILE_OPENED,
    CHL_SNDFILE_MP3, /* which libmpg123 reads better: not opened */
    CHL_SNDFILE_REFUSED
} chl_sndfile_verdict;

/* `d` has its name; after CHL_OK with CHL_SNDFILE_OPENED it is to be closed. CHL_SNDFILE_REFUSED
 * leaves the reason in `why`, which has room for 128 bytes. */
chl_status chl_sndfile_open(chl_sound_bytes *bytes, chl_sndfile_verdict *verdict, char *why,
                            chl_sound_decoder *d);
/* CHL_ERR_UNSUPPORTED in a build without libmpg123. */
chl_status chl_mpg123_open(chl_sound_bytes *bytes, chl_sound_decoder *d);
/* Whether this build has libmpg123. */
bool chl_mpg123_is_there(void);
#endif
