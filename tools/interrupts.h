/* Signals as requests to stop: the program finishes its step, saves, and exits.
 *
 * SIGINT, SIGTERM, SIGHUP, and what batch systems send when a job's time is nearly over (SIGUSR1,
 * SIGUSR2, SIGXCPU) are blocked on every thread and received by a thread of their own. A handler would not do: it would run on the stack of whichever thread was
 * computing, and oneDNN's matrix products keep other data below the stack pointer. SIGPIPE belongs
 * to the thread that writes; it is handled on a stack of its own.
 * A signal that comes more than a second after the first ends the program at once; until then it is
 * the same request, which a batch system sends to every process of a job. A SIGHUP that is ignored at the start (nohup) stays
 * ignored. */
#ifndef CHL_TOOLS_INTERRUPTS_H
#define CHL_TOOLS_INTERRUPTS_H
#include <stdbool.h>

/* Begins to watch. Call it before the first thread is created: threads inherit what is blocked. */
void watch_interrupts(void);
/* True once a signal came. */
bool interrupted(void);
/* 128 + the signal's number, as shells report a signal: 130 for ctrl-C, 143 for SIGTERM. */
int interrupt_code(void);
#endif
