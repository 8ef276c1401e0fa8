/* StyleGAN3's generator [Karras et al. 2021], configurations T and R: mapping z -> w, synthesis
 * codes -> picture.
 *
 * The input layer is a sum of plane waves, turned and moved by the first row of the code. Each layer
 * is a modulated convolution and a leaky ReLU between an up- and a down-sampling filter, on a map
 * with a margin around the picture, so that a feature does not know where on the pixel grid it
 * lies. The last layer makes colours. A layer's style is an affine function of its own row.
 *
 *     chl_stylegan3_config config;
 *     CHL_TRY(chl_stylegan3_import(params, &config));
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor picture = chl_stylegan3_synthesize(&net, &config, codes);
 *
 * Names are those of NVIDIA's stylegan3; weights and filters stay as stored. Limits: square pictures
 * of three colours; an `input.transform` that turns, mirrors, moves and scales; of a network with
 * classes, one class at a time. */
#ifndef CHL_NETS_STYLEGAN3_H
#define CHL_NETS_STYLEGAN3_H
#include "nets/net.h"

#define CHL_STYLEGAN3_LAYERS 32 /* at most, with the colours; published networks have 15 */

typedef struct chl_stylegan3_layer {
    int size, channels;     /* of what it makes; they are part of its name, too */
    int kernel;             /* of the convolution: 3 or 1 */
    int up, down;           /* rates of the resampling */
    int up_taps, down_taps; /* 1: no filter */
    int down_axes;          /* of the stored filter: 1 separable, 2 radial */
    int before, after;      /* zeros around the up-sampled map */
} chl_stylegan3_layer;

typedef struct chl_stylegan3_config {
    int resolution, rows, w_dim;
    int z_dim, mapping_layers; /* 0 without a mapping */
    int layers;                /* with the colours, the last */
    chl_stylegan3_layer layer[CHL_STYLEGAN3_LAYERS];
    int input_channels, input_size;
    float input_rate;      /* pixels of the input layer's map along the picture's side */
    float input_bandwidth; /* of its waves, in periods along the picture's side; 2 unless stated */
    float mapping_rate;    /* the mapping's learning-rate multiplier */
    float conv_clamp;      /* 0: none; 256 unless stated */
    float output_scale;    /* of the picture; 0.25 unless stated */
    int filter_size;       /* taps of a filter per rate; 6 unless stated */
} chl_stylegan3_config;

/* Whether the arrays are those of a StyleGAN3. */
bool chl_stylegan3_recognises(const chl_params *params);
/* Reads all sizes off names and shapes, obeys what else the file states (base/facts.h), and checks
 * that layers fit each other. */
chl_status chl_stylegan3_import(chl_params *params, chl_stylegan3_config *config);
/* Parts of it. Before the sizes: sets conv_clamp, output_scale, mapping_rate, filter_size,
 * input_bandwidth. After: CHL_ERR_UNSUPPORTED where the file states another layer than its arrays
 * make. */
chl_status chl_stylegan3_obey_facts(chl_params *params, chl_stylegan3_config *config);
chl_status chl_stylegan3_check_facts(const chl_params *params, const chl_stylegan3_config *config);
/* "synthesis.L3_52_1024" */
#define CHL_STYLEGAN3_NAME 64
void chl_stylegan3_layer_name(const chl_stylegan3_config *config, int i,
                              char name[CHL_STYLEGAN3_NAME]);

/* z [N,Z] -> w [N,W] */
chl_tensor chl_stylegan3_map(chl_net *net, const chl_stylegan3_config *config, chl_tensor z);
/* codes [N,rows,W] -> picture [N,R,R,3], roughly in [-1,1], not clamped. Row 0 is the input layer's,
 * row 1 + i layer i's. */
chl_tensor chl_stylegan3_synthesize(chl_net *net, const chl_stylegan3_config *config,
                                    chl_tensor codes);
/* The layers' mean squares in a training, which follow what the layers take: number i of layer i. */
typedef struct chl_stylegan3_magnitudes {
    chl_tensor stored[CHL_STYLEGAN3_LAYERS]; /* [1] each; CHL_NONE: as the arrays have it */
    /* Below 1: a layer uses decay * stored + (1 - decay) * measured, and measured[i] [1] is set, the mean
     * over all ranks, which has no gradient */
    float decay;
    chl_tensor measured[CHL_STYLEGAN3_LAYERS];
} chl_stylegan3_magnitudes;
/* The same picture with other magnitudes; NULL: those of the arrays. */
chl_tensor chl_stylegan3_synthesize_tracked(chl_net *net, const chl_stylegan3_config *config,
                                            chl_tensor codes, chl_stylegan3_magnitudes *magnitudes);
/* The input layer alone (stylegan3_input.c): w [N,W] -> [N,S,S,C] */
chl_tensor chl_stylegan3_input(chl_net *net, const chl_stylegan3_config *config, chl_tensor w);

/* Sizes of a random network; a layer with cutoff f has min(channel_base / 2 / f, channel_max)
 * channels. Published: T 14 layers, kernel 3, 32768, 512; R kernel 1, radial, 65536, 1024. */
typedef struct chl_stylegan3_shape {
    int resolution, layers; /* layers without the colours */
    int kernel;
    bool radial; /* down-sampling filters */
    int channel_base, channel_max;
    int z_dim, w_dim, mapping_layers;
} chl_stylegan3_shape;
/* An untrained network, with the filters that a training of its size begins with. The same seed
 * gives the same numbers on every machine. */
chl_status chl_stylegan3_random(const chl_stylegan3_shape *shape, uint64_t seed, chl_params **out);
/* The same as upstream begins to train it: biases 0, of styles 1, the input layer neither turned nor moved,
 * the average of w 0, all weights of deviation 1 times their run-time scale. */
chl_status chl_stylegan3_untrained(const chl_stylegan3_shape *shape, uint64_t seed,
                                   chl_params **out);
#endif
