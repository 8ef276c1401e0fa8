/* The log-mel of a wave of any length, computed in segments.
 *
 * Frame f of the whole wave is centred on sample 512 f and covers 2048 samples. The wave, padded
 * with 1024 samples at both ends, is cut into segments of 256 frames that overlap by 2048 - 512
 * samples:
 *
 *     padded wave   |1024 |  wave ...                               |1024 |
 *     segment 0     |---- 256 frames ----+1536|
 *     segment 1                          |---- 256 frames ----+1536|
 *
 * so that every frame lies in exactly one segment as a whole. chl_log_mel centres its frames and
 * pads by itself: the first and last EDGE frames that it makes of a segment reach into that padding
 * and are discarded. The remaining ones see the same samples as in one pass over the whole wave. */
#include "sound/mel.h"
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FFT 2048
#define HOP 512
#define HALF (FFT / 2)
#define SEGMENT_FRAMES 256
#define OVERLAP (FFT - HOP)
#define SEGMENT (SEGMENT_FRAMES * HOP + OVERLAP)
#define EDGE (HALF / HOP)
#define OP_FRAMES (SEGMENT_FRAMES + 2 * EDGE)

static const float floor_db = 80;

chl_mel_settings chl_mel_settings_of(chl_mel_mode mode) {
    return (chl_mel_settings){.rate = CHL_MEL_RATE,
                              .fft = FFT,
                              .hop = HOP,
                              .bands = CHL_MEL_BANDS,
                              .reflect = mode == CHL_MEL_COMPATIBLE,
                              .absolute = mode != CHL_MEL_COMPATIBLE,
                              .floor_db = floor_db,
                              .min_power = 1e-10f};
}

double chl_mel_from_hz(double hz) {
    return hz < 1000 ? 3 * hz / 200 : 15 + 27 * log(hz / 1000) / log(6.4);
}

double chl_mel_to_hz(double mel) {
    return mel < 15 ? mel * 200 / 3 : 1000 * pow(6.4, (mel - 15) / 27);
}

/* Of one band: the centres divide the range up to half the rate evenly. */
static double mel_of_band(void) {
    return chl_mel_from_hz(CHL_MEL_RATE / 2.0) / (CHL_MEL_BANDS + 1);
}

double chl_mel_band_hz(double band) {
    return chl_mel_to_hz(mel_of_band() * (band + 1));
}

double chl_mel_band_at(double hz) {
    return chl_mel_from_hz(hz) / mel_of_band() - 1;
}

int64_t chl_mel_frames_of(int64_t samples) {
    return 1 + samples / HOP;
}

/* --- from samples to decibels ----------------------------------------------------------------- */
typedef struct mel_graph {
    chl_graph *graph;
    chl_tensor wave, level;
    int threads; /* for which it was compiled */
} mel_graph;

typedef struct mel_pass {
    chl_mel_mode mode;
    chl_device *device;
    mel_graph of;
    bool compiled;
    float *segment; /* [SEGMENT] */
    float *levels;  /* [bands, OP_FRAMES], the op's output */
    int64_t filled; /* of the segment */
    int64_t samples, frames;
    float loudest; /* of all frames so far, dB above full scale */
    float *kept;   /* [bands, keep]: frames keep_from, keep_from + 1, ... */
    int64_t keep_from, keep;
} mel_pass;

/* Compiling costs as much as ten seconds of sound, so the graphs of the CPU, which all passes share, wait
 * here for the next one. */
#define MOST_IDLE 64
static struct {
    pthread_mutex_t lock;
    mel_graph graph[MOST_IDLE];
    int count;
} idle = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool take_idle(mel_graph *out) {
    const int threads = omp_get_max_threads();
    bool found = false;
    pthread_mutex_lock(&idle.lock);
    for (int i = idle.count - 1; i >= 0 && !found; i--) {
        if (idle.graph[i].threads != threads) continue;
        *out = idle.graph[i];
        idle.graph[i] = idle.graph[--idle.count];
        found = true;
    }
    pthread_mutex_unlock(&idle.lock);
    return found;
}

static bool give_idle(const mel_graph *of) {
    pthread_mutex_lock(&idle.lock);
    const bool room = idle.count < MOST_IDLE;
    if (room) idle.graph[idle.count++] = *of;
    pthread_mutex_unlock(&idle.lock);
    return room;
}

static void pass_end(mel_pass *pass) {
    const bool shared = pass->compiled && pass->device == chl_device_cpu();
    if (!shared || !give_idle(&pass->of)) chl_graph_free(pass->of.graph);
    free(pass->segment);
    free(pass->levels);
}

static chl_status compile(chl_device *device, mel_graph *of) {
    of->threads = omp_get_max_threads();
    CHL_TRY(chl_graph_new(device, &of->graph));
    chl_mel_settings settings = chl_mel_settings_of(CHL_MEL_ABSOLUTE);
    settings.floor_db = 0;
    of->wave = chl_input(of->graph, "wave", chl_f32(2, 1, SEGMENT));
    of->level = chl_keep(of->graph, chl_log_mel(of->graph, of->wave, &settings));
    return chl_compile(of->graph);
}

static chl_status pass_begin(mel_pass *pass, chl_device *device) {
    pass->device = device;
    if (device != chl_device_cpu() || !take_idle(&pass->of)) CHL_TRY(compile(device, &pass->of));
    pass->compiled = true;
    pass->segment = calloc(SEGMENT, sizeof(float));
    pass->levels = malloc(sizeof(float) * CHL_MEL_BANDS * OP_FRAMES);
    if (!pass->segment || !pass->levels)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a log-mel");
    pass->loudest = -INFINITY;
    return CHL_OK;
}

/* Turns the segment into `count` frames. */
static chl_status flush(mel_pass *pass, int64_t count) {
    const mel_graph *of = &pass->of;
    CHL_TRY(chl_write(of->graph, of->wave, pass->segment));
    CHL_TRY(chl_run(of->graph, CHL_FIRST_SEGMENT));
    CHL_TRY(chl_read(of->graph, of->level, pass->levels));
    int64_t from = pass->keep_from - pass->frames, to = from + pass->keep;
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++) {
        const float *row = pass->levels + band * OP_FRAMES + EDGE;
        for (int64_t i = 0; i < count; i++) {
            if (!isfinite(row[i]))
                return chl_fail(
                    CHL_ERR_NUMERIC,
                    "the sound near second %.2f is too loud, its level overflows: scale "
                    "its samples to [-1, 1]",
                    (double)((pass->frames + i) * HOP) / CHL_MEL_RATE);
            if (row[i] > pass->loudest) pass->loudest = row[i];
            if (i >= from && i < to) pass->kept[band * pass->keep + i - from] = row[i];
        }
    }
    pass->frames += count;
    memmove(pass->segment, pass->segment + SEGMENT - OVERLAP, OVERLAP * sizeof(float));
    memset(pass->segment + OVERLAP, 0, (SEGMENT - OVERLAP) * sizeof(float));
    pass->filled = OVERLAP;
    return CHL_OK;
}

static chl_status push(mel_pass *pass, const float *samples, int64_t count) {
    while (count > 0) {
        int64_t room = SEGMENT - pass->filled, now = count < room ? count : room;
        memcpy(pass->segment + pass->filled, samples, (size_t)now * sizeof(float));
        pass->filled += now;
        samples += now;
        count -= now;
        if (pass->filled == SEGMENT) CHL_TRY(flush(pass, SEGMENT_FRAMES));
    }
    return CHL_OK;
}

/* Pushes HALF samples of padding, samples first ... first + HALF - 1 of the wave: zeros, or the
 * wave reflected. `known` [count] is the end of the wave that the padding reflects. */
static chl_status push_padding(mel_pass *pass, const float *known, int64_t count, int64_t first) {
    float padding[HALF] = {0};
    if (pass->mode == CHL_MEL_COMPATIBLE) {
        int64_t period = count > 1 ? 2 * (count - 1) : 1;
        for (int64_t i = 0; i < HALF; i++) {
            int64_t at = ((first + i) % period + period) % period;
            padding[i] = known[at < count ? at : period - at];
        }
    }
    return push(pass, padding, HALF);
}

static chl_status read_checked(mel_pass *pass, const chl_wave_source *source, float *out,
                               int64_t want, int64_t *got) {
    CHL_TRY(source->read(source->user, out, want, got));
    for (int64_t i = 0; i < *got; i++)
        if (!isfinite(out[i]))
            return chl_fail(CHL_ERR_NUMERIC,
                            "sample %" PRId64
                            " (second %.4f) is NaN or infinite: the sound is damaged",
                            pass->samples + i, (double)(pass->samples + i) / CHL_MEL_RATE);
    pass->samples += *got;
    return CHL_OK;
}

/* Reads the source from its start to its end. The first HALF + 1 samples are read before anything
 * else because the padding before them reflects them; the last ones are still in the segment at the
 * end. */
static chl_status pass_over(mel_pass *pass, const chl_wave_source *source) {
    float head[HALF + 1], block[4096];
    int64_t first, got;
    CHL_TRY(read_checked(pass, source, head, HALF + 1, &first));
    if (first == 0) return chl_fail(CHL_ERR_ARGUMENT, "the sound has no samples");
    CHL_TRY(push_padding(pass, head, first, -HALF));
    CHL_TRY(push(pass, head, first));
    for (got = first == HALF + 1; got > 0;) {
        CHL_TRY(read_checked(pass, source, block, 4096, &got));
        CHL_TRY(push(pass, block, got));
    }
    if (first == HALF + 1) memcpy(head, pass->segment + pass->filled - first, sizeof head);
    CHL_TRY(push_padding(pass, head, first, first));
    int64_t left = chl_mel_frames_of(pass->samples) - pass->frames;
    return left > 0 ? flush(pass, left) : CHL_OK;
}

static float shade(const mel_pass *pass, float level) {
    float reference = pass->mode == CHL_MEL_COMPATIBLE ? pass->loudest : 0;
    return fminf(fmaxf(1 + (level - reference) / floor_db, 0), 1);
}

/* --- a wave in memory as a source ------------------------------------------------------------- */
typedef struct memory_wave {
    const float *wave;
    int64_t samples, at;
} memory_wave;

static chl_status memory_read(void *user, float *out, int64_t want, int64_t *got) {
    memory_wave *memory = user;
    int64_t left = memory->samples - memory->at;
    *got = want < left ? want : left;
    memcpy(out, memory->wave + memory->at, (size_t)*got * sizeof(float));
    memory->at += *got;
    return CHL_OK;
}

static chl_status memory_rewind(void *user) {
    ((memory_wave *)user)->at = 0;
    return CHL_OK;
}

static chl_status check_samples(int64_t samples) {
    if (samples < 1) return chl_fail(CHL_ERR_ARGUMENT, "the sound has no samples");
    return CHL_OK;
}

/* --- whole spectrograms and pictures ---------------------------------------------------------- */
/* Reads the source, and a second time when the real length moves the frames to keep away from where
 * `choose` expected them. */
static chl_status pass_over_chosen(mel_pass *pass, const chl_wave_source *source,
                                   chl_status (*choose)(mel_pass *pass, int64_t samples)) {
    CHL_TRY(choose(pass, source->samples));
    int64_t from = pass->keep_from, keep = pass->keep;
    CHL_TRY(pass_over(pass, source));
    CHL_TRY(choose(pass, pass->samples));
    if (pass->keep_from == from && pass->keep == keep) return CHL_OK;
    CHL_TRY(source->rewind(source->user));
    memset(pass->segment, 0, SEGMENT * sizeof(float));
    pass->filled = pass->samples = pass->frames = 0;
    return pass_over(pass, source);
}

/* Before the first pass `samples` is a claim of the file's header: it is trusted up to the memory
 * that two hours need. */
static chl_status choose_all(mel_pass *pass, int64_t samples) {
    const int64_t trusted = 2 * 3600 * (int64_t)CHL_MEL_RATE;
    if (pass->samples == 0) samples = samples < 0 ? 0 : samples > trusted ? trusted : samples;
    int64_t keep = chl_mel_frames_of(samples);
    if (pass->kept && keep == pass->keep) return CHL_OK;
    free(pass->kept);
    pass->keep = keep;
    pass->kept = calloc((size_t)keep * CHL_MEL_BANDS, sizeof(float));
    if (!pass->kept)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the log-mel of %" PRId64 " frames",
                        keep);
    return CHL_OK;
}

chl_status chl_mel_whole_from(chl_device *device, const chl_wave_source *source, chl_mel_mode mode,
                              float **mel, int64_t *frames) {
    *mel = NULL;
    *frames = 0;
    mel_pass pass = {.mode = mode};
    chl_status status;
    CHL_TRY_GOTO(pass_begin(&pass, device));
    CHL_TRY_GOTO(pass_over_chosen(&pass, source, choose_all));
    for (int64_t i = 0; i < pass.keep * CHL_MEL_BANDS; i++)
        pass.kept[i] = shade(&pass, pass.kept[i]);
    *mel = pass.kept;
    *frames = pass.keep;
    pass.kept = NULL;
done:
    free(pass.kept);
    pass_end(&pass);
    return status;
}

chl_status chl_mel_whole(chl_device *device, const float *wave, int64_t samples, chl_mel_mode mode,
                         float **mel, int64_t *frames) {
    memory_wave memory = {wave, samples, 0};
    chl_wave_source source = {samples, memory_read, memory_rewind, &memory};
    return chl_mel_whole_from(device, &source, mode, mel, frames);
}

static chl_status choose_middle(mel_pass *pass, int64_t samples) {
    int64_t frames = chl_mel_frames_of(samples);
    pass->keep_from = frames > CHL_MEL_FRAMES ? (frames - CHL_MEL_FRAMES) / 2 : 0;
    return CHL_OK;
}

void chl_mel_repeat(int64_t frames, float *picture) {
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++) {
        float *row = picture + band * CHL_MEL_FRAMES;
        for (int64_t i = frames; i < CHL_MEL_FRAMES; i++) row[i] = row[i - frames];
    }
}

static chl_status middle_frames(chl_device *device, const chl_wave_source *source,
                                chl_mel_mode mode, float *kept) {
    mel_pass pass = {.mode = mode, .kept = kept, .keep = CHL_MEL_FRAMES};
    chl_status status;
    CHL_TRY_GOTO(pass_begin(&pass, device));
    CHL_TRY_GOTO(pass_over_chosen(&pass, source, choose_middle));
    for (int64_t i = 0; i < CHL_MEL_BANDS * CHL_MEL_FRAMES; i++) {
        bool exists = pass.keep_from + i % CHL_MEL_FRAMES < pass.frames;
        kept[i] = exists ? shade(&pass, kept[i]) : 0;
    }
    if (mode == CHL_MEL_REPEATED) chl_mel_repeat(pass.frames, kept);
done:
    pass_end(&pass);
    return status;
}

static chl_status resize_picture(chl_device *device, const float *middle, chl_mel_size size,
                                 float *picture) {
    chl_graph *g;
    CHL_TRY(chl_graph_new(device, &g));
    chl_tensor x = chl_input(g, "mel", chl_f32(4, 1, CHL_MEL_BANDS, CHL_MEL_FRAMES, 1));
    chl_tensor y = chl_keep(g, chl_resize(g, x, CHL_FILTER_BILINEAR, size.rows, size.columns));
    return chl_compute_once(g, x, middle, y, picture);
}

chl_status chl_mel_picture_from(chl_device *device, const chl_wave_source *source,
                                chl_mel_mode mode, chl_mel_size size, float *picture) {
    float *kept = calloc(CHL_MEL_BANDS * CHL_MEL_FRAMES, sizeof(float));
    if (!kept) return chl_fail(CHL_ERR_MEMORY, "out of memory for a log-mel");
    chl_status status;
    CHL_TRY_GOTO(middle_frames(device, source, mode, kept));
    CHL_TRY_GOTO(resize_picture(device, kept, size, picture));
done:
    free(kept);
    return status;
}

chl_status chl_mel_picture(chl_device *device, const float *wave, int64_t samples,
                           chl_mel_mode mode, float picture[CHL_MEL_SIDE * CHL_MEL_SIDE]) {
    CHL_TRY(check_samples(samples));
    memory_wave memory = {wave, samples, 0};
    chl_wave_source source = {samples, memory_read, memory_rewind, &memory};
    const chl_mel_size size = {CHL_MEL_SIDE, CHL_MEL_SIDE};
    return chl_mel_picture_from(device, &source, mode, size, picture);
}
