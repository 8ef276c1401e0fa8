/* As strong as a bound allows: a search over the weight of L_reg, or of L_out where the change outside a
 * region is bound, many edits at once.
 *
 * A weight's edit either keeps the bound or breaks it. Of each edit the search holds the nearest code
 * on either side; the source itself keeps every bound. The first round runs all edits from their
 * sources with the options' weight. Each further round tries a few weights per edit: beyond the last
 * one while all are on one side, then around the place where a straight line through both sides'
 * values, over the logarithm of the weight, meets the bound. They start from the nearer side's code,
 * so that a fraction of the steps is enough. What the rounds leave over is settled on the line
 * between both codes, where nothing is optimised, only looked at; and the line from the source to the
 * first round's code is a candidate always, so that no result is weaker than an edit turned down. */
#include "base/options.h"
#include "edit/goal_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FACTOR_UP 2      /* between weights while all break the bound */
#define FACTOR_DOWN 8    /* while all keep it */
#define LOWEST 512       /* times smaller counts as 0 where a logarithm is needed */
#define SPREAD 0.2       /* between weights of a round, as a share of the bracket */
#define SHARE_OF_STEPS 5 /* a warm start takes this part of an edit's steps */
#define MAX_LOOKS 12     /* on a line between two codes, of which there are two */
#define MAX_TRIALS (CHL_GOAL_POINTS - 2 * MAX_LOOKS - 1)

/* A code on one side of the bound. */
typedef struct side {
    bool there;
    double weight, room;
    float *trained, *w;
} side;

typedef struct search {
    chl_engine *engine;
    chl_edit_options options;
    chl_goal_options goal;
    int n, at_once; /* edits; optimisations in one batch */
    int64_t code, numbers;
    const float *source, *target;
    float *edited, *first; /* [n]; first: of round 0 */
    chl_goal_result *result;
    chl_goal_meter meter;
    side *keeps, *breaks; /* [n] */
    bool *done;           /* [n] */
    /* trials of a round, [most] each */
    int trials, most;
    int *edit;
    float *weight, *from, *to, *w, *kept, *cosine, *sources, *targets;
    /* progress of the whole search */
    int steps_done, steps_all;
} search;

/* --- results ---------------------------------------------------------------------------------- */
static bool is_within(const search *s, double room) {
    return room >= 0 && room <= (double)s->goal.tolerance * fabs((double)s->goal.bound);
}

/* Within the tolerance beats stronger, stronger beats weaker. */
static bool is_better(const search *s, int edit, const chl_goal_point *p) {
    const chl_goal_result *r = &s->result[edit];
    const double room = chl_goal_room(&s->goal, (double)p->kept);
    if (!(room >= 0)) return false;
    if (r->chosen < 0) return true;
    const chl_goal_point *best = &r->point[r->chosen];
    const bool old = is_within(s, chl_goal_room(&s->goal, (double)best->kept)),
               new = is_within(s, room);
    return old != new ? new : p->cosine > best->cosine;
}

static void add_point(search *s, int edit, chl_goal_point p, const float *w) {
    chl_goal_result *r = &s->result[edit];
    const bool better = is_better(s, edit, &p);
    r->point[r->points] = p;
    if (better) {
        r->chosen = r->points;
        r->within = is_within(s, chl_goal_room(&s->goal, (double)p.kept));
        memcpy(s->edited + edit * s->code, w, sizeof(float) * (size_t)s->code);
    }
    r->points++;
}

/* The nearer to the bound, the better it brackets. */
static void take_side(search *s, int trial) {
    const int edit = s->edit[trial];
    const double room = chl_goal_room(&s->goal, (double)s->kept[trial]);
    side *to = room >= 0 ? &s->keeps[edit] : &s->breaks[edit];
    const bool measured = isfinite(to->weight);
    if (to->there && measured && fabs(room) >= fabs(to->room)) return;
    to->there = true;
    to->room = room;
    to->weight = (double)s->weight[trial];
    memcpy(to->trained, s->to + trial * s->numbers, sizeof(float) * (size_t)s->numbers);
    memcpy(to->w, s->w + trial * s->code, sizeof(float) * (size_t)s->code);
}

static void take_trials(search *s, int steps) {
    for (int t = 0; t < s->trials; t++) {
        const int edit = s->edit[t];
        add_point(s, edit, (chl_goal_point){s->weight[t], s->kept[t], s->cosine[t]},
                  s->w + t * s->code);
        s->result[edit].steps += steps;
        take_side(s, t);
    }
    for (int i = 0; i < s->n; i++) {
        chl_goal_result *r = &s->result[i];
        r->slack = !s->breaks[i].there && s->keeps[i].weight == 0;
        s->done[i] = r->within || r->slack;
    }
}

/* The options' own weight of what is searched for. */
static float first_weight(const search *s) {
    return s->goal.keep == CHL_KEEP_OUTSIDE ? (float)s->options.region_weight
                                            : s->options.latent_weight;
}

/* --- a round ---------------------------------------------------------------------------------- */
static int on_progress(void *user, const chl_edit_progress *progress) {
    const search *s = user;
    chl_edit_progress whole = *progress;
    whole.step = s->steps_done + progress->step;
    whole.steps = s->steps_all;
    whole.w = NULL;
    return s->options.progress ? s->options.progress(s->options.user, &whole) : 0;
}

static chl_status run_some(search *s, int first, int count, int steps, bool warm) {
    const int64_t embed = s->engine->clip->config.embed;
    for (int i = 0; i < count; i++) {
        const int edit = s->edit[first + i];
        memcpy(s->sources + i * s->code, s->source + edit * s->code,
               sizeof(float) * (size_t)s->code);
        memcpy(s->targets + i * embed, s->target + edit * embed, sizeof(float) * (size_t)embed);
    }
    const chl_edit_many_more more = {.weight = s->weight + first,
                                     .of_region = s->goal.keep == CHL_KEEP_OUTSIDE,
                                     .from = warm ? s->from + first * s->numbers : NULL,
                                     .to = s->to + first * s->numbers};
    chl_edit_options options = s->options;
    options.steps = steps;
    options.progress = on_progress;
    options.user = s;
    CHL_TRY(chl_edit_run(s->engine, &options, &more, count, s->sources, s->targets,
                         s->w + first * s->code, NULL));
    s->steps_done += warm ? steps : chl_edit_steps(&options);
    return CHL_OK;
}

static chl_status run_trials(search *s, int steps, bool warm) {
    for (int first = 0; first < s->trials; first += s->at_once) {
        const int left = s->trials - first;
        CHL_TRY(run_some(s, first, left < s->at_once ? left : s->at_once, steps, warm));
    }
    CHL_TRY(chl_goal_measure(&s->meter, s->trials, s->edit, s->w, s->kept, s->cosine));
    take_trials(s, warm ? steps : chl_edit_steps(&s->options));
    return CHL_OK;
}

/* `from` is copied: sides change while a round is taken. */
static void add_trial(search *s, int edit, double weight, const side *from) {
    const int t = s->trials++;
    s->edit[t] = edit;
    s->weight[t] = (float)weight;
    memcpy(s->from + t * s->numbers, from->trained, sizeof(float) * (size_t)s->numbers);
}

static void add_between(search *s, int edit) {
    const side *keeps = &s->keeps[edit], *breaks = &s->breaks[edit];
    const int count = s->goal.weights_at_once;
    const double high = log(keeps->weight);
    const double low = breaks->weight > 0 ? log(breaks->weight) : high - log(LOWEST);
    const double meets = breaks->room / (breaks->room - keeps->room);
    for (int k = 0; k < count; k++) {
        const double at = fmin(fmax(meets + SPREAD * (k - 0.5 * (count - 1)), 0.02), 0.98);
        add_trial(s, edit, exp(low + at * (high - low)), at < 0.5 ? breaks : keeps);
    }
}

static void add_beyond(search *s, int edit, bool last_round) {
    const side *keeps = &s->keeps[edit], *breaks = &s->breaks[edit];
    const int count = s->goal.weights_at_once;
    for (int k = 0; k < count; k++) {
        if (breaks->there) {
            const double base = fmax(breaks->weight, (double)first_weight(s));
            add_trial(s, edit, base * pow(FACTOR_UP, k + 1), breaks);
        } else {
            const bool zero = k == count - 1 && (count > 1 || last_round);
            add_trial(s, edit, zero ? 0 : keeps->weight / pow(FACTOR_DOWN, k + 1), keeps);
        }
    }
}

static void choose_trials(search *s, bool last_round) {
    s->trials = 0;
    for (int i = 0; i < s->n; i++) {
        const side *keeps = &s->keeps[i], *breaks = &s->breaks[i];
        if (s->done[i]) continue;
        if (!breaks->there || !isfinite(keeps->weight))
            add_beyond(s, i, last_round);
        else if (keeps->weight > breaks->weight)
            add_between(s, i);
    }
}

/* --- between two codes ------------------------------------------------------------------------ */
typedef struct between {
    const float *kept, *broken; /* codes of the ends */
    double from, to;            /* shares of the way from the one to the other */
    double room_from, room_to;  /* room_from >= 0 > room_to */
} between;

/* Where a straight line meets the middle of the tolerance, but not near an end of the interval. */
static double next_look(const search *s, const between *b) {
    const double aim = 0.5 * (double)s->goal.tolerance * fabs((double)s->goal.bound);
    const double share = (b->room_from - aim) / (b->room_from - b->room_to);
    return b->from + fmin(fmax(share, 0.05), 0.95) * (b->to - b->from);
}

static void mix_codes(const search *s, const between *b, double share, float *w) {
    for (int64_t i = 0; i < s->code; i++)
        w[i] = (float)((1 - share) * (double)b->kept[i] + share * (double)b->broken[i]);
}

static void take_look(search *s, int trial, double share, between *b) {
    const int edit = s->edit[trial];
    const double room = chl_goal_room(&s->goal, (double)s->kept[trial]);
    add_point(s, edit, (chl_goal_point){-1, s->kept[trial], s->cosine[trial]},
              s->w + trial * s->code);
    s->result[edit].evaluations++;
    s->done[edit] = is_within(s, room);
    *(room >= 0 ? &b->from : &b->to) = share;
    *(room >= 0 ? &b->room_from : &b->room_to) = room;
}

static chl_status look_between(search *s, between *b, double *share) {
    for (int look = 0; look < MAX_LOOKS; look++) {
        s->trials = 0;
        for (int i = 0; i < s->n; i++) {
            if (s->done[i]) continue;
            share[s->trials] = next_look(s, &b[i]);
            mix_codes(s, &b[i], share[s->trials], s->w + s->trials * s->code);
            s->edit[s->trials++] = i;
        }
        if (!s->trials) return CHL_OK;
        CHL_TRY(chl_goal_measure(&s->meter, s->trials, s->edit, s->w, s->kept, s->cosine));
        for (int t = 0; t < s->trials; t++) take_look(s, t, share[t], &b[s->edit[t]]);
    }
    return CHL_OK;
}

/* Between both sides of the bound, for edits of which no weight was within the tolerance. */
static void join_sides(search *s, between *b) {
    for (int i = 0; i < s->n; i++) {
        const side *keeps = &s->keeps[i], *breaks = &s->breaks[i];
        s->done[i] = s->result[i].within || !breaks->there;
        b[i] = (between){keeps->w, breaks->w, 0, 1, keeps->room, breaks->room};
    }
}

/* Between the source and the first edit: less of the same change. Where this is stronger than what
 * the search found, it is the result. */
static void join_sources(search *s, between *b) {
    const double whole = chl_goal_room(&s->goal, s->goal.keep == CHL_KEEP_IDENTITY ? 1 : 0);
    for (int i = 0; i < s->n; i++) {
        const double room = chl_goal_room(&s->goal, (double)s->result[i].point[0].kept);
        s->done[i] = room >= 0;
        b[i] = (between){s->source + i * s->code, s->first + i * s->code, 0, 1, whole, room};
    }
}

static chl_status settle(search *s) {
    between *b = calloc((size_t)s->n, sizeof *b);
    double *share = calloc((size_t)s->n, sizeof *share);
    chl_status status =
        b && share ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a search");
    if (status == CHL_OK) {
        join_sides(s, b);
        status = look_between(s, b, share);
    }
    if (status == CHL_OK) {
        join_sources(s, b);
        status = look_between(s, b, share);
    }
    free(b);
    free(share);
    return status;
}

/* --- all of it -------------------------------------------------------------------------------- */
static float *floats(int64_t count) {
    return calloc((size_t)count, sizeof(float));
}

static bool allocate_sides(const search *s, side *sides) {
    bool all = sides != NULL;
    for (int i = 0; all && i < s->n; i++) {
        sides[i].trained = floats(s->numbers);
        sides[i].w = floats(s->code);
        all = sides[i].trained && sides[i].w;
    }
    return all;
}

static bool allocate(search *s) {
    const int64_t embed = s->engine->clip->config.embed;
    s->keeps = calloc((size_t)s->n, sizeof *s->keeps);
    s->breaks = calloc((size_t)s->n, sizeof *s->breaks);
    s->done = calloc((size_t)s->n, sizeof *s->done);
    s->edit = calloc((size_t)s->most, sizeof *s->edit);
    s->weight = floats(s->most);
    s->from = floats(s->most * s->numbers);
    s->to = floats(s->most * s->numbers);
    s->w = floats(s->most * s->code);
    s->first = floats(s->n * s->code);
    s->kept = floats(s->most);
    s->cosine = floats(s->most);
    s->sources = floats(s->at_once * s->code);
    s->targets = floats(s->at_once * embed);
    return allocate_sides(s, s->keeps) && allocate_sides(s, s->breaks) && s->done && s->edit &&
           s->weight && s->from && s->to && s->w && s->first && s->kept && s->cosine &&
           s->sources && s->targets;
}

static void release(search *s) {
    for (int i = 0; i < s->n; i++) {
        if (s->keeps) free(s->keeps[i].trained);
        if (s->keeps) free(s->keeps[i].w);
        if (s->breaks) free(s->breaks[i].trained);
        if (s->breaks) free(s->breaks[i].w);
    }
    void *all[] = {s->first, s->keeps, s->breaks, s->done,   s->edit,    s->weight, s->from,
                   s->to,    s->w,     s->kept,   s->cosine, s->sources, s->targets};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    chl_goal_meter_free(&s->meter);
}

/* The source keeps every bound. No round starts from it again: its `trained` stays unset. */
static void begin(search *s) {
    memcpy(s->edited, s->source, sizeof(float) * (size_t)(s->n * s->code));
    for (int i = 0; i < s->n; i++) {
        side *keeps = &s->keeps[i];
        s->result[i] = (chl_goal_result){.chosen = -1};
        keeps->there = true;
        keeps->weight = INFINITY;
        keeps->room = chl_goal_room(&s->goal, s->goal.keep == CHL_KEEP_IDENTITY ? 1 : 0);
        memcpy(keeps->w, s->source + i * s->code, sizeof(float) * (size_t)s->code);
        s->edit[i] = i;
        s->weight[i] = first_weight(s);
    }
    s->trials = s->n;
}

static chl_status seek(search *s) {
    const int steps = s->goal.round_steps                  ? s->goal.round_steps
                      : s->options.steps >= SHARE_OF_STEPS ? s->options.steps / SHARE_OF_STEPS
                                                           : 1;
    const int batches = (s->most + s->at_once - 1) / s->at_once;
    s->steps_all = chl_edit_steps(&s->options) + s->goal.rounds * batches * steps;
    CHL_TRY(chl_goal_meter_open(s->engine, s->goal.keep, s->options.region, s->n, s->at_once,
                                s->source, s->target, &s->meter));
    begin(s);
    CHL_TRY(run_trials(s, s->options.steps, false));
    memcpy(s->first, s->w, sizeof(float) * (size_t)(s->n * s->code));
    for (int round = 0; round < s->goal.rounds; round++) {
        choose_trials(s, round == s->goal.rounds - 1);
        if (!s->trials) break;
        CHL_TRY(run_trials(s, steps, true));
    }
    return settle(s);
}

/* --- public ----------------------------------------------------------------------------------- */
void chl_goal_options_init(size_t size, chl_goal_options *options) {
    const chl_goal_options defaults = {
        .bound = 1, .tolerance = 0.02f, .rounds = 3, .weights_at_once = 3};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

chl_status chl_goal_check(const chl_goal_options *goal) {
    CHL_TRY(chl_check_enum((int)goal->keep, CHL_KEEP_OUTSIDE + 1, "keep"));
    const bool identity = goal->keep == CHL_KEEP_IDENTITY;
    CHL_TRY(chl_check_float(isfinite(goal->bound) && goal->bound > (identity ? -1.0f : 0.0f) &&
                                (!identity || goal->bound < 1),
                            "bound", identity ? "in (-1, 1)" : "> 0", (double)goal->bound));
    CHL_TRY(chl_check_float(isfinite(goal->tolerance) && goal->tolerance > 0, "tolerance", "> 0",
                            (double)goal->tolerance));
    CHL_TRY(chl_check_int(goal->rounds >= 0 && goal->rounds <= MAX_TRIALS, "rounds", "in [0, 39]",
                          goal->rounds));
    CHL_TRY(
        chl_check_int(goal->weights_at_once >= 1 &&
                          goal->weights_at_once <= MAX_TRIALS / (goal->rounds ? goal->rounds : 1),
                      "weights_at_once", ">= 1, and at most 39 / rounds", goal->weights_at_once));
    return chl_check_int(goal->round_steps >= 0, "round_steps", ">= 0", goal->round_steps);
}

chl_status chl_edit_to_goal(chl_engine *engine, const chl_edit_options *options,
                            const chl_goal_options *goal, int n, const float *source,
                            const float *target, float *edited, chl_goal_result *results) {
    CHL_NEEDS(engine, goal, source, target, edited, results);
    search s = {.engine = engine, .n = n, .source = source, .target = target, .edited = edited};
    s.goal = chl_goal_defaults();
    s.result = results;
    CHL_TRY(chl_edit_take_options(engine, options, &s.options));
    CHL_TRY(chl_options_take(&s.goal, sizeof s.goal, goal, "chl_goal_options"));
    CHL_TRY(chl_check_int(n >= 1, "n", ">= 1", n));
    CHL_TRY(chl_goal_check(&s.goal));
    const bool outside = s.goal.keep == CHL_KEEP_OUTSIDE;
    if (outside) CHL_TRY(chl_need(s.options.region, "region", "keeping what lies outside"));
    CHL_TRY(chl_check_float(first_weight(&s) > 0, outside ? "region_weight" : "latent_weight",
                            "> 0 for a goal", (double)first_weight(&s)));
    if (s.goal.keep == CHL_KEEP_IDENTITY)
        CHL_TRY(chl_need(engine->face, "face", "keeping the identity"));
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    s.code = (int64_t)sizes->rows * sizes->latent;
    s.numbers = s.options.space == CHL_SPACE_SHARED ? sizes->latent : s.code;
    CHL_FINITE(source, n * s.code);
    CHL_FINITE(target, n * (int64_t)engine->clip->config.embed);
    s.at_once = n > s.goal.weights_at_once ? n : s.goal.weights_at_once;
    CHL_TRY(chl_check_int(n <= INT32_MAX / s.goal.weights_at_once, "n",
                          "a number of edits that fits into memory", n));
    s.most = n * s.goal.weights_at_once;
    const chl_log_sink before = chl_log_divert(engine->log);
    const chl_status status =
        allocate(&s) ? seek(&s) : chl_fail(CHL_ERR_MEMORY, "out of memory for %d searches", n);
    release(&s);
    return chl_log_restore(before, status);
}
