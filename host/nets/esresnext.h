/* AudioCLIP's audio encoder [Guzhov et al. 2021]: trained filters (fbsp) in the place of a Fourier
 * transform, ResNeXt-50 [Xie et al. 2017] on the power spectrum in decibels, and beside each stage
 * a branch that looks at the stage's input and says where its output matters.
 *
 *     chl_esresnext_config config;
 *     CHL_TRY(chl_esresnext_import(params, &config));
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor features = chl_esresnext_trunk(&net, &config, spectrum);
 *     chl_tensor embedding = chl_unit_rows(g, chl_esresnext_head(&net, &config, features));
 *
 * Two kinds of layers are rewritten on import, exactly: a grouped convolution becomes a whole one
 * with zeros between the groups, and a branch's depthwise and pointwise convolution one of a square
 * kernel. This costs about 20 times the multiplications of these layers, and no kernel of our own
 * for a network that sees one sound at a time. */
#ifndef CHL_NETS_ESRESNEXT_H
#define CHL_NETS_ESRESNEXT_H
#include "nets/net.h"

/* The filters: CHL_FBSP_BINS complex ones of CHL_FBSP_FFT taps, of which the window keeps
 * CHL_FBSP_TAPS. */
#define CHL_FBSP_FFT 2048
#define CHL_FBSP_TAPS 1654
#define CHL_FBSP_HOP 561
#define CHL_FBSP_BINS (CHL_FBSP_FFT / 2 + 1)
#define CHL_FBSP_FILTERS "fbsp.filters" /* [2 * CHL_FBSP_BINS][CHL_FBSP_TAPS] */

/* The spectrum is cut into three bands, which are the channels of the network's picture. */
#define CHL_ESRESNEXT_CHANNELS 3
#define CHL_ESRESNEXT_ROWS (CHL_FBSP_BINS / CHL_ESRESNEXT_CHANNELS)
#define CHL_ESRESNEXT_STAGES 4

typedef struct chl_esresnext_config {
    int stem;                        /* channels of the first convolution: 64 */
    int depth[CHL_ESRESNEXT_STAGES]; /* bottlenecks: 3, 4, 6, 3 */
    int width[CHL_ESRESNEXT_STAGES]; /* of their grouped convolution: 128, 256, 512, 1024 */
    int out[CHL_ESRESNEXT_STAGES];   /* channels behind a stage: 256, 512, 1024, 2048 */
    int embed;
} chl_esresnext_config;

/* Expects the encoder's own names, without AudioCLIP's prefix "audio."; reads sizes off the shapes,
 * makes the filters from `fbsp.m`, `fbsp.fb`, `fbsp.fc` and `window`, rewrites layers as said
 * above. Marks its arrays used; a missing one is CHL_ERR_KEY. */
chl_status chl_esresnext_import(chl_params *params, chl_esresnext_config *config);

/* x [N,CHL_ESRESNEXT_ROWS,frames,CHL_ESRESNEXT_CHANNELS], decibels -> [N,channels behind the last stage] */
chl_tensor chl_esresnext_trunk(chl_net *net, const chl_esresnext_config *config, chl_tensor x);
/* The last layer: those -> [N,embed] */
chl_tensor chl_esresnext_head(chl_net *net, const chl_esresnext_config *config, chl_tensor x);
#endif
