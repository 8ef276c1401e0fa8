#include "current.h"
#include <chladni.h>
#include <chladni/demo.h>
#include <string.h>

void current_sizes(chl_engine *engine, int64_t *code, int *embedding, int *rows) {
    const chl_engine_sizes size = chl_engine_get_sizes(engine);
    *code = (int64_t)size.rows * size.latent;
    *embedding = size.embedding;
    *rows = size.rows;
}

int current_edit(chl_engine *engine, int steps, float rate, const float *source,
                 const float *target, float *edited, float *mask) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = steps;
    options.rate = rate;
    return (int)chl_edit(engine, &options, source, target, edited, mask);
}

int current_edit_newer(chl_engine *engine, int steps, int tail, const float *source,
                       const float *target, float *edited) {
    struct {
        chl_edit_options options;
        int new_field, another;
    } newer = {.options = chl_edit_defaults(engine), .another = tail};
    newer.options.size = sizeof newer;
    newer.options.steps = steps;
    return (int)chl_edit(engine, &newer.options, source, target, edited, NULL);
}

int current_edit_of_size(chl_engine *engine, uint32_t size, const float *source,
                         const float *target, float *edited) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.size = size;
    return (int)chl_edit(engine, &options, source, target, edited, NULL);
}

#define ENDS_WITH(type, field)                                                                     \
    (offsetof(type, size) == 0 &&                                                                  \
     offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type))

int current_padded_struct(void) {
    const int fine[] = {ENDS_WITH(chl_engine_options, sound_own_share),
                        ENDS_WITH(chl_edit_options, code_noise),
                        ENDS_WITH(chl_goal_options, round_steps),
                        ENDS_WITH(chl_invert_options, user),
                        ENDS_WITH(chl_tune_options, user),
                        ENDS_WITH(chl_zero_shot_options, prompt_set),
                        ENDS_WITH(chl_probe_options, of_trunk),
                        ENDS_WITH(chl_listen_options, user),
                        ENDS_WITH(chl_direction_options, perplexity),
                        ENDS_WITH(chl_explain_options, picture),
                        ENDS_WITH(chl_video_options, user),
                        ENDS_WITH(chl_trial_options, identity),
                        ENDS_WITH(chl_retrieval_options, user),
                        ENDS_WITH(chl_pictures_options, user),
                        ENDS_WITH(chl_ablation_options, intensity),
                        ENDS_WITH(chl_train_options, weight_cosine),
                        ENDS_WITH(chl_inspect_options, index),
                        ENDS_WITH(chl_pack_options, user),
                        ENDS_WITH(chl_embed_ahead_options, user),
                        ENDS_WITH(chl_world_options, with_sound)};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (!fine[i]) return (int)i + 1;
    return 0;
}
