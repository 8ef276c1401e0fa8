/* chladni-bench train: whole steps of a training. */
#ifndef CHL_BENCH_TRAIN_STEPS_H
#define CHL_BENCH_TRAIN_STEPS_H
/* The arguments from "train" on; returns the exit code. */
int bench_train(int argc, char **argv);
#endif
