#include "print.h"
#include <chladni/status.h>
#include <stdlib.h>

const char *shown(const char *text) {
    static char *kept[SHOWN_AT_ONCE];
    static int next;
    if (!text) return "";
    char **slot = &kept[next];
    next = (next + 1) % SHOWN_AT_ONCE;
    free(*slot);
    *slot = chl_text_escape(text, 1);
    return *slot ? *slot : "(out of memory)";
}

json_t *json_text(const char *text) {
    char *utf8 = chl_text_escape(text, 0);
    json_t *value = utf8 ? json_string(utf8) : NULL;
    free(utf8);
    return value;
}
