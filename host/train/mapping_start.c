#include "train/mapping_start.h"
#include "base/random.h"
#include "graph/build.h"
#include "nets/random_weights.h"
#include "train/schedule.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 20000
#define BATCH 256
#define PURPOSE_ROWS 0x3A970001u
#define HEAD_RATE 3e-3f
/* The mapping's weights are stored 100 / sqrt(width) times as large as they act (learning rate
 * multiplier 0.01): 3e-3 of what acts is this many times as much of what is stored. */
#define MAPPING_SCALE 300
#define MAX_ARRAYS 64

typedef struct start {
    const chl_dataset *data;
    chl_graph *graph;
    chl_tensor z, wanted, loss;
    bool measured; /* w itself is the prediction */
    chl_tensor weight[MAX_ARRAYS];
    chl_array *array[MAX_ARRAYS];
    int weights, numbers;  /* `numbers` are predicted: attributes, or all of w */
    float *codes, *values; /* one batch; zeros behind the attributes */
} start;

static chl_status list_weights(start *s, chl_net *net) {
    for (int64_t i = 0; i < net->params->count; i++) {
        chl_array *array = &net->params->array[i];
        if (strncmp(array->name, "mapping.fc", 10) != 0) continue;
        if (s->weights == MAX_ARRAYS)
            return chl_fail(CHL_ERR_UNSUPPORTED, "a mapping network must have at most %d arrays",
                            MAX_ARRAYS);
        s->array[s->weights] = array;
        s->weight[s->weights++] = chl_weight(net, "%s", array->name);
    }
    return CHL_OK;
}

/* The prediction of the attributes: w itself, or a linear layer after it that is discarded. */
static chl_status build(start *s, chl_net *net, chl_net *head, const chl_stylegan2_config *config) {
    const chl_adam_settings slow = {.beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .rate_scale = 1};
    chl_adam_settings fast = slow;
    fast.rate_scale = MAPPING_SCALE;
    chl_graph *g = s->graph;
    s->z = chl_input(g, "z", chl_f32(2, BATCH, s->data->latent));
    s->wanted = chl_input(g, "attributes", chl_f32(2, BATCH, s->numbers));
    const chl_tensor w = chl_stylegan2_map(net, config, s->z);
    chl_tensor layer[2] = {CHL_NONE, CHL_NONE}, predicted = w;
    if (!s->measured) {
        layer[0] = chl_weight(head, "weight");
        layer[1] = chl_weight(head, "bias");
        predicted = chl_linear(g, w, layer[0], layer[1]);
    }
    s->loss = chl_keep(g, chl_mean(g, chl_pixel_loss(g, predicted, s->wanted, CHL_PIXEL_L2)));
    CHL_TRY(list_weights(s, net));
    chl_tensor wrt[MAX_ARRAYS + 2], gradient[MAX_ARRAYS + 2];
    memcpy(wrt, s->weight, sizeof s->weight);
    memcpy(wrt + s->weights, layer, sizeof layer);
    const int all = s->weights + (s->measured ? 0 : 2);
    chl_grad(g, s->loss, all, wrt, gradient);
    for (int i = 0; i < all; i++) chl_adam(g, wrt[i], gradient[i], i < s->weights ? &fast : &slow);
    return chl_compile(g);
}

static chl_status one_step(start *s, uint64_t seed, int64_t index) {
    const size_t latent = (size_t)s->data->latent, attribute = (size_t)s->data->attribute;
    const size_t numbers = (size_t)s->numbers;
    for (size_t i = 0; i < BATCH; i++) {
        const chl_philox random = chl_random(seed, PURPOSE_ROWS, (uint64_t)index, i);
        const size_t row = (size_t)chl_random_below(random.word[0], s->data->count);
        memcpy(s->codes + i * latent, s->data->latents + row * latent, latent * sizeof(float));
        memcpy(s->values + i * numbers, s->data->attributes + row * attribute,
               attribute * sizeof(float));
    }
    CHL_TRY(chl_write(s->graph, s->z, s->codes));
    CHL_TRY(chl_write(s->graph, s->wanted, s->values));
    const chl_schedule schedule = {
        .steps = STEPS, .cycles = 1, .warm_up = 0.05f, .peak = HEAD_RATE};
    const chl_step step = {
        .seed = seed, .index = index, .rate = chl_schedule_rate(&schedule, index)};
    CHL_TRY(chl_set_step(s->graph, step));
    return chl_run(s->graph, CHL_FIRST_SEGMENT);
}

static chl_status run(start *s, uint64_t seed) {
    float first = 0, last = 0;
    for (int64_t i = 0; i < STEPS; i++) {
        CHL_TRY(one_step(s, seed, i));
        if (i == 0) CHL_TRY(chl_read(s->graph, s->loss, &first));
    }
    CHL_TRY(chl_read(s->graph, s->loss, &last));
    for (int i = 0; i < s->weights; i++)
        CHL_TRY(chl_read(s->graph, s->weight[i], s->array[i]->data));
    const double share = (double)s->numbers / s->data->attribute; /* the zeros are easy */
    chl_log(CHL_LOG_INFO, "mapping: predicts %d attributes, mean square error %.4f after %.4f",
            s->data->attribute, share * (double)last, share * (double)first);
    return CHL_OK;
}

/* Numbers of w that hold no attribute become 0 for every z: their rows of the last layer are set to
 * 0. */
static void clear_the_rest(chl_params *params, const chl_stylegan2_config *config, int attributes) {
    const size_t rest = (size_t)(config->w_dim - attributes);
    char name[32];
    snprintf(name, sizeof name, "mapping.fc%d.weight", config->mapping_layers - 1);
    const chl_array *weight = chl_params_find(params, name);
    const size_t in = (size_t)weight->desc.dim[1];
    memset((float *)weight->data + (size_t)attributes * in, 0, rest * in * sizeof(float));
    snprintf(name, sizeof name, "mapping.fc%d.bias", config->mapping_layers - 1);
    memset((float *)chl_params_find(params, name)->data + attributes, 0, rest * sizeof(float));
}

chl_status chl_mapping_start(chl_device *device, const chl_dataset *data,
                             const chl_stylegan2_config *config, uint64_t seed, bool measured,
                             chl_params *params) {
    if (!data->attributes || !data->latents) return CHL_OK;
    if (measured && data->attribute > config->w_dim)
        return chl_fail(
            CHL_ERR_SHAPE,
            "%s/attributes.npy: a row must have at most the %d numbers of w, got %d: set a "
            "larger w in sizes",
            data->folder, config->w_dim, data->attribute);
    start s = {
        .data = data, .measured = measured, .numbers = measured ? config->w_dim : data->attribute};
    chl_params *layer = NULL;
    chl_net net = {.params = params, .kind = CHL_TRAINABLE}, head = net;
    chl_status status;
    CHL_TRY_GOTO(chl_params_new("layer of attributes", &layer));
    head.params = layer;
    CHL_TRY_GOTO(chl_params_add_normal(layer, seed, 0, 0.1f,
                                       chl_f32(2, data->attribute, config->w_dim), "weight"));
    CHL_TRY_GOTO(chl_params_add_normal(layer, seed, 0, 0, chl_f32(1, data->attribute), "bias"));
    s.codes = malloc(sizeof(float) * BATCH * (size_t)data->latent);
    s.values = calloc(BATCH * (size_t)s.numbers, sizeof(float));
    if (!s.codes || !s.values)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for the mapping's start"));
    CHL_TRY_GOTO(chl_graph_new(device, &s.graph));
    net.graph = head.graph = s.graph;
    CHL_TRY_GOTO(build(&s, &net, &head, config));
    CHL_TRY_GOTO(run(&s, seed));
    if (measured) clear_the_rest(params, config, data->attribute);
done:
    chl_net_done(&net);
    chl_net_done(&head);
    chl_graph_free(s.graph);
    chl_params_free(layer);
    free(s.codes);
    free(s.values);
    return status;
}
