/* The generator's training: on a tiny data set it learns, its loss is what the file head says, its
 * model is an ordinary generator, and the data set's textures lie in the right noise maps. */
#include "harness/parity.h"
#include "io/picture.h"
#include "io/weights.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include "train/mapping_start.h"
#include "train/trainer.h"
#include <chladni/engine.h>
#include <jansson.h>
#include <string.h>
/* which needs cmocka's assertions */
#include "temporary.h"

enum { SAMPLES = 4, LATENT = 5, SIDE = 32, TEXTURES = 3, TEXTURE_SIDE = 64, STEPS = 24, STOP = 6 };
enum { VALUES = SIDE * SIDE * 3 };

static char *folder;
static float *latents, *textures;
static float *pictures; /* as the training reads them: bytes in [-1,1] */

static int write_data(void **state) {
    (void)state;
    folder = make_temporary();
    char *path, text[128];
    latents = parity_formula("latents", 0, 1.7, SAMPLES * LATENT);
    textures = parity_formula("textures", 5, 1, TEXTURES * TEXTURE_SIDE * TEXTURE_SIDE);
    pictures = malloc(SAMPLES * VALUES * sizeof *pictures);
    path = in_folder(folder, "latents.npy");
    MUST(chl_array_write(path, 2, (int64_t[]){SAMPLES, LATENT}, latents));
    free(path);
    path = in_folder(folder, "textures.npy");
    MUST(chl_array_write(path, 3, (int64_t[]){TEXTURES, TEXTURE_SIDE, TEXTURE_SIDE}, textures));
    free(path);
    char *lines = calloc(SAMPLES, sizeof text);
    for (int i = 0; i < SAMPLES; i++) {
        float *picture = pictures + i * VALUES;
        for (int k = 0; k < VALUES; k++) {
            const int row = k / 3 / SIDE, column = k / 3 % SIDE;
            const double wave = sin(0.2 * row * (1 + k % 3) + 0.3 * column + latents[i * LATENT]);
            picture[k] = (float)(round(127.5 + 100 * wave) / 127.5 - 1);
        }
        snprintf(text, sizeof text, "%d.png", i);
        path = in_folder(folder, text);
        MUST(chl_picture_write(path, SIDE, SIDE, picture));
        free(path);
        snprintf(text, sizeof text, "{\"picture\": \"%d.png\"}\n", i);
        strcat(lines, text);
    }
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
    free(lines);
    return 0;
}

static int remove_data(void **state) {
    (void)state;
    remove_folder(folder);
    free(folder);
    free(latents);
    free(textures);
    free(pictures);
    return 0;
}

static chl_train_options tiny(const char *out) {
    chl_train_options o;
    MUST(chl_train_defaults("generator", &o));
    o.data = folder;
    o.out = out;
    o.sizes = "resolution=32,base=256,max=8,w=8,mapping=2";
    o.steps = STEPS;
    o.batch = SAMPLES; /* every step sees every sample */
    o.average = 0;
    o.rate = 1e-2f;
    o.warm_up = 0;
    o.device = "cpu";
    return o;
}

static void read_losses(const char *out, double *loss, int count) {
    size_t size;
    char *text = get_file(out, "stats.jsonl", &size), *at = text;
    assert_non_null(text);
    for (int i = 0; i < count; i++, at = strchr(at, '\n') + 1) {
        json_t *line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
        assert_int_equal(json_integer_value(json_object_get(line, "step")), i + 1);
        loss[i] = json_number_value(json_object_get(line, "loss"));
        json_decref(line);
    }
    free(text);
}

/* The model as a user has it: the engine paints, the mapping is applied to the samples' z. */
static void paint(const char *out, float *painted) {
    char *path = in_folder(out, "model.safetensors");
    chl_params *params;
    chl_stylegan2_config config;
    MUST(chl_weights_read(path, &params));
    MUST(chl_stylegan2_import(params, &config));
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor z = chl_input(g, "z", chl_f32(2, SAMPLES, LATENT));
    chl_tensor w = chl_keep(g, chl_stylegan2_map(&net, &config, z));
    chl_net_done(&net);
    MUST(chl_compile(g));
    MUST(chl_write(g, z, latents));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    float codes[SAMPLES * 8], rows[SAMPLES * 8 * 8];
    assert_int_equal(config.rows, 8);
    assert_int_equal(config.w_dim, 8);
    MUST(chl_read(g, w, codes));
    MUST(chl_stylegan_truncate(config.rows, config.w_dim, SAMPLES, codes, NULL, 0, 1, 0, rows));
    chl_graph_free(g);
    chl_params_free(params);

    chl_engine *engine;
    const chl_engine_options options = {.size = sizeof options, .generator = path};
    MUST(chl_engine_open(&options, &engine));
    MUST(chl_generate(engine, SAMPLES, rows, painted));
    chl_engine_close(engine);
    free(path);
}

/* The sum over all places of |d|, d averaged over bins of `bin` x `bin` minus the same `down` and
 * `right` bins further (if any), per element. */
static double magnitude(const float *a, const float *b, int bin, int down, int right) {
    const int side = SIDE / bin, rows = side - down, columns = side - right;
    double total = 0;
    for (int i = 0; i < rows * columns * 3; i++) {
        double d = 0;
        for (int k = 0; k < 2 * bin * bin; k++) {
            const int other = k / (bin * bin), y = i / 3 / columns + other * down;
            const int x = i / 3 % columns + other * right;
            if (other && !down && !right) continue;
            const int row = y * bin + k / bin % bin, column = x * bin + k % bin;
            const int at = (row * SIDE + column) * 3 + i % 3;
            d += ((double)a[at] - b[at]) / (bin * bin) * (other ? -1 : 1);
        }
        total += fabs(d);
    }
    return total / (rows * columns * 3);
}

static double mean_square(const float *a, const float *b) {
    double total = 0;
    for (int i = 0; i < VALUES; i++) total += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return total / VALUES;
}

static double naive_loss(const float *painted) {
    double loss = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const float *a = painted + i * VALUES, *b = pictures + i * VALUES;
        loss +=
            magnitude(a, b, 1, 0, 0) + 3 * mean_square(a, b) +
            2 * (magnitude(a, b, 1, 1, 0) + magnitude(a, b, 1, 0, 1)) +
            0.5 * (magnitude(a, b, 2, 0, 0) + magnitude(a, b, 4, 0, 0) + magnitude(a, b, 8, 0, 0));
    }
    return loss / SAMPLES;
}

/* A run stopped after STOP steps leaves the weights that step STOP + 1 of a whole one starts from.
 */
static void the_written_model_computes_the_training_loss(void **state) {
    (void)state;
    char *whole = in_folder(folder, "whole"), *part = in_folder(folder, "part");
    chl_train_options o = tiny(whole);
    MUST(chl_train(&o));
    double loss[STEPS];
    read_losses(whole, loss, STEPS);
    print_message("loss %.4f ... %.4f\n", loss[0], loss[STEPS - 1]);
    assert_true(loss[STEPS - 1] < 0.8 * loss[0]);
    o.out = part;
    o.stop_after = STOP;
    MUST(chl_train(&o));
    float *painted = malloc(SAMPLES * VALUES * sizeof *painted);
    paint(part, painted);
    const double want = naive_loss(painted);
    print_message("loss of the model %.6f, of the step after it %.6f\n", want, loss[STOP]);
    assert_float_equal(want, loss[STOP], 1e-4 * want);
    assert_true(fabs(loss[STOP] - loss[STOP + 1]) > 1e-3 * want); /* the steps do differ */
    free(painted);
    free(whole);
    free(part);
}

static void expect_map(const chl_params *params, int size, int conv, int texture) {
    char name[64];
    snprintf(name, sizeof name, "synthesis.b%d.conv%d.noise_const", size, conv);
    const chl_array *map = chl_params_find(params, name);
    assert_non_null(map);
    assert_int_equal(chl_count(&map->desc), size * size);
    const int bin = TEXTURE_SIDE / size;
    double *want = malloc((size_t)(size * size) * sizeof *want), mean = 0, square = 0;
    for (int i = 0; i < size * size; i++) {
        want[i] = 0;
        for (int k = 0; k < bin * bin; k++)
            want[i] += textures[(texture * TEXTURE_SIDE + i / size * bin + k / bin) * TEXTURE_SIDE +
                                i % size * bin + k % bin];
        mean += want[i] / (size * size);
    }
    for (int i = 0; i < size * size; i++)
        square += (want[i] - mean) * (want[i] - mean) / (size * size);
    for (int i = 0; i < size * size; i++)
        assert_float_equal(((float *)map->data)[i], (want[i] - mean) / sqrt(square), 1e-4);
    free(want);
}

static float strength_of(const chl_params *params, int size, int conv) {
    char name[64];
    snprintf(name, sizeof name, "synthesis.b%d.conv%d.noise_strength", size, conv);
    return *(float *)chl_params_find(params, name)->data;
}

static void textures_become_noise_maps(void **state) {
    (void)state;
    char *out = in_folder(folder, "textured"), *path = in_folder(out, "model.safetensors");
    chl_train_options o = tiny(out);
    o.steps = 1;
    o.rate = 1e-6f; /* as good as the start */
    MUST(chl_train(&o));
    chl_params *params;
    MUST(chl_weights_read(path, &params));
    expect_map(params, 32, 0, 0);
    expect_map(params, 32, 1, 1);
    expect_map(params, 16, 0, 2);
    expect_map(params, 16, 1, 0);
    for (int conv = 0; conv < 2; conv++) {
        assert_float_equal(strength_of(params, 32, conv), 0.3, 1e-4);
        assert_float_equal(strength_of(params, 16, conv), 0.3, 1e-4);
        assert_float_equal(strength_of(params, 8, conv), 0, 1e-4);
    }
    assert_float_equal(strength_of(params, 4, 1), 0, 1e-4);
    chl_params_free(params);
    free(path);
    free(out);
}

/* The stored centre is where the engine's own seeds lie around. */
static void the_stored_centre_is_the_mean_of_mapped_codes(void **state) {
    (void)state;
    enum { SEEDS = 400 };
    char *out = in_folder(folder, "centred"), *path = in_folder(out, "model.safetensors");
    chl_train_options o = tiny(out);
    o.steps = 3;
    MUST(chl_train(&o));
    chl_engine *engine;
    const chl_engine_options options = {.size = sizeof options, .generator = path};
    MUST(chl_engine_open(&options, &engine));
    float w[8 * 8], centre[8 * 8];
    double mean[8] = {0}, square[8] = {0};
    MUST(chl_seed_latent(engine, 0, 0, centre));
    for (int i = 0; i < SEEDS; i++) {
        MUST(chl_seed_latent(engine, (uint64_t)i, 1, w));
        for (int k = 0; k < 8; k++) {
            mean[k] += w[k] / SEEDS;
            square[k] += (double)w[k] * w[k] / SEEDS;
        }
    }
    for (int k = 0; k < 8; k++) {
        const double error = sqrt((square[k] - mean[k] * mean[k]) / SEEDS);
        assert_true(fabs(mean[k] - centre[k]) <= 5 * error);
    }
    chl_engine_close(engine);
    free(path);
    free(out);
}

static void expect_array(const chl_params *a, const chl_params *b, const char *name) {
    const chl_array *x = chl_params_find(a, name), *y = chl_params_find(b, name);
    assert_true(x && y && chl_same_shape(&x->desc, &y->desc));
    for (int64_t i = 0; i < chl_count(&x->desc); i++)
        assert_float_equal(((float *)x->data)[i], ((float *)y->data)[i], 1e-4);
}

/* A generator of 32 x 32 that starts from one of 16 x 16 paints, at first, that one's pictures. */
static void a_larger_generator_starts_with_the_pictures_of_the_smaller(void **state) {
    (void)state;
    char *low = in_folder(folder, "low"), *high = in_folder(folder, "high");
    char *small = in_folder(low, "model.safetensors"),
         *grown = in_folder(high, "model.safetensors");
    chl_train_options o = tiny(low);
    o.sizes = "resolution=16,base=256,max=8,w=8,mapping=2";
    o.steps = 3;
    MUST(chl_train(&o));
    o = tiny(high);
    o.start = small;
    o.steps = 1;
    o.rate = 1e-7f;
    MUST(chl_train(&o));
    chl_params *before, *after;
    MUST(chl_weights_read(small, &before));
    MUST(chl_weights_read(grown, &after));
    expect_array(before, after, "mapping.fc1.weight");
    expect_array(before, after, "synthesis.b16.conv1.weight");
    expect_array(before, after, "synthesis.b16.torgb.weight");
    expect_array(before, after, "synthesis.b16.conv0.noise_const");
    const chl_array *colours = chl_params_find(after, "synthesis.b32.torgb.weight");
    for (int64_t i = 0; i < chl_count(&colours->desc); i++)
        assert_float_equal(((float *)colours->data)[i], 0, 1e-5);
    chl_params_free(before);
    chl_params_free(after);
    char *sound = in_folder(folder, "latents.npy");
    o.start = sound;
    o.out = folder;
    assert_int_not_equal(chl_train(&o), CHL_OK);
    free(low);
    free(high);
    free(small);
    free(grown);
    free(sound);
}

/* --- what latents mean ------------------------------------------------------------------------ */
static void keep_line(void *user, chl_log_level level, const char *line) {
    (void)level;
    if (strncmp(line, "mapping: ", 9) == 0) snprintf(user, 128, "%s", line);
}

/* w of all samples begins with the attributes, and is 0 behind them */
static void expect_measured(const chl_dataset *data, const chl_stylegan2_config *config,
                            chl_params *params) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    const int n = (int)data->count, w_dim = config->w_dim;
    const chl_tensor z = chl_param(g, "z", chl_f32(2, n, data->latent), data->latents, CHL_FROZEN);
    const chl_tensor mapped = chl_keep(g, chl_stylegan2_map(&net, config, z));
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    float *w = malloc(sizeof(float) * (size_t)(n * w_dim));
    MUST(chl_read(g, mapped, w));
    double error = 0;
    for (int i = 0; i < n * w_dim; i++) {
        const int k = i % w_dim;
        if (k >= data->attribute) assert_true(w[i] == 0);
        const double wanted =
            k < data->attribute ? data->attributes[i / w_dim * data->attribute + k] : 0;
        error += (w[i] - wanted) * (w[i] - wanted) / n;
    }
    assert_true(error < 0.2); /* of 1.5: signs change abruptly */
    free(w);
    chl_net_done(&net);
    chl_graph_free(g);
}

static void the_mapping_starts_with_the_attributes(void **state) {
    (void)state;
    enum { ROWS = 300, MEANINGS = 2 };
    chl_dataset data = {.count = ROWS, .latent = LATENT, .attribute = MEANINGS};
    data.latents = parity_formula("many latents", 0, 1.7, ROWS * LATENT);
    data.attributes = malloc(sizeof(float) * ROWS * MEANINGS);
    for (int i = 0; i < ROWS; i++) { /* neither is linear in z */
        const float *z = data.latents + (size_t)(i * LATENT);
        data.attributes[i * MEANINGS] = z[0] > 0 ? 1 : -1;
        data.attributes[i * MEANINGS + 1] = cosf(atan2f(z[2], z[1]));
    }
    const chl_stylegan2_shape shape = {16, 64, 8, LATENT, 16, 2};
    chl_stylegan2_config config;
    chl_params *params, *same;
    char line[128] = "";
    chl_log_to(keep_line, line);
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_stylegan2_random(&shape, 1, &same));
    MUST(chl_stylegan2_import(params, &config));
    MUST(chl_stylegan2_import(same, &config));
    MUST(chl_mapping_start(chl_device_cpu(), &data, &config, 3, false, params));
    float last, first;
    assert_int_equal(sscanf(line, "mapping: predicts 2 attributes, mean square error %f after %f",
                            &last, &first),
                     2);
    assert_true(last < 0.1f * first);
    MUST(chl_mapping_start(chl_device_cpu(), &data, &config, 3, false, same));
    chl_log_to(NULL, NULL);
    expect_array(params, same, "mapping.fc0.weight");
    MUST(chl_mapping_start(chl_device_cpu(), &data, &config, 3, true, params));
    expect_measured(&data, &config, params);
    data.attribute = 17; /* w has 16 */
    data.folder = "somewhere";
    assert_int_equal(chl_mapping_start(chl_device_cpu(), &data, &config, 3, true, params),
                     CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "attributes.npy"));
    chl_params_free(params);
    chl_params_free(same);
    free(data.latents);
    free(data.attributes);
}

static void impossible_data_and_options_are_refused(void **state) {
    (void)state;
    char *out = in_folder(folder, "wrong");
    chl_train_options o = tiny(out);
    o.sizes = "resolution=32,bass=4";
    assert_int_equal(chl_train(&o), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "bass"));
    o.sizes = "resolution=128";
    assert_int_equal(chl_train(&o), CHL_ERR_SHAPE);
    assert_non_null(strstr(chl_error(), "textures.npy"));
    o.sizes = tiny(out).sizes;
    o.measured_w = 1; /* the folder has no attributes.npy */
    assert_int_equal(chl_train(&o), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "measured_w needs"));
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_written_model_computes_the_training_loss),
        cmocka_unit_test(textures_become_noise_maps),
        cmocka_unit_test(the_stored_centre_is_the_mean_of_mapped_codes),
        cmocka_unit_test(a_larger_generator_starts_with_the_pictures_of_the_smaller),
        cmocka_unit_test(the_mapping_starts_with_the_attributes),
        cmocka_unit_test(impossible_data_and_options_are_refused),
    };
    return cmocka_run_group_tests(tests, write_data, remove_data);
}
