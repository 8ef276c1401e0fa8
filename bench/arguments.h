/* What chladni-bench's commands read from their command lines. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H
#include <stdio.h>

#define BENCH_MOST (1L << 20) /* of a number without a bound of its own */

/* A flag's whole number from min to max, or an exit. */
long bench_number(const char *text, const char *flag, long min, long max);
/* How to call the command, on stderr, and an exit. */
_Noreturn void bench_misused(void (*usage)(FILE *to));
#endif
