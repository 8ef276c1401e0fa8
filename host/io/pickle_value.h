/* The tree that a pickle is read into (pickle.h), and how to look into it. */
#ifndef CHL_IO_PICKLE_VALUE_H
#define CHL_IO_PICKLE_VALUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum chl_pickle_kind {
    CHL_PICKLE_NONE,
    CHL_PICKLE_BOOL,       /* integer */
    CHL_PICKLE_INT,        /* integer */
    CHL_PICKLE_BIG,        /* bytes: a little-endian integer of more than 8 bytes */
    CHL_PICKLE_FLOAT,      /* real */
    CHL_PICKLE_TEXT,       /* bytes, usually UTF-8 */
    CHL_PICKLE_BYTES,      /* bytes */
    CHL_PICKLE_TUPLE,      /* list */
    CHL_PICKLE_LIST,       /* list; sets too */
    CHL_PICKLE_DICT,       /* list: key, value, key, value, ...; collections.OrderedDict too */
    CHL_PICKLE_GLOBAL,     /* global: the name of a class or function */
    CHL_PICKLE_OBJECT,     /* object: the result of a call, or an instance */
    CHL_PICKLE_PERSISTENT, /* persistent: a reference to something outside the pickle */
    CHL_PICKLE_STORAGE     /* storage: never made here; a walker stores the bytes it found */
} chl_pickle_kind;

typedef struct chl_pickle_text {
    const uint8_t *data;
    size_t size;
} chl_pickle_text;

typedef struct chl_pickle_value chl_pickle_value;
struct chl_pickle_value {
    chl_pickle_kind kind;
    union {
        int64_t integer;
        double real;
        chl_pickle_text bytes;
        struct {
            chl_pickle_value **item;
            int64_t count, capacity;
        } list;
        struct {
            chl_pickle_text module, name;
        } global;
        struct {
            chl_pickle_value *callee, *arguments; /* arguments: TUPLE */
            chl_pickle_value *state;              /* the operand of BUILD, or NULL */
            chl_pickle_value *entries;            /* DICT: items set on a dict-like, or NULL */
        } object;
        struct {
            chl_pickle_value *identity;
            chl_pickle_value *next; /* the one before in the stream, or NULL */
        } persistent;
        struct {
            const uint8_t *data;
            size_t size;
            int element; /* chl_element */
        } storage;
    };
};

bool chl_pickle_is_text(const chl_pickle_value *value, const char *text);
/* `name` NULL: any name of that module. */
bool chl_pickle_is_global(const chl_pickle_value *value, const char *module, const char *name);
/* The value under a text key of a DICT (the last one, as in Python), else NULL. */
chl_pickle_value *chl_pickle_get(const chl_pickle_value *dict, const char *key);
/* Argument `index` of an OBJECT, else NULL. */
chl_pickle_value *chl_pickle_argument(const chl_pickle_value *object, int64_t index);
#endif
