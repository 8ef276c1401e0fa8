/* MP3 by libmpg123 itself. libsndfile decodes with it too, but stops at a length that libmpg123
 * estimates from the first frames: three quarters of a file of variable bit rate without a Xing
 * header are lost. Here all frames are counted before (headers only, about 0.1 s an hour) and
 * decoded to the last; concatenated files are read through. */
#include "io/sound_decoder.h"
#if defined(CHLADNI_MEDIA) && defined(CHLADNI_MPG123)
#include <mpg123.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct state {
    chl_sound_bytes *bytes;
    mpg123_handle *mp3;
    int64_t at, decoded;
} state;

static mpg123_ssize_t bytes_read(void *user, void *to, size_t count) {
    state *s = user;
    const int64_t got = chl_sound_bytes_read(s->bytes, s->at, to, (int64_t)count);
    s->at += got;
    return s->bytes->fault ? -1 : (mpg123_ssize_t)got;
}

static off_t bytes_seek(void *user, off_t offset, int whence) {
    state *s = user;
    const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->at : s->bytes->size;
    int64_t at;
    if (__builtin_add_overflow(base, (int64_t)offset, &at) || at < 0) return -1;
    return (off_t)(s->at = at);
}

static chl_status damaged(const chl_sound_decoder *d) {
    const state *s = d->state;
    CHL_TRY(chl_sound_bytes_check(s->bytes, d->name));
    return chl_fail(CHL_ERR_FORMAT, "%s: is damaged at second %.2f: %s", d->name,
                    d->rate > 0 ? (double)s->decoded / d->rate : 0.0, mpg123_strerror(s->mp3));
}

static chl_status check_format(const chl_sound_decoder *d) {
    const state *s = d->state;
    long rate;
    int channels, encoding;
    if (mpg123_getformat(s->mp3, &rate, &channels, &encoding) != MPG123_OK) return damaged(d);
    if (rate == d->rate && channels == d->channels) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: changes at second %.2f from %d Hz to %ld Hz: convert it to WAV first",
                    d->name, (double)s->decoded / d->rate, d->rate, rate);
}

static chl_status read_frames(chl_sound_decoder *d, float *out, int64_t want, int64_t *got) {
    state *s = d->state;
    const size_t frame = sizeof(float) * (size_t)d->channels;
    *got = 0;
    for (int code = MPG123_OK; *got == 0 && code != MPG123_DONE;) {
        size_t bytes = 0;
        code = mpg123_read(s->mp3, (void *)out, (size_t)want * frame, &bytes);
        CHL_TRY(chl_sound_bytes_check(s->bytes, d->name));
        if (code != MPG123_OK && code != MPG123_DONE && code != MPG123_NEW_FORMAT)
            return damaged(d);
        if (code == MPG123_NEW_FORMAT) CHL_TRY(check_format(d));
        *got = (int64_t)(bytes / frame);
    }
    s->decoded += *got;
    return CHL_OK;
}

static chl_status rewind_file(chl_sound_decoder *d) {
    state *s = d->state;
    s->decoded = 0;
    return mpg123_seek(s->mp3, 0, SEEK_SET) == 0 ? CHL_OK : damaged(d);
}

static void close_file(chl_sound_decoder *d) {
    state *s = d->state;
    mpg123_delete(s->mp3);
    free(s);
    d->state = NULL;
}

static chl_status start(chl_sound_decoder *d) {
    state *s = d->state;
    int problem = MPG123_OK;
    long rate;
    int encoding;
    s->mp3 = mpg123_new(NULL, &problem);
    if (!s->mp3)
        return chl_fail(CHL_ERR_MEMORY, "%s: cannot start libmpg123: %s", d->name,
                        mpg123_plain_strerror(problem));
    mpg123_param(s->mp3, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0);
    mpg123_param(s->mp3, MPG123_ADD_FLAGS, MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_QUIET, 0);
    mpg123_param(s->mp3, MPG123_RESYNC_LIMIT, -1, 0); /* tags between concatenated files */
    if (mpg123_replace_reader_handle(s->mp3, bytes_read, bytes_seek, NULL) != MPG123_OK ||
        mpg123_open_handle(s->mp3, s) != MPG123_OK ||
        mpg123_getformat(s->mp3, &rate, &d->channels, &encoding) != MPG123_OK)
        return damaged(d);
    d->rate = (int)rate;
    /* of every rate, so that a file that changes it can be refused by name; mono becomes stereo
     * where a file changes between them */
    const long *rates;
    size_t count;
    mpg123_rates(&rates, &count);
    int problem_of_rates = mpg123_format_none(s->mp3);
    for (size_t i = 0; i < count; i++)
        if (problem_of_rates == MPG123_OK)
            problem_of_rates = mpg123_format(s->mp3, rates[i], d->channels, MPG123_ENC_FLOAT_32);
    if (problem_of_rates != MPG123_OK || mpg123_scan(s->mp3) != MPG123_OK) return damaged(d);
    d->frames = mpg123_length(s->mp3);
    return d->frames >= 0 ? CHL_OK : damaged(d);
}

static void warn_if_cut(chl_sound_decoder *d) {
    const state *s = d->state;
    const int64_t claimed = chl_sound_xing_frames(s->bytes), there = mpg123_framelength(s->mp3);
    if (claimed <= there + 1) return;
    d->warned = true;
    chl_log(CHL_LOG_WARN,
            "%s: incomplete: the header claims %lld MPEG frames, the file has %lld: using those",
            d->name, (long long)claimed, (long long)there);
}

chl_status chl_mpg123_open(chl_sound_bytes *bytes, chl_sound_decoder *d) {
    static const chl_sound_library mpg123 = {read_frames, rewind_file, close_file};
    state *s = calloc(1, sizeof *s);
    CHL_TRY(chl_sound_decoder_use(d, &mpg123, s));
    s->bytes = bytes;
    d->rate = 0;
    const chl_status status = start(d);
    if (status == CHL_OK)
        warn_if_cut(d);
    else
        close_file(d);
    return status;
}

bool chl_mpg123_is_there(void) {
    return true;
}
#else
#include "io/lacks.h"

chl_status chl_mpg123_open(chl_sound_bytes *bytes, chl_sound_decoder *d) {
    (void)bytes;
    return chl_lacks_library(d->name, "an MP3", "libmpg123");
}

bool chl_mpg123_is_there(void) {
    return false;
}
#endif
