/* Python's pickle, protocols 0 to 5, read as data and never executed.
 *
 * A pickle is a program for a small stack machine: opcodes push values, collect them into
 * containers, look classes up by name, and call them. In Python, loading one therefore runs
 * whatever it says; that is how a checkpoint can carry a virus. This machine has the opcodes but no
 * functions to call: a class stays its name (GLOBAL), and a call stays a record of what would be
 * called with which arguments (OBJECT). The code that walks the tree decides what a record means;
 * the only calls it understands are PyTorch's that rebuild a tensor (torch_tensor.c). Names that
 * serve no other purpose than running code (os.system, builtins.exec, ...) are an error, so that
 * such a file is reported.
 *
 *     pickle of {"w": f(1)}, protocol 2      tree
 *     80 02  }  U 01 w                        DICT
 *     c module\nf\n  K 01  85  R               "w" -> OBJECT callee GLOBAL(module, f)
 *     s  .                                                  arguments TUPLE(INT 1)
 *
 * Guarantees: no read outside the input; memory at most in proportion to the bytes read; no
 * recursion. Texts and byte strings point into the input, which must outlive the tree (but those of
 * protocol 2, _codecs.encode(text, "latin1"), which are decoded). Limits:
 * references may be shared or cyclic, so a walker must bound its depth and its number of visits;
 * escapes in protocol 0 strings are not decoded; out-of-band buffers (protocol 5) and extension
 * codes are errors. */
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
