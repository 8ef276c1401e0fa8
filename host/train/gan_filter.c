/* Octaves of frequencies, amplified sample by sample. */
#include "graph/ops/compose.h"
#include "train/gan_augment.h"
#include <string.h>

/* --- reflections ------------------------------------------------------------------------------ */
typedef struct frame {
    int side, margin;
} frame;

static int reflect(int at, int side) {
    at = at < 0 ? -at : at;
    return at < side ? at : 2 * (side - 1) - at;
}

/* Of each pixel of the wider pictures the one that it shows. */
static int64_t pixel_shown(const void *context, int64_t i) {
    const frame *f = context;
    const int wide = f->side + 2 * f->margin;
    const int64_t picture = i / ((int64_t)wide * wide);
    const int y = (int)(i / wide % wide), x = (int)(i % wide);
    return (picture * f->side + reflect(y - f->margin, f->side)) * f->side +
           reflect(x - f->margin, f->side);
}

chl_tensor chl_gan_reflect(chl_graph *g, chl_tensor pictures, int margin) {
    const chl_desc d = *chl_desc_of(g, pictures);
    const int n = (int)d.dim[0], wide = (int)d.dim[1] + 2 * margin;
    const frame f = {(int)d.dim[1], margin};
    if (margin >= f.side)
        return chl_graph_fail(g, CHL_ERR_SHAPE,
                              "an augmentation reflects %d pixels of a picture of %d: at least %d "
                              "are needed",
                              margin, f.side, margin + 1);
    const chl_tensor x = chl_rows_at(g, pictures, 3, (int64_t)n * wide * wide, pixel_shown, &f);
    return chl_reshape(g, x, chl_f32(4, n, wide, wide, 3));
}

/* --- the bank --------------------------------------------------------------------------------- */
enum { TAPS = 4, TWICE = 2 * TAPS - 1 };
/* The low-pass filter of the wavelet sym2 [Daubechies 1992]; `high` is its mirror in frequency. */
static const double low[TAPS] = {-0.12940952255092145, 0.22414386804185735, 0.836516303737469,
                                 0.48296291314469025};

/* The filter and its reverse, one after the other: halved, its sum over both bands is 1. */
static void autocorrelate(const double *f, double *out) {
    memset(out, 0, TWICE * sizeof *out);
    for (int i = 0; i < TAPS; i++)
        for (int k = 0; k < TAPS; k++) out[i + TAPS - 1 - k] += f[i] * f[k] / 2;
}

/* A band of an octave is what the next octave's low-pass leaves of it, doubled; the new one is its high-pass.
 */
void chl_gan_filter_bank(float bank[CHL_GAN_BANDS][CHL_GAN_BAND]) {
    double high[TAPS], low2[TWICE], high2[TWICE];
    double now[CHL_GAN_BANDS][CHL_GAN_BAND] = {{1}}, next[CHL_GAN_BANDS][CHL_GAN_BAND];
    int width = 1;
    for (int i = 0; i < TAPS; i++) high[i] = i % 2 ? -low[i] : low[i];
    autocorrelate(low, low2);
    autocorrelate(high, high2);
    for (int octave = 1; octave < CHL_GAN_BANDS; octave++) {
        memset(next, 0, sizeof next);
        for (int b = 0; b < CHL_GAN_BANDS; b++)
            for (int i = 0; i < width; i++)
                for (int k = 0; k < TWICE; k++) next[b][2 * i + k] += now[b][i] * low2[k];
        width = 2 * width - 1 + TWICE - 1;
        for (int k = 0; k < TWICE; k++) next[octave][(width - TWICE) / 2 + k] += high2[k];
        memcpy(now, next, sizeof now);
    }
    for (int b = 0; b < CHL_GAN_BANDS; b++)
        for (int i = 0; i < CHL_GAN_BAND; i++) bank[b][i] = (float)now[b][i];
}

/* --- both axes -------------------------------------------------------------------------------- */
/* With S(f) a picture filtered with f on both axes, which is quadratic in f,
 *     S(sum_i g_i F_i) = sum_i w_ii S(F_i) + sum_i<k g_i g_k S(F_i + F_k),   w_ii = g_i (g_i - sum_k!=i g_k)
 * so that ten fixed filters and a weight of each for every sample do. */
void chl_gan_band_weights(const double gain[CHL_GAN_BANDS], double weight[CHL_GAN_WEIGHTS]) {
    int at = CHL_GAN_BANDS;
    double all = 0;
    for (int i = 0; i < CHL_GAN_BANDS; i++) all += gain[i];
    for (int i = 0; i < CHL_GAN_BANDS; i++) {
        weight[i] = gain[i] * (2 * gain[i] - all);
        for (int k = i + 1; k < CHL_GAN_BANDS; k++) weight[at++] = gain[i] * gain[k];
    }
}

static chl_tensor filtered(chl_graph *g, chl_tensor wide, const float *filter, chl_tensor weight) {
    const chl_filtered settings = {.up = 1, .down = 1, .gain = 1, .slope = 1};
    const chl_tensor f = chl_constant(g, "octaves", chl_f32(1, CHL_GAN_BAND), filter);
    const chl_tensor zero = chl_filled(g, chl_f32(1, 3), 0);
    return chl_scale_rows(g, chl_filtered_lrelu(g, wide, zero, CHL_NONE, f, &settings), weight);
}

chl_tensor chl_gan_filter(chl_graph *g, chl_tensor pictures,
                          const chl_tensor weight[CHL_GAN_WEIGHTS]) {
    float bank[CHL_GAN_BANDS][CHL_GAN_BAND], both[CHL_GAN_BAND];
    chl_gan_filter_bank(bank);
    const chl_tensor wide = chl_gan_reflect(g, pictures, CHL_GAN_BAND / 2);
    chl_tensor total = CHL_NONE;
    int at = CHL_GAN_BANDS;
    for (int i = 0; i < CHL_GAN_BANDS; i++) {
        const chl_tensor own = filtered(g, wide, bank[i], weight[i]);
        total = i ? chl_add(g, total, own) : own;
        for (int k = i + 1; k < CHL_GAN_BANDS; k++) {
            for (int x = 0; x < CHL_GAN_BAND; x++) both[x] = bank[i][x] + bank[k][x];
            total = chl_add(g, total, filtered(g, wide, both, weight[at++]));
        }
    }
    return total;
}
