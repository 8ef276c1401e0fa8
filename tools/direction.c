#include "direction.h"
#include "outputs.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTION_VERSION 1

/* --- one file --------------------------------------------------------------------------------- */
char *direction_about_path(const char *path) {
    char *name;
    const int length = (int)strlen(path) - (ends_in(path, ".npy") ? 4 : 0);
    return asprintf(&name, "%.*s.json", length, path) < 0 ? NULL : name;
}

static chl_status no_memory(void) {
    return command_fail(CHL_ERR_MEMORY, "out of memory for a direction");
}

static chl_status read_about(direction *d) {
    json_error_t error;
    char *name = direction_about_path(d->path);
    if (!name) return no_memory();
    chl_status status = CHL_OK;
    if (access(name, F_OK) == 0) {
        status = json_read_file(name, &d->about, &error);
        if (status != CHL_ERR_MEMORY &&
            json_integer_value(json_object_get(d->about, "direction")) != DIRECTION_VERSION)
            status =
                command_fail(CHL_ERR_FORMAT,
                             "%s: expected what the direction beside it is of, with "
                             "\"direction\": %d, got %s",
                             name, DIRECTION_VERSION, d->about ? "JSON without it" : error.text);
    }
    free(name);
    return status;
}

static chl_status take_shape(direction *d, int rank, const int64_t *dim) {
    if (rank == 2 && dim[0] >= 1 && dim[1] >= 1 && dim[0] <= INT32_MAX / dim[1]) {
        d->rows = (int)dim[0];
        d->latent = (int)dim[1];
        return CHL_OK;
    }
    return command_fail(CHL_ERR_SHAPE,
                        "%s: expected a direction, an array of rows x latent, got %d dimensions",
                        d->path, rank);
}

chl_status direction_read(const char *path, direction *out) {
    int rank;
    int64_t dim[6];
    *out = (direction){.path = strdup(path)};
    if (!out->path) return no_memory();
    chl_status status = chl_array_read(path, &rank, dim, &out->numbers);
    if (status == CHL_OK) status = take_shape(out, rank, dim);
    for (int64_t i = 0; status == CHL_OK && i < (int64_t)out->rows * out->latent; i++)
        if (!isfinite(out->numbers[i]))
            status = command_fail(CHL_ERR_NUMERIC, "%s: expected finite numbers, got %g at %lld",
                                  path, (double)out->numbers[i], (long long)i);
    return status == CHL_OK ? read_about(out) : status;
}

void direction_free(direction *d) {
    free(d->path);
    chl_release(d->numbers);
    json_decref(d->about);
    *d = (direction){0};
}

static double length_of(int64_t count, const float *numbers) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)numbers[i] * (double)numbers[i];
    return sqrt(sum);
}

chl_status direction_write(const char *path, int rows, int latent, const float *numbers,
                           json_t *about) {
    json_t *whole = json_pack("{s:s, s:i, s:i, s:i}", "chladni", chl_version(), "direction",
                              DIRECTION_VERSION, "rows", rows, "latent", latent);
    json_put_all(whole, about);
    json_decref(about);
    json_put(whole, "length", json_real(length_of((int64_t)rows * latent, numbers)));
    char *name = direction_about_path(path);
    char *text = json_dumped(whole, REPORT_DIGITS | JSON_INDENT(1));
    json_decref(whole);
    chl_status status = name && text ? CHL_OK : no_memory();
    if (status == CHL_OK)
        status = chl_array_write(path, 2, (const int64_t[]){rows, latent}, numbers);
    if (status == CHL_OK) status = chl_file_write(name, text, strlen(text));
    free(name);
    free(text);
    return status;
}

/* --- what it is of ---------------------------------------------------------------------------- */
const char *direction_text(const direction *d, const char *key) {
    return json_string_value(json_object_get(d->about, key));
}

void direction_name(const direction *d, char *name, size_t room) {
    const char *by = direction_text(d, "by"), *slash = strrchr(d->path, '/');
    const char *begin = slash ? slash + 1 : d->path;
    const int length = (int)strlen(begin) - (ends_in(d->path, ".npy") ? 4 : 0);
    if (by)
        snprintf(name, room, "%s", by);
    else
        snprintf(name, room, "%.*s", length, begin);
}

chl_status direction_check(const direction *d, int rows, int latent, const char *generator,
                           const char *of) {
    const char *own = direction_text(d, "generator");
    if (d->rows != rows || d->latent != latent)
        return command_fail(CHL_ERR_SHAPE, "%s: expected a direction of %d x %d as %s, got %d x %d",
                            d->path, rows, latent, of, d->rows, d->latent);
    if (own && generator && strcmp(own, generator) != 0)
        return command_fail(CHL_ERR_FORMAT,
                            "%s: is a direction of another generator than %s: its codes mean "
                            "something else (SHA-256 %.16s..., expected %.16s...)",
                            d->path, of, own, generator);
    return CHL_OK;
}

/* --- many ------------------------------------------------------------------------------------- */
static int add(direction_list *list, const char *path, const char *by, bool with_about) {
    char name[256];
    if (list->count == list->capacity) {
        const int capacity = list->capacity ? 2 * list->capacity : 16;
        direction *grown = realloc(list->item, sizeof *grown * (size_t)capacity);
        if (!grown) {
            (void)no_memory();
            return run_error();
        }
        list->item = grown;
        list->capacity = capacity;
    }
    direction *d = &list->item[list->count];
    if (direction_read(path, d) != CHL_OK) {
        direction_free(d);
        return run_error();
    }
    list->count++;
    direction_name(d, name, sizeof name);
    if ((with_about && !d->about) || (by && strcmp(by, name) != 0)) {
        direction_free(d);
        list->count--;
    }
    return EXIT_OK;
}

static int is_array(const struct dirent *entry) {
    return ends_in(entry->d_name, ".npy");
}

static int add_folder(direction_list *list, const char *folder, const char *by) {
    struct dirent **entry;
    const int count = scandir(folder, &entry, is_array, alphasort);
    if (count < 0) {
        (void)command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", folder, strerror(errno));
        return run_error();
    }
    int code = EXIT_OK;
    for (int i = 0; i < count; i++) {
        char *path = NULL, *about = NULL;
        if (asprintf(&path, "%s/%s", folder, entry[i]->d_name) < 0) path = NULL;
        about = path ? direction_about_path(path) : NULL;
        if (!about) {
            (void)no_memory();
            code = run_error();
        } else if (code == EXIT_OK && access(about, F_OK) == 0)
            code = add(list, path, by, true);
        free(path);
        free(about);
        free(entry[i]);
    }
    free(entry);
    return code;
}

/* All must be of one generator. */
static chl_status check_all(const direction_list *list) {
    const direction *first = list->item;
    for (int i = 1; i < list->count; i++) {
        const chl_status status = direction_check(&list->item[i], first->rows, first->latent,
                                                  direction_text(first, "generator"), first->path);
        if (status != CHL_OK) return status;
    }
    return CHL_OK;
}

int direction_list_read(direction_list *list, int count, const char *const *path, const char *by) {
    struct stat about;
    int code = EXIT_OK;
    for (int i = 0; i < count && code == EXIT_OK; i++)
        code = stat(path[i], &about) == 0 && S_ISDIR(about.st_mode) ? add_folder(list, path[i], by)
                                                                    : add(list, path[i], by, false);
    if (code == EXIT_OK && list->count == 0) {
        (void)command_fail(CHL_ERR_FORMAT,
                           "%s: expected directions%s%s, as edit --direction-out writes them, got "
                           "none",
                           path[0], by ? " by " : "", by ? by : "");
        return run_error();
    }
    if (code == EXIT_OK && check_all(list) != CHL_OK) return run_error();
    return code;
}

void direction_list_free(direction_list *list) {
    for (int i = 0; i < list->count; i++) direction_free(&list->item[i]);
    free(list->item);
    *list = (direction_list){0};
}
