#include "kernel_compare.h"
#include "base/json.h"
#include "kernel_change.h"
#include "kernel_starts.h"
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES ((int64_t)256 << 20)

/* --- how it is shown --------------------------------------------------------------------------- */
static void print_head(double bound, const char *how) {
    printf("new over old, %s; the risk that any interval misses its ratio is %.0f %%\n"
           "slower: the interval is above 1 and the ratio above %.3g\n",
           how, 100 * COMPARE_RISK, 1 + bound);
    printf("%8s %19s %-9s kernel\n", "ratio", "interval", "verdict");
}

static chl_status print_json(const char *key, const kernel_change *c, double bound) {
    const uint64_t refused = chl_json_refused();
    json_t *line = json_pack("{s:s, s:f, s:f, s:f, s:s}", "kernel", key, "ratio", c->ratio, "low",
                             c->low, "high", c->high, "verdict", kernel_verdict(c, bound));
    char *text = chl_json_text(line, JSON_COMPACT, refused);
    json_decref(line);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for the change of %s", key);
    puts(text);
    free(text);
    return CHL_OK;
}

/* Adds 1 to *slower where it is. */
static chl_status print_change(const char *key, const kernel_change *c, double bound, bool json,
                               int *slower) {
    const char *verdict = kernel_verdict(c, bound);
    *slower += strcmp(verdict, "slower") == 0;
    if (json) return print_json(key, c, bound);
    printf("%8.3f %8.3f - %8.3f %-9s %s\n", c->ratio, c->low, c->high, verdict, key);
    return CHL_OK;
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

/* One figure per start, in seconds [KERNEL_MAX_STARTS]. */
static chl_status starts_of(const measured *m, const json_t *kernel, const char *key,
                            double *seconds, int *count) {
    const json_t *all = json_object_get(kernel, "starts");
    *count = (int)json_array_size(all);
    if (*count == 0)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: %s has no figures per process start: measure with --starts 20",
                        m->path, key);
    if (*count > KERNEL_MAX_STARTS)
        return chl_fail(CHL_ERR_FORMAT, "%s: %s has %d starts, at most %d are expected", m->path,
                        key, *count, KERNEL_MAX_STARTS);
    for (int i = 0; i < *count; i++) {
        seconds[i] = json_number_value(json_array_get(all, (size_t)i));
        if (!(seconds[i] > 0))
            return chl_fail(CHL_ERR_FORMAT, "%s: %s: starts[%d] must be a number > 0", m->path, key,
                            i);
    }
    return CHL_OK;
}

static chl_status change_of(const measured *a, const measured *b, const json_t *old_kernel,
                            const json_t *new_kernel, const char *key, double risk,
                            kernel_change *out) {
    double old_seconds[KERNEL_MAX_STARTS], new_seconds[KERNEL_MAX_STARTS];
    int old_n, new_n;
    CHL_TRY(starts_of(a, old_kernel, key, old_seconds, &old_n));
    CHL_TRY(starts_of(b, new_kernel, key, new_seconds, &new_n));
    CHL_TRY(kernel_change_apart(old_seconds, old_n, new_seconds, new_n, risk, out));
    const int needed = kernel_starts_needed_apart(risk);
    if (out->low > 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s has %d starts, %s %d: as many kernels need %d each to bound an interval",
                    a->path, old_n, b->path, new_n, needed);
}

static chl_status must_agree(const measured *a, const measured *b, const char *key) {
    const char *x = text_of(a->root, key), *y = text_of(b->root, key);
    if (strcmp(x, y) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s has %s \"%s\", %s has \"%s\": not comparable", a->path,
                    key, x, b->path, y);
}

static chl_status compare(const measured *a, const measured *b, double bound, bool json,
                          int *slower) {
    static const char *const same[] = {"device", "precision", "caches", "clock"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) CHL_TRY(must_agree(a, b, same[i]));
    const size_t count = json_array_size(b->kernels);
    int compared = 0;
    if (!json) print_head(bound, "starts of each file");
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
        CHL_TRY(print_change(key, &change, bound, json, slower));
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

/* --- programs --------------------------------------------------------------------------------- */
static chl_status compare_starts(const kernel_command *c, const kernel_starts *all, int *slower) {
    char how[80];
    snprintf(how, sizeof how, "%d starts in turns, %s", all->starts,
             all->processor ? "time of the processor" : "time of the clock");
    if (!c->json) print_head(c->bound, how);
    for (int k = 0; k < all->kernels; k++) {
        const size_t at = (size_t)k * (size_t)all->starts;
        kernel_change change;
        CHL_TRY(kernel_change_paired(all->seconds[0] + at, all->seconds[1] + at, all->starts,
                                     COMPARE_RISK / all->kernels, &change));
        CHL_TRY(print_change(all->key[k], &change, c->bound, c->json, slower));
    }
    return CHL_OK;
}

int kernel_compare_programs(const kernel_command *c, char **arguments) {
    kernel_starts all;
    int slower = 0;
    const char *const programs[2] = {c->against, KERNEL_THIS_PROGRAM};
    chl_status status = kernel_starts_measure(c, programs, arguments, &all);
    if (status == CHL_OK) status = compare_starts(c, &all, &slower);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    kernel_starts_free(&all);
    return status != CHL_OK || slower > 0;
}
