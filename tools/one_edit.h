/* One edit of one source by one target: a row of `batch`, a recipe, what `replay` does again. */
#ifndef CHL_TOOLS_ONE_EDIT_H
#define CHL_TOOLS_ONE_EDIT_H
#include "digest.h"
#include "edit_settings.h"

typedef struct one_edit {
    edit_settings ask;
    const char *seed, *sound;
    float level; /* gain of the sound in dB */
} one_edit;

/* The flags of an edit, in the order of `chladni edit --help`. The texts are not copied. */
#define ONE_EDIT_OPTIONS(e)                                                                         \
    {"image",      NULL,                                                                            \
     OPTION_INPUT, &(e).ask.image,                                                                  \
     "P",          "picture to edit (PNG, JPEG, WebP, HEIC); it is inverted first",                 \
     NULL},                                                                                         \
        {"seed", NULL, OPTION_TEXT, &(e).seed, "N", "seed of the picture to edit", NULL},           \
        {"latent",          NULL, OPTION_INPUT, &(e).ask.latent, "W.npy|W.npz|W.pt",                \
         "W+ code to edit", NULL},                                                                  \
        {"sound", "audio-path", OPTION_INPUT, &(e).sound, "S", "sound that guides the edit", NULL}, \
        {"level", NULL, OPTION_FLOAT, &(e).level, "DB", "gain of the sound in dB (default 0)",      \
         NULL},                                                                                     \
        {"text", NULL, OPTION_TEXT, &(e).ask.text, "T", "text that guides the edit", NULL},         \
        {"mix",                                                                                     \
         NULL,                                                                                      \
         OPTION_TEXT,                                                                               \
         &(e).ask.mix,                                                                              \
         "linear:A|rows:K",                                                                         \
         "mix the edits by text and sound",                                                         \
         NULL},                                                                                     \
        DIRECTION_OPTIONS((e).ask), SETTINGS_OPTIONS((e).ask)

/* A table of ONE_EDIT_OPTIONS alone, bound to `*one_edit_bound()`. */
const command_line *one_edit_table(void);
one_edit *one_edit_bound(void);
one_edit one_edit_defaults(void);

/* Reads what is text, and checks what no single flag can say. NULL, or what is wrong, in flags;
 * valid until the next call. */
const char *one_edit_settle(one_edit *e);
/* The optimisations it takes: 2 for a mix. */
static inline int one_edit_slots(const one_edit *e) {
    return e->ask.mix ? 2 : 1;
}
uint64_t one_edit_seed(const one_edit *e);

/* {flag: text} of what differs from the defaults, in the order of the table; NULL without memory. */
json_t *one_edit_options(const one_edit *e);

/* Digests of files, each computed once: paths to digests. */
typedef struct file_digests {
    json_t *known;
} file_digests;
/* NULL (with the reason in say_error's place) for a file that cannot be read. */
const char *file_digest(file_digests *files, const char *path);
void file_digests_free(file_digests *files);

/* {flag: SHA-256} of the files that are named; which: all, the models, or what is edited and heard. */
typedef enum edit_files { EDIT_ALL_FILES, EDIT_MODELS, EDIT_INPUTS } edit_files;
chl_status one_edit_digests(file_digests *files, const one_edit *e, edit_files which,
                            json_t **digests);
bool is_edit_input(const char *flag);

/* --- doing it: one_edit_run.c ----------------------------------------------------------------- */
/* source [rows][latent]: the code of the seed, file or inverted picture. */
chl_status one_edit_source(chl_engine *engine, const one_edit *e, chl_progress_callback progress,
                           void *user, float *source);
/* The engine's generator tuned to the image at its code, where that is asked for (chl_untune). */
chl_status one_edit_tune(chl_engine *engine, const edit_settings *ask,
                         chl_progress_callback progress, void *user, const float *source);
/* w [rows][latent]: a source, moved along the edit's direction. */
chl_status one_edit_move(chl_engine *engine, file_digests *files, const edit_settings *ask,
                         const float *source, float *w);
/* target [slots][embedding]: of a mix the text's, then the sound's. */
chl_status one_edit_target(chl_engine *engine, const one_edit *e, int slot, float *target);
/* The options, and what they point to: `numbers`, to be freed. */
chl_status one_edit_library_options(chl_engine *engine, const one_edit *e,
                                    chl_edit_options *options, float **numbers);
/* codes [slots][rows][latent] -> w [rows][latent] */
chl_status one_edit_result(const chl_engine *engine, const one_edit *e, const float *codes,
                           float *w);
#endif
