/* Python's pickle, read as data. A pickle is a program for a small stack machine; this machine
 * knows its opcodes but calls nothing: classes stay names, and "call f(arguments)" or "make an
 * object of this class with this state" become records of exactly that. What a record means is
 * decided by whoever walks the tree. Names that only serve to run code (os.system, builtins.exec,
 * ...) are refused outright.
 *
 * Memory grows at most in proportion to the bytes read. Texts and byte strings point into the
 * input, which must outlive the tree. Shared and cyclic references are kept, so walkers need a
 * limit. */
#ifndef CHL_IO_PICKLE_H
#define CHL_IO_PICKLE_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum chl_pickle_kind {
    CHL_PICKLE_NONE,
    CHL_PICKLE_BOOL,       /* integer */
    CHL_PICKLE_INT,        /* integer */
    CHL_PICKLE_BIG,        /* bytes: a little-endian integer of more than 8 bytes */
    CHL_PICKLE_FLOAT,      /* real */
    CHL_PICKLE_TEXT,       /* bytes, UTF-8 as a rule */
    CHL_PICKLE_BYTES,      /* bytes */
    CHL_PICKLE_TUPLE,      /* list */
    CHL_PICKLE_LIST,       /* list; sets too */
    CHL_PICKLE_DICT,       /* list: key, value, key, value, ...; collections.OrderedDict too */
    CHL_PICKLE_GLOBAL,     /* global: the name of a class or function */
    CHL_PICKLE_OBJECT,     /* object: the result of a call, or an instance */
    CHL_PICKLE_PERSISTENT, /* persistent: a reference to something outside the pickle */
    CHL_PICKLE_STORAGE     /* storage: never made here; a walker notes what it resolved */
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
            chl_pickle_value *state;              /* what BUILD gave, or NULL */
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

typedef struct chl_pickle {
    chl_pickle_value *root;
    chl_pickle_value *persistent; /* the last one in the stream, chained by `next` */
    size_t consumed;              /* bytes up to and including STOP */
    void *arena;
} chl_pickle;

/* Reads one pickle, protocols 0 to 5, from the start of `data`. `name` is for error texts. */
chl_status chl_pickle_read(const uint8_t *data, size_t size, const char *name, chl_pickle *out);
void chl_pickle_free(chl_pickle *pickle);

bool chl_pickle_is_text(const chl_pickle_value *value, const char *text);
/* `name` NULL: any name of that module. */
bool chl_pickle_is_global(const chl_pickle_value *value, const char *module, const char *name);
/* The value under a text key of a DICT (the last one, as in Python), else NULL. */
chl_pickle_value *chl_pickle_get(const chl_pickle_value *dict, const char *key);
/* Argument `index` of an OBJECT, else NULL. */
chl_pickle_value *chl_pickle_argument(const chl_pickle_value *object, int64_t index);
#endif
