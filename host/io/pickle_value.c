#include "io/pickle_value.h"
#include <string.h>

static bool text_is(chl_pickle_text text, const char *wanted) {
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

bool chl_pickle_is_text(const chl_pickle_value *value, const char *text) {
    return value && value->kind == CHL_PICKLE_TEXT && text_is(value->bytes, text);
}

bool chl_pickle_is_global(const chl_pickle_value *value, const char *module, const char *name) {
    return value && value->kind == CHL_PICKLE_GLOBAL && text_is(value->global.module, module) &&
           (!name || text_is(value->global.name, name));
}

chl_pickle_value *chl_pickle_get(const chl_pickle_value *dict, const char *key) {
    if (!dict || dict->kind != CHL_PICKLE_DICT) return NULL;
    for (int64_t i = dict->list.count - 2; i >= 0; i -= 2)
        if (chl_pickle_is_text(dict->list.item[i], key)) return dict->list.item[i + 1];
    return NULL;
}

chl_pickle_value *chl_pickle_argument(const chl_pickle_value *object, int64_t index) {
    if (!object || object->kind != CHL_PICKLE_OBJECT) return NULL;
    const chl_pickle_value *arguments = object->object.arguments;
    return index < arguments->list.count ? arguments->list.item[index] : NULL;
}
