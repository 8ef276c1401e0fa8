/* The predecessor's sound encoder in training [Lee et al. 2022, released code]: ResNet-18 on the
 * picture that its weights expect, whose order of rows is that of models/audio_encoder_resnet18.c,
 * so that what is trained here loads there. Batch normalisation uses the batch's own statistics;
 * their running averages, of the sounds and not of the augmented views, are what is saved. */
#include "nets/resnet18.h"
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

static chl_status begin(chl_trainer *t, int embed, void **out) {
    chl_resnet18_config *config = *out = chl_trainer_memory(t, 1, sizeof *config);
    CHL_TRY(chl_trainer_memory_status(t));
    *config = chl_resnet18_lee2022();
    config->classes = embed;
    const chl_size_key keys[] = {
        {"width", &config->width, .min = 1, .max = 256},
        {"depths", config->depth, CHL_RESNET_STAGES, NULL, 1, 64},
    };
    CHL_TRY(chl_sizes_read(t->options->sizes, keys, 2));
    CHL_TRY(chl_resnet18_random(config, t->options->seed, &t->params));
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

static chl_tensor embed(chl_trainer *t, chl_net *net, void *own, int view, chl_tensor mel) {
    chl_tensor embedding = CHL_NONE;
    const chl_net_statistics statistics = {view ? forget : track, t};
    net->statistics = &statistics;
    chl_resnet18(net, own, chl_resnet18_picture(t->graph, mel), NULL, &embedding);
    net->statistics = NULL;
    return embedding;
}

const chl_audio_network chl_audio_network_resnet18 = {"resnet18", begin, embed};
