#include "train/audio_network.h"
#include <string.h>

static const chl_audio_network *const networks[] = {
    &chl_audio_network_swin, &chl_audio_network_resnet18, &chl_audio_network_resnet50};

chl_status chl_audio_network_find(const char *name, const chl_audio_network **out) {
    const int count = (int)(sizeof networks / sizeof networks[0]);
    *out = networks[0];
    if (!name) return CHL_OK;
    for (int i = 0; i < count; i++)
        if (strcmp(networks[i]->name, name) == 0) {
            *out = networks[i];
            return CHL_OK;
        }
    return chl_fail(CHL_ERR_ARGUMENT, "encoder must be swin, resnet18 or resnet50, got \"%s\"",
                    name);
}
