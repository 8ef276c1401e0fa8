/* Several beginnings. What a text or a sound asks for may be nowhere near the source: where waves lie
 * beneath the picture's lower edge until they are strong, the source's gradient does not know of them,
 * and the edit ends without any. From a code that is a little elsewhere it may. So a few short
 * optimisations begin around the source, and the one with the smallest loss goes on for all steps.
 * L_reg is from the source throughout: which one goes on is the loss's choice alone. */
#include "base/options.h"
#include "edit/edit_private.h"
#include "models/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE 0x53746172u /* Philox key of these draws */
#define SPREAD 0.4f         /* of the beginnings, as a share of the mapped codes' */
#define SHARE_OF_STEPS 4    /* a beginning is followed for this part of an edit's steps */

typedef struct search {
    chl_engine *engine;
    chl_edit_options options;
    chl_edit_many_more more;
    int n;
    int64_t code, numbers; /* in w; in what is trained */
    const float *source;
    float *move, *from, *to, *best; /* [latent]; [n][numbers] */
    float *loss, *least;            /* [n] */
    int steps_done, steps_all;
} search;

static int steps_of_start(const chl_edit_options *options) {
    if (options->start_steps > 0) return options->start_steps;
    return options->steps >= SHARE_OF_STEPS ? options->steps / SHARE_OF_STEPS : 1;
}

int chl_edit_steps(const chl_edit_options *options) {
    if (!options) return 0;
    return options->starts < 2 ? options->steps
                               : options->steps + options->starts * steps_of_start(options);
}

/* s->from has room for u, and is written next. */
static void draw_move(search *s, const float *root, int start) {
    const chl_code_draws draws = {.latent = s->engine->generator->sizes.latent,
                                  .root = s->options.space == CHL_SPACE_WHITENED ? NULL : root,
                                  .seed = s->options.seed,
                                  .purpose = PURPOSE};
    chl_code_draw(&draws, (uint64_t)start, SPREAD, s->from, s->move);
}

/* The first one is the source. Rows that may not move stay. */
static void begin(search *s, const float *root, int start) {
    const int64_t latent = s->engine->generator->sizes.latent;
    if (start) draw_move(s, root, start);
    for (int64_t i = 0; i < s->n * s->numbers; i++) {
        const bool of_code = s->numbers == s->code;
        const bool moves =
            start && !(of_code && s->options.rows && !s->options.rows[i % s->code / latent]);
        s->from[i] = (s->options.space == CHL_SPACE_W ? s->source[i] : 0) +
                     (moves ? s->move[i % latent] : 0);
    }
}

static int on_progress(void *user, const chl_edit_progress *progress) {
    const search *s = user;
    chl_edit_progress whole = *progress;
    whole.step = s->steps_done + progress->step;
    whole.steps = s->steps_all;
    whole.seconds_left = progress->seconds / progress->step * (whole.steps - whole.step);
    return s->options.progress(s->options.user, &whole);
}

static chl_status run(search *s, int steps, const float *target, float *edited, float *mask) {
    chl_edit_options options = s->options;
    options.steps = steps;
    options.progress = s->options.progress ? on_progress : NULL;
    options.user = s;
    CHL_TRY(chl_edit_once(s->engine, &options, &s->more, s->n, s->source, target, edited, mask));
    s->steps_done += steps;
    return CHL_OK;
}

/* Some codes of a beginning may break down, as of its rate: their loss is infinite then. */
static chl_status try_start(search *s, const float *root, int start, const float *target,
                            float *edited) {
    begin(s, root, start);
    s->more.from = s->from;
    s->more.to = s->to;
    s->more.loss = s->loss;
    const chl_status status = run(s, steps_of_start(&s->options), target, edited, NULL);
    if (status != CHL_OK && status != CHL_ERR_NUMERIC) return status;
    for (int i = 0; i < s->n; i++) {
        if (start && !(s->loss[i] < s->least[i])) continue;
        const float *better = (start                  ? s->to
                               : isfinite(s->loss[i]) ? s->to
                                                      : s->from) +
                              i * s->numbers;
        s->least[i] = s->loss[i];
        memcpy(s->best + i * s->numbers, better, sizeof(float) * (size_t)s->numbers);
    }
    return CHL_OK;
}

static chl_status allocate(search *s) {
    const size_t all = (size_t)(s->n * s->numbers),
                 latent = (size_t)s->engine->generator->sizes.latent;
    s->move = malloc(sizeof(float) * latent);
    s->from = malloc(sizeof(float) * all);
    s->to = malloc(sizeof(float) * all);
    s->best = malloc(sizeof(float) * all);
    s->loss = malloc(sizeof(float) * (size_t)s->n);
    s->least = malloc(sizeof(float) * (size_t)s->n);
    if (s->move && s->from && s->to && s->best && s->loss && s->least) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "out of memory for the beginnings of %d edits", s->n);
}

chl_status chl_edit_run(chl_engine *engine, const chl_edit_options *options,
                        const chl_edit_many_more *more, int n, const float *source,
                        const float *target, float *edited, float *mask) {
    chl_edit_options from_here = *options;
    if (more && more->from) from_here.code_noise = 0; /* it would leave where it is to begin */
    if (options->starts < 2 || (more && more->from))
        return chl_edit_once(engine, &from_here, more, n, source, target, edited, mask);
    const chl_code_statistics *codes;
    search s = {.engine = engine, .options = *options, .n = n, .source = source};
    if (more) s.more = *more;
    float *const to = s.more.to;
    s.steps_all = chl_edit_steps(options);
    s.code = (int64_t)engine->generator->sizes.rows * engine->generator->sizes.latent;
    s.numbers = options->space == CHL_SPACE_SHARED ? engine->generator->sizes.latent : s.code;
    chl_status status = chl_generator_whitening(engine->generator, &codes);
    if (status == CHL_OK) status = allocate(&s);
    for (int k = 0; status == CHL_OK && k < options->starts; k++)
        status = try_start(&s, codes->root, k, target, edited);
    if (status == CHL_OK) {
        s.more.from = s.best;
        s.more.to = to;
        s.more.loss = NULL;
        status = run(&s, options->steps, target, edited, mask);
    }
    float *all[] = {s.move, s.from, s.to, s.best, s.loss, s.least};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    return status;
}
