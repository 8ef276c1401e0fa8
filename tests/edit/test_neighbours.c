/* On the CPU an edit, a picture and an embedding have the same bits whoever shares their batch and
 * however many threads compute. On small random models. */
#include "harness/random_engine.h"
#include "nets/stylegan2.h"
#include <omp.h>
#include <stdbool.h>

#define MANY 5 /* enough for a 4 x 4 map to make as many tiles as a larger one */

static bool
    narrow; /* a generator with fewer channels than a vector has lanes: other convolutions run */

static void make_generator(void) {
    const chl_stylegan2_shape shape = {32, 256, 16, 16, 16, 2};
    chl_params *params;
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_weights_write_safetensors(params, "generator.safetensors"));
    chl_params_free(params);
}

static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    if (narrow) make_generator();
    random_engine_open("generator clip audio face", MANY);
    return 0;
}

static int close_models(void **state) {
    (void)state;
    return random_engine_close();
}

/* how the five are computed again: so many at once, on so many threads */
static const int together[] = {MANY, 2}, threads[] = {1, 3};

/* Edits all MANY, so many at a time. */
static void edit(const chl_edit_options *options, int at_once, float *edited, float *mask) {
    for (int i = 0; i < MANY; i += at_once) {
        const int n = at_once < MANY - i ? at_once : MANY - i;
        MUST(chl_edit_many(engine, options, n, source + i * numbers, target + i * size.embedding,
                           edited + i * numbers, mask + (ptrdiff_t)i * size.rows));
    }
}

static void edits_do_not_depend_on_their_neighbours_or_threads(void **state) {
    (void)state;
    const struct {
        chl_similarity similarity;
        chl_space space;
        float identity;
    } cases[] = {{CHL_COSINE, CHL_SPACE_W, 0.1f},
                 {CHL_HINGE, CHL_SPACE_WHITENED, 0},
                 {CHL_DIRECTIONAL, CHL_SPACE_SHARED, 0}};
    const size_t bytes = sizeof(float) * MANY * (size_t)numbers;
    const size_t mask_bytes = sizeof(float) * MANY * (size_t)size.rows;
    float *want = malloc(bytes), *got = malloc(bytes);
    float *mask = malloc(mask_bytes), *got_mask = malloc(mask_bytes);
    float *others = parity_target(MANY + 1, size.embedding); /* the last: no target of an edit */
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        chl_edit_options options = chl_edit_defaults(engine);
        options.steps = 2;
        options.similarity = cases[c].similarity;
        options.space = cases[c].space;
        options.identity_weight = cases[c].identity;
        options.neutral = others + (ptrdiff_t)MANY * size.embedding;
        omp_set_num_threads(2);
        edit(&options, 1, want, mask);
        assert_memory_not_equal(want, source, bytes);
        for (int t = 0; t < 2; t++) {
            omp_set_num_threads(threads[t]);
            edit(&options, together[t], got, got_mask);
            if (memcmp(got, want, bytes) != 0 || memcmp(got_mask, mask, mask_bytes) != 0)
                fail_msg("similarity %d, space %d: %d edits at once on %d threads have other bits "
                         "than one by one on 2",
                         (int)options.similarity, (int)options.space, together[t], threads[t]);
        }
    }
    assert_int_equal(chl_edit_is_independent(engine), 1); /* which a batch relies on */
    assert_int_equal(chl_edit_is_independent(NULL), 0);
    free(want);
    free(got);
    free(mask);
    free(got_mask);
    free(others);
}

static void pictures_and_embeddings_do_not_depend_on_them_either(void **state) {
    (void)state;
    const size_t picture = 3 * (size_t)size.picture * (size_t)size.picture;
    float *all = malloc(sizeof(float) * MANY * picture), *one = malloc(sizeof(float) * picture);
    float *seen = malloc(sizeof(float) * MANY * (size_t)size.embedding);
    float *alone = malloc(sizeof(float) * (size_t)size.embedding);
    omp_set_num_threads(3);
    MUST(chl_generate(engine, MANY, source, all));
    MUST(chl_embed_pictures(engine, MANY, size.picture, size.picture, all, seen));
    for (int i = 0; i < MANY; i++) {
        omp_set_num_threads(i % 2 + 1);
        MUST(chl_generate(engine, 1, source + i * numbers, one));
        assert_memory_equal(one, all + (size_t)i * picture, sizeof(float) * picture);
        MUST(chl_embed_picture(engine, size.picture, size.picture, one, alone));
        assert_memory_equal(alone, seen + i * size.embedding,
                            sizeof(float) * (size_t)size.embedding);
    }
    const char *const sounds[] = {CHLADNI_FIXTURES "/sound/rain.wav",
                                  CHLADNI_FIXTURES "/sound/rain.wav",
                                  CHLADNI_FIXTURES "/sound/rain.wav"};
    const float gain[] = {0, -6, -12};
    MUST(chl_embed_sounds(engine, 3, sounds, gain, seen));
    for (int i = 0; i < 3; i++) {
        omp_set_num_threads(3 - i);
        MUST(chl_embed_sound_level(engine, sounds[i], gain[i], alone));
        assert_memory_equal(alone, seen + i * size.embedding,
                            sizeof(float) * (size_t)size.embedding);
    }
    free(all);
    free(one);
    free(seen);
    free(alone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_do_not_depend_on_their_neighbours_or_threads),
        cmocka_unit_test(pictures_and_embeddings_do_not_depend_on_them_either),
    };
    const int failed = cmocka_run_group_tests(tests, open_models, close_models);
    narrow = true;
    return failed + cmocka_run_group_tests(tests, open_models, close_models);
}
