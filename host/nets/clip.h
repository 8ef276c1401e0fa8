/* CLIP [Radford et al. 2021]: image tower (a vision transformer or a ResNet), text tower,
 * preprocessing.
 * Both towers end in unit vectors of one joint space, whose inner product says how well they match.
 *
 *     chl_clip_config config = {0};
 *     CHL_TRY(chl_clip_import(params, &config));             any upstream naming -> ours, sizes
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor x = chl_clip_preprocess(g, &config, picture, CHL_CLIP_AREA);
 *     chl_tensor v = chl_clip_image(&net, &config, x);      [N,512], unit length
 *     chl_tensor t = chl_clip_text(&net, &config, ids, end);
 *     chl_net_done(&net);
 *
 * Our names are OpenAI's, except that both projections are stored as the weight of a linear layer,
 * [embed, width], under Hugging Face's names `visual_projection.weight`,
 * `text_projection.weight`. */
#ifndef CHL_NETS_CLIP_H
#define CHL_NETS_CLIP_H
#include "nets/net.h"

typedef struct chl_clip_tower {
    int layers, width, heads, mlp; /* layers 0: the file has no such tower */
} chl_clip_tower;

/* CLIP's ResNet as image tower: a stem of three convolutions, stages of bottlenecks, attention pooling.
 * Where a stride is 2 the map is averaged over 2 x 2 pixels before a convolution of stride 1. */
#define CHL_CLIP_STAGES 4
typedef struct chl_clip_resnet {
    int width; /* of the stem, 64 (RN50), 80 (RN50x4), ...; 0: the tower is no ResNet */
    int depth[CHL_CLIP_STAGES]; /* bottlenecks: 3, 4, 6, 3 (RN50) */
} chl_clip_resnet;

/* Who wrote a file, as far as its names tell. */
typedef enum chl_clip_origin {
    CHL_CLIP_UNKNOWN, /* open_clip's and Hugging Face's names, which files of all origins have */
    CHL_CLIP_OPENAI,  /* OpenAI's own archives: QuickGELU */
    CHL_CLIP_OURS     /* this engine: QuickGELU, heads of 64 channels */
} chl_clip_origin;

/* Set to zero, or preset what no shape determines (heads, exact_gelu); chl_clip_import fills in the
 * rest. */
typedef struct chl_clip_config {
    chl_clip_origin origin;
    chl_clip_tower image, text; /* heads: 0 = as the published CLIPs of that width have */
    chl_clip_resnet resnet; /* then image.layers counts its bottlenecks, image.heads are those of
                                   the attention pooling, of 64 channels, and patch is 32 */
    bool exact_gelu;        /* false: x * sigmoid(1.702 x), which OpenAI trained with */
    int embed;              /* size of the joint embedding */
    int resolution, patch;
    int context, vocabulary;
} chl_clip_config;

/* Renames OpenAI's, open_clip's or Hugging Face's keys in place, transposes and concatenates arrays
 * where the layouts differ, reads every size off the shapes. A file may have one tower only. Marks
 * all keys of the towers used, so that chl_params_check_all_used lists the unknown ones; a missing
 * key is CHL_ERR_KEY. CHL_ERR_ARGUMENT for a width of which no published CLIP has a number of heads
 * that is known here, unless the heads are preset. */
chl_status chl_clip_import(chl_params *params, chl_clip_config *config);

/* Random weights of that size under our names (OpenAI's initialisation). */
chl_status chl_clip_random(const chl_clip_config *config, uint64_t seed, chl_params **out);

typedef enum chl_clip_resize {
    CHL_CLIP_AREA,      /* integer-bin average */
    CHL_CLIP_BICUBIC,   /* antialiased, as CLIP's own preprocessing */
    CHL_CLIP_COMPATIBLE /* the paper's authors: nearest x7, average pool; no clamp, no mean and
                           deviation */
} chl_clip_resize;

/* picture [N,H,W,3] in [-1,1] -> [N,R,R,3]: clamp, centre square, resize, CLIP's mean and
 * deviation. Mean and deviation commute with the resize; they are applied before it, in one pass
 * with the clamp. */
chl_tensor chl_clip_preprocess(chl_graph *g, const chl_clip_config *config, chl_tensor picture,
                               chl_clip_resize how);

/* x [N,R,R,3], preprocessed -> [N,embed], rows of length 1 */
chl_tensor chl_clip_image(chl_net *net, const chl_clip_config *config, chl_tensor x);

/* Its bottlenecks and the pooling, for chl_clip_import and chl_clip_image: clip_resnet.c. */
bool chl_clip_has_resnet(const chl_params *params);
chl_status chl_clip_import_resnet(chl_params *params, chl_clip_config *config);
chl_tensor chl_clip_resnet_image(chl_net *net, const chl_clip_config *config, chl_tensor x);

/* ids int32 [N,context], end int32 [N] (the position of each row's end token) -> [N,embed], rows of
 * length 1 */
chl_tensor chl_clip_text(chl_net *net, const chl_clip_config *config, chl_tensor ids,
                         chl_tensor end);

/* The residual attention blocks `prefix`{0...}; x [N,T,width]. Shared by both towers. */
chl_tensor chl_clip_blocks(chl_net *net, const chl_clip_config *config, const chl_clip_tower *tower,
                           const char *prefix, bool causal, chl_tensor x);
#endif
