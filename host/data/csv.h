/* Tables with commas between their fields (RFC 4180), as spreadsheets and Python write them: quoted
 * fields, CR LF or LF, a byte order mark, empty lines.
 *
 *     chl_csv csv;
 *     CHL_TRY(chl_csv_open("meta/esc50.csv", &csv));              the first line names the columns
 *     CHL_TRY(chl_csv_column(&csv, "fold", &fold));
 *     for (bool more; (status = chl_csv_next(&csv, &more)) == CHL_OK && more;)
 *         use(csv.field[fold]);
 *     chl_csv_close(&csv);                                        or all of it by chl_csv_each */
#ifndef CHL_DATA_CSV_H
#define CHL_DATA_CSV_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

#define CHL_CSV_COLUMNS 64

typedef struct chl_csv {
    const char *path;
    int columns;
    const char *column[CHL_CSV_COLUMNS]; /* their names */
    const char *field[CHL_CSV_COLUMNS];  /* [columns] of the row that was read last */
    int64_t line;                        /* where that row begins, from 1 */
    char *text, *at, *end;               /* private */
    int64_t next_line;
    bool headless;
} chl_csv;

/* Reads the file and its first line. Blanks around a name do not count. The path is not copied. */
chl_status chl_csv_open(const char *path, chl_csv *out);
/* The same of a file's bytes, which are copied; `name` replaces the path. */
chl_status chl_csv_parse(const void *data, size_t size, const char *name, chl_csv *out);
/* A table whose first line is a row already, of `columns` fields, as VGGSound's and AudioSet's are:
 * lines that begin with # are comments, blanks between a comma and a field do not count. Columns
 * have no names. */
chl_status chl_csv_open_headless(const char *path, int columns, chl_csv *out);
void chl_csv_close(chl_csv *csv);
/* The column of this name; CHL_ERR_KEY lists those that are there. */
chl_status chl_csv_column(const chl_csv *csv, const char *name, int *column);
/* -1 where there is none. */
int chl_csv_find(const chl_csv *csv, const char *name);
/* The next row; *more false behind the last one. CHL_ERR_FORMAT, with the line, for a row that has
 * not as many fields as there are columns, and for a quote that is not closed. */
chl_status chl_csv_next(chl_csv *csv, bool *more);
/* Calls `row` for each row that is left until one fails, unless `begun`, the caller's last status, is
 * an error, and closes the table. */
chl_status chl_csv_each(chl_csv *csv, chl_status begun, chl_status (*row)(void *user), void *user);
/* The field as a whole number in [min, max]; CHL_ERR_FORMAT names line and column. */
chl_status chl_csv_int(const chl_csv *csv, int column, int min, int max, int *value);
#endif
