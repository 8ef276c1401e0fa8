/* Residual networks in training: the predecessor's sound encoder [Lee et al. 2022, released code],
 * ResNet-18 on the picture that its weights expect, whose order of rows is that of
 * models/audio_encoder_resnet.c, so that what is trained here loads there; and ResNet-50 on the mel
 * picture of 224 x 224. Batch normalisation uses the batch's own statistics;
 * their running averages, of the sounds and not of the augmented views, are what is saved. */
#include "graph/build.h"
#include "nets/resnet18.h"
#include "sound/mel.h"
#include "train/audio_network.h"
#include "train/sizes.h"
#include <math.h>

#define STATISTICS_DECAY                                                                           \
    0.9f                /* PyTorch's momentum of 0.1, with which the predecessor was trained */
#define START_TAU 0.07f /* of both contrastive losses, as with Swin */

static chl_status add_scales(chl_params *params) {
    static const char *const names[] = {"logit_scale_at", "logit_scale_ai"};
    for (int i = 0; i < 2; i++) {
        void *value;
        CHL_TRY(chl_params_add(params, names[i], chl_f32(1, 1), &value));
        *(float *)value = logf(1 / START_TAU);
    }
    return CHL_OK;
}

static chl_status read_sizes(chl_trainer *t, const chl_resnet_config *usual, int rows, void **out) {
    chl_resnet_config *config = *out = chl_trainer_memory(t, 1, sizeof *config);
    CHL_TRY(chl_trainer_memory_status(t));
    *config = *usual;
    config->classes = rows;
    const chl_size_key keys[] = {
        {"width", &config->width, .min = 1, .max = 256},
        {"depths", config->depth, CHL_RESNET_STAGES, NULL, 1, 64},
    };
    return chl_sizes_read(t->options->sizes, keys, 2);
}

static chl_status begin_18(chl_trainer *t, int rows, void **out) {
    const chl_resnet_config usual = chl_resnet18_lee2022();
    CHL_TRY(read_sizes(t, &usual, rows, out));
    CHL_TRY(chl_resnet18_random(*out, t->options->seed, &t->params));
    return add_scales(t->params);
}

static chl_status begin_50(chl_trainer *t, int rows, void **out) {
    const chl_resnet_config usual = chl_resnet50_config();
    CHL_TRY(read_sizes(t, &usual, rows, out));
    CHL_TRY(chl_resnet_random(*out, t->options->seed, &t->params));
    return add_scales(t->params);
}

static void track(void *user, chl_tensor state, chl_tensor x) {
    chl_trainer_track(user, state, x, STATISTICS_DECAY);
}
static void forget(void *user, chl_tensor state, chl_tensor x) {
    (void)user;
    (void)state;
    (void)x;
}

static chl_tensor head_of_18(chl_trainer *t, chl_net *net, void *own, int view, chl_tensor mel) {
    const chl_net_statistics statistics = {view ? forget : track, t};
    net->statistics = &statistics;
    const chl_tensor head = chl_resnet18(net, own, chl_resnet18_picture(t->graph, mel));
    net->statistics = NULL;
    return head;
}

static chl_tensor head_of_50(chl_trainer *t, chl_net *net, void *own, int view, chl_tensor mel) {
    const chl_net_statistics statistics = {view ? forget : track, t};
    net->statistics = &statistics;
    const chl_tensor head = chl_resnet(
        net, own, 1, chl_resize(t->graph, mel, CHL_FILTER_BILINEAR, CHL_MEL_SIDE, CHL_MEL_SIDE));
    net->statistics = NULL;
    return head;
}

const chl_audio_network chl_audio_network_resnet18 = {"resnet18", begin_18, head_of_18};
const chl_audio_network chl_audio_network_resnet50 = {"resnet50", begin_50, head_of_50};
