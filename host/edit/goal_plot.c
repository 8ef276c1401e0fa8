/* The curve strength against keeping. */
#include "base/options.h"
#include "edit/goal_private.h"
#include "plot/plot.h"
#include <stdlib.h>
#include <string.h>

#define WIDTH 1000
#define HEIGHT 600

static int by_kept(const void *a, const void *b) {
    const chl_goal_point *x = a, *y = b;
    return (x->kept > y->kept) - (x->kept < y->kept);
}

/* The result's points by what they keep -> x, y */
static void unroll(const chl_goal_result *r, double *x, double *y) {
    chl_goal_point sorted[CHL_GOAL_POINTS];
    memcpy(sorted, r->point, sizeof sorted);
    qsort(sorted, (size_t)r->points, sizeof *sorted, by_kept);
    for (int i = 0; i < r->points; i++) {
        x[i] = (double)sorted[i].kept;
        y[i] = (double)sorted[i].cosine;
    }
}

static chl_status check(const chl_goal_options *goal, int n, const chl_goal_result *results) {
    CHL_TRY(chl_goal_check(goal));
    CHL_TRY(chl_check_int(n >= 1, "n", ">= 1", n));
    for (int i = 0; i < n; i++)
        CHL_TRY(chl_check_int(results[i].points >= 0 && results[i].points <= CHL_GOAL_POINTS,
                              "points", "in [0, 64]", results[i].points));
    return CHL_OK;
}

chl_status chl_goal_plot(const chl_goal_options *goal, int n, const chl_goal_result *results,
                         const char *const *name, const char *path) {
    static const char *const kept[] = {"distance from the source", "CLIP distance to the source",
                                       "identity kept", "change outside the mask"};
    CHL_NEEDS(goal, results, name, path);
    chl_goal_options mine = chl_goal_defaults();
    CHL_TRY(chl_options_take(&mine, sizeof mine, goal, "chl_goal_options"));
    CHL_TRY(check(&mine, n, results));
    const int drawn = n < CHL_PLOT_LINES - 1 ? n : CHL_PLOT_LINES - 1;
    CHL_TRY(chl_check_texts(__func__, "name", drawn, name));
    double x[CHL_PLOT_LINES][CHL_GOAL_POINTS], y[CHL_PLOT_LINES][CHL_GOAL_POINTS];
    double low = 1, high = 0;
    chl_plot_line line[CHL_PLOT_LINES];
    for (int i = 0; i < drawn; i++) {
        unroll(&results[i], x[i], y[i]);
        line[i] = (chl_plot_line){name[i], x[i], y[i], results[i].points};
        for (int k = 0; k < results[i].points; k++) {
            low = y[i][k] < low ? y[i][k] : low;
            high = y[i][k] > high ? y[i][k] : high;
        }
    }
    const double bound[] = {(double)mine.bound, (double)mine.bound}, ends[] = {low, high};
    line[drawn] = (chl_plot_line){"(bound)", bound, ends, 2};
    const chl_plot plot = {.title = "strength against keeping",
                           .x_name = kept[mine.keep],
                           .y_name = "cosine with the target",
                           .lines = drawn + 1,
                           .line = line};
    return chl_plot_write(&plot, WIDTH, HEIGHT, path);
}
