/* Batches in which kinds and sources are balanced, and the groups below them. */
#include "harness/parity.h"
#include "train/balance.h"
#include "train/groups.h"
#include "train/left_out.h"
#include "train/stand_in.h"
#include <string.h>

static void groups_hold_their_samples_in_order(void **state) {
    (void)state;
    const int number[7] = {2, 0, -1, 2, 0, 2, -1};
    chl_groups g;
    MUST(chl_groups_sort(7, number, 3, &g));
    assert_int_equal(chl_groups_size(&g, 0), 2);
    assert_int_equal(chl_groups_size(&g, 1), 0);
    assert_int_equal(chl_groups_size(&g, 2), 3);
    assert_int_equal(chl_groups_size(&g, -1), 0);
    const int64_t first[2] = {1, 4}, last[3] = {0, 3, 5};
    assert_memory_equal(chl_groups_of(&g, 0), first, sizeof first);
    assert_memory_equal(chl_groups_of(&g, 2), last, sizeof last);
    chl_groups_free(&g);
}

/* Group 0: 6 samples of source 0, 1 of source 1, 1 of none; group 1: 2 of source 0. */
enum { SAMPLES = 10, BATCH = 50, STEPS = 200 };
static const int source_of[SAMPLES] = {0, 0, 0, 1, 0, 0, 0, -1, 0, 0};

static chl_dataset made_up(chl_sample *sample) {
    for (int i = 0; i < SAMPLES; i++)
        sample[i] = (chl_sample){.line = i + 1, .group_id = i >= 8, .source_id = source_of[i]};
    return (chl_dataset){.folder = "made up",
                         .list = "made up",
                         .count = SAMPLES,
                         .sample = sample,
                         .groups = 2,
                         .sources = 2};
}

static void draw_shares(const char *name, double share[SAMPLES]) {
    chl_sample sample[SAMPLES];
    const chl_dataset data = made_up(sample);
    chl_balance *balance;
    memset(share, 0, SAMPLES * sizeof *share);
    MUST(chl_balance_new(&data, name, &balance));
    for (int step = 0; step < STEPS; step++) {
        int64_t drawn[BATCH], again[BATCH];
        chl_balance_draw(balance, 3, step, BATCH, drawn);
        chl_balance_draw(balance, 3, step, BATCH, again);
        assert_memory_equal(drawn, again, sizeof drawn);
        for (int i = 0; i < BATCH; i++) {
            assert_in_range(drawn[i], 0, SAMPLES - 1);
            share[drawn[i]] += 1.0 / BATCH / STEPS;
        }
    }
    chl_balance_free(balance);
}

static void kinds_are_drawn_equally_often(void **state) {
    (void)state;
    double share[SAMPLES];
    draw_shares("label", share);
    for (int i = 0; i < SAMPLES; i++) {
        const double want = i < 8 ? 0.5 / 8 : 0.5 / 2;
        assert_true(share[i] > 0.85 * want && share[i] < 1.15 * want);
    }
}

static void sources_of_a_kind_are_drawn_equally_often(void **state) {
    (void)state;
    double share[SAMPLES];
    draw_shares("source", share);
    for (int i = 0; i < SAMPLES; i++) {
        const double want = i >= 8 ? 0.5 / 2 : source_of[i] == 0 ? 0.5 / 3 / 6 : 0.5 / 3;
        assert_true(share[i] > 0.8 * want && share[i] < 1.2 * want);
    }
}

/* Samples 0 and 8 cannot be read: 9 stands in for half of their places, as group 1 is drawn. */
static void who_stands_in_is_balanced_too(void **state) {
    (void)state;
    chl_sample sample[SAMPLES];
    chl_dataset data = made_up(sample);
    chl_balance *balance;
    MUST(chl_left_out_new(0.9, NULL, &data.left_out));
    MUST(chl_left_out_begin(data.left_out, "made up", SAMPLES));
    MUST(chl_left_out_add(data.left_out, 0, "0", "it is torn"));
    MUST(chl_left_out_add(data.left_out, 8, "8", "it is torn"));
    MUST(chl_balance_new(&data, "label", &balance));
    double share[2] = {0, 0}; /* of sample 9, without and with a balance */
    for (int i = 0; i < STEPS * BATCH; i++)
        for (int with = 0; with < 2; with++) {
            int64_t own = i % 2 ? 0 : 8;
            MUST(chl_stand_in(&data, NULL, with ? balance : NULL, 3, i / BATCH, i % BATCH, &own));
            assert_true(own != 0 && own != 8);
            share[with] += own == 9 ? 1.0 / BATCH / STEPS : 0;
        }
    assert_true(fabs(share[0] - 1.0 / 8) < 0.02);
    assert_true(fabs(share[1] - 0.25 / (0.25 + 0.5 * 7 / 8)) < 0.02);
    chl_balance_free(balance);
    chl_left_out_free(data.left_out);
}

static void impossible_balances_are_refused(void **state) {
    (void)state;
    chl_sample sample[SAMPLES];
    const chl_dataset data = made_up(sample);
    chl_balance *balance;
    MUST(chl_balance_new(&data, NULL, &balance));
    assert_null(balance);
    MUST(chl_balance_new(&data, "none", &balance));
    assert_null(balance);
    assert_int_equal(chl_balance_new(&data, "kind", &balance), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "got \"kind\""));
    sample[4].group_id = -1;
    assert_int_equal(chl_balance_new(&data, "label", &balance), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "line 5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_hold_their_samples_in_order),
        cmocka_unit_test(kinds_are_drawn_equally_often),
        cmocka_unit_test(sources_of_a_kind_are_drawn_equally_often),
        cmocka_unit_test(who_stands_in_is_balanced_too),
        cmocka_unit_test(impossible_balances_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
