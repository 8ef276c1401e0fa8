/* Directions of edits: cosines, groups, principal components (Fig. 8), and the cosines between
 * codes (Table 2), which need of a source only |w_s|^2 and <w_s, d>:
 *
 *     <w_s + a, w_s + b> = |w_s|^2 + <w_s, a> + <w_s, b> + <a, b> */
#include "base/free.h"
#include "base/options.h"
#include "base/symmetric_root.h"
#include "eval/report.h"
#include "eval/sample_statistics.h"
#include "eval/tsne.h"
#include "plot/plot.h"
#include <chladni/eval.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 900
#define HEIGHT 640

typedef struct comparison {
    const chl_direction_options *o;
    int n, groups;
    int *group;        /* [n] */
    int *first;        /* [groups] index of the first direction of each */
    double *dot;       /* [n][n] */
    double *cosine;    /* [n][n], NAN with a direction of length 0 */
    double *component; /* [2][n] */
    double explained[2];
    double *place; /* [2][n] of t-SNE, NULL: not asked for */
    double perplexity, divergence;
    double *sample; /* [n * n], for statistics */
} comparison;

static double *at(double *matrix, const comparison *c, int i, int j) {
    return &matrix[(size_t)i * (size_t)c->n + (size_t)j];
}

/* --- cosines ---------------------------------------------------------------------------------- */
static double cosine_of(double ab, double aa, double bb) {
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static void find_cosines(comparison *c) {
    const chl_direction_options *o = c->o;
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j <= i; j++)
            *at(c->dot, c, i, j) = *at(c->dot, c, j, i) = chl_dot_of(
                o->numbers, o->direction + i * o->numbers, o->direction + j * o->numbers);
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->n; j++)
            *at(c->cosine, c, i, j) =
                cosine_of(*at(c->dot, c, i, j), *at(c->dot, c, i, i), *at(c->dot, c, j, j));
}

static void find_groups(comparison *c) {
    for (int i = 0; i < c->n; i++) {
        int g = 0;
        while (g < c->groups && strcmp(c->o->group[c->first[g]], c->o->group[i]) != 0) g++;
        if (g == c->groups) c->first[c->groups++] = i;
        c->group[i] = g;
    }
}

/* --- principal components --------------------------------------------------------------------- */
/* <d_i - mean, d_j - mean> from the dots, into `gram`; its trace. */
static double centre(const comparison *c, double *gram) {
    double *mean = c->component, all = 0, trace = 0; /* of the rows; room of later results */
    for (int i = 0; i < c->n; i++) {
        mean[i] = 0;
        for (int j = 0; j < c->n; j++) mean[i] += *at(c->dot, c, i, j) / c->n;
        all += mean[i] / c->n;
    }
    for (int i = 0; i < c->n; i++) {
        for (int j = 0; j < c->n; j++)
            *at(gram, c, i, j) = *at(c->dot, c, i, j) - mean[i] - mean[j] + all;
        trace += *at(gram, c, i, i);
    }
    return trace;
}

/* The coordinates on a component of the Gram matrix: sqrt(eigenvalue) eigenvector, from a row that
 * is eigenvalue times eigenvector. The largest is positive. */
static void take_component(const comparison *c, const double *row, double value, double *out) {
    double most = 0;
    for (int i = 0; i < c->n; i++)
        if (fabs(row[i]) > fabs(most) * (1 + 1e-9)) most = row[i];
    for (int i = 0; i < c->n; i++)
        out[i] = value > 0 ? copysign(1, most) * row[i] / sqrt(value) : 0;
}

static double length_of_row(const comparison *c, double *matrix, int i) {
    double sum = 0;
    for (int j = 0; j < c->n; j++) sum += *at(matrix, c, i, j) * *at(matrix, c, i, j);
    return sqrt(sum);
}

static chl_status find_components(comparison *c) {
    double *gram = c->sample;
    const double trace = centre(c, gram);
    CHL_TRY(chl_symmetric_eigen(c->n, gram));
    int best[2] = {-1, -1};
    double value[2] = {0, 0};
    for (int i = 0; i < c->n; i++) {
        const double length = length_of_row(c, gram, i); /* the eigenvalue */
        const int place = length > value[0] ? 0 : length > value[1] ? 1 : 2;
        if (place == 0) {
            value[1] = value[0];
            best[1] = best[0];
        }
        if (place == 2) continue;
        value[place] = length;
        best[place] = i;
    }
    for (int k = 0; k < 2; k++) {
        const bool there = best[k] >= 0 && trace > 0 && value[k] > 1e-12 * trace;
        const double *row = there ? at(gram, c, best[k], 0) : gram;
        take_component(c, row, there ? value[k] : 0, c->component + (size_t)k * (size_t)c->n);
        c->explained[k] = there ? value[k] / trace : 0;
    }
    return CHL_OK;
}

static chl_status find_places(comparison *c) {
    double *square = c->sample;
    if (c->o->plot != CHL_DIRECTIONS_TSNE) return CHL_OK;
    c->place = malloc(sizeof *c->place * 2 * (size_t)c->n);
    if (!c->place) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d directions", c->n);
    memcpy(c->place, c->component, sizeof *c->place * 2 * (size_t)c->n);
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->n; j++)
            *at(square, c, i, j) =
                fmax(*at(c->dot, c, i, i) + *at(c->dot, c, j, j) - 2 * *at(c->dot, c, i, j), 0);
    c->perplexity = c->o->perplexity > 0 ? (double)c->o->perplexity : fmin(30, (c->n - 1) / 3.0);
    return chl_tsne(c->n, square, c->perplexity, c->place, &c->divergence);
}

static chl_status draw(const comparison *c) {
    char x_name[64], y_name[64];
    chl_plot_line line[CHL_PLOT_LINES];
    const int named = c->groups <= CHL_PLOT_LINES ? c->groups : CHL_PLOT_LINES - 1;
    const double *shown = c->place ? c->place : c->component;
    double *x = c->sample, *y = x + c->n;
    int lines = 0;
    for (int g = 0; g <= named && g < c->groups; g++) {
        int64_t count = 0;
        for (int i = 0; i < c->n; i++)
            if (c->group[i] == g || (g == named && c->group[i] > g)) {
                x[count] = shown[i];
                y[count++] = shown[c->n + i];
            }
        line[lines++] =
            (chl_plot_line){g < named ? c->o->group[c->first[g]] : "(others)", x, y, count};
        x += count;
        y += count;
    }
    snprintf(x_name, sizeof x_name, "first component (%.0f %%)", 100 * c->explained[0]);
    snprintf(y_name, sizeof y_name, "second component (%.0f %%)", 100 * c->explained[1]);
    if (c->place) {
        snprintf(x_name, sizeof x_name, "t-SNE, perplexity %g", c->perplexity);
        y_name[0] = 0;
    }
    const chl_plot plot = {.title = "directions of edits",
                           .x_name = x_name,
                           .y_name = y_name,
                           .points = true,
                           .lines = lines,
                           .line = line};
    return chl_plot_write(&plot, WIDTH, HEIGHT, c->o->picture);
}

/* --- report ----------------------------------------------------------------------------------- */
static json_t *statistics(const char *count_key, int n, const double *x) {
    return json_pack("{s:i, s:o, s:o}", count_key, n, "mean", chl_report_number(chl_mean_of(n, x)),
                     "deviation", chl_report_number(chl_deviation_of(n, x)));
}

/* The cosines between members of groups a and b; their number. */
static int gather(const comparison *c, int a, int b) {
    int count = 0;
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->n; j++) {
            const bool pair = c->group[i] == a && c->group[j] == b && (a == b ? i < j : i != j);
            const double x = *at(c->cosine, c, i, j);
            if (pair && !isnan(x)) c->sample[count++] = x;
        }
    return count;
}

static json_t *matrix(const comparison *c, int n, bool of_groups) {
    json_t *rows = json_array();
    for (int i = 0; i < n; i++) {
        json_t *row = json_array();
        for (int j = 0; j < n; j++) {
            double x = of_groups ? 0 : *at(c->cosine, c, i, j);
            if (of_groups) x = chl_mean_of(gather(c, i, j), c->sample);
            chl_json_append(row, chl_report_number(x));
        }
        chl_json_append(rows, row);
    }
    return rows;
}

static void describe_groups(const comparison *c, json_t *report) {
    json_t *groups = json_array();
    for (int g = 0; g < c->groups; g++) {
        int members = 0;
        for (int i = 0; i < c->n; i++) members += c->group[i] == g;
        const int pairs = gather(c, g, g);
        chl_json_append(
            groups, json_pack("{s:o, s:i, s:o}", "group", chl_json_string(c->o->group[c->first[g]]),
                              "count", members, "within", statistics("pairs", pairs, c->sample)));
    }
    chl_json_set(report, "groups", groups);
    chl_json_set(report, "between", matrix(c, c->groups, true));
}

static json_t *describe_each(const comparison *c) {
    json_t *all = json_array();
    for (int i = 0; i < c->n; i++) {
        json_t *one = json_pack("{s:o, s:o, s:o, s:[o, o]}", "name", chl_json_string(c->o->name[i]),
                                "group", chl_json_string(c->o->group[i]), "length",
                                chl_report_number(sqrt(*at(c->dot, c, i, i))), "pca",
                                chl_report_number(c->component[i]),
                                chl_report_number(c->component[c->n + i]));
        if (c->place)
            chl_json_set(one, "tsne",
                         json_pack("[o, o]", chl_report_number(c->place[i]),
                                   chl_report_number(c->place[c->n + i])));
        chl_json_append(all, one);
    }
    return all;
}

/* --- Table 2 ---------------------------------------------------------------------------------- */
static bool known(const comparison *c, int i) {
    return isfinite(c->o->source_square[i]) && isfinite(c->o->source_dot[i]);
}

/* <source + d_i, source + d_j> */
static double dot_of_codes(const comparison *c, int i, int j) {
    return c->o->source_square[i] + c->o->source_dot[i] + c->o->source_dot[j] +
           *at(c->dot, c, i, j);
}

static json_t *with_source(const comparison *c, int by_text) {
    int count = 0;
    for (int i = 0; i < c->n; i++) {
        if (!known(c, i) || (c->o->by_text[i] != 0) != by_text) continue;
        const double square = c->o->source_square[i];
        c->sample[count++] = cosine_of(square + c->o->source_dot[i], square, dot_of_codes(c, i, i));
    }
    return statistics("edits", count, c->sample);
}

static bool are_pair(const comparison *c, int sound, int text) {
    const chl_direction_options *o = c->o;
    return !o->by_text[sound] && o->by_text[text] && known(c, sound) && known(c, text) &&
           o->source[sound] && o->source[text] && strcmp(o->source[sound], o->source[text]) == 0 &&
           o->guide[sound] && o->guide[text] && strcmp(o->guide[sound], o->guide[text]) == 0;
}

static json_t *of_pairs(const comparison *c, bool codes) {
    int count = 0;
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->n; j++) {
            if (!are_pair(c, i, j)) continue;
            c->sample[count++] = codes ? cosine_of(dot_of_codes(c, i, j), dot_of_codes(c, i, i),
                                                   dot_of_codes(c, j, j))
                                       : *at(c->cosine, c, i, j);
        }
    return statistics("pairs", count, c->sample);
}

static json_t *table2(const comparison *c) {
    const chl_direction_options *o = c->o;
    if (!o->by_text || !o->source || !o->guide || !o->source_square || !o->source_dot)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "source_sound", with_source(c, 0), "source_text",
                     with_source(c, 1), "sound_text", of_pairs(c, true), "directions",
                     of_pairs(c, false));
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status check(const chl_direction_options *o) {
    CHL_TRY(chl_check_int(o->count >= 1 && o->count <= CHL_MAX_DIRECTIONS, "count", "in [1, 1000]",
                          o->count));
    CHL_TRY(chl_check_int(o->numbers >= 1 && o->numbers <= INT64_MAX / o->count / 8, "numbers",
                          ">= 1, and all of them fit into memory", o->numbers));
    CHL_TRY(chl_check_enum((int)o->plot, CHL_DIRECTIONS_TSNE + 1, "plot"));
    if (o->plot == CHL_DIRECTIONS_TSNE) {
        CHL_TRY(chl_check_int(o->count >= 4, "count", ">= 4 for t-SNE", o->count));
        CHL_TRY(chl_check_float(o->perplexity == 0 ||
                                    (o->perplexity >= 1 && o->perplexity < (float)(o->count - 1)),
                                "perplexity", "in [1, directions - 1)", (double)o->perplexity));
    }
    CHL_TRY(chl_check_pointer(o->direction, "direction"));
    CHL_TRY(chl_check_pointer(o->name, "name"));
    CHL_TRY(chl_check_pointer(o->group, "group"));
    CHL_TRY(chl_check_texts("chl_compare_directions", "name", o->count, o->name));
    CHL_TRY(chl_check_texts("chl_compare_directions", "group", o->count, o->group));
    return chl_check_finite("chl_compare_directions", "direction", o->direction,
                            o->count * o->numbers);
}

static chl_status compare(comparison *c, char **report) {
    const size_t n = (size_t)c->n;
    c->group = malloc(sizeof *c->group * n);
    c->first = malloc(sizeof *c->first * n);
    c->dot = malloc(sizeof(double) * n * n);
    c->cosine = malloc(sizeof(double) * n * n);
    c->component = malloc(sizeof(double) * 2 * n);
    c->sample = malloc(sizeof(double) * (n * n + 2 * n));
    if (!c->group || !c->first || !c->dot || !c->cosine || !c->component || !c->sample)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %d directions", c->n);
    find_groups(c);
    find_cosines(c);
    CHL_TRY(find_components(c));
    CHL_TRY(find_places(c));
    if (c->o->picture) CHL_TRY(draw(c));
    const uint64_t refused = chl_json_refused();
    json_t *whole =
        json_pack("{s:o, s:o, s:{s:[o, o]}}", "directions", describe_each(c), "cosines",
                  matrix(c, c->n, false), "pca", "explained", chl_report_number(c->explained[0]),
                  chl_report_number(c->explained[1]));
    chl_json_set(whole, "tsne",
                 c->place ? json_pack("{s:o, s:o}", "perplexity", chl_report_number(c->perplexity),
                                      "divergence", chl_report_number(c->divergence))
                          : json_null());
    describe_groups(c, whole);
    chl_json_set(whole, "table2", table2(c));
    return chl_report_finish(whole, refused, report);
}

chl_status chl_compare_directions(const chl_direction_options *theirs, char **report) {
    chl_direction_options mine = {.size = sizeof mine};
    CHL_NEEDS(report);
    *report = NULL;
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_direction_options"));
    CHL_TRY(check(&mine));
    comparison c = {.o = &mine, .n = mine.count};
    const chl_status status = compare(&c, report);
    CHL_FREE(c.group, c.first, c.dot, c.cosine, c.component, c.place, c.sample);
    return status;
}
