/* The score of a video: what holds when. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "video_score.h"

static video_score score;

static void read_score(const char *text) {
    char path[] = "/tmp/chladni-score-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    const int code = score_read(path, &score);
    unlink(path);
    assert_int_equal(code, EXIT_OK);
}

static int release(void **state) {
    (void)state;
    score_free(&score);
    score = (video_score){0};
    return 0;
}

static void a_part_holds_until_the_next_begins(void **state) {
    (void)state;
    read_score("seconds,text,weight,rows\n2,snow,0.25,\n4.5,,,fine\n6,\"rain, heavy\",,\n");
    assert_null(score_at(&score, 0)->text);
    assert_null(score_at(&score, 1.99)->text);
    assert_string_equal(score_at(&score, 2)->text, "snow");
    assert_string_equal(score_at(&score, 4.49)->text, "snow");
    assert_true(score_at(&score, 3)->weight == 0.25);
    assert_null(score_at(&score, 4.5)->text);
    assert_string_equal(score_at(&score, 1000)->text, "rain, heavy");
    assert_true(score_at(&score, 7)->weight == 0.5); /* where none is given */
    assert_true(score_at(&score, 1)->rows == SCORE_ALL_ROWS);
}

static void json_lines_are_read_too(void **state) {
    (void)state;
    read_score("{\"seconds\": 1.5, \"text\": \"snow\", \"weight\": 1}\n{\"seconds\": 3, \"rows\": "
               "\"none\"}\n");
    assert_int_equal(score.parts, 2);
    assert_string_equal(score_at(&score, 1.5)->text, "snow");
    assert_true(score_at(&score, 3)->rows == 0);
}

static void equal_texts_are_one(void **state) {
    (void)state;
    read_score("seconds,text\n0,a\n1,b\n2,a\n3,\n4,c\n");
    const int want[] = {0, 1, 0, -1, 2};
    assert_int_equal(score.texts, 3);
    for (int i = 0; i < 5; i++) assert_int_equal(score_at(&score, i)->number, want[i]);
}

static void rows_are_named_by_groups_and_numbers(void **state) {
    (void)state;
    read_score(
        "seconds,rows\n0,coarse\n1,\"middle,1\"\n2,fine\n3,\"0, 3-5\"\n4,none\n5,7 coarse\n");
    const uint64_t want[] = {0xf, 0xf2, ~UINT64_C(0xff), 0x39, 0, 0x8f};
    for (int i = 0; i < 6; i++) assert_true(score_at(&score, i)->rows == want[i]);
    assert_int_equal(score_at(&score, 3)->last_row, 5);
    assert_int_equal(score_at(&score, 2)->last_row, 8); /* a group needs its first */
    assert_int_equal(score_at(&score, 4)->last_row, -1);
    assert_int_equal(score_check(&score, 9, 10), CHL_OK);
    assert_int_equal(score_check(&score, 8, 10),
                     CHL_ERR_ARGUMENT); /* which has none that is fine */
}

static void a_text_is_said_where_its_part_holds_a_key(void **state) {
    (void)state;
    read_score("seconds,text\n0.5,a\n1,\n2,b\n2.5,a\n4,c\n");
    const double time[] = {0, 2, 4};
    assert_false(score_says(&score, 0, 3, time));
    assert_true(score_says(&score, 1, 3, time));
    assert_true(score_says(&score, 2, 3, time));
    assert_false(score_says(&score, 2, 2, time));
}

/* A row moves between two times only where every part in between lets it: not where one begins in the
 * middle, but up to where one begins at the end. */
static void rows_move_only_where_all_parts_let_them(void **state) {
    (void)state;
    read_score("seconds,rows\n0,\"0-3\"\n4,\"2-5\"\n6,\n");
    assert_true(score_moves(&score, 0, 2) == 0xf);
    assert_true(score_moves(&score, 2, 4) == 0xf);
    assert_true(score_moves(&score, 3, 4.5) == 0xc);
    assert_true(score_moves(&score, 4, 6) == 0x3c);
    assert_true(score_moves(&score, 3, 7) == 0xc);
    assert_true(score_moves(&score, 6, 8) == SCORE_ALL_ROWS);
    assert_true(score_moves(&score, 4, 4) == 0x3c);
}

static void motion_rests_with_a_row_and_does_not_jump(void **state) {
    (void)state;
    read_score("seconds,rows\n2,0\n5,\n");
    double before = score_motion(&score, 0, 1);
    assert_true(before == 1);
    for (double t = 0; t < 7; t += 0.01) {
        const double now = score_motion(&score, t, 1);
        if (t >= 2 && t < 5) assert_true(now == 0);
        assert_true(fabs(now - before) < 0.03);
        assert_true(score_motion(&score, t, 0) == 1);
        before = now;
    }
    assert_true(before == 1);
}

static void no_score_is_the_sound_alone(void **state) {
    (void)state;
    assert_int_equal(score_read(NULL, &score), EXIT_OK);
    assert_int_equal(score.texts, 0);
    assert_null(score_at(&score, 3)->text);
    assert_true(score_moves(&score, 0, 10) == SCORE_ALL_ROWS);
    assert_true(score_motion(&score, 3, 5) == 1);
    assert_int_equal(score_check(&score, 8, 10), CHL_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_part_holds_until_the_next_begins, release),
        cmocka_unit_test_teardown(json_lines_are_read_too, release),
        cmocka_unit_test_teardown(equal_texts_are_one, release),
        cmocka_unit_test_teardown(rows_are_named_by_groups_and_numbers, release),
        cmocka_unit_test_teardown(a_text_is_said_where_its_part_holds_a_key, release),
        cmocka_unit_test_teardown(rows_move_only_where_all_parts_let_them, release),
        cmocka_unit_test_teardown(motion_rests_with_a_row_and_does_not_jump, release),
        cmocka_unit_test_teardown(no_score_is_the_sound_alone, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
