/* Sound to log-mel picture: the rule, and the builder with its constant tables (METHOD section 1).
 */
#include "base/free.h"
#include "graph/build.h"
#include "graph/rule.h"
#include <math.h>
#include <stdlib.h>

static chl_status infer_log_mel(chl_shapes *s) {
    int32_t fft = s->attr->mel.fft, hop = s->attr->mel.hop, bands = s->attr->mel.bands;
    if (fft < 2 || fft > 65536)
        return chl_fail(CHL_ERR_SHAPE, "fft size %d is not between 2 and 65536", fft);
    if (hop < 1 || bands < 1)
        return chl_fail(CHL_ERR_SHAPE, "hop %d and bands %d must be at least 1", hop, bands);
    if (s->in[0].rank != 2 || s->in[0].dim[0] < 1 || s->in[0].dim[1] < 1)
        return chl_fail(CHL_ERR_SHAPE, "the wave must be [clips, samples], both at least 1");
    if (chl_count(&s->in[1]) != fft || chl_count(&s->in[2]) != 2 * (int64_t)fft)
        return chl_fail(CHL_ERR_SHAPE, "window and twiddles must be [%d] and [%d,2]", fft, fft);
    if (s->in[4].dtype != CHL_I32 || chl_count(&s->in[4]) != 3 * (int64_t)bands)
        return chl_fail(CHL_ERR_SHAPE, "the filter's ranges must be int32 [%d,3]", bands);
    int64_t dim[3] = {s->in[0].dim[0], bands, 1 + s->in[0].dim[1] / hop};
    s->out[0] = chl_make_desc(CHL_F32, 3, dim);
    return CHL_OK;
}

/* A real transform of n points counts 2.5 n log2 n; the filter bank touches each bin twice. */
static double flops_log_mel(const chl_shapes *s) {
    double fft = s->attr->mel.fft;
    double frame = fft + 2.5 * fft * log2(fft) + 3 * fft / 2 + 2 * fft;
    return frame * (double)(s->out[0].dim[0] * s->out[0].dim[2]);
}

const chl_rule chl_rule_log_mel = {infer_log_mel, .flops = flops_log_mel};

/* --- tables ----------------------------------------------------------------------------------- */
/* Slaney's mel scale (Auditory Toolbox): linear below 1 kHz, logarithmic above. */
static const double mel_hz = 200.0 / 3, knee_hz = 1000, knee_mel = 15, octave = 0.068751777420949;

static double hz_to_mel(double hz) {
    return hz < knee_hz ? hz / mel_hz : knee_mel + log(hz / knee_hz) / octave;
}
static double mel_to_hz(double mel) {
    return mel < knee_mel ? mel * mel_hz : knee_hz * exp(octave * (mel - knee_mel));
}

/* Weight of bin k in a band whose triangle has the corners low, centre, high (Hz), with Slaney's
 * normalisation to unit area. */
static double triangle(const double corner[3], double hz) {
    double up = (hz - corner[0]) / (corner[1] - corner[0]);
    double down = (corner[2] - hz) / (corner[2] - corner[1]);
    double height = fmax(0, fmin(up, down));
    return height * 2 / (corner[2] - corner[0]);
}

typedef struct mel_tables {
    float *window, *twiddle, *filter;
    int32_t *range;
    int64_t weights;
    double full_scale; /* power that the loudest full-scale sine gives in the band that hears it
                          best */
} mel_tables;

static void corners_of(const chl_mel_settings *m, int band, double corner[3]) {
    double most = hz_to_mel(m->rate / 2.0);
    for (int i = 0; i < 3; i++) corner[i] = mel_to_hz(most * (band + i) / (m->bands + 1));
}

static void fill_filter(const chl_mel_settings *m, mel_tables *t) {
    double bin_hz = (double)m->rate / m->fft;
    for (int band = 0; band < m->bands; band++) {
        double corner[3];
        corners_of(m, band, corner);
        int32_t *range = t->range + 3 * band;
        range[2] = (int32_t)t->weights;
        for (int k = 0; k <= m->fft / 2; k++) {
            double weight = triangle(corner, k * bin_hz);
            if (weight <= 0) continue;
            if (range[1]++ == 0) range[0] = k;
            t->filter[t->weights++] = (float)weight;
        }
        /* a Hann window spreads a sine of bin k over k-1, k, k+1 with powers 1/4, 1, 1/4 */
        for (int k = 0; k <= m->fft / 2; k++) {
            double heard =
                triangle(corner, k * bin_hz) +
                (triangle(corner, (k - 1) * bin_hz) + triangle(corner, (k + 1) * bin_hz)) / 4;
            t->full_scale = fmax(t->full_scale, heard * m->fft / 4 * m->fft / 4);
        }
    }
}

static bool make_tables(const chl_mel_settings *m, mel_tables *t) {
    t->window = malloc((size_t)m->fft * sizeof(float));
    t->twiddle = malloc((size_t)m->fft * 2 * sizeof(float));
    /* neighbouring triangles overlap: no bin is in more than two bands */
    t->filter = calloc((size_t)m->fft + 2, sizeof(float));
    t->range = calloc((size_t)m->bands * 3, sizeof(int32_t));
    if (!t->window || !t->twiddle || !t->filter || !t->range) return false;
    for (int i = 0; i < m->fft; i++) {
        double turn = 2 * M_PI * i / m->fft;
        t->window[i] = (float)(0.5 - 0.5 * cos(turn));
        t->twiddle[2 * i] = (float)cos(turn);
        t->twiddle[2 * i + 1] = (float)-sin(turn);
    }
    fill_filter(m, t);
    return true;
}

static void free_tables(mel_tables *t) {
    CHL_FREE(t->window, t->twiddle, t->filter, t->range);
}

chl_tensor chl_log_mel(chl_graph *g, chl_tensor wave, const chl_mel_settings *settings) {
    if (wave == CHL_NONE) return CHL_NONE;
    if (settings->fft < 2 || settings->fft > 65536 || settings->bands < 1 || settings->rate < 1 ||
        settings->min_power <= 0 || settings->floor_db < 0)
        return chl_graph_fail(g, CHL_ERR_ARGUMENT,
                              "log_mel: fft %d (2 to 65536), bands %d, rate %d, "
                              "min_power %g (above 0) or floor %g dB makes no sense",
                              settings->fft, settings->bands, settings->rate,
                              (double)settings->min_power, (double)settings->floor_db);
    mel_tables t = {0};
    if (!make_tables(settings, &t)) {
        free_tables(&t);
        return chl_graph_fail(g, CHL_ERR_MEMORY, "log_mel: out of memory");
    }
    if (settings->absolute && t.full_scale <= 0) {
        free_tables(&t);
        return chl_graph_fail(g, CHL_ERR_ARGUMENT,
                              "log_mel: no band of %d hears a sine of any bin of fft %d at %d Hz: "
                              "there is no full scale; expected a larger fft, or absolute false",
                              settings->bands, settings->fft, settings->rate);
    }
    chl_attributes attr = {.mel = {.fft = settings->fft,
                                   .hop = settings->hop,
                                   .bands = settings->bands,
                                   .reflect = settings->reflect,
                                   .absolute = settings->absolute,
                                   .floor_db = settings->floor_db,
                                   .min_power = settings->min_power}};
    /* The kernel's absolute reference is always power 1: the level of full scale goes into the
     * filter and into `min_power`. */
    if (settings->absolute) {
        attr.mel.min_power = (float)(settings->min_power / t.full_scale);
        for (int64_t i = 0; i < t.weights; i++) t.filter[i] = (float)(t.filter[i] / t.full_scale);
    }
    chl_tensor in[5] = {
        wave, chl_constant(g, "mel.window", chl_f32(1, settings->fft), t.window),
        chl_constant(g, "mel.twiddle", chl_f32(2, settings->fft, 2), t.twiddle),
        chl_constant(g, "mel.filter", chl_f32(1, (int)(t.weights ? t.weights : 1)), t.filter),
        chl_constant(g, "mel.range", chl_i32(2, settings->bands, 3), t.range)};
    free_tables(&t);
    return chl_emit1(g, CHL_OP_log_mel, &attr, 5, in);
}
