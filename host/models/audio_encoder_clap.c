/* LAION-CLAP's audio encoder HTSAT [Wu et al. 2023; Chen et al. 2022, released code]: a log-mel
 * spectrum of ten seconds at 48 kHz, folded into a square, through a Swin with windows of 8, and two
 * layers that lead into CLAP's space.
 *
 * With feature fusion a longer sound has four squares (nets/clap_fusion.h): the spectrum of all of it,
 * shrunk to that of ten seconds, and three parts of ten seconds. */
#include "graph/build.h"
#include "models/audio_spectrum.h"
#include "models/clap_names.h"
#include "nets/clap_fusion.h"
#include "nets/layers.h"
#include "nets/swin.h"
#include "sound/mel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAPS 1024
#define BINS (TAPS / 2 + 1)
#define BANDS 64
#define SIDE 256              /* FOLDS * BANDS */
#define FOLDS 4               /* the time is cut into these many parts, one below the other */
#define FRAMES (FOLDS * SIDE) /* to which the spectrum is stretched */
#define CLIP_FRAMES 1001      /* of the spectrum of ten seconds */
#define FILTERS "spectrogram.filters"
#define RATE 48000
#define MIN_HZ 50 /* of the mel bands */
#define MAX_HZ 14000

typedef struct clap {
    chl_swin_config trunk;
    bool fuses;
    chl_clap_fusion fusion; /* where it fuses */
    int hidden, embedding;  /* of the two layers behind it */
    chl_audio_spectrum spectrum;
    /* [BINS][BANDS] mel filters; factor and summand of each band's decibels */
    float mel[BINS * BANDS], scale[BANDS], shift[BANDS];
} clap;

static bool fuses(const chl_params *params) {
    return chl_params_find(params, "audio_branch.patch_embed.mel_conv2d.weight") ||
           chl_params_find(params, CHL_CLAP_HF_FUSION);
}

static bool recognises(const chl_params *params) {
    return (chl_params_find(params, "audio_branch.patch_embed.proj.weight") ||
            chl_params_find(params, CHL_CLAP_HF_AUDIO)) &&
           !fuses(params);
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

/* A Hann window. */
static chl_status add_fourier(chl_params *params) {
    float window[TAPS];
    for (int i = 0; i < TAPS; i++) window[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * i / TAPS));
    return chl_audio_spectrum_add_fourier(params, FILTERS, TAPS, window);
}

/* HTK's mel scale: 1000 mel at 1 kHz. */
static double htk_from_hz(double hz) {
    return 2595 * log10(1 + hz / 700);
}
static double htk_to_hz(double mel) {
    return 700 * (pow(10, mel / 2595) - 1);
}

/* Triangles: of unit area on Slaney's scale, with fusion of unit height on HTK's. */
static void fill_mel(clap *c) {
    double (*const from_hz)(double) = c->fuses ? htk_from_hz : chl_mel_from_hz;
    double (*const to_hz)(double) = c->fuses ? htk_to_hz : chl_mel_to_hz;
    const double low = from_hz(MIN_HZ), high = from_hz(MAX_HZ);
    for (int b = 0; b < BANDS; b++) {
        double corner[3];
        for (int i = 0; i < 3; i++) corner[i] = to_hz(low + (high - low) * (b + i) / (BANDS + 1));
        const double area = c->fuses ? 2 : corner[2] - corner[0];
        for (int k = 0; k < BINS; k++) {
            const double hz = (double)k * RATE / TAPS;
            const double up = (hz - corner[0]) / (corner[1] - corner[0]);
            const double down = (corner[2] - hz) / (corner[2] - corner[1]);
            c->mel[k * BANDS + b] = (float)(fmax(0, fmin(up, down)) * 2 / area);
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

/* The batch normalisation of decibels as factor and summand. */
static chl_status read_bands(chl_params *params, clap *c) {
    const float *part[4] = {NULL};
    static const char *const names[4] = {"bn0.weight", "bn0.bias", "bn0.running_mean",
                                         "bn0.running_var"};
    for (int i = 0; i < 4; i++) CHL_TRY(use_shaped(params, chl_f32(1, BANDS), &part[i], names[i]));
    for (int b = 0; b < BANDS; b++) {
        c->scale[b] = part[0][b] / sqrtf(part[3][b] + 1e-5f);
        c->shift[b] = part[1][b] - part[2][b] * c->scale[b];
    }
    return CHL_OK;
}

/* Hugging Face's files have no front end. The released files with fusion have one that is not used. */
static chl_status make_front_end(chl_params *params, clap *c, bool released) {
    const float *mel = NULL;
    if (released && !c->fuses) {
        CHL_TRY(use_shaped(params, chl_f32(2, BINS, BANDS), &mel, "logmel_extractor.melW"));
        memcpy(c->mel, mel, sizeof c->mel);
        return add_filters(params);
    }
    chl_params_drop_all(params, "logmel_extractor.", false);
    chl_params_drop_all(params, "spectrogram_extractor.", false);
    fill_mel(c);
    return add_fourier(params);
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

/* The released code hears 16 bits of a sample, Hugging Face's all of them. */
static chl_audio_spectrum spectrum_of(const clap *c, bool released) {
    return (chl_audio_spectrum){.rate = RATE,
                                .taps = TAPS,
                                .hop = 480,
                                .bins = BINS,
                                .centred = true,
                                .clip = 480000,
                                .whole = c->fuses,
                                .sixteen_bits = released,
                                .filters = FILTERS};
}

static chl_status open(chl_params *params, void *to, chl_audio_encoder_sizes *sizes) {
    clap *c = to;
    const bool released = !chl_params_has(params, CHL_CLAP_HF_AUDIO);
    CHL_TRY(chl_clap_to_released_names(params));
    CHL_TRY(chl_params_strip(params, "audio_branch."));
    drop_others(params);
    chl_params_ignore_suffix(params, "num_batches_tracked");
    c->trunk.resolution = SIDE;
    CHL_TRY(chl_swin_import_trunk(params, &c->trunk));
    c->fuses = chl_clap_fusion_is_in(params);
    if (c->fuses) CHL_TRY(chl_clap_fusion_import(params, &c->trunk, &c->fusion));
    c->spectrum = spectrum_of(c, released);
    CHL_TRY(use_projection(params, c));
    CHL_TRY(make_front_end(params, c, released));
    CHL_TRY(read_bands(params, c));
    *sizes = (chl_audio_encoder_sizes){.embedding = c->embedding,
                                       .trunk = chl_swin_width(&c->trunk),
                                       .rows = SIDE,
                                       .columns = c->fuses ? chl_clap_fusion_rows(&c->trunk) : SIDE,
                                       .channels = c->trunk.channels};
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

/* A sound's level [frames][BANDS]: decibels, normalised. */
typedef struct levels {
    const clap *clap;
    int frames;
    float *level;
} levels;

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for the spectrum of a sound");
}

static chl_status take_levels(void *user, int frames, int first, int n, const float *power) {
    levels *l = user;
    const clap *c = l->clap;
    if (!l->level) l->level = calloc((size_t)frames * BANDS, sizeof *l->level);
    if (!l->level) return no_memory();
    l->frames = frames;
    for (int t = 0; t < n; t++)
        for (int b = 0; b < BANDS; b++) {
            double sum = 0;
            for (int k = 0; k < BINS; k++)
                sum += (double)power[(int64_t)t * BINS + k] * (double)c->mel[k * BANDS + b];
            l->level[((int64_t)first + t) * BANDS + b] =
                10 * log10f(fmaxf((float)sum, 1e-10f)) * c->scale[b] + c->shift[b];
        }
    return CHL_OK;
}

/* level [frames][BANDS] -> square [SIDE][SIDE] */
static void fold(const float *level, int frames, float *square) {
    for (int t = 0; t < FRAMES; t++)
        for (int b = 0; b < BANDS; b++)
            square[(t / SIDE * BANDS + b) * SIDE + t % SIDE] = stretched(level, frames, b, t);
}

/* to [CLIP_FRAMES][BANDS]: linear between the centres of frames */
static void shrink(const levels *l, float *to) {
    const double step = (double)l->frames / CLIP_FRAMES;
    for (int t = 0; t < CLIP_FRAMES; t++) {
        const double at = (t + 0.5) * step - 0.5;
        const int64_t left = (int64_t)at, right = left + 1 < l->frames ? left + 1 : left;
        const float share = (float)(at - (double)left);
        for (int b = 0; b < BANDS; b++)
            to[t * BANDS + b] =
                (1 - share) * l->level[left * BANDS + b] + share * l->level[right * BANDS + b];
    }
}

/* The first frame of a part: the places that ten seconds have in the sound are cut into three ranges,
 * of which the first ones are longer by one where they cannot be equal; the part begins in the middle
 * of its range. Upstream draws it from the range. An empty range is place 0. */
static int start_of_part(int frames, int part) {
    const int places = frames - CLIP_FRAMES + 1;
    const int size = places / CHL_CLAP_PARTS, longer = places % CHL_CLAP_PARTS;
    const int length = size + (part < longer);
    const int first = part * size + (part < longer ? part : longer);
    return length ? first + length / 2 : 0;
}

/* picture [chl_clap_fusion_rows][SIDE], zeros, of a sound of more than CLIP_FRAMES */
static chl_status write_squares(const levels *l, float *picture) {
    const clap *c = l->clap;
    float *const parts = picture + SIDE * SIDE;
    float *const last = parts + CHL_CLAP_PARTS * SIDE * SIDE;
    float *square = malloc(sizeof *square * SIDE * SIDE);
    float *shrunk = malloc(sizeof *shrunk * CLIP_FRAMES * BANDS);
    chl_status status = CHL_OK;
    if (!square || !shrunk) CHL_TRY_GOTO(no_memory());
    shrink(l, shrunk);
    fold(shrunk, CLIP_FRAMES, picture);
    for (int part = 0; part < CHL_CLAP_PARTS; part++) {
        const int64_t start = start_of_part(l->frames, part);
        fold(l->level + start * BANDS, CLIP_FRAMES, square);
        for (int i = 0; i < SIDE * SIDE; i++) {
            const int64_t place = chl_clap_fusion_place(&c->trunk, part, i / SIDE, i % SIDE);
            if (place >= 0) parts[place] = square[i];
        }
    }
    for (int i = 0; i < SIDE; i++) last[i] = 1;
done:
    free(square);
    free(shrunk);
    return status;
}

static chl_status picture_of(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                             float *picture, int *columns) {
    const clap *c = encoder->config;
    levels l = {.clap = c};
    chl_status status =
        chl_audio_spectrum_run(encoder, &c->spectrum, sound, gain_db, take_levels, &l);
    *columns = encoder->sizes.columns;
    memset(picture, 0, sizeof *picture * (size_t)chl_audio_encoder_pixels(encoder));
    if (status == CHL_OK && l.frames > CLIP_FRAMES)
        status = write_squares(&l, picture);
    else if (status == CHL_OK)
        fold(l.level, l.frames, picture);
    free(l.level);
    return status;
}

/* --- the network ------------------------------------------------------------------------------ */
/* With fusion the encoder's columns are this input's rows, which are its only size that files differ
 * in. */
static chl_desc input_of_fusion(int n, int columns) {
    return chl_f32(4, n, columns, SIDE, 1);
}

static chl_tensor trunk(chl_net *net, const void *config, chl_tensor pictures) {
    const clap *c = config;
    const chl_tensor x = c->fuses ? chl_clap_fusion_patches(net, &c->trunk, &c->fusion, pictures)
                                  : chl_swin_patches(net, &c->trunk, pictures);
    return chl_swin_stages(net, &c->trunk, x);
}

static chl_tensor head(chl_net *net, const void *config, chl_tensor features) {
    const clap *c = config;
    const chl_tensor x =
        chl_net_linear(net, features, chl_swin_width(&c->trunk), c->hidden, "audio_projection.0.");
    return chl_net_linear(net, chl_activate(net->graph, x, CHL_LEAKY_RELU, 0), c->hidden,
                          c->embedding, "audio_projection.2.");
}

const chl_audio_encoder_kind chl_kind_clap = {
    .kind = {"CLAP's audio encoder", CHL_ROLE_AUDIO_ENCODER, recognises},
    .hears =
        "ten seconds at 48 kHz: of a longer sound the middle, a shorter one as often as it fits",
    .config_bytes = sizeof(clap),
    .open = open,
    .picture = picture_of,
    .hears_level = true,
    .own_space = true,
    .trunk = trunk,
    .head = head};

const chl_audio_encoder_kind chl_kind_clap_fused = {
    .kind = {"CLAP's audio encoder with feature fusion", CHL_ROLE_AUDIO_ENCODER, fuses},
    .hears =
        "ten seconds at 48 kHz: a shorter sound as often as it fits; of a longer one the whole, "
        "shrunk to ten seconds, and three parts",
    .config_bytes = sizeof(clap),
    .open = open,
    .picture = picture_of,
    .hears_level = true,
    .own_space = true,
    .input = input_of_fusion,
    .trunk = trunk,
    .head = head};
