#include "train/sizes.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *known(const chl_size_key *keys, int count, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", keys[i].name);
    return text;
}

static chl_status read_values(const char **at, const chl_size_key *key) {
    const int room = key->room > 1 ? key->room : 1;
    int given = 0;
    for (const char *p = *at;; p++) {
        char *end;
        errno = 0;
        /* strtol accepts blanks and signs */
        long value = isdigit((unsigned char)*p) ? strtol(p, &end, 10) : (end = (char *)p, 0);
        if (end == p || (*end && *end != ',' && *end != '-'))
            return chl_fail(CHL_ERR_ARGUMENT, "sizes: \"%s\" must be a whole number, got \"%.20s\"",
                            key->name, p);
        if (errno || value < key->min || value > key->max)
            return chl_fail(CHL_ERR_ARGUMENT, "sizes: \"%s\" must be %d to %d, got %.*s", key->name,
                            key->min, key->max, (int)(end - p), p);
        if (given == room)
            return chl_fail(CHL_ERR_ARGUMENT, "sizes: \"%s\" must be at most %d numbers", key->name,
                            room);
        key->value[given++] = (int)value;
        p = end;
        if (*p != '-') {
            *at = p;
            if (key->given) *key->given = given;
            return CHL_OK;
        }
    }
}

chl_status chl_sizes_read(const char *text, const chl_size_key *keys, int count) {
    if (!text) return CHL_OK;
    for (const char *at = text; *at; at += *at == ',') {
        size_t length = strcspn(at, "=,");
        const chl_size_key *key = NULL;
        for (int i = 0; i < count && !key; i++)
            if (strlen(keys[i].name) == length && !strncmp(keys[i].name, at, length))
                key = &keys[i];
        char names[256];
        if (!key || at[length] != '=')
            return chl_fail(CHL_ERR_ARGUMENT, "sizes: \"%.*s\" is %s: the keys are %s",
                            (int)strcspn(at, ","), at, key ? "no key=value" : "no known key",
                            known(keys, count, names, sizeof names));
        at += length + 1;
        CHL_TRY(read_values(&at, key));
    }
    return CHL_OK;
}
