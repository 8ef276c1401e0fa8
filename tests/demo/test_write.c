/* `chladni world`'s folders: what trainings and evaluations rely on. */
#include "demo/world/world.h"
#include "io/npy.h"
#include "io/sound.h"
#include "train/dataset.h"
#include <chladni/demo.h>
#include <chladni/engine.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SIDE 32
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

static char work[] = "/tmp/chladni-world-XXXXXX";

static int enter(void **state) {
    (void)state;
    return mkdtemp(work) && chdir(work) == 0 ? 0 : -1;
}

static int leave(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", work);
    return system(command);
}

static chl_world_options small(const char *out, int64_t count, chl_world_split split) {
    chl_world_options o = chl_world_defaults();
    o.out = out;
    o.count = count;
    o.split = split;
    o.side = SIDE;
    o.seconds = 0.5f;
    o.seed = 5;
    return o;
}

static chl_dataset *written(const chl_world_options *o, unsigned need) {
    chl_dataset *d;
    MUST(chl_world_write(o));
    MUST(chl_dataset_open(o->out, need, &d));
    assert_int_equal(d->count, o->count);
    assert_int_equal(d->latent, CHL_SCENE_Z);
    assert_int_equal(d->textures, CHL_WORLD_TEXTURES);
    assert_int_equal(d->texture_side, o->side);
    return d;
}

static int class_of(const chl_dataset *d, const char *key, int64_t index) {
    const int *classes = chl_dataset_classes(d, key);
    assert_non_null(classes);
    return classes[index];
}

/* A line's classes and strength are its latent's; its picture is the latent's. */
static void check_sample(chl_dataset *d, int64_t index) {
    const chl_sample *s = &d->sample[index];
    chl_scene scene;
    chl_scene_of_latent(d->latents + index * CHL_SCENE_Z, &scene);
    assert_int_equal(class_of(d, "time", index), chl_scene_time_class(&scene));
    assert_int_equal(class_of(d, "season", index), chl_scene_season_class(&scene));
    assert_int_equal(class_of(d, "house", index), chl_scene_house_class(&scene));
    for (int k = 0; k < CHL_KINDS; k++) {
        const bool mine = strcmp(s->kind, chl_kind_name((chl_kind)k)) == 0;
        assert_true(fabsf(scene.strength[k] - (mine ? s->strength : 0)) < 1e-3f);
    }
    float pixels[3 * SIDE * SIDE];
    const uint8_t *bytes;
    MUST(chl_scene_paint(&scene, SIDE, pixels));
    MUST(chl_dataset_picture(d, index, SIDE, &bytes));
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        assert_true(fabsf((float)bytes[i] / 127.5f - 1 - fmaxf(-1, fminf(1, pixels[i]))) < 0.005f);
}

static void training_samples_are_their_latents_and_biased(void **unused) {
    (void)unused;
    chl_world_options o = small("train", 4 * CHL_KINDS, CHL_WORLD_TRAIN);
    o.bias = 1;
    chl_dataset *d = written(&o, CHL_NEED_SOUND | CHL_NEED_PICTURE | CHL_NEED_LABEL |
                                     CHL_NEED_CAPTION | CHL_NEED_LATENT | CHL_NEED_KIND);
    assert_int_equal(d->kinds, CHL_KINDS);
    bool seen[CHL_SOUND_ALGORITHMS] = {false};
    int64_t shortest = INT64_MAX, longest = 0;
    for (int64_t i = 0; i < d->count; i++) {
        static const char *const keys[] = {"time", "season", "house"};
        const chl_sample *s = &d->sample[i];
        const int algorithm = class_of(d, "algorithm", i);
        check_sample(d, i);
        assert_string_equal(s->kind, chl_kind_name((chl_kind)(i % CHL_KINDS)));
        assert_in_range(algorithm, 0, CHL_SOUND_HELD_OUT - 1);
        assert_true(s->strength >= 0.25f && s->strength <= 1);
        seen[algorithm] = true;
        /* a bias of 1: all of a kind look alike where the sound says nothing */
        for (int k = 0; k < 3; k++)
            assert_int_equal(class_of(d, keys[k], i), class_of(d, keys[k], i % CHL_KINDS));
        float *wave;
        int64_t samples;
        MUST(chl_sound_load(s->sound, &wave, &samples));
        free(wave);
        shortest = samples < shortest ? samples : shortest;
        longest = samples > longest ? samples : longest;
    }
    for (int a = 0; a < CHL_SOUND_HELD_OUT; a++) assert_true(seen[a]);
    assert_true(shortest >= 0.25 * CHL_WORLD_RATE && longest <= 0.75 * CHL_WORLD_RATE);
    assert_true(longest > shortest + CHL_WORLD_RATE / 10);
    chl_dataset_free(d);
}

static void held_out_samples_are_of_one_algorithm_and_unbiased(void **unused) {
    (void)unused;
    chl_world_options o = small("test", 4 * CHL_KINDS, CHL_WORLD_TEST);
    o.bias = 1; /* without effect in this split */
    chl_dataset *d = written(&o, CHL_NEED_SOUND | CHL_NEED_LATENT | CHL_NEED_KIND);
    int moved = 0;
    for (int64_t i = 0; i < d->count; i++) {
        assert_int_equal(class_of(d, "algorithm", i), CHL_SOUND_HELD_OUT);
        moved += class_of(d, "time", i) != class_of(d, "time", i % CHL_KINDS);
    }
    assert_true(moved > CHL_KINDS);
    chl_dataset_free(d);
}

static void pictures_without_sounds_are_partly_calm(void **unused) {
    (void)unused;
    chl_world_options o = small("pictures", 2 * (CHL_KINDS + 2), CHL_WORLD_TRAIN);
    o.no_sounds = 1;
    o.min_strength = 0.9f;
    chl_dataset *d = written(&o, CHL_NEED_PICTURE | CHL_NEED_CAPTION | CHL_NEED_KIND);
    int calm = 0;
    for (int64_t i = 0; i < d->count; i++) {
        check_sample(d, i);
        assert_null(d->sample[i].sound);
        const bool quiet = strcmp(d->sample[i].kind, chl_kind_name(CHL_NO_KIND)) == 0;
        assert_true(quiet || d->sample[i].strength >= 0.9f);
        calm += quiet;
    }
    assert_int_equal(calm, 4);
    chl_dataset_free(d);
    o = small("calm", 6, CHL_WORLD_CALM);
    d = written(&o, CHL_NEED_PICTURE | CHL_NEED_LATENT);
    for (int64_t i = 0; i < d->count; i++) {
        check_sample(d, i);
        assert_string_equal(d->sample[i].kind, "nothing");
    }
    chl_dataset_free(d);
}

static void files_of_some_samples_are_those_of_the_whole_folder(void **unused) {
    (void)unused;
    enum { COUNT = 6, KEPT = 4 };
    chl_world_options o = small("whole", COUNT, CHL_WORLD_TRAIN);
    MUST(chl_world_write(&o));
    const unsigned char written[COUNT] = {[KEPT] = 1};
    o = small("some", COUNT, CHL_WORLD_TRAIN);
    o.written = written;
    MUST(chl_world_write(&o));
    const char *apart = "find some -name '*.png' -o -name '*.wav' | sort | tr '\\n' ' ' | "
                        "grep -qx 'some/pictures/00004.png some/sounds/00004.wav '";
    assert_int_equal(system(apart), 0);
    assert_int_equal(system("diff -r some whole | grep -v '^Only in whole/'"), 256); /* no line */
    o = small("heard", COUNT, CHL_WORLD_TRAIN);
    o.with_sound = written;
    MUST(chl_world_write(&o));
    assert_int_equal(system("test \"$(ls heard/sounds)\" = 00004.wav"), 0);
    assert_int_equal(system("diff -r heard whole | grep -v '^Only in whole/sounds'"), 256);
}

/* Second events: as said, weaker than the first, in that share of the pictures; without a label,
 * for a label names one; kinds, strengths and seeds of the rest are as without them. */
static void second_events_are_weaker_and_without_a_label(void **unused) {
    (void)unused;
    const int64_t count = 10 * (CHL_KINDS + 2);
    chl_world_options o = small("alone", count, CHL_WORLD_TRAIN);
    o.no_sounds = 1;
    const unsigned need = CHL_NEED_PICTURE | CHL_NEED_CAPTION | CHL_NEED_LATENT;
    chl_dataset *alone = written(&o, need);
    o.out = "second";
    o.second_event = 0.5f;
    chl_dataset *d = written(&o, need);
    int two = 0;
    for (int64_t i = 0; i < count; i++) {
        const chl_sample *s = &d->sample[i];
        assert_string_equal(s->kind, alone->sample[i].kind);
        assert_true(s->strength == alone->sample[i].strength);
        chl_scene scene;
        chl_scene_of_latent(d->latents + i * CHL_SCENE_Z, &scene);
        float second = 0;
        for (int k = 0; k < CHL_KINDS; k++)
            if (strcmp(s->kind, chl_kind_name((chl_kind)k)) != 0)
                second = fmaxf(second, scene.strength[k]);
        const bool event = strcmp(s->kind, chl_kind_name(CHL_NO_KIND)) != 0;
        assert_true(event || second == 0);
        if (event) assert_true((s->label == NULL) == (second > 0));
        assert_true(second <= s->strength + 1e-3f);
        assert_true(second == 0 || second > 0.24f);
        if (second == 0)
            assert_memory_equal(d->latents + i * CHL_SCENE_Z, alone->latents + i * CHL_SCENE_Z,
                                CHL_SCENE_Z * sizeof(float));
        two += second > 0;
    }
    assert_in_range(two, 10 * CHL_KINDS * 4 / 10, 10 * CHL_KINDS * 6 / 10);
    chl_dataset_free(alone);
    chl_dataset_free(d);
}

/* The same bytes whatever the number of threads, others for another seed. */
static void the_number_of_threads_changes_no_byte(void **unused) {
    (void)unused;
    chl_world_options o = small("one", 11, CHL_WORLD_TRAIN);
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    MUST(chl_world_write(&o));
    omp_set_num_threads(3);
    o.out = "three";
    MUST(chl_world_write(&o));
    omp_set_num_threads(before);
    assert_int_equal(system("diff -r one three"), 0);
    o.out = "other";
    o.seed++;
    MUST(chl_world_write(&o));
    assert_int_not_equal(system("cmp -s one/latents.npy other/latents.npy"), 0);
}

static int stop_at_once(void *user, int64_t done, int64_t count) {
    (void)user, (void)done, (void)count;
    return 1;
}

static void impossible_options_are_refused_with_their_ranges(void **unused) {
    (void)unused;
    chl_world_options o = small("once", 2, CHL_WORLD_CALM);
    MUST(chl_world_write(&o));
    assert_int_equal(chl_world_write(&o), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "set force"));
    o.force = 1;
    MUST(chl_world_write(&o));
    o.progress = stop_at_once;
    o.count = 50;
    assert_int_equal(chl_world_write(&o), CHL_ERR_CANCELLED);
    assert_int_not_equal(access("once/pairs.jsonl", F_OK), 0);
    o = small("no/such/folder", 2, CHL_WORLD_CALM);
    assert_int_equal(chl_world_write(&o), CHL_ERR_IO);
    o = small("none", 0, CHL_WORLD_CALM);
    assert_int_equal(chl_world_write(&o), CHL_ERR_ARGUMENT);
    o = small("none", 2, CHL_WORLD_TRAIN);
    o.second_event = 0.5f;
    assert_int_equal(chl_world_write(&o), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "no_sounds"));
    o.no_sounds = 1;
    o.second_event = 1.5f;
    assert_int_equal(chl_world_write(&o), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "0 to 1"));
    assert_int_not_equal(access("none", F_OK), 0);
    assert_int_equal(chl_world_sound("fly", 0, 1, 1, 0, 1, "x.wav"), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "ocean waves"));
    assert_int_equal(chl_world_sound("rain", 4, 1, 1, 0, 1, "x.wav"), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_world_sound("rain", 0, 2, 1, 0, 1, "x.wav"), CHL_ERR_ARGUMENT);
}

static void single_sounds_and_pictures_are_written(void **unused) {
    (void)unused;
    float *wave, *again;
    int64_t samples;
    MUST(chl_world_sound("waves", 1, 0.5f, 0, 7, 0.5f, "waves.wav"));
    MUST(chl_sound_load("waves.wav", &wave, &samples));
    assert_int_equal(samples, CHL_WORLD_RATE / 2);
    const chl_sound_recipe recipe = {CHL_WAVES, 1, 0.5f, false, 7};
    again = malloc(sizeof(float) * (size_t)samples);
    MUST(chl_sound_synthesise(&recipe, again, samples));
    for (int64_t i = 0; i < samples; i++) assert_true(fabsf(wave[i] - again[i]) < 1.0f / 16384);
    free(wave);
    free(again);
    MUST(chl_world_picture(NULL, 0, 7, 64, "calm.png"));
    int height, width;
    float *pixels;
    MUST(chl_picture_read("calm.png", &height, &width, &pixels));
    assert_true(height == 64 && width == 64);
    free(pixels);
}

/* 16 bits: exact for what 16 bits can say, clamped beyond, and no NaN. */
static void waves_are_written_as_16_bits_clamped_and_finite(void **unused) {
    (void)unused;
    const float wave[] = {0, 1, -1, 2, -3, 100.0f / 32767, 0.5f};
    const int16_t expected[] = {0, 32767, -32767, 32767, -32767, 100, 16384};
    float *back;
    int64_t samples;
    MUST(chl_sound_write("w.wav", wave, 7));
    MUST(chl_sound_load("w.wav", &back, &samples));
    assert_int_equal(samples, 7);
    for (int i = 0; i < 7; i++) assert_true(back[i] == (float)expected[i] / 32768);
    free(back);
    const float broken[] = {0, NAN};
    assert_int_equal(chl_sound_write("n.wav", broken, 2), CHL_ERR_NUMERIC);
    assert_int_not_equal(access("n.wav", F_OK), 0);
    assert_int_equal(chl_sound_write("e.wav", wave, 0), CHL_ERR_ARGUMENT);
    assert_int_equal(system("ls | grep -q tmp"), 256);
}

static void a_build_without_media_says_so(void **unused) {
    (void)unused;
    const chl_world_options o = small("nothing", 1, CHL_WORLD_CALM);
    assert_int_equal(chl_world_write(&o), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "CHLADNI_MEDIA"));
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(a_build_without_media_says_so)};
    if (chl_picture_read("", &(int){0}, &(int){0}, &(float *){NULL}) == CHL_ERR_UNSUPPORTED)
        return cmocka_run_group_tests(without, enter, leave);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_samples_are_their_latents_and_biased),
        cmocka_unit_test(held_out_samples_are_of_one_algorithm_and_unbiased),
        cmocka_unit_test(pictures_without_sounds_are_partly_calm),
        cmocka_unit_test(files_of_some_samples_are_those_of_the_whole_folder),
        cmocka_unit_test(second_events_are_weaker_and_without_a_label),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(impossible_options_are_refused_with_their_ranges),
        cmocka_unit_test(single_sounds_and_pictures_are_written),
        cmocka_unit_test(waves_are_written_as_16_bits_clamped_and_finite)};
    return cmocka_run_group_tests(tests, enter, leave);
}
