/* Trains a StyleGAN2 generator by regression: each picture of the data set comes with the latent z
 * that it was made from, and G(z) is fitted to it.
 *
 * This is not adversarial training. A GAN of this class needs more than a million pictures
 * [Karras et al. 2020]; with z given, tens of thousands suffice. In return z must be known, and
 * what z does not determine becomes its median, blurred. Textures that are the same in every
 * picture (streaks of rain, turbulence) are therefore not learned: the data set has them, and they
 * become noise maps, which the network has at full resolution from the start and only scales.
 *
 * The loss is L1 and L2 of the pictures, and L1 of their differences between neighbours (twice, or
 * thin shapes stay grey for long) and of the pictures at a half, a quarter and an eighth. All are
 * linear maps of the one difference between painted and wanted. */
#include "graph/build.h"
#include "nets/random_weights.h"
#include "nets/stylegan2.h"
#include "train/mapping_start.h"
#include "train/picture_batch.h"
#include "train/sizes.h"
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LENGTH 64
#define MIN_TEXTURED 16 /* smaller blocks keep random noise maps */
#define TEXTURE_STRENGTH 0.3f
/* Weight of the squared difference, beside the absolute one. A thing that one picture of forty has
 * at a place (a bell, a flash) is far from the median, and early in training only the square has a
 * gradient towards it. */
#define SQUARES 3
/* Weights of the mapping and of the styles are stored times the inverse of a run-time gain
 * (equalised learning rate). In a regression they should learn as fast as the others: with factors
 * of 1 the pictures are 1.4 dB worse after 150 steps. The mapping has a start (mapping_start.h) and
 * needs less. */
#define MAPPING_RATE 30
/* Distances of a measured W (mapping_start.h) must not change much: at a rate of 10 the distance of
 * a house fell to a seventh within 11000 steps, and edits drew houses, which then cost almost
 * nothing. */
#define MEASURED_MAPPING_RATE 1
#define STYLE_RATE 10

typedef struct generator {
    chl_stylegan2_config config;
    chl_tensor z, wanted;
    chl_picture_batch batch;
    float *codes; /* [batch][Z] */
} generator;

static void defaults(chl_train_options *o) {
    o->warm_up = 0.03f;
    o->decay = 0;
}

/* --- the start -------------------------------------------------------------------------------- */

static chl_status read_shape(const char *sizes, chl_stylegan2_shape *shape) {
    *shape = (chl_stylegan2_shape){.resolution = 128,
                                   .channel_base = 2048,
                                   .channel_max = 128,
                                   .w_dim = 128,
                                   .mapping_layers = 3};
    const chl_size_key keys[] = {
        {"resolution", &shape->resolution, .min = 4, .max = 1024},
        {"base", &shape->channel_base, .min = 1, .max = 65536},
        {"max", &shape->channel_max, .min = 1, .max = 1024},
        {"w", &shape->w_dim, .min = 1, .max = 4096},
        {"mapping", &shape->mapping_layers, .min = 1, .max = 16},
    };
    return chl_sizes_read(sizes, keys, sizeof keys / sizeof keys[0]);
}

/* The texture [side][side] reduced to map [size][size], with mean 0 and deviation 1. */
static void shrink_texture(const float *texture, int side, int size, float *map) {
    const int bin = side / size, count = size * size;
    double mean = 0, square = 0;
    for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int y = i / size * bin; y < (i / size + 1) * bin; y++)
            for (int x = i % size * bin; x < (i % size + 1) * bin; x++)
                sum += texture[y * side + x];
        map[i] = (float)sum;
        mean += sum / count;
    }
    for (int i = 0; i < count; i++) square += (map[i] - mean) * (map[i] - mean) / count;
    for (int i = 0; i < count; i++)
        map[i] = square > 0 ? (float)((map[i] - mean) / sqrt(square)) : 0;
}

/* Textures 0 and 1 go to the block of the full resolution, 2 and 3 to the next lower one, then 0
 * and 1 again. A map without a texture keeps its noise and starts at strength 0, as in StyleGAN2.
 */
static chl_status plant_textures(const chl_dataset *data, const chl_stylegan2_config *config,
                                 chl_params *params) {
    for (int row = 0; row < config->rows - 1; row++) {
        /* row 0 is b4.conv1, 1 and 2 are b8.conv0 and b8.conv1, ... */
        const int block = (row + 1) / 2, size = 4 << block, conv = (row + 1) % 2;
        char name[NAME_LENGTH];
        snprintf(name, sizeof name, "synthesis.b%d.conv%d.noise_strength", size, conv);
        float *strength = chl_params_find(params, name)->data;
        *strength = 0;
        if (size < MIN_TEXTURED || !data->textures) continue;
        if (data->texture_side % size)
            return chl_fail(CHL_ERR_SHAPE,
                            "%s/textures.npy: a side must be a multiple of a noise map's, got %d "
                            "pixels and %d",
                            data->folder, data->texture_side, size);
        const int which = (2 * (config->blocks - 1 - block) + conv) % data->textures;
        const int64_t area = (int64_t)data->texture_side * data->texture_side;
        snprintf(name, sizeof name, "synthesis.b%d.conv%d.noise_const", size, conv);
        shrink_texture(data->texture + which * area, data->texture_side, size,
                       chl_params_find(params, name)->data);
        *strength = TEXTURE_STRENGTH;
    }
    return CHL_OK;
}

/* --- the step --------------------------------------------------------------------------------- */

static chl_tensor paint(chl_net *net, const chl_stylegan2_config *config, chl_tensor z) {
    const chl_tensor w = chl_stylegan2_map(net, config, z);
    return chl_stylegan2_synthesize(net, config, chl_stylegan2_rows(net->graph, config, w));
}

static chl_tensor mean_of(chl_graph *g, chl_tensor x, chl_pixel kind) {
    const chl_tensor zero = chl_param(g, "zero", *chl_desc_of(g, x), NULL, CHL_FROZEN);
    return chl_mean(g, chl_pixel_loss(g, x, zero, kind));
}

static chl_tensor magnitude(chl_graph *g, chl_tensor x) {
    return mean_of(g, x, CHL_PIXEL_L1);
}

/* Of the differences between neighbours, `rows` down or `columns` to the right. */
static chl_tensor slope(chl_graph *g, chl_tensor x, int rows, int columns) {
    const int side = (int)chl_desc_of(g, x)->dim[1], h = side - rows, w = side - columns;
    const chl_tensor here = chl_resize_window(g, x, CHL_FILTER_NEAREST, h, w, 0, 0, h, w);
    const chl_tensor there = chl_resize_window(g, x, CHL_FILTER_NEAREST, h, w, rows, columns, h, w);
    return magnitude(g, chl_sum(g, 0, 2, (float[]){1, -1}, (chl_tensor[]){here, there}));
}

static void build_loss(chl_trainer *t, chl_tensor painted, chl_tensor wanted) {
    static const char *const names[] = {"half", "quarter", "eighth"};
    chl_graph *g = t->graph;
    chl_tensor x = chl_sum(g, 0, 2, (float[]){1, -1}, (chl_tensor[]){painted, wanted});
    if (chl_graph_status(g) != CHL_OK) return;
    chl_trainer_term(t, "pixels", 1, magnitude(g, x));
    chl_trainer_term(t, "squares", SQUARES, mean_of(g, x, CHL_PIXEL_L2));
    chl_trainer_term(t, "edges", 2, chl_add(g, slope(g, x, 1, 0), slope(g, x, 0, 1)));
    int side = (int)chl_desc_of(g, x)->dim[1];
    for (int i = 0; i < 3 && side >= 4; i++) {
        side /= 2;
        x = chl_resize(g, x, CHL_FILTER_AREA, side, side);
        chl_trainer_term(t, names[i], 0.5f, magnitude(g, x));
    }
}

static void set_rates(chl_trainer *t, const chl_stylegan2_config *config) {
    static const char *const layers[] = {"conv0", "conv1", "torgb"};
    chl_trainer_rate(t, "mapping.", t->options->measured_w ? MEASURED_MAPPING_RATE : MAPPING_RATE);
    for (int b = 0; b < config->blocks; b++)
        for (int i = 0; i < 3; i++) {
            char name[NAME_LENGTH];
            snprintf(name, sizeof name, "synthesis.b%d.%s.affine.", 4 << b, layers[i]);
            chl_trainer_rate(t, name, STYLE_RATE);
        }
}

/* Blocks that `start` does not have add nothing at first: a generator that has learned the layout
 * at a low resolution grows [Karras et al. 2018] without a change of its pictures. */
static void silence_colours(const chl_stylegan2_config *config, const chl_params *params) {
    for (int b = 0; b < config->blocks; b++) {
        char name[NAME_LENGTH];
        snprintf(name, sizeof name, "synthesis.b%d.torgb.weight", 4 << b);
        const chl_array *weight = chl_params_find(params, name);
        memset(weight->data, 0, (size_t)chl_bytes(&weight->desc));
    }
}

/* Style weights of 0: numbers of a measured w that are 0 for every z never get a gradient and stay
 * without effect. With random weights an edit in W+ could damage the picture through them. */
static void clear_styles(const chl_params *params) {
    for (int64_t i = 0; i < params->count; i++)
        if (strstr(params->array[i].name, ".affine.weight"))
            memset(params->array[i].data, 0, (size_t)chl_bytes(&params->array[i].desc));
}

static chl_status build(chl_trainer *t) {
    const bool measured = t->options->measured_w != 0;
    if (measured && !t->data->attributes)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "measured_w needs %s/attributes.npy, which does not exist",
                        t->data->folder);
    generator *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    chl_stylegan2_shape shape;
    CHL_TRY(read_shape(t->options->sizes, &shape));
    shape.z_dim = t->data->latent;
    CHL_TRY(chl_stylegan2_random(&shape, t->options->seed, &t->params));
    CHL_TRY(chl_stylegan2_import(t->params, &own->config));
    CHL_TRY(plant_textures(t->data, &own->config, t->params));
    if (t->options->start)
        silence_colours(&own->config, t->params);
    else
        CHL_TRY(chl_mapping_start(t->device, t->data, &own->config, t->options->seed, measured,
                                  t->params));
    if (measured) clear_styles(t->params);

    chl_graph *g = t->graph;
    const int n = t->batch, side = shape.resolution;
    CHL_TRY(chl_picture_batch_new(t, side, &own->batch));
    own->codes = chl_trainer_memory(t, (int64_t)n * shape.z_dim, sizeof *own->codes);
    CHL_TRY(chl_trainer_memory_status(t));
    own->z = chl_input(g, "z", chl_f32(2, n, shape.z_dim));
    own->wanted = chl_input(g, "picture", chl_f32(4, n, side, side, 3));
    chl_net *net = chl_trainer_net(t);
    const chl_tensor painted = paint(net, &own->config, own->z);
    set_rates(t, &own->config);
    build_loss(t, painted, own->wanted);
    return chl_graph_status(g);
}

static chl_status feed(chl_trainer *t, int64_t index) {
    generator *own = t->own;
    const chl_dataset *data = t->data;
    CHL_TRY(chl_picture_batch_read(t, &own->batch, index));
    for (int i = 0; i < t->batch; i++)
        memcpy(own->codes + (int64_t)i * data->latent,
               data->latents + own->batch.sample[t->first + i] * data->latent,
               (size_t)data->latent * sizeof(float));
    CHL_TRY(chl_trainer_write(t, own->z, own->codes));
    return chl_picture_batch_write(t, &own->batch, own->wanted);
}

/* --- the model -------------------------------------------------------------------------------- */

/* The centre of truncation is the mean over this many mapped codes, as in the papers. */
#define CENTRE_CODES 4096
#define CENTRE_SEED 0

static chl_status store_centre(const chl_trainer *t, chl_params *out) {
    const generator *own = t->own;
    const chl_stylegan2_config *config = &own->config;
    chl_params *draw;
    CHL_TRY(chl_params_new("codes", &draw));
    chl_graph *g = NULL;
    chl_net net = {.params = out, .kind = CHL_FROZEN};
    chl_status status;
    CHL_TRY_GOTO(chl_params_add_normal(draw, CENTRE_SEED, 0, 1,
                                       chl_f32(2, CENTRE_CODES, config->z_dim), "z"));
    CHL_TRY_GOTO(chl_graph_new(t->device, &g));
    net.graph = g;
    const chl_array *codes = chl_params_find(draw, "z");
    const chl_tensor z = chl_param(g, "z", codes->desc, codes->data, CHL_FROZEN);
    chl_tensor w = chl_stylegan2_map(&net, config, z);
    w = chl_reshape(g, w, chl_f32(3, 1, CENTRE_CODES, config->w_dim));
    const chl_tensor centre = chl_keep(g, chl_mean_pool(g, w));
    CHL_TRY_GOTO(chl_compile(g));
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(g, centre, chl_params_find(out, "mapping.w_avg")->data));
done:
    chl_net_done(&net);
    chl_graph_free(g);
    chl_params_free(draw);
    return status;
}

static chl_status save(chl_trainer *t, chl_params *out) {
    CHL_TRY(chl_trainer_export(t, t->params, out));
    return store_centre(t, out);
}

const chl_training chl_training_generator = {
    .name = "generator",
    .need = CHL_NEED_PICTURE | CHL_NEED_LATENT,
    .reads = CHL_READS_OPTIMISER "sizes measured_w",
    .usual = {.steps = 6500, .batch = 16, .rate = 1e-2f, .beta2 = 0.99f, .average = 0.998f},
    .defaults = defaults,
    .build = build,
    .feed = feed,
    .save = save,
    .shared = true,
};
