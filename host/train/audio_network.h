/* The network that a training on sounds trains, by the option `encoder`: the paper's Swin, its
 * predecessor's ResNet-18, or ResNet-50. Each makes random weights of the sizes that the options give, and
 * appends its forward pass to the training's graph. */
#ifndef CHL_TRAIN_AUDIO_NETWORK_H
#define CHL_TRAIN_AUDIO_NETWORK_H
#include "train/trainer.h"

typedef struct chl_audio_network {
    const char *name;
    /* Makes t->params for `rows` of numbers, the contrastive losses' logit_scale_at and logit_scale_ai
     * with them, and *config in the trainer's memory. */
    chl_status (*begin)(chl_trainer *t, int rows, void **config);
    /* mel [N,128,864,1] -> [N,rows], the last layer's output. `view` is 1 for the augmented view of a
     * sound and 0 for the sound. */
    chl_tensor (*head)(chl_trainer *t, chl_net *net, void *config, int view, chl_tensor mel);
} chl_audio_network;
extern const chl_audio_network chl_audio_network_swin, chl_audio_network_resnet18,
    chl_audio_network_resnet50;

/* NULL is swin. CHL_ERR_ARGUMENT with the known names for another. */
chl_status chl_audio_network_find(const char *name, const chl_audio_network **out);
#endif
