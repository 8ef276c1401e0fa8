#include "io/sound_decoder.h"
#ifdef CHLADNI_MEDIA
#include <inttypes.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIP_FRAMES 4096
#define ROOM ((size_t)64 << 10) /* its handle, the header and the list have 40 KiB */
#define SMALL_FLAC_BYTES 65536
#define FORMAT_MPEG 0x230000 /* SF_FORMAT_MPEG, which headers before libsndfile 1.1 lack */

typedef struct state {
    chl_sound_bytes *bytes;
    SNDFILE *file;
    SF_INFO info;
    int64_t from, to, at; /* the link's bytes, and the place in them */
    int64_t *starts;      /* of the links of a chained OGG; one for another file */
    int links, link;
    int64_t decoded;
    bool length_hidden; /* a FLAC that goes on behind the end that it claims */
} state;

/* --- the link's bytes, for libsndfile --------------------------------------------------------- */
static sf_count_t bytes_length(void *user) {
    const state *s = user;
    return s->to - s->from;
}

static sf_count_t bytes_tell(void *user) {
    return ((const state *)user)->at;
}

static sf_count_t bytes_seek(sf_count_t offset, int whence, void *user) {
    state *s = user;
    const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->at : s->to - s->from;
    sf_count_t at;
    if (__builtin_add_overflow(base, offset, &at) || at < 0 || at > s->to - s->from) return -1;
    return s->at = at;
}

static sf_count_t bytes_read(void *to, sf_count_t count, void *user) {
    state *s = user;
    const sf_count_t left = s->to - s->from - s->at;
    const int64_t got =
        chl_sound_bytes_read(s->bytes, s->from + s->at, to, count < left ? count : left);
    s->at += got;
    return got;
}

static sf_count_t bytes_write(const void *from, sf_count_t count, void *user) {
    (void)from, (void)count, (void)user;
    return 0;
}

/* libsndfile 1.2 does not look whether it got memory for its list of a file's chunks. It gets it
 * where there was more just before. */
static bool has_room(void) {
    void *volatile room = malloc(ROOM);
    const bool has = room != NULL;
    free(room);
    return has;
}

/* Where it is not opened, sf_strerror(NULL) is the reason. */
static chl_status open_link(const chl_sound_decoder *d, int link, bool *opened) {
    state *s = d->state;
    if (s->file) sf_close(s->file);
    s->file = NULL;
    *opened = false;
    if (!has_room()) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", d->name);
    s->link = link;
    s->from = s->starts[link];
    s->to = link + 1 < s->links ? s->starts[link + 1] : s->bytes->size;
    s->at = 0;
    s->info = (SF_INFO){0};
    SF_VIRTUAL_IO io = {bytes_length, bytes_seek, bytes_read, bytes_write, bytes_tell};
    s->file = sf_open_virtual(&io, SFM_READ, &s->info, s);
    *opened = s->file != NULL;
    return CHL_OK;
}

static bool is_container(const state *s, int container) {
    return (s->info.format & SF_FORMAT_TYPEMASK) == container;
}

/* --- reading ---------------------------------------------------------------------------------- */
static chl_status damaged(const chl_sound_decoder *d, const char *why) {
    const state *s = d->state;
    return chl_fail(CHL_ERR_FORMAT, "%s: is damaged at second %.2f: %s", d->name,
                    (double)s->decoded / d->rate, why);
}

static chl_status open_next_link(chl_sound_decoder *d) {
    state *s = d->state;
    bool opened;
    CHL_TRY(open_link(d, s->link + 1, &opened));
    if (!opened) {
        CHL_TRY(chl_sound_bytes_check(s->bytes, d->name));
        return damaged(d, sf_strerror(NULL));
    }
    if (s->info.samplerate == d->rate && s->info.channels == d->channels) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: changes at second %.2f from %d Hz and %d channels to %d Hz and %d "
                    "channels: convert it to WAV first",
                    d->name, (double)s->decoded / d->rate, d->rate, d->channels, s->info.samplerate,
                    s->info.channels);
}

/* Opens a FLAC again with an unknown length, behind what was decoded already. */
static chl_status read_on_behind_claimed_end(chl_sound_decoder *d) {
    state *s = d->state;
    s->length_hidden = true;
    if (!chl_sound_hide_flac_length(s->bytes)) return CHL_OK;
    float *skipped = malloc(sizeof(float) * SKIP_FRAMES * (size_t)d->channels);
    if (!skipped) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", d->name);
    bool opened;
    chl_status status = open_link(d, 0, &opened);
    if (status == CHL_OK && !opened) status = damaged(d, sf_strerror(NULL));
    for (int64_t left = s->decoded; status == CHL_OK && left > 0;) {
        const int64_t got =
            sf_readf_float(s->file, skipped, left < SKIP_FRAMES ? left : SKIP_FRAMES);
        if (got <= 0) status = damaged(d, "it cannot be read a second time");
        left -= got;
    }
    free(skipped);
    return status;
}

/* Whether a FLAC may have frames behind the end that it claims: libFLAC reads some KiB ahead, and
 * has not come to the end of the bytes, these are so few that a look costs nothing, or the last
 * frame says that it does. */
static bool may_go_on(const state *s) {
    return is_container(s, SF_FORMAT_FLAC) && !s->length_hidden && s->decoded == s->info.frames &&
           (s->bytes->reached < s->bytes->size || s->bytes->size < SMALL_FLAC_BYTES ||
            chl_sound_flac_goes_on(s->bytes, s->decoded));
}

/* A FLAC stops before its claimed end. libsndfile's error does not tell why: it comes with the last
 * frames, or with the next call, or not at all. Where libFLAC has seen the last byte the file
 * breaks off, which chl_sound warns of; elsewhere a frame is damaged. */
static chl_status end_early(const chl_sound_decoder *d) {
    const state *s = d->state;
    if (s->bytes->reached >= s->bytes->size) return CHL_OK;
    return damaged(d, "a frame of the FLAC cannot be decoded");
}

static chl_status read_frames(chl_sound_decoder *d, float *out, int64_t want, int64_t *got) {
    state *s = d->state;
    for (;;) {
        *got = sf_readf_float(s->file, out, want);
        CHL_TRY(chl_sound_bytes_check(s->bytes, d->name));
        if (*got > 0) break;
        if (is_container(s, SF_FORMAT_FLAC) && !s->length_hidden && s->decoded < s->info.frames)
            return end_early(d);
        if (sf_error(s->file) != SF_ERR_NO_ERROR) {
            if (!s->length_hidden || s->decoded != d->frames)
                return damaged(d, sf_strerror(s->file));
            d->warned = true;
            chl_log(CHL_LOG_WARN, "%s: what follows the FLAC's last frame is none and is ignored",
                    d->name);
            return CHL_OK;
        }
        if (s->link + 1 < s->links) {
            CHL_TRY(open_next_link(d));
        } else if (may_go_on(s)) {
            CHL_TRY(read_on_behind_claimed_end(d));
        } else {
            return CHL_OK;
        }
    }
    s->decoded += *got;
    return CHL_OK;
}

/* Opens the file again: libsndfile cannot seek in one whose length it does not know. */
static chl_status rewind_file(chl_sound_decoder *d) {
    state *s = d->state;
    bool opened;
    s->decoded = 0;
    CHL_TRY(open_link(d, 0, &opened));
    if (!opened)
        return chl_fail(CHL_ERR_IO, "%s: cannot be read a second time: %s", d->name,
                        sf_strerror(NULL));
    return CHL_OK;
}

static void close_file(chl_sound_decoder *d) {
    state *s = d->state;
    if (s->file) sf_close(s->file);
    free(s->starts);
    free(s);
    d->state = NULL;
}

/* --- opening ---------------------------------------------------------------------------------- */
/* The frames of all links. */
static chl_status count_frames(chl_sound_decoder *d) {
    state *s = d->state;
    int64_t frames = s->info.frames;
    for (int link = 1; link < s->links && frames > 0 && frames < CHL_SOUND_UNKNOWN_LENGTH; link++) {
        CHL_TRY(open_next_link(d));
        if (s->info.frames <= 0 || s->info.frames >= CHL_SOUND_UNKNOWN_LENGTH)
            frames = CHL_SOUND_UNKNOWN_LENGTH;
        else
            frames += s->info.frames;
    }
    if (s->links > 1) CHL_TRY(rewind_file(d));
    d->cut = frames >= CHL_SOUND_UNKNOWN_LENGTH && is_container(s, SF_FORMAT_OGG);
    d->frames = frames < CHL_SOUND_UNKNOWN_LENGTH ? frames : CHL_SOUND_UNKNOWN_LENGTH;
    return CHL_OK;
}

static chl_status open_first(chl_sound_bytes *bytes, chl_sndfile_verdict *verdict, char *why,
                             chl_sound_decoder *d) {
    state *s = d->state;
    bool opened;
    CHL_TRY(chl_sound_ogg_links(bytes, d->name, &s->starts, &s->links));
    CHL_TRY(open_link(d, 0, &opened));
    if (!opened) {
        snprintf(why, 128, "%s", sf_strerror(NULL));
        return CHL_OK;
    }
    d->rate = s->info.samplerate;
    d->channels = s->info.channels;
    *verdict = CHL_SNDFILE_OPENED;
    if (is_container(s, FORMAT_MPEG)) {
        *verdict = CHL_SNDFILE_MP3;
        return CHL_OK;
    }
    return count_frames(d);
}

chl_status chl_sndfile_open(chl_sound_bytes *bytes, chl_sndfile_verdict *verdict, char *why,
                            chl_sound_decoder *d) {
    static const chl_sound_library sndfile = {read_frames, rewind_file, close_file};
    *verdict = CHL_SNDFILE_REFUSED;
    state *s = calloc(1, sizeof *s);
    CHL_TRY(chl_sound_decoder_use(d, &sndfile, s));
    s->bytes = bytes;
    chl_status status = open_first(bytes, verdict, why, d);
    if (status == CHL_OK) status = chl_sound_bytes_check(bytes, d->name);
    if (status != CHL_OK || *verdict != CHL_SNDFILE_OPENED) close_file(d);
    return status;
}
#endif
