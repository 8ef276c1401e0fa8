/* What edits do with a generator, with StyleGAN3 in StyleGAN2's place: NVIDIA's pickles of T and R of
 * random weights (tests/fixtures/make_stylegan3.py), and a small random CLIP. */
#include "harness/parity.h"
#include "models/engine.h"
#include <chladni/edit.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 8, W = 24, SIDE = 32, CODE = ROWS * W, PIXELS = SIDE * SIDE * 3, MANY = 3 };

static char folder[64];
static chl_engine *engine;
static float source[MANY * CODE], *target;

static int open_models(const char *kind) {
    char generator[512];
    strcpy(folder, "/tmp/chladni-stylegan3-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    snprintf(generator, sizeof generator, CHLADNI_FIXTURES "/stylegan3/small-%s.pkl", kind);
    MUST(chl_weights_random("clip", 2, "c.safetensors"));
    const chl_engine_options options = {
        .size = sizeof options, .generator = generator, .clip = "c.safetensors", .device = "cpu"};
    MUST(chl_engine_open(&options, &engine));
    for (int i = 0; i < MANY; i++)
        MUST(chl_seed_latent(engine, 20 + (uint64_t)i, 0.7f, source + (ptrdiff_t)i * CODE));
    target = parity_target(MANY, chl_engine_get_sizes(engine).embedding);
    return 0;
}
static int open_t(void **state) {
    (void)state;
    return open_models("t");
}
static int open_r(void **state) {
    (void)state;
    return open_models("r");
}

static int close_models(void **state) {
    (void)state;
    chl_engine_close(engine);
    free(target);
    unlink("c.safetensors");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static float cosine(const float *code) {
    const int64_t embed = chl_engine_get_sizes(engine).embedding;
    float pixels[PIXELS], *v = malloc(sizeof(float) * (size_t)embed), sum = 0;
    MUST(chl_generate(engine, 1, code, pixels));
    MUST(chl_embed_picture(engine, SIDE, SIDE, pixels, v));
    for (int64_t i = 0; i < embed; i++) sum += v[i] * target[i];
    free(v);
    return sum;
}

static void an_edit_comes_nearer_to_its_target_alone_as_among_others(void **state) {
    (void)state;
    float edited[CODE], all[MANY * CODE], mask[MANY * ROWS];
    assert_int_equal(chl_engine_get_sizes(engine).rows, ROWS);
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 8;
    options.latent_weight = 0;
    MUST(chl_edit(engine, &options, source, target, edited, mask));
    const float before = cosine(source), after = cosine(edited);
    print_message("    cosine %g -> %g\n", before, after);
    assert_true(after > before + 0.002f);
    MUST(chl_edit_many(engine, &options, MANY, source, target, all, mask));
    assert_memory_equal(all, edited, sizeof edited);
}

static void codes_mix_row_by_row_with_the_coarse_rows_first(void **state) {
    (void)state;
    float mixed[CODE], pixels[2][PIXELS];
    MUST(chl_mix_latents(engine, CHL_MIX_ROWS, 3, source, source + CODE, mixed));
    assert_memory_equal(mixed, source + CODE, 3 * W * sizeof(float));
    assert_memory_equal(mixed + 3 * W, source + 3 * W, (CODE - 3 * W) * sizeof(float));
    MUST(chl_generate(engine, 1, mixed, pixels[0]));
    MUST(chl_generate(engine, 1, source, pixels[1]));
    assert_memory_not_equal(pixels[0], pixels[1], sizeof pixels[0]);
}

static float distance(const float *code, const float *pixels) {
    float made[PIXELS], sum = 0;
    MUST(chl_generate(engine, 1, code, made));
    for (int i = 0; i < PIXELS; i++) sum += (made[i] - pixels[i]) * (made[i] - pixels[i]);
    return sum;
}

static void inversion_comes_nearer_to_the_picture(void **state) {
    (void)state;
    float pixels[PIXELS], start[CODE], found[CODE];
    chl_invert_options options = chl_invert_defaults(engine);
    options.clip_weight = 0;
    MUST(chl_generate(engine, 1, source, pixels));
    MUST(chl_seed_latent(engine, 1, 0, start)); /* truncated to the mean */
    options.steps = 40;
    MUST(chl_invert(engine, &options, pixels, found));
    const float before = distance(start, pixels), after = distance(found, pixels);
    print_message("    squares %g -> %g\n", before, after);
    assert_true(after < 0.5f * before);
}

static void w_has_statistics_and_the_files_own_centre(void **state) {
    (void)state;
    const chl_code_statistics *statistics;
    float code[CODE];
    MUST(chl_generator_statistics(engine->generator, &statistics));
    const chl_array *average = chl_params_find(engine->generator->model.params, "mapping.w_avg");
    assert_non_null(average);
    MUST(chl_seed_latent(engine, 5, 0, code));
    for (int row = 0; row < ROWS; row++)
        assert_memory_equal(code + (ptrdiff_t)row * W, average->data, W * sizeof(float));
    for (int i = 0; i < W; i++) assert_true(isfinite(statistics->mean[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_comes_nearer_to_its_target_alone_as_among_others),
        cmocka_unit_test(codes_mix_row_by_row_with_the_coarse_rows_first),
        cmocka_unit_test(inversion_comes_nearer_to_the_picture),
        cmocka_unit_test(w_has_statistics_and_the_files_own_centre),
    };
    const int t = cmocka_run_group_tests_name("T", tests, open_t, close_models);
    return t + cmocka_run_group_tests_name("R", tests, open_r, close_models);
}
