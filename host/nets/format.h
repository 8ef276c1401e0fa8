/* For functions of this room that take a format as their last named parameter. */
#ifndef CHL_NETS_FORMAT_H
#define CHL_NETS_FORMAT_H
#include <stdarg.h>
#include <stdio.h>

/* Declares text [size]: what `format` and the arguments behind it make. */
#define CHL_FORMAT(text, size, format)                                                             \
    char text[size];                                                                               \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(text, sizeof(text), format, arguments);                                          \
        va_end(arguments);                                                                         \
    } while (0)
#endif
