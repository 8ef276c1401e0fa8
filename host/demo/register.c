#include "demo/train_judge.h"
#include <chladni/demo.h>

chl_status chl_demo_register(void) {
    return chl_train_register(&chl_training_judge);
}
