#include "batch_rows.h"
#include "outputs.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int io_error(const char *path, int reason) {
    (void)command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path, strerror(reason));
    return run_error();
}

/* --- files ------------------------------------------------------------------------------------ */
/* The whole file, to be freed; NULL: the error is printed. */
static char *read_text(const char *path) {
    enum { PART = 1 << 16 };
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0, got = 1;
    while (file && got > 0) {
        char *grown = realloc(text, size + PART + 1);
        if (!grown) break;
        text = grown;
        got = fread(text + size, 1, PART, file);
        size += got;
    }
    const int reason = !file || ferror(file) ? errno : got > 0 ? ENOMEM : 0;
    if (file) fclose(file);
    if (reason == 0 && text && memchr(text, 0, size)) {
        (void)command_fail(CHL_ERR_FORMAT, "%s: expected a text, got a byte of zero", path);
        run_error();
    } else if (reason) {
        io_error(path, reason);
    } else if (text) {
        text[size] = 0;
        return text;
    }
    free(text);
    return NULL;
}

/* JSON's kinds as the texts that flags take; none of lists and objects. */
static json_t *as_text(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string(json_string_value(value));
    case JSON_INTEGER:
        return json_sprintf("%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return json_sprintf("%.9g", json_real_value(value));
    case JSON_TRUE:
    case JSON_FALSE:
        return json_string(json_is_true(value) ? "true" : "false");
    default:
        return NULL;
    }
}

static int take_object(const char *path, int line, const json_t *object, json_t *rows) {
    json_t *cells = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)object, name, value) {
        if (json_is_null(value)) continue;
        if (json_is_array(value) || json_is_object(value)) {
            json_decref(cells);
            return batch_row_error(path, line,
                                   "\"%s\" must be a text, a number, true or false, got a %s", name,
                                   json_is_array(value) ? "list" : "object");
        }
        json_put(cells, name, as_text(value));
    }
    json_add(rows, json_pack("{s:i, s:o}", "line", line, "cells", cells));
    return EXIT_OK;
}

static int json_rows(const char *path, char *text, json_t *rows) {
    int code = EXIT_OK, number = 0;
    for (char *line = text, *next; line && code == EXIT_OK; line = next) {
        json_error_t error;
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        number++;
        if (!line[strspn(line, " \t\r")]) continue;
        json_t *object;
        const chl_status status = json_read(line, JSON_REJECT_DUPLICATES, &object, &error);
        if (status == CHL_ERR_MEMORY)
            code = run_error();
        else if (status != CHL_OK)
            code = batch_row_error(path, number, "expected a JSON object: %s", error.text);
        else if (!json_is_object(object))
            code = batch_row_error(path, number, "expected a JSON object, {...}");
        else
            code = take_object(path, number, object, rows);
        json_decref(object);
    }
    return code;
}

static int check_count(const char *path, json_t *rows, int code) {
    if (code == EXIT_OK && json_array_size(rows) == 0) {
        fprintf(stderr, "chladni: %s: there are no rows in it\n", shown(path));
        code = EXIT_USAGE;
    }
    if (code == EXIT_OK && json_array_size(rows) > MAX_JOBS) {
        fprintf(stderr, "chladni: %s: has %zu rows, expected at most %d\n", shown(path),
                json_array_size(rows), MAX_JOBS);
        code = EXIT_USAGE;
    }
    if (code == EXIT_OK && !json_is_whole(rows)) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for %s", path);
        code = run_error();
    }
    return code;
}

int batch_rows_read(const char *path, json_t **rows) {
    char *text = read_text(path);
    *rows = json_array();
    if (!text) return EXIT_RUN;
    const bool lines = text[strspn(text, " \t\r\n")] == '{';
    const int code = lines ? json_rows(path, text, *rows) : batch_csv_rows(path, text, *rows);
    free(text);
    return check_count(path, *rows, code);
}

/* --- grid ------------------------------------------------------------------------------------- */
static const char *const pictures[] = {".png", ".jpg", ".jpeg", ".webp", ".heic", ".avif", NULL};
static const char *const sounds[] = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff",
                                     ".au",  ".caf",  ".m4a", ".aac",  ".wma", NULL};
static const char *const codes[] = {".npy", ".npz", ".pt", ".pth", ".safetensors", NULL};

static bool has_ending(const char *name, const char *const *endings) {
    for (int i = 0; endings[i]; i++)
        if (ends_in(name, endings[i])) return true;
    return false;
}

static void add_cell(json_t *list, const char *name, const char *text) {
    json_add(list, json_pack("{s:o}", name, json_string_nocheck(text)));
}

/* The files of a folder, by name: {cell: path} each. */
static int add_folder(json_t *list, const char *folder, const char *cell,
                      const char *const *endings) {
    struct dirent **entry;
    int left_out = 0, taken = 0;
    const int count = scandir(folder, &entry, NULL, alphasort);
    if (count < 0) return io_error(folder, errno);
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        const char *name = entry[i]->d_name;
        const bool hidden = name[0] == '.', wanted = !hidden && has_ending(name, endings);
        left_out += !hidden && !wanted;
        if (wanted && asprintf(&path, "%s/%s", folder, name) >= 0) {
            add_cell(list, cell, path);
            free(path);
        } else if (wanted) {
            json_refuse();
        }
        taken += wanted;
        free(entry[i]);
    }
    free(entry);
    if (left_out)
        fprintf(
            stderr,
            "chladni: warning: %s: files whose names do not end as a %s's do are left out: %d\n",
            shown(folder), cell, left_out);
    if (taken) return EXIT_OK;
    fprintf(stderr, "chladni: %s: expected files that end in %s, ..., got none\n", shown(folder),
            endings[0]);
    return EXIT_USAGE;
}

static int add_seeds(const command_line *line, json_t *list, const char *text) {
    uint64_t *seed;
    const int count = parse_seeds(text, &seed);
    if (count < 0)
        return usage_error(line,
                           "--seeds must be like 7 or 1,5,8-10, at most %d of at most %u, got %s",
                           MAX_PICTURES, MAX_SEED, text);
    for (int i = 0; i < count; i++)
        json_add(list,
                 json_pack("{s:o}", "seed", json_sprintf("%llu", (unsigned long long)seed[i])));
    free(seed);
    return EXIT_OK;
}

static int add_texts(json_t *list, const char *path) {
    char *text = read_text(path);
    if (!text) return EXIT_RUN;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        if (line[0]) add_cell(list, "text", line);
    }
    free(text);
    return EXIT_OK;
}

/* Each sound at each level. */
static int add_levels(const command_line *line, json_t *list, const char *levels) {
    json_t *plain = json_copy(list), *level = json_array();
    const char *at = levels;
    bool wrong = false;
    while (!wrong) {
        char *end;
        const float number = strtof(at, &end);
        wrong = end == at || !isfinite(number) || (*end && *end != ',');
        if (!wrong) json_add(level, json_sprintf("%.9g", (double)number));
        if (!*end) break;
        at = end + 1;
    }
    json_array_clear(list);
    for (size_t i = 0; i < json_array_size(plain); i++)
        for (size_t k = 0; k < json_array_size(level); k++) {
            json_t *cell = json_copy(json_array_get(plain, i));
            json_put(cell, "level", json_incref(json_array_get(level, k)));
            json_add(list, cell);
        }
    json_decref(plain);
    json_decref(level);
    if (wrong) return usage_error(line, "--levels must be like -12,-6,0, got %s", levels);
    return EXIT_OK;
}

static void cross(const json_t *sources, const json_t *targets, json_t *rows) {
    int number = 0;
    for (size_t s = 0; s < json_array_size(sources); s++)
        for (size_t t = 0; t < json_array_size(targets); t++) {
            json_t *cells = json_copy(json_array_get(sources, s));
            json_put_all(cells, json_array_get(targets, t));
            json_add(rows, json_pack("{s:i, s:o}", "line", ++number, "cells", cells));
        }
}

int batch_rows_of_grid(const command_line *line, const batch_grid *grid, json_t **rows) {
    json_t *sources = json_array(), *targets = json_array();
    int code = EXIT_OK;
    *rows = json_array();
    if (grid->levels && !grid->sounds) code = usage_error(line, "--levels needs --sounds");
    if (code == EXIT_OK && grid->images)
        code = add_folder(sources, grid->images, "image", pictures);
    if (code == EXIT_OK && grid->latents)
        code = add_folder(sources, grid->latents, "latent", codes);
    if (code == EXIT_OK && grid->seeds) code = add_seeds(line, sources, grid->seeds);
    if (code == EXIT_OK && grid->sounds) code = add_folder(targets, grid->sounds, "sound", sounds);
    if (code == EXIT_OK && grid->levels) code = add_levels(line, targets, grid->levels);
    if (code == EXIT_OK && grid->texts) code = add_texts(targets, grid->texts);
    if (code == EXIT_OK && json_array_size(sources) == 0) json_add(sources, json_object());
    if (code == EXIT_OK && json_array_size(targets) == 0) json_add(targets, json_object());
    if (code == EXIT_OK && json_array_size(sources) * json_array_size(targets) > MAX_JOBS)
        code = usage_error(line, "sources x targets must be <= %d, got %zu x %zu", MAX_JOBS,
                           json_array_size(sources), json_array_size(targets));
    if (code == EXIT_OK) cross(sources, targets, *rows);
    json_decref(sources);
    json_decref(targets);
    return code == EXIT_OK ? check_count("the grid", *rows, code) : code;
}
