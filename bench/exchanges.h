/* chladni-bench collectives: exchanges between ranks. */
#ifndef CHL_BENCH_EXCHANGES_H
#define CHL_BENCH_EXCHANGES_H
/* The arguments from "collectives" on; returns the exit code. */
int bench_collectives(int argc, char **argv);
#endif
