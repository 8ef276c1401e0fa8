#include "train/class_columns.h"
#include <stdlib.h>
#include <string.h>

typedef struct column {
    char *key;
    int *value;
    int64_t count, capacity;
} column;

struct chl_class_columns {
    column *column;
    int count;
};

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for the samples' classes");
}

chl_status chl_class_columns_new(chl_class_columns **out) {
    *out = calloc(1, sizeof **out);
    return *out ? CHL_OK : no_memory();
}

void chl_class_columns_free(chl_class_columns *columns) {
    if (!columns) return;
    for (int i = 0; i < columns->count; i++) {
        free(columns->column[i].key);
        free(columns->column[i].value);
    }
    free(columns->column);
    free(columns);
}

/* The values that the column does not have yet become CHL_CLASS_ABSENT. */
static chl_status extend(column *c, int64_t count) {
    if (count > c->capacity) {
        int64_t capacity = c->capacity ? c->capacity : 1024;
        while (capacity < count) capacity *= 2;
        int *grown = realloc(c->value, (size_t)capacity * sizeof *grown);
        if (!grown) return no_memory();
        c->value = grown;
        c->capacity = capacity;
    }
    while (c->count < count) c->value[c->count++] = CHL_CLASS_ABSENT;
    return CHL_OK;
}

static column *find(const chl_class_columns *columns, const char *key) {
    for (int i = 0; i < columns->count; i++)
        if (strcmp(columns->column[i].key, key) == 0) return &columns->column[i];
    return NULL;
}

static chl_status find_or_add(chl_class_columns *columns, const char *key, column **out) {
    *out = find(columns, key);
    if (*out) return CHL_OK;
    column *grown = realloc(columns->column, ((size_t)columns->count + 1) * sizeof *grown);
    if (!grown) return no_memory();
    columns->column = grown;
    *out = &grown[columns->count];
    **out = (column){.key = strdup(key)};
    if (!(*out)->key) return no_memory();
    columns->count++;
    return CHL_OK;
}

static int class_in(const json_t *value) {
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    return number < 0 || number > INT32_MAX ? CHL_CLASS_INVALID : (int)number;
}

chl_status chl_class_columns_add(chl_class_columns *columns, int64_t index, const json_t *line) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)line, key, value) {
        if (!json_is_number(value)) continue;
        column *c;
        CHL_TRY(find_or_add(columns, key, &c));
        CHL_TRY(extend(c, index + 1));
        c->value[index] = class_in(value);
    }
    return CHL_OK;
}

chl_status chl_class_columns_finish(chl_class_columns *columns, int64_t count) {
    for (int i = 0; i < columns->count; i++) CHL_TRY(extend(&columns->column[i], count));
    return CHL_OK;
}

const int *chl_class_columns_find(const chl_class_columns *columns, const char *key) {
    const column *c = find(columns, key);
    return c ? c->value : NULL;
}
