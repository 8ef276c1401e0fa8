/* The sound encoder's training on augmented waveforms, on balanced batches and on samples without
 * pictures: what a step sees is a function of seed, step and place, however it is computed. */
#include "io/sound.h"
#include "models/registry.h"
#include "shared_runs.h"
#include "sound/level.h"
#include "sound/mel.h"
#include "train/sound_draws.h"
#include "train/sound_views.h"
#include "train/wave_cache.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DOGS 3 /* the last samples: a label without pictures */
enum { CLIPS = 24 };
static char *mixed;

/* The sounds and pictures of shared_runs, every third without its picture, two sources */
static int write_mixed(void **state) {
    if (write_all(state) != 0) return -1;
    static const char *const labels[4] = {"heavy rain", "rain", "a bell", "church bells"};
    char lines[CLIPS * 256] = "";
    mixed = in_folder(root, "mixed");
    mkdir(mixed, 0777);
    for (int i = 0; i < CLIPS; i++) {
        const bool dog = i >= CLIPS - DOGS;
        char *end = lines + strlen(lines);
        end += sprintf(end, "{\"sound\":\"%s/%d.wav\",\"label\":\"%s\",\"source\":\"%d\"", data, i,
                       dog ? "dog" : labels[i % 4], i % 2);
        if (!dog && i % 3) end += sprintf(end, ",\"picture\":\"%s/%d.png\"", data, i);
        sprintf(end, "%s}\n", i % 5 ? "" : ",\"strength\":0.5");
    }
    put_file(mixed, "pairs.jsonl", lines, strlen(lines));
    return 0;
}

static int remove_mixed(void **state) {
    free(mixed);
    return remove_all(state);
}

static chl_dataset *open_mixed(void) {
    chl_dataset *set;
    MUST(chl_dataset_open(mixed, CHL_NEED_SOUND, &set));
    return set;
}

static chl_train_options mixed_options(const char *out) {
    chl_train_options o = audio_options(out);
    o.data = mixed;
    o.sizes = "patch=32,embed=16,depths=1,heads=2";
    o.balance = "source";
    return o;
}

/* --- the sounds ------------------------------------------------------------------------------- */
static void rewrite(const char *path, float level) {
    static float wave[2000];
    for (int i = 0; i < 2000; i++) wave[i] = level * (float)(i % 200 - 100) / 100;
    MUST(chl_sound_write(path, wave, 2000));
}

/* A sound is its file's, to the bit, over its whole range. What fits stays; what does not is decoded
 * at each use, as a file that changes meanwhile shows. */
static void sounds_are_kept_as_far_as_memory_goes(void **state) {
    (void)state;
    chl_dataset *set = open_mixed();
    char *path = in_folder(root, "changing.wav");
    static const int64_t index[] = {3, 7, 3};
    free((void *)set->sample[3].sound);
    set->sample[3].sound = path;
    for (int64_t bytes = 0; bytes <= 1 << 20; bytes += 1 << 20) {
        chl_wave_cache *cache;
        chl_pcm got[3];
        float *wave;
        int64_t samples;
        MUST(chl_wave_cache_new(set, bytes, &cache));
        rewrite(path, 0.99f);
        MUST(chl_sound_load(path, &wave, &samples));
        for (int pass = 0; pass < 3; pass++) {
            if (pass == 2) rewrite(path, 0.01f);
            MUST(chl_wave_cache_take(cache, 3, index, got));
            assert_int_equal(got[0].samples, samples);
            assert_ptr_equal(got[0].data, got[2].data);
            assert_true(got[1].samples != samples);
            bool same = true;
            for (int64_t i = 0; i < samples; i++)
                same = same && (float)got[0].data[i] / 32768 == wave[i];
            assert_int_equal(same, pass < 2 || bytes > 0);
        }
        chl_wave_cache_free(cache);
        free(wave);
    }
    remove(path);
    chl_wave_cache *cache;
    chl_pcm got[3];
    MUST(chl_wave_cache_new(set, 0, &cache));
    assert_int_equal(chl_wave_cache_take(cache, 3, index, got), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "changing.wav"));
    chl_wave_cache_free(cache);
    chl_dataset_free(set);
}

enum { DRAWN = 6, FLOATS = DRAWN * CHL_VIEW_FLOATS };
static float mels[FLOATS], views[FLOATS], other_mels[FLOATS], other_views[FLOATS];

/* Twelve samples of a step, whole, or in ranks' parts, or without what is kept in memory */
/* The mel picture and the waveform of a sample that is to have a level; the other samples stay. */
static void a_sample_is_turned_to_its_level(void **state) {
    (void)state;
    chl_dataset *plain = open_mixed(), *turned = open_mixed();
    static const int64_t index[] = {4, 5};
    const float *was[2], *mel[2];
    int64_t frames[2];
    chl_wave_cache *cache;
    chl_pcm got[2];
    turned->sample[4].level_db = -33;
    MUST(chl_dataset_mels(plain, 2, index, was, frames));
    MUST(chl_dataset_mels(turned, 2, index, mel, frames));
    assert_true(fabs(chl_mel_level(was[0], frames[0]) + 33) > 1);
    assert_true(fabs(chl_mel_level(mel[0], frames[0]) + 33) < 0.2);
    assert_memory_equal(mel[1], was[1], sizeof(float) * CHL_MEL_BANDS * (size_t)frames[1]);
    MUST(chl_wave_cache_new(turned, 1 << 20, &cache));
    MUST(chl_wave_cache_take(cache, 2, index, got));
    float *wave = malloc(sizeof *wave * (size_t)got[0].samples);
    for (int64_t i = 0; i < got[0].samples; i++) wave[i] = (float)got[0].data[i] / 32768;
    assert_true(fabs(chl_wave_level(wave, got[0].samples) + 33) < 0.1);
    free(wave);
    chl_wave_cache_free(cache);
    chl_dataset_free(plain);
    chl_dataset_free(turned);
}

static void cut_batch(bool in_mel) {
    chl_dataset *set = open_mixed();
    const int64_t sample[DRAWN] = {0, 5, 23, 9, 0, 14};
    const chl_sound_augment augment = chl_sound_augment_defaults();
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults(), .mask = true};
    chl_sound_draws *draws, *again;
    bool made;
    MUST(chl_sound_draws_new(set, &augment, in_mel, CHL_DATA_MEMORY, &draws));
    MUST(chl_sound_draws_new(set, &augment, in_mel, 0, &again));
    MUST(chl_sound_draws_make(draws, &settings, 5, 3, 0, DRAWN, sample, mels, views, &made));
    for (int part = 0; part < DRAWN; part += 2)
        MUST(chl_sound_draws_make(again, &settings, 5, 3, part, 2, sample + part,
                                  other_mels + part * CHL_VIEW_FLOATS,
                                  other_views + part * CHL_VIEW_FLOATS, &made));
    assert_memory_equal(mels, other_mels, sizeof mels);
    assert_memory_equal(views, other_views, sizeof views);
    assert_memory_not_equal(mels, views, sizeof mels);
    /* the same sample at another place, in another step, is another draw */
    assert_memory_not_equal(mels, mels + 4 * CHL_VIEW_FLOATS, CHL_VIEW_FLOATS * sizeof *mels);
    MUST(chl_sound_draws_make(draws, &settings, 5, 4, 0, 1, sample, other_mels, NULL, &made));
    assert_memory_not_equal(mels, other_mels, CHL_VIEW_FLOATS * sizeof *mels);
    chl_sound_draws_free(draws);
    chl_sound_draws_free(again);
    chl_dataset_free(set);
}

static void a_sample_is_the_same_wherever_its_batch_is_cut(void **state) {
    (void)state;
    cut_batch(false);
    cut_batch(true);
}

/* Without any effect: the picture that a training without augmentation sees, up to rounding where
 * its powers are what is changed. */
static void draw_without_effects(bool in_mel) {
    chl_dataset *set = open_mixed();
    const chl_sound_augment nothing = {.gain_db = {0, 0}, .level_db = {0, 0}};
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults()};
    chl_sound_draws *draws;
    bool made;
    const int64_t sample[2] = {2, 23};
    const float *mel[2];
    int64_t frames[2];
    MUST(chl_sound_draws_new(set, &nothing, in_mel, CHL_DATA_MEMORY, &draws));
    MUST(chl_sound_draws_make(draws, &settings, 5, 3, 0, 2, sample, mels, NULL, &made));
    MUST(chl_dataset_mels(set, 2, sample, mel, frames));
    for (int i = 0; i < 2; i++)
        chl_sound_views(&settings, 5, 3, i, mel[i], frames[i], other_mels + i * CHL_VIEW_FLOATS,
                        NULL);
    const float tolerance = in_mel ? 1e-5f : 0;
    for (int i = 0; i < 2 * CHL_VIEW_FLOATS; i++)
        assert_true(fabsf(mels[i] - other_mels[i]) <= tolerance);
    chl_sound_draws_free(draws);
    chl_dataset_free(set);
}

static void without_effects_the_pictures_are_the_files(void **state) {
    (void)state;
    draw_without_effects(false);
    draw_without_effects(true);
}

/* --- whole trainings -------------------------------------------------------------------------- */
/* Balanced, with borrowed pictures and samples that are left out of the losses of pictures. */
static void samples_without_pictures_train_on_ranks_and_in_micro_batches(void **state) {
    (void)state;
    chl_train_options options = mixed_options(NULL);
    char *whole = train_on("mixed-1", &chl_training_audio, options, 1);
    char *shared = train_on("mixed-2", &chl_training_audio, options, 2);
    options.micro_batch = 4;
    char *chunked = train_on("mixed-chunks", &chl_training_audio, options, 1);
    compare(whole, shared, 2);
    compare(whole, chunked, 1);
    free(whole);
    free(shared);
    free(chunked);
}

static chl_train_options augmented(const char *out) {
    chl_train_options o = mixed_options(out);
    o.augment = "sound";
    o.batch = 4;
    o.steps = 4;
    o.save_every = 2;
    return o;
}

static void expect_refusal(chl_train_options options, const char *text) {
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" is not in: %s", text, chl_error());
}

static chl_mel_mode mode_of(const char *run) {
    char *path = in_folder(run, "model.safetensors");
    const chl_model_place place = {.device = chl_device_cpu(), .precision = CHL_F32};
    chl_audio_encoder *encoder;
    MUST(chl_audio_encoder_open(&place, path, CHL_MEL_AUTO, &encoder));
    const chl_mel_mode mode = encoder->mel;
    chl_audio_encoder_close(encoder);
    free(path);
    return mode;
}

/* An encoder that repeats what is short is one that hears so. */
static void the_model_says_how_it_hears_short_sounds(void **state) {
    (void)state;
    char *out[2] = {in_folder(root, "padded"), in_folder(root, "repeated")};
    static const char *const way[2] = {NULL, "repeat"};
    for (int i = 0; i < 2; i++) {
        chl_train_options options = augmented(out[i]);
        options.augment = "mel";
        options.steps = 1;
        options.short_sounds = way[i];
        MUST(chl_trainer_run(&chl_training_audio, &options));
        assert_int_equal(mode_of(out[i]), i ? CHL_MEL_REPEATED : CHL_MEL_ABSOLUTE);
    }
    assert_true(loss_of(out[0], 1) != loss_of(out[1], 1));
    chl_train_options other = augmented(out[1]);
    other.augment = "mel";
    other.steps = 1;
    other.resume = 1;
    expect_refusal(other, "the run began with short_sounds \"repeat\", got unset");
    free(out[0]);
    free(out[1]);
}

/* Bit for bit, with and without a thread that draws ahead */
static void augmented_and_resumed_is_never_stopped(void **state) {
    (void)state;
    char *whole = in_folder(root, "augmented"), *parts = in_folder(root, "augmented-parts");
    chl_train_options options = augmented(whole);
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.out = parts;
    options.stop_after = 2;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options.stop_after = 0;
    options.resume = 1;
    options.ahead = 1;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    assert_true(same_file(whole, parts, "model.safetensors"));
    for (int step = 1; step <= options.steps; step++)
        assert_true(loss_of(whole, step) == loss_of(parts, step));
    free(whole);
    free(parts);
}

/* What is left at its usual value is not in the checkpoint: it is missed there all the same. */
static void a_run_goes_on_with_its_own_augmentation_and_balance(void **state) {
    (void)state;
    char *out = in_folder(root, "stopped");
    chl_train_options begun = augmented(out), other;
    begun.stop_after = 1;
    MUST(chl_trainer_run(&chl_training_audio, &begun));
    begun.resume = 1;
    begun.stop_after = 0;
    other = begun;
    other.augment = NULL;
    expect_refusal(other, "the run began with augment \"sound\", got unset");
    other = begun;
    other.balance = "label";
    expect_refusal(other, "the run began with balance \"source\", got \"label\"");
    other = begun;
    other.augment = "none";
    other.balance = "none";
    expect_refusal(other, "the run began with augment \"sound\", got unset");
    free(out);
}

static void impossible_values_are_named(void **state) {
    (void)state;
    char *out = in_folder(root, "impossible");
    chl_train_options options = augmented(out);
    options.augment = "noise";
    expect_refusal(options, "augment must be \"none\", \"sound\" or \"mel\", got \"noise\"");
    options.augment = NULL;
    options.short_sounds = "loop";
    expect_refusal(options, "short_sounds must be \"pad\" or \"repeat\", got \"loop\"");
    options.short_sounds = "pad";
    options.balance = "kind";
    expect_refusal(options, "balance must be \"none\", \"label\" or \"source\", got \"kind\"");
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sounds_are_kept_as_far_as_memory_goes),
        cmocka_unit_test(a_sample_is_turned_to_its_level),
        cmocka_unit_test(a_sample_is_the_same_wherever_its_batch_is_cut),
        cmocka_unit_test(without_effects_the_pictures_are_the_files),
        cmocka_unit_test(samples_without_pictures_train_on_ranks_and_in_micro_batches),
        cmocka_unit_test(the_model_says_how_it_hears_short_sounds),
        cmocka_unit_test(augmented_and_resumed_is_never_stopped),
        cmocka_unit_test(a_run_goes_on_with_its_own_augmentation_and_balance),
        cmocka_unit_test(impossible_values_are_named),
    };
    return cmocka_run_group_tests(tests, write_mixed, remove_mixed);
}
