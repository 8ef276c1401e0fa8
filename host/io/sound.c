#include "io/sound.h"
#include "base/options.h"

#ifdef CHLADNI_MEDIA
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 4096 /* frames decoded at a time */
/* A rate outside these means a damaged header: no recording has one. */
#define LOWEST_RATE 1000
#define HIGHEST_RATE 768000
/* libsndfile reports INT64_MAX for a header without a length; this value can still be multiplied by
 * a rate */
#define UNKNOWN_LENGTH (INT64_MAX / 65536)

struct chl_sound {
    char *name;
    SNDFILE *file;
    SF_INFO info;
    soxr_t resampler; /* NULL when the file is at 44 100 Hz already */
    float *frames;    /* [BLOCK, channels] */
    float mono[BLOCK], ready[BLOCK];
    int64_t mono_at, mono_count, ready_at, ready_count;
    int64_t decoded;   /* frames of the file so far */
    int64_t delivered; /* samples handed out so far */
    bool ended, warned;
    const unsigned char *memory; /* of chl_sound_open_memory */
    sf_count_t memory_size, memory_at;
    const float *samples; /* [info.frames][channels], of chl_sound_open_samples; `file` is NULL */
};

/* --- the file in memory, for libsndfile ------------------------------------------------------- */
static sf_count_t memory_length(void *user) {
    return ((chl_sound *)user)->memory_size;
}
static sf_count_t memory_tell(void *user) {
    return ((chl_sound *)user)->memory_at;
}

static sf_count_t memory_seek(sf_count_t offset, int whence, void *user) {
    chl_sound *s = user;
    sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->memory_at : s->memory_size;
    sf_count_t at;
    if (__builtin_add_overflow(base, offset, &at) || at < 0 || at > s->memory_size) return -1;
    return s->memory_at = at;
}

static sf_count_t memory_read(void *to, sf_count_t count, void *user) {
    chl_sound *s = user;
    sf_count_t left = s->memory_size - s->memory_at;
    if (count > left) count = left;
    if (count <= 0) return 0;
    memcpy(to, s->memory + s->memory_at, (size_t)count);
    s->memory_at += count;
    return count;
}

static sf_count_t memory_write(const void *from, sf_count_t count, void *user) {
    (void)from, (void)count, (void)user;
    return 0;
}

/* --- opening a file --------------------------------------------------------------------------- */
static int64_t resampled_length(int64_t frames, int rate) {
    return (int64_t)((__int128)frames * CHL_SOUND_RATE + rate - 1) / rate;
}

static chl_status start_resampler(chl_sound *s) {
    soxr_delete(s->resampler);
    s->resampler = NULL;
    if (s->info.samplerate == CHL_SOUND_RATE) return CHL_OK;
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_error_t problem = NULL;
    s->resampler =
        soxr_create(s->info.samplerate, CHL_SOUND_RATE, 1, &problem, NULL, &quality, NULL);
    if (problem || !s->resampler)
        return chl_fail(CHL_ERR_MEMORY, "%s: cannot resample from %d Hz: %s", s->name,
                        s->info.samplerate, problem ? problem : "out of memory");
    return CHL_OK;
}

/* Where a WAV's data chunk claims more than the file has (an incomplete download), libsndfile uses
 * the file's size without an error; only its parse log mentions it. A claim of 2 GiB or more is no
 * fault: programs that write to a pipe mark an unknown length so. */
static void warn_if_cut(chl_sound *s) {
    char log[8192] = "";
    long long claimed, real;
    sf_command(s->file, SFC_GET_LOG_INFO, log, sizeof log);
    const char *at = strstr(log, "\ndata : ");
    if (!at || sscanf(at, "\ndata : %lld (should be %lld)", &claimed, &real) != 2) return;
    if (claimed <= real || claimed >= INT32_MAX) return;
    s->warned = true;
    chl_log(CHL_LOG_WARN,
            "%s: incomplete: the header claims %lld bytes of sound, the file has %lld: using those",
            s->name, claimed, real);
}

static chl_status check_info(chl_sound *s) {
    if (s->info.channels < 1) return chl_fail(CHL_ERR_FORMAT, "%s: has no channels", s->name);
    if (s->info.samplerate < LOWEST_RATE || s->info.samplerate > HIGHEST_RATE)
        return chl_fail(CHL_ERR_FORMAT, "%s: the sample rate is %d Hz, expected %d to %d Hz",
                        s->name, s->info.samplerate, LOWEST_RATE, HIGHEST_RATE);
    if (s->info.frames <= 0) return chl_fail(CHL_ERR_FORMAT, "%s: has no samples", s->name);
    if (s->info.frames > UNKNOWN_LENGTH) s->info.frames = UNKNOWN_LENGTH;
    warn_if_cut(s);
    return CHL_OK;
}

static chl_status not_a_sound(const chl_sound *s) {
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: is not a sound file that can be read (%s): expected WAV, FLAC, OGG, MP3 or "
        "AIFF, convert others with ffmpeg",
        s->name, sf_strerror(NULL));
}

static chl_status sound_new(const char *name, chl_sound **out) {
    *out = NULL;
    chl_sound *s = calloc(1, sizeof *s);
    if (s) s->name = strdup(name);
    if (!s || !s->name) {
        free(s);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    }
    *out = s;
    return CHL_OK;
}

static chl_status prepare_reading(chl_sound *s) {
    s->frames = malloc(sizeof(float) * BLOCK * (size_t)s->info.channels);
    if (!s->frames) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", s->name);
    return start_resampler(s);
}

static chl_status prepare(chl_sound *s) {
    if (!s->file) return not_a_sound(s);
    CHL_TRY(check_info(s));
    return prepare_reading(s);
}

static chl_status check_path(const char *path) {
    struct stat about;
    if (stat(path, &about))
        return chl_fail(CHL_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return chl_fail(CHL_ERR_IO, "%s: is a folder, not a sound file", path);
    if (S_ISREG(about.st_mode) && about.st_size == 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes)", path);
    return CHL_OK;
}

chl_status chl_sound_open(const char *path, chl_sound **out) {
    *out = NULL;
    CHL_TRY(check_path(path));
    CHL_TRY(sound_new(path, out));
    (*out)->file = sf_open(path, SFM_READ, &(*out)->info);
    chl_status status = prepare(*out);
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
    s->memory = data;
    s->memory_size = (sf_count_t)size;
    SF_VIRTUAL_IO io = {memory_length, memory_seek, memory_read, memory_write, memory_tell};
    s->file = sf_open_virtual(&io, SFM_READ, &s->info, s);
    chl_status status = prepare(s);
    if (status != CHL_OK) {
        chl_sound_close(s);
        *out = NULL;
    }
    return status;
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
    s->info = (SF_INFO){.samplerate = rate, .channels = channels, .frames = frames};
    chl_status status = prepare_reading(s);
    if (status != CHL_OK) {
        chl_sound_close(s);
        *out = NULL;
    }
    return status;
}

void chl_sound_close(chl_sound *s) {
    if (!s) return;
    if (s->file) sf_close(s->file);
    soxr_delete(s->resampler);
    free(s->frames);
    free(s->name);
    free(s);
}

int64_t chl_sound_samples(const chl_sound *s) {
    return resampled_length(s->info.frames, s->info.samplerate);
}

/* --- reading samples -------------------------------------------------------------------------- */
static chl_status bad_sample(const chl_sound *s, int64_t frame, int channel, float x) {
    return chl_fail(
        CHL_ERR_NUMERIC, "%s: the sample at second %.4f (frame %" PRId64 ", channel %d) is %s%s",
        s->name, (double)frame / s->info.samplerate, frame, channel + 1,
        isnan(x) ? "not a number" : "infinite", s->samples ? "" : ": the file is damaged");
}

/* Up to a block into `frames`; their number, 0 at the end. */
static sf_count_t read_frames(chl_sound *s) {
    if (s->file) return sf_readf_float(s->file, s->frames, BLOCK);
    const int64_t left = s->info.frames - s->decoded, count = left < BLOCK ? left : BLOCK;
    memcpy(s->frames, s->samples + s->decoded * s->info.channels,
           sizeof(float) * (size_t)(count * s->info.channels));
    return count;
}

/* Decodes one block into `mono`; sets `ended` when none is left. */
static chl_status decode(chl_sound *s) {
    int channels = s->info.channels;
    sf_count_t count = read_frames(s);
    if (count <= 0) {
        if (s->file && sf_error(s->file) != SF_ERR_NO_ERROR)
            return chl_fail(CHL_ERR_FORMAT, "%s: is damaged at second %.2f: %s", s->name,
                            (double)s->decoded / s->info.samplerate, sf_strerror(s->file));
        s->ended = true;
        s->mono_count = 0;
        return CHL_OK;
    }
    for (sf_count_t i = 0; i < count; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++) {
            float x = s->frames[i * channels + c];
            if (!isfinite(x)) return bad_sample(s, s->decoded + i, c, x);
            sum += x / (float)channels;
        }
        s->mono[i] = sum;
    }
    s->decoded += count;
    s->mono_at = 0;
    s->mono_count = count;
    return CHL_OK;
}

/* Fills `ready` with samples at 44 100 Hz; with none after the end. */
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
    if (s->warned || s->decoded == s->info.frames) return CHL_OK;
    s->warned = true;
    double there = (double)s->decoded / s->info.samplerate;
    if (s->info.frames == UNKNOWN_LENGTH)
        chl_log(CHL_LOG_WARN, "%s: the header has no length: using the %.2f s in the file", s->name,
                there);
    else
        chl_log(CHL_LOG_WARN, "%s: the header claims %.2f s, the file has %.2f s: using those",
                s->name, (double)s->info.frames / s->info.samplerate, there);
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
            int64_t left = resampled_length(s->decoded, s->info.samplerate) - s->delivered;
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
    if (s->file && sf_seek(s->file, 0, SEEK_SET) != 0)
        return chl_fail(CHL_ERR_IO, "%s: cannot be read a second time: %s", s->name,
                        sf_strerror(s->file));
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
static chl_status without(const char *name) {
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: this build reads no sound files: rebuild with -DCHLADNI_MEDIA=ON "
                    "(needs libsndfile and soxr)",
                    name);
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
