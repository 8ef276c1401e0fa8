/* Option structs as an older chladni.h had them: the beginnings of those of 0.2.0. Frozen: this is
 * what a program that was compiled long ago passes to the library. Not to be changed with the
 * library's header. */
#ifndef OLD_CHLADNI_H
#define OLD_CHLADNI_H
#include <stddef.h>
#include <stdint.h>

enum { OLD_OK = 0, OLD_ERR_ARGUMENT = 1, OLD_ERR_IO = 4, OLD_ERR_UNSUPPORTED = 7 };
typedef struct chl_engine chl_engine;

typedef struct chl_engine_options { /* without audio and what follows it */
    uint32_t size;
    int precision;
    const char *generator, *clip, *vocab;
} chl_engine_options;

typedef struct chl_edit_options { /* without similarity and what follows it */
    uint32_t size;
    int steps;
    float rate, adam_eps;
    uint64_t seed;
    float latent_weight, latent_weight_rise, latent_scale, identity_weight;
} chl_edit_options;

typedef struct chl_zero_shot_options { /* without limit, progress, user */
    uint32_t size;
    int labels;
    const char *const *label;
    int prompts;
    const char *const *prompt;
    const char *sound, *data;
} chl_zero_shot_options;

typedef struct chl_trial_options { /* without gate and what follows it */
    uint32_t size;
    const char *judge, *sources, *sounds, *biased;
    int scenes, batch;
    float min_strength;
    int by_label;
    uint64_t seed;
    const chl_edit_options *edit;
} chl_trial_options;

typedef struct chl_ablation_group {
    const char *name;
    int encoders;
    const char *const *audio;
    int fixed_mask;
} chl_ablation_group;
typedef struct chl_ablation_options { /* without trial */
    uint32_t size;
    const chl_engine_options *models;
    int groups;
    const chl_ablation_group *group;
    const chl_zero_shot_options *zero_shot;
} chl_ablation_options;

const char *chl_error(void);
int chl_weights_random(const char *kind, uint64_t seed, const char *to);
int chl_engine_open(const chl_engine_options *options, chl_engine **out);
void chl_engine_close(chl_engine *engine);
int chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation, float *w);
void chl_edit_options_init(const chl_engine *engine, size_t size, chl_edit_options *options);
int chl_edit(chl_engine *engine, const chl_edit_options *options, const float *source,
             const float *target, float *edited, float *mask);
int chl_evaluate_edits(chl_engine *engine, const chl_trial_options *options, char **report);
int chl_evaluate_ablation(const chl_ablation_options *options, char **report);
#endif
