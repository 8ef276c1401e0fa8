/* Swin transformer [Liu et al. 2021], the audio encoder: mel picture -> embedding. Four stages of
 * attention within windows, every second block with windows shifted by half; between stages 2x2
 * patches are merged, so that the map halves and the width doubles.
 *
 *     chl_swin_config config = {0};
 *     CHL_TRY(chl_swin_import(params, &config));     Microsoft's, timm's, the paper authors' names
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_TRAINABLE};
 *     chl_tensor head = chl_swin(&net, &config, mel);                     mel [N,224,224,1]
 *     chl_net_done(&net);
 *
 * Our names are Microsoft's, which timm before 0.9 uses too. */
#ifndef CHL_NETS_SWIN_H
#define CHL_NETS_SWIN_H
#include "nets/net.h"

#define CHL_SWIN_STAGES 6

/* Set to zero, or preset the first group; chl_swin_import fills in the second from the shapes. */
typedef struct chl_swin_config {
    int resolution;    /* of the input; no shape determines it; 0: 224 */
    bool sum_channels; /* import: the patch weights of a picture model (3 channels) are replaced by
                          their sum (1 channel) */
    float drop_path;  /* stochastic depth: the rate grows linearly from 0 in the first block to this
                         in the last one; for training only, 0.1 */
    uint32_t purpose; /* Philox key of the first drop-path node, the others count up from it; each
                         application of the network needs its own */

    int channels, patch, embed, classes;
    int stages;
    int depth[CHL_SWIN_STAGES], heads[CHL_SWIN_STAGES], window[CHL_SWIN_STAGES];
    int mlp[CHL_SWIN_STAGES]; /* hidden width */
} chl_swin_config;

/* Swin-T with one input channel and 512 outputs. */
chl_swin_config chl_swin_tiny(void);

/* Removes the prefix `feature_extractor.`, renames the keys of timm since 0.9, reads sizes off the
 * shapes, checks that every key is present and marks it used. `logit_scale_ai` and `logit_scale_at`
 * become [1] where present. */
chl_status chl_swin_import(chl_params *params, chl_swin_config *config);

/* The same of the trunk alone, from the patches to the last normalisation, whose names have no
 * prefix. Sets all but `classes`. */
chl_status chl_swin_import_trunk(chl_params *params, chl_swin_config *config);

/* Initial weights as timm draws them (its truncation at +-100 deviations never matters), and both
 * logit scales at ln(1/0.07). Reads the second group and the resolution of `config`; window and mlp
 * may be 0: 7, or the whole map where that is smaller, and four times the width. */
chl_status chl_swin_random(const chl_swin_config *config, uint64_t seed, chl_params **out);

/* x [N,R,R,channels] -> [N,chl_swin_width], the mean over the last stage's map */
chl_tensor chl_swin_trunk(chl_net *net, const chl_swin_config *config, chl_tensor x);
int chl_swin_width(const chl_swin_config *config);
/* Its two parts: x [N,R,R,channels] -> patches [N,R/patch,R/patch,embed] -> [N,chl_swin_width] */
chl_tensor chl_swin_patches(chl_net *net, const chl_swin_config *config, chl_tensor x);
chl_tensor chl_swin_stages(chl_net *net, const chl_swin_config *config, chl_tensor patches);
/* The last layer: [N,chl_swin_width] -> [N,classes] */
chl_tensor chl_swin_head(chl_net *net, const chl_swin_config *config, chl_tensor x);
/* Both: x [N,R,R,channels] -> [N,classes], the output of the last layer; scaled to length 1
 * (chl_unit_rows) its rows are embeddings */
chl_tensor chl_swin(chl_net *net, const chl_swin_config *config, chl_tensor x);
#endif
