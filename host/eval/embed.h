/* Many sounds and labels to embeddings, and progress on the way. */
#ifndef CHL_EVAL_EMBED_H
#define CHL_EVAL_EMBED_H
#include "data/media.h"
#include "models/audio_encoder.h"
#include "models/clip.h"
#include <chladni/eval.h>

/* A progress callback and what it is told about. */
typedef struct chl_progress_watch {
    chl_eval_callback progress; /* may be NULL */
    void *user;
} chl_progress_watch;
/* CHL_ERR_CANCELLED when the callback asks to stop. */
chl_status chl_report_progress(const chl_progress_watch *watch, const char *what, int64_t done,
                               int64_t count);

/* sound [count] -> embedding [count][embed]; gain_db [count], NULL = all 0. As chl_embed_sound_level
 * does it, in batches. */
chl_status chl_eval_embed_sounds(chl_audio_encoder *encoder, int64_t count, const chl_media *sound,
                                 const float *gain_db, const chl_progress_watch *watch,
                                 float *embedding);
/* The same with the features of the encoder's trunk, as they are: [count][encoder->sizes.trunk]. */
chl_status chl_eval_trunk_of_sounds(chl_audio_encoder *encoder, int64_t count,
                                    const chl_media *sound, const float *gain_db,
                                    const chl_progress_watch *watch, float *features);

/* label [count] -> embedding [count][embed]: each the unit vector along the mean over the prompts,
 * in which "{}" stands for the label. prompts 0: CHL_EVAL_PROMPTS. */
chl_status chl_eval_embed_labels(chl_clip *clip, int count, const char *const *label, int prompts,
                                 const char *const *prompt, float *embedding);
/* The same with names of folders and tables: label_text [count] (NULL whole or single ones) replaces
 * a label in its prompts; otherwise its underscores are spaces there. */
chl_status chl_eval_embed_named(chl_clip *clip, int count, const char *const *label,
                                const char *const *label_text, int prompts,
                                const char *const *prompt, float *embedding);
/* The text with spaces for underscores, to be freed; NULL without memory. */
char *chl_eval_spaced(const char *label);
/* Frees text [count], of which any may be NULL. */
void chl_eval_free_texts(int count, char **text);

/* sound [d], label [labels][d], all of length 1 -> score [labels], the cosines; the largest one's
 * index. */
int chl_eval_nearest(int labels, int d, const float *sound, const float *label, float *score);
#endif
