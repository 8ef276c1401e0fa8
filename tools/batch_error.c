#include "batch_rows.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int batch_row_error(const char *path, int line, const char *format, ...) {
    va_list arguments;
    char *text;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    va_end(arguments);
    fprintf(stderr, "chladni: %s, line %d: %s\n", shown(path), line,
            shown(text ? text : "out of memory for the error"));
    free(text);
    return EXIT_USAGE;
}
