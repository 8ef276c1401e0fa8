#include "train/gan_network.h"
#include "graph/build.h"
#include "nets/stylegan_mapping.h"
#include "train/sizes.h"
#include <string.h>

#define SIDE 256
/* Of the mean of w, the centre of truncation: upstream's w_avg_beta of each. */
#define CENTRE_DECAY_2 0.995f
#define CENTRE_DECAY_3 0.998f
#define LAYERS 14
#define WIDER 2 /* R's 1 x 1 convolutions have as many times more channels */

/* --- sizes ------------------------------------------------------------------------------------ */
typedef enum kind { STYLEGAN2, STYLEGAN3_T, STYLEGAN3_R, KINDS } kind;

static chl_status find_kind(const char *name, kind *out) {
    static const char *const names[KINDS] = {"stylegan2", "stylegan3-t", "stylegan3-r"};
    *out = STYLEGAN2;
    if (!name) return CHL_OK;
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (kind)i;
            return CHL_OK;
        }
    return chl_fail(CHL_ERR_ARGUMENT,
                    "training gan: network must be stylegan2, stylegan3-t or stylegan3-r, got "
                    "\"%s\"",
                    name);
}

/* As those of a StyleGAN3, which has all that a StyleGAN2 has; R's width is told as T's. */
static chl_status read_sizes(const chl_train_options *o, kind of, chl_stylegan3_shape *s) {
    *s = (chl_stylegan3_shape){.resolution = o->resolution ? o->resolution : SIDE,
                               .channel_base = of == STYLEGAN2 ? 16384 : 32768,
                               .channel_max = 512,
                               .z_dim = 512,
                               .w_dim = 512,
                               .mapping_layers = 2,
                               .layers = LAYERS,
                               .kernel = 3};
    const chl_size_key keys[] = {
        {"base", &s->channel_base, .min = 1, .max = 65536},
        {"max", &s->channel_max, .min = 1, .max = 1024},
        {"z", &s->z_dim, .min = 1, .max = 4096},
        {"w", &s->w_dim, .min = 1, .max = 4096},
        {"mapping", &s->mapping_layers, .min = 1, .max = 16},
        {"layers", &s->layers, .min = 3, .max = CHL_STYLEGAN3_LAYERS - 1},
    };
    const int count = sizeof keys / sizeof keys[0];
    return chl_sizes_read(o->sizes, keys, of == STYLEGAN2 ? count - 1 : count);
}

/* --- networks --------------------------------------------------------------------------------- */
static chl_status new_second(const chl_stylegan3_shape *s, uint64_t seed, chl_gan_network *out,
                             chl_params **params) {
    const chl_stylegan2_shape shape = {.resolution = s->resolution,
                                       .channel_base = s->channel_base,
                                       .channel_max = s->channel_max,
                                       .z_dim = s->z_dim,
                                       .w_dim = s->w_dim,
                                       .mapping_layers = s->mapping_layers};
    chl_stylegan2_config *config = &out->two;
    CHL_TRY(chl_stylegan2_untrained(&shape, seed, params));
    CHL_TRY(chl_stylegan2_import(*params, config));
    config->conv_clamp = 0; /* upstream's in float32 */
    out->rows = config->rows;
    out->noises = config->rows - 1;
    for (int row = 0; row < out->noises; row++) out->noise_side[row] = 4 << (row + 1) / 2;
    out->centre_decay = CENTRE_DECAY_2;
    return CHL_OK;
}

static chl_status new_third(const chl_stylegan3_shape *s, kind of, uint64_t seed,
                            chl_gan_network *out, chl_params **params) {
    chl_stylegan3_shape shape = *s;
    if (of == STYLEGAN3_R) {
        shape.kernel = 1;
        shape.radial = true;
        shape.channel_base *= WIDER;
        shape.channel_max *= WIDER;
    }
    chl_stylegan3_config *config = &out->three;
    CHL_TRY(chl_stylegan3_untrained(&shape, seed, params));
    CHL_TRY(chl_stylegan3_import(*params, config));
    config->conv_clamp = 0;
    out->third = true;
    out->rows = config->rows;
    out->centre_decay = CENTRE_DECAY_3;
    return CHL_OK;
}

chl_status chl_gan_network_new(const chl_train_options *o, chl_gan_network *out,
                               chl_discriminator_shape *critic, chl_params **params) {
    kind of;
    chl_stylegan3_shape s;
    CHL_TRY(find_kind(o->network, &of));
    CHL_TRY(read_sizes(o, of, &s));
    *critic = (chl_discriminator_shape){
        .resolution = s.resolution, .channel_base = s.channel_base, .channel_max = s.channel_max};
    *out = (chl_gan_network){.resolution = s.resolution, .z_dim = s.z_dim, .w_dim = s.w_dim};
    /* the narrower range of resolutions is told: the discriminator's, or StyleGAN3's */
    chl_status status =
        of == STYLEGAN2 ? chl_discriminator_check(critic) : new_third(&s, of, o->seed, out, params);
    if (status == CHL_OK)
        status = of == STYLEGAN2 ? new_second(&s, o->seed, out, params)
                                 : chl_discriminator_check(critic);
    return status == CHL_OK ? status : chl_fail_in(status, "training gan");
}

chl_tensor chl_gan_map(chl_net *net, const chl_gan_network *network, chl_tensor z,
                       chl_tensor label) {
    const int layers = network->third ? network->three.mapping_layers : network->two.mapping_layers;
    const float rate = network->third ? network->three.mapping_rate : network->two.mapping_rate;
    return label == CHL_NONE ? chl_stylegan_map(net, layers, rate, z)
                             : chl_stylegan_map_class(net, layers, rate, z, label);
}

chl_tensor chl_gan_rows(chl_graph *g, const chl_gan_network *network, chl_tensor w) {
    return chl_stylegan_rows(g, network->rows, w);
}

chl_tensor chl_gan_synthesize(chl_net *net, const chl_gan_network *network, chl_tensor codes,
                              const chl_tensor *noise, chl_stylegan3_magnitudes *magnitudes) {
    return network->third
               ? chl_stylegan3_synthesize_tracked(net, &network->three, codes, magnitudes)
               : chl_stylegan2_synthesize_noisy(net, &network->two, codes, noise);
}
