/* What this process has finished, counted where another process can read it: so a rank that computes
 * for long is told from one that hangs in a loop. */
#ifndef CHL_BASE_PROGRESS_H
#define CHL_BASE_PROGRESS_H
#include <stdatomic.h>
#include <stdint.h>

/* A call of an op, a sample that is ready: whatever takes seconds at most. Any thread. */
void chl_progress_add(void);
/* How many so far. It stays for as long as the process. */
const _Atomic uint64_t *chl_progress_count(void);
/* From now on they are also counted in *count, which must stay until chl_progress_unshare. */
void chl_progress_share(_Atomic uint64_t *count);
/* Nothing is counted in *count any more. */
void chl_progress_unshare(const _Atomic uint64_t *count);
#endif
