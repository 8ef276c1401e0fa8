#include "io/sound.h"
#include "base/options.h"

#ifdef CHLADNI_MEDIA
#include "io/ffmpeg.h"
#include "io/sound_decoder.h"
#include <inttypes.h>
#include <math.h>
#include <soxr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096 /* frames decoded at a time */
/* A rate outside these means a damaged header: no recording has one. */
#define LOWEST_RATE 1000
#define HIGHEST_RATE 768000
#define UNKNOWN_LENGTH CHL_SOUND_UNKNOWN_LENGTH

struct chl_sound {
    char *name;
    chl_sound_bytes bytes;
    chl_sound_decoder decoder;
    int rate;         /* of the samples that are handed out */
    soxr_t resampler; /* NULL when the file is at that rate already */
    float *frames;    /* [BLOCK, channels] */
    float mono[BLOCK], ready[BLOCK];
    int64_t mono_at, mono_count, ready_at, ready_count;
    int64_t decoded;   /* frames of the file so far */
    int64_t delivered; /* samples handed out so far */
    bool ended, warned;
    const float *samples; /* [decoder.frames][channels], of chl_sound_open_samples */
};

/* --- opening a file --------------------------------------------------------------------------- */
static int64_t resampled_length(const chl_sound *s, int64_t frames) {
    const int rate = s->decoder.rate;
    return (int64_t)((__int128)frames * s->rate + rate - 1) / rate;
}

static chl_status start_resampler(chl_sound *s) {
    const int rate = s->decoder.rate;
    soxr_delete(s->resampler);
    s->resampler = NULL;
    if (rate == s->rate) return CHL_OK;
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_error_t problem = NULL;
    s->resampler = soxr_create(rate, s->rate, 1, &problem, NULL, &quality, NULL);
    if (problem || !s->resampler)
        return chl_fail(CHL_ERR_MEMORY, "%s: cannot resample from %d Hz: %s", s->name, rate,
                        problem ? problem : "out of memory");
    return CHL_OK;
}

static chl_status check_info(const chl_sound *s) {
    const chl_sound_decoder *d = &s->decoder;
    if (d->channels < 1) return chl_fail(CHL_ERR_FORMAT, "%s: has no channels", s->name);
    if (d->rate < LOWEST_RATE || d->rate > HIGHEST_RATE)
        return chl_fail(CHL_ERR_FORMAT, "%s: the sample rate is %d Hz, expected %d to %d Hz",
                        s->name, d->rate, LOWEST_RATE, HIGHEST_RATE);
    if (d->frames <= 0) return chl_fail(CHL_ERR_FORMAT, "%s: has no samples", s->name);
    return CHL_OK;
}

static chl_status sound_new(const char *name, chl_sound **out) {
    *out = NULL;
    chl_sound *s = calloc(1, sizeof *s);
    if (s) s->name = strdup(name);
    if (!s || !s->name) {
        free(s);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    }
    s->decoder.name = s->name;
    s->rate = CHL_SOUND_RATE;
    s->bytes.file.descriptor = -1;
    *out = s;
    return CHL_OK;
}

static chl_status prepare_reading(chl_sound *s) {
    s->frames = malloc(sizeof(float) * BLOCK * (size_t)s->decoder.channels);
    if (!s->frames) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", s->name);
    return start_resampler(s);
}

/* What libsndfile does not read goes to ffmpeg, where that is installed: its WAV is read instead.
 */
static chl_status open_through_ffmpeg(chl_sound *s, const char *kind, const char *why) {
    const chl_ffmpeg_job job = {
        .name = s->name, .kind = kind, .max_bytes = CHL_SOUND_MAX_PIPE_BYTES};
    chl_file_bytes wav;
    bool missing;
    const chl_status status = chl_ffmpeg_decode(&job, &s->bytes, &missing, &wav);
    if (missing)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: is of a kind (%s) that is read through the program ffmpeg, which is "
                        "not in PATH: install it, or convert the file to WAV, FLAC, OGG or MP3",
                        s->name, kind);
    if (status != CHL_OK) return status;
    chl_sound_bytes_close(&s->bytes);
    s->bytes.owned = wav;
    s->bytes.memory = wav.data;
    s->bytes.size = (int64_t)wav.size;
    chl_sndfile_verdict verdict;
    char still[128] = "";
    chl_sound_mend_length(&s->bytes, s->name);
    CHL_TRY(chl_sndfile_open(&s->bytes, &verdict, still, &s->decoder));
    if (verdict == CHL_SNDFILE_OPENED) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s: what ffmpeg made of it cannot be read (%s; %s)", s->name,
                    why, still);
}

static chl_status open_decoder(chl_sound *s) {
    const char *kind = chl_sound_kind(&s->bytes);
    const bool mp3 = kind && strcmp(kind, "mp3") == 0;
    /* libsndfile would tell an MP3 too, but then libmpg123 writes warnings to stderr */
    if (mp3 && chl_mpg123_is_there()) return chl_mpg123_open(&s->bytes, &s->decoder);
    chl_sndfile_verdict verdict = CHL_SNDFILE_REFUSED;
    char why[128] = "";
    int64_t claimed, there;
    const bool cut = chl_sound_is_cut(&s->bytes, &claimed, &there);
    chl_sound_mend_length(&s->bytes, s->name);
    if (!mp3) CHL_TRY(chl_sndfile_open(&s->bytes, &verdict, why, &s->decoder));
    if (cut && verdict == CHL_SNDFILE_OPENED && s->decoder.frames > 0) {
        s->decoder.warned = true;
        chl_log(CHL_LOG_WARN,
                "%s: incomplete: the header claims %" PRId64
                " bytes of sound, the file has %" PRId64 ": using those",
                s->name, claimed, there);
    }
    if (verdict == CHL_SNDFILE_OPENED) return CHL_OK;
    if (verdict == CHL_SNDFILE_MP3 && chl_mpg123_is_there())
        return chl_mpg123_open(&s->bytes, &s->decoder);
    if (kind) return open_through_ffmpeg(s, kind, why);
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: is not a sound file that can be read (%s): expected WAV, FLAC, OGG, MP3, "
                    "AIFF, or m4a, aac and others through ffmpeg",
                    s->name, why);
}

static chl_status prepare(chl_sound *s) {
    CHL_TRY(open_decoder(s));
    CHL_TRY(check_info(s));
    s->warned = s->decoder.warned;
    return prepare_reading(s);
}

/* The file itself, or all that comes through a pipe. */
static chl_status open_bytes(const char *path, chl_sound *s) {
    chl_sound_bytes *b = &s->bytes;
    CHL_TRY(chl_file_open(path, true, &b->file));
    b->size = b->file.size;
    if (!b->file.pipe)
        return b->size > 0 ? CHL_OK : chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes)", path);
    const chl_file_rules rules = {.max_bytes = CHL_SOUND_MAX_PIPE_BYTES, .pipes = true};
    CHL_TRY(chl_file_bytes_of(&b->file, path, &rules, &b->owned));
    b->memory = b->owned.data;
    b->size = (int64_t)b->owned.size;
    return CHL_OK;
}

chl_status chl_sound_open(const char *path, chl_sound **out) {
    CHL_TRY(sound_new(path, out));
    chl_status status = open_bytes(path, *out);
    if (status == CHL_OK) status = prepare(*out);
    if (status != CHL_OK) {
        chl_sound_close(*out);
        *out = NULL;
    }
    return status;
}

chl_status chl_sound_open_memory(const void *data, size_t size, const char *name, chl_sound **out) {
    *out = NULL;
    if (size == 0) return chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes)", name);
    CHL_TRY(sound_new(name, out));
    chl_sound *s = *out;
    s->bytes.memory = data;
    s->bytes.size = (int64_t)size;
    chl_status status = prepare(s);
    if (status != CHL_OK) {
        chl_sound_close(s);
        *out = NULL;
    }
    return status;
}

static chl_status read_samples(chl_sound *s, int64_t want, int64_t *got) {
    const chl_sound_decoder *d = &s->decoder;
    const int64_t left = d->frames - s->decoded;
    *got = left < want ? left : want;
    memcpy(s->frames, s->samples + s->decoded * d->channels,
           sizeof(float) * (size_t)(*got * d->channels));
    return CHL_OK;
}

chl_status chl_sound_open_samples(int rate, int channels, int64_t frames, const float *samples,
                                  const char *name, chl_sound **out) {
    *out = NULL;
    CHL_TRY(chl_check_pointer(samples, "samples"));
    if (rate < LOWEST_RATE || rate > HIGHEST_RATE)
        return chl_fail(CHL_ERR_ARGUMENT, "rate must be %d to %d, got %d", LOWEST_RATE,
                        HIGHEST_RATE, rate);
    CHL_TRY(chl_check_int(channels >= 1, "channels", ">= 1", channels));
    CHL_TRY(chl_check_int(frames >= 1 && frames <= UNKNOWN_LENGTH / channels, "frames",
                          ">= 1 and fit into memory", frames));
    CHL_TRY(sound_new(name, out));
    chl_sound *s = *out;
    s->samples = samples;
    s->decoder.rate = rate;
    s->decoder.channels = channels;
    s->decoder.frames = frames;
    chl_status status = prepare_reading(s);
    if (status != CHL_OK) {
        chl_sound_close(s);
        *out = NULL;
    }
    return status;
}

void chl_sound_close(chl_sound *s) {
    if (!s) return;
    if (s->decoder.state) s->decoder.library->close(&s->decoder);
    chl_sound_bytes_close(&s->bytes);
    soxr_delete(s->resampler);
    free(s->frames);
    free(s->name);
    free(s);
}

chl_status chl_sound_set_rate(chl_sound *s, int rate) {
    if (rate < LOWEST_RATE || rate > HIGHEST_RATE)
        return chl_fail(CHL_ERR_ARGUMENT, "rate must be %d to %d, got %d", LOWEST_RATE,
                        HIGHEST_RATE, rate);
    s->rate = rate;
    return chl_sound_rewind(s);
}

int64_t chl_sound_samples(const chl_sound *s) {
    return resampled_length(s, s->decoder.frames);
}

int chl_sound_rate(const chl_sound *s) {
    return s->decoder.rate;
}

int chl_sound_channels(const chl_sound *s) {
    return s->decoder.channels;
}

/* --- reading samples -------------------------------------------------------------------------- */
static chl_status bad_sample(const chl_sound *s, int64_t frame, int channel, float x) {
    return chl_fail(
        CHL_ERR_NUMERIC, "%s: the sample at second %.4f (frame %" PRId64 ", channel %d) is %s%s",
        s->name, (double)frame / s->decoder.rate, frame, channel + 1,
        isnan(x) ? "not a number" : "infinite", s->samples ? "" : ": the file is damaged");
}

/* Decodes one block into `mono`; sets `ended` when none is left. */
static chl_status decode(chl_sound *s) {
    const int channels = s->decoder.channels;
    int64_t count;
    if (s->samples)
        CHL_TRY(read_samples(s, BLOCK, &count));
    else
        CHL_TRY(s->decoder.library->read(&s->decoder, s->frames, BLOCK, &count));
    s->mono_at = 0;
    s->mono_count = count;
    s->ended = count == 0;
    for (int64_t i = 0; i < count; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++) {
            float x = s->frames[i * channels + c];
            if (!isfinite(x)) return bad_sample(s, s->decoded + i, c, x);
            sum += x / (float)channels;
        }
        s->mono[i] = sum;
    }
    s->decoded += count;
    return CHL_OK;
}

/* Fills `ready` with samples at the rate wanted; with none after the end. */
static chl_status resample(chl_sound *s) {
    s->ready_at = s->ready_count = 0;
    while (s->ready_count == 0) {
        if (s->mono_at == s->mono_count && !s->ended) CHL_TRY(decode(s));
        if (!s->resampler) {
            memcpy(s->ready, s->mono, (size_t)s->mono_count * sizeof(float));
            s->ready_count = s->mono_count;
            s->mono_at = s->mono_count;
            if (s->ended) return CHL_OK;
            continue;
        }
        size_t used = 0, made = 0;
        soxr_error_t problem = soxr_process(s->resampler, s->ended ? NULL : s->mono + s->mono_at,
                                            s->ended ? 0 : (size_t)(s->mono_count - s->mono_at),
                                            &used, s->ready, BLOCK, &made);
        if (problem)
            return chl_fail(CHL_ERR_INTERNAL, "%s: resampling failed: %s", s->name, problem);
        s->mono_at += (int64_t)used;
        s->ready_count = (int64_t)made;
        if (made == 0 && s->ended) return CHL_OK;
    }
    return CHL_OK;
}

static chl_status check_end(chl_sound *s) {
    if (s->decoded == 0) return chl_fail(CHL_ERR_FORMAT, "%s: has no samples", s->name);
    if (s->warned || s->decoded == s->decoder.frames) return CHL_OK;
    s->warned = true;
    double there = (double)s->decoded / s->decoder.rate;
    if (s->decoder.cut)
        chl_log(CHL_LOG_WARN, "%s: incomplete: the file ends in the middle: using its %.2f s",
                s->name, there);
    else if (s->decoder.frames == UNKNOWN_LENGTH)
        chl_log(CHL_LOG_WARN, "%s: the header has no length: using the %.2f s in the file", s->name,
                there);
    else
        chl_log(CHL_LOG_WARN, "%s: the header claims %.2f s, the file has %.2f s: using those",
                s->name, (double)s->decoder.frames / s->decoder.rate, there);
    return CHL_OK;
}

chl_status chl_sound_read(void *sound, float *out, int64_t want, int64_t *got) {
    chl_sound *s = sound;
    *got = 0;
    while (*got < want) {
        if (s->ready_at == s->ready_count) CHL_TRY(resample(s));
        int64_t count = s->ready_count - s->ready_at, room = want - *got;
        if (s->ended) {
            /* soxr rounds the length differently; at the end it is known to the sample */
            int64_t left = resampled_length(s, s->decoded) - s->delivered;
            if (count == 0 && left > 0) {
                s->ready[s->ready_at = 0] = 0;
                s->ready_count = count = 1;
            }
            if (count > left) count = left;
        }
        if (count > room) count = room;
        if (count <= 0) break;
        memcpy(out + *got, s->ready + s->ready_at, (size_t)count * sizeof(float));
        s->ready_at += count;
        s->delivered += count;
        *got += count;
    }
    return *got < want ? check_end(s) : CHL_OK;
}

chl_status chl_sound_rewind(void *sound) {
    chl_sound *s = sound;
    if (!s->samples) CHL_TRY(s->decoder.library->rewind(&s->decoder));
    s->mono_at = s->mono_count = s->ready_at = s->ready_count = 0;
    s->decoded = s->delivered = 0;
    s->ended = false;
    return start_resampler(s);
}

static chl_status read_all(chl_sound *s, float **wave, int64_t *samples) {
    int64_t capacity = 0, got;
    do {
        if (*samples == capacity) {
            /* grows with the samples read, not with what the header claims */
            capacity = capacity ? capacity * 2 : 1 << 18;
            float *larger = realloc(*wave, (size_t)capacity * sizeof(float));
            if (!larger)
                return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for %" PRId64 " samples",
                                s->name, capacity);
            *wave = larger;
        }
        CHL_TRY(chl_sound_read(s, *wave + *samples, capacity - *samples, &got));
        *samples += got;
    } while (*samples == capacity);
    return CHL_OK;
}

chl_status chl_sound_load(const char *path, float **wave, int64_t *samples) {
    *wave = NULL;
    *samples = 0;
    chl_sound *s;
    CHL_TRY(chl_sound_open(path, &s));
    chl_status status = chl_sound_load_opened(s, wave, samples);
    chl_sound_close(s);
    return status;
}

chl_status chl_sound_load_opened(chl_sound *s, float **wave, int64_t *samples) {
    *wave = NULL;
    *samples = 0;
    chl_status status = read_all(s, wave, samples);
    if (status == CHL_OK) return CHL_OK;
    free(*wave);
    *wave = NULL;
    *samples = 0;
    return status;
}

#else /* CHLADNI_MEDIA */
#include "io/lacks.h"

static chl_status without(const char *name) {
    return chl_lacks_media(name, "reads no sound files", "libsndfile and soxr");
}
chl_status chl_sound_open(const char *path, chl_sound **out) {
    *out = NULL;
    return without(path);
}
chl_status chl_sound_open_memory(const void *data, size_t size, const char *name, chl_sound **out) {
    (void)data, (void)size;
    *out = NULL;
    return without(name);
}
chl_status chl_sound_open_samples(int rate, int channels, int64_t frames, const float *samples,
                                  const char *name, chl_sound **out) {
    (void)rate, (void)channels, (void)frames, (void)samples;
    *out = NULL;
    return without(name);
}
void chl_sound_close(chl_sound *s) {
    (void)s;
}
chl_status chl_sound_set_rate(chl_sound *s, int rate) {
    (void)s, (void)rate;
    return without("sound");
}
int64_t chl_sound_samples(const chl_sound *s) {
    (void)s;
    return 0;
}
chl_status chl_sound_read(void *sound, float *out, int64_t want, int64_t *got) {
    (void)sound, (void)out, (void)want;
    *got = 0;
    return without("sound");
}
chl_status chl_sound_rewind(void *sound) {
    (void)sound;
    return without("sound");
}
int chl_sound_rate(const chl_sound *sound) {
    (void)sound;
    return 0;
}
int chl_sound_channels(const chl_sound *sound) {
    (void)sound;
    return 0;
}
chl_status chl_sound_load(const char *path, float **wave, int64_t *samples) {
    *wave = NULL;
    *samples = 0;
    return without(path);
}
chl_status chl_sound_load_opened(chl_sound *sound, float **wave, int64_t *samples) {
    (void)sound;
    *wave = NULL;
    *samples = 0;
    return without("sound");
}
#endif
