/* The engine of the jobs at hand; jobs with other models open another. */
#include "batch.h"
#include <string.h>

static bool same_models(const batch *b, const batch_job *job) {
    if (!b->engine) return false;
    const batch_job *last = &b->job[b->engine_of];
    if (last->group == job->group) return true;
    const chl_engine_options *x = &last->e.ask.models, *y = &job->e.ask.models;
    const char *const files[][2] = {{x->generator, y->generator}, {x->clip, y->clip},
                                    {x->vocab, y->vocab},         {x->audio, y->audio},
                                    {x->face, y->face},           {x->encoder, y->encoder},
                                    {x->device, y->device}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(files[i][0] ? files[i][0] : "", files[i][1] ? files[i][1] : "") != 0)
            return false;
    return x->precision == y->precision && x->mel == y->mel &&
           x->clip_exact_gelu == y->clip_exact_gelu && x->clip_compatible == y->clip_compatible &&
           x->conv_clamp == y->conv_clamp && x->clip_image_heads == y->clip_image_heads &&
           x->clip_text_heads == y->clip_text_heads && x->generator_class == y->generator_class;
}

chl_status batch_open_engine(batch *b, const batch_job *job) {
    if (same_models(b, job)) return CHL_OK;
    chl_engine_close(b->engine);
    b->engine = NULL;
    b->engine_of = (int)(job - b->job);
    return chl_engine_open(&job->e.ask.models, &b->engine);
}
