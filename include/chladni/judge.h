/* Judges of edits: what chl_evaluate_edits needs of a network that had no part in them. */
#ifndef CHLADNI_JUDGE_H
#define CHLADNI_JUDGE_H
#include <chladni/engine.h>
#ifdef __cplusplus
extern "C" {
#endif

#define CHL_JUDGE_MAX_KINDS 64
#define CHL_JUDGE_MAX_ATTRIBUTES 8

/* What the judge sees in one picture. */
typedef struct chl_judgement {
    int kind;                                /* the most probable one, 0 ... kinds - 1 */
    float probability[CHL_JUDGE_MAX_KINDS];  /* of each kind; they sum to 1 */
    int attribute[CHL_JUDGE_MAX_ATTRIBUTES]; /* the most probable class of each attribute */
} chl_judgement;

/* What a judge's weights say about themselves. */
typedef struct chl_judge_sizes {
    int side;                /* pixels on a side of the pictures that it judges */
    int kinds;               /* of events, 1 ... CHL_JUDGE_MAX_KINDS */
    const char *const *kind; /* [kinds] their names as in pairs.jsonl; they belong to the judge */
} chl_judge_sizes;

/* A way to judge. A picture shows one kind of event, which a sound may change, and attributes,
 * which no sound should change. Functions that fail return a status other than CHL_OK, and tell why
 * with chl_judge_fail. */
typedef struct chl_judge {
    uint32_t size;
    int attributes; /* 0 ... CHL_JUDGE_MAX_ATTRIBUTES */
    const char *const
        *attribute; /* [attributes] keys of their classes in pairs.jsonl and reports */
    /* Reads the weights. `engine` is the one that edits; a judge may compute on its device, but
     * must not use its models. */
    chl_status (*open)(chl_engine *engine, const char *weights, void **judge,
                       chl_judge_sizes *sizes);
    /* pixels [n][side][side][3], clamped to [-1,1] by the judge; out [n] */
    chl_status (*classify)(void *judge, int64_t n, const float *pixels, chl_judgement *out);
    void (*close)(void *judge); /* judge may be NULL */
} chl_judge;

/* Sets chl_error()'s text and returns `status`: for those who write a judge. */
CHL_API chl_status chl_judge_fail(chl_status status, const char *text);

#ifdef __cplusplus
}
#endif
#endif
