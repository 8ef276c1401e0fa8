#include "data/csv.h"
#include "base/file_bytes.h"
#include "base/text_buffer.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (512 << 20) /* ESC-50's table has 0.1 MB, AudioSet's largest 100 MB */

/* --- rows ------------------------------------------------------------------------------------- */
/* A quoted field: moves its text to the front, without the quotes, and *at behind it. */
static chl_status read_quoted(chl_csv *csv, char **at) {
    char *to = *at, *from = *at + 1;
    for (;; from++) {
        if (from >= csv->end)
            return chl_fail(CHL_ERR_FORMAT, "%s line %lld: a quote is not closed", csv->path,
                            (long long)csv->line);
        if (*from == '\n') csv->next_line++;
        if (*from != '"') {
            *to++ = *from;
        } else if (from + 1 < csv->end && from[1] == '"') {
            *to++ = *from++;
        } else {
            break;
        }
    }
    from++;
    if (from < csv->end && *from != ',' && *from != '\r' && *from != '\n')
        return chl_fail(CHL_ERR_FORMAT,
                        "%s line %lld: behind a closing quote must be a comma or the line's end",
                        csv->path, (long long)csv->line);
    *to = 0;
    *at = from;
    return CHL_OK;
}

/* One field, ended by a 0 in place of its separator; *last: a line's end was behind it. */
static chl_status read_field(chl_csv *csv, char **field, bool *last) {
    char *at = csv->at;
    while (csv->headless && at < csv->end && *at == ' ') at++;
    *field = at;
    if (*at == '"')
        CHL_TRY(read_quoted(csv, &at));
    else
        while (at < csv->end && *at != ',' && *at != '\n' && *at != '\r') at++;
    *last = at >= csv->end || *at != ',';
    char *const stop = at;
    if (at < csv->end && *at == '\r') at++; /* alone it is old Macintosh's line end */
    if (at < csv->end && *at == '\n' && (at == stop || at[-1] == '\r')) at++;
    if (at == stop && at < csv->end) at++; /* a comma */
    if (*last) csv->next_line++;
    *stop = 0;
    csv->at = at;
    return CHL_OK;
}

static void skip_empty_lines(chl_csv *csv) {
    while (csv->at < csv->end) {
        if (csv->headless && *csv->at == '#')
            while (csv->at < csv->end && *csv->at != '\n') csv->at++;
        if (csv->at >= csv->end || (*csv->at != '\n' && *csv->at != '\r')) return;
        if (*csv->at == '\n') csv->next_line++;
        csv->at++;
    }
}

static chl_status read_row(chl_csv *csv, const char **field, int *fields, bool *more) {
    skip_empty_lines(csv);
    *more = csv->at < csv->end;
    *fields = 0;
    csv->line = csv->next_line;
    for (bool last = !*more; !last;) {
        char *text;
        CHL_TRY(read_field(csv, &text, &last));
        if (*fields == CHL_CSV_COLUMNS)
            return chl_fail(CHL_ERR_FORMAT, "%s line %lld: more than %d fields", csv->path,
                            (long long)csv->line, CHL_CSV_COLUMNS);
        field[(*fields)++] = text;
        if (!last && csv->at >= csv->end) { /* a comma ends the file: an empty field is behind it */
            if (*fields == CHL_CSV_COLUMNS) continue;
            field[(*fields)++] = csv->end;
            last = true;
        }
    }
    return CHL_OK;
}

chl_status chl_csv_next(chl_csv *csv, bool *more) {
    int fields;
    CHL_TRY(read_row(csv, csv->field, &fields, more));
    if (*more && fields != csv->columns)
        return chl_fail(CHL_ERR_FORMAT, "%s line %lld: %d fields were expected, got %d", csv->path,
                        (long long)csv->line, csv->columns, fields);
    return CHL_OK;
}

chl_status chl_csv_each(chl_csv *csv, chl_status begun, chl_status (*row)(void *user), void *user) {
    bool more;
    while (begun == CHL_OK && (begun = chl_csv_next(csv, &more)) == CHL_OK && more)
        begun = row(user);
    chl_csv_close(csv);
    return begun;
}

/* --- a file ----------------------------------------------------------------------------------- */
static const char *trim(const char *field) {
    char *text = (char *)field; /* in csv->text */
    while (isspace((unsigned char)*text)) text++;
    for (size_t n = strlen(text); n > 0 && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

static chl_status take_text(chl_csv *csv, const void *data, size_t size) {
    if (memchr(data, 0, size))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s must be a table in UTF-8 with commas, got zero bytes (UTF-16?)",
                        csv->path);
    csv->text = malloc(size + 1);
    if (!csv->text) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its text", csv->path);
    memcpy(csv->text, data, size);
    csv->end = csv->text + size;
    *csv->end = 0;
    csv->at = csv->text;
    if (size >= 3 && memcmp(csv->at, "\xef\xbb\xbf", 3) == 0) csv->at += 3;
    return CHL_OK;
}

static chl_status read_columns(chl_csv *csv) {
    bool more;
    CHL_TRY(read_row(csv, csv->column, &csv->columns, &more));
    if (!more)
        return chl_fail(CHL_ERR_FORMAT, "%s must begin with the names of columns, got empty lines",
                        csv->path);
    for (int i = 0; i < csv->columns; i++) csv->column[i] = trim(csv->column[i]);
    return CHL_OK;
}

chl_status chl_csv_parse(const void *data, size_t size, const char *name, chl_csv *out) {
    *out = (chl_csv){.path = name, .next_line = 1};
    chl_status status = take_text(out, data, size);
    if (status == CHL_OK) status = read_columns(out);
    if (status != CHL_OK) chl_csv_close(out);
    return status;
}

chl_status chl_csv_open(const char *path, chl_csv *out) {
    chl_file_bytes bytes;
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){.max_bytes = MAX_BYTES}, &bytes));
    const chl_status status = chl_csv_parse(bytes.data, bytes.size, path, out);
    chl_file_bytes_free(&bytes);
    return status;
}

chl_status chl_csv_open_headless(const char *path, int columns, chl_csv *out) {
    chl_file_bytes bytes;
    *out = (chl_csv){.path = path, .next_line = 1, .headless = true, .columns = columns};
    for (int i = 0; i < columns; i++) out->column[i] = "";
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){.max_bytes = MAX_BYTES}, &bytes));
    const chl_status status = take_text(out, bytes.data, bytes.size);
    chl_file_bytes_free(&bytes);
    return status;
}

void chl_csv_close(chl_csv *csv) {
    free(csv->text);
    csv->text = NULL;
}

/* --- columns ---------------------------------------------------------------------------------- */
int chl_csv_find(const chl_csv *csv, const char *name) {
    for (int i = 0; i < csv->columns; i++)
        if (strcmp(csv->column[i], name) == 0) return i;
    return -1;
}

chl_status chl_csv_column(const chl_csv *csv, const char *name, int *column) {
    *column = chl_csv_find(csv, name);
    if (*column >= 0) return CHL_OK;
    chl_text_buffer list = {0};
    for (int i = 0; i < csv->columns; i++)
        chl_text_add(&list, "%s\"%.40s\"", i ? ", " : "", csv->column[i]);
    CHL_TRY(chl_text_done(&list, "the names of columns"));
    const chl_status status =
        chl_fail(CHL_ERR_KEY, "%s: a column \"%s\" was expected, got the columns %s", csv->path,
                 name, list.text);
    free(list.text);
    return status;
}

chl_status chl_csv_int(const chl_csv *csv, int column, int min, int max, int *value) {
    const char *text = csv->field[column];
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    while (isspace((unsigned char)*end)) end++;
    *value = (int)number;
    if (end != text && !*end && !errno && number >= min && number <= max) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s line %lld: \"%s\" must be a whole number from %d to %d, got \"%.40s\"",
                    csv->path, (long long)csv->line, csv->column[column], min, max, text);
}
