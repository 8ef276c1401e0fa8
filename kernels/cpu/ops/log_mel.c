/* wave [N,S] -> log-mel picture [N, bands, 1 + S/hop]: framing, window, FFT, power, mel filter bank
 * and decibels, 16 frames at a time with one frame per lane; everything in between stays in the L2
 * cache.
 *
 * A real frame of `fft` samples is transformed as fft/2 complex points (even samples real, odd
 * imaginary) and split afterwards; the filter bank is sparse (two bands per bin), where a dense
 * product would cost as much as the transforms.
 *
 * The split leaves out its factor 1/2, so powers here are four times the true ones; the bands
 * divide by four. */
#include "cpu/lib/dft.h"
#include <math.h>
#include <omp.h>

typedef struct mel_plan {
    const float *window, *filter;
    const float *twiddle; /* [fft, 2] */
    const int32_t *range; /* [bands, 3]: first bin, bins, offset into filter */
    bool halves; /* fft/2 complex points by `transform`; else all of them by chl_lane_dft */
    int fft, hop, bands, reflect, absolute;
    float floor_db, min_power;
    int64_t samples, frames, blocks; /* of one clip; a block is CHL_LANES frames */
    chl_lane_fft transform;
} mel_plan;

/* A thread's memory, cut from the workspace. */
typedef struct mel_space {
    chl_lane_complex *spectrum, *scratch;
    chl_vec *power, *level; /* [fft/2 + 1], [bands] */
    float *span;            /* the samples of a block that reaches beyond the clip's ends */
} mel_space;

static mel_plan plan_of(const chl_call *call) {
    const chl_desc *wave = &call->in_desc[0];
    mel_plan plan = {.window = call->in[1],
                     .filter = call->in[3],
                     .range = call->in[4],
                     .fft = call->attr.mel.fft,
                     .hop = call->attr.mel.hop,
                     .bands = call->attr.mel.bands,
                     .reflect = call->attr.mel.reflect,
                     .absolute = call->attr.mel.absolute,
                     .floor_db = call->attr.mel.floor_db,
                     .min_power = call->attr.mel.min_power,
                     .samples = wave->dim[1],
                     .twiddle = call->in[2]};
    plan.halves = plan.fft >= 16 && (plan.fft & (plan.fft - 1)) == 0;
    if (plan.halves) plan.transform = chl_lane_fft_of(plan.fft / 2, plan.twiddle);
    plan.frames = 1 + plan.samples / plan.hop;
    plan.blocks = (plan.frames + CHL_LANES - 1) / CHL_LANES;
    return plan;
}

static int64_t span_of(const mel_plan *plan) {
    return (int64_t)(CHL_LANES - 1) * plan->hop + plan->fft;
}

/* Bytes of one thread's memory, in whole cache lines; places the parts where `space` is given. */
static size_t lay_out(const mel_plan *plan, char *base, mel_space *space) {
    const int64_t whole = plan->fft;
    const int64_t elements = plan->halves ? chl_lane_fft_elements(&plan->transform) : whole;
    const int64_t scratch = plan->halves ? chl_lane_fft_scratch(&plan->transform) : whole;
    size_t sizes[] = {
        (size_t)elements * sizeof(chl_lane_complex), (size_t)scratch * sizeof(chl_lane_complex),
        (size_t)(plan->fft / 2 + 1) * sizeof(chl_vec), (size_t)plan->bands * sizeof(chl_vec),
        ((size_t)span_of(plan) * sizeof(float) + 63) / 64 * 64};
    size_t at[5], total = 0;
    for (int i = 0; i < 5; i++) {
        at[i] = total;
        total += sizes[i];
    }
    if (space)
        *space = (mel_space){(chl_lane_complex *)(base + at[0]), (chl_lane_complex *)(base + at[1]),
                             (chl_vec *)(base + at[2]), (chl_vec *)(base + at[3]),
                             (float *)(base + at[4])};
    return total;
}

/* The loudest level of each block, stored before the threads' memory. */
static size_t loudest_bytes(const mel_plan *plan, int64_t clips) {
    return ((size_t)(clips * plan->blocks) * sizeof(float) + 63) / 64 * 64;
}

static size_t log_mel_workspace(const chl_call *call) {
    mel_plan plan = plan_of(call);
    return loudest_bytes(&plan, call->in_desc[0].dim[0]) +
           (size_t)omp_get_max_threads() * lay_out(&plan, NULL, NULL);
}

/* The sample of the clip that sample i of the padded clip repeats; -1 = silence. Reflection omits
 * the end sample and is repeated as often as needed (numpy's "reflect"). */
static int64_t padded_index(const mel_plan *plan, int64_t i) {
    int64_t n = plan->samples;
    if (i >= 0 && i < n) return i;
    if (!plan->reflect) return -1;
    if (n == 1) return 0;
    int64_t period = 2 * (n - 1), at = (i % period + period) % period;
    return at < n ? at : period - at;
}

static const float *block_samples(const mel_plan *plan, const float *wave, int64_t block,
                                  float *span) {
    int64_t length = span_of(plan), start = block * CHL_LANES * plan->hop - plan->fft / 2;
    if (start >= 0 && start + length <= plan->samples) return wave + start;
    for (int64_t i = 0; i < length; i++) {
        int64_t from = padded_index(plan, start + i);
        span[i] = from < 0 ? 0 : wave[from];
    }
    return span;
}

/* 16x16 transpose: four rounds, each exchanging the halves of ever larger groups of lanes. */
static inline __attribute__((always_inline)) void transpose(chl_vec *v) {
    chl_vec t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26,
                                       12, 28, 14, 30);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11,
                                           27, 13, 29, 15, 31);
    }
    for (int i = 0; i < 16; i += (i & 1) ? 3 : 1) {
        v[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                                       13, 28, 29);
        v[i + 2] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26,
                                           27, 14, 15, 30, 31);
    }
    for (int j = 0; j < 8; j++) {
        int i = (j & 4) * 2 + (j & 3);
        t[i] = __builtin_shufflevector(v[i], v[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24,
                                       25, 26, 27);
        t[i + 4] = __builtin_shufflevector(v[i], v[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14,
                                           15, 28, 29, 30, 31);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = __builtin_shufflevector(t[i], t[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20,
                                       21, 22, 23);
        v[i + 8] = __builtin_shufflevector(t[i], t[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26,
                                           27, 28, 29, 30, 31);
    }
}

/* Writes windowed samples of 16 frames in the transform's order. */
static void frame(const mel_plan *plan, const float *samples, chl_lane_complex *spectrum) {
    for (int n = 0; n < plan->fft; n += CHL_LANES) {
        chl_vec v[CHL_LANES];
        for (int lane = 0; lane < CHL_LANES; lane++)
            v[lane] = chl_load(samples + lane * plan->hop + n);
        transpose(v);
        for (int i = 0; i < CHL_LANES; i += 2) {
            chl_lane_complex *to = spectrum + chl_lane_fft_input(&plan->transform, (n + i) / 2);
            to->re = v[i] * plan->window[n + i];
            to->im = v[i + 1] * plan->window[n + i + 1];
        }
    }
}

/* Splits the half-length spectrum Z: with E = Z[k] + conj Z[M-k] and O = -i (Z[k] - conj Z[M-k]),
 * 2 X[k] = E + w^k O and 2 conj X[M-k] = E - w^k O. */
static void split_power(const mel_plan *plan, const chl_lane_complex *spectrum, chl_vec *power) {
    const chl_lane_fft *transform = &plan->transform;
    int points = transform->points;
    chl_lane_complex z = spectrum[0];
    power[0] = 4 * (z.re + z.im) * (z.re + z.im);
    power[points] = 4 * (z.re - z.im) * (z.re - z.im);
    z = spectrum[chl_lane_fft_output(transform, points / 2)];
    power[points / 2] = 4 * (z.re * z.re + z.im * z.im);
    for (int k = 1; k < points / 2; k++) {
        chl_lane_complex a = spectrum[chl_lane_fft_output(transform, k)];
        chl_lane_complex b = spectrum[chl_lane_fft_output(transform, points - k)];
        float c = transform->twiddle[2 * k], s = transform->twiddle[2 * k + 1];
        chl_vec even_re = a.re + b.re, even_im = a.im - b.im;
        chl_vec odd_re = a.im + b.im, odd_im = b.re - a.re;
        chl_vec turned_re = odd_re * c - odd_im * s, turned_im = odd_re * s + odd_im * c;
        chl_vec re = even_re + turned_re, im = even_im + turned_im;
        power[k] = re * re + im * im;
        re = even_re - turned_re;
        im = even_im - turned_im;
        power[points - k] = re * re + im * im;
    }
}

/* The powers of 16 frames of any length, four times the true ones as split_power's. */
static void whole_power(const mel_plan *plan, const float *samples, const mel_space *space) {
    for (int n = 0; n < plan->fft; n++) {
        chl_vec v = {0};
        for (int lane = 0; lane < CHL_LANES; lane++) v[lane] = samples[lane * plan->hop + n];
        space->spectrum[n].re = v * plan->window[n];
        space->spectrum[n].im = chl_splat(0);
    }
    const chl_lane_complex *z =
        chl_lane_dft(plan->fft, plan->twiddle, space->spectrum, space->scratch);
    for (int k = 0; k <= plan->fft / 2; k++)
        space->power[k] = 4 * (z[k].re * z[k].re + z[k].im * z[k].im);
}

/* 10 log10(x) for normal x > 0: exponent, then log of the mantissa m in [1/sqrt 2, sqrt 2) as
 * 2 atanh(s), s = (m-1)/(m+1); |s| < 0.172, so the first term left out is below 1e-9. */
static inline chl_vec decibels(chl_vec x) {
    chl_ivec bits = (chl_ivec)x;
    chl_ivec exponent = (bits - 0x3f3504f3) >> 23; /* the bits of 1/sqrt 2 */
    chl_vec m = (chl_vec)(bits - exponent * (1 << 23));
    chl_vec s = (m - 1) / (m + 1), s2 = s * s;
    chl_vec series = 1 + s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9))));
    return __builtin_convertvector(exponent, chl_vec) * 3.01029995664f +
           s * series * 8.68588963807f + 0 * x; /* NaN and infinity stay NaN */
}

/* Both return NaN where `a` is NaN: a broken sound must not give a plausible picture. */
static inline chl_vec max_keep_nan(chl_vec a, chl_vec b) {
    chl_ivec less = a < b;
    return (chl_vec)((less & (chl_ivec)b) | (~less & (chl_ivec)a));
}
static inline chl_vec min_keep_nan(chl_vec a, chl_vec b) {
    chl_ivec more = a > b;
    return (chl_vec)((more & (chl_ivec)b) | (~more & (chl_ivec)a));
}

/* Levels of one block in dB; returns the loudest of the frames that exist. */
static float block_levels(const mel_plan *plan, const float *wave, int64_t block,
                          const mel_space *space) {
    const float *samples = block_samples(plan, wave, block, space->span);
    if (plan->halves) {
        frame(plan, samples, space->spectrum);
        chl_lane_fft_run(&plan->transform, space->spectrum, space->scratch);
        split_power(plan, space->spectrum, space->power);
    } else {
        whole_power(plan, samples, space);
    }
    chl_vec loudest = chl_splat(-INFINITY);
    for (int band = 0; band < plan->bands; band++) {
        const int32_t *range = plan->range + 3 * band;
        const float *weight = plan->filter + range[2];
        const chl_vec *power = space->power + range[0];
        chl_vec sum = {0}, sum2 = {0};
        int i = 0;
        for (; i + 2 <= range[1]; i += 2) {
            sum += power[i] * weight[i];
            sum2 += power[i + 1] * weight[i + 1];
        }
        if (i < range[1]) sum += power[i] * weight[i];
        chl_vec level = decibels(max_keep_nan((sum + sum2) * 0.25f, chl_splat(plan->min_power)));
        space->level[band] = level;
        loudest = max_keep_nan(loudest, level);
    }
    float max_level = loudest[0];
    for (int lane = 1; lane < CHL_LANES && block * CHL_LANES + lane < plan->frames; lane++)
        if (loudest[lane] > max_level) max_level = loudest[lane];
    return max_level;
}

/* Decibels to the picture's range: 0 dB below `reference` is 1, floor_db below is 0. */
static inline chl_vec shade(const mel_plan *plan, chl_vec level, float reference) {
    if (plan->floor_db == 0) return level - reference;
    chl_vec y = (level - reference) * (1 / plan->floor_db) + 1;
    return min_keep_nan(max_keep_nan(y, chl_splat(0)), chl_splat(1));
}

/* Writes a block's part of the picture from space->level, without the frames beyond the row's end.
 */
static void put_block(const mel_plan *plan, const mel_space *space, int64_t block, float reference,
                      float *mel, int accumulate) {
    int64_t first = block * CHL_LANES;
    for (int band = 0; band < plan->bands; band++) {
        chl_vec y = shade(plan, space->level[band], reference);
        float *to = mel + band * plan->frames + first;
        if (!accumulate && first + CHL_LANES <= plan->frames) {
            chl_store(to, y);
            continue;
        }
        for (int lane = 0; lane < CHL_LANES && first + lane < plan->frames; lane++)
            chl_put(to + lane, y[lane], accumulate);
    }
}

static float clip_loudest(const mel_plan *plan, const float *loudest) {
    float max_level = loudest[0];
    for (int64_t i = 1; i < plan->blocks; i++)
        if (loudest[i] > max_level) max_level = loudest[i];
    return max_level;
}

/* One row of levels that the first phase left in the picture. */
static void shade_row(const mel_plan *plan, float *row, float reference) {
    int64_t i = 0;
    for (; i + CHL_LANES <= plan->frames; i += CHL_LANES)
        chl_store(row + i, shade(plan, chl_load(row + i), reference));
    for (; i < plan->frames; i++) row[i] = shade(plan, chl_splat(row[i]), reference)[0];
}

/* A clip's own maximum as the reference is known only after all its blocks: the first phase stores
 * decibels in the output, the second converts them in place. An accumulating output cannot store
 * them, so there the second phase computes the blocks again; no graph does that (the op has no
 * gradient). */
static chl_kernel_status log_mel_run(const chl_call *call) {
    mel_plan plan = plan_of(call);
    const float *wave = call->in[0];
    float *mel = call->out[0], *loudest = call->workspace;
    if (!mel) return CHL_KERNEL_OK;
    int64_t clips = call->in_desc[0].dim[0], picture = plan.bands * plan.frames;
    int accumulate = chl_accumulates(call, 0), two_phases = !plan.absolute;
    char *shares = (char *)call->workspace + loudest_bytes(&plan, clips);
    size_t share = lay_out(&plan, NULL, NULL);
    mel_plan raw = plan;
    raw.floor_db = 0;
#pragma omp parallel
    {
        mel_space space;
        lay_out(&plan, shares + share * (size_t)omp_get_thread_num(), &space);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < clips * plan.blocks; i++) {
            int64_t clip = i / plan.blocks, block = i % plan.blocks;
            loudest[i] = block_levels(&plan, wave + clip * plan.samples, block, &space);
            if (!two_phases)
                put_block(&plan, &space, block, 0, mel + clip * picture, accumulate);
            else if (!accumulate)
                put_block(&raw, &space, block, 0, mel + clip * picture, 0);
        }
        if (two_phases && !accumulate) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < clips * plan.bands; i++)
                shade_row(&plan, mel + i * plan.frames,
                          clip_loudest(&plan, loudest + i / plan.bands * plan.blocks));
        }
        if (two_phases && accumulate) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < clips * plan.blocks; i++) {
                int64_t clip = i / plan.blocks, block = i % plan.blocks;
                block_levels(&plan, wave + clip * plan.samples, block, &space);
                put_block(&plan, &space, block, clip_loudest(&plan, loudest + clip * plan.blocks),
                          mel + clip * picture, 1);
            }
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_log_mel = {.run = log_mel_run, .workspace = log_mel_workspace};
