/* What chladni-bench's commands read from their command lines. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H
#include <stdio.h>

#define BENCH_MOST (1L << 20) /* of a number without a bound of its own */

/* A flag's whole number from min to max, or an exit. */
long bench_number(const char *text, const char *flag, long min, long max);
/* The exit code of a process that ends with `code`: 1 where its output could not be written. */
int bench_finish(int code);
/* How to call the command, on stdout, and an exit. */
_Noreturn void bench_helped(void (*usage)(FILE *to));
/* An exit, where a flag's file has neither the ending nor is a pipe or a device. */
void bench_check_ending(const char *flag, const char *path, const char *ending);
/* How to call the command, on stderr, and an exit. */
_Noreturn void bench_misused(void (*usage)(FILE *to));
#endif
