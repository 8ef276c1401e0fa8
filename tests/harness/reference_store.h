/* Keeps what the references give between programs. A reference's derivatives take most of an op
 * test's time, and the same cases run in a dozen programs of the checks: on the CPU, on the
 * emulated GPU in float and bf16, under sanitizers, and for every mutant of an op.
 *
 * The environment variable TEST_REFERENCES names the folder; without it nothing is kept. A file's
 * name is a hash of the case, its inputs and the sources of cases, references and harness
 * (REFERENCE_SOURCES, from CMake): a changed reference is computed anew. */
#ifndef CHL_TEST_REFERENCE_STORE_H
#define CHL_TEST_REFERENCE_STORE_H
#include "harness/op_case.h"

typedef struct reference_key {
    uint64_t low, high;
} reference_key;
reference_key reference_key_of(const op_case *op);
void reference_key_add(reference_key *key, const void *bytes, size_t count);
/* Fills all `count` doubles, or returns false and leaves them as they are. */
bool reference_load(const reference_key *key, double *values, size_t count);
/* Another program may write the same file at the same time; one of the equal files stays. */
void reference_save(const reference_key *key, const double *values, size_t count);
#endif
