#include "base/status.h"
#include <stdio.h>
#include <string.h>

#define ERROR_LENGTH 1024
static _Thread_local char error_text[ERROR_LENGTH];
static chl_log_sink process_sink;
static _Thread_local chl_log_sink thread_sink;

const char *chl_error(void) {
    return error_text;
}

/* in parentheses: no macro of the header's */
chl_status(chl_fail)(chl_status code, const char *format, ...) {
    /* through a second buffer: an argument may be chl_error() itself */
    char text[ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(error_text, text, sizeof text);
    return code;
}

chl_status chl_fail_in(chl_status code, const char *format, ...) {
    char text[ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof text)
        snprintf(text + length, sizeof text - (size_t)length, ": %.900s", error_text);
    memcpy(error_text, text, sizeof text);
    return code;
}

void chl_log_to(chl_log_callback callback, void *user) {
    process_sink = (chl_log_sink){callback, user};
}

chl_log_sink chl_log_divert(chl_log_sink sink) {
    const chl_log_sink before = thread_sink;
    thread_sink = sink;
    return before;
}

chl_status chl_log_restore(chl_log_sink before, chl_status status) {
    thread_sink = before;
    return status;
}

void chl_log(chl_log_level level, const char *format, ...) {
    const chl_log_sink *sink = thread_sink.callback ? &thread_sink : &process_sink;
    if (!sink->callback) return;
    char line[ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    sink->callback(sink->user, level, line);
}
