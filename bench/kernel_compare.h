/* Two measurements of the same kernels: which became slower, and how sure that is. */
#ifndef CHL_BENCH_KERNEL_COMPARE_H
#define CHL_BENCH_KERNEL_COMPARE_H
#include "kernels.h"

/* chladni-bench kernels --compare OLD NEW: files with figures per start (--starts --json). An exit
 * code: 1 where a kernel became slower or a file is unusable. */
int kernel_compare_files(const char *old_path, const char *new_path, double bound, bool json);
/* The program command->against and this one, in turns, each started with `arguments`, a
 * NULL-terminated vector; an exit code. */
int kernel_compare_programs(const kernel_command *command, char **arguments);
#endif
