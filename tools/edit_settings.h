/* What one edit is asked for, but for its outputs: shared by `edit`, `batch` and `replay`. */
#ifndef CHL_TOOLS_EDIT_SETTINGS_H
#define CHL_TOOLS_EDIT_SETTINGS_H
#include "command.h"

typedef struct edit_settings {
    chl_engine_options models;
    generator_flags generator; /* of models */
    const char *image, *latent, *text, *neutral, *mix, *direction, *keep, *mask;
    int steps, invert_steps, similarity, space;
    int starts, start_steps;
    int tune; /* steps; 0: the generator stays as it is */
    float rate, latent_weight, latent_weight_relative, latent_weight_rise, identity_weight, margin,
        truncation, mask_rate, adam_eps, code_noise;
    float strength; /* of the direction */
    bool has_strength;
    float outside_weight; /* of the change outside the mask */
    bool has_steps, has_starts, has_start_steps, has_code_noise, has_rate, has_weight, has_relative,
        has_identity, has_outside, has_invert_steps;
    bool adaptive, fixed;
    chl_mix mix_kind;      /* edit_read_mix reads it off `mix` */
    float mix_amount;      /* negative: the default */
    chl_goal_options goal; /* edit_read_keep reads it off `keep` */
} edit_settings;

edit_settings edit_defaults(void);
/* What no single flag can say: NULL, or what is wrong, in flags; valid until the next call. */
const char *edit_settings_wrong(const edit_settings *ask);
/* The same of a loss's options that others leave without effect, by values that are not the usual. */
const char *edit_loss_wrong(const chl_edit_options *options);
/* The same of names of files alone: none may be empty. */
const char *edit_files_wrong(const edit_settings *ask);
/* false: `mix` is not of the form linear, linear:0.5, rows or rows:9. */
bool edit_read_mix(edit_settings *ask);
#define EDIT_MIX_FORM "--mix must be linear, linear:0.5, rows or rows:9, got %s"
/* false: `keep` is not of the form distance=0.6. */
bool edit_read_keep(edit_settings *ask);
#define EDIT_KEEP_FORM                                                                             \
    "--keep must be distance=X, clip=X or outside=X (at most X, > 0) or identity=X (at least X, "  \
    "in (-1, 1)), got %s"
/* chl_edit_many, or with `keep` chl_edit_to_goal, which knows no layer masks: they are equal then.
 * goal NULL, or [n], written only with `keep`. */
chl_status edit_many(chl_engine *engine, const edit_settings *ask, const chl_edit_options *options,
                     int n, const float *source, const float *target, float *edited, float *mask,
                     chl_goal_result *goal);
/* {"keep": "distance", "bound": 0.6, "kept": ..., "curve": [...]} */
json_t *edit_goal_report(const edit_settings *ask, const chl_goal_result *result);
/* The name of what is kept, as behind --keep. */
const char *edit_keep_name(const edit_settings *ask);
/* The amount of the mix where none was given: half of the rows, or 0.5. */
float edit_mix_amount(const edit_settings *ask, int rows);
/* The library's options; `neutral` [embedding] is zeros without --neutral, so that the direction of
 * the directional loss is the target itself. region [side][side]: of --mask, or not used. Progress is
 * the caller's. */
chl_edit_options edit_library_options(const edit_settings *ask, const chl_engine *engine,
                                      const float *neutral, const float *region);
/* region [side][side] of --mask: the picture's brightness, in [0, 1]. */
chl_status edit_read_region(const edit_settings *ask, int side, float *region);

/* `o` is an edit_settings: an edit without optimisation. */
#define DIRECTION_OPTIONS(o)                                                                       \
    {"direction",  NULL,                                                                           \
     OPTION_INPUT, &(o).direction,                                                                 \
     "D.npy",      "instead of a sound or a text: add this direction, without an optimisation",    \
     NULL},                                                                                        \
    {                                                                                              \
        "strength", NULL, OPTION_FLOAT, &(o).strength, "X",                                        \
            "times this factor (default 1; negative: the other way)", &(o).has_strength            \
    }

/* `o` is an edit_settings. */
#define EDIT_OPTIONS(o)                                                                            \
    {"steps",       "step", OPTION_INT, &(o).steps, "N", "optimisation steps (default 300)",       \
     &(o).has_steps},                                                                              \
        {"starts",                                                                                 \
         NULL,                                                                                     \
         OPTION_INT,                                                                               \
         &(o).starts,                                                                              \
         "N",                                                                                      \
         "codes that the edit begins at, the source and others around it: each is followed for a " \
         "quarter of --steps, the best one then for all of them (default 1: the source)",          \
         &(o).has_starts},                                                                         \
        {"start-steps",       NULL, OPTION_INT,                                                    \
         &(o).start_steps,    "N",  "steps of each of --starts (default: a quarter of --steps)",   \
         &(o).has_start_steps},                                                                    \
        {"code-noise",                                                                             \
         NULL,                                                                                     \
         OPTION_FLOAT,                                                                             \
         &(o).code_noise,                                                                          \
         "X",                                                                                      \
         "noise added to the code that a step looks at, as a share of how codes vary; it falls "   \
         "to none at three quarters of the steps (default 0: none)",                               \
         &(o).has_code_noise},                                                                     \
        {"lr",         NULL, OPTION_FLOAT,                                                         \
         &(o).rate,    "X",  "Adam's learning rate (default 0.1; 0.05 with --face)",               \
         &(o).has_rate},                                                                           \
        {"latent-weight",                                                                          \
         "lambda-similarity",                                                                      \
         OPTION_FLOAT,                                                                             \
         &(o).latent_weight,                                                                       \
         "X",                                                                                      \
         "weight of the latent distance L_reg (default 0.002; 0.008 with --face)",                 \
         &(o).has_weight},                                                                         \
        {"latent-weight-relative",                                                                 \
         "lambda-relative",                                                                        \
         OPTION_FLOAT,                                                                             \
         &(o).latent_weight_relative,                                                              \
         "X",                                                                                      \
         "the same with the distance divided by the variance of mapped codes, so that one number " \
         "suits every generator",                                                                  \
         &(o).has_relative},                                                                       \
        {"identity-weight",                                                                        \
         "lambda-identity",                                                                        \
         OPTION_FLOAT,                                                                             \
         &(o).identity_weight,                                                                     \
         "X",                                                                                      \
         "weight of the identity loss L_id (default 0.005 with --face)",                           \
         &(o).has_identity},                                                                       \
        {"space",                                                                                  \
         NULL,                                                                                     \
         OPTION_CHOICE,                                                                            \
         &(o).space,                                                                               \
         "w|whitened|shared",                                                                      \
         "what is optimised: the W+ code (the paper), its whitened coordinates, or one offset "    \
         "shared by all rows (default w)",                                                         \
         NULL},                                                                                    \
        {"similarity",                                                                             \
         NULL,                                                                                     \
         OPTION_CHOICE,                                                                            \
         &(o).similarity,                                                                          \
         "cosine|hinge|directional",                                                               \
         "similarity loss (default cosine)",                                                       \
         NULL},                                                                                    \
        {"margin", NULL, OPTION_FLOAT, &(o).margin, "X", "margin of the hinge loss (default 1)",   \
         NULL},                                                                                    \
        {"neutral",                                                                                \
         NULL,                                                                                     \
         OPTION_TEXT,                                                                              \
         &(o).neutral,                                                                             \
         "T",                                                                                      \
         "text that the directional loss starts from (default: none, the direction is the "        \
         "target)",                                                                                \
         NULL},                                                                                    \
        {"adaptive-mask",                                                                          \
         NULL,                                                                                     \
         OPTION_FLAG,                                                                              \
         &(o).adaptive,                                                                            \
         NULL,                                                                                     \
         "learn the layer weights (the default)",                                                  \
         NULL},                                                                                    \
        {"fixed-mask", NULL, OPTION_FLAG, &(o).fixed, NULL, "keep all layer weights equal", NULL}, \
        {"mask-rate",                                                                              \
         NULL,                                                                                     \
         OPTION_FLOAT,                                                                             \
         &(o).mask_rate,                                                                           \
         "X",                                                                                      \
         "learning rate of the layer weights, relative to --lr (default 1; 0.05 keeps every "      \
         "layer "                                                                                  \
         "constrained)",                                                                           \
         NULL},                                                                                    \
        {"adam-eps",                                                                               \
         NULL,                                                                                     \
         OPTION_FLOAT,                                                                             \
         &(o).adam_eps,                                                                            \
         "X",                                                                                      \
         "Adam's epsilon (default 1e-8; 0.01 with --lr 0.5 is close to descent with momentum)",    \
         NULL},                                                                                    \
        {"latent-weight-rise",                                                                     \
         "lambda-rise",                                                                            \
         OPTION_FLOAT,                                                                             \
         &(o).latent_weight_rise,                                                                  \
         "P",                                                                                      \
         "--latent-weight grows as (share of the steps done)^P (default 0: constant)",             \
         NULL},                                                                                    \
        {"keep",                                                                                   \
         NULL,                                                                                     \
         OPTION_TEXT,                                                                              \
         &(o).keep,                                                                                \
         "WHAT=X",                                                                                 \
         "as strong as possible while this holds: distance=X or clip=X, the code's or CLIP's "     \
         "distance from the source is at most X; identity=X, the identity is at least X; "         \
         "outside=X, the change outside the mask is at most X. Searches for the weight of L_reg "  \
         "from --latent-weight on, for outside from --outside-weight on",                          \
         NULL},                                                                                    \
        {"mask",                                                                                   \
         NULL,                                                                                     \
         OPTION_INPUT,                                                                             \
         &(o).mask,                                                                                \
         "M.png",                                                                                  \
         "picture that is white where the edit may change something; change elsewhere is "         \
         "penalised and measured",                                                                 \
         NULL},                                                                                    \
        {"outside-weight",    NULL, OPTION_FLOAT,                                                  \
         &(o).outside_weight, "X",  "weight of the change outside the mask (default 1)",           \
         &(o).has_outside},                                                                        \
        {"truncation", NULL,                                                                       \
         OPTION_FLOAT, &(o).truncation,                                                            \
         "X",          "truncation of a seed's latent (default 0.7)",                              \
         NULL},                                                                                    \
        {"tune",                                                                                   \
         NULL,                                                                                     \
         OPTION_INT,                                                                               \
         &(o).tune,                                                                                \
         "N",                                                                                      \
         "steps that tune the generator itself to --image, at its inverted code, before the edit " \
         "(default 0; 100 show the photo faithfully)",                                             \
         NULL},                                                                                    \
    {                                                                                              \
        "invert-steps", NULL, OPTION_INT, &(o).invert_steps, "N",                                  \
            "steps of the inversion (default 300; with --encoder 0: its code as it is)",           \
            &(o).has_invert_steps                                                                  \
    }

/* Models and settings of an edit, in the order of `chladni edit --help`; `o` is an edit_settings. */
#define SETTINGS_OPTIONS(o)                                                                        \
    GENERATOR_OPTIONS((o).models, (o).generator), CLIP_OPTIONS((o).models),                        \
        AUDIO_OPTION((o).models), MEL_OPTION((o).models), SOUND_TEXTS_OPTIONS((o).models),         \
        FACE_OPTION((o).models, "for the identity loss"), ENCODER_OPTION((o).models),              \
        DEVICE_OPTIONS((o).models), EDIT_OPTIONS(o)
#endif
