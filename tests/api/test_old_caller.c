/* A program that was compiled against an older header, with smaller option structs, runs on this
 * library: this file sees old.h only. current.c is compiled against the library's own header. */
#include "current.h"
#include "old.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after stdarg.h */
#include <cmocka.h>

static char folder[] = "/tmp/chladni-api-XXXXXX";
static const char *const files[] = {"g.safetensors", "c.safetensors"};
static chl_engine *engine;
static int64_t numbers;
static int embedding, rows;
static float *source, *target, *edited, *expected, *mask;

static int enter(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    const chl_engine_options options = {
        .size = sizeof options, .generator = files[0], .clip = files[1]};
    if (chl_weights_random("generator", 1, files[0]) || chl_weights_random("clip", 2, files[1]) ||
        chl_engine_open(&options, &engine))
        return -1;
    current_sizes(engine, &numbers, &embedding, &rows);
    source = malloc(sizeof(float) * (size_t)numbers);
    edited = malloc(sizeof(float) * (size_t)numbers);
    expected = malloc(sizeof(float) * (size_t)numbers);
    target = calloc((size_t)embedding, sizeof(float));
    mask = malloc(sizeof(float) * (size_t)rows);
    if (!source || !edited || !expected || !target || !mask) return -1;
    target[1] = 1;
    return chl_seed_latent(engine, 7, 0.7f, source);
}

static int leave(void **state) {
    (void)state;
    chl_engine_close(engine);
    for (int i = 0; i < 2; i++) unlink(files[i]);
    void *all[] = {source, edited, expected, target, mask};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void says(const char *text) {
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

static void defaults_stay_inside_an_older_struct(void **state) {
    (void)state;
    struct {
        chl_edit_options options;
        unsigned char guard[64];
    } room;
    memset(&room, 0xA5, sizeof room);
    chl_edit_options_init(engine, sizeof room.options, &room.options);
    assert_int_equal(room.options.size, sizeof room.options);
    assert_int_equal(room.options.steps, 300);
    assert_true(room.options.adam_eps == 1e-8f);
    for (size_t i = 0; i < sizeof room.guard; i++) assert_int_equal(room.guard[i], 0xA5);
}

static void an_older_struct_edits_with_defaults_for_the_rest(void **state) {
    (void)state;
    struct {
        chl_edit_options options;
        unsigned char garbage[64]; /* must not be read */
    } room;
    memset(&room, 0xFF, sizeof room);
    chl_edit_options_init(engine, sizeof room.options, &room.options);
    room.options.steps = 3;
    room.options.rate = 0.2f;
    assert_int_equal(chl_edit(engine, &room.options, source, target, edited, mask), OLD_OK);
    assert_int_equal(current_edit(engine, 3, 0.2f, source, target, expected, NULL), OLD_OK);
    assert_memory_equal(edited, expected, sizeof(float) * (size_t)numbers);
    assert_memory_not_equal(edited, source, sizeof(float) * (size_t)numbers);
    float least = 1, most = 0; /* the mask is learned: adaptive_mask's default, which this lacks */
    for (int i = 0; i < rows; i++) {
        least = mask[i] < least ? mask[i] : least;
        most = mask[i] > most ? mask[i] : most;
    }
    assert_true(most > 1.01f * least);
}

static void no_options_are_the_defaults(void **state) {
    (void)state;
    chl_engine *empty;
    assert_int_equal(chl_engine_open(NULL, &empty), OLD_OK);
    assert_int_equal(chl_edit(empty, NULL, source, target, edited, NULL), OLD_ERR_ARGUMENT);
    says("an edit needs generator");
    chl_engine_close(empty);
}

static void older_structs_inside_older_structs_are_read(void **state) {
    (void)state;
    const char *const audio[] = {files[1]};
    const chl_ablation_group group = {"g", 1, audio, 0};
    const chl_engine_options models = {.size = sizeof models, .clip = "no-such-clip"};
    chl_zero_shot_options zero_shot = {.size = sizeof zero_shot, .data = "folder"};
    const chl_ablation_options options = {.size = sizeof options,
                                          .models = &models,
                                          .groups = 1,
                                          .group = &group,
                                          .zero_shot = &zero_shot};
    char *report;
    assert_int_equal(chl_evaluate_ablation(&options, &report), OLD_ERR_IO);
    says("no-such-clip"); /* all were taken: opening the models is what fails */
    zero_shot.data = NULL;
    assert_int_equal(chl_evaluate_ablation(&options, &report), OLD_ERR_ARGUMENT);
    says("zero_shot.data, probe.data, retrieval.data or trial.sources must name");
    zero_shot.size = 0;
    assert_int_equal(chl_evaluate_ablation(&options, &report), OLD_ERR_ARGUMENT);
    says("chl_zero_shot_options.size is 0");
}

static void an_older_edit_inside_an_older_trial_is_read(void **state) {
    (void)state;
    chl_edit_options edit;
    chl_edit_options_init(engine, sizeof edit, &edit);
    const chl_trial_options trial = {.size = sizeof trial, .scenes = 1, .batch = 1, .edit = &edit};
    char *report;
    assert_int_equal(chl_evaluate_edits(engine, &trial, &report), OLD_ERR_ARGUMENT);
    says("judge");
    edit.size = 0;
    assert_int_equal(chl_evaluate_edits(engine, &trial, &report), OLD_ERR_ARGUMENT);
    says("chl_edit_options.size is 0");
}

static void a_newer_struct_works_while_its_unknown_fields_are_zero(void **state) {
    (void)state;
    assert_int_equal(current_edit_newer(engine, 2, 0, source, target, edited), OLD_OK);
    assert_int_equal(current_edit_newer(engine, 2, 1, source, target, edited), OLD_ERR_UNSUPPORTED);
    says("built against a newer header");
    says("chl_edit_options");
}

static void a_size_that_was_not_set_is_refused_with_the_remedy(void **state) {
    (void)state;
    static const struct {
        uint32_t size;
        const char *text;
    } cases[] = {{0, "set size to sizeof(chl_edit_options)"},
                 {4, "must be sizeof(chl_edit_options), got 4"},
                 {57, "must be sizeof(chl_edit_options), got 57"},
                 {1u << 20, "must be sizeof(chl_edit_options), got 1048576"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(current_edit_of_size(engine, cases[i].size, source, target, edited),
                         OLD_ERR_ARGUMENT);
        says(cases[i].text);
    }
}

static void option_structs_end_without_padding(void **state) {
    (void)state;
    assert_int_equal(current_padded_struct(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stay_inside_an_older_struct),
        cmocka_unit_test(an_older_struct_edits_with_defaults_for_the_rest),
        cmocka_unit_test(no_options_are_the_defaults),
        cmocka_unit_test(older_structs_inside_older_structs_are_read),
        cmocka_unit_test(an_older_edit_inside_an_older_trial_is_read),
        cmocka_unit_test(a_newer_struct_works_while_its_unknown_fields_are_zero),
        cmocka_unit_test(a_size_that_was_not_set_is_refused_with_the_remedy),
        cmocka_unit_test(option_structs_end_without_padding),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
