/* Encoders for inversion: from a picture to the code of a StyleGAN2 that makes it. pSp's gradual encoder
 * [Richardson et al. 2021] has a small tower of convolutions for each row of the code, on one of three
 * maps of an IR-SE50 with a feature pyramid; e4e [Tov et al. 2021] has the same network, whose first tower
 * makes one w for all rows and whose others make what each row adds to it. Two plainer ones of pSp's read
 * the last map alone.
 *
 *     chl_style_config config;
 *     CHL_TRY(chl_style_import(params, &config));        what follows "encoder." in e4e_ffhq_encode.pt
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor codes = chl_style_codes(&net, &config, picture);
 *     chl_net_done(&net);
 *
 * Our names are upstream's, except `output_layer_2.3.weight_nhwc`, whose columns are in (row, column,
 * channel) order. An e4e and a gradual encoder have the same arrays: which of them a file holds is stated
 * beside them (fact "opts:encoder_type", io/torch_facts.h). */
#ifndef CHL_NETS_STYLE_ENCODER_H
#define CHL_NETS_STYLE_ENCODER_H
#include "nets/arcface.h"

typedef enum chl_style_kind {
    CHL_STYLE_E4E,    /* Encoder4Editing */
    CHL_STYLE_PSP,    /* GradualStyleEncoder */
    CHL_STYLE_W_PLUS, /* BackboneEncoderUsingLastLayerIntoWPlus */
    CHL_STYLE_W       /* BackboneEncoderUsingLastLayerIntoW: one w for all rows */
} chl_style_kind;

#define CHL_STYLE_ROWS 64
enum { CHL_STYLE_MAPS = 3 }; /* coarse, middle, fine; each has twice the side of the one before */

typedef struct chl_style_config {
    chl_style_kind kind;
    chl_arcface_config trunk;      /* units, unit[], width */
    int rows, latent;              /* of a code; W: one row */
    int side;                      /* of the picture */
    int map[CHL_STYLE_ROWS];       /* e4e, pSp: which map row i is made from */
    int last_unit[CHL_STYLE_MAPS]; /* of the trunk, whose output the map begins with */
    int convs;        /* e4e, pSp: of a tower on the coarse map; one more for each finer one */
    int grid;         /* W+: the last map is pooled to grid x grid */
    int average_rows; /* of "latent_avg", which is added: 0 (none), 1 or `rows` */
} chl_style_config;

/* The name that upstream's options give the kind: 'Encoder4Editing', quotes included. */
extern const char *const chl_style_type[];
/* The value of "opts:encoder_type"; NULL: the file does not state it. */
const char *chl_style_stated_type(const chl_params *params);

/* Reads sizes off the shapes and options off the facts, marks all keys used. */
chl_status chl_style_import(chl_params *params, chl_style_config *config);

/* Random weights. Of `config`: kind, trunk, rows, latent, map, convs, grid, average_rows. */
chl_status chl_style_random(const chl_style_config *config, uint64_t seed, chl_params **out);

/* x [N,side,side,3] in [-1,1] -> codes [N,rows,latent] */
chl_tensor chl_style_codes(chl_net *net, const chl_style_config *config, chl_tensor x);
#endif
