#include "data/captions.h"
#include <stdlib.h>
#include <string.h>

void chl_captions_add(chl_text_buffer *lines, const char *caption) {
    caption += strspn(caption, " \t\r\n");
    if (!*caption) return;
    if (lines->size) chl_text_add(lines, "\n");
    for (size_t length; *caption; caption += length) {
        length = strcspn(caption, "\r\n");
        chl_text_add(lines, "%.*s", (int)length, caption);
        const size_t ends = strspn(caption + length, "\r\n");
        if (ends && caption[length + ends]) chl_text_add(lines, " ");
        length += ends;
    }
}

chl_status chl_captions_of_list(const json_t *list, char **lines) {
    chl_text_buffer all = {0};
    size_t i;
    json_t *value;
    *lines = NULL;
    if (!json_is_array(list)) return CHL_OK;
    json_array_foreach(list, i, value) if (json_is_string(value))
        chl_captions_add(&all, json_string_value(value));
    if (!all.size && !all.failed) return CHL_OK;
    CHL_TRY(chl_text_done(&all, "captions"));
    if (strchr(all.text, '\n'))
        *lines = all.text;
    else
        free(all.text);
    return CHL_OK;
}

const char *chl_captions_next(const char **at, size_t *length) {
    const char *one = *at;
    if (!one) return NULL;
    *length = strcspn(one, "\n");
    *at = one[*length] ? one + *length + 1 : NULL;
    return one;
}
