/* SpecAugment: what is masked and how much, the distribution of the masks, and that the result
 * depends on its arguments only. */
#include "harness/parity.h"
#include "sound/spec_augment.h"
#include <string.h>

#define BANDS CHL_MEL_BANDS
#define FRAMES 200
#define TRIES 400

static float mel[BANDS * FRAMES], view[BANDS * FRAMES], other[BANDS * FRAMES];

static void fill_ones(void) {
    for (int i = 0; i < BANDS * FRAMES; i++) mel[i] = 1;
}

/* Bands, or frames, that are 0 throughout */
static int empty_rows(int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
    int empty = 0;
    for (int64_t r = 0; r < rows; r++) {
        bool all = true;
        for (int64_t c = 0; c < columns; c++)
            all = all && view[r * row_step + c * column_step] == 0;
        empty += all;
    }
    return empty;
}

/* Two masks of up to 15 % of the bands and two of up to 30 % of the frames: never more, sometimes
 * nearly as much, on average half of that (less where the two overlap). */
static void masks_hide_no_more_than_their_shares(void **state) {
    (void)state;
    const chl_spec_augment settings = chl_spec_augment_defaults();
    fill_ones();
    int max_bands = 0, max_frames = 0;
    double bands = 0, frames = 0;
    for (int i = 0; i < TRIES; i++) {
        chl_spec_augment_view(&settings, 1, i, 0, FRAMES, FRAMES, mel, view);
        int b = empty_rows(BANDS, FRAMES, FRAMES, 1), f = empty_rows(FRAMES, BANDS, 1, FRAMES);
        int zeros = 0;
        for (int k = 0; k < BANDS * FRAMES; k++) zeros += view[k] == 0;
        /* nothing else is masked */
        assert_int_equal(zeros, b * FRAMES + f * BANDS - b * f);
        max_bands = b > max_bands ? b : max_bands;
        max_frames = f > max_frames ? f : max_frames;
        bands += (double)b / TRIES;
        frames += (double)f / TRIES;
    }
    print_message("masked bands %.1f (at most %d of 38), frames %.1f (at most %d of 120)\n", bands,
                  max_bands, frames, max_frames);
    assert_in_range(max_bands, 30, 38);
    assert_in_range(max_frames, 95, 120);
    assert_true(bands > 15 && bands < 20 && frames > 45 && frames < 60);
}

static void a_view_is_a_function_of_seed_step_and_sample(void **state) {
    (void)state;
    const chl_spec_augment settings = chl_spec_augment_defaults();
    formula_fill("mel", 0.5, 0.5, BANDS * FRAMES, mel);
    chl_spec_augment_view(&settings, 3, 5, 7, FRAMES, FRAMES, mel, view);
    chl_spec_augment_view(&settings, 3, 5, 7, FRAMES, FRAMES, mel, other);
    assert_memory_equal(view, other, sizeof view);
    static const int64_t differs[3][3] = {{4, 5, 7}, {3, 6, 7}, {3, 5, 8}};
    for (int i = 0; i < 3; i++) {
        chl_spec_augment_view(&settings, (uint64_t)differs[i][0], differs[i][1], differs[i][2],
                              FRAMES, FRAMES, mel, other);
        assert_memory_not_equal(view, other, sizeof view);
    }
}

/* A warped ramp in time still rises everywhere, keeps its ends, and is displaced by at most the
 * warp's share. */
static void a_warp_keeps_order_and_ends(void **state) {
    (void)state;
    const chl_spec_augment settings = {.warp = 0.1f};
    for (int i = 0; i < BANDS * FRAMES; i++) mel[i] = (float)(i % FRAMES) / (FRAMES - 1);
    double most = 0;
    for (int i = 0; i < TRIES; i++) {
        chl_spec_augment_view(&settings, 2, i, 0, FRAMES, FRAMES, mel, view);
        assert_true(view[0] == mel[0]);
        assert_true(fabsf(view[FRAMES - 1] - mel[FRAMES - 1]) < 1e-6f);
        for (int k = 1; k < FRAMES; k++) {
            assert_true(view[k] > view[k - 1] && view[k] <= 1);
            most = fmax(most, fabs((double)view[k] - mel[k]));
        }
        assert_memory_equal(view, view + (BANDS - 1) * FRAMES, FRAMES * sizeof *view);
    }
    print_message("the ramp moves by at most %.3f\n", most);
    assert_true(most > 0.09 && most < 0.105);
}

/* Sounds of any length, and shares of 0 and 1 */
static void any_length_and_share_stays_in_bounds(void **state) {
    (void)state;
    formula_fill("mel", 0.5, 0.5, BANDS * FRAMES, mel);
    const chl_spec_augment none = {0}, all = {1, 1, 1}, usual = chl_spec_augment_defaults();
    chl_spec_augment_view(&none, 1, 2, 3, FRAMES, FRAMES, mel, view);
    assert_memory_equal(view, mel, sizeof view);
    for (int frames = 1; frames < 40; frames++)
        for (int i = 0; i < 20; i++) {
            view[BANDS * frames] = 77;
            chl_spec_augment_view(i % 2 ? &all : &usual, 1, i, frames, frames, frames, mel, view);
            for (int k = 0; k < BANDS * frames; k++) assert_true(view[k] >= 0 && view[k] <= 1);
            assert_true(view[BANDS * frames] == 77);
        }
}

/* A larger stride gives the same numbers and leaves the memory between the rows unchanged. */
static void rows_apart_give_the_same_numbers_and_leave_the_gaps(void **state) {
    (void)state;
    enum { PART = 150 };
    const chl_spec_augment settings = chl_spec_augment_defaults();
    static float packed[BANDS * PART], packed_view[BANDS * PART];
    formula_fill("mel", 0.5, 0.5, BANDS * FRAMES, mel);
    for (int i = 0; i < BANDS * FRAMES; i++) view[i] = 77;
    for (int b = 0; b < BANDS; b++) memcpy(packed + b * PART, mel + b * FRAMES, PART * sizeof *mel);
    chl_spec_augment_view(&settings, 1, 2, 3, PART, FRAMES, mel, view);
    chl_spec_augment_view(&settings, 1, 2, 3, PART, PART, packed, packed_view);
    for (int i = 0; i < BANDS * FRAMES; i++) {
        int column = i % FRAMES;
        assert_true(view[i] == (column < PART ? packed_view[i / FRAMES * PART + column] : 77));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_hide_no_more_than_their_shares),
        cmocka_unit_test(a_view_is_a_function_of_seed_step_and_sample),
        cmocka_unit_test(a_warp_keeps_order_and_ends),
        cmocka_unit_test(any_length_and_share_stays_in_bounds),
        cmocka_unit_test(rows_apart_give_the_same_numbers_and_leave_the_gaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
