/* Seconds of kernels from many starts of one program, or of two in turns.
 *
 * Each start is a process that times a kernel when it is asked to (--serve). With two programs, one
 * process of each lives at a time and they are asked in turns, so that what disturbs the machine
 * disturbs both; of the two one sleeps. A start's figure is the median of its runs. */
#ifndef CHL_BENCH_KERNEL_STARTS_H
#define CHL_BENCH_KERNEL_STARTS_H
#include "kernels.h"

/* Starts program[0], and program[1] unless that is NULL, `command->starts` times each with
 * `arguments`, a NULL-terminated vector; command->runs_per_start timed runs per kernel and start.
 * CHL_ERR_ARGUMENT for too few starts to bound an interval for so many kernels. Free *out in any
 * case. */
chl_status kernel_starts_measure(const kernel_command *command, const char *const program[2],
                                 char **arguments, kernel_starts *out);
/* The name of the program that runs, for program[]. */
#define KERNEL_THIS_PROGRAM "/proc/self/exe"
void kernel_starts_free(kernel_starts *starts);
/* The process that is asked: "run N" is answered with the seconds of N runs, kernel by kernel. */
chl_status kernel_serve(const kernel_command *command, const kernel_settings *settings);
#endif
