/* JOBS of `batch`: a table, CSV or JSON lines, or the grid that flags ask for, as rows of texts. */
#ifndef CHL_TOOLS_BATCH_ROWS_H
#define CHL_TOOLS_BATCH_ROWS_H
#include "command.h"

#define MAX_JOBS 1000000

/* Every source by every target. */
typedef struct batch_grid {
    const char *images, *latents, *sounds; /* folders */
    const char *seeds, *texts, *levels;    /* "0-9"; a file, a text a line; "-12,0" */
} batch_grid;
static inline bool batch_has_grid(const batch_grid *g) {
    return g->images || g->latents || g->sounds || g->seeds || g->texts || g->levels;
}

/* [{"line": 2, "cells": {"seed": "7", "sound": "rain.wav"}}, ...], to be released. Columns are as in
 * the file; empty cells are left out. An exit code; the error is printed, with file and line. */
int batch_rows_read(const char *path, json_t **rows);
int batch_rows_of_grid(const command_line *line, const batch_grid *grid, json_t **rows);

/* "jobs.csv, line 3: text" on stderr; EXIT_USAGE. batch_error.c */
int batch_row_error(const char *path, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The rows of a CSV text (RFC 4180: quotes, commas and newlines inside). batch_csv.c */
int batch_csv_rows(const char *path, const char *text, json_t *rows);
#endif
