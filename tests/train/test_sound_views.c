/* What the sound encoder is shown while it trains. */
#include "harness/parity.h"
#include "sound/mel.h"
#include "train/sound_views.h"
#include <string.h>

#define SECOND 44100

/* mel [128][864] -> picture, as the training's graph does */
static void resize(const float *mel, float *picture) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_tensor x = chl_constant(g, "mel", chl_f32(4, 1, CHL_MEL_BANDS, CHL_MEL_FRAMES, 1), mel);
    chl_tensor y = chl_keep(g, chl_resize(g, x, CHL_FILTER_BILINEAR, CHL_MEL_SIDE, CHL_MEL_SIDE));
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, y, picture));
    chl_graph_free(g);
}

/* The picture of a clip, and of the middle of a longer one, is the one that embedding makes. */
static void views_of_clips_are_those_of_embedding(void **state) {
    (void)state;
    static float mel[CHL_VIEW_FLOATS], got[CHL_MEL_SIDE * CHL_MEL_SIDE],
        want[CHL_MEL_SIDE * CHL_MEL_SIDE];
    /* 259 frames, 864, and 866, whose middle begins at frame 1 of 0, 1, 2 */
    static const int64_t samples[] = {3 * SECOND, 863 * 512, 865 * 512};
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults()};
    for (int i = 0; i < 3; i++) {
        float *wave = parity_formula("wave", 0, 0.3, samples[i]), *whole;
        for (int64_t k = 0; k < samples[i]; k++) wave[k] *= 0.2f + sinf((float)k * 1e-4f);
        int64_t frames;
        chl_device *cpu = chl_device_cpu();
        MUST(chl_mel_picture(cpu, wave, samples[i], CHL_MEL_ABSOLUTE, want));
        MUST(chl_mel_whole(cpu, wave, samples[i], CHL_MEL_ABSOLUTE, &whole, &frames));
        int same = 0;
        for (int step = 0; step < 30; step++) {
            chl_sound_views(&settings, 1, step, 0, whole, frames, mel, NULL);
            resize(mel, got);
            same += !memcmp(got, want, sizeof got);
        }
        print_message("%d frames: %d of 30 pictures are embedding's\n", (int)frames, same);
        if (i < 2)
            assert_int_equal(same, 30);
        else
            assert_in_range(same, 3, 20);
        free(whole);
        free(wave);
    }
}

static void views_leave_the_padding(void **state) {
    (void)state;
    enum { FRAMES = 100 };
    static float mel[CHL_MEL_BANDS * FRAMES], picture[CHL_VIEW_FLOATS], view[CHL_VIEW_FLOATS];
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults()};
    for (int i = 0; i < CHL_MEL_BANDS * FRAMES; i++) mel[i] = 1;
    int hidden = 0;
    for (int step = 0; step < 20; step++) {
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, picture, view);
        for (int i = 0; i < CHL_VIEW_FLOATS; i++) {
            assert_true(picture[i] == (i % CHL_MEL_FRAMES < FRAMES));
            assert_true(view[i] == 0 || picture[i] == 1);
            hidden += picture[i] == 1 && view[i] == 0;
        }
    }
    assert_true(hidden > 20 * CHL_MEL_BANDS * FRAMES / 5);
}

/* From any of its frames on, as embedding repeats it from the first on. */
static void a_short_clip_is_repeated_where_asked(void **state) {
    (void)state;
    enum { FRAMES = 100 };
    static float mel[CHL_MEL_BANDS * FRAMES], picture[CHL_VIEW_FLOATS], masked[CHL_VIEW_FLOATS],
        view[CHL_VIEW_FLOATS];
    chl_view_settings settings = {.spec = chl_spec_augment_defaults(), .repeat = true};
    for (int i = 0; i < CHL_MEL_BANDS * FRAMES; i++) mel[i] = 0.1f + (float)i / 1e5f;
    bool begun[FRAMES] = {0};
    int begins = 0, hidden = 0;
    for (int step = 0; step < 20; step++) {
        settings.mask = false;
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, picture, NULL);
        const int from = (int)lroundf((picture[0] - 0.1f) * 1e5f);
        begins += !begun[from];
        begun[from] = true;
        for (int i = 0; i < CHL_VIEW_FLOATS; i++)
            assert_true(picture[i] ==
                        mel[i / CHL_MEL_FRAMES * FRAMES + (from + i % CHL_MEL_FRAMES) % FRAMES]);
        settings.mask = true;
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, masked, view);
        int alone = 0;
        for (int i = 0; i < CHL_VIEW_FLOATS; i++) {
            assert_true(masked[i] == 0 || masked[i] == picture[i]);
            hidden += masked[i] == 0;
            alone += masked[i] == 0 && view[i] != 0;
        }
        assert_true(alone > 0); /* the two masks are two draws */
    }
    assert_true(begins > 10);
    assert_true(hidden > 20 * CHL_VIEW_FLOATS / 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_clips_are_those_of_embedding),
        cmocka_unit_test(views_leave_the_padding),
        cmocka_unit_test(a_short_clip_is_repeated_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
