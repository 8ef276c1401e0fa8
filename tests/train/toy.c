#include "toy.h"
#include "base/random.h"
#include "graph/graph_private.h"
#include "io/npy.h"

#define TRACK 0.9f

/* --- the training ----------------------------------------------------------------------------- */
typedef struct toy {
    chl_tensor x, y;
    float batch[BATCH * LATENT];
} toy;

chl_toy_seen seen;

void fill(chl_params *params, const char *name, chl_desc desc, uint32_t purpose) {
    void *data;
    assert_int_equal(chl_params_add(params, name, desc, &data), CHL_OK);
    for (int64_t i = 0; i < chl_count(&desc); i++)
        ((float *)data)[i] =
            chl_uniform(chl_random(5, purpose, 0, (uint64_t)i).word[0]) - (purpose ? 0.5f : 0);
}

static chl_status make_text(const chl_trainer *t, char **text, size_t *size) {
    (void)t;
    *text = strdup(seen.text);
    *size = strlen(seen.text);
    return CHL_OK;
}

static chl_status toy_build(chl_trainer *t) {
    toy *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    if (seen.text) {
        char *text;
        size_t size;
        CHL_TRY(chl_trainer_text(t, "words.txt", make_text, &text, &size));
        free(text);
    }
    CHL_TRY(chl_params_new("toy", &t->params));
    fill(t->params, "body.weight", chl_f32(2, HIDDEN, LATENT), 1);
    fill(t->params, "body.bias", chl_f32(1, HIDDEN), 2);
    fill(t->params, "body.pos_embed", chl_f32(2, 1, HIDDEN), 3);
    fill(t->params, "head.weight", chl_f32(2, 1, HIDDEN), 4);
    fill(t->params, "spare.weight", chl_f32(2, 1, HIDDEN), 5);
    fill(t->params, "still.weight", chl_f32(2, 1, 1), 0);
    fill(t->params, "running_mean", chl_f32(1, 1), 7);
    fill(t->params, "constant", chl_f32(1, 3), 8);
    chl_graph *g = t->graph;
    chl_net *net = chl_trainer_net(t);
    own->x = chl_input(g, "x", chl_f32(2, BATCH, LATENT));
    own->y = chl_input(g, "y", chl_f32(2, BATCH, 1));
    chl_tensor hidden =
        chl_linear(g, own->x, chl_weight(net, "body.weight"), chl_weight(net, "body.bias"));
    chl_tensor position = chl_weight(net, "body.pos_embed");
    hidden = chl_add_bias(g, hidden, chl_reshape(g, position, chl_f32(1, HIDDEN)));
    hidden = chl_drop_path(g, chl_activate(g, hidden, CHL_GELU, 0), 0.1f, 77);
    chl_tensor y = chl_linear(g, hidden, chl_weight(net, "head.weight"), CHL_NONE);
    y = chl_linear(g, y, chl_weight(net, "still.weight"), chl_weight(net, "running_mean"));
    chl_tensor spare = chl_linear(g, hidden, chl_weight(net, "spare.weight"), CHL_NONE);
    chl_trainer_term(t, "fit", 0.75f, chl_mean(g, chl_pixel_loss(g, y, own->y, CHL_PIXEL_L2)));
    chl_trainer_term(t, "rough", 0.25f, chl_mean(g, chl_pixel_loss(g, y, own->y, CHL_PIXEL_L1)));
    chl_trainer_term(t, "spare", seen.weight_spare,
                     chl_mean(g, chl_pixel_loss(g, spare, own->y, CHL_PIXEL_L2)));
    chl_trainer_rate(t, "head.", 0.5f);
    chl_trainer_rate(t, "still.", 0);
    chl_trainer_track(t, chl_weight(net, "running_mean"), chl_mean(g, own->x), TRACK);
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
    if (index == 0) seen.mean = (double)*(float *)chl_params_find(t->params, "running_mean")->data;
    seen.mean = (double)TRACK * seen.mean + (1 - (double)TRACK) * mean;
    if (seen.nan_at == index + 1) y[1] = NAN;
    CHL_TRY(chl_trainer_write(t, own->x, own->batch));
    return chl_trainer_write(t, own->y, y);
}

static void look_at_updates(const chl_graph *g) {
    seen.has_still = false;
    for (int32_t n = 0; n < g->nodes; n++) {
        const bool sgd = g->node[n].op == CHL_OP_sgd;
        if (!sgd && g->node[n].op != CHL_OP_adam) continue;
        const chl_attributes *attr = &g->node[n].attr;
        const char *name = chl_name_of(g, g->node[n].out[0]);
        const float decay = sgd ? attr->sgd.decay : attr->adam.decay;
        const float scale = sgd ? attr->sgd.rate_scale : attr->adam.rate_scale;
        if (sgd)
            seen.momentum = attr->sgd.momentum;
        else
            assert_true(attr->adam.decoupled);
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
    look_at_updates(t->graph);
    CHL_TRY(chl_trainer_read(t, "body.weight", true, seen.last_average));
    CHL_TRY(chl_trainer_read(t, "running_mean", true, &seen.last_mean));
    CHL_TRY(follow_average(t, t->graph->step->index + 1));
    return chl_trainer_export(t, t->params, out);
}

const chl_training toy_training = {.name = "toy",
                                   .need = CHL_NEED_LATENT,
                                   .reads = CHL_READS_OPTIMISER "sizes tau_weak_pair",
                                   .build = toy_build,
                                   .feed = toy_feed,
                                   .save = toy_save};

/* --- folders ---------------------------------------------------------------------------------- */

void write_data(const char *folder, uint32_t purpose) {
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

int set_up(void **state) {
    place *p = calloc(1, sizeof *p);
    p->root = make_temporary();
    p->data = in_folder(p->root, "data");
    mkdir(p->data, 0777);
    write_data(p->data, 1);
    memset(&seen, 0, sizeof seen);
    *state = p;
    return 0;
}

int tear_down(void **state) {
    place *p = *state;
    remove_folder(p->root);
    free(p->root);
    free(p->data);
    free(p);
    return 0;
}

chl_train_options toy_options(const place *p, const char *out) {
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
                               .seed = 3,
                               .device = "cpu"};
}

char *whole_run(const place *p, const char *name) {
    char *out = in_folder(p->root, name);
    const chl_train_options options = toy_options(p, out);
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    return out;
}

json_t *stats_line(const char *folder, int step) {
    size_t size;
    char *text = get_file(folder, "stats.jsonl", &size), *at = text;
    assert_non_null(text);
    for (int i = 1; i < step && at; i++) at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    json_t *line = NULL;
    if (at && *at) line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
    free(text);
    return line;
}

double loss_of(const char *folder, int step) {
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
        assert_int_equal(json_object_del(x, "waited"), 0);
        assert_int_equal(json_object_del(y, "waited"), 0);
        assert_int_equal(json_object_del(x, "measured"), 0);
        assert_int_equal(json_object_del(y, "measured"), 0);
        assert_true(json_equal(x, y));
        json_decref(x);
        json_decref(y);
    }
    assert_null(stats_line(a, STEPS + 1));
    assert_null(stats_line(b, STEPS + 1));
}

void assert_same_run(const char *a, const char *b) {
    assert_true(same_file(a, b, "model.safetensors"));
    assert_true(same_file(a, b, "checkpoint.safetensors"));
    assert_same_stats(a, b);
}
