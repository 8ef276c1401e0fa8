#include "base/text_buffer.h"
#include <stdio.h>
#include <stdlib.h>

static bool reserve(chl_text_buffer *buffer, size_t more) {
    if (buffer->size + more < buffer->capacity) return true;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity <= buffer->size + more) capacity *= 2;
    char *grown = realloc(buffer->text, capacity);
    if (!grown) return false;
    buffer->text = grown;
    buffer->capacity = capacity;
    return true;
}

void chl_text_add(chl_text_buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = buffer->failed ? -1 : vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    buffer->failed = length < 0 || !reserve(buffer, (size_t)length + 1);
    if (buffer->failed) return;
    va_start(arguments, format);
    vsnprintf(buffer->text + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
}

chl_status chl_text_done(chl_text_buffer *buffer, const char *what) {
    if (!buffer->text) chl_text_add(buffer, "%s", "");
    if (!buffer->failed) return CHL_OK;
    free(buffer->text);
    *buffer = (chl_text_buffer){0};
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its text", what);
}
