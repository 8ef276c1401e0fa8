/* Trains an encoder for inversion, e4e's network [Tov et al. 2021], for a given generator: E(x) is to be
 * a code whose picture G(E(x)) is x, on pictures without known codes. The loss is
 *
 *     pixels      mean squared difference of G(E(x)) and x
 *     clip        1 - cosine of CLIP's embeddings of both, in the place of LPIPS
 *     identity    1 - cosine of the face encoder's embeddings of both
 *     delta       the lengths of what the rows add to the first: keeps codes near W, where they are
 *                 edited well
 *
 * All rows learn from the start, where e4e adds one after another, and no discriminator looks at codes.
 * Batch normalisation is in training as in train/audio_network_resnet18.c. */
#include "base/facts.h"
#include "losses/losses.h"
#include "models/registry.h"
#include "nets/layers.h"
#include "train/picture_batch.h"
#include "train/sizes.h"
#include "train/trainer.h"
#include <stdio.h>
#include <string.h>

#define STATISTICS_DECAY 0.9f /* PyTorch's momentum of 0.1 */
#define LARGEST_SIDE 256      /* of the pictures that the encoder sees, as upstream */
/* Of the last layers: codes begin near the mean of W, where every picture is one. */
#define START_SCALE 0.1f

typedef struct encoder {
    chl_style_config config;
    chl_generator *generator;
    chl_clip *clip;
    chl_face *face;
    chl_tensor picture;
    chl_picture_batch batch;
} encoder;

#define WEIGHT 0.1f /* usual, of CLIP's distance and the identity's */

static void defaults(chl_train_options *o) {
    o->decay = 0;
    o->weight_pixels = 1;
    o->weight_clip = o->weight_identity = WEIGHT;
    o->weight_delta = 2e-4f;
}

/* --- the start -------------------------------------------------------------------------------- */
static chl_status check_weight(const char *name, float weight, const char *model,
                               const char *file) {
    if (file || weight == 0 || weight == WEIGHT) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "training encoder: %s must be left out, got %g: it needs %s",
                    name, (double)weight, model);
}

static chl_status open_models(chl_trainer *t, encoder *own) {
    const chl_train_options *o = t->options;
    CHL_TRY(check_weight("weight_clip", o->weight_clip, "clip", o->clip));
    CHL_TRY(check_weight("weight_identity", o->weight_identity, "face", o->face));
    const chl_model_place place = {.device = t->device, .precision = t->precision};
    const chl_generator_settings plain = {0};
    const chl_clip_settings settings = {.resize = CHL_CLIP_AREA};
    if (!o->generator)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training encoder needs generator, whose codes it is to find");
    CHL_TRY(chl_generator_open(&place, o->generator, &plain, &own->generator));
    if (o->clip) {
        CHL_TRY(chl_clip_open(&place, o->clip, NULL, &settings, &own->clip));
        CHL_TRY(chl_clip_need_pictures(own->clip, "training encoder"));
    }
    return o->face ? chl_face_open(&place, o->face, &own->face) : CHL_OK;
}

/* A trunk of an IR-SE's four stages; the towers' convolutions by the side of the picture. */
static chl_status read_sizes(const chl_train_options *o, const chl_generator *generator,
                             chl_style_config *config) {
    const int side = generator->sizes.picture;
    int width = 32, depth[4] = {2, 2, 2, 2};
    const chl_size_key keys[] = {{"width", &width, .min = 8, .max = 64},
                                 {"depths", depth, .room = 4, .min = 1, .max = 16}};
    CHL_TRY(chl_sizes_read(o->sizes, keys, 2));
    if (side < 32 || generator->sizes.rows > CHL_STYLE_ROWS)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "training encoder: generator must make pictures of 32 pixels or more by at "
                        "most %d rows, got %d pixels by %d",
                        CHL_STYLE_ROWS, side, generator->sizes.rows);
    *config = (chl_style_config){.kind = CHL_STYLE_E4E,
                                 .trunk = {.width = width},
                                 .rows = generator->sizes.rows,
                                 .latent = generator->sizes.latent,
                                 .average_rows = generator->average_rows};
    for (int seen = side < LARGEST_SIDE ? side : LARGEST_SIDE; seen >= 32; seen /= 2)
        config->convs++;
    for (int row = 3; row < config->rows; row++) config->map[row] = row < 7 ? 1 : 2;
    for (int stage = 0, in = width; stage < 4; stage++)
        for (int i = 0; i < depth[stage]; i++) {
            const int out = width << stage;
            config->trunk.unit[config->trunk.units++] =
                (chl_irse_unit){.in = in,
                                .out = out,
                                .squeeze = out >= 32 ? out / 16 : 1,
                                .stride = i ? 1 : 2,
                                .projection = in != out};
            in = out;
        }
    return CHL_OK;
}

static void scale_last_layers(const chl_params *params, int rows) {
    for (int row = 0; row < rows; row++) {
        char name[64];
        snprintf(name, sizeof name, "styles.%d.linear.weight", row);
        const chl_array *weight = chl_params_find(params, name);
        for (int64_t i = 0; i < chl_count(&weight->desc); i++)
            ((float *)weight->data)[i] *= START_SCALE;
    }
}

static chl_status make_params(chl_trainer *t, encoder *own) {
    chl_style_config *config = &own->config;
    CHL_TRY(chl_generator_average(own->generator));
    CHL_TRY(read_sizes(t->options, own->generator, config));
    CHL_TRY(chl_style_random(config, t->options->seed, &t->params));
    const chl_array *average = chl_params_find(t->params, "latent_avg");
    memcpy(average->data, own->generator->average, (size_t)chl_bytes(&average->desc));
    scale_last_layers(t->params, config->rows);
    return chl_style_import(t->params, config);
}

/* --- the step --------------------------------------------------------------------------------- */
static void track(void *user, chl_tensor state, chl_tensor x) {
    chl_trainer_track(user, state, x, STATISTICS_DECAY);
}

static chl_tensor encode(chl_trainer *t, const encoder *own, chl_tensor picture) {
    chl_net *net = chl_trainer_net(t);
    const chl_net_statistics statistics = {track, t};
    const int side = own->config.side;
    if (own->generator->sizes.picture != side)
        picture = chl_resize(t->graph, picture, CHL_FILTER_AREA, side, side);
    net->statistics = &statistics;
    const chl_tensor codes = chl_style_codes(net, &own->config, picture);
    net->statistics = NULL;
    return codes;
}

/* The mean over the samples of sum_i |row i - row 0|. */
static chl_tensor delta(chl_graph *g, chl_tensor codes, int rows) {
    const chl_tensor first = chl_select(g, codes, 0);
    chl_tensor sum = CHL_NONE;
    for (int row = 1; row < rows; row++) {
        const chl_tensor pair[] = {chl_select(g, codes, row), first};
        const chl_tensor d = chl_sum(g, 0, 2, (float[]){1, -1}, pair);
        const chl_tensor length = chl_row_dot(g, d, chl_unit_rows(g, d));
        sum = row == 1 ? length : chl_add(g, sum, length);
    }
    return chl_mean(g, sum);
}

static void build_losses(chl_trainer *t, const encoder *own) {
    const chl_train_options *o = t->options;
    chl_graph *g = t->graph;
    const chl_tensor x = own->picture, codes = encode(t, own, x);
    chl_net generator = chl_model_net(&own->generator->model, g);
    const chl_tensor made = chl_generator_synthesize(own->generator, &generator, codes);
    chl_trainer_term(t, "pixels", o->weight_pixels,
                     chl_mean(g, chl_pixel_loss(g, made, x, CHL_PIXEL_L2)));
    chl_net_done(&generator);
    if (own->clip) {
        chl_net net = chl_model_net(&own->clip->model, g);
        const chl_tensor seen = chl_clip_embed_nodes(own->clip, &net, made);
        const chl_tensor wanted = chl_clip_embed_nodes(own->clip, &net, x);
        chl_trainer_term(t, "clip", o->weight_clip, chl_mean(g, chl_cosine_loss(g, seen, wanted)));
        chl_net_done(&net);
    }
    if (own->face) {
        chl_net net = chl_model_net(&own->face->model, g);
        const chl_tensor seen = chl_face_embed_nodes(own->face, &net, made);
        const chl_tensor wanted = chl_face_embed_nodes(own->face, &net, x);
        chl_trainer_term(t, "identity", o->weight_identity,
                         chl_mean(g, chl_cosine_loss(g, seen, wanted)));
        chl_net_done(&net);
    }
    if (own->config.rows > 1)
        chl_trainer_term(t, "delta", o->weight_delta, delta(g, codes, own->config.rows));
}

static chl_status build(chl_trainer *t) {
    encoder *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    CHL_TRY(open_models(t, own));
    CHL_TRY(make_params(t, own));
    const int side = own->generator->sizes.picture;
    CHL_TRY(chl_picture_batch_new(t, side, &own->batch));
    own->picture = chl_input(t->graph, "picture", chl_f32(4, t->batch, side, side, 3));
    build_losses(t, own);
    return chl_graph_status(t->graph);
}

static chl_status feed(chl_trainer *t, int64_t index) {
    encoder *own = t->own;
    CHL_TRY(chl_picture_batch_read(t, &own->batch, index));
    return chl_picture_batch_write(t, &own->batch, own->picture);
}

/* What it is stands beside the arrays, which an e4e and a pSp have in common. */
static chl_status save(chl_trainer *t, chl_params *out) {
    CHL_TRY(chl_trainer_save(t, out));
    return chl_params_state(out, "opts:encoder_type", chl_style_type[CHL_STYLE_E4E]);
}

static void release(chl_trainer *t) {
    const encoder *own = t->own;
    chl_generator_close(own->generator);
    chl_clip_close(own->clip);
    chl_face_close(own->face);
}

const chl_training chl_training_encoder = {
    .name = "encoder",
    .need = CHL_NEED_PICTURE,
    .reads = CHL_READS_OPTIMISER
    "sizes generator clip face weight_pixels weight_clip weight_identity weight_delta",
    .usual = {.steps = 4000, .batch = 16, .average = 0.998f},
    .defaults = defaults,
    .build = build,
    .feed = feed,
    .save = save,
    .release = release,
    .shared = true,
};
