/* The training of the demo's judge, which chl_demo_register makes known to chl_train. */
#ifndef CHL_DEMO_TRAIN_JUDGE_H
#define CHL_DEMO_TRAIN_JUDGE_H
#include "train/trainer.h"

extern const chl_training chl_training_judge;
#endif
