/* The demo: its procedural world and the judge of its edits. No part of libchladni, and not
 * included by chladni.h: link libchladni_demo, which holds libchladni too, instead of it
 * (pkg-config chladni_demo). */
#ifndef CHLADNI_DEMO_H
#define CHLADNI_DEMO_H
#include <chladni/judge.h>
#include <chladni/status.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- the judge -------------------------------------------------------------------------------- */
/* Lets chl_train train a "judge" (docs/training.md). Call it once, before the process trains. */
CHL_CHECKED chl_status chl_demo_register(void);
/* For chl_trial_options.judged_by: reads such a judge's weights. Attributes: "time", "season",
 * "house". */
CHL_API const chl_judge *chl_demo_judge(void);

/* --- the demo's world ------------------------------------------------------------------------- */
/* Writes a folder of samples from a small procedural world, as trainings read it
 * (docs/training.md). Built with CHLADNI_WORLD=OFF every function here fails with
 * CHL_ERR_UNSUPPORTED; nothing else needs them. */
typedef enum chl_world_split {
    CHL_WORLD_TRAIN, /* all synthesis algorithms but the held-out one; with the planted bias */
    CHL_WORLD_TEST,  /* the held-out synthesis algorithm only, no bias */
    CHL_WORLD_CALM   /* scenes without an event and without sounds: pictures to edit */
} chl_world_split;
/* A return value other than 0 stops with CHL_ERR_CANCELLED; pairs.jsonl is then not written. */
typedef int (*chl_world_callback)(void *user, int64_t done, int64_t count);

typedef struct chl_world_options {
    uint32_t size;
    const char *out; /* folder; created if it does not exist */
    int64_t count;
    uint64_t seed; /* the splits of one seed share no sample */
    chl_world_split split;
    int side;      /* pixels on a side: 128, in [32, 1024] */
    float seconds; /* mean length of a sound: 6, in [0.1, 600] */
    int no_sounds; /* 1: pictures and latents only; a sixth of them without an event */
    float bias;    /* 0.8: share of the training samples that have their kind's favourite time of
                      day, season and house */
    float min_strength; /* 0.25: strengths are drawn from here to 1. An edit of a calm scene passes
                           where an event is hardly seen: a generator may want to know that */
    float second_event; /* 0: share of the pictures with an event that show a weaker second one, and
                           have no label; only with no_sounds */
    int force;          /* 1: write to a folder that is not empty */
    chl_world_callback progress;
    void *user;
    /* [count]: 0 leaves out the picture and the sound of a sample. The tables, and the files that
     * are written, stay those of the whole folder: enough for a reader that opens a few of them.
     * NULL: all are written. */
    const unsigned char *written;
    /* [count]: 0 leaves out the sound of a sample, in the same way. NULL: all are written. */
    const unsigned char *with_sound;
} chl_world_options;
CHL_API void chl_world_options_init(size_t size, chl_world_options *options);
static inline chl_world_options chl_world_defaults(void) {
    chl_world_options options;
    chl_world_options_init(sizeof options, &options);
    return options;
}
CHL_CHECKED chl_status chl_world_write(const chl_world_options *options);
/* One sound as WAV. kind: "rain", "ocean waves" or one word of it; algorithm 0 ... 3; strength
 * [0,1]; recorded 1: with the room, the noise and the microphone of a recording. */
CHL_CHECKED chl_status chl_world_sound(const char *kind, int algorithm, float strength,
                                       int recorded, uint64_t seed, float seconds,
                                       const char *path);
/* One picture as PNG. kind NULL: without an event. */
CHL_CHECKED chl_status chl_world_picture(const char *kind, float strength, uint64_t seed, int side,
                                         const char *path);

#ifdef __cplusplus
}
#endif
#endif
