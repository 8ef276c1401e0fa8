/* Listening to a recording; evaluation: zero-shot classification, a linear probe, judged edits, ablations. */
#ifndef CHLADNI_EVAL_H
#define CHLADNI_EVAL_H
#include <chladni/edit.h>
#include <chladni/judge.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- evaluation ------------------------------------------------------------------------------- */
/* Reports are JSON texts (docs/evaluation.md), to be freed with chl_release; NULL on failure. They
 * depend on files, options and seeds only. */
/* Receives the progress of a part, `what`: done of count. A return value other than 0 stops with
 * CHL_ERR_CANCELLED. */
typedef int (*chl_eval_callback)(void *user, const char *what, int64_t done, int64_t count);

/* Zero-shot classification (Table 1): the label whose text embedding has the largest cosine with
 * the sound's. A label's embedding is the mean over prompts, in which "{}" stands for the label. */
#define CHL_EVAL_PROMPTS "{}", "a {}"
typedef struct chl_prompt_set { /* its layout never changes */
    int prompts;
    const char *const *prompt; /* [prompts] */
} chl_prompt_set;
typedef struct chl_zero_shot_options {
    uint32_t size;
    int labels;
    const char *const
        *label; /* [labels]; with a folder labels may be 0: its kinds are the labels */
    int prompts;
    const char *const *prompt; /* [prompts]; prompts 0: CHL_EVAL_PROMPTS */
    const char *sound;         /* one file; report: {"top1": ..., "scores": {label: cosine}} */
    const char *data;          /* or a folder: pairs.jsonl with kinds, LABEL/<sound files>, or
                                  ESC-50 or UrbanSound8K as published, told by meta/esc50.csv or
                                  metadata/UrbanSound8K.csv; report: accuracy with its interval, per
                                  label, per fold, confusion */
    int64_t limit;             /* max. number of sounds, spread over the labels; 0: all */
    chl_eval_callback progress;
    void *user;
    const char *const *label_text; /* [labels] what prompts say for a label, NULL (whole or single
                                      ones): the label, with spaces for underscores */
    int folds; /* only the sounds of these folds, `fold`, of ESC-50, UrbanSound8K, or the key "fold" of
                  a line; 0: all */
    int esc10;             /* 1: only the ten classes of ESC-50 that are ESC-10 */
    const int *fold;       /* [folds], from 1 */
    const char *confusion; /* NULL, or a PNG of the confusion matrix */
    const char *others;    /* NULL, or a folder of sounds of none of the labels: how many have a
                              cosine of `threshold` or more with one, and how many of `data` less */
    double threshold;
    int64_t prompt_sets; /* with data: also measure these, `prompt_set`, on the same embeddings of
                            sounds; report: "prompt_sets": [{"prompts", "accuracy", "balanced",
                            "interval"}] */
    const chl_prompt_set *prompt_set; /* [prompt_sets] */
} chl_zero_shot_options;
/* Exactly one of sound and data is given. Needs audio, clip and vocab. */
CHL_CHECKED chl_status chl_evaluate_zero_shot(chl_engine *engine,
                                              const chl_zero_shot_options *options, char **report);

/* What one recording of any length sounds like, over time: in windows of what the encoder hears at
 * once (864 frames, 10.03 s), half a window apart, the last one at the end; a shorter recording is
 * one window. Report: {"sound", "seconds", "threshold", "best": the best label that fits, or null,
 * "ranking": labels by their mean cosine over the windows, with "max" and its time "at", "labels",
 * "windows": [{"start", "end" (seconds), "best" (null where none fits), "nearest", "score",
 * "silent", "scores" [labels]}]}. */
typedef struct chl_listen_options {
    uint32_t size;
    int labels;
    const char *const *label;      /* [labels] */
    const char *const *label_text; /* as chl_zero_shot_options.label_text */
    const char *sound;             /* a file */
    const char *picture;           /* NULL, or a PNG: the mel picture, the labels' cosines below */
    double threshold; /* of the cosine, below which no label fits; 0: none. Below -80 dB of full
                         scale none fits anyway */
    const char *const *prompt; /* [prompts], as chl_zero_shot_options.prompt */
    int64_t prompts;
    chl_eval_callback progress;
    void *user;
} chl_listen_options;
/* Needs audio, clip and vocab. */
CHL_CHECKED chl_status chl_listen(chl_engine *engine, const chl_listen_options *options,
                                  char **report);

/* Linear probe: multinomial logistic regression with an L2 penalty on the embeddings of sounds, each
 * number brought to mean 0 and deviation 1 over the sounds to train on; fitted to the optimum.
 * Report: accuracy per fold, their mean and intervals, per label, confusion. CHL_ERR_FORMAT where
 * sounds of one recording are on both sides of a split. Needs audio. */
typedef struct chl_probe_options {
    uint32_t size;
    const char *data;      /* ESC-50, UrbanSound8K, or lines with a key "fold": each fold is tested
                              with a probe that is trained on the others. With `test`: the sounds to train on, in any
                              layout of chl_zero_shot_options.data */
    const char *test;      /* NULL, or a folder of the sounds to test on */
    int folds;             /* test only these folds, `fold`; 0: all */
    int esc10;             /* 1: only the ten classes of ESC-50 that are ESC-10 */
    const int *fold;       /* [folds], from 1 */
    double l2;             /* weight of the penalty |W|^2 / 2, scikit-learn's 1 / C; 0: 1 */
    const char *confusion; /* NULL, or a PNG of the confusion matrix */
    chl_eval_callback progress;
    void *user;
    int64_t
        choose_l2; /* 1: of 0.01, 0.1, ... 10 000 the penalty that names most sounds of a part of
                          those to train on right (one of the other folds; with `test` every fifth
                          sound); l2 is used only where that leaves none to choose by, which
                          "l2_why" tells. Report: "l2" of each of "fits" */
    int64_t
        of_trunk; /* 1: on the features of the encoder's trunk, which its last layers map into CLIP's space,
                         in place of the embeddings: what CLIP's own linear probes are fitted to [Radford et al.
                         2021, section 3.2]. Report: "features": "embedding" or "trunk" */
} chl_probe_options;
CHL_CHECKED chl_status chl_evaluate_probe(chl_engine *engine, const chl_probe_options *options,
                                          char **report);

/* The supervised baseline (Table 1, "ResNet50"): networks that the training "classifier" trained on
 * labels alone name sounds of folds that they have not seen. A model tests the sounds whose fold is not
 * among those it was trained on (`split` of its training, which its file holds), one that was trained on
 * all of its data all sounds: the caller sees to it that they are others. Each sound is tested by one
 * model: CHL_ERR_ARGUMENT where two could, or where none is left for one. Of a model's classes those
 * count that sounds of the data have. Report: the keys of the linear probe without "fits", and "models":
 * [{"file", "network", "trained_on", "classes", "sounds", "accuracy"}]. */
typedef struct chl_supervised_options {
    uint32_t size;
    int models;
    const char *const *model; /* [models] model.safetensors of a training each */
    const char *data;         /* as chl_zero_shot_options.data */
    const char *split;        /* NULL, or of data only these splits or folds, "test" or "1,2" */
    int folds;                /* test only these folds, `fold`; 0: all */
    int esc10;                /* 1: only the ten classes of ESC-50 that are ESC-10 */
    const int *fold;          /* [folds], from 1 */
    const char *confusion;    /* NULL, or a PNG of the confusion matrix */
    const chl_engine_options *place; /* NULL, or whose device, precision and mel are used */
    chl_eval_callback progress;
    void *user;
} chl_supervised_options;
CHL_CHECKED chl_status chl_evaluate_supervised(const chl_supervised_options *options,
                                               char **report);

/* Retrieval: sounds are searched by pictures and texts, and the other way round, by the cosine of their
 * embeddings. The different sounds, pictures and texts of a source are the candidates; lines with the
 * same sound are one sound, and a clip with several captions is asked for by each of them and found by
 * any. Report: "clips", "missing" (not there or not readable), "sounds", "pictures", "texts",
 * "unreadable_pictures"; where there are pictures "audio_image": {"audio_to_image", "image_to_audio"};
 * where there are captions (or else labels) and the engine has a vocab "audio_text": {"texts":
 * "captions" or "labels", "audio_to_text", "text_to_audio"}. Each direction is {"queries",
 * "candidates", "r1", "r5", "r10": {"share", "interval": [low, high], "chance"}, "median_rank"}: the
 * share of queries that find what belongs to them among the first 1, 5, 10, with 95 % of bootstrap
 * samples. Candidates as near as the right one count as nearer. Needs audio, and a clip that takes
 * pictures or texts: "absent" names what there are clips for and the models do not take. */
typedef struct chl_retrieval_options {
    uint32_t size;
    const char *data;  /* a source, as a training's (docs/training.md) */
    const char *split; /* NULL, or these splits or folds only, "test" or "1,2" */
    int64_t limit;     /* max. number of clips, the first; 0: all */
    int by_label;      /* 1: texts are the labels, even where there are captions */
    int prompts;
    const char *const *prompt; /* of labels, as chl_zero_shot_options.prompt */
    chl_eval_callback progress;
    void *user;
} chl_retrieval_options;
CHL_CHECKED chl_status chl_evaluate_retrieval(chl_engine *engine,
                                              const chl_retrieval_options *options, char **report);

/* Pictures of a generator, or of a folder, beside those of a data set: FID [Heusel et al. 2017], KID
 * [Binkowski et al. 2018], precision and recall [Kynkaanniemi et al. 2019] of the embeddings of the engine's
 * clip; and what a judge sees in each. Figures by one CLIP compare with each other only; FID is too large
 * for small sets, by about embedding^2 / count. Report: "side"; "pictures" and "data": {"source",
 * "count", "unreadable" and, with a judge, "named": {kind: share of the pictures}, "certainty": the mean
 * probability of what it names, "labelled": pictures whose kind (or label, or folder) is one of the
 * judge's, of these "named_right", "interval" (95 %, bootstrap), "right_per_kind"}; with a clip
 * "distances": {"features": its file, "embedding", "fid", "kid", "precision", "recall",
 * "neighbours"}; with a judge "judge": its file. */
typedef struct chl_pictures_options {
    uint32_t size;
    int side; /* pixels on a side, to which all are brought; 0: the generator's, else what the clip or,
                 without one, the judge takes */
    const char *data;     /* any source of a training with pictures, or a folder of pictures */
    const char *pictures; /* NULL: seeds of the engine's generator, as many as there are pictures in
                             `data`; or another source */
    int64_t limit;        /* max. number of pictures of each set, from all over it; 0: all */
    uint64_t seed;        /* the first one, up to UINT32_MAX */
    double truncation;    /* towards the mean of W; 0: none, as 1 */
    int64_t neighbours;   /* k of precision and recall; 0: 3 */
    const char *judge;    /* NULL, or a judge's weights */
    const chl_judge *judged_by; /* with `judge`: what reads them */
    chl_eval_callback progress;
    void *user;
} chl_pictures_options;
/* Needs a generator with a mapping network or `pictures`, and a clip or `judge`. A generator with classes
 * paints the engine's. Above a quarter of a source's pictures unreadable: CHL_ERR_FORMAT. */
CHL_CHECKED chl_status chl_evaluate_pictures(chl_engine *engine,
                                             const chl_pictures_options *options, char **report);

/* Edits of calm scenes by held-out sounds, judged by a network that had no part in them. */
typedef struct chl_trial_options {
    uint32_t size;
    const char *judge;   /* the judge's weights; NULL: none, and of the parts below only directions
                            and identity */
    const char *sources; /* what is edited: folder with latents.npy [n][z], or a .npy, .npz or .pt
                            with W+ codes [rows][latent], or several, as of chl_invert */
    const char *sounds;  /* folder with sounds and kinds; its latents, where there are any, are
                            the scenes of the gate */
    const char *biased;  /* NULL, or the folder that the audio encoder was trained on: what it
                            may have learnt beside the sound */
    int scenes;          /* max. number of sources: 20 */
    int batch;           /* edits optimised at once: 10 */
    float min_strength;  /* of the sounds that are used: 0 */
    int by_label;        /* 1: guided by the sounds' labels (the kind's name where there is none)
                            as texts instead: what is left is not the sound encoder's doing. No
                            louder and louder sounds then */
    uint64_t seed;       /* of the pairing of sounds and sources */
    const chl_edit_options *edit; /* NULL: the defaults; its callback is not used */
    int gate;                     /* 200: pictures to check the judge on; 0: none */
    int intensity;      /* 5: sources per kind for edits by sounds of rising level; 0: none */
    const char *louder; /* kinds for `intensity`: "rain,fire,wind", as far as they are there; any
                           other list must name kinds of the sounds */
    int levels;         /* 7, from the quietest up to the sound as it is ... */
    float level_step;   /* ... this many dB apart: 4 */
    int directions;     /* sources that are also edited by text (Table 2): 0 */
    const char *sheet;  /* NULL, or a PNG: a row per source, the source and an edit per kind */
    int sheet_rows;     /* at most: 20 */
    chl_eval_callback progress;
    void *user;
    const chl_judge *judged_by; /* what reads `judge` and classifies: chl_demo_judge() for the
                                   demo's, or your own */
    const char *classifier; /* NULL, or labelled sounds in any layout of chl_zero_shot_options.data:
                               a linear classifier of their embeddings names the edits of
                               `directions` (Fig. 17a) */
    int64_t identity;       /* 0: sources that are edited with and without the identity loss */
} chl_trial_options;
CHL_API void chl_trial_options_init(size_t size, chl_trial_options *options);
static inline chl_trial_options chl_trial_defaults(void) {
    chl_trial_options options;
    chl_trial_options_init(sizeof options, &options);
    return options;
}
/* A failure after the first part, or the end by the progress callback, leaves what was measured in
 * *report, with the failure's text as "failed"; it is NULL where nothing was. */
CHL_CHECKED chl_status chl_evaluate_edits(chl_engine *engine, const chl_trial_options *options,
                                          char **report);

/* Directions of edits, compared (the paper's Fig. 8 and Table 2). Needs no model. Report:
 * {"directions": [{"name", "group", "length", "pca": [x, y], "tsne": [x, y]}], "cosines": [count][count], "pca":
 * {"explained": [share, share]}, "groups": [{"group", "count", "within"}], "between": mean cosines
 * [groups][groups], "tsne": null or {"perplexity", "divergence"}, "table2": {"source_sound", "source_text", "sound_text", "directions"}}. within
 * and those of table2 are {"pairs" or "edits", "mean", "deviation"}. The principal components are of
 * the directions minus their mean; the component's largest coordinate is positive. A cosine with a
 * direction of length 0 is null. */
#define CHL_MAX_DIRECTIONS 1000
typedef enum chl_direction_plot {
    CHL_DIRECTIONS_PCA,
    CHL_DIRECTIONS_TSNE /* t-SNE, exact, from the principal components; at least 4 directions */
} chl_direction_plot;
typedef struct chl_direction_options {
    uint32_t size;
    int count;               /* directions, 1 ... CHL_MAX_DIRECTIONS */
    int64_t numbers;         /* in each */
    const float *direction;  /* [count][numbers] */
    const char *const *name; /* [count] */
    const char *const
        *group;          /* [count] what guided the edit, e.g. the sound's name: equal texts are
                                 one group, with a colour of its own in the picture */
    const char *picture; /* NULL, or a PNG: a point per direction, as `plot` says */
    /* For Table 2, each NULL (not measured) or [count]. */
    const int *by_text;          /* 1: the edit was guided by a text */
    const char *const *source;   /* which picture was edited: equal texts are one; NULL: unknown */
    const char *const *guide;    /* a sound's and a text's edit of one source with equal guides are
                                    a pair of sound_text and directions */
    const double *source_square; /* |source code|^2; NAN: unknown */
    const double *source_dot;    /* <source code, direction> */
    chl_direction_plot plot;     /* PCA: what the picture shows */
    float perplexity; /* of t-SNE, in [1, count - 1); 0: 30, but at most a third of the others */
} chl_direction_options;
CHL_CHECKED chl_status chl_compare_directions(const chl_direction_options *options, char **report);

/* An explanation of an edit by a sound: what moved which part of the picture. The picture is cut into
 * 4 x 4 parts, the sound's mel picture into 8 x 8 patches.
 *
 * rows: how much each row of the code moved each part, the integral along the straight line from
 * source to edited code of the gradient of <G(w), change of the part> times the row's move; the rows'
 * sum is the part's squared change. Checked by occlusion: the row as it was in the source.
 * sound: how much of what CLIP sees of each part's change would be lost if a patch were 3 dB softer, the
 * integral from there to the sound of the gradient of <A(mel), V(edited) - V(edited with the part as it
 * was)>. Checked by occlusion: the patch alone 3 dB softer; "silence": the patch alone silent, which an
 * encoder answers far from linearly.
 *
 * Report: {"parts": [4, 4], "patches": [8, 8], "rows": [rows][16], "row_share": [rows],
 * "sound": [64][16], "patch_share": [64], "change": [16] mean |change| of each part, "agreement":
 * {"rows", "sound", "silence"}}: Spearman's rank correlations of both tables with occlusion. Shares sum to 1 in
 * absolute value. Patches: low bands first, each from left to right. Needs generator, clip, audio. */
typedef struct chl_explain_options {
    uint32_t size;
    const char *sound; /* the sound file that guided the edit */
    float gain_db;
    const float *source, *edited; /* codes [rows][latent] */
    int points;                   /* 16: of the integrals */
    const char *picture;          /* NULL, or a PNG: panels of all of it */
} chl_explain_options;
CHL_CHECKED chl_status chl_explain_edit(chl_engine *engine, const chl_explain_options *options,
                                        char **report);

/* Ablation: the same figures for groups of audio encoders that differ in one thing (trained with
 * and without L_kl, several seeds each): means and 95 % intervals (Student's t). The layout of a
 * group never changes. */
typedef struct chl_ablation_group {
    const char *name;
    int encoders;
    const char *const *audio; /* [encoders] weight files */
    int fixed_mask;           /* 1: edits with equal layer weights */
} chl_ablation_group;
typedef struct chl_ablation_options {
    uint32_t size;
    const chl_engine_options *models; /* every encoder in turn takes the place of `audio` */
    int groups;
    const chl_ablation_group *group;        /* [groups] */
    const chl_zero_shot_options *zero_shot; /* of a folder; NULL or data NULL: not measured */
    const chl_trial_options *trial;         /* NULL or sources NULL: not measured */
    const chl_probe_options *probe;         /* NULL or data NULL: not measured */
    const char *const *clip; /* [groups] CLIP in whose space a group's encoders embed, NULL (all or
                                single ones): that of models */
    const char *sheet;       /* NULL, or a PNG: a row per group, the first source, then its edit by
                                a sound of each kind with the group's first encoder; needs trial */
    int64_t published; /* 1: the report also has what the paper says of its encoder and of others,
                          "published": [{"encoder", "esc50_zero_shot", "urbansound8k_zero_shot",
                          "esc50_probe", "urbansound8k_probe", "esc50_supervised",
                          "urbansound8k_supervised"}], shares, null where it says nothing */
    const chl_retrieval_options *retrieval; /* NULL or data NULL: not measured */
    int64_t intensity; /* 1: also trial's edits by sounds of rising level, with encoders that hear
                          levels */
} chl_ablation_options;
CHL_CHECKED chl_status chl_evaluate_ablation(const chl_ablation_options *options, char **report);

/* What "Robust Sound-Guided Image Manipulation" says, not measured: {"source", "encoders": Table 1, as
 * chl_ablation_options.published, "people": [{"what", "points" or "by_sound", "lee2022", "by_text"}],
 * what fifty people said (sections 4.5, 5.2), "in_words": [{"part", "says"}], of Table 2 and Fig. 17,
 * whose digits are not in its text}. */
CHL_CHECKED chl_status chl_published_figures(char **report);

#ifdef __cplusplus
}
#endif
#endif
