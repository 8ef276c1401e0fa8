#include "models/audio_spectrum.h"
#include "graph/build.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for the spectrum of a sound");
}

/* --- the wave --------------------------------------------------------------------------------- */
/* How many samples are left of the sound. */
static chl_status count_rest(chl_sound *sound, float *scratch, int64_t size, int64_t *count) {
    int64_t got;
    *count = 0;
    do {
        CHL_TRY(chl_sound_read(sound, scratch, size, &got));
        *count += got;
    } while (got == size);
    return CHL_OK;
}

static int64_t max_samples(const chl_audio_spectrum *s) {
    return s->clip ? s->clip : (int64_t)CHL_SPECTRUM_MAX_SECONDS * s->rate;
}

static float prepare_sample(const chl_audio_spectrum *s, float x) {
    if (s->sixteen_bits) x = truncf(32767 * fminf(fmaxf(x, -1), 1)) / 32767;
    return s->scale != 0 ? s->scale * x + s->offset : x;
}

/* Repeats a short wave as often as it fits into a clip. */
static void fill_clip(const chl_audio_spectrum *s, float *wave, int64_t *samples) {
    if (!s->clip) return;
    int64_t at = *samples;
    for (; at + *samples <= s->clip; at += *samples)
        memcpy(wave + at, wave, sizeof *wave * (size_t)*samples);
    memset(wave + at, 0, sizeof *wave * (size_t)(s->clip - at));
    *samples = s->clip;
}

/* --- frames ----------------------------------------------------------------------------------- */
static int frames_of(const chl_audio_spectrum *s, int64_t samples) {
    if (s->centred) return (int)(1 + samples / s->hop);
    return samples <= s->taps ? 1 : (int)(1 + (samples - s->taps + s->hop - 1) / s->hop);
}

chl_status chl_audio_spectrum_add_fourier(chl_params *params, const char *name, int taps,
                                          const float *window) {
    const int bins = taps / 2 + 1;
    void *data;
    CHL_TRY(chl_params_add(params, name, chl_f32(2, 2 * bins, taps), &data));
    float *re = data, *im = re + (int64_t)bins * taps;
    for (int k = 0; k < bins; k++)
        for (int i = 0; i < taps; i++) {
            const double angle = 2 * M_PI * (double)(k * i % taps) / taps;
            re[k * taps + i] = (float)((double)window[i] * cos(angle));
            im[k * taps + i] = (float)((double)window[i] * -sin(angle));
        }
    return chl_params_use(params, 2, NULL, "%s", name);
}

int chl_audio_spectrum_max_frames(const chl_audio_spectrum *s) {
    return frames_of(s, max_samples(s));
}

/* A wave, of which samples `start` to start + held - 1 are in memory, and its place in the frames. */
typedef struct framing {
    const chl_audio_spectrum *spectrum;
    chl_sound *sound; /* the samples behind those come from it; NULL: all are in memory */
    float gain;       /* of the sound's samples */
    float *wave;      /* [max_samples] */
    int64_t start, held;
    int64_t samples;
    int64_t before; /* samples of the first frame that lie before the wave */
    int frames;
} framing;

static void place_frames(framing *f, int64_t samples) {
    const chl_audio_spectrum *s = f->spectrum;
    f->samples = samples;
    f->frames = frames_of(s, samples);
    f->before =
        s->centred ? s->taps / 2 : ((int64_t)(f->frames - 1) * s->hop + s->taps - samples) / 2;
}

/* Sample `at` of the wave continued beyond its ends. */
static float sample(const framing *f, int64_t at) {
    if (at >= 0 && at < f->samples) return f->wave[at - f->start];
    if (!f->spectrum->centred) return 0;
    if (at < 0) at = -at;
    if (at >= f->samples) at = 2 * (f->samples - 1) - at;
    /* a wave of less than half a frame has no mirror image that long */
    return at >= 0 && at < f->samples ? f->wave[at - f->start] : 0;
}

static void write_frame(const framing *f, int frame, float *to) {
    const int64_t first = (int64_t)frame * f->spectrum->hop - f->before;
    for (int i = 0; i < f->spectrum->taps; i++) to[i] = sample(f, first + i);
}

/* --- reading ---------------------------------------------------------------------------------- */
static chl_status read_behind(framing *f, int64_t want) {
    float *to = f->wave + f->held;
    int64_t got;
    CHL_TRY(chl_sound_read(f->sound, to, want, &got));
    for (int64_t i = 0; i < got; i++) to[i] = prepare_sample(f->spectrum, f->gain * to[i]);
    f->held += got;
    return CHL_OK;
}

/* Of the sound, `rest` samples longer than the clip in memory, the middle. */
static chl_status read_middle(framing *f, float *scratch, int64_t rest) {
    const int64_t most = max_samples(f->spectrum);
    CHL_TRY(chl_sound_rewind(f->sound));
    for (int64_t skip = rest / 2, got = 1; skip > 0 && got > 0; skip -= got)
        CHL_TRY(chl_sound_read(f->sound, scratch, skip < most ? skip : most, &got));
    f->held = 0;
    return read_behind(f, most);
}

/* A header's length is not trusted: of a longer sound, whose middle is unknown until its end was seen,
 * the samples are counted first. */
static chl_status read_longer(framing *f) {
    const int64_t most = max_samples(f->spectrum);
    int64_t rest;
    float *scratch = malloc(sizeof *scratch * (size_t)most);
    if (!scratch) return no_memory();
    chl_status status;
    CHL_TRY_GOTO(count_rest(f->sound, scratch, most, &rest));
    if (rest > 0 && f->spectrum->whole) {
        place_frames(f, most + rest);
        f->held = 0;
        status = chl_sound_rewind(f->sound);
    } else if (rest > 0)
        status = read_middle(f, scratch, rest);
done:
    free(scratch);
    return status;
}

/* As much of the sound as fits into memory; all of it where `sound` is NULL afterwards. */
static chl_status read_wave(framing *f) {
    const int64_t most = max_samples(f->spectrum);
    CHL_TRY(read_behind(f, most));
    if (f->held == most) CHL_TRY(read_longer(f));
    if (f->samples > 0) return CHL_OK;
    f->sound = NULL;
    fill_clip(f->spectrum, f->wave, &f->held);
    place_frames(f, f->held);
    return CHL_OK;
}

/* Makes memory hold what frames `first` to first + CHL_SPECTRUM_FRAMES - 1 are made of, and at the
 * wave's end its mirror image. */
static chl_status move_on(framing *f, int first) {
    const chl_audio_spectrum *s = f->spectrum;
    if (!f->sound) return CHL_OK;
    const int64_t from = (int64_t)first * s->hop - s->taps, begin = from > 0 ? from : 0;
    const int64_t end = (int64_t)(first + CHL_SPECTRUM_FRAMES) * s->hop + s->taps;
    f->held -= begin - f->start;
    memmove(f->wave, f->wave + (begin - f->start), sizeof *f->wave * (size_t)f->held);
    f->start = begin;
    return read_behind(f, end - begin - f->held);
}

/* --- filters ---------------------------------------------------------------------------------- */
static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    const chl_audio_spectrum *s = owner;
    const chl_tensor filters =
        chl_weight_shaped(net, chl_f32(2, 2 * s->bins, s->taps), "%s", s->filters);
    to->in[0] = chl_input(net->graph, "frames", chl_f32(2, key->n, s->taps));
    to->out = chl_linear(net->graph, to->in[0], filters, CHL_NONE);
}

static chl_status too_loud(const chl_audio_spectrum *s, int frame) {
    return chl_fail(CHL_ERR_NUMERIC,
                    "the sound near second %.2f is too loud, its level overflows: scale its "
                    "samples to [-1, 1]",
                    (double)((int64_t)frame * s->hop) / s->rate);
}

/* Frames `first` and on, as many as one run takes: frame [RUN][taps], value [RUN][2 * bins], power
 * [RUN][bins]. */
static chl_status filter(chl_audio_encoder *encoder, const framing *f, int first, int n,
                         float *frame, float *value, float *power) {
    const chl_audio_spectrum *s = f->spectrum;
    const chl_graph_key key = {.use = CHL_AUDIO_SPECTRUM, .n = CHL_SPECTRUM_FRAMES};
    for (int i = 0; i < n; i++) write_frame(f, first + i, frame + (int64_t)i * s->taps);
    CHL_TRY(chl_model_run(&encoder->model, &key, build, s,
                          (const void *const[CHL_GRAPH_INPUTS]){frame}, value));
    for (int i = 0; i < n; i++) {
        const float *re = value + (int64_t)i * 2 * s->bins, *im = re + s->bins;
        float *to = power + (int64_t)i * s->bins;
        for (int k = 0; k < s->bins; k++) {
            to[k] = re[k] * re[k] + im[k] * im[k];
            if (!isfinite(to[k])) return too_loud(s, first + i);
        }
    }
    return CHL_OK;
}

static chl_status run_frames(chl_audio_encoder *encoder, framing *f, chl_spectrum_take take,
                             void *user) {
    const chl_audio_spectrum *s = f->spectrum;
    float *frame = calloc((size_t)s->taps * CHL_SPECTRUM_FRAMES, sizeof *frame);
    float *value = malloc(sizeof *value * 2 * (size_t)s->bins * CHL_SPECTRUM_FRAMES);
    float *power = malloc(sizeof *power * (size_t)s->bins * CHL_SPECTRUM_FRAMES);
    chl_status status = CHL_OK;
    if (!frame || !value || !power) CHL_TRY_GOTO(no_memory());
    for (int first = 0; first < f->frames; first += CHL_SPECTRUM_FRAMES) {
        const int left = f->frames - first;
        const int n = left < CHL_SPECTRUM_FRAMES ? left : CHL_SPECTRUM_FRAMES;
        CHL_TRY_GOTO(move_on(f, first));
        CHL_TRY_GOTO(filter(encoder, f, first, n, frame, value, power));
        CHL_TRY_GOTO(take(user, f->frames, first, n, power));
    }
done:
    free(frame);
    free(value);
    free(power);
    return status;
}

chl_status chl_audio_spectrum_run(chl_audio_encoder *encoder, const chl_audio_spectrum *s,
                                  chl_sound *sound, float gain_db, chl_spectrum_take take,
                                  void *user) {
    framing f = {.spectrum = s, .sound = sound, .gain = powf(10, gain_db / 20)};
    chl_status status;
    f.wave = calloc((size_t)max_samples(s), sizeof *f.wave);
    if (!f.wave) return no_memory();
    CHL_TRY_GOTO(chl_sound_set_rate(sound, s->rate));
    CHL_TRY_GOTO(read_wave(&f));
    CHL_TRY_GOTO(run_frames(encoder, &f, take, user));
done:
    free(f.wave);
    return status;
}

/* --- all frames in memory --------------------------------------------------------------------- */
typedef struct kept {
    int bins, frames;
    float *power;
} kept;

static chl_status keep(void *user, int frames, int first, int n, const float *power) {
    kept *k = user;
    if (!k->power) k->power = malloc(sizeof *power * (size_t)frames * (size_t)k->bins);
    if (!k->power) return no_memory();
    k->frames = frames;
    memcpy(k->power + (int64_t)first * k->bins, power, sizeof *power * (size_t)n * (size_t)k->bins);
    return CHL_OK;
}

chl_status chl_audio_spectrum_power(chl_audio_encoder *encoder, const chl_audio_spectrum *s,
                                    chl_sound *sound, float gain_db, float **power, int *frames) {
    kept k = {.bins = s->bins};
    const chl_status status = chl_audio_spectrum_run(encoder, s, sound, gain_db, keep, &k);
    *power = k.power;
    *frames = k.frames;
    if (status == CHL_OK) return CHL_OK;
    free(k.power);
    *power = NULL;
    return status;
}
