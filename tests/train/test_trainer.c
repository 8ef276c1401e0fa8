/* The loop of all trainings, with a small one of its own: two layers that learn a fixed function of
 * the latents. */
#include "core/graph_private.h"
#include "io/npy.h"
#include "io/weights.h"
#include "philox.h"
#include "train/trainer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
/* which needs cmocka's assertions */
#include "train/temporary.h"

enum { SAMPLES = 12, LATENT = 6, HIDDEN = 8, STEPS = 20, BATCH = 4 };
#define AVERAGE 0.99f
#define TRACK 0.9f

/* --- the training ----------------------------------------------------------------------------- */
typedef struct toy {
    chl_params *params;
    chl_tensor x, y;
    float batch[BATCH * LATENT];
} toy;

/* What the tests look at from inside a run. */
static struct {
    int nan_at; /* step whose target is NaN; 0 = never */
    float weight_spare;
    double average[HIDDEN * LATENT], mean; /* followed in double precision */
    int64_t followed;                      /* steps that are in `average` */
    float last_average[HIDDEN * LATENT], last_mean;
    struct {
        float decay, scale;
    } of_body, of_bias, of_position, of_head;
    bool has_still;
} seen;

static void fill(chl_params *params, const char *name, chl_desc desc, uint32_t purpose) {
    void *data;
    assert_int_equal(chl_params_add(params, name, desc, &data), CHL_OK);
    for (int64_t i = 0; i < chl_count(&desc); i++)
        ((float *)data)[i] =
            chl_uniform(chl_random(5, purpose, 0, (uint64_t)i).word[0]) - (purpose ? 0.5f : 0);
}

static chl_status toy_build(chl_trainer *t) {
    toy *own = calloc(1, sizeof *own);
    t->own = own;
    CHL_TRY(chl_params_new("toy", &own->params));
    fill(own->params, "body.weight", chl_f32(2, HIDDEN, LATENT), 1);
    fill(own->params, "body.bias", chl_f32(1, HIDDEN), 2);
    fill(own->params, "body.pos_embed", chl_f32(2, 1, HIDDEN), 3);
    fill(own->params, "head.weight", chl_f32(2, 1, HIDDEN), 4);
    fill(own->params, "spare.weight", chl_f32(2, 1, HIDDEN), 5);
    fill(own->params, "still.weight", chl_f32(2, 1, 1), 0);
    fill(own->params, "running_mean", chl_f32(1, 1), 7);
    fill(own->params, "constant", chl_f32(1, 3), 8);
    chl_graph *g = t->graph;
    chl_net net = chl_trainer_net(t, own->params);
    own->x = chl_input(g, "x", chl_f32(2, BATCH, LATENT));
    own->y = chl_input(g, "y", chl_f32(2, BATCH, 1));
    chl_tensor hidden =
        chl_linear(g, own->x, chl_weight(&net, "body.weight"), chl_weight(&net, "body.bias"));
    chl_tensor position = chl_weight(&net, "body.pos_embed");
    hidden = chl_add_bias(g, hidden, chl_reshape(g, position, chl_f32(1, HIDDEN)));
    hidden = chl_drop_path(g, chl_activate(g, hidden, CHL_GELU, 0), 0.1f, 77);
    chl_tensor y = chl_linear(g, hidden, chl_weight(&net, "head.weight"), CHL_NONE);
    y = chl_linear(g, y, chl_weight(&net, "still.weight"), chl_weight(&net, "running_mean"));
    chl_tensor spare = chl_linear(g, hidden, chl_weight(&net, "spare.weight"), CHL_NONE);
    chl_trainer_term(t, "fit", 0.75f, chl_mean(g, chl_pixel_loss(g, y, own->y, CHL_PIXEL_L2)));
    chl_trainer_term(t, "rough", 0.25f, chl_mean(g, chl_pixel_loss(g, y, own->y, CHL_PIXEL_L1)));
    chl_trainer_term(t, "spare", seen.weight_spare,
                     chl_mean(g, chl_pixel_loss(g, spare, own->y, CHL_PIXEL_L2)));
    chl_trainer_rate(t, "head.", 0.5f);
    chl_trainer_rate(t, "still.", 0);
    chl_trainer_track(t, chl_weight(&net, "running_mean"), chl_mean(g, own->x), TRACK);
    chl_net_done(&net);
    return CHL_OK;
}

/* What the average must be by now: called before step `index`. */
static chl_status follow_average(chl_trainer *t, int64_t index) {
    float now[HIDDEN * LATENT];
    if (index > 0 && index == seen.followed) return CHL_OK; /* saving was first */
    seen.followed = index;
    CHL_TRY(chl_trainer_read(t, "body.weight", false, now));
    const double warm = (double)index / (double)(index + 9); /* of the step before */
    const double decay = warm < (double)AVERAGE ? warm : (double)AVERAGE;
    for (int i = 0; i < HIDDEN * LATENT; i++)
        seen.average[i] =
            index == 0 ? (double)now[i] : decay * seen.average[i] + (1 - decay) * (double)now[i];
    return CHL_OK;
}

static chl_status toy_feed(chl_trainer *t, int64_t index) {
    toy *own = t->own;
    int64_t row[BATCH];
    float y[BATCH];
    CHL_TRY(chl_dataset_batch(t->data, t->options->seed, index, BATCH, row));
    CHL_TRY(follow_average(t, index));
    double mean = 0;
    for (int n = 0; n < BATCH; n++) {
        const float *x = t->data->latents + row[n] * LATENT;
        memcpy(own->batch + n * LATENT, x, LATENT * sizeof(float));
        y[n] = 0.5f * x[0] - x[1] + x[2] * x[3];
        for (int i = 0; i < LATENT; i++) mean += (double)x[i] / (BATCH * LATENT);
    }
    if (index == 0)
        seen.mean = (double)*(float *)chl_params_find(own->params, "running_mean")->data;
    seen.mean = (double)TRACK * seen.mean + (1 - (double)TRACK) * mean;
    if (seen.nan_at == index + 1) y[1] = NAN;
    CHL_TRY(chl_write(t->graph, own->x, own->batch));
    return chl_write(t->graph, own->y, y);
}

static void look_at_updates(const chl_graph *g) {
    seen.has_still = false;
    for (int32_t n = 0; n < g->nodes; n++) {
        if (g->node[n].op != CHL_OP_adam) continue;
        const char *name = chl_name_of(g, g->node[n].out[0]);
        const float decay = g->node[n].attr.adam.decay, scale = g->node[n].attr.adam.rate_scale;
        assert_true(g->node[n].attr.adam.decoupled);
        if (strcmp(name, "body.weight") == 0)
            seen.of_body.decay = decay, seen.of_body.scale = scale;
        if (strcmp(name, "body.bias") == 0) seen.of_bias.decay = decay;
        if (strcmp(name, "body.pos_embed") == 0) seen.of_position.decay = decay;
        if (strcmp(name, "head.weight") == 0)
            seen.of_head.decay = decay, seen.of_head.scale = scale;
        seen.has_still = seen.has_still || strcmp(name, "still.weight") == 0;
    }
}

static chl_status toy_save(chl_trainer *t, chl_params *out) {
    const toy *own = t->own;
    look_at_updates(t->graph);
    CHL_TRY(chl_trainer_read(t, "body.weight", true, seen.last_average));
    CHL_TRY(chl_trainer_read(t, "running_mean", true, &seen.last_mean));
    CHL_TRY(follow_average(t, t->graph->step->index + 1));
    return chl_trainer_export(t, own->params, out);
}

static void toy_release(chl_trainer *t) {
    toy *own = t->own;
    if (own) chl_params_free(own->params);
    free(own);
}

static const chl_training toy_training = {.name = "toy",
                                          .need = CHL_NEED_LATENT,
                                          .build = toy_build,
                                          .feed = toy_feed,
                                          .save = toy_save,
                                          .release = toy_release};

/* --- folders ---------------------------------------------------------------------------------- */
typedef struct place {
    char *root, *data;
} place;

static void write_data(const char *folder, uint32_t purpose) {
    float latents[SAMPLES * LATENT];
    char lines[SAMPLES * 32] = "";
    for (int i = 0; i < SAMPLES * LATENT; i++)
        latents[i] = 2 * chl_uniform(chl_random(1, purpose, 0, (uint64_t)i).word[0]) - 1;
    for (int i = 0; i < SAMPLES; i++) strcat(lines, "{\"label\": \"toy\"}\n");
    char *path = in_folder(folder, "latents.npy");
    const chl_desc desc = chl_f32(2, SAMPLES, LATENT);
    assert_int_equal(chl_npy_write(path, &desc, latents), CHL_OK);
    free(path);
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
}

static int set_up(void **state) {
    place *p = calloc(1, sizeof *p);
    p->root = make_temporary();
    p->data = in_folder(p->root, "data");
    mkdir(p->data, 0777);
    write_data(p->data, 1);
    memset(&seen, 0, sizeof seen);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    place *p = *state;
    remove_folder(p->root);
    free(p->root);
    free(p->data);
    free(p);
    return 0;
}

static chl_train_options toy_options(const place *p, const char *out) {
    return (chl_train_options){.size = sizeof(chl_train_options),
                               .model = "toy",
                               .data = p->data,
                               .out = out,
                               .steps = STEPS,
                               .save_every = 5,
                               .batch = BATCH,
                               .rate = 0.05f,
                               .cycles = 1,
                               .warm_up = 0.1f,
                               .beta1 = 0.9f,
                               .beta2 = 0.99f,
                               .decay = 0.125f,
                               .average = AVERAGE,
                               .seed = 3};
}

/* Runs to the end in a new folder, whose name the caller frees. */
static char *whole_run(const place *p, const char *name) {
    char *out = in_folder(p->root, name);
    const chl_train_options options = toy_options(p, out);
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    return out;
}

/* Line `step` of stats.jsonl, or NULL. */
static json_t *stats_line(const char *folder, int step) {
    size_t size;
    char *text = get_file(folder, "stats.jsonl", &size), *at = text;
    assert_non_null(text);
    for (int i = 1; i < step && at; i++) at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    json_t *line = NULL;
    if (at && *at) line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
    free(text);
    return line;
}

static double loss_of(const char *folder, int step) {
    json_t *line = stats_line(folder, step);
    assert_non_null(line);
    const double loss = json_number_value(json_object_get(line, "loss"));
    json_decref(line);
    return loss;
}

/* Everything but the seconds, which no two runs share. */
static void assert_same_stats(const char *a, const char *b) {
    for (int step = 1; step <= STEPS; step++) {
        json_t *x = stats_line(a, step), *y = stats_line(b, step);
        assert_non_null(x);
        assert_non_null(y);
        assert_int_equal(json_integer_value(json_object_get(x, "step")), step);
        assert_int_equal(json_object_del(x, "seconds"), 0);
        assert_int_equal(json_object_del(y, "seconds"), 0);
        assert_true(json_equal(x, y));
        json_decref(x);
        json_decref(y);
    }
    assert_null(stats_line(a, STEPS + 1));
    assert_null(stats_line(b, STEPS + 1));
}

static void assert_same_run(const char *a, const char *b) {
    assert_true(same_file(a, b, "model.safetensors"));
    assert_true(same_file(a, b, "checkpoint.safetensors"));
    assert_same_stats(a, b);
}

/* --- tests ------------------------------------------------------------------------------------ */
static double mean_loss(const char *folder, int first) {
    double total = 0;
    for (int i = 0; i < 10; i++) total += loss_of(folder, first + i) / 10;
    return total;
}

static void loss_falls_and_files_appear(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "deep/er/run");
    chl_train_options options = toy_options(p, out);
    options.steps = 300;
    options.decay = 0;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    const double first = mean_loss(out, 1), last = mean_loss(out, 291);
    if (last > 0.5 * first) fail_msg("the loss went from %g to %g", first, last);
    json_t *line = stats_line(out, 1), *terms = json_object_get(line, "terms");
    assert_int_equal(json_object_size(terms), 2);
    const double fit = json_number_value(json_object_get(terms, "fit"));
    const double rough = json_number_value(json_object_get(terms, "rough"));
    assert_true(fabs(0.75 * fit + 0.25 * rough - loss_of(out, 1)) < 1e-6);
    json_decref(line);
    size_t size;
    char *noted = get_file(out, "options.json", &size), *log = get_file(out, "log.txt", &size);
    assert_non_null(strstr(noted, "\"batch\": 4"));
    assert_non_null(strstr(log, "saved after step 300"));
    free(noted);
    free(log);
    free(out);
}

static void averages_and_tracked_states_are_right(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "run"), *path = in_folder(out, "model.safetensors");
    chl_params *model;
    assert_int_equal(chl_weights_read(path, &model), CHL_OK);
    const float *saved = chl_params_find(model, "body.weight")->data;
    for (int i = 0; i < HIDDEN * LATENT; i++) {
        assert_true(fabs(seen.average[i] - (double)seen.last_average[i]) < 1e-5);
        assert_true(saved[i] == seen.last_average[i]);
    }
    assert_true(fabs(seen.mean - (double)seen.last_mean) < 1e-6);
    assert_true(*(float *)chl_params_find(model, "running_mean")->data == seen.last_mean);
    assert_non_null(chl_params_find(model, "constant"));
    assert_int_equal(model->count, 8);
    chl_params_free(model);
    free(path);
    free(out);
}

static void weight_decay_and_rates_are_by_name(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "run");
    assert_true(seen.of_body.decay == 0.125f && seen.of_body.scale == 1);
    assert_true(seen.of_head.decay == 0.125f && seen.of_head.scale == 0.5f);
    assert_true(seen.of_bias.decay == 0 && seen.of_position.decay == 0);
    assert_false(seen.has_still);
    free(out);
}

/* spare.weight of the model minus its initial value, largest */
static float spare_moved(const char *out) {
    char *path = in_folder(out, "model.safetensors");
    chl_params *model, *initial;
    assert_int_equal(chl_weights_read(path, &model), CHL_OK);
    assert_int_equal(chl_params_new("initial", &initial), CHL_OK);
    fill(initial, "spare.weight", chl_f32(2, 1, HIDDEN), 5);
    const float *a = chl_params_find(model, "spare.weight")->data;
    const float *b = chl_params_find(initial, "spare.weight")->data;
    float most = 0;
    for (int i = 0; i < HIDDEN; i++) most = fmaxf(most, fabsf(a[i] - b[i]));
    chl_params_free(model);
    chl_params_free(initial);
    free(path);
    return most;
}

static void terms_without_weight_train_nothing(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "without");
    assert_true(spare_moved(out) == 0);
    free(out);
    seen.weight_spare = 1;
    out = whole_run(p, "with");
    assert_true(spare_moved(out) > 0.01f);
    free(out);
}

static void stopped_and_resumed_is_never_stopped(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "parts");
    chl_train_options options = toy_options(p, out);
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
    REFUSED(vocab, __FILE__, "vocab");
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

static void damaged_checkpoint_loses_nothing(void **state) {
    const place *p = *state;
    chl_train_options options;
    char *out = stopped_run(p, &options);
    size_t size;
    char *good = get_file(out, "checkpoint.safetensors", &size);
    char *bad = malloc(size);
    const size_t spots[] = {size - 1, size / 2, size / 3};
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

static void loss_that_is_no_number_ends_the_run(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "nan");
    chl_train_options options = toy_options(p, out);
    seen.nan_at = 13;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "\"fit\""));
    assert_non_null(strstr(chl_error(), "step 13"));
    assert_null(stats_line(out, 13));
    seen.nan_at = 0;
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_same_run(whole, out);
    free(whole);
    free(out);
}

static int run_again(void *user, const chl_train_progress *progress) {
    chl_train_options *options = user;
    if (progress->step != 2) return 0;
    chl_train_options second = *options;
    second.progress = NULL;
    second.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &second), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "another process"));
    return 1;
}

static void folder_belongs_to_one_run(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "run");
    chl_train_options options = toy_options(p, out);
    options.progress = run_again;
    options.user = &options;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_CANCELLED);
    free(out);
}

static void nonsense_is_refused(void **state) {
    const place *p = *state;
    char *out = in_folder(p->root, "run");
    const chl_train_options right = toy_options(p, out);
    chl_train_options wrong;
#define NONSENSE(field, value, what)                                                               \
    do {                                                                                           \
        wrong = right;                                                                             \
        wrong.field = value;                                                                       \
        assert_int_equal(chl_trainer_run(&toy_training, &wrong), CHL_ERR_ARGUMENT);                \
        assert_non_null(strstr(chl_error(), what));                                                \
        assert_int_not_equal(access(out, F_OK), 0);                                                \
    } while (0)
    NONSENSE(size, 8, "size");
    NONSENSE(out, NULL, "out");
    NONSENSE(data, NULL, "data");
    NONSENSE(steps, 0, "steps");
    NONSENSE(batch, 0, "batch");
    NONSENSE(rate, NAN, "rate");
    NONSENSE(beta2, 1, "beta2");
    NONSENSE(average, 1, "average");
    NONSENSE(cycles, 0, "cycles");
    NONSENSE(warm_up, 1, "warm_up");
    assert_int_equal(chl_train_defaults("painter", &wrong), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "painter"));
    wrong = right;
    wrong.batch = BATCH; /* more than the data has */
    write_data(p->data, 1);
    put_file(p->data, "pairs.jsonl", "{}\n", 3);
    assert_int_not_equal(chl_trainer_run(&toy_training, &wrong), CHL_OK);
    assert_non_null(strstr(chl_error(), "latents.npy"));
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loss_falls_and_files_appear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(averages_and_tracked_states_are_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weight_decay_and_rates_are_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(terms_without_weight_train_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_and_resumed_is_never_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_and_resumed_is_never_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_run_keeps_its_last_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_options_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_checkpoint_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loss_that_is_no_number_ends_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_belongs_to_one_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
