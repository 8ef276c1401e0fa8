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
#include "io/pickle_value.h"

typedef struct chl_pickle {
    chl_pickle_value *root;
    chl_pickle_value *persistent; /* the last one in the stream, chained by `next` */
    size_t consumed;              /* bytes up to and including STOP */
    void *arena;
} chl_pickle;

/* Reads one pickle, protocols 0 to 5, from the start of `data`. `name` is for error texts. */
chl_status chl_pickle_read(const uint8_t *data, size_t size, const char *name, chl_pickle *out);
void chl_pickle_free(chl_pickle *pickle);
#endif
