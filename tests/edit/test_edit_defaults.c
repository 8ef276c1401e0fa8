/* What an edit does when nothing is said. */
#include "harness/parity.h"
#include "io/weights.h"
#include "models/engine.h"
#include "nets/stylegan2.h"
#include <chladni/edit.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-defaults-XXXXXX";

/* 32 x 32: for 300 steps of what does not depend on the size. To be closed. */
static chl_engine *small_engine(void) {
    const chl_stylegan2_shape shape = {.resolution = 32,
                                       .channel_base = 1024,
                                       .channel_max = 64,
                                       .z_dim = 64,
                                       .w_dim = 64,
                                       .mapping_layers = 2};
    static const char *const file[] = {"generator.safetensors", "clip.safetensors",
                                       "audio.safetensors"};
    assert_true(mkdtemp(folder) && chdir(folder) == 0);
    chl_params *params;
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_weights_write_safetensors(params, file[0]));
    chl_params_free(params);
    MUST(chl_weights_random("clip", 2, file[1]));
    MUST(chl_weights_random("audio", 3, file[2]));
    const chl_engine_options options = {
        .size = sizeof options, .generator = file[0], .clip = file[1], .audio = file[2]};
    chl_engine *small;
    MUST(chl_engine_open(&options, &small));
    for (int i = 0; i < 3; i++) unlink(file[i]);
    assert_int_equal(chdir("/"), 0);
    rmdir(folder);
    return small;
}

/* Without options an edit is the one of the paper's section 4 (300 steps, rate 0.1, lambda 0.002,
 * the cosine, a learned mask), bit for bit. */
static void an_edit_without_options_is_the_papers(void **state) {
    (void)state;
    const chl_edit_options paper = {.size = sizeof paper,
                                    .steps = 300,
                                    .rate = 0.1f,
                                    .latent_weight = 0.002f,
                                    .similarity = CHL_COSINE,
                                    .margin = 1,
                                    .adaptive_mask = 1,
                                    .space = CHL_SPACE_W,
                                    .mask_rate = 1,
                                    .adam_eps = 1e-8f};
    chl_engine *small = small_engine();
    const chl_engine_sizes its = chl_engine_get_sizes(small);
    const size_t bytes = sizeof(float) * (size_t)its.rows * (size_t)its.latent;
    float *target = parity_target(1, its.embedding), *from = malloc(bytes),
          *expected = malloc(bytes), *edited = malloc(bytes);
    assert_true(from && expected && edited);
    MUST(chl_seed_latent(small, 20, 0.7f, from));
    MUST(chl_edit(small, &paper, from, target, expected, NULL));
    MUST(chl_edit(small, NULL, from, target, edited, NULL));
    assert_memory_equal(edited, expected, bytes);
    assert_memory_not_equal(edited, from, bytes);
    chl_engine_close(small);
    free(target);
    free(from);
    free(expected);
    free(edited);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_edit_without_options_is_the_papers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
