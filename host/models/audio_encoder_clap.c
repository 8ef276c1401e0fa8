/* LAION-CLAP's audio encoder HTSAT [Wu et al. 2023; Chen et al. 2022, released code]: a log-mel
 * spectrum of ten seconds at 48 kHz, folded into a square, through a Swin with windows of 8, and two
 * layers that lead into CLAP's space. */
#include "graph/build.h"
#include "models/audio_spectrum.h"
#include "models/clap_names.h"
#include "nets/layers.h"
#include "nets/swin.h"
#include "sound/mel.h"
#include <math.h>
#include <stdlib.h>

#define TAPS 1024
#define BINS (TAPS / 2 + 1)
#define BANDS 64
#define SIDE 256              /* FOLDS * BANDS */
#define FOLDS 4               /* the time is cut into these many parts, one below the other */
#define FRAMES (FOLDS * SIDE) /* to which the spectrum is stretched */
#define FILTERS "spectrogram.filters"
#define RATE 48000
#define MIN_HZ 50 /* of the mel bands */
#define MAX_HZ 14000

/* The released code hears 16 bits of a sample, Hugging Face's all of them. */
#define SPECTRUM(bits)                                                                             \
    {                                                                                              \
        .rate = RATE, .taps = TAPS, .hop = 480, .bins = BINS, .centred = true, .clip = 480000,     \
        .sixteen_bits = (bits), .filters = FILTERS                                                 \
    }
static const chl_audio_spectrum released = SPECTRUM(true), hugging_face = SPECTRUM(false);

typedef struct clap {
    chl_swin_config trunk;
    int hidden, embedding; /* of the two layers behind it */
    const chl_audio_spectrum *spectrum;
    /* [BINS][BANDS] mel filters; factor and summand of each band's decibels */
    float mel[BINS * BANDS], scale[BANDS], shift[BANDS];
} clap;

static bool recognises(const chl_params *params) {
    return chl_params_find(params, "audio_branch.patch_embed.proj.weight") ||
           chl_params_find(params, CHL_CLAP_HF_AUDIO);
}

/* --- opening ---------------------------------------------------------------------------------- */
static chl_status use_shaped(chl_params *params, chl_desc shape, const float **out,
                             const char *name) {
    chl_array *a;
    CHL_TRY(chl_params_use(params, shape.rank, &a, "%s", name));
    char got[96], want[96];
    if (!chl_same_shape(&a->desc, &shape))
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s, expected %s", params->source, name,
                        chl_shape_text(&a->desc, got, sizeof got),
                        chl_shape_text(&shape, want, sizeof want));
    *out = a->data;
    return CHL_OK;
}

/* Hugging Face's file has no front end: a Hann window, and the mel bands below. */
static chl_status add_fourier(chl_params *params) {
    float window[TAPS];
    for (int i = 0; i < TAPS; i++) window[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * i / TAPS));
    return chl_audio_spectrum_add_fourier(params, FILTERS, TAPS, window);
}

/* Triangles of unit area. */
static void fill_mel(clap *c) {
    const double low = chl_mel_from_hz(MIN_HZ), high = chl_mel_from_hz(MAX_HZ);
    for (int b = 0; b < BANDS; b++) {
        double corner[3];
        for (int i = 0; i < 3; i++)
            corner[i] = chl_mel_to_hz(low + (high - low) * (b + i) / (BANDS + 1));
        for (int k = 0; k < BINS; k++) {
            const double hz = (double)k * RATE / TAPS;
            const double up = (hz - corner[0]) / (corner[1] - corner[0]);
            const double down = (corner[2] - hz) / (corner[2] - corner[1]);
            c->mel[k * BANDS + b] = (float)(fmax(0, fmin(up, down)) * 2 / (corner[2] - corner[0]));
        }
    }
}

static chl_status add_filters(chl_params *params) {
    const float *part[2] = {NULL, NULL};
    void *data;
    CHL_TRY(chl_params_add(params, FILTERS, chl_f32(2, 2 * BINS, TAPS), &data));
    CHL_TRY(chl_params_use(params, 2, NULL, FILTERS));
    const chl_desc shape = chl_f32(3, BINS, 1, TAPS);
    CHL_TRY(use_shaped(params, shape, &part[0], "spectrogram_extractor.stft.conv_real.weight"));
    CHL_TRY(use_shaped(params, shape, &part[1], "spectrogram_extractor.stft.conv_imag.weight"));
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < (int64_t)BINS * TAPS; i++)
            ((float *)data)[(int64_t)p * BINS * TAPS + i] = part[p][i];
    return CHL_OK;
}

/* The mel filters, and the batch normalisation of decibels as factor and summand. */
static chl_status read_bands(chl_params *params, clap *c) {
    const float *mel = NULL, *part[4] = {NULL};
    static const char *const names[4] = {"bn0.weight", "bn0.bias", "bn0.running_mean",
                                         "bn0.running_var"};
    if (c->spectrum == &hugging_face)
        fill_mel(c);
    else
        CHL_TRY(use_shaped(params, chl_f32(2, BINS, BANDS), &mel, "logmel_extractor.melW"));
    for (int i = 0; i < 4; i++) CHL_TRY(use_shaped(params, chl_f32(1, BANDS), &part[i], names[i]));
    for (int i = 0; mel && i < BINS * BANDS; i++) c->mel[i] = mel[i];
    for (int b = 0; b < BANDS; b++) {
        c->scale[b] = part[0][b] / sqrtf(part[3][b] + 1e-5f);
        c->shift[b] = part[1][b] - part[2][b] * c->scale[b];
    }
    return CHL_OK;
}

static chl_status use_projection(chl_params *params, clap *c) {
    CHL_TRY(chl_params_use_linear(params, "audio_projection.0", &c->hidden));
    return chl_params_use_linear(params, "audio_projection.2", &c->embedding);
}

/* The text encoder, and what a training and the labels of AudioSet need. */
static void drop_others(chl_params *params) {
    static const char *const others[] = {"text_", "logit_scale", "audio_transform.", "tscam_conv",
                                         "head."};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        chl_params_drop_all(params, others[i], false);
}

static chl_status open(chl_params *params, void **out, chl_audio_encoder_sizes *sizes,
                       int *channels) {
    clap *c = *out = calloc(1, sizeof *c);
    if (!c) return chl_fail(CHL_ERR_MEMORY, "out of memory for an audio encoder");
    c->spectrum = chl_params_has(params, CHL_CLAP_HF_AUDIO) ? &hugging_face : &released;
    CHL_TRY(chl_clap_to_released_names(params));
    CHL_TRY(chl_params_strip(params, "audio_branch."));
    drop_others(params);
    chl_params_ignore_suffix(params, "num_batches_tracked");
    c->trunk.resolution = SIDE;
    CHL_TRY(chl_swin_import_trunk(params, &c->trunk));
    CHL_TRY(use_projection(params, c));
    CHL_TRY(c->spectrum == &hugging_face ? add_fourier(params) : add_filters(params));
    CHL_TRY(read_bands(params, c));
    *sizes = (chl_audio_encoder_sizes){c->embedding, SIDE, SIDE};
    *channels = c->trunk.channels;
    return CHL_OK;
}

/* --- a sound's picture ------------------------------------------------------------------------ */
/* The cubic convolution kernel with a = -3/4. */
static float cubic(float x) {
    const float a = -0.75f;
    x = fabsf(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Value at frame t of FRAMES, of which the first and the last are those of level [frames][BANDS];
 * beyond the ends its frames repeat. */
static float stretched(const float *level, int frames, int band, int t) {
    const float at = (float)t * (float)(frames - 1) / (float)(FRAMES - 1);
    const int first = (int)at;
    float sum = 0;
    for (int k = first - 1; k <= first + 2; k++) {
        const int frame = k < 0 ? 0 : k >= frames ? frames - 1 : k;
        sum += cubic(at - (float)k) * level[frame * BANDS + band];
    }
    return sum;
}

/* level [frames][BANDS]: decibels, normalised */
static void measure_levels(const clap *c, const float *power, int frames, float *level) {
    for (int t = 0; t < frames; t++)
        for (int b = 0; b < BANDS; b++) {
            double sum = 0;
            for (int k = 0; k < BINS; k++)
                sum += (double)power[(int64_t)t * BINS + k] * (double)c->mel[k * BANDS + b];
            level[t * BANDS + b] =
                10 * log10f(fmaxf((float)sum, 1e-10f)) * c->scale[b] + c->shift[b];
        }
}

static chl_status picture_of(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                             float *picture, int *columns) {
    float *power;
    int frames;
    const clap *c = encoder->config;
    CHL_TRY(chl_audio_spectrum_power(encoder, c->spectrum, sound, gain_db, &power, &frames));
    float *level = calloc((size_t)frames * BANDS, sizeof *level);
    if (level) {
        measure_levels(c, power, frames, level);
        for (int t = 0; t < FRAMES; t++)
            for (int b = 0; b < BANDS; b++)
                picture[(t / SIDE * BANDS + b) * SIDE + t % SIDE] = stretched(level, frames, b, t);
    }
    *columns = SIDE;
    free(power);
    free(level);
    return level ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for the spectrum of a sound");
}

/* --- the network ------------------------------------------------------------------------------ */
static chl_desc input(int n, int columns) {
    return chl_f32(4, n, SIDE, columns, 1);
}

static chl_tensor embed(chl_net *net, const void *config, chl_tensor pictures) {
    const clap *c = config;
    chl_tensor x = chl_swin_trunk(net, &c->trunk, pictures);
    x = chl_net_linear(net, x, chl_swin_width(&c->trunk), c->hidden, "audio_projection.0.");
    x = chl_activate(net->graph, x, CHL_LEAKY_RELU, 0);
    x = chl_net_linear(net, x, c->hidden, c->embedding, "audio_projection.2.");
    return chl_row_norm(net->graph, x, CHL_NORM_L2, 1e-12f);
}

const chl_audio_encoder_kind chl_kind_clap = {
    .kind = {"CLAP's audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .open = open,
    .picture = picture_of,
    .hears_level = true,
    .own_space = true,
    .input = input,
    .embed = embed};
