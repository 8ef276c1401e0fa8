/* What an edit can be told beyond the paper: the scale of its distances, whitened W, many edits at
 * once, mixing, levels, contact sheets. On random models: they know nothing, but every formula
 * holds for them too. */
#include "base/numpy_random.h"
#include "base/symmetric_root.h"
#include "edit/optimise.h"
#include "harness/parity.h"
#include "models/engine.h"
#include <string.h>
#include <unistd.h>

#define WAVE_SAMPLES 44100

static char folder[] = "/tmp/chladni-edit-XXXXXX";
static chl_engine *engine, *compatible;
static chl_engine_sizes size;
static int64_t numbers; /* in a code */
static float *source, *target;

#define MOST 3 /* edits at once */

static void put(const void *data, size_t bytes, FILE *file) {
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
}

/* float32 WAV: tones in noise, so that a level shows in every band */
static void write_wave(const char *path, float factor) {
    const uint32_t header[] = {0x46464952,
                               36 + 4 * WAVE_SAMPLES,
                               0x45564157,
                               0x20746d66,
                               16,
                               0x00010003,
                               44100,
                               4 * 44100,
                               0x00200004,
                               0x61746164,
                               4 * WAVE_SAMPLES};
    float *wave = parity_formula("wave", 0, 0.2, WAVE_SAMPLES);
    for (int i = 0; i < WAVE_SAMPLES; i++) wave[i] *= factor;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    put(header, sizeof header, file);
    put(wave, sizeof *wave * WAVE_SAMPLES, file);
    fclose(file);
    free(wave);
}

static int open_models(void **state) {
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    MUST(chl_weights_random("generator", 1, "g.safetensors"));
    MUST(chl_weights_random("clip", 2, "c.safetensors"));
    MUST(chl_weights_random("audio", 3, "a.safetensors"));
    chl_engine_options options = {.size = sizeof options,
                                  .generator = "g.safetensors",
                                  .clip = "c.safetensors",
                                  .audio = "a.safetensors",
                                  .mel = CHL_MEL_ABSOLUTE};
    MUST(chl_engine_open(&options, &engine));
    options.mel = CHL_MEL_COMPATIBLE;
    MUST(chl_engine_open(&options, &compatible));
    size = chl_engine_get_sizes(engine);
    numbers = (int64_t)size.rows * size.latent;
    source = malloc(sizeof(float) * MOST * (size_t)numbers);
    for (int i = 0; i < MOST; i++)
        MUST(chl_seed_latent(engine, 20 + (uint64_t)i, 0.7f, source + i * numbers));
    target = parity_target(MOST, size.embedding);
    return 0;
}

static int close_models(void **state) {
    (void)state;
    chl_engine_close(engine);
    chl_engine_close(compatible);
    free(source);
    free(target);
    static const char *const files[] = {"g.safetensors", "c.safetensors", "a.safetensors",
                                        "loud.wav",      "quiet.wav",     "grid.png"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) unlink(files[i]);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static double squared_distance(const float *a, const float *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static bool near(double got, double want, double share) {
    if (fabs(got - want) <= share * fabs(want)) return true;
    print_error("%.9g is not %.9g\n", got, want);
    return false;
}

/* --- statistics of mapped codes --------------------------------------------------------------- */
static void statistics_are_of_mapped_codes(void **state) {
    (void)state;
    enum { CODES = 4096 };
    const chl_code_statistics *s, *again;
    MUST(chl_generator_statistics(engine->generator, &s));
    MUST(chl_generator_statistics(engine->generator, &again));
    assert_ptr_equal(s, again);
    const int d = size.latent;
    float *z = malloc(sizeof(float) * CODES * (size_t)size.z);
    float *w = malloc(sizeof(float) * CODES * (size_t)d);
    chl_numpy_normals(0, (int64_t)CODES * size.z, z);
    MUST(chl_generator_map(engine->generator, CODES, z, w));
    double *mean = calloc((size_t)d, sizeof *mean), variance = 0, pair = 0, trace = 0;
    assert_non_null(mean);
    for (int n = 0; n < CODES; n++)
        for (int i = 0; i < d; i++) mean[i] += (double)w[n * d + i] / CODES;
    for (int n = 0; n < CODES; n++) {
        const float *code = w + (size_t)n * (size_t)d;
        for (int i = 0; i < d; i++) variance += pow((double)code[i] - mean[i], 2) / CODES;
        pair += ((double)code[3] - mean[3]) * ((double)code[9] - mean[9]) / CODES;
    }
    for (int i = 0; i < d; i++)
        assert_true(fabs((double)s->mean[i] - mean[i]) < 1e-6 * sqrt(variance));
    free(mean);
    for (int i = 0; i < d; i++) trace += s->covariance[i * d + i];
    assert_true(near(s->variance, variance, 1e-6));
    assert_true(near(trace, s->variance, 1e-12));
    assert_true(fabs(s->covariance[3 * d + 9] - pair) < 1e-6 * variance);
    assert_true(s->covariance[9 * d + 3] == s->covariance[3 * d + 9]);
    free(z);
    free(w);
}

/* largest |root root - matrix| */
static double root_error(int n, const float *root, const double *matrix) {
    double most = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += (double)root[i * n + k] * (double)root[k * n + j];
            most = fmax(most, fabs(sum - matrix[i * n + j]));
        }
    return most;
}

static void the_root_squared_is_the_covariance(void **state) {
    (void)state;
    const chl_code_statistics *s;
    MUST(chl_generator_whitening(engine->generator, &s));
    assert_true(root_error(s->width, s->root, s->covariance) < 1e-5 * s->variance / s->width);
    assert_int_equal(s->rank, s->width);
}

/* Q L Q^T with the eigenvectors of a path graph, cos(pi k (i + 1/2) / n) */
static void the_whitening_of_many_directions_is_exact(void **state) {
    (void)state;
    enum { N = 41, TAKEN = 25 };
    static double matrix[N * N];
    static float root[N * N];
    double vector[N][N], probe = 0;
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            vector[k][i] = sqrt((k ? 2.0 : 1.0) / N) * cos(M_PI * k * (i + 0.5) / N);
    for (int k = 0; k < N; k++) /* from 1 down to 1e-5, then a tenth of what is counted */
        for (int i = 0; i < N * N; i++)
            matrix[i] += (k < TAKEN ? pow(10, -5.0 * k / TAKEN) : 1e-7) * vector[k][i / N] *
                         vector[k][i % N];
    int rank;
    MUST(chl_symmetric_root(N, matrix, root, &rank));
    assert_int_equal(rank, TAKEN);
    assert_true(root_error(N, root, matrix) < 3e-7);
    for (int i = 0; i < N; i++) { /* the root takes a blocked direction nowhere */
        double sum = 0;
        for (int j = 0; j < N; j++) sum += (double)root[i * N + j] * vector[N - 1][j];
        probe = fmax(probe, fabs(sum));
    }
    assert_true(probe < 1e-6);
}

/* --- the latent distance ---------------------------------------------------------------------- */
typedef struct trail {
    float *first;       /* code after the first step */
    float latent_loss;  /* of the second: of the code after the first */
    float latent_start; /* of the first step */
} trail;

static int keep_trail(void *user, const chl_edit_progress *progress) {
    trail *t = user;
    if (progress->step == 1) {
        memcpy(t->first, progress->w, sizeof(float) * (size_t)numbers);
        t->latent_start = progress->latent_loss;
    }
    if (progress->step == 2) t->latent_loss = progress->latent_loss;
    return 0;
}

static chl_edit_options plain_options(int steps) {
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = steps;
    options.adaptive_mask = 0;
    return options;
}

static void the_distance_is_measured_in_latent_scale(void **state) {
    (void)state;
    const chl_code_statistics *s;
    MUST(chl_generator_statistics(engine->generator, &s));
    float *first = malloc(sizeof(float) * (size_t)numbers);
    float *scaled = malloc(sizeof(float) * (size_t)numbers);
    float *plain = malloc(sizeof(float) * (size_t)numbers);
    trail t = {.first = first};
    chl_edit_options options = plain_options(3);
    options.latent_scale = 2;
    options.latent_weight = 0.1f;
    options.progress = keep_trail;
    options.user = &t;
    MUST(chl_edit(engine, &options, source, target, scaled, NULL));
    assert_true(t.latent_start == 0);
    assert_true(near((double)t.latent_loss,
                     2 * squared_distance(first, source, numbers) / s->variance, 1e-5));
    /* the same edit with the factor in lambda */
    options.latent_scale = 0;
    options.latent_weight = (float)(0.1 * 2 / s->variance);
    MUST(chl_edit(engine, &options, source, target, plain, NULL));
    assert_true(squared_distance(plain, scaled, numbers) <
                1e-6 * squared_distance(plain, source, numbers));
    free(first);
    free(scaled);
    free(plain);
}

/* Adam's first step is the rate in every number of u whatever its gradient, so |u|^2 is known, and
 * w - w_s = C^(1/2) u must be what u of that size gives. */
static void a_whitened_edit_measures_by_the_covariance(void **state) {
    (void)state;
    const chl_code_statistics *s;
    MUST(chl_generator_whitening(engine->generator, &s));
    const int d = size.latent;
    float *first = malloc(sizeof(float) * (size_t)numbers);
    float *last = malloc(sizeof(float) * (size_t)numbers);
    trail t = {.first = first};
    chl_edit_options options = plain_options(2);
    options.space = CHL_SPACE_WHITENED;
    options.progress = keep_trail;
    options.user = &t;
    MUST(chl_edit(engine, &options, source, target, last, NULL));
    const double rate = (double)(options.rate * chl_rate_factor(0, 2));
    assert_true(t.latent_start == 0);
    assert_true(near((double)t.latent_loss, rate * rate * (double)numbers, 1e-3));

    /* whitened again: sum over rows of delta^T C^-1 delta, by solving root u = delta */
    double *matrix = malloc(sizeof(double) * (size_t)d * (size_t)d), total = 0;
    double *u = malloc(sizeof(double) * (size_t)d);
    for (int row = 0; row < size.rows; row++) {
        for (int i = 0; i < d * d; i++) matrix[i] = (double)s->root[i];
        for (int i = 0; i < d; i++) u[i] = (double)first[row * d + i] - (double)source[row * d + i];
        for (int k = 0; k < d; k++) /* positive definite: no pivots needed */
            for (int i = k + 1; i < d; i++) {
                const double f = matrix[i * d + k] / matrix[k * d + k];
                for (int j = k; j < d; j++) matrix[i * d + j] -= f * matrix[k * d + j];
                u[i] -= f * u[k];
            }
        for (int i = d - 1; i >= 0; i--) {
            for (int j = i + 1; j < d; j++) u[i] -= matrix[i * d + j] * u[j];
            u[i] /= matrix[i * d + i];
            total += u[i] * u[i];
        }
    }
    assert_true(near(total, (double)t.latent_loss, 1e-3));

    options.latent_scale = 1;
    MUST(chl_edit(engine, &options, source, target, last, NULL));
    assert_true(near((double)t.latent_loss, rate * rate * (double)numbers / s->rank, 1e-3));
    free(first);
    free(last);
    free(matrix);
    free(u);
}

/* One step for all rows, along the sum of their gradients: with an epsilon far above them Adam goes
 * along the gradient. L_reg is counted in w as ever. */
static void a_shared_edit_moves_all_rows_alike(void **state) {
    (void)state;
    const int d = size.latent;
    float *shared = malloc(sizeof(float) * (size_t)numbers);
    float *each = malloc(sizeof(float) * (size_t)numbers);
    chl_edit_options options = plain_options(1);
    options.adam_eps = 1e3f;
    options.rate = 1e4f;
    MUST(chl_edit(engine, &options, source, target, each, NULL));
    options.space = CHL_SPACE_SHARED;
    MUST(chl_edit(engine, &options, source, target, shared, NULL));
    double off = 0, moved = 0;
    for (int i = 0; i < d; i++) {
        const double step = (double)shared[i] - (double)source[i];
        double sum = 0;
        for (int row = 0; row < size.rows; row++) {
            const int at = row * d + i;
            sum += (double)each[at] - (double)source[at];
            assert_true(fabs((double)shared[at] - (double)source[at] - step) < 1e-5);
        }
        off += (sum - step) * (sum - step);
        moved += step * step;
    }
    assert_true(moved > 0 && off < 1e-6 * moved);
    trail t = {.first = each};
    options = plain_options(3);
    options.space = CHL_SPACE_SHARED;
    options.progress = keep_trail;
    options.user = &t;
    MUST(chl_edit(engine, &options, source, target, shared, NULL));
    assert_true(t.latent_start == 0 && t.latent_loss > 0);
    assert_true(near((double)t.latent_loss, squared_distance(each, source, numbers), 1e-5));
    free(shared);
    free(each);
}

/* 0: the weights stay equal; slower learning: nearer to equal. */
static void a_slower_mask_stays_nearer_to_even(void **state) {
    (void)state;
    const float rates[] = {0, 0.1f, 1};
    double uneven[3] = {0};
    float *edited = malloc(sizeof(float) * (size_t)numbers);
    float *mask = malloc(sizeof(float) * (size_t)size.rows);
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 12;
    for (int r = 0; r < 3; r++) {
        options.mask_rate = rates[r];
        MUST(chl_edit(engine, &options, source, target, edited, mask));
        for (int i = 0; i < size.rows; i++) uneven[r] += fabs((double)mask[i] - 1.0 / size.rows);
    }
    assert_true(uneven[0] < 1e-6 && uneven[1] > 1e-3 && uneven[2] > 3 * uneven[1]);
    free(edited);
    free(mask);
}

/* The distance is flat at the source, so of two steps only the second sees the weight: at three
 * quarters of the way. */
static void a_rising_weight_is_the_weight_at_its_share_of_the_steps(void **state) {
    (void)state;
    float *rising = malloc(sizeof(float) * (size_t)numbers);
    float *constant = malloc(sizeof(float) * (size_t)numbers);
    float *full = malloc(sizeof(float) * (size_t)numbers);
    chl_edit_options options = plain_options(2);
    options.latent_weight = 0.5f;
    MUST(chl_edit(engine, &options, source, target, full, NULL));
    options.latent_weight_rise = 2;
    MUST(chl_edit(engine, &options, source, target, rising, NULL));
    options.latent_weight_rise = 0;
    options.latent_weight = 0.5f * 0.5625f;
    MUST(chl_edit(engine, &options, source, target, constant, NULL));
    const double moved = squared_distance(constant, source, numbers);
    assert_true(squared_distance(rising, constant, numbers) < 1e-8 * moved);
    assert_true(squared_distance(full, constant, numbers) > 1e-4 * moved);
    free(rising);
    free(constant);
    free(full);
}

/* Far above the gradients it makes Adam's first step rate / eps times the gradient; far below, the
 * rate in every number. */
static void a_large_epsilon_steps_along_the_gradient(void **state) {
    (void)state;
    float *a = malloc(sizeof(float) * (size_t)numbers),
          *b = malloc(sizeof(float) * (size_t)numbers);
    chl_edit_options options = plain_options(1);
    for (int i = 0; i < 2; i++) {
        options.adam_eps = i ? 1e3f : 1e4f;
        options.rate = 5 * options.adam_eps;
        MUST(chl_edit(engine, &options, source, target, i ? b : a, NULL));
    }
    double least = INFINITY, most = 0;
    for (int i = 0; i < numbers; i++) {
        const double moved = fabs((double)a[i] - (double)source[i]);
        least = fmin(least, moved);
        most = fmax(most, moved);
    }
    assert_true(squared_distance(a, b, numbers) < 1e-4 * squared_distance(a, source, numbers));
    assert_true(most > 10 * least);
    free(a);
    free(b);
}

static void options_that_make_no_sense(void **state) {
    (void)state;
    chl_edit_options options = plain_options(1);
    options.latent_scale = -1;
    assert_int_equal(chl_edit(engine, &options, source, target, source, NULL), CHL_ERR_ARGUMENT);
    options = plain_options(1);
    options.mask_rate = -1;
    assert_int_equal(chl_edit(engine, &options, source, target, source, NULL), CHL_ERR_ARGUMENT);
    options = plain_options(1);
    options.adam_eps = 0;
    assert_int_equal(chl_edit(engine, &options, source, target, source, NULL), CHL_ERR_ARGUMENT);
    options = plain_options(1);
    options.latent_weight_rise = -1;
    assert_int_equal(chl_edit(engine, &options, source, target, source, NULL), CHL_ERR_ARGUMENT);
    options = plain_options(1);
    options.space = (chl_space)7;
    assert_int_equal(chl_edit(engine, &options, source, target, source, NULL), CHL_ERR_ARGUMENT);
    options = plain_options(1);
    assert_int_equal(chl_edit_many(engine, &options, 0, source, target, source, NULL),
                     CHL_ERR_ARGUMENT);
}

/* --- many at once ----------------------------------------------------------------------------- */
/* One of three has a target so large that its loss overflows: it stays where it is, the others do
 * not notice. */
static void one_edit_that_breaks_down_leaves_the_others(void **state) {
    (void)state;
    float *aims = malloc(sizeof(float) * MOST * (size_t)size.embedding);
    memcpy(aims, target, sizeof(float) * MOST * (size_t)size.embedding);
    for (int i = 0; i < size.embedding; i++) aims[size.embedding + i] = 3e38f;
    float *whole = malloc(sizeof(float) * MOST * (size_t)numbers);
    float *got = malloc(sizeof(float) * MOST * (size_t)numbers);
    float *mask = malloc(sizeof(float) * MOST * (size_t)size.rows);
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 3;
    MUST(chl_edit_many(engine, &options, MOST, source, target, whole, NULL));
    assert_int_equal(chl_edit_many(engine, &options, MOST, source, aims, got, mask),
                     CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "1 of 3"));
    assert_non_null(strstr(chl_error(), "number 2 in step 1"));
    const size_t bytes = sizeof(float) * (size_t)numbers;
    assert_memory_equal(got, whole, bytes);
    assert_memory_equal(got + numbers, source + numbers, bytes);
    assert_memory_equal(got + 2 * numbers, whole + 2 * numbers, bytes);
    assert_true(mask[size.rows] == 0 && mask[0] > 0 && mask[2 * size.rows] > 0);
    /* nor is its mask there when masks are not learned */
    options.adaptive_mask = 0;
    assert_int_equal(chl_edit_many(engine, &options, MOST, source, aims, got, mask),
                     CHL_ERR_NUMERIC);
    assert_true(mask[size.rows] == 0 && mask[0] > 0 && mask[2 * size.rows] > 0);
    options.adaptive_mask = 1;
    /* nothing is left to go on with */
    options.steps = 1000000;
    assert_int_equal(chl_edit(engine, &options, source, aims + size.embedding, got, NULL),
                     CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "not finite after the first step"));
    assert_memory_equal(got, source, bytes);
    free(aims);
    free(whole);
    free(got);
    free(mask);
}

/* What is not finite is named, and nothing is computed with it. */
static void numbers_that_are_not_finite_stop_at_the_door(void **state) {
    (void)state;
    const size_t code = (size_t)(size.rows * size.latent), embed = (size_t)size.embedding;
    const size_t picture = 3 * (size_t)size.picture * (size_t)size.picture;
    float *bad = calloc(picture, sizeof(float)), *out = calloc(picture, sizeof(float));
    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 1;
#define NAMED(call, place)                                                                         \
    do {                                                                                           \
        assert_int_equal(call, CHL_ERR_NUMERIC);                                                   \
        if (!strstr(chl_error(), place)) fail_msg("\"%s\" is not in: %s", place, chl_error());     \
    } while (0)
    bad[code - 1] = NAN;
    NAMED(chl_edit(engine, &options, bad, target, out, NULL), "chl_edit_many: `source`");
    NAMED(chl_generate(engine, 1, bad, out), "chl_generate: `w` must be finite, got nan");
    NAMED(chl_mix_latents(engine, CHL_MIX_LINEAR, 0.5f, source, bad, out), "`sound`");
    bad[code - 1] = 0;
    bad[embed - 1] = INFINITY;
    NAMED(chl_edit(engine, &options, source, bad, out, NULL), "`target` must be finite, got inf");
    options.similarity = CHL_DIRECTIONAL;
    options.neutral = bad;
    NAMED(chl_edit(engine, &options, source, target, out, NULL), "`neutral`");
    NAMED(chl_invert(engine, NULL, bad, out), "`pixels`");
    NAMED(chl_embed_picture(engine, 16, 16, bad, out), "chl_embed_picture: `pixels`");
    for (size_t i = 0; i < code; i++) bad[i] = 3e38f; /* finite, but beyond the generator */
    NAMED(chl_generate(engine, 1, bad, out), "picture 1 of 1 is not finite");
#undef NAMED
    free(bad);
    free(out);
}

/* --- mixing ----------------------------------------------------------------------------------- */
static void mixes_are_weighted_or_by_rows_and_bounded(void **state) {
    (void)state;
    const float *text = source, *sound = source + numbers;
    float *mixed = malloc(sizeof(float) * (size_t)numbers);
    MUST(chl_mix_latents(engine, CHL_MIX_LINEAR, 0.25f, text, sound, mixed));
    for (int64_t i = 0; i < numbers; i++)
        assert_true(fabsf(mixed[i] - (0.25f * text[i] + 0.75f * sound[i])) < 1e-6f);
    MUST(chl_mix_latents(engine, CHL_MIX_ROWS, 5, text, sound, mixed));
    for (int64_t i = 0; i < numbers; i++)
        assert_true(mixed[i] == (i < 5 * size.latent ? sound[i] : text[i]));
    const float beyond[] = {-0.1f, 1.5f, NAN}, no_rows[] = {-1, 2.5f, (float)size.rows + 1};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chl_mix_latents(engine, CHL_MIX_LINEAR, beyond[i], text, sound, mixed),
                         CHL_ERR_ARGUMENT);
        assert_int_equal(chl_mix_latents(engine, CHL_MIX_ROWS, no_rows[i], text, sound, mixed),
                         CHL_ERR_ARGUMENT);
    }
    free(mixed);
}

/* --- levels and sheets ------------------------------------------------------------------------ */
static void a_level_scales_the_sound(void **state) {
    (void)state;
    float plain[CHL_MAX_EMBEDDING], quiet[CHL_MAX_EMBEDDING], scaled[CHL_MAX_EMBEDDING];
    write_wave("loud.wav", 1);
    write_wave("quiet.wav", 0.125f);
    const chl_status status = chl_embed_sound(engine, "loud.wav", plain);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* built without sound files */
    MUST(status);
    MUST(chl_embed_sound_level(engine, "loud.wav", 0, scaled));
    assert_memory_equal(plain, scaled, sizeof(float) * (size_t)size.embedding);
    MUST(chl_embed_sound(engine, "quiet.wav", quiet));
    MUST(chl_embed_sound_level(engine, "loud.wav", -18.0617997f, scaled)); /* 20 log10 of 1/8 */
    assert_true(squared_distance(quiet, scaled, size.embedding) < 1e-10);
    assert_true(squared_distance(plain, scaled, size.embedding) > 1e-6);
    assert_int_equal(chl_embed_sound_level(compatible, "loud.wav", -6, scaled), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "absolute"));
    MUST(chl_embed_sound_level(compatible, "loud.wav", 0, scaled));
    assert_int_equal(chl_embed_sound_level(engine, "loud.wav", NAN, scaled), CHL_ERR_ARGUMENT);
}

static void a_grid_places_its_pictures_on_white(void **state) {
    (void)state;
    const float dark[2 * 3 * 3] = {0}; /* 2 x 3 */
    float grey[2 * 3 * 3];
    for (int i = 0; i < 18; i++) grey[i] = 64 / 127.5f - 1;
    const float *const pictures[] = {dark, grey, NULL, grey};
    const chl_status status = chl_picture_grid("grid.png", 2, 2, 2, 3, 1, pictures);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* built without picture files */
    MUST(status);
    static const char map[] = "dddwggg" /* d: 0, g: grey, w: white */
                              "dddwggg"
                              "wwwwwww"
                              "wwwwggg"
                              "wwwwggg";
    int height, width;
    float *pixels;
    MUST(chl_picture_read("grid.png", &height, &width, &pixels));
    assert_int_equal(height, 5);
    assert_int_equal(width, 7);
    for (int i = 0; i < 3 * 35; i++) {
        const float want = map[i / 3] == 'w' ? 1 : map[i / 3] == 'g' ? grey[0] : 0;
        assert_true(fabsf(pixels[i] - want) < 0.005f);
    }
    chl_release(pixels);
    assert_int_equal(chl_picture_grid("grid.png", 0, 2, 2, 3, 1, pictures), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_picture_grid("grid.png", 2, 70000, 2, 3, 1, pictures), CHL_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_of_mapped_codes),
        cmocka_unit_test(the_root_squared_is_the_covariance),
        cmocka_unit_test(the_whitening_of_many_directions_is_exact),
        cmocka_unit_test(the_distance_is_measured_in_latent_scale),
        cmocka_unit_test(a_whitened_edit_measures_by_the_covariance),
        cmocka_unit_test(a_shared_edit_moves_all_rows_alike),
        cmocka_unit_test(a_slower_mask_stays_nearer_to_even),
        cmocka_unit_test(a_rising_weight_is_the_weight_at_its_share_of_the_steps),
        cmocka_unit_test(a_large_epsilon_steps_along_the_gradient),
        cmocka_unit_test(options_that_make_no_sense),
        cmocka_unit_test(one_edit_that_breaks_down_leaves_the_others),
        cmocka_unit_test(numbers_that_are_not_finite_stop_at_the_door),
        cmocka_unit_test(mixes_are_weighted_or_by_rows_and_bounded),
        cmocka_unit_test(a_level_scales_the_sound),
        cmocka_unit_test(a_grid_places_its_pictures_on_white)};
    return cmocka_run_group_tests(tests, open_models, close_models);
}
