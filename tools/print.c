#include "print.h"
#include <chladni/status.h>
#include <stdio.h>
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

bool close_text(FILE *stream) {
    const bool whole = ferror(stream) == 0 && fflush(stream) == 0;
    return fclose(stream) == 0 && whole;
}

bool print_quoted(FILE *to, const char *text) {
    char *word = chl_text_quote(text);
    if (!word) return false;
    fputs(word, to);
    free(word);
    return true;
}
