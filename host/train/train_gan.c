/* Adversarial training of a StyleGAN2 or StyleGAN3 generator [Goodfellow et al. 2014; Karras et al. 2020,
 * 2021], as stylegan2-ada-pytorch's and stylegan3's. A step is
 *
 *     generator      softplus(-D(G(z)))                                  every step
 *     path length    a half of the batch                                 every 4th
 *     discriminator  softplus(D(G(z))) + softplus(-D(x))                 every step
 *     R1             gamma / 2 |dD(x)/dx|^2                              every 16th
 *     average        of the generator's weights                          every step
 *
 * A lazy penalty weighs as many times more as it is taken less often, and each network's Adam has its
 * rate and, as exponents of its betas, k / (k + 1) for a penalty at every k-th step. All sums of samples
 * are means over the whole batch; a minibatch deviation's group is on one rank, and the same samples are
 * a group on any number of ranks. */
#include "base/random.h"
#include "base/text_buffer.h"
#include "losses/adversarial.h"
#include "nets/stylegan_mapping.h"
#include "train/gan_ada.h"
#include "train/gan_augment.h"
#include "train/gan_blur.h"
#include "train/gan_look.h"
#include "train/stand_in.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CRITIC "D." /* in front of the discriminator's names */
#define PATH_INTERVAL 4
#define R1_INTERVAL 16
#define PATH_SHRINK 2 /* the path length's batch is a part of the step's */
#define PATH_DECAY 0.99f
#define PATH_AVERAGE "path_length"
#define GROUP 4
#define MAGNITUDE_KIMG 20 /* half-life of StyleGAN3's magnitudes, in thousands of pictures */
#define LABEL_LAYERS                                                                               \
    8 /* of the discriminator's mapping of classes, as every published configuration */
#define CLASSES "classes.txt"
#define PURPOSE_MIRROR 0x67666c70u

#define PURPOSE_AUGMENT 0x67617567u

enum { PHASE_GENERATOR, PHASE_PATH, PHASE_CRITIC };
/* What the discriminator sees in a step, each augmented by draws of its own. */
enum { SEEN_GENERATOR, SEEN_FAKE, SEEN_REAL, SEEN_R1, SEEN };

typedef struct gan {
    chl_gan_network network;
    chl_discriminator_config critic;
    chl_net critic_net;
    chl_net states; /* of the generator: what is tracked and not trained */
    chl_stylegan3_magnitudes magnitudes;
    float r1; /* gamma; 0: no penalty */
    chl_gan_draws draws[3];
    chl_tensor real, label, log_fresh;
    float *labels; /* [batch][classes] */
    chl_gan_measure measure;
    chl_gan_augment augment[SEEN];
    chl_gan_ada ada;
    chl_gan_blur blur;
    int64_t *chosen; /* [options->batch]: of all ranks */
    float *pixels;   /* [batch][side][side][3] */
} gan;

/* upstream's "auto" */
static void defaults(chl_train_options *o) {
    o->pictures_every = 500;
    o->cycles = 0;
    o->warm_up = o->beta1 = o->decay = o->average = 0; /* its averages are its own */
    o->path_length = 2;
    o->mixing = 0.9f;
    o->average_ramp = 0.05f;
    o->augment_target = 0.6f;
    o->augment_kimg = 500;
}

/* --- what can be ------------------------------------------------------------------------------ */
static chl_status check_batch(const chl_trainer *t, int group) {
    if (t->batch % group)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training gan: group must be a divisor of a rank's samples, got %d for %d "
                        "samples",
                        group, t->batch);
    if (t->options->path_length > 0 && t->batch % PATH_SHRINK)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training gan: with path_length a rank must have an even number of "
                        "samples, got %d",
                        t->batch);
    return CHL_OK;
}

static chl_status check_network(const chl_trainer *t) {
    const chl_train_options *o = t->options;
    const gan *own = t->own;
    if (o->blur_kimg > 0 && o->blur_sigma == 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training gan: blur_kimg must be left out, got %g: it needs blur_sigma",
                        (double)o->blur_kimg);
    if (!own->network.third || o->path_length == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "training gan: path_length must be 0 with network %s, got %g (the recipe of "
                    "this name leaves it at 0)",
                    o->network, (double)o->path_length);
}

static bool augments(const chl_train_options *o) {
    return o->augment && strcmp(o->augment, "none") != 0;
}

/* --- the step --------------------------------------------------------------------------------- */
static chl_phase lazy(const chl_net *net, const chl_train_options *o, float rate, int interval,
                      bool penalty) {
    const double share = penalty ? (double)interval / (interval + 1) : 1;
    return (chl_phase){.net = net,
                       .interval = 1,
                       .rate_scale = (float)(share * (double)rate / (double)o->rate),
                       .beta1 = (float)pow((double)o->beta1, share),
                       .beta2 = (float)pow((double)o->beta2, share)};
}

static chl_tensor judge(const chl_trainer *t, int seen, chl_tensor pictures, chl_tensor label) {
    gan *own = t->own;
    pictures = chl_gan_blur_nodes(t->graph, &own->blur, pictures);
    return chl_discriminator(&own->critic_net, &own->critic,
                             chl_gan_augment_nodes(t->graph, &own->augment[seen], pictures), label);
}

/* Upstream's StyleGAN2 moves the centre whenever it paints; its StyleGAN3 the centre and the magnitudes
 * where the discriminator learns. */
static chl_tensor paint(chl_trainer *t, chl_net *net, int phase, chl_tensor *codes) {
    gan *own = t->own;
    const bool third = own->network.third, moves = phase == PHASE_CRITIC;
    const chl_gan_follow follow = {.states = &own->states,
                                   .centre = !third || moves,
                                   .magnitudes = third ? &own->magnitudes : NULL};
    chl_stylegan3_magnitudes *m = &own->magnitudes;
    const float decay = (float)pow(0.5, t->options->batch / (1000.0 * MAGNITUDE_KIMG));
    m->decay = moves ? decay : 1;
    const chl_tensor fakes =
        chl_gan_paint(t, net, &own->network, &own->draws[phase], &follow, codes);
    for (int i = 0; third && moves && i < own->network.three.layers; i++)
        if (chl_graph_status(t->graph) == CHL_OK)
            chl_trainer_track(t, m->stored[i], m->measured[i], decay);
    return fakes;
}

static void build_generator(chl_trainer *t, chl_net *net) {
    gan *own = t->own;
    const chl_train_options *o = t->options;
    chl_graph *g = t->graph;
    chl_tensor codes, mean;
    chl_phase phase = lazy(net, o, o->rate, PATH_INTERVAL, o->path_length > 0);
    chl_tensor fakes = paint(t, net, PHASE_GENERATOR, &codes);
    const chl_tensor logits = judge(t, SEEN_GENERATOR, fakes, own->draws[PHASE_GENERATOR].label);
    chl_trainer_term(t, "generator", 1, chl_softplus_loss(g, logits, -1));
    chl_trainer_phase(t, &phase);
    if (!(o->path_length > 0)) return;
    fakes = paint(t, net, PHASE_PATH, &codes);
    const chl_tensor lengths = chl_path_lengths(g, fakes, codes, own->draws[PHASE_PATH].pattern);
    const chl_tensor average = chl_param(g, PATH_AVERAGE, chl_f32(1, 1), NULL, CHL_TRAINABLE);
    const chl_tensor penalty = chl_path_penalty(g, lengths, average, PATH_DECAY, &mean);
    chl_trainer_term(t, "path_length", PATH_INTERVAL * o->path_length, penalty);
    if (mean != CHL_NONE) chl_trainer_track(t, average, mean, PATH_DECAY);
    phase.interval = PATH_INTERVAL;
    chl_trainer_phase(t, &phase);
}

static void build_critic(chl_trainer *t, chl_net *net) {
    gan *own = t->own;
    const chl_train_options *o = t->options;
    chl_graph *g = t->graph;
    chl_tensor codes;
    chl_phase phase = lazy(&own->critic_net, o, o->rate_critic > 0 ? o->rate_critic : o->rate,
                           R1_INTERVAL, own->r1 > 0);
    const chl_tensor fakes = paint(t, net, PHASE_CRITIC, &codes);
    const chl_tensor of_fakes = judge(t, SEEN_FAKE, fakes, own->draws[PHASE_CRITIC].label);
    chl_tensor of_real = judge(t, SEEN_REAL, own->real, own->label);
    if (chl_graph_status(g) != CHL_OK) return;
    chl_trainer_term(t, "fake", 1, chl_softplus_loss(g, of_fakes, 1));
    chl_trainer_term(t, "real", 1, chl_softplus_loss(g, of_real, -1));
    chl_trainer_watch(t, "score_fake", chl_mean(g, of_fakes));
    chl_trainer_watch(t, "score_real", chl_mean(g, of_real));
    if (augments(o)) chl_gan_ada_watch(t, &own->ada, of_real);
    chl_trainer_phase(t, &phase);
    if (!(own->r1 > 0)) return;
    of_real = judge(t, SEEN_R1, own->real, own->label);
    chl_trainer_term(t, "r1", R1_INTERVAL * own->r1 / 2,
                     chl_gradient_penalty(g, of_real, own->real));
    phase.interval = R1_INTERVAL;
    chl_trainer_phase(t, &phase);
}

static void build_average(chl_trainer *t, const chl_net *net) {
    gan *own = t->own;
    const chl_tensor *x;
    const int count = chl_phase_weights(t, net, &x);
    own->log_fresh = chl_input(t->graph, "log of the average's fresh share", chl_f32(1, 1));
    for (int i = 0; i < count; i++) chl_average_by(t->graph, x[i], own->log_fresh);
}

static void make_draws(chl_trainer *t) {
    gan *own = t->own;
    const int n = t->batch;
    chl_gan_draws_build(t, &own->network, own->critic.classes, PHASE_GENERATOR, n, false,
                        &own->draws[PHASE_GENERATOR]);
    if (t->options->path_length > 0)
        chl_gan_draws_build(t, &own->network, own->critic.classes, PHASE_PATH, n / PATH_SHRINK,
                            true, &own->draws[PHASE_PATH]);
    chl_gan_draws_build(t, &own->network, own->critic.classes, PHASE_CRITIC, n, false,
                        &own->draws[PHASE_CRITIC]);
}

static chl_status make_augmentations(chl_trainer *t) {
    gan *own = t->own;
    chl_gan_pipe pipe;
    CHL_TRY(chl_gan_pipe_find(t->options->augment, &pipe));
    own->ada.fixed = t->options->augment_p;
    if (!augments(t->options) && own->ada.fixed > 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training gan: augment_p must be left out without augment, got %g",
                        (double)own->ada.fixed);
    if (!augments(t->options)) return CHL_OK;
    if (own->ada.fixed == 0 && t->options->ahead > 1)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training gan: ahead must be 0 or 1 with an adaptive augment, got %d",
                        t->options->ahead);
    if (!(t->options->augment_kimg > 0))
        return chl_fail(CHL_ERR_ARGUMENT, "training gan: augment_kimg must be > 0, got %g",
                        (double)t->options->augment_kimg);
    for (int i = 0; i < SEEN; i++)
        if (i != SEEN_R1 || own->r1 > 0)
            chl_gan_augment_build(t, &pipe, own->network.resolution, t->batch, &own->augment[i]);
    return CHL_OK;
}

static float gamma_of(const chl_train_options *o, int side) {
    if (o->r1 != 0) return o->r1 > 0 ? o->r1 : 0;
    return 0.0002f * (float)side * (float)side / (float)o->batch;
}

/* --- classes ---------------------------------------------------------------------------------- */
static const char *name_of_class(const chl_dataset *data, int class) {
    for (int64_t i = 0; i < data->count; i++)
        if (data->sample[i].label_id == class) return data->sample[i].label;
    return "";
}

/* A line for each: what `generate --class` numbers. */
static chl_status make_classes(const chl_trainer *t, char **text, size_t *size) {
    chl_text_buffer lines = {0};
    for (int k = 0; k < t->data->labels; k++)
        chl_text_add(&lines, "%d\t%s\n", k, name_of_class(t->data, k));
    CHL_TRY(chl_text_done(&lines, CLASSES));
    *text = lines.text;
    *size = strlen(lines.text);
    return CHL_OK;
}

static chl_status write_classes(chl_trainer *t) {
    char *text;
    size_t size;
    for (int64_t i = 0; i < t->data->count; i++)
        if (t->data->sample[i].label_id < 0)
            return chl_fail(CHL_ERR_KEY,
                            "training gan: set conditional only where every picture has a label: "
                            "%s has none",
                            t->data->sample[i].picture);
    CHL_TRY(chl_trainer_text(t, CLASSES, make_classes, &text, &size));
    free(text);
    return CHL_OK;
}

static chl_status make_networks(chl_trainer *t) {
    gan *own = t->own;
    chl_discriminator_shape critic;
    const int group = t->options->group > 0 ? t->options->group : GROUP;
    const int classes = t->options->conditional ? t->data->labels : 0;
    CHL_TRY(chl_gan_network_new(t->options, &own->network, &critic, &t->params));
    CHL_TRY(check_network(t));
    if (t->options->conditional) CHL_TRY(write_classes(t));
    critic.classes = classes;
    critic.mapping_layers = LABEL_LAYERS;
    CHL_TRY(chl_discriminator_add_random(&critic, CRITIC, t->options->seed, t->params));
    CHL_TRY(chl_discriminator_import(t->params, CRITIC, &own->critic));
    own->critic.conv_clamp = 0; /* upstream's in float32 */
    if (classes > 0)
        CHL_TRY(chl_stylegan_add_classes(t->params, own->network.z_dim, own->network.w_dim, classes,
                                         t->options->seed));
    own->critic.group = group < t->options->batch ? group : t->options->batch;
    own->r1 = gamma_of(t->options, own->network.resolution);
    return check_batch(t, own->critic.group);
}

/* auto is what the training can do, not all that the device can */
static chl_status choose_precision(chl_trainer *t) {
    if (t->options->precision == CHL_PRECISION_AUTO) {
        t->precision = CHL_F32;
        chl_graph_precision(t->graph, CHL_F32);
    }
    if (t->precision != CHL_F32)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "training gan: precision must be float32: its penalties are second "
                        "derivatives, which are not tested in bf16");
    return CHL_OK;
}

static void find_magnitudes(chl_trainer *t) {
    gan *own = t->own;
    const chl_stylegan3_config *config = &own->network.three;
    char layer[CHL_STYLEGAN3_NAME];
    for (int i = 0; own->network.third && i < config->layers; i++) {
        chl_stylegan3_layer_name(config, i, layer);
        own->magnitudes.stored[i] = chl_weight(&own->states, "%s.magnitude_ema", layer);
    }
}

static chl_status build(chl_trainer *t) {
    CHL_TRY(choose_precision(t));
    gan *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    CHL_TRY(make_networks(t));
    const int n = t->batch, side = own->network.resolution;
    own->chosen = chl_trainer_memory(t, t->options->batch, sizeof *own->chosen);
    own->pixels = chl_trainer_memory(t, 3 * (int64_t)n * side * side, sizeof *own->pixels);
    own->labels = chl_trainer_memory(t, (int64_t)n * own->critic.classes, sizeof *own->labels);
    make_draws(t);
    CHL_TRY(make_augmentations(t));
    CHL_TRY(chl_trainer_memory_status(t));
    own->real = chl_input(t->graph, "picture", chl_f32(4, n, side, side, 3));
    if (own->critic.classes > 0)
        own->label = chl_input(t->graph, "label", chl_f32(2, n, own->critic.classes));
    chl_gan_blur_build(t, &own->blur);
    CHL_TRY(chl_trainer_memory_status(t));
    chl_net *net = chl_trainer_net(t);
    own->states = (chl_net){.graph = t->graph, .params = t->params, .kind = CHL_TRAINABLE};
    find_magnitudes(t);
    own->critic_net =
        (chl_net){.graph = t->graph, .params = t->params, .kind = CHL_TRAINABLE, .prefix = CRITIC};
    build_generator(t, net);
    build_critic(t, net);
    if (augments(t->options)) chl_gan_ada_phase(t, &own->ada);
    build_average(t, net);
    return chl_graph_status(t->graph);
}

static void release(chl_trainer *t) {
    gan *own = t->own;
    chl_net_done(&own->critic_net);
    chl_net_done(&own->states);
    chl_gan_measure_free(&own->measure);
}

/* --- its inputs ------------------------------------------------------------------------------- */
/* A rank has whole groups of the batch: of n / G groups sample i belongs to group i modulo that. */
static int64_t place_of(const chl_trainer *t, int i) {
    const gan *own = t->own;
    const int here = t->batch / own->critic.group, all = t->options->batch / own->critic.group;
    return (int64_t)(i / here) * all + t->rank * here + i % here;
}

static int64_t place_in_part(const chl_trainer *t, int i) {
    return t->first / PATH_SHRINK + i;
}

static bool is_mirrored(const chl_trainer *t, int64_t index, int64_t place) {
    const chl_philox r =
        chl_random(t->options->seed, PURPOSE_MIRROR, (uint64_t)index, (uint64_t)place);
    return t->options->mirror && r.word[0] >> 31;
}

static void take_pixels(const uint8_t *bytes, int side, bool mirrored, float *out) {
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const uint8_t *from = bytes + 3 * (y * side + (mirrored ? side - 1 - x : x));
            for (int c = 0; c < 3; c++) out[3 * (y * side + x) + c] = (float)from[c] / 127.5f - 1;
        }
}

static chl_status feed_pictures(chl_trainer *t, int64_t index) {
    gan *own = t->own;
    const int side = own->network.resolution;
    chl_dataset_next_batch(t->data);
    CHL_TRY(chl_dataset_batch(t->data, t->options->seed, index, t->options->batch, own->chosen));
    for (int i = 0; i < t->batch; i++) {
        const int64_t place = place_of(t, i);
        const uint8_t *bytes;
        CHL_TRY(chl_stand_in_picture(t->data, t->options->seed, index, place, side,
                                     &own->chosen[place], &bytes));
        take_pixels(bytes, side, is_mirrored(t, index, place),
                    own->pixels + 3 * (int64_t)i * side * side);
        for (int k = 0; k < own->critic.classes; k++)
            own->labels[i * own->critic.classes + k] =
                k == t->data->sample[own->chosen[place]].label_id;
    }
    if (own->label != CHL_NONE) CHL_TRY(chl_trainer_write(t, own->label, own->labels));
    return chl_trainer_write(t, own->real, own->pixels);
}

/* 1 - 0.5^(batch / half-life), of which the first step's is 1 where a ramp bounds the half-life */
static float log_fresh(const chl_train_options *o, int64_t index) {
    const double batch = o->batch, seen = batch * (double)index;
    double half_life =
        o->average_kimg > 0 ? 1000 * (double)o->average_kimg : 1000 * batch * 10 / 32;
    if (o->average_ramp > 0) half_life = fmin(half_life, seen * (double)o->average_ramp);
    return (float)log1p(-pow(0.5, batch / fmax(half_life, 1e-8)));
}

static chl_status feed_augmentations(chl_trainer *t, int64_t index) {
    gan *own = t->own;
    const float p = chl_gan_ada_p(&own->ada, index);
    if (!augments(t->options)) return CHL_OK;
    for (int i = 0; i < SEEN; i++)
        if (i != SEEN_R1 || (own->r1 > 0 && index % R1_INTERVAL == 0))
            CHL_TRY(chl_gan_augment_feed(t, &own->augment[i], p, PURPOSE_AUGMENT + (uint32_t)i,
                                         index, place_of));
    return CHL_OK;
}

static chl_status feed(chl_trainer *t, int64_t index) {
    gan *own = t->own;
    const float fresh = log_fresh(t->options, index);
    CHL_TRY(feed_pictures(t, index));
    CHL_TRY(feed_augmentations(t, index));
    CHL_TRY(chl_gan_blur_feed(t, &own->blur, index));
    CHL_TRY(chl_gan_draws_feed(t, &own->draws[PHASE_GENERATOR], index, place_of));
    if (t->options->path_length > 0 && index % PATH_INTERVAL == 0)
        CHL_TRY(chl_gan_draws_feed(t, &own->draws[PHASE_PATH], index, place_in_part));
    CHL_TRY(chl_gan_draws_feed(t, &own->draws[PHASE_CRITIC], index, place_of));
    return chl_trainer_write(t, own->log_fresh, &fresh);
}

static chl_status start(chl_trainer *t, int64_t index) {
    gan *own = t->own;
    CHL_TRY(chl_gan_measure_start(t, own->network.resolution, &own->measure));
    return augments(t->options) ? chl_gan_ada_start(t, &own->ada, index) : CHL_OK;
}

static void finished(chl_trainer *t, int64_t index, const float *value) {
    gan *own = t->own;
    if (augments(t->options) && own->ada.fixed == 0)
        chl_gan_ada_finished(&own->ada, index, chl_trainer_value(t, CHL_ADA_TERM, value));
}

/* --- the model -------------------------------------------------------------------------------- */
/* The generator alone, under upstream's names: its averages, the stored noise and the mean of w. */
static chl_status save(chl_trainer *t, chl_params *out) {
    CHL_TRY(chl_trainer_export(t, t->params, out));
    chl_params_drop_all(out, CRITIC, false);
    return CHL_OK;
}

static chl_status look(chl_trainer *t, int64_t step, chl_params *model) {
    gan *own = t->own;
    return chl_gan_look(t, &own->network, own->critic.classes, &own->measure, step, model);
}

const chl_training chl_training_gan = {
    .name = "gan",
    .need = CHL_NEED_PICTURE,
    .reads =
        "network blur_sigma blur_kimg sizes clip resolution r1 path_length mixing rate_critic "
        "average_kimg average_ramp "
        "mirror augment augment_p augment_target augment_kimg conditional group pictures_every",
    .usual = {.steps = 20000, .batch = 16, .rate = 2.5e-3f, .beta2 = 0.99f},
    .defaults = defaults,
    .build = build,
    .feed = feed,
    .save = save,
    .release = release,
    .start = start,
    .finished = finished,
    .look = look,
    .shared = true,
};
