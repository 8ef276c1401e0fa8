/* A CLIP pair trained from nothing on four pictures: the loss falls, every picture finds its text,
 * and what is written loads as a CLIP and computes what the training computed. */
#include "harness/parity.h"
#include "io/picture.h"
#include "losses/losses.h"
#include "nets/clip.h"
#include "nets/stylegan2.h"
#include "text/tokenizer.h"
#include "train/generator_pool.h"
#include "train/trainer.h"
#include <string.h>
#include <sys/stat.h>

#define PAIRS 4
#define SIDE 32
#define CONTEXT 12
#define SIZES                                                                                      \
    "resolution=32,patch=8,width=64,layers=1,text_width=64,text_layers=1,context=12,embed=16"

static const char *const captions[PAIRS] = {"red fire over hills", "green grass over hills",
                                            "blue waves at night", "white snow at night"};
static const char *const labels[PAIRS] = {"fire", "grass", "waves", "snow"};
static const uint8_t colours[PAIRS][3] = {
    {220, 40, 20}, {40, 190, 30}, {20, 50, 200}, {240, 240, 240}};

static char folder[] = "/tmp/chladni-clip-XXXXXX";

/* A sky with a coloured lower half and a texture, so that brightness alone tells nothing. */
static void paint(int which, uint8_t *pixels) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                pixels[3 * (y * SIDE + x) + c] =
                    y < SIDE / 2 ? (uint8_t)(120 + (x * 7 + y * 3) % 20) : colours[which][c];
}

static int prepare(void **state) {
    (void)state;
    char path[128];
    uint8_t pixels[3 * SIDE * SIDE];
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/pairs.jsonl", folder);
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    for (int i = 0; i < PAIRS; i++) {
        fprintf(file, "{\"picture\": \"%d.png\", \"caption\": \"%s\", \"label\": \"%s\"}\n", i,
                captions[i], labels[i]);
        snprintf(path, sizeof path, "%s/%d.png", folder, i);
        paint(i, pixels);
        if (chl_raster_write_png(path, SIDE, SIDE, pixels) != CHL_OK) return -1;
    }
    return fclose(file);
}

static int clean_up(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* --- the loss --------------------------------------------------------------------------------- */
#define ROWS 5
#define WIDTH 3

/* Cross-entropy with targets shared among equal rows, less its least, in both directions. */
static double reference(const float *x, const float *y, const int *class, double scale) {
    double total = 0;
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < ROWS; i++) {
            double logit[ROWS], sum = 0;
            int equal = 0;
            for (int j = 0; j < ROWS; j++) {
                const float *a = (way ? y : x) + i * WIDTH, *b = (way ? x : y) + j * WIDTH;
                logit[j] = 0;
                for (int k = 0; k < WIDTH; k++) logit[j] += scale * a[k] * b[k];
                sum += exp(logit[j]);
                equal += class[i] == class[j];
            }
            for (int j = 0; j < ROWS; j++)
                if (class[i] == class[j])
                    total += (-(logit[j] - log(sum)) - log(equal)) / equal / ROWS;
        }
    return total;
}

static double soft_loss(const float *x, const float *y, const int *class, float log_scale,
                        bool plain) {
    float same[ROWS * ROWS], value;
    for (int i = 0; i < ROWS * ROWS; i++) same[i] = class[i / ROWS] == class[i % ROWS];
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_tensor a = chl_constant(g, "x", chl_f32(2, ROWS, WIDTH), x);
    chl_tensor b = chl_constant(g, "y", chl_f32(2, ROWS, WIDTH), y);
    chl_tensor s = chl_constant(g, "same", chl_f32(2, ROWS, ROWS), same);
    chl_tensor scale = chl_constant(g, "scale", chl_f32(1, 1), &log_scale);
    chl_tensor loss =
        plain ? chl_contrastive_loss(g, a, b, scale) : chl_soft_contrastive_loss(g, a, b, s, scale);
    chl_keep(g, loss);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, loss, &value));
    chl_graph_free(g);
    return value;
}

static void equal_captions_share_the_target(void **state) {
    (void)state;
    float *x = parity_target(ROWS, WIDTH), y[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) y[i] = x[(i + 4) % (ROWS * WIDTH)];
    static const int classes[3][ROWS] = {{0, 1, 0, 2, 0}, {0, 1, 2, 3, 4}, {0, 0, 0, 0, 0}};
    for (int i = 0; i < 3; i++) {
        double want = reference(x, y, classes[i], 10),
               got = soft_loss(x, y, classes[i], logf(10), 0);
        print_message("loss %.6f, reference %.6f\n", got, want);
        assert_float_equal(got, want, 1e-5 * (1 + want));
    }
    /* the scale stops at 100 */
    assert_float_equal(soft_loss(x, y, classes[0], 6, 0), reference(x, y, classes[0], 100), 1e-3);
    assert_float_equal(soft_loss(x, y, classes[1], 2, 0), soft_loss(x, y, classes[1], 2, 1), 1e-5);
    free(x);
}

/* --- the training ----------------------------------------------------------------------------- */
typedef struct curve {
    double first, last;
    int64_t steps;
} curve;

static int watch(void *user, const chl_train_progress *progress) {
    curve *c = user;
    if (progress->step == 1) c->first = progress->loss;
    c->last = progress->loss;
    c->steps = progress->step;
    return 0;
}

static chl_train_options options_of(const char *out, int64_t steps, curve *c) {
    chl_train_options options = {.size = sizeof options};
    MUST(chl_train_defaults("clip", &options));
    options.data = folder;
    options.out = out;
    options.sizes = SIZES;
    options.batch = PAIRS;
    options.steps = steps;
    options.save_every = steps;
    options.rate = 3e-3f;
    options.average = 0.9f;
    options.device = "cpu";
    options.progress = watch;
    options.user = c;
    return options;
}

/* similarity [picture][text] by the model file, as anybody loads it */
static void similarities(const char *model, const char *merges, float *similarity) {
    chl_params *params;
    chl_clip_config config = {0};
    chl_tokenizer *tokenizer;
    MUST(chl_weights_read(model, &params));
    MUST(chl_clip_import(params, &config));
    MUST(chl_params_check_all_used(params));
    MUST(chl_tokenizer_open(merges, &tokenizer));
    assert_int_equal(config.vocabulary, chl_tokenizer_vocabulary(tokenizer));
    assert_int_equal(config.context, CONTEXT);
    static float pictures[PAIRS * 3 * SIDE * SIDE];
    int32_t ids[PAIRS * CONTEXT], end[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        uint8_t pixels[3 * SIDE * SIDE];
        paint(i, pixels);
        chl_raster_to_float(sizeof pixels, pixels, pictures + i * (int)sizeof pixels);
        MUST(chl_tokenizer_encode(tokenizer, captions[i], CONTEXT, ids + i * CONTEXT, &end[i]));
    }
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor x = chl_constant(g, "x", chl_f32(4, PAIRS, SIDE, SIDE, 3), pictures);
    chl_tensor t = chl_constant(g, "t", chl_i32(2, PAIRS, CONTEXT), ids);
    chl_tensor e = chl_constant(g, "e", chl_i32(1, PAIRS), end);
    chl_tensor v = chl_clip_image(&net, &config, chl_clip_preprocess(g, &config, x, CHL_CLIP_AREA));
    chl_tensor s = chl_keep(g, chl_linear(g, v, chl_clip_text(&net, &config, t, e), CHL_NONE));
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, s, similarity));
    chl_net_done(&net);
    chl_graph_free(g);
    chl_tokenizer_free(tokenizer);
    chl_params_free(params);
}

static void trained_models_load_and_match_captions(void **state) {
    (void)state;
    char out[128], model[160], merges[160];
    snprintf(out, sizeof out, "%s/run", folder);
    snprintf(model, sizeof model, "%s/model.safetensors", out);
    snprintf(merges, sizeof merges, "%s/merges.txt", out);
    curve c = {0};
    chl_train_options options = options_of(out, 60, &c);
    MUST(chl_train(&options));
    print_message("loss %.3f -> %.3f\n", c.first, c.last);
    assert_int_equal(c.steps, 60);
    assert_true(c.first > 1 && c.last < 0.3 * c.first);
    float similarity[PAIRS * PAIRS];
    similarities(model, merges, similarity);
    for (int i = 0; i < PAIRS; i++)
        for (int j = 0; j < PAIRS; j++)
            if (i != j) {
                assert_true(similarity[i * PAIRS + i] > similarity[i * PAIRS + j] + 0.05f);
                assert_true(similarity[i * PAIRS + i] > similarity[j * PAIRS + i] + 0.05f);
            }
}

/* --- what is written is what was trained ------------------------------------------------------ */
/* The inputs of the last batch, read back from the training's own graph. */
static struct {
    float picture[PAIRS * 3 * SIDE * SIDE], same[PAIRS * PAIRS];
    int32_t text[PAIRS * CONTEXT], end[PAIRS];
} batch;

static chl_tensor input_called(const chl_graph *g, const char *name) {
    for (chl_tensor i = 0; i < chl_tensor_count(g); i++)
        if (chl_name_of(g, i) && strcmp(chl_name_of(g, i), name) == 0) return i;
    return CHL_NONE;
}

static chl_status feed_and_keep(chl_trainer *t, int64_t index) {
    CHL_TRY(chl_training_clip.feed(t, index));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "picture"), batch.picture));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "text"), batch.text));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "text_end"), batch.end));
    return chl_read(t->graph, input_called(t->graph, "same"), batch.same);
}

/* At a rate too small to change a float the model written after a step is the one that computed the
 * step's loss. */
static void export_computes_the_training_loss(void **state) {
    (void)state;
    char out[128], model[160];
    snprintf(out, sizeof out, "%s/still", folder);
    snprintf(model, sizeof model, "%s/model.safetensors", out);
    curve c = {0};
    chl_train_options options = options_of(out, 1, &c);
    options.rate = 1e-20f;
    options.average = 0;
    chl_training wrapped = chl_training_clip;
    wrapped.feed = feed_and_keep;
    MUST(chl_trainer_run(&wrapped, &options));

    chl_params *params;
    chl_clip_config config = {0};
    MUST(chl_weights_read(model, &params));
    MUST(chl_clip_import(params, &config));
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor x = chl_constant(g, "x", chl_f32(4, PAIRS, SIDE, SIDE, 3), batch.picture);
    chl_tensor t = chl_constant(g, "t", chl_i32(2, PAIRS, CONTEXT), batch.text);
    chl_tensor e = chl_constant(g, "e", chl_i32(1, PAIRS), batch.end);
    chl_tensor s = chl_constant(g, "s", chl_f32(2, PAIRS, PAIRS), batch.same);
    chl_tensor v = chl_clip_image(&net, &config, chl_clip_preprocess(g, &config, x, CHL_CLIP_AREA));
    chl_tensor loss = chl_keep(
        g, chl_soft_contrastive_loss(g, v, chl_clip_text(&net, &config, t, e), s,
                                     chl_weight_shaped(&net, chl_f32(1, 1), "logit_scale")));
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    float value;
    MUST(chl_read(g, loss, &value));
    print_message("loss %.7f by the training, %.7f by the file\n", c.last, (double)value);
    assert_true(c.last > 0.1);
    assert_float_equal(value, c.last, 1e-5);
    chl_net_done(&net);
    chl_graph_free(g);
    chl_params_free(params);
}

/* --- batches ---------------------------------------------------------------------------------- */
enum { CAPTION, LABEL, EMPTY, OTHER, SORTS };
static struct {
    chl_tokenizer *tokenizer;
    int front[SORTS], back[SORTS]; /* texts by sort in the first and second half of batches */
} seen;

static int sort_of(const int32_t *text) {
    int32_t ids[CONTEXT];
    for (int i = 0; i < 2 * PAIRS + 1; i++) {
        const char *words = i < PAIRS ? captions[i] : i < 2 * PAIRS ? labels[i - PAIRS] : "";
        MUST(chl_tokenizer_encode(seen.tokenizer, words, CONTEXT, ids, NULL));
        if (memcmp(ids, text, sizeof ids) == 0) return i / PAIRS;
    }
    return OTHER;
}

static chl_status feed_and_count(chl_trainer *t, int64_t index) {
    char merges[160];
    snprintf(merges, sizeof merges, "%s/merges.txt", t->options->out);
    if (!seen.tokenizer) CHL_TRY(chl_tokenizer_open(merges, &seen.tokenizer));
    CHL_TRY(feed_and_keep(t, index));
    for (int i = 0; i < PAIRS; i++) {
        const int32_t *text = batch.text + i * CONTEXT;
        (i < PAIRS / 2 ? seen.front : seen.back)[sort_of(text)]++;
        for (int j = 0; j < PAIRS; j++) {
            bool equal = memcmp(text, batch.text + j * CONTEXT, CONTEXT * sizeof *text) == 0;
            assert_true(batch.same[i * PAIRS + j] == (float)equal);
        }
    }
    return CHL_OK;
}

static void count_texts(const char *out, const char *generator) {
    memset(&seen, 0, sizeof seen);
    curve c = {0};
    chl_train_options options = options_of(out, 100, &c);
    options.generator = generator;
    options.sizes = SIZES ",pool=50";
    chl_training wrapped = chl_training_clip;
    wrapped.feed = feed_and_count;
    MUST(chl_trainer_run(&wrapped, &options));
    chl_tokenizer_free(seen.tokenizer);
    for (int i = 0; i < 2; i++) {
        const int *n = i ? seen.back : seen.front;
        print_message("%s half: %d captions, %d labels, %d empty, %d other\n",
                      i ? "second" : "first", n[CAPTION], n[LABEL], n[EMPTY], n[OTHER]);
    }
}

static void batches_have_the_texts_of_their_samples(void **state) {
    (void)state;
    char out[128], generator[160], latents[160];
    snprintf(out, sizeof out, "%s/texts", folder);
    count_texts(out, NULL);
    assert_in_range(seen.front[LABEL] + seen.back[LABEL], 65, 135);
    assert_in_range(seen.front[EMPTY] + seen.back[EMPTY], 3, 28);
    assert_int_equal(seen.front[OTHER] + seen.back[OTHER], 0);

    const chl_stylegan2_shape shape = {.resolution = 16,
                                       .channel_base = 128,
                                       .channel_max = 8,
                                       .z_dim = 8,
                                       .w_dim = 12,
                                       .mapping_layers = 2};
    const chl_desc desc = chl_f32(2, PAIRS, 8);
    float z[PAIRS * 8];
    chl_params *params;
    formula_fill("z", 0, 1.7, PAIRS * 8, z);
    snprintf(latents, sizeof latents, "%s/latents.npy", folder);
    snprintf(generator, sizeof generator, "%s/generator.safetensors", folder);
    MUST(chl_npy_write(latents, &desc, z));
    MUST(chl_stylegan2_random(&shape, 3, &params));
    MUST(chl_weights_write_safetensors(params, generator));
    chl_params_free(params);
    snprintf(out, sizeof out, "%s/pool", folder);
    count_texts(out, generator);
    assert_int_equal(seen.front[OTHER], 0);
    assert_in_range(seen.back[OTHER], 5, 45);
    assert_in_range(seen.back[CAPTION], 90, 180);
}

static uint8_t *bytes_of(const char *out, long *size) {
    char path[192];
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)*size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)*size, file), *size);
    fclose(file);
    return data;
}

/* With the generator that texts_of_batches left. */
static chl_train_options attacked_options(const char *out, int64_t steps, curve *c,
                                          float adversary) {
    static char generator[160];
    snprintf(generator, sizeof generator, "%s/generator.safetensors", folder);
    chl_train_options options = options_of(out, steps, c);
    options.generator = generator;
    options.sizes = SIZES ",pool=50";
    options.adversary = adversary;
    return options;
}

/* Merges, pool and batches come again as they were: a run in two pieces is the run in one. */
static void compare_pieces(float adversary) {
    char whole[128], pieces[128];
    snprintf(whole, sizeof whole, "%s/whole%g", folder, (double)adversary);
    snprintf(pieces, sizeof pieces, "%s/pieces%g", folder, (double)adversary);
    curve c = {0};
    chl_train_options options = attacked_options(whole, 6, &c, adversary);
    MUST(chl_train(&options));
    options.out = pieces;
    options.stop_after = 3;
    MUST(chl_train(&options));
    assert_int_equal(c.steps, 3);
    options.stop_after = 0;
    options.resume = 1;
    MUST(chl_train(&options));
    assert_int_equal(c.steps, 6);
    long size, again_size;
    uint8_t *bytes = bytes_of(whole, &size), *again = bytes_of(pieces, &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(bytes, again, (size_t)size);
    free(bytes);
    free(again);
}

static void resumed_is_uninterrupted(void **state) {
    (void)state;
    compare_pieces(0);
    compare_pieces(0.5f);
}

/* Same weights, same batch: the farther it may go, the worse the first step's loss. */
static float first_loss(float adversary) {
    char out[128];
    snprintf(out, sizeof out, "%s/reach%g", folder, (double)adversary);
    curve c = {0};
    chl_train_options options = attacked_options(out, 1, &c, adversary);
    MUST(chl_train(&options));
    assert_int_equal(c.steps, 1);
    return (float)c.first;
}

static void an_adversary_raises_the_loss(void **state) {
    (void)state;
    const float none = first_loss(1e-6f), near = first_loss(0.05f), far = first_loss(0.5f);
    print_message("first loss %g; moved by 0.05 %g, by 0.5 %g\n", (double)none, (double)near,
                  (double)far);
    assert_true(near > none);
    assert_true(far > near);
}

/* A code stands beside words of the sample it was mapped from, or beside those for broken ones. */
static chl_status feed_and_match(chl_trainer *t, int64_t index) {
    enum { HALF = PAIRS / 2, CODE = 6 * 12 };
    float codes[HALF * CODE];
    int32_t text[PAIRS * CONTEXT];
    char merges[160];
    snprintf(merges, sizeof merges, "%s/merges.txt", t->options->out);
    CHL_TRY(chl_tokenizer_open(merges, &seen.tokenizer));
    CHL_TRY(chl_training_clip.feed(t, index));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "codes"), codes));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "text"), text));
    chl_generator_pool pool;
    CHL_TRY(chl_generator_pool_make(t->device, t->options->generator, t->data, t->options->seed, 50,
                                    0, &pool));
    assert_null(pool.pixels);
    for (int i = 0; i < HALF; i++) {
        const float *code = codes + (size_t)i * CODE;
        int64_t which = 0;
        while (which < 50 && memcmp(pool.codes + which * CODE, code, sizeof(float) * CODE)) which++;
        assert_true(which < 50);
        const int64_t sample = pool.sample[which];
        const int32_t *words = text + (size_t)(HALF + i) * CONTEXT;
        const int sort = sort_of(words);
        assert_int_equal(sort == OTHER, sample == CHL_POOL_BROKEN);
        if (sort != CAPTION && sort != LABEL) continue;
        int32_t ids[CONTEXT];
        MUST(chl_tokenizer_encode(seen.tokenizer, (sort == LABEL ? labels : captions)[sample],
                                  CONTEXT, ids, NULL));
        assert_memory_equal(ids, words, sizeof ids);
    }
    chl_generator_pool_free(&pool);
    chl_tokenizer_free(seen.tokenizer);
    return CHL_OK;
}

static void codes_go_with_their_texts(void **state) {
    (void)state;
    char out[128];
    snprintf(out, sizeof out, "%s/matched", folder);
    curve c = {0};
    chl_train_options options = attacked_options(out, 20, &c, 0.3f);
    chl_training wrapped = chl_training_clip;
    wrapped.feed = feed_and_match;
    MUST(chl_trainer_run(&wrapped, &options));
}

static void impossible_adversaries_are_refused(void **state) {
    (void)state;
    char out[128];
    snprintf(out, sizeof out, "%s/refused", folder);
    static const struct {
        float adversary;
        int batch;
        bool generator;
        const char *text;
    } bad[] = {{0.3f, 8, false, "needs generator"},
               {-1, 8, true, "adversary must be >= 0, got -1"},
               {INFINITY, 8, true, "adversary must be >= 0, got inf"},
               {0.3f, 7, true, "batch must be even and >= 4 with an adversary, got 7"}};
    for (int i = 0; i < 4; i++) {
        curve c = {0};
        chl_train_options options = attacked_options(out, 1, &c, bad[i].adversary);
        options.batch = bad[i].batch;
        if (!bad[i].generator) options.generator = NULL;
        assert_int_equal(chl_train(&options), CHL_ERR_ARGUMENT);
        assert_non_null(strstr(chl_error(), bad[i].text));
    }
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    char out[128];
    snprintf(out, sizeof out, "%s/refused", folder);
    static const char *const bad[][2] = {
        {"resolution=32,patch=7", "multiple of patch, got 32 and 7"},
        {"width=96", "multiples of 64"},
        {"breadth=3", "breadth"}};
    for (int i = 0; i < 3; i++) {
        curve c = {0};
        chl_train_options options = options_of(out, 1, &c);
        options.sizes = bad[i][0];
        assert_int_equal(chl_train(&options), CHL_ERR_ARGUMENT);
        assert_non_null(strstr(chl_error(), bad[i][1]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_captions_share_the_target),
        cmocka_unit_test(trained_models_load_and_match_captions),
        cmocka_unit_test(export_computes_the_training_loss),
        cmocka_unit_test(batches_have_the_texts_of_their_samples),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(an_adversary_raises_the_loss),
        cmocka_unit_test(codes_go_with_their_texts),
        cmocka_unit_test(impossible_adversaries_are_refused),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
