/* chladni-bench io: readers and writers of files. */
#ifndef CHL_BENCH_FILES_H
#define CHL_BENCH_FILES_H
/* The arguments from "io" on; returns the exit code. */
int bench_io(int argc, char **argv);
#endif
