/* Trains a small CLIP pair from scratch on a folder's pictures and captions: image and text tower
 * of host/nets/clip.h, so that its file loads like any other CLIP.
 *
 * Captions of a synthetic world repeat: equal ones in a batch share the target's probability and
 * are not each other's negatives. With a generator, half of each batch are its pictures
 * (generator_pool.h). */
#include "base/options.h"
#include "base/random.h"
#include "io/picture.h"
#include "losses/losses.h"
#include "nets/clip.h"
#include "nets/layers.h"
#include "text/learn_merges.h"
#include "text/tokenizer.h"
#include "train/augment_picture.h"
#include "train/generator_pool.h"
#include "train/sizes.h"
#include "train/stand_in.h"
#include "train/trainer.h"
#include <chladni/engine.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PURPOSE_PICTURE = 0x636c6970, PURPOSE_PAIR };

#define MAX_MERGES 512
/* Shares of pictures whose text is the sound's label and not the caption, because edits use labels,
 * and whose text is empty, because "" is the neutral text of directional edits. */
#define LABEL_SHARE 0.25f
#define EMPTY_SHARE 0.03f
static const char *const broken_text[] = {"a broken picture", "a damaged picture", "a blurred mess",
                                          "nothing but noise"};
#define BROKEN_TEXTS 4

typedef struct clip_training {
    chl_clip_config config;
    chl_generator_pool pool; /* count 0 = none */
    /* all texts: captions, labels (end 0 = none), broken ones, "" */
    int32_t *ids, *end;                    /* [2 count + BROKEN_TEXTS + 1][context], [...] */
    chl_tensor *picture, *text, *text_end; /* [chunks] */
    chl_tensor same;
    chl_tensor codes, reach, same_painted; /* with an adversary */
    /* of one batch of all ranks */
    int64_t *index;                /* [options->batch] samples */
    int32_t *all_texts, *all_ends; /* [options->batch][context], [options->batch] */
    /* of this rank's */
    const uint8_t **pixels;        /* [batch] */
    float *picture_data;           /* [batch][R][R][3] */
    int32_t *text_data, *end_data; /* [batch][context], [batch] */
    float *same_data;              /* [batch][options->batch] */
    float *code_data, *reach_data; /* [batch/2][rows][W], [batch/2][W] */
} clip_training;

/* --- texts ------------------------------------------------------------------------------------ */
/* Text `row` of clip_training.ids; NULL where the sample has no label. */
static const char *text_of(const chl_dataset *data, int64_t row) {
    if (row < data->count) return data->sample[row].caption;
    if (row < 2 * data->count) return data->sample[row - data->count].label;
    row -= 2 * data->count;
    return row < BROKEN_TEXTS ? broken_text[row] : "";
}

static int64_t texts_of(const chl_dataset *data) {
    return 2 * data->count + BROKEN_TEXTS + 1;
}

static chl_status learn_merges(const chl_trainer *t, char **file, size_t *size) {
    const chl_dataset *data = t->data;
    const int64_t texts = texts_of(data);
    const char **text = malloc((size_t)texts * sizeof *text);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for captions");
    for (int64_t i = 0; i < texts; i++) text[i] = text_of(data, i) ? text_of(data, i) : "";
    chl_status status = chl_learn_merges(texts, text, MAX_MERGES, file, size);
    free(text);
    return status;
}

/* The merges that the options name, or those that the run learns at its start. */
static chl_status open_tokenizer(chl_trainer *t, chl_tokenizer **out) {
    if (t->options->vocab) return chl_tokenizer_open(t->options->vocab, out);
    char *merges;
    size_t size;
    CHL_TRY(chl_trainer_text(t, "merges.txt", learn_merges, &merges, &size));
    chl_status status = chl_tokenizer_open_memory(merges, size, "merges.txt", out);
    free(merges);
    return status;
}

static chl_status encode_texts(chl_trainer *t, clip_training *own) {
    const int64_t texts = texts_of(t->data);
    const int context = own->config.context;
    own->ids = chl_trainer_memory(t, texts * context, sizeof *own->ids);
    own->end = chl_trainer_memory(t, texts, sizeof *own->end);
    CHL_TRY(chl_trainer_memory_status(t));
    chl_tokenizer *tokenizer = NULL;
    chl_status status;
    CHL_TRY_GOTO(open_tokenizer(t, &tokenizer));
    own->config.vocabulary = chl_tokenizer_vocabulary(tokenizer);
    for (int64_t i = 0; i < texts; i++) {
        const char *text = text_of(t->data, i);
        if (text)
            CHL_TRY_GOTO(chl_tokenizer_encode(tokenizer, text, context, own->ids + i * context,
                                              &own->end[i]));
    }
done:
    chl_tokenizer_free(tokenizer);
    return status;
}

/* --- the network ------------------------------------------------------------------------------ */
static chl_status read_sizes(const chl_train_options *options, chl_clip_config *config, int *pool) {
    *config = (chl_clip_config){.image = {.layers = 4, .width = 128},
                                .text = {.layers = 2, .width = 128},
                                .embed = 128,
                                .resolution = 128,
                                .patch = 16,
                                .context = 24};
    const chl_size_key keys[] = {{"resolution", &config->resolution, .min = 8, .max = 1024},
                                 {"patch", &config->patch, .min = 2, .max = 64},
                                 {"width", &config->image.width, .min = 64, .max = 4096},
                                 {"layers", &config->image.layers, .min = 1, .max = 64},
                                 {"text_width", &config->text.width, .min = 64, .max = 4096},
                                 {"text_layers", &config->text.layers, .min = 1, .max = 64},
                                 {"context", &config->context, .min = 4, .max = 1024},
                                 {"embed", &config->embed, .min = 1, .max = CHL_MAX_EMBEDDING},
                                 {"pool", pool, .min = 1, .max = 1000000}};
    CHL_TRY(chl_sizes_read(options->sizes, keys, (int)(sizeof keys / sizeof keys[0])));
    if (config->resolution % config->patch)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "sizes: resolution must be a multiple of patch, got %d and %d",
                        config->resolution, config->patch);
    chl_clip_tower *const towers[] = {&config->image, &config->text};
    for (int i = 0; i < 2; i++) { /* as a reader of the file computes the heads (chl_clip_import) */
        if (towers[i]->width % 64)
            return chl_fail(CHL_ERR_ARGUMENT, "sizes: widths must be multiples of 64, got %d",
                            towers[i]->width);
        towers[i]->heads = towers[i]->width / 64;
        towers[i]->mlp = 4 * towers[i]->width;
    }
    return CHL_OK;
}

static chl_status allocate(chl_trainer *t, clip_training *own) {
    const int64_t all = t->options->batch, n = t->batch, side = own->config.resolution;
    own->index = chl_trainer_memory(t, all, sizeof *own->index);
    own->all_texts = chl_trainer_memory(t, all * own->config.context, sizeof *own->all_texts);
    own->all_ends = chl_trainer_memory(t, all, sizeof *own->all_ends);
    own->pixels = chl_trainer_memory(t, n, sizeof *own->pixels);
    own->picture_data = chl_trainer_memory(t, 3 * n * side * side, sizeof *own->picture_data);
    own->text_data = chl_trainer_memory(t, n * own->config.context, sizeof *own->text_data);
    own->end_data = chl_trainer_memory(t, n, sizeof *own->end_data);
    own->same_data = chl_trainer_memory(t, n * all, sizeof *own->same_data);
    own->picture = chl_trainer_memory(t, t->chunks, sizeof *own->picture);
    own->text = chl_trainer_memory(t, t->chunks, sizeof *own->text);
    own->text_end = chl_trainer_memory(t, t->chunks, sizeof *own->text_end);
    return chl_trainer_memory_status(t);
}

static chl_status allocate_codes(chl_trainer *t, clip_training *own) {
    const int64_t n = t->batch / 2, w_dim = own->pool.generator->sizes.latent;
    own->code_data =
        chl_trainer_memory(t, n * own->pool.generator->sizes.rows * w_dim, sizeof *own->code_data);
    own->reach_data = chl_trainer_memory(t, n * w_dim, sizeof *own->reach_data);
    return chl_trainer_memory_status(t);
}

static chl_tensor see(chl_net *net, const clip_training *own, chl_tensor picture) {
    const chl_tensor seen = chl_clip_preprocess(net->graph, &own->config, picture, CHL_CLIP_AREA);
    return chl_clip_image(net, &own->config, seen);
}

/* Rows of a chunk: of its pictures, or of its texts. */
static chl_tensor embed(chl_trainer *t, chl_net *net, int texts, int chunk) {
    const clip_training *own = t->own;
    if (!texts) return see(net, own, own->picture[chunk]);
    return chl_clip_text(net, &own->config, own->text[chunk], own->text_end[chunk]);
}

static chl_tensor contrast(chl_net *net, chl_tensor pictures, chl_tensor texts, chl_tensor same) {
    const chl_tensor scale = chl_weight_shaped(net, chl_f32(1, 1), "logit_scale");
    return chl_soft_contrastive_loss(net->graph, pictures, texts, same, scale);
}

/* The rows of half `which` of x [2n,D] */
static chl_tensor half_of(chl_graph *g, chl_tensor x, int n, int d, int which) {
    x = chl_select(g, chl_reshape(g, x, chl_f32(3, 1, 2, n * d)), which);
    return chl_reshape(g, x, chl_f32(2, n, d));
}

/* The generator's codes, moved along the gradient of their pictures' loss, which becomes larger, by
 * the distance `reach` (all of a sample's numbers are the same).
 *
 * An encoder that was trained on unchanged pictures can be misled by small meaningless changes, and
 * an edit finds such changes: for this CLIP pair, trained without an adversary, a landscape of
 * another tint had a larger cosine with "rain" than rain has. For an encoder that has to be right
 * after the worst step, gradients follow what pictures show [Madry et al. 2018; Santurkar et al.
 * 2019, "Image synthesis with a single (robust) classifier"; one step: Wong et al. 2020]. The step
 * is taken in W+, since that is where edits move. */
static chl_tensor attacked(chl_graph *g, chl_tensor codes, chl_tensor reach, chl_tensor loss) {
    if (codes == CHL_NONE || loss == CHL_NONE) return CHL_NONE;
    const chl_desc desc = *chl_desc_of(g, codes);
    const int n = (int)desc.dim[0], rows = (int)desc.dim[1], width = (int)desc.dim[2];
    chl_tensor uphill;
    chl_grad(g, loss, 1, &codes, &uphill);
    uphill = chl_reshape(g, chl_stop_gradient(g, uphill), chl_f32(2, n, rows * width));
    uphill = chl_unit_rows(g, uphill);
    uphill = chl_channel_scale(g, chl_reshape(g, uphill, chl_f32(4, n, rows, 1, width)), reach);
    return chl_stop_gradient(g, chl_add(g, codes, chl_reshape(g, uphill, desc)));
}

/* Half of the batch are pictures of the data set, the other half the generator's of attacked
 * codes. */
static void build_attack(chl_trainer *t, clip_training *own, chl_net *net, chl_tensor texts) {
    chl_graph *g = t->graph;
    const chl_generator *painter = own->pool.generator;
    const int n = t->batch / 2, d = own->config.embed;
    own->codes = chl_input(g, "codes", chl_generator_codes(painter, n));
    own->reach = chl_input(g, "reach", chl_f32(2, n, painter->sizes.latent));
    own->same_painted = chl_input(g, "same_painted", chl_f32(2, n, t->options->batch / 2));
    chl_net generator = chl_model_net(&painter->model, g);
    const chl_tensor its = half_of(g, texts, n, d, 1);
    chl_tensor picture = chl_generator_synthesize(painter, &generator, own->codes);
    const chl_tensor loss = contrast(net, see(net, own, picture), its, own->same_painted);
    const chl_tensor codes = attacked(g, own->codes, own->reach, loss);
    picture = chl_generator_synthesize(painter, &generator, codes);
    chl_trainer_term(t, "attacked", 0.5f,
                     contrast(net, see(net, own, picture), its, own->same_painted));
    chl_trainer_term(
        t, "contrastive", 0.5f,
        contrast(net, see(net, own, own->picture[0]), half_of(g, texts, n, d, 0), own->same));
    chl_net_done(&generator);
}

static void build_losses(chl_trainer *t, clip_training *own) {
    const chl_clip_config *config = &own->config;
    const int n = t->batch, all = t->options->batch, side = config->resolution;
    const bool attack = t->options->adversary > 0;
    chl_graph *g = t->graph;
    if (attack)
        own->picture[0] = chl_input(g, "picture", chl_f32(4, n / 2, side, side, 3));
    else
        chl_trainer_inputs(t, "picture", chl_f32(4, n, side, side, 3), own->picture);
    chl_trainer_inputs(t, "text", chl_i32(2, n, config->context), own->text);
    chl_trainer_inputs(t, "text_end", chl_i32(1, n), own->text_end);
    own->same = chl_input(g, "same", attack ? chl_f32(2, n / 2, all / 2) : chl_f32(2, n, all));
    chl_net *net = chl_trainer_net(t);
    const chl_tensor texts = chl_trainer_rows(t, embed, true);
    if (attack)
        build_attack(t, own, net, texts);
    else
        chl_trainer_term(t, "contrastive", 1,
                         contrast(net, chl_trainer_rows(t, embed, false), texts, own->same));
}

static chl_status check_adversary(const chl_trainer *t) {
    const chl_train_options *o = t->options;
    CHL_TRY(chl_check_float(o->adversary >= 0 && isfinite(o->adversary), "adversary", ">= 0",
                            (double)o->adversary));
    if (o->adversary == 0) return CHL_OK;
    if (!o->generator)
        return chl_fail(CHL_ERR_ARGUMENT, "an adversary needs generator: it moves its codes");
    if (t->chunks > 1)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "training clip: micro_batch must be 0 with an adversary, got %d", t->chunk);
    CHL_TRY(chl_check_int(o->batch >= 4 && o->batch % 2 == 0, "batch",
                          "even and >= 4 with an adversary", o->batch));
    if (t->batch % 2 == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "training clip: batch must be a multiple of twice the ranks with an adversary, "
                    "got a batch of %d for %d ranks",
                    o->batch, t->ranks);
}

static chl_status build(chl_trainer *t) {
    clip_training *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    int pool = 8000;
    CHL_TRY(read_sizes(t->options, &own->config, &pool));
    CHL_TRY(check_adversary(t));
    CHL_TRY(chl_stand_in_agree(t, own->config.resolution));
    CHL_TRY(allocate(t, own));
    CHL_TRY(encode_texts(t, own));
    if (t->options->generator) {
        chl_log(CHL_LOG_INFO, "%d codes of %s", pool, t->options->generator);
        CHL_TRY(chl_generator_pool_make(
            t->device, t->options->generator, t->data, t->options->seed, pool,
            t->options->adversary > 0 ? 0 : own->config.resolution, &own->pool));
        if (t->options->adversary > 0) CHL_TRY(allocate_codes(t, own));
    }
    CHL_TRY(chl_clip_random(&own->config, t->options->seed, &t->params));
    build_losses(t, own);
    return CHL_OK;
}

/* --- a batch ---------------------------------------------------------------------------------- */
/* How many samples of a batch are the data set's. */
static int renders(const chl_trainer *t, const clip_training *own) {
    return own->pool.count ? (t->options->batch + 1) / 2 : t->options->batch;
}

/* The text of a picture of this sample, or of a broken picture. */
static int64_t draw_text(const chl_trainer *t, const clip_training *own, int64_t sample,
                         const chl_philox *word) {
    const int64_t count = t->data->count;
    if (sample == CHL_POOL_BROKEN) return 2 * count + word->word[1] % BROKEN_TEXTS;
    const float u = chl_uniform(word->word[1]);
    if (u < EMPTY_SHARE) return 2 * count + BROKEN_TEXTS;
    return u < EMPTY_SHARE + LABEL_SHARE && own->end[count + sample] ? count + sample : sample;
}

/* A code of the pool, and how far the adversary may move it: evenly between not at all and
 * `adversary` times as far as mapped codes lie from their mean, on every row. */
static void draw_code(const chl_trainer *t, clip_training *own, int64_t which, float share,
                      int at) {
    const int64_t rows = own->pool.generator->sizes.rows, w_dim = own->pool.generator->sizes.latent;
    const float reach = share * t->options->adversary * own->pool.spread * sqrtf((float)rows);
    memcpy(own->code_data + at * rows * w_dim, own->pool.codes + which * rows * w_dim,
           (size_t)(rows * w_dim) * sizeof *own->code_data);
    for (int64_t k = 0; k < w_dim; k++) own->reach_data[at * w_dim + k] = reach;
}

/* Element `place` of all ranks' batch: samples[0 ... renders) come first, then pool pictures. */
typedef struct drawn {
    int64_t sample, which; /* of the data set, or CHL_POOL_BROKEN; in the pool, or -1 */
    chl_philox word;
} drawn;

static drawn draw(const chl_trainer *t, const clip_training *own, int64_t index, int64_t place) {
    drawn d = {.which = -1,
               .word =
                   chl_random(t->options->seed, PURPOSE_PAIR, (uint64_t)index, (uint64_t)place)};
    if (place < renders(t, own)) {
        d.sample = own->index[place];
    } else {
        d.which = d.word.word[0] % own->pool.count;
        d.sample = own->pool.sample[d.which];
    }
    return d;
}

/* The texts of all ranks' samples, which are compared. */
static void draw_texts(const chl_trainer *t, clip_training *own, int64_t index) {
    const int64_t context = own->config.context;
    for (int64_t place = 0; place < t->options->batch; place++) {
        const drawn d = draw(t, own, index, place);
        const int64_t text = draw_text(t, own, d.sample, &d.word);
        memcpy(own->all_texts + place * context, own->ids + text * context,
               (size_t)context * sizeof *own->ids);
        own->all_ends[place] = own->end[text];
    }
}

/* Where sample i of this rank stands in the batch of all. With an adversary each rank has as many
 * pictures of the data set as of the generator. */
static int64_t place_of(const chl_trainer *t, int64_t i) {
    const int64_t half = t->batch / 2;
    if (t->options->adversary == 0) return t->first + i;
    return t->rank * half + (i < half ? i : t->options->batch / 2 + i - half);
}

/* Those of this rank's samples of the data set. Ranks know from the start which samples others stand in
 * for (chl_stand_in_agree): a picture that one of them finds later would have the texts of two. */
static chl_status take_pictures(chl_trainer *t, clip_training *own, int64_t index) {
    const uint64_t seed = t->options->seed;
    const int all = renders(t, own), side = own->config.resolution;
    for (int64_t place = 0; place < all; place++)
        CHL_TRY(chl_stand_in(t->data, NULL, NULL, seed, index, place, &own->index[place]));
    for (int i = 0; i < t->batch; i++) {
        const int64_t place = place_of(t, i);
        if (place >= all) continue;
        int64_t *sample = &own->index[place];
        CHL_TRY(t->ranks > 1 ? chl_dataset_picture(t->data, *sample, side, &own->pixels[i])
                             : chl_stand_in_picture(t->data, seed, index, place, side, sample,
                                                    &own->pixels[i]));
    }
    return CHL_OK;
}

/* Pixels or code of the generator's, and text, of this rank's sample i. */
static chl_status take_sample(const chl_trainer *t, clip_training *own, int64_t index, int i) {
    const int64_t context = own->config.context, side = own->config.resolution;
    const int64_t place = place_of(t, i);
    const drawn d = draw(t, own, index, place);
    memcpy(own->text_data + i * context, own->all_texts + place * context,
           (size_t)context * sizeof *own->text_data);
    own->end_data[i] = own->all_ends[place];
    if (d.which < 0) return CHL_OK; /* take_pictures has */
    if (own->pool.pixels)
        own->pixels[i] = own->pool.pixels + 3 * side * side * d.which;
    else
        draw_code(t, own, d.which, chl_uniform(d.word.word[2]), i - t->batch / 2);
    return CHL_OK;
}

/* This rank's samples from `first`, n of them, with all ranks' from place `from`, `count`. */
static void compare_texts(clip_training *own, int first, int n, int from, int count) {
    const int64_t context = own->config.context;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < count; j++)
            own->same_data[i * count + j] = memcmp(own->text_data + (first + i) * context,
                                                   own->all_texts + (from + j) * context,
                                                   (size_t)context * sizeof *own->text_data) == 0;
}

static chl_status write_attack(chl_trainer *t, clip_training *own) {
    const int half = t->batch / 2, all = t->options->batch / 2;
    compare_texts(own, half, half, all, all);
    CHL_TRY(chl_trainer_write(t, own->same_painted, own->same_data));
    CHL_TRY(chl_trainer_write(t, own->codes, own->code_data));
    CHL_TRY(chl_trainer_write(t, own->reach, own->reach_data));
    compare_texts(own, 0, half, 0, all);
    CHL_TRY(chl_trainer_write(t, own->same, own->same_data));
    return chl_trainer_write(t, own->picture[0], own->picture_data);
}

static chl_status write_pairs(chl_trainer *t, clip_training *own) {
    compare_texts(own, 0, t->batch, 0, t->options->batch);
    CHL_TRY(chl_trainer_write(t, own->same, own->same_data));
    return chl_trainer_write_inputs(t, own->picture, own->picture_data);
}

static chl_status feed(chl_trainer *t, int64_t index) {
    chl_dataset_next_batch(t->data);
    clip_training *own = t->own;
    const bool attack = t->options->adversary > 0;
    const int pictures = attack ? t->batch / 2 : t->batch, side = own->config.resolution;
    CHL_TRY(chl_dataset_batch(t->data, t->options->seed, index, renders(t, own), own->index));
    CHL_TRY(take_pictures(t, own, index));
    draw_texts(t, own, index);
    for (int i = 0; i < t->batch; i++) CHL_TRY(take_sample(t, own, index, i));
    const chl_picture_augment how = CHL_PICTURE_AUGMENT;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pictures; i++)
        chl_augment_picture(&how, t->options->seed, PURPOSE_PICTURE, index, place_of(t, i), side,
                            own->pixels[i], own->picture_data + 3 * (int64_t)side * side * i);
    CHL_TRY(chl_trainer_write_inputs(t, own->text, own->text_data));
    CHL_TRY(chl_trainer_write_inputs(t, own->text_end, own->end_data));
    return attack ? write_attack(t, own) : write_pairs(t, own);
}

static void release(chl_trainer *t) {
    clip_training *own = t->own;
    chl_generator_pool_free(&own->pool);
}

const chl_training chl_training_clip = {
    .name = "clip",
    .need = CHL_NEED_PICTURE | CHL_NEED_CAPTION,
    .reads = CHL_READS_OPTIMISER "sizes vocab generator adversary micro_batch",
    .usual = {.steps = 1200, .batch = 128, .beta2 = 0.98f, .decay = 0.05f, .average = 0.998f},
    .build = build,
    .feed = feed,
    .save = chl_trainer_save,
    .release = release,
    .shared = true};
