/* A run that was stopped, killed or cancelled goes on as if it never had been, and nothing that
 * goes wrong costs it anything. */
#include "toy.h"
#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In place of the C library's: a file system without locks answers as Lustre does. */
static int no_lock;
int flock(int file, int operation) {
    if (!no_lock) return (int)syscall(SYS_flock, file, operation);
    errno = no_lock;
    return -1;
}

static chl_train_options by_sgd(chl_train_options options) {
    options.optimizer = "sgd";
    options.momentum = 0.75f;
    options.schedule = "triangle";
    options.lowest_rate = 0.01f;
    return options;
}

/* In four parts as in one, with these options. */
static void train_in_parts(const place *p, chl_train_options options) {
    char *whole = in_folder(p->root, "whole"), *out = in_folder(p->root, "parts");
    options.out = whole;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    options.out = out;
    options.resume = 1; /* without a checkpoint: from the start */
    for (int64_t stop = 7; stop <= 27; stop += 10) {
        options.stop_after = stop;
        assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    }
    assert_same_run(whole, out);
    /* nothing is left to do, and nothing is done */
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    free(whole);
    free(out);
}

static void stopped_and_resumed_is_never_stopped(void **state) {
    train_in_parts(*state, toy_options(*state, NULL));
}

static void stopped_and_resumed_by_sgd_is_never_stopped(void **state) {
    const place *p = *state;
    train_in_parts(p, by_sgd(toy_options(p, NULL)));
    assert_true(seen.momentum == 0.75f);
    assert_true(seen.of_body.decay == 0.125f && seen.of_body.scale == 1);
    assert_true(seen.of_head.scale == 0.5f && seen.of_bias.decay == 0);
}

/* What a kill leaves behind: the folder is copied in the middle of a run. */
typedef struct kill_job {
    const char *from, *to;
} kill_job;

/* Text before and after what is in stats.jsonl. */
static void put_around(const char *folder, const char *before, const char *after) {
    size_t size;
    char *text = get_file(folder, "stats.jsonl", &size), *all;
    assert_true(asprintf(&all, "%s%s%s", before, text, after) > 0);
    put_file(folder, "stats.jsonl", all, strlen(all));
    free(text);
    free(all);
}

static int kill_at_8(void *user, const chl_train_progress *progress) {
    const kill_job *job = user;
    if (progress->step != 8) return 0; /* the last checkpoint is of step 5 */
    static const char *const files[] = {"checkpoint.safetensors", "model.safetensors",
                                        "options.json", "stats.jsonl"};
    mkdir(job->to, 0777);
    for (int i = 0; i < 4; i++) copy_file(job->from, job->to, files[i]);
    put_around(job->to, "no line of ours\n", "{\"step\":9,\"loss\":0.2");
    put_file(job->to, "checkpoint.safetensors.99-0.tmp", "half", 4);
    return 0;
}

static void killed_and_resumed_is_never_stopped(void **state) {
    const place *p = *state;
    char *whole = in_folder(p->root, "whole"), *out = in_folder(p->root, "killed");
    kill_job job = {whole, out};
    chl_train_options options = toy_options(p, whole);
    options.progress = kill_at_8;
    options.user = &job;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    options = toy_options(p, out);
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    char *half = in_folder(out, "checkpoint.safetensors.99-0.tmp");
    assert_int_not_equal(access(half, F_OK), 0);
    free(half);
    free(whole);
    free(out);
}

static int cancel_at_6(void *user, const chl_train_progress *progress) {
    int *calls = user;
    ++*calls;
    assert_int_equal(progress->steps, STEPS);
    assert_true(progress->seconds_left >= 0 && isfinite(progress->loss));
    return progress->step == 6;
}

static void cancelled_run_keeps_its_last_step(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "cancelled");
    chl_train_options options = toy_options(p, out);
    int calls = 0;
    options.progress = cancel_at_6;
    options.user = &calls;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_CANCELLED);
    assert_int_equal(calls, 6);
    options.progress = NULL;
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    free(whole);
    free(out);
}

/* --- the files of a run folder are one whole ---------------------------------------------------
 */
static const char *const files_of_a_run[] = {"model.safetensors", "words.txt", "options.json"};

/* Damages one file of a complete run in all ways that a crash or a hand may: absent, empty, cut,
 * another. Resuming has nothing to train, and makes the folder whole again. */
static void resuming_repairs_every_file(void **state) {
    const place *p = *state;
    seen.text = "these words decide\nthe network \xc3\xa9\n";
    char *whole = whole_run(p, "whole"), *out = whole_run(p, "out");
    chl_train_options options = toy_options(p, out);
    options.resume = 1;
    for (size_t i = 0; i < sizeof files_of_a_run / sizeof *files_of_a_run; i++) {
        const char *name = files_of_a_run[i];
        size_t size, now;
        char *good = get_file(out, name, &size), *path = in_folder(out, name);
        for (int way = 0; way < 4; way++) {
            unlink(path);
            if (way > 0) put_file(out, name, good, way == 1 ? 0 : size - (way == 2));
            if (way == 3) put_file(out, name, "x", 1);
            seen.text = "other words\n"; /* what is made now must not replace what the run has */
            assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
            char *again = get_file(out, name, &now);
            assert_int_equal(now, size);
            assert_memory_equal(again, good, size);
            free(again);
            assert_same_run(whole, out);
        }
        free(good);
        free(path);
    }
    free(whole);
    free(out);
}

/* A kill between the model and its checkpoint: the model is newer. */
static void newer_model_is_replaced_by_the_checkpoints(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *early = in_folder(p->root, "early");
    chl_train_options options = toy_options(p, early);
    options.stop_after = 5;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    char *out = in_folder(p->root, "out");
    mkdir(out, 0777);
    copy_file(early, out, "checkpoint.safetensors");
    copy_file(early, out, "stats.jsonl");
    copy_file(whole, out, "model.safetensors");
    options.out = out;
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_true(same_file(early, out, "model.safetensors"));
    options.stop_after = 0;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    free(whole);
    free(early);
    free(out);
}

/* Before the first checkpoint a text of the folder means nothing: it is made again. */
static void text_without_checkpoint_is_made_again(void **state) {
    const place *p = *state;
    seen.text = "right words\n";
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "out");
    mkdir(out, 0777);
    put_file(out, "words.txt", "right", 5);
    chl_train_options options = toy_options(p, out);
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    assert_true(same_file(whole, out, "words.txt"));
    free(whole);
    free(out);
}

/* Line 4 is lost, line 6 is damaged: the others up to the checkpoint's step stay. */
static void gap_in_the_log_costs_no_other_line(void **state) {
    const place *p = *state;
    chl_train_options options = toy_options(p, NULL);
    char *out = in_folder(p->root, "out");
    options.out = out;
    options.stop_after = 10;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    size_t size;
    char *text = get_file(out, "stats.jsonl", &size), *kept = calloc(1, size + 1), *at = text;
    for (int line = 1; line <= 10; line++) {
        const size_t length = (size_t)(strchr(at, '\n') + 1 - at);
        if (line == 6) at[0] = '#';
        if (line != 4) strncat(kept, at, length);
        at += length;
    }
    put_file(out, "stats.jsonl", kept, strlen(kept));
    options.stop_after = 11;
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    static const int expected[] = {1, 2, 3, 5, 7, 8, 9, 10, 11};
    for (int i = 0; i < 9; i++) {
        json_t *line = stats_line(out, i + 1);
        assert_int_equal(json_integer_value(json_object_get(line, "step")), expected[i]);
        json_decref(line);
    }
    assert_null(stats_line(out, 10));
    free(kept);
    free(text);
    free(out);
}

/* Runs with `options` on a copy of a stopped run: refused, naming `what`, and nothing has changed.
 */
static void assert_refused(const place *p, const char *base, chl_train_options options,
                           chl_status code, const char *what) {
    static const char *const files[] = {"checkpoint.safetensors", "model.safetensors",
                                        "options.json", "stats.jsonl"};
    char *out = in_folder(p->root, "copy");
    mkdir(out, 0777);
    for (int i = 0; i < 4; i++) copy_file(base, out, files[i]);
    options.out = out;
    assert_int_equal(chl_trainer_run(&toy_training, &options), code);
    if (!strstr(chl_error(), what)) fail_msg("\"%s\" is not in: %s", what, chl_error());
    for (int i = 0; i < 4; i++) assert_true(same_file(base, out, files[i]));
    remove_folder(out);
    free(out);
}

static char *stopped_run(const place *p, chl_train_options *options) {
    char *out = in_folder(p->root, "stopped");
    *options = toy_options(p, out);
    options->stop_after = 7;
    assert_int_equal(chl_trainer_run(&toy_training, options), CHL_OK);
    options->stop_after = 0;
    options->resume = 1;
    return out;
}

static void other_options_are_refused(void **state) {
    const place *p = *state;
    chl_train_options right, wrong;
    char *out = stopped_run(p, &right);
#define REFUSED(field, value, what)                                                                \
    do {                                                                                           \
        wrong = right;                                                                             \
        wrong.field = value;                                                                       \
        assert_refused(p, out, wrong, CHL_ERR_ARGUMENT, what);                                     \
    } while (0)
    REFUSED(resume, 0, "resume");
    REFUSED(batch, 5, "batch 4");
    REFUSED(steps, 30, "steps 20");
    REFUSED(rate, 0.0500001f, "rate");
    REFUSED(seed, 4, "seed 3");
    REFUSED(average, 0, "average");
    REFUSED(sizes, "hidden=9", "sizes");
    REFUSED(optimizer, "sgd", "optimizer unset, got \"sgd\"");
    REFUSED(schedule, "triangle", "schedule unset");
    REFUSED(lowest_rate, 0.01f, "lowest_rate unset, got 0.01");
    REFUSED(start, CHLADNI_FIXTURES "/text/merges.txt", "start");
    char *other = in_folder(p->root, "other");
    mkdir(other, 0777);
    write_data(other, 2);
    REFUSED(data, other, "data");
    /* the same samples under another path are the same data; and what does not decide may change */
    write_data(other, 1);
    right.data = other;
    right.save_every = 3;
    assert_int_equal(chl_trainer_run(&toy_training, &right), CHL_OK);
    free(other);
    free(out);
}

/* Earlier versions took options that a training does not read, and wrote them down. */
static void what_a_training_does_not_read_does_not_bind_it(void **state) {
    const place *p = *state;
    chl_training once = toy_training;
    once.reads = CHL_READS_OPTIMISER "sizes tau_weak_pair weight_text vocab";
    char *out = in_folder(p->root, "bound"), *free_of_it = whole_run(p, "free");
    chl_train_options options = toy_options(p, out);
    options.weight_text = 3;
    options.vocab = CHLADNI_FIXTURES "/text/merges.txt";
    options.stop_after = 5;
    assert_int_equal(chl_trainer_run(&once, &options), CHL_OK);
    options.stop_after = 0;
    options.resume = 1;
    assert_refused(p, out, options, CHL_ERR_ARGUMENT,
                   "training toy: vocab must be left out: this training does not use it, got ");
    options.vocab = NULL;
    assert_refused(p, out, options, CHL_ERR_ARGUMENT, "weight_text must be left out");
    options.weight_text = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_true(same_file(out, free_of_it, "model.safetensors"));
    free(free_of_it);
    free(out);
}

static void damaged_checkpoint_loses_nothing(void **state) {
    const place *p = *state;
    chl_train_options options;
    char *out = stopped_run(p, &options);
    size_t size;
    char *good = get_file(out, "checkpoint.safetensors", &size);
    char *bad = malloc(size);
    const size_t spots[] = {size - 1, size / 2, size / 4 * 3};
    for (size_t i = 0; i < 3; i++) {
        memcpy(bad, good, size);
        bad[spots[i]] ^= 4;
        put_file(out, "checkpoint.safetensors", bad, size);
        assert_refused(p, out, options, CHL_ERR_FORMAT, "checkpoint.safetensors");
    }
    for (size_t cut = 0; cut < size; cut += size / 4 + 1) {
        put_file(out, "checkpoint.safetensors", good, cut);
        assert_refused(p, out, options, CHL_ERR_FORMAT, "checkpoint.safetensors");
    }
    put_file(out, "checkpoint.safetensors", good, size);
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    free(good);
    free(bad);
    free(out);
}

static bool is_there(const char *folder, const char *file) {
    char *path = in_folder(folder, file);
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* Of steps 5, 10, 15, 20 the last two or three are kept; each is the checkpoint of a run that was
 * stopped there. */
static void the_last_checkpoints_are_kept(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "three");
    assert_true(is_there(whole, "checkpoint-15.safetensors"));
    assert_false(is_there(whole, "checkpoint-10.safetensors"));
    chl_train_options options = toy_options(p, out);
    options.keep = 3;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    assert_true(same_file(whole, out, "checkpoint-15.safetensors"));
    assert_true(is_there(out, "checkpoint-10.safetensors"));
    assert_false(is_there(out, "checkpoint-5.safetensors"));
    char *stopped = in_folder(p->root, "stopped-at-10");
    options = toy_options(p, stopped);
    options.stop_after = 10;
    options.keep = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_false(is_there(stopped, "checkpoint-5.safetensors"));
    size_t size, other;
    char *a = get_file(stopped, "checkpoint.safetensors", &size);
    char *b = get_file(out, "checkpoint-10.safetensors", &other);
    assert_int_equal(size, other);
    assert_memory_equal(a, b, size);
    options.keep = -1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "keep must be >= 0, got -1"));
    free(a);
    free(b);
    free(stopped);
    free(whole);
    free(out);
}

/* The newest is cut, changed, or missing; so is the one before it in the last round. */
static void a_damaged_checkpoint_costs_its_steps_alone(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole");
    for (int way = 0; way < 4; way++) {
        char *out = in_folder(p->root, way == 3   ? "twice"
                                       : way == 2 ? "gone"
                                       : way      ? "bit"
                                                  : "cut");
        chl_train_options options = toy_options(p, out);
        options.keep = 3;
        options.stop_after = 15;
        assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
        size_t size;
        char *newest = get_file(out, "checkpoint.safetensors", &size);
        newest[size / 2] ^= 4;
        if (way == 2) {
            char *path = in_folder(out, "checkpoint.safetensors");
            unlink(path);
            free(path);
        } else {
            put_file(out, "checkpoint.safetensors", newest, way == 0 ? size / 3 : size);
        }
        if (way == 3) put_file(out, "checkpoint-10.safetensors", newest, size);
        free(newest);
        options.stop_after = 0;
        options.resume = 1;
        assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
        assert_same_run(whole, out);
        char *log = get_file(out, "log.txt", &size);
        assert_non_null(strstr(log, way == 3 ? "goes on from the checkpoint of step 5"
                                             : "goes on from the checkpoint of step 10"));
        free(log);
        free(out);
    }
    free(whole);
}

/* One byte of the header, which names the arrays, their shapes and the run. */
static void a_damaged_header_costs_its_steps_alone(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "out");
    chl_train_options options = toy_options(p, out);
    options.stop_after = 10;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    options.resume = 1;
    size_t size, ignored;
    char *good = get_file(out, "checkpoint.safetensors", &size), *bad = malloc(size);
    const size_t header = 8 + (size_t)(uint8_t)good[0] + 256 * (size_t)(uint8_t)good[1];
    const char *run = NULL, *type = memmem(good, header, "\"F32\"", 5);
    for (size_t i = header; i + 7 < size && !run; i++)
        if (memcmp(good + i, "\"step\":", 7) == 0) run = good + i;
    assert_true(run && type);
    const size_t behind = size - (size_t)(run - good);
    const size_t spots[] = {
        12,                                                                    /* a name */
        (size_t)(type - good) + 1,                                             /* F32 -> I32 */
        (size_t)((char *)memmem(good, header, "[8", 2) - good) + 1,            /* a shape */
        (size_t)((char *)memmem(good, header, "[0,", 3) - good) + 1,           /* an offset */
        (size_t)(run - good) + 7,                                              /* the step */
        (size_t)((char *)memmem(run, behind, "\"threads\":", 10) - good) + 10, /* the machine */
        (size_t)((char *)memmem(run, behind, "\"seed\":", 7) - good) + 7,      /* the options */
        (size_t)((char *)memmem(run, behind, "\"header\":\"", 10) - good) + 10};
    for (size_t i = 0; i < sizeof spots / sizeof *spots; i++) {
        memcpy(bad, good, size);
        bad[spots[i]] = i == 1 ? 'I' : (char)(bad[spots[i]] ^ 1);
        put_file(out, "checkpoint.safetensors", bad, size);
        put_file(out, "log.txt", "", 0);
        assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
        char *log = get_file(out, "log.txt", &ignored);
        if (!strstr(log, "goes on from the checkpoint of step 5"))
            fail_msg("byte %zu: %s", spots[i], log);
        free(log);
        char *again = get_file(out, "checkpoint.safetensors", &ignored);
        assert_memory_equal(again, good, size);
        free(again);
    }
    /* an older version's has no such key: its other digest counts */
    memcpy(bad, good, size);
    ((char *)memmem(bad, size, "\"header\":\"", 10))[1] = 'H';
    put_file(out, "checkpoint.safetensors", bad, size);
    put_file(out, "log.txt", "", 0);
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    char *log = get_file(out, "log.txt", &ignored);
    assert_null(strstr(log, "goes on from the checkpoint of step"));
    free(log);
    free(bad);
    free(good);
    free(out);
}

static void loss_that_is_no_number_ends_the_run(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "nan");
    char *early = in_folder(p->root, "early");
    chl_train_options options = toy_options(p, out);
    seen.nan_at = 13;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "\"fit\""));
    assert_non_null(strstr(chl_error(), " is nan at step 13; the checkpoint of step 10 is kept"));
    assert_null(stats_line(out, 13));
    seen.nan_at = 5;
    options.out = early;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "at step 5; nothing is saved so far: begin again with"));
    options.out = out;
    seen.nan_at = 0;
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    free(whole);
    free(early);
    free(out);
}

static void file_system_without_locks_is_warned_of(void **state) {
    const place *p = *state;
    size_t size;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "unlocked");
    const chl_train_options options = toy_options(p, out);
    no_lock = EIO;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "cannot be locked: Input/output error"));
    no_lock = ENOSYS;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    no_lock = 0;
    assert_same_run(whole, out);
    char *log = get_file(out, "log.txt", &size);
    assert_non_null(strstr(log, "warning: "));
    assert_non_null(strstr(log, "has no locks (Function not implemented)"));
    free(log);
    free(whole);
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stopped_and_resumed_is_never_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_and_resumed_by_sgd_is_never_stopped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(killed_and_resumed_is_never_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_run_keeps_its_last_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_options_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_training_does_not_read_does_not_bind_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damaged_checkpoint_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_checkpoints_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_checkpoint_costs_its_steps_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_header_costs_its_steps_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loss_that_is_no_number_ends_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resuming_repairs_every_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newer_model_is_replaced_by_the_checkpoints, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(text_without_checkpoint_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gap_in_the_log_costs_no_other_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_system_without_locks_is_warned_of, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
