/* Ticks that people count in, and ink where it belongs. */
#include "plot/axis.h"
#include "plot/matrix.h"
#include "plot/plot.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_ticks(bool logarithmic, double min, double max, const char *want) {
    chl_axis axis = chl_axis_new(logarithmic);
    char got[256] = "", label[32];
    chl_axis_hold(&axis, 2, (double[]){min, max});
    chl_axis_finish(&axis, 6, false);
    for (int i = 0; i < axis.ticks; i++) {
        chl_axis_label(&axis, i, label, sizeof label);
        if (i > 0) strcat(got, " ");
        strcat(got, label);
        assert_in_range((int64_t)(1e6 * (axis.tick[i] - axis.min) / (axis.max - axis.min) + 0.5), 0,
                        1000000);
    }
    assert_string_equal(got, want);
    assert_true(chl_axis_of(&axis, min) >= axis.min && chl_axis_of(&axis, max) <= axis.max);
}

static void ticks_are_round_numbers(void **state) {
    (void)state;
    expect_ticks(false, 0.3, 5.2, "0 1 2 3 4 5 6");
    expect_ticks(false, -1, 1, "-1.0 -0.5 0.0 0.5 1.0");
    expect_ticks(false, 1234, 9876, "0 2000 4000 6000 8000 10000");
    expect_ticks(false, 0.0012, 0.0031, "0.0010 0.0015 0.0020 0.0025 0.0030 0.0035");
    expect_ticks(false, 4, 4, "3.6 3.8 4.0 4.2 4.4");
    expect_ticks(false, 0, 0, "-0.6 -0.4 -0.2 0.0 0.2 0.4 0.6");
    expect_ticks(true, 0.03, 40, "0.01 0.1 1 10 100");
    expect_ticks(true, 0.3, 40, "0.5 1 2 5 10 20");
    expect_ticks(true, 1e-9, 1e6, "1e-10 1e-05 1 1e+05 1e+10");
}

static void values_that_an_axis_cannot_hold_are_left_out(void **state) {
    (void)state;
    chl_axis axis = chl_axis_new(true);
    chl_axis_hold(&axis, 5, (double[]){0, -3, (double)NAN, (double)INFINITY, 100});
    chl_axis_hold(&axis, 1, (double[]){10});
    assert_true(axis.min == 1 && axis.max == 2);
    chl_axis empty = chl_axis_new(false);
    chl_axis_hold(&empty, 1, (double[]){(double)NAN});
    chl_axis_finish(&empty, 6, false);
    assert_true(empty.min < empty.max && empty.ticks > 1);
}

static const uint8_t *pixel(const chl_canvas *c, int x, int y) {
    return c->rgb + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
}
static bool is(const uint8_t *p, uint32_t colour) {
    return p[0] == colour >> 16 && p[1] == (colour >> 8 & 255) && p[2] == (colour & 255);
}
static int count(const chl_canvas *c, uint32_t colour) {
    int found = 0;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) found += is(pixel(c, x, y), colour);
    return found;
}

static void lines_cover_their_pixels_and_are_cut_at_the_border(void **state) {
    (void)state;
    chl_canvas c;
    assert_int_equal(chl_canvas_new(40, 30, &c), CHL_OK);
    chl_canvas_line(&c, -100, 10, 100, 10, 2, 0x102030);
    assert_int_equal(count(&c, 0x102030), 2 * 40); /* rows 9 and 10 */
    assert_true(is(pixel(&c, 0, 9), 0x102030) && is(pixel(&c, 39, 10), 0x102030));
    assert_int_equal(count(&c, 0xffffff), 28 * 40);
    chl_canvas_line(&c, 5, 20, 5, 20, 4, 0xff0000); /* a point */
    assert_true(is(pixel(&c, 5, 20), 0xff0000) && is(pixel(&c, 4, 19), 0xff0000));
    chl_canvas_fill(&c, 30, 25, 100, 100, 0x00ff00);
    assert_int_equal(count(&c, 0x00ff00), 10 * 5);
    chl_canvas_free(&c);
}

static void letters_are_drawn_upright_and_upwards(void **state) {
    (void)state;
    chl_canvas c, turned;
    assert_int_equal(chl_canvas_new(60, 20, &c), CHL_OK);
    assert_int_equal(chl_canvas_new(20, 60, &turned), CHL_OK);
    chl_canvas_text(&c, 2, 3, 0, "L\t");
    assert_int_equal(count(&c, 0) > 20, 1);
    int corner = 0; /* the lower left of an L is its heaviest */
    for (int y = 3; y < 18; y++)
        for (int x = 2; x < 6; x++) corner += is(pixel(&c, x, y), 0);
    assert_true(corner >= 10);
    chl_canvas_text_up(&turned, 3, 57, 0, "L\t");
    for (int y = 0; y < 15; y++)
        for (int x = 0; x < 18; x++)
            assert_int_equal(is(pixel(&c, 2 + x, 3 + y), 0), is(pixel(&turned, 3 + y, 57 - x), 0));
    assert_int_equal(chl_text_width("loss"), 36);
    chl_canvas_free(&c);
    chl_canvas_free(&turned);
}

static void points_are_dots_without_lines_between(void **state) {
    (void)state;
    const double x[] = {3, 1, 2, (double)NAN}, y[] = {1, 1, 5, 2};
    const chl_plot_line line = {"p", x, y, 4};
    const chl_plot plot = {.points = true, .lines = 1, .line = &line};
    chl_canvas c;
    chl_plot_area area;
    assert_int_equal(chl_plot_draw_area(&plot, 400, 300, &c, &area), CHL_OK);
    int inside = 0, columns = 0;
    for (int column = 0; column < area.right + 5; column++) { /* the legend lies beyond */
        int here = 0;
        for (int row = 0; row < c.height; row++) here += is(pixel(&c, column, row), 0x0072b2);
        inside += here;
        columns += here > 0;
    }
    assert_in_range(inside, 3 * 20, 3 * 49); /* three whole discs of 7 pixels */
    assert_in_range(columns, 3 * 5, 3 * 7);
    chl_canvas_free(&c);
}

/* A rising line is where its numbers are: low on the left, high on the right. */
static void a_plot_shows_its_line_axes_and_legend(void **state) {
    (void)state;
    enum { N = 50 };
    double x[N], y[N];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = i == 20 ? (double)NAN : i;
    }
    const chl_plot_line line[] = {{"rising", x, y, N}, {"nothing", x, y, 0}};
    const chl_plot plot = {.title = "t", .x_name = "x", .y_name = "y", .lines = 2, .line = line};
    chl_canvas c;
    assert_int_equal(chl_plot_draw(&plot, 400, 300, &c), CHL_OK);
    int first = -1, last = -1, highest = 0, lowest = 0;
    for (int column = 0; column < c.width - 150; column++) /* the legend is on the right */
        for (int row = 0; row < c.height; row++)
            if (is(pixel(&c, column, row), 0x0072b2)) {
                if (first < 0) first = column, lowest = row;
                last = column, highest = row;
            }
    assert_in_range(first, 30, 90);
    assert_in_range(lowest, 220, 270);
    assert_in_range(last, 240, 249);
    assert_in_range(highest, 60, 140);
    assert_true(count(&c, 0x222222) > 700); /* axes, letters */
    assert_true(count(&c, 0xd55e00) >= 24); /* the second line's sample in the legend */
    chl_canvas_free(&c);
}

/* Of a level line whose middle third is left out, gaps leave out the middle third. */
static void gaps_break_a_line_where_points_are_left_out(void **state) {
    (void)state;
    enum { N = 90 };
    double x[N], y[N];
    int inked[2];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = i >= 30 && i < 60 ? (double)NAN : 1;
    }
    const chl_plot_line line[] = {{"l", x, y, N}};
    chl_plot plot = {.lines = 1, .line = line};
    for (int gaps = 0; gaps < 2; gaps++) {
        chl_canvas c;
        chl_plot_area area;
        plot.gaps = gaps;
        assert_int_equal(chl_plot_draw_area(&plot, 400, 300, &c, &area), CHL_OK);
        inked[gaps] = 0;
        for (int column = area.left; column < area.right; column++) {
            bool found = false;
            for (int row = area.top; row < area.bottom; row++)
                found = found || pixel(&c, column, row)[2] > pixel(&c, column, row)[0] + 40;
            inked[gaps] += found;
        }
        chl_canvas_free(&c);
        assert_in_range(100 * inked[gaps] / (area.right - area.left), gaps ? 62 : 95,
                        gaps ? 70 : 100);
    }
}

/* The legend may not take the axes' room, whatever the names are. */
static void long_names_are_cut(void **state) {
    (void)state;
    enum { N = 1000 };
    static double x[N];
    char name[400];
    for (int i = 0; i < N; i++) x[i] = i;
    for (int length = 1; length < 400; length += 3) {
        memset(name, 'W', (size_t)length);
        name[length] = 0;
        const chl_plot_line line[] = {{name, x, x, N}, {"b", x, x, 2}};
        const chl_plot plot = {.lines = 2, .line = line};
        chl_canvas c;
        assert_int_equal(chl_plot_draw(&plot, 400, 300, &c), CHL_OK);
        int first = -1, last = -1; /* of the axis below */
        for (int column = 0; column < c.width; column++)
            if (is(pixel(&c, column, 300 - 24 - 30 - 5), 0x222222)) {
                if (first < 0) first = column;
                last = column;
            }
        assert_true(last - first >= 100);
        chl_canvas_free(&c);
    }
}

static void impossible_plots_are_refused(void **state) {
    (void)state;
    const chl_plot none = {.lines = 0};
    chl_canvas c;
    assert_int_equal(chl_plot_draw(&none, 400, 300, &c), CHL_ERR_ARGUMENT);
    const chl_plot_line line = {"a", NULL, NULL, 0};
    const chl_plot plot = {.lines = 1, .line = &line};
    assert_int_equal(chl_plot_draw(&plot, 100, 300, &c), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "got 100 x 300"));
    assert_int_equal(chl_plot_draw(&plot, 400, 300, &c), CHL_OK); /* empty axes */
    chl_canvas_free(&c);
}

/* The share of a row is a cell's colour; counts and labels are written. */
static void a_matrix_shades_each_row_by_its_shares(void **state) {
    (void)state;
    const char *const label[] = {"rain", "a longer label"};
    int64_t counts[] = {10, 0, 30, 10};
    const chl_matrix matrix = {.title = "t", .labels = 2, .label = label, .count = counts};
    chl_canvas c;
    assert_int_equal(chl_matrix_draw(&matrix, &c), CHL_OK);
    /* colours from white to 0x0072b2, in cells of 26 x 26 without grid and letters */
    assert_in_range(count(&c, 0x0072b2), 200, 26 * 26); /* 10 of 10 */
    assert_in_range(count(&c, 0x4095c5), 200, 26 * 26); /* 30 of 40 */
    assert_in_range(count(&c, 0xbfdcec), 200, 26 * 26); /* 10 of 40 */
    assert_in_range(count(&c, 0x222222), 300, 3000);    /* letters */
    chl_canvas_free(&c);
    counts[0] = counts[1] = 0; /* no sound of the first label: an empty row */
    assert_int_equal(chl_matrix_draw(&matrix, &c), CHL_OK);
    assert_int_equal(count(&c, 0x0072b2), 0);
    chl_canvas_free(&c);
}

static void matrices_that_cannot_be_drawn_are_refused(void **state) {
    (void)state;
    static const char *label[CHL_MATRIX_LABELS + 1];
    static int64_t counts[CHL_MATRIX_LABELS * CHL_MATRIX_LABELS];
    for (int i = 0; i <= CHL_MATRIX_LABELS; i++) label[i] = "x";
    chl_matrix matrix = {.labels = CHL_MATRIX_LABELS + 1, .label = label, .count = counts};
    chl_canvas c;
    assert_int_equal(chl_matrix_draw(&matrix, &c), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "1 to 512 labels, got 513"));
    matrix.labels = 0;
    assert_int_equal(chl_matrix_draw(&matrix, &c), CHL_ERR_ARGUMENT);
    matrix.labels = CHL_MATRIX_LABELS;
    counts[0] = 1000000000000; /* 13 digits in a cell of 512 */
    assert_int_equal(chl_matrix_draw(&matrix, &c), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "at most 32768 pixels"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round_numbers),
        cmocka_unit_test(values_that_an_axis_cannot_hold_are_left_out),
        cmocka_unit_test(lines_cover_their_pixels_and_are_cut_at_the_border),
        cmocka_unit_test(letters_are_drawn_upright_and_upwards),
        cmocka_unit_test(points_are_dots_without_lines_between),
        cmocka_unit_test(a_plot_shows_its_line_axes_and_legend),
        cmocka_unit_test(gaps_break_a_line_where_points_are_left_out),
        cmocka_unit_test(a_matrix_shades_each_row_by_its_shares),
        cmocka_unit_test(matrices_that_cannot_be_drawn_are_refused),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(impossible_plots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
