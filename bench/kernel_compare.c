#include "kernel_compare.h"
#include "base/json.h"
#include "kernel_results.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES ((int64_t)256 << 20)

/* --- decisions -------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void kernel_median_interval(const double *sorted, int n, double risk, double *low, double *high) {
    /* probability of i heads in n throws, from i = 0 on; below -700 exp is 0, as it should be */
    double log_chance = -n * log(2), tail = 0;
    int k = 0;
    while (k < n / 2) {
        tail += exp(log_chance);
        if (2 * tail > risk) break;
        log_chance += log((double)(n - k) / (double)(k + 1));
        k++;
    }
    *low = k > 0 ? sorted[k - 1] : -INFINITY;
    *high = k > 0 ? sorted[n - k] : INFINITY;
}

static double median(const double *sorted, int n) {
    return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
}

static double *sorted_copy(const double *seconds, int n) {
    double *copy = malloc((size_t)n * sizeof *copy);
    if (!copy) return NULL;
    memcpy(copy, seconds, (size_t)n * sizeof *copy);
    qsort(copy, (size_t)n, sizeof *copy, ascending);
    return copy;
}

chl_status kernel_change_paired(const double *old_seconds, const double *new_seconds, int n,
                                double risk, kernel_change *out) {
    double *ratio = malloc((size_t)n * sizeof *ratio);
    if (!ratio) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d ratios", n);
    for (int i = 0; i < n; i++) ratio[i] = new_seconds[i] / old_seconds[i];
    qsort(ratio, (size_t)n, sizeof *ratio, ascending);
    out->ratio = median(ratio, n);
    kernel_median_interval(ratio, n, risk, &out->low, &out->high);
    free(ratio);
    return CHL_OK;
}

chl_status kernel_change_apart(const double *old_seconds, int old_n, const double *new_seconds,
                               int new_n, double risk, kernel_change *out) {
    double *a = sorted_copy(old_seconds, old_n), *b = sorted_copy(new_seconds, new_n);
    if (!a || !b) {
        free(a);
        free(b);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", old_n + new_n);
    }
    double a_low, a_high, b_low, b_high;
    kernel_median_interval(a, old_n, risk / 2, &a_low, &a_high);
    kernel_median_interval(b, new_n, risk / 2, &b_low, &b_high);
    out->ratio = median(b, new_n) / median(a, old_n);
    out->low = isfinite(a_high) && isfinite(b_low) ? b_low / a_high : 0;
    out->high = isfinite(a_low) && isfinite(b_high) ? b_high / a_low : INFINITY;
    free(a);
    free(b);
    return CHL_OK;
}

const char *kernel_verdict(const kernel_change *c, double bound) {
    if (c->low > 1 + bound) return "slower";
    if (c->high < 1 / (1 + bound)) return "faster";
    return c->high > 1 + bound || c->low < 1 / (1 + bound) ? "undecided" : "same";
}

void kernel_print_change_head(FILE *to, double bound) {
    fprintf(to, "new over old; bound %.3g %%, risk of one wrong verdict among all %.0f %%\n",
            100 * bound, 100 * COMPARE_RISK);
    fprintf(to, "%8s %19s %-9s kernel\n", "ratio", "interval", "verdict");
}
void kernel_print_change(FILE *to, const char *key, const kernel_change *c, double bound) {
    fprintf(to, "%8.3f %8.3f - %8.3f %-9s %s\n", c->ratio, c->low, c->high,
            kernel_verdict(c, bound), key);
    fflush(to);
}

/* --- files ------------------------------------------------------------------------------------ */
typedef struct measured {
    const char *path;
    json_t *root, *kernels;
} measured;

static chl_status open_file(const char *path, measured *out) {
    json_error_t problem;
    *out = (measured){.path = path};
    CHL_TRY(chl_json_read_file(path, FILE_BYTES, &out->root, &problem));
    if (!out->root)
        return chl_fail(CHL_ERR_FORMAT, "%s is no JSON: line %d: %s", path, problem.line,
                        problem.text);
    out->kernels = json_object_get(out->root, "kernels");
    if (!json_is_array(out->kernels))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s has no array \"kernels\": expected what `chladni bench kernels --json` "
                        "prints",
                        path);
    return CHL_OK;
}

static const char *text_of(const json_t *kernel, const char *key) {
    const char *text = json_string_value(json_object_get(kernel, key));
    return text ? text : "";
}
static void key_of(const json_t *kernel, char *key) {
    snprintf(key, KERNEL_KEY, "%s, %s, %s, %s", text_of(kernel, "kernel"), text_of(kernel, "case"),
             text_of(kernel, "shape"), text_of(kernel, "precision"));
}

/* The same kernel of the other file, the `nth` of that key from 0. */
static const json_t *find(const measured *m, const char *key, int nth) {
    size_t i;
    json_t *kernel;
    json_array_foreach(m->kernels, i, kernel) {
        char other[KERNEL_KEY];
        key_of(kernel, other);
        if (strcmp(key, other) == 0 && nth-- == 0) return kernel;
    }
    return NULL;
}
static int earlier(const measured *m, size_t end, const char *key) {
    int count = 0;
    for (size_t i = 0; i < end; i++) {
        char other[KERNEL_KEY];
        key_of(json_array_get(m->kernels, i), other);
        count += strcmp(key, other) == 0;
    }
    return count;
}

/* The times, to be freed. */
static chl_status times_of(const measured *m, const json_t *kernel, const char *key,
                           double **seconds, int *count) {
    const json_t *all = json_object_get(json_object_get(kernel, "seconds"), "all");
    *count = (int)json_array_size(all);
    *seconds = NULL;
    if (*count == 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: %s has no times in seconds.all", m->path, key);
    *seconds = malloc((size_t)*count * sizeof **seconds);
    if (!*seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", *count);
    for (int i = 0; i < *count; i++) {
        (*seconds)[i] = json_number_value(json_array_get(all, (size_t)i));
        if (!((*seconds)[i] > 0)) {
            free(*seconds);
            *seconds = NULL;
            return chl_fail(CHL_ERR_FORMAT, "%s: %s: seconds.all[%d] must be a number > 0", m->path,
                            key, i);
        }
    }
    return CHL_OK;
}

static chl_status change_of(const measured *a, const measured *b, const json_t *old_kernel,
                            const json_t *new_kernel, const char *key, double risk,
                            kernel_change *out) {
    double *old_seconds = NULL, *new_seconds = NULL;
    int old_n, new_n;
    chl_status status = times_of(a, old_kernel, key, &old_seconds, &old_n);
    if (status == CHL_OK) status = times_of(b, new_kernel, key, &new_seconds, &new_n);
    if (status == CHL_OK)
        status = kernel_change_apart(old_seconds, old_n, new_seconds, new_n, risk, out);
    free(old_seconds);
    free(new_seconds);
    return status;
}

static chl_status must_agree(const measured *a, const measured *b, const char *key) {
    const char *x = text_of(a->root, key), *y = text_of(b->root, key);
    if (strcmp(x, y) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s has %s \"%s\", %s has \"%s\": not comparable", a->path,
                    key, x, b->path, y);
}

static chl_status print_change_json(const char *key, const kernel_change *c, double bound) {
    const uint64_t refused = chl_json_refused();
    json_t *line = json_pack("{s:s, s:f, s:s}", "kernel", key, "ratio", c->ratio, "verdict",
                             kernel_verdict(c, bound));
    chl_json_set(line, "low", isfinite(c->low) ? json_real(c->low) : json_null());
    chl_json_set(line, "high", isfinite(c->high) ? json_real(c->high) : json_null());
    char *text = chl_json_text(line, JSON_COMPACT, refused);
    json_decref(line);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for the change of %s", key);
    puts(text);
    free(text);
    return CHL_OK;
}

static chl_status compare(const measured *a, const measured *b, double bound, bool json,
                          int *slower) {
    static const char *const same[] = {"device", "precision", "caches"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) CHL_TRY(must_agree(a, b, same[i]));
    const size_t count = json_array_size(b->kernels);
    int compared = 0;
    if (!json) kernel_print_change_head(stdout, bound);
    for (size_t i = 0; i < count; i++) {
        const json_t *kernel = json_array_get(b->kernels, i);
        char key[KERNEL_KEY];
        kernel_change change;
        key_of(kernel, key);
        const json_t *before = find(a, key, earlier(b, i, key));
        if (!before) {
            fprintf(stderr, "chladni-bench: %s has no %s\n", a->path, key);
            continue;
        }
        CHL_TRY(change_of(a, b, before, kernel, key, COMPARE_RISK / (double)count, &change));
        if (json)
            CHL_TRY(print_change_json(key, &change, bound));
        else
            kernel_print_change(stdout, key, &change, bound);
        *slower += strcmp(kernel_verdict(&change, bound), "slower") == 0;
        compared++;
    }
    if (!compared)
        return chl_fail(CHL_ERR_ARGUMENT, "%s and %s have no kernel in common", a->path, b->path);
    return CHL_OK;
}

int kernel_compare_files(const char *old_path, const char *new_path, double bound, bool json) {
    measured a = {0}, b = {0};
    int slower = 0;
    chl_status status = open_file(old_path, &a);
    if (status == CHL_OK) status = open_file(new_path, &b);
    if (status == CHL_OK) status = compare(&a, &b, bound, json, &slower);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    json_decref(a.root);
    json_decref(b.root);
    return status != CHL_OK || slower > 0;
}
