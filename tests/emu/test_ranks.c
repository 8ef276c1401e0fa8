/* Training on several ranks with an emulated GPU each: the CUDA bodies, their queues and captures, and
 * the door to NCCL with a library of the same functions behind it. The ranks are threads.
 *
 *     emu_ranks              20 steps of one to four ranks
 *     emu_ranks --short      2 steps of one and two, for sanitizers */
#include "backend_emu.h"
#include "models/model.h"
#include "runtime/open.h"
#include "train/shared_runs.h"
#include <stdlib.h>

static int steps = RUN, most = MOST;

static chl_status run_on_emulated_gpu(const chl_training *training,
                                      const chl_train_options *options) {
    chl_device *gpu = chl_emu_open();
    const chl_model_place place = {.device = gpu, .precision = CHL_F32};
    const chl_status status = chl_trainer_run_at(training, options, &place);
    chl_device_close(gpu);
    return status;
}

/* Small buckets, so that sums over the ranks run beside the backward pass. Two ranks compute theirs
 * in micro-batches. */
static char *train(const char *name, int ranks) {
    chl_train_options options = audio_options(NULL);
    options.steps = steps;
    options.sizes = "patch=56,embed=16,depths=1,heads=2,window=4";
    options.bucket = 1 << 14;
    options.micro_batch = ranks == 2 ? GLOBAL / 4 : 0;
    return train_on(name, &chl_training_audio, options, ranks);
}

static void assert_met_by_nccl(const char *run) {
    size_t size;
    char *log = get_file(run, "log.txt", &size);
    assert_non_null(log);
    if (!strstr(log, "(nccl)")) fail_msg("the ranks did not meet by NCCL: %s", log);
    free(log);
}

static void emulated_gpus_compute_what_one_computes(void **state) {
    (void)state;
    char *whole = train("one", 1), name[32];
    for (int ranks = 2; ranks <= most; ranks++) {
        snprintf(name, sizeof name, "ranks-%d", ranks);
        char *shared = train(name, ranks);
        assert_met_by_nccl(shared);
        compare(whole, shared, ranks);
        free(shared);
    }
    free(whole);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--short") == 0) {
        steps = 2;
        most = 2;
    }
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    run_rank = run_on_emulated_gpu;
    const struct CMUnitTest tests[] = {cmocka_unit_test(emulated_gpus_compute_what_one_computes)};
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
