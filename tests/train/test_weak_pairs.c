/* Weak pairs: who is drawn for whom, and which rows a loss leaves out. */
#include "harness/parity.h"
#include "losses/losses.h"
#include "train/weak_pairs.h"
#include <string.h>

#define PEOPLE 7
static const int label_of[PEOPLE] = {0, 1, 0, 2, 0, 1, 3}; /* 2 and 3 are alone */
static const int kind_of[PEOPLE] = {0, 1, 0, 0, 0, 1, 1};

static chl_dataset made_up(chl_sample *sample) {
    for (int i = 0; i < PEOPLE; i++)
        sample[i] = (chl_sample){.picture = "a picture",
                                 .label = "label",
                                 .label_id = label_of[i],
                                 .kind_id = kind_of[i]};
    return (chl_dataset){.folder = "made up",
                         .list = "made up",
                         .count = PEOPLE,
                         .sample = sample,
                         .labels = 4,
                         .kinds = 2};
}

/* Never the sample itself, always its label (its kind where the label has nobody else), everybody
 * about equally often, the same at every call. */
static void weak_pairs_share_the_label_and_are_all_drawn(void **state) {
    (void)state;
    enum { STEPS = 600 };
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    chl_weak_pairs *pairs;
    MUST(chl_weak_pairs_new(&data, &pairs));
    for (int i = 0; i < PEOPLE; i++) {
        int drawn[PEOPLE] = {0}, candidates = 0;
        for (int step = 0; step < STEPS; step++) {
            int64_t other = chl_weak_pairs_draw(pairs, 5, step, i, i);
            assert_in_range(other, 0, PEOPLE - 1);
            assert_int_equal(other, chl_weak_pairs_draw(pairs, 5, step, i, i));
            drawn[other]++;
        }
        const bool alone = label_of[i] >= 2;
        for (int k = 0; k < PEOPLE; k++)
            candidates += k != i && (alone ? kind_of[k] == kind_of[i] : label_of[k] == label_of[i]);
        for (int k = 0; k < PEOPLE; k++) {
            bool fits = k != i && (alone ? kind_of[k] == kind_of[i] : label_of[k] == label_of[i]);
            if (fits)
                assert_in_range(drawn[k], STEPS / candidates * 7 / 10,
                                STEPS / candidates * 13 / 10);
            else
                assert_int_equal(drawn[k], 0);
        }
    }
    chl_weak_pairs_free(pairs);
}

static chl_status check_pairs(const chl_dataset *data) {
    chl_weak_pairs *pairs;
    MUST(chl_weak_pairs_new(data, &pairs));
    const chl_status status = chl_weak_pairs_check(pairs);
    chl_weak_pairs_free(pairs);
    return status;
}

static void samples_without_a_partner_are_refused(void **state) {
    (void)state;
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    MUST(check_pairs(&data));
    sample[3].kind_id = -1;
    sample[3].label = "a lonely label";
    sample[3].line = 4;
    assert_int_equal(check_pairs(&data), CHL_ERR_FORMAT);
    assert_non_null(
        strstr(chl_error(), "made up line 4 is the only one of the label \"a lonely label\""));
    sample[3].label_id = -1;
    assert_int_equal(check_pairs(&data), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "made up line 4 has no \"label\""));
}

/* Samples 0 and 6 have no picture: 0 borrows those of its label (2, 4), 6, alone with its label, those
 * of its kind (1, 5); without these it has none. Nobody borrows of them. */
static void samples_without_a_picture_borrow_one_of_their_label(void **state) {
    (void)state;
    enum { STEPS = 200 };
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    chl_weak_pairs *pairs;
    sample[0].picture = sample[6].picture = NULL;
    MUST(chl_weak_pairs_new(&data, &pairs));
    MUST(chl_weak_pairs_check(pairs));
    int borrowed[2][PEOPLE] = {{0}}, same = 0;
    for (int step = 0; step < STEPS; step++) {
        const int64_t zero = chl_weak_pairs_borrow(pairs, 5, step, 0, 0);
        borrowed[0][zero]++;
        borrowed[1][chl_weak_pairs_borrow(pairs, 5, step, 6, 6)]++;
        same += zero == chl_weak_pairs_draw(pairs, 5, step, 0, 0);
        assert_int_equal(chl_weak_pairs_borrow(pairs, 5, step, 2, 2), 2); /* its own */
        assert_int_equal(chl_weak_pairs_draw(pairs, 5, step, 2, 2), 4);
    }
    for (int k = 0; k < PEOPLE; k++) {
        assert_int_equal(borrowed[0][k] > STEPS / 3, k == 2 || k == 4);
        assert_int_equal(borrowed[1][k] > STEPS / 3, k == 1 || k == 5);
    }
    assert_in_range(same, STEPS / 3, STEPS * 2 / 3); /* the partner is another draw */
    assert_true(chl_weak_pairs_pictured(pairs, 6));
    chl_weak_pairs_free(pairs);

    sample[1].picture = sample[5].picture = NULL;
    MUST(chl_weak_pairs_new(&data, &pairs));
    MUST(chl_weak_pairs_check(pairs)); /* it is left out, which is no error */
    assert_false(chl_weak_pairs_pictured(pairs, 6));
    assert_int_equal(chl_weak_pairs_borrow(pairs, 5, 0, 6, 6), -1);
    assert_int_equal(chl_weak_pairs_draw(pairs, 5, 0, 6, 6), -1);
    chl_weak_pairs_free(pairs);
}

/* --- rows that are left out of a loss ---------------------------------------------------------- */
enum { ROWS = 5, LEFT = 3, WIDE = 8 }; /* rows 1 and 4 of five are left out */
static const int kept_row[LEFT] = {0, 2, 3};

static bool is_kept(int row) {
    return row == 0 || row == 2 || row == 3;
}

/* A masked loss, or with `rows` LEFT the plain one of the rows that are kept; loss, gradient [rows] */
static void masked_loss(bool weak, int rows, float *loss, float *gradient) {
    float own[3][ROWS * WIDE], mask[ROWS * ROWS], tau = 1;
    static const char *const name[3] = {"x", "y", "z"};
    for (int k = 0; k < 3; k++) {
        float *all = parity_formula(name[k], 0, 1, ROWS * WIDE);
        for (int i = 0; i < rows; i++)
            memcpy(own[k] + i * WIDE, all + (rows == LEFT ? kept_row[i] : i) * WIDE,
                   WIDE * sizeof *all);
        free(all);
    }
    for (int i = 0; i < ROWS * ROWS; i++)
        mask[i] =
            (is_kept(i / ROWS) && is_kept(i % ROWS)) || i / ROWS == i % ROWS ? 0 : CHL_LEFT_OUT;
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    const chl_desc shape = chl_f32(2, rows, WIDE);
    chl_tensor x = chl_param(g, "x", shape, own[0], CHL_TRAINABLE), d;
    const chl_tensor y = chl_constant(g, "y", shape, own[1]),
                     z = chl_constant(g, "z", shape, own[2]);
    const chl_tensor scale = chl_constant(g, "scale", chl_f32(1, 1), &tau);
    const chl_tensor m =
        rows == LEFT ? CHL_NONE : chl_constant(g, "mask", chl_f32(2, ROWS, ROWS), mask);
    chl_tensor out =
        weak ? chl_masked_weak_pair_loss(g, y, x, z, 0.5f, m)
             : chl_masked_contrastive_loss(g, chl_share_rows(g, x), chl_share_rows(g, y), scale, m);
    chl_keep(g, out);
    chl_grad(g, out, 1, &x, &d);
    chl_keep(g, d);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, out, loss));
    MUST(chl_read(g, d, gradient));
    chl_graph_free(g);
}

/* The loss is that of the rows that are kept, of which the mean over all rows has its share; rows that
 * are left out have no gradient. */
static void rows_left_out_of_a_loss_change_nothing(void **state) {
    (void)state;
    for (int weak = 0; weak < 2; weak++) {
        float all, kept, d_all[ROWS * WIDE], d_kept[LEFT * WIDE];
        masked_loss(weak, ROWS, &all, d_all);
        masked_loss(weak, LEFT, &kept, d_kept);
        print_message("%s: %.6f of all rows, %.6f of those kept\n", weak ? "L_kl" : "contrastive",
                      (double)all, (double)kept);
        assert_true(kept > 0.01f && fabsf(all * ROWS / LEFT - kept) < 1e-5f * kept);
        for (int i = 0, at = 0; i < ROWS; i++) {
            for (int k = 0; k < WIDE; k++) {
                const float want = is_kept(i) ? d_kept[at * WIDE + k] * LEFT / ROWS : 0;
                assert_true(fabsf(d_all[i * WIDE + k] - want) < 1e-6f);
            }
            at += is_kept(i);
        }
    }
}

/* CLIP's belief is what the sound is drawn to, never the other way round. */
static void weak_pair_gradients_reach_the_sound_only(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        chl_graph *g;
        MUST(chl_graph_new(chl_device_cpu(), &g));
        chl_tensor text = chl_param(g, "text", chl_f32(2, 3, 4), NULL, CHL_TRAINABLE);
        chl_tensor sound = chl_param(g, "sound", chl_f32(2, 3, 4), NULL, CHL_TRAINABLE);
        chl_tensor pictures = chl_input(g, "pictures", chl_f32(2, 3, 4)), gradient;
        chl_tensor loss = chl_weak_pair_loss(g, text, sound, pictures, 0.07f);
        chl_grad(g, loss, 1, which ? &text : &sound, &gradient);
        chl_status status = chl_compile(g);
        assert_int_equal(status == CHL_OK, which == 0);
        if (which) assert_non_null(strstr(chl_error(), "no gradient into p")); /* the belief */
        chl_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weak_pairs_share_the_label_and_are_all_drawn),
        cmocka_unit_test(samples_without_a_partner_are_refused),
        cmocka_unit_test(samples_without_a_picture_borrow_one_of_their_label),
        cmocka_unit_test(rows_left_out_of_a_loss_change_nothing),
        cmocka_unit_test(weak_pair_gradients_reach_the_sound_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
