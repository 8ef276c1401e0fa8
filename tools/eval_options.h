/* `eval`: flags that several evaluations have, and what is done with them. */
#ifndef CHL_TOOLS_EVAL_OPTIONS_H
#define CHL_TOOLS_EVAL_OPTIONS_H
#include "eval_job.h"

#define REPORT_OPTIONS(job)                                                                        \
    {"json", NULL, OPTION_FLAG, &(job).json, NULL, "print JSON on stdout instead of Markdown",     \
     NULL},                                                                                        \
    {                                                                                              \
        "out", NULL, OPTION_OUTPUT, &(job).out, "R.json", "also write the JSON to this file", NULL \
    }
#define PROMPT_OPTION(job)                                                                         \
    {                                                                                              \
        "prompts", NULL, OPTION_TEXT, &(job).prompts, "A|B...",                                    \
            "prompts; a label's embedding is their mean, {} stands for it (default \"{}|a {}\")",  \
            NULL                                                                                   \
    }
#define LABEL_OPTIONS(job)                                                                         \
    {"labels",                                                                                     \
     NULL,                                                                                         \
     OPTION_TEXT,                                                                                  \
     &(job).labels,                                                                                \
     "FILE|A,B,...",                                                                               \
     "labels to choose from, one per line of the file (default: those of --data); LABEL=TEXT "     \
     "says what prompts call it",                                                                  \
     NULL},                                                                                        \
        PROMPT_OPTION(job)
#define FOLD_OPTIONS(job)                                                                          \
    {                                                                                              \
        "folds", NULL, OPTION_TEXT, &(job).folds, "1-5|1,3", "only these folds (default: all)",    \
        NULL},                                                                                     \
    {                                                                                              \
        "esc10", NULL, OPTION_FLAG, &(job).esc10, NULL,                                            \
            "only ESC-10, the ten classes that ESC-50's table marks so", NULL                      \
    }
#define SET_OPTIONS(job)                                                                           \
    FOLD_OPTIONS(job), {                                                                           \
        "confusion", NULL, OPTION_OUTPUT, &(job).confusion, "C.png",                               \
            "picture of the confusion matrix", NULL                                                \
    }
#define COMPARED_OPTIONS(job)                                                                      \
    {"probe",                                                                                      \
     NULL,                                                                                         \
     OPTION_TEXT,                                                                                  \
     &(job).probe.data,                                                                            \
     "DIR",                                                                                        \
     "for the linear probe: ESC-50 or UrbanSound8K; with --probe-test the sounds to train on",     \
     NULL},                                                                                        \
        {"probe-test", NULL, OPTION_TEXT, &(job).probe.test, "DIR", "sounds to test the probe on", \
         NULL},                                                                                    \
        {"probe-trunk",                                                                            \
         NULL,                                                                                     \
         OPTION_FLAG,                                                                              \
         &(job).of_trunk,                                                                          \
         NULL,                                                                                     \
         "probe the features of the encoder's trunk, which its last layers map into CLIP's "       \
         "space, in place of its embeddings",                                                      \
         NULL},                                                                                    \
        {"retrieval", NULL,                                                                        \
         OPTION_TEXT, &(job).retrieval.data,                                                       \
         "SRC",       "clips with pictures, captions or labels, for retrieval",                    \
         NULL},                                                                                    \
        {"zero-shot-limit",                                                                        \
         NULL,                                                                                     \
         OPTION_INT,                                                                               \
         &(job).limit,                                                                             \
         "N",                                                                                      \
         "number of sounds for zero-shot classification (default: all)",                           \
         NULL},                                                                                    \
        {"intensity", NULL,                                                                        \
         OPTION_INT,  &(job).trial.intensity,                                                      \
         "N",         "sources per kind for edits by sounds of rising level (default 0: none)",    \
         NULL},                                                                                    \
        {"supervised",                                                                             \
         NULL,                                                                                     \
         OPTION_TEXT,                                                                              \
         &(job).supervised,                                                                        \
         "NAME=F,F|NAME=PERCENT|...",                                                              \
         "networks trained on the labels (train classifier), one file per fold or one, tested "    \
         "as eval supervised does; or figures of others",                                          \
         NULL},                                                                                    \
    {                                                                                              \
        "louder", NULL, OPTION_TEXT, &(job).trial.louder, "A,B,...",                               \
            "kinds for --intensity (default rain,fire,wind)", &(job).has_louder                    \
    }
#define TRIAL_OPTIONS(job)                                                                           \
    {"judge",      NULL,                                                                             \
     OPTION_INPUT, &(job).trial.judge,                                                               \
     "FILE",       "weights of the network that classifies the edits",                               \
     NULL},                                                                                          \
        {"sources",                                                                                  \
         NULL,                                                                                       \
         OPTION_TEXT,                                                                                \
         &(job).trial.sources,                                                                       \
         "SRC",                                                                                      \
         "what is edited: folder of calm scenes with latents.npy, or a .npy, .npz "                  \
         "or .pt with W+ codes, for instance of inverted photos",                                    \
         NULL},                                                                                      \
        {"sounds",    NULL,                                                                          \
         OPTION_TEXT, &(job).trial.sounds,                                                           \
         "DIR",       "folder of held-out sounds and their kinds",                                   \
         NULL},                                                                                      \
        {"biased",    NULL,                                                                          \
         OPTION_TEXT, &(job).trial.biased,                                                           \
         "DIR",       "training folder of the audio encoder, to measure leakage of its bias",        \
         NULL},                                                                                      \
        {"limit",                                                                                    \
         NULL,                                                                                       \
         OPTION_INT,                                                                                 \
         &(job).trial.scenes,                                                                        \
         "N",                                                                                        \
         "number of sources to edit (default 20)",                                                   \
         &(job).trial_given[0]},                                                                     \
        {"batch",                                                                                    \
         NULL,                                                                                       \
         OPTION_INT,                                                                                 \
         &(job).trial.batch,                                                                         \
         "N",                                                                                        \
         "edits optimised at once (default 10)",                                                     \
         &(job).trial_given[1]},                                                                     \
        {"min-strength",                                                                             \
         "least-strength",                                                                           \
         OPTION_FLOAT,                                                                               \
         &(job).trial.min_strength,                                                                  \
         "X",                                                                                        \
         "min. strength of the sounds used (default 0)",                                             \
         &(job).trial_given[2]},                                                                     \
        {"by-label",                                                                                 \
         NULL,                                                                                       \
         OPTION_FLAG,                                                                                \
         &(job).by_label,                                                                            \
         NULL,                                                                                       \
         "guide by the sounds' labels as texts, which leaves out the audio encoder's errors",        \
         NULL},                                                                                      \
        {"seed",                                                                                     \
         NULL,                                                                                       \
         OPTION_SEED,                                                                                \
         &(job).trial.seed,                                                                          \
         "N",                                                                                        \
         "seed of the pairing of sounds and sources (default 0)",                                    \
         &(job).trial_given[3]},                                                                     \
        {"steps",                                                                                    \
         NULL,                                                                                       \
         OPTION_INT,                                                                                 \
         &(job).edit.steps,                                                                          \
         "N",                                                                                        \
         "steps of an edit (default 300)",                                                           \
         &(job).trial_given[4]},                                                                     \
        {"lr",                                                                                       \
         NULL,                                                                                       \
         OPTION_FLOAT,                                                                               \
         &(job).edit.rate,                                                                           \
         "X",                                                                                        \
         "Adam's learning rate (default 0.1)",                                                       \
         &(job).trial_given[5]},                                                                     \
        {"latent-weight",                                                                            \
         "lambda-similarity",                                                                        \
         OPTION_FLOAT,                                                                               \
         &(job).edit.latent_weight,                                                                  \
         "X",                                                                                        \
         "weight of the latent distance L_reg (default 0.002)",                                      \
         &(job).trial_given[6]},                                                                     \
        {"latent-weight-relative",                                                                   \
         "lambda-relative",                                                                          \
         OPTION_FLOAT,                                                                               \
         &(job).latent_weight_relative,                                                              \
         "X",                                                                                        \
         "the same with the distance divided by the variance of mapped codes",                       \
         &(job).has_relative},                                                                       \
        {"space",                                                                                    \
         NULL,                                                                                       \
         OPTION_CHOICE,                                                                              \
         &(job).space,                                                                               \
         "w|whitened|shared",                                                                        \
         "what is optimised (default w)",                                                            \
         &(job).trial_given[7]},                                                                     \
        {"similarity",                                                                               \
         NULL,                                                                                       \
         OPTION_CHOICE,                                                                              \
         &(job).similarity,                                                                          \
         "cosine|hinge|directional",                                                                 \
         "similarity loss (default cosine)",                                                         \
         &(job).trial_given[8]},                                                                     \
        {"margin",                                                                                   \
         NULL,                                                                                       \
         OPTION_FLOAT,                                                                               \
         &(job).edit.margin,                                                                         \
         "X",                                                                                        \
         "margin of the hinge loss (default 1)",                                                     \
         &(job).trial_given[9]},                                                                     \
        {"neutral",                                                                                  \
         NULL,                                                                                       \
         OPTION_TEXT,                                                                                \
         &(job).neutral,                                                                             \
         "T",                                                                                        \
         "text that the directional loss starts from",                                               \
         &(job).trial_given[10]},                                                                    \
        {"adam-eps",                                                                                 \
         NULL,                                                                                       \
         OPTION_FLOAT,                                                                               \
         &(job).edit.adam_eps,                                                                       \
         "X",                                                                                        \
         "Adam's epsilon (default 1e-8)",                                                            \
         &(job).trial_given[11]},                                                                    \
        {"latent-weight-rise",                                                                       \
         "lambda-rise",                                                                              \
         OPTION_FLOAT,                                                                               \
         &(job).edit.latent_weight_rise,                                                             \
         "P",                                                                                        \
         "--latent-weight grows as (share of the steps done)^P (default 0: constant)",               \
         &(job).trial_given[12]},                                                                    \
        {"mask-rate",                                                                                \
         NULL,                                                                                       \
         OPTION_FLOAT,                                                                               \
         &(job).edit.mask_rate,                                                                      \
         "X",                                                                                        \
         "learning rate of the layer weights, relative to --lr (default 1)",                         \
         &(job).trial_given[13]},                                                                    \
        {"starts",                                                                                   \
         NULL,                                                                                       \
         OPTION_INT,                                                                                 \
         &(job).edit.starts,                                                                         \
         "N",                                                                                        \
         "codes that an edit begins at, each followed for a quarter of --steps, the best one for "   \
         "all (default 1: the source)",                                                              \
         &(job).trial_given[14]},                                                                    \
        {"start-steps",           NULL, OPTION_INT,                                                  \
         &(job).edit.start_steps, "N",  "steps of each of --starts (default: a quarter of --steps)", \
         &(job).trial_given[15]},                                                                    \
        {"code-noise",                                                                               \
         NULL,                                                                                       \
         OPTION_FLOAT,                                                                               \
         &(job).code_noise,                                                                          \
         "X",                                                                                        \
         "noise added to the code that a step looks at, as a share of how codes vary; it falls "     \
         "to "                                                                                       \
         "none at three quarters of the steps (default 0: none)",                                    \
         &(job).trial_given[16]},                                                                    \
    {                                                                                                \
        "fixed-mask", NULL, OPTION_FLAG, &(job).fixed_mask, NULL, "keep all layer weights equal",    \
            NULL                                                                                     \
    }

/* Evaluations of groups of encoders: eval_groups.c */
int eval_ablation(int argc, char **argv);
int eval_compare(int argc, char **argv);
/* eval_supervised.c */
int eval_supervised(int argc, char **argv);
/* eval_whole.c */
int eval_report(int argc, char **argv);
#endif
