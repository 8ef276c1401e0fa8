/* The pool of generator pictures: the same every time, unjittered ones as the generator paints
 * them, jittered ones near them, broken ones in their share. */
#include "harness/parity.h"
#include "io/picture.h"
#include "nets/stylegan2.h"
#include "nets/stylegan_mapping.h"
#include "train/generator_pool.h"
#include <string.h>
#include <unistd.h>

#define SAMPLES 5
#define POOL 300
#define Z 8

static char folder[] = "/tmp/chladni-pool-XXXXXX";
static char generator[64];

static int prepare(void **state) {
    (void)state;
    const chl_stylegan2_shape shape = {.resolution = 16,
                                       .channel_base = 128,
                                       .channel_max = 8,
                                       .z_dim = Z,
                                       .w_dim = 12,
                                       .mapping_layers = 2};
    chl_params *params;
    if (!mkdtemp(folder) || chl_stylegan2_random(&shape, 3, &params) != CHL_OK) return -1;
    snprintf(generator, sizeof generator, "%s/g.safetensors", folder);
    chl_status status = chl_weights_write_safetensors(params, generator);
    chl_params_free(params);
    return status == CHL_OK ? 0 : -1;
}

static int clean_up(void **state) {
    (void)state;
    return unlink(generator) || rmdir(folder);
}

static chl_dataset latents(float z[SAMPLES * Z]) {
    formula_fill("z", 0, 1.7, SAMPLES * Z, z);
    return (chl_dataset){.folder = folder, .count = SAMPLES, .latents = z, .latent = Z};
}

static chl_generator_pool make(uint64_t seed, int64_t count, int side) {
    float z[SAMPLES * Z];
    chl_dataset data = latents(z);
    chl_generator_pool pool;
    MUST(chl_generator_pool_make(chl_device_cpu(), generator, &data, seed, count, side, &pool));
    return pool;
}

/* The pictures of all latents as they are, through the net alone. */
static void paint(uint8_t *pixels) {
    float z[SAMPLES * Z];
    chl_dataset data = latents(z);
    chl_params *params;
    chl_stylegan2_config config = {0};
    chl_graph *g;
    MUST(chl_weights_read(generator, &params));
    MUST(chl_stylegan2_import(params, &config));
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor input = chl_input(g, "z", chl_f32(2, SAMPLES, Z));
    chl_tensor w = chl_keep(g, chl_stylegan2_map(&net, &config, input));
    chl_tensor plus = chl_input(g, "w", chl_f32(3, SAMPLES, config.rows, config.w_dim));
    const chl_segment second = chl_begin_segment(g);
    chl_tensor picture = chl_keep(g, chl_stylegan2_synthesize(&net, &config, plus));
    MUST(chl_compile(g));
    MUST(chl_write(g, input, data.latents));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    int64_t count;
    float *mapped = parity_read(g, w, 1, &count);
    float *rows = malloc((size_t)(count * config.rows) * sizeof *rows);
    MUST(chl_stylegan_truncate(config.rows, config.w_dim, SAMPLES, mapped, NULL, 0, 1, 0, rows));
    MUST(chl_write(g, plus, rows));
    MUST(chl_run(g, second));
    float *values = parity_read(g, picture, 1, &count);
    MUST(chl_raster_from_float(count, values, pixels));
    free(values);
    free(rows);
    free(mapped);
    chl_net_done(&net);
    chl_graph_free(g);
    chl_params_free(params);
}

static double distance(const uint8_t *a, const uint8_t *b, int64_t count) {
    double total = 0;
    for (int64_t i = 0; i < count; i++) total += fabs((double)a[i] - b[i]);
    return total / (double)count;
}

static void near_pictures_keep_the_scene_and_broken_ones_do_not(void **state) {
    (void)state;
    enum { PICTURE = 3 * 16 * 16 };
    chl_generator_pool pool = make(1, POOL, 16);
    assert_int_equal(pool.count, POOL);
    static uint8_t plain[SAMPLES * PICTURE];
    paint(plain);
    int broken = 0, exact = 0;
    double near = 0, far = 0;
    for (int64_t i = 0; i < POOL; i++) {
        double away = distance(pool.pixels + i * PICTURE, plain + i % SAMPLES * PICTURE, PICTURE);
        if (pool.sample[i] == CHL_POOL_BROKEN) {
            broken++;
            far += away;
            assert_true(away > 0);
            continue;
        }
        assert_int_equal(pool.sample[i], i % SAMPLES);
        exact += away < 0.01;
        near += away;
    }
    print_message("%d of %d broken, %d as mapped; mean distance %.1f near, %.1f broken\n", broken,
                  POOL, exact, near / (POOL - broken), far / broken);
    assert_in_range(broken, 15, 48);
    assert_in_range(exact, 60, 120);
    assert_true(far / broken > 3 * near / (POOL - broken));
    chl_generator_pool_free(&pool);
}

/* The jitter is measured in deviations of the mapped codes: where they do not differ, none. */
static void no_jitter_without_deviation(void **state) {
    (void)state;
    enum { PICTURE = 3 * 16 * 16, MANY = 60 };
    float z[SAMPLES * Z];
    chl_dataset data = latents(z);
    for (int i = Z; i < SAMPLES * Z; i++) z[i] = z[i - Z];
    chl_generator_pool pool;
    MUST(chl_generator_pool_make(chl_device_cpu(), generator, &data, 1, MANY, 16, &pool));
    for (int64_t i = 1; i < MANY; i++)
        assert_memory_equal(pool.pixels + i * PICTURE, pool.pixels, PICTURE);
    chl_generator_pool_free(&pool);
}

static void a_pool_is_a_function_of_the_seed(void **state) {
    (void)state;
    enum { SMALL = 3 * 8 * 8 };
    chl_generator_pool a = make(1, 21, 8), b = make(1, 21, 8), c = make(2, 21, 8);
    assert_memory_equal(a.pixels, b.pixels, 21 * SMALL);
    assert_memory_equal(a.sample, b.sample, 21 * sizeof *a.sample);
    /* another seed draws other jitter: only pictures as mapped can be equal */
    int equal = 0;
    for (int64_t i = 0; i < 21; i++)
        equal += memcmp(a.pixels + i * SMALL, c.pixels + i * SMALL, SMALL) == 0;
    assert_true(equal < 7);
    chl_generator_pool longer = make(1, 30, 8); /* each picture by its own draw */
    assert_memory_equal(a.pixels, longer.pixels, 21 * SMALL);
    chl_generator_pool_free(&a);
    chl_generator_pool_free(&b);
    chl_generator_pool_free(&c);
    chl_generator_pool_free(&longer);
}

static void latents_of_another_width_are_refused(void **state) {
    (void)state;
    float z[SAMPLES * Z];
    chl_dataset data = latents(z);
    chl_generator_pool pool;
    data.latent = Z - 1;
    assert_int_equal(chl_generator_pool_make(chl_device_cpu(), generator, &data, 1, 4, 8, &pool),
                     CHL_ERR_SHAPE);
    data.latents = NULL;
    assert_int_equal(chl_generator_pool_make(chl_device_cpu(), generator, &data, 1, 4, 8, &pool),
                     CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "latents.npy"));
    assert_null(pool.pixels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_pictures_keep_the_scene_and_broken_ones_do_not),
        cmocka_unit_test(no_jitter_without_deviation),
        cmocka_unit_test(a_pool_is_a_function_of_the_seed),
        cmocka_unit_test(latents_of_another_width_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
