/* CSV as spreadsheets write it [RFC 4180]: the first line names the columns. */
#include "batch_rows.h"
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *path, *at;
    int line;
} reader;

/* One cell to be freed; *last: a line ends behind it. NULL: the error is printed. */
static char *read_cell(reader *r, bool *last) {
    const int began = r->line;
    char *cell = malloc(strlen(r->at) + 1), *to = cell;
    bool quoted = *r->at == '"';
    if (!cell) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for %s", r->path);
        run_error();
        return NULL;
    }
    if (quoted) r->at++;
    for (; *r->at && (quoted || !strchr(",\r\n", *r->at)); r->at++) {
        if (quoted && *r->at == '"' && r->at[1] != '"') {
            quoted = false;
            continue;
        }
        if (quoted && *r->at == '"') r->at++;
        if (*r->at == '\n') r->line++;
        *to++ = *r->at;
    }
    *to = 0;
    if (quoted) {
        batch_row_error(r->path, began, "a quote is not closed");
        free(cell);
        return NULL;
    }
    *last = *r->at != ',';
    if (*r->at == ',') r->at++;
    if (*last && *r->at == '\r') r->at++;
    if (*last && *r->at == '\n') {
        r->at++;
        r->line++;
    }
    return cell;
}

/* [texts] of one line; NULL: the error is printed. */
static json_t *read_line(reader *r) {
    json_t *cells = json_array();
    for (bool last = false; !last;) {
        char *cell = read_cell(r, &last);
        if (!cell) {
            json_decref(cells);
            return NULL;
        }
        json_add(cells, json_string_nocheck(cell)); /* names of files are any bytes */
        free(cell);
    }
    if (json_is_whole(cells)) return cells;
    json_decref(cells);
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for %s", r->path);
    run_error();
    return NULL;
}

static const char *text_at(const json_t *cells, size_t i) {
    const char *text = json_string_value(json_array_get(cells, i));
    return text ? text : "";
}

static bool is_blank(const json_t *cells) {
    return json_array_size(cells) == 1 && !text_at(cells, 0)[0];
}

static int check_columns(const reader *r, const json_t *columns) {
    for (size_t i = 0; i < json_array_size(columns); i++) {
        if (!text_at(columns, i)[0])
            return batch_row_error(r->path, 1, "column %zu has no name", i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(text_at(columns, i), text_at(columns, k)) == 0)
                return batch_row_error(r->path, 1, "column \"%s\" comes twice",
                                       text_at(columns, i));
    }
    return EXIT_OK;
}

static int take_row(const reader *r, int line, const json_t *columns, const json_t *cells,
                    json_t *rows) {
    const size_t count = json_array_size(columns), found = json_array_size(cells);
    if (found != count)
        return batch_row_error(r->path, line, "expected %zu cells as in line 1, got %zu", count,
                               found);
    json_t *row = json_object();
    for (size_t i = 0; i < count; i++)
        if (text_at(cells, i)[0])
            json_put(row, text_at(columns, i), json_incref(json_array_get(cells, i)));
    json_add(rows, json_pack("{s:i, s:o}", "line", line, "cells", row));
    return EXIT_OK;
}

int batch_csv_rows(const char *path, const char *text, json_t *rows) {
    reader r = {.path = path, .at = text, .line = 1};
    if (strncmp(r.at, "\xef\xbb\xbf", 3) == 0) r.at += 3; /* as Excel writes */
    json_t *columns = read_line(&r);
    int code = columns ? check_columns(&r, columns) : EXIT_USAGE;
    while (code == EXIT_OK && *r.at) {
        const int line = r.line;
        json_t *cells = read_line(&r);
        if (!cells)
            code = EXIT_USAGE;
        else if (!is_blank(cells))
            code = take_row(&r, line, columns, cells, rows);
        json_decref(cells);
    }
    json_decref(columns);
    return code;
}
