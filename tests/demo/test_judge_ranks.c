/* Training the judge on several ranks: batch statistics are those of all ranks' samples. */
#include "demo/train_judge.h"
#include "train/shared_runs.h"
#include <stdio.h>
#include <stdlib.h>

static void a_judge_trains_on_ranks(void **state) {
    (void)state;
    const chl_train_options options = options_of(&chl_training_judge, "side=16,widths=8-16");
    char *whole = train_on("judge", &chl_training_judge, options, 1), name[32];
    for (int ranks = 2; ranks <= 3; ranks++) {
        snprintf(name, sizeof name, "judge-%d", ranks);
        char *shared = train_on(name, &chl_training_judge, options, ranks);
        compare(whole, shared, ranks);
        free(shared);
    }
    free(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_judge_trains_on_ranks)};
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
