/* Swin transformer [Liu et al. 2021], the audio encoder: mel picture -> embedding.
 *
 *     chl_swin_config config = {0};
 *     CHL_TRY(chl_swin_import(params, &config));     Microsoft's, timm's, the paper authors' names
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_TRAINABLE};
 *     chl_tensor embedding;
 *     chl_swin(&net, &config, mel, NULL, &embedding);                     mel [N,224,224,1]
 *     chl_net_done(&net);
 *
 * Our names are Microsoft's, which old timm shares. */
#ifndef CHL_NETS_SWIN_H
#define CHL_NETS_SWIN_H
#include "nets/net.h"

#define CHL_SWIN_STAGES 6

/* Set to zero, or preset the first group; chl_swin_import fills in the second from shapes. */
typedef struct chl_swin_config {
    int resolution;    /* no shape tells it; 0 = 224 */
    bool sum_channels; /* patch weights of a picture model (3 channels) become
                          their sum (1 channel) */
    float drop_path;   /* rate of the last block, growing linearly from 0; for
                          training only: 0.1 */
    uint32_t purpose;  /* first Philox key of the drop-path nodes; each application
                          needs its own */

    int channels, patch, embed, classes;
    int stages;
    int depth[CHL_SWIN_STAGES], heads[CHL_SWIN_STAGES], window[CHL_SWIN_STAGES];
    int mlp[CHL_SWIN_STAGES]; /* hidden width */
} chl_swin_config;

/* Swin-T with one input channel and 512 outputs. */
chl_swin_config chl_swin_tiny(void);

/* Strips `feature_extractor.`, renames new timm's keys, reads sizes from shapes, checks that
 * every key is there and marks it used. `logit_scale_ai`, `logit_scale_at`, where present,
 * become [1]. */
chl_status chl_swin_import(chl_params *params, chl_swin_config *config);

/* Fresh weights as timm starts them (its truncation at +-100 deviations never acts), and both
 * logit scales at ln(1/0.07). Of `config` the second group and the resolution are read; window
 * and mlp may be 0 (7, four times the width). */
chl_status chl_swin_random(const chl_swin_config *config, uint64_t seed, chl_params **out);

/* x [N,R,R,channels] -> head [N,classes] (as the last layer gives it) and embedding [N,classes]
 * (rows of length 1). Either may be NULL. */
void chl_swin(chl_net *net, const chl_swin_config *config, chl_tensor x, chl_tensor *head,
              chl_tensor *embedding);
#endif
