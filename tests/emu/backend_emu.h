/* The CUDA kernels run on the CPU, as a backend: for tests only (docs/kernels/README.md). */
#ifndef CHL_BACKEND_EMU_H
#define CHL_BACKEND_EMU_H
#include "runtime/backend.h"
#ifdef __cplusplus
extern "C" {
#endif
/* One device for good, and others, each with its own queues (chl_device_close). How their queues
 * work: emu_queue.h. */
chl_device *chl_device_emu(void);
chl_device *chl_emu_open(void);
/* Queues work that fails. */
void chl_emu_queue_fault(chl_queue *queue);
/* Work of a library that a test puts in a vendor's place, on a call's stream: 0, or what it returns.
 * It may be captured and run often; `data` is released when it will not run again. */
int chl_emu_enqueue(void *stream, int (*work)(void *data), void *data, void (*release)(void *data));
/* From here on threads run in another order and copies land earlier or later; its name. Way 0 is
 * how it is without an environment. */
#define CHL_EMU_WAYS 6
const char *chl_emu_way(int way);
/* From here on launches are checked against the limits of this GPU (80, 86, 90 ...) and not run:
 * what they would write is whatever lay there. Paths are chosen as on that GPU. */
void chl_emu_rehearse(int sm);
/* How many launches have run, those of replayed steps included, without the vendor's libraries. */
int64_t chl_emu_launches(void);
#ifdef __cplusplus
}
#endif
#endif
