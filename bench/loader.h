/* chladni-bench loader: sound files to the pictures that the encoder takes. */
#ifndef CHL_BENCH_LOADER_H
#define CHL_BENCH_LOADER_H
/* The arguments from "loader" on; returns the exit code. */
int bench_loader(int argc, char **argv);
#endif
