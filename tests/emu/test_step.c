/* A whole edit step on the emulated GPU against the CPU: a small StyleGAN2, CLIP's image tower on
 * its picture, the cosine and the distance of Eq. 14, gradients to w and the layer weights, Adam.
 */
#include "backend_emu.h"
#include "graph/build.h"
#include "losses/losses.h"
#include "nets/clip.h"
#include "nets/stylegan2.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EMBED = 32, MOST = 4096 };

typedef struct result {
    float picture[16 * 16 * 3], embedding[EMBED], loss, gradient[MOST], edited[MOST];
    int numbers;
} result;

typedef struct models {
    chl_params *generator, *clip;
    chl_stylegan2_config generator_config;
    chl_clip_config clip_config;
} models;

static chl_status open_models(models *m) {
    const chl_stylegan2_shape shape = {16, 256, 16, 8, 24, 2};
    m->clip_config = (chl_clip_config){.image = {.layers = 2, .width = 64, .heads = 1, .mlp = 128},
                                       .embed = EMBED,
                                       .resolution = 32,
                                       .patch = 8};
    CHL_TRY(chl_stylegan2_random(&shape, 1, &m->generator));
    CHL_TRY(chl_stylegan2_import(m->generator, &m->generator_config));
    CHL_TRY(chl_clip_random(&m->clip_config, 2, &m->clip));
    return chl_clip_import(m->clip, &m->clip_config);
}

/* the same numbers for both backends */
static void fill(float *data, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) data[i] = scale * sinf(1.7f * (float)i + 0.3f);
}

static chl_status step(const models *m, chl_device *device, chl_dtype precision, result *r) {
    const int rows = m->generator_config.rows, width = m->generator_config.w_dim;
    const chl_desc latent = chl_f32(3, 1, rows, width);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    float start[MOST], source[MOST], target[EMBED], layers[32] = {0.5f, -0.5f};
    fill(start, chl_count(&latent), 1);
    fill(source, chl_count(&latent), 0.9f);
    fill(target, EMBED, 0.25f);
    chl_graph *g;
    CHL_TRY(chl_graph_new(device, &g));
    chl_graph_precision(g, precision);
    chl_net generator = {.graph = g, .params = m->generator, .kind = CHL_FROZEN};
    chl_net clip = {.graph = g, .params = m->clip, .kind = CHL_FROZEN};
    const chl_tensor w = chl_param(g, "w", latent, start, CHL_TRAINABLE);
    const chl_tensor mask = chl_param(g, "mask", chl_f32(2, 1, rows), layers, CHL_TRAINABLE);
    const chl_tensor picture =
        chl_keep(g, chl_stylegan2_synthesize(&generator, &m->generator_config, w));
    const chl_tensor seen = chl_clip_preprocess(g, &m->clip_config, picture, CHL_CLIP_BICUBIC);
    const chl_tensor view = chl_keep(g, chl_clip_image(&clip, &m->clip_config, seen));
    const chl_tensor wanted = chl_constant(g, "target", chl_f32(2, 1, EMBED), target);
    const chl_tensor from = chl_constant(g, "source", latent, source);
    const chl_tensor terms[2] = {chl_cosine_loss(g, view, wanted),
                                 chl_latent_distance(g, w, from, mask)};
    const chl_tensor loss = chl_keep(g, chl_sum(g, 0, 2, (float[]){1, 0.002f}, terms));
    chl_tensor gradient[2];
    chl_grad(g, loss, 2, (chl_tensor[]){w, mask}, gradient);
    chl_keep(g, gradient[0]);
    chl_adam(g, w, gradient[0], &adam);
    chl_adam(g, mask, gradient[1], &adam);
    CHL_TRY(chl_set_step(g, (chl_step){.index = 0, .rate = 0.1f}));
    chl_net_done(&generator);
    chl_net_done(&clip);
    chl_status status;
    CHL_TRY_GOTO(chl_compile(g));
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(g, picture, r->picture));
    CHL_TRY_GOTO(chl_read(g, view, r->embedding));
    CHL_TRY_GOTO(chl_read(g, loss, &r->loss));
    CHL_TRY_GOTO(chl_read(g, gradient[0], r->gradient));
    CHL_TRY_GOTO(chl_read(g, w, r->edited));
    r->numbers = (int)chl_count(&latent);
done:
    chl_graph_free(g);
    return status;
}

/* the largest difference over the rms of what it should be */
static double apart(const float *got, const float *want, int count) {
    double worst = 0, square = 0;
    for (int i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - (double)want[i]);
        if (!(error <= worst)) worst = error;
        square += (double)want[i] * (double)want[i];
    }
    return worst / sqrt(square / count);
}

static int check(const char *what, const float *got, const float *want, int count, double allowed) {
    const double worst = apart(got, want, count);
    printf("%-10s %6d numbers, largest difference / rms %.2e, allowed %.0e\n", what, count, worst,
           allowed);
    return !(worst <= allowed);
}

/* Of numbers in bf16: the whole difference (Euclidean) over the whole of what it should be. */
static int check_half(const char *what, const float *got, const float *want, int count,
                      double allowed) {
    double difference = 0, square = 0;
    for (int i = 0; i < count; i++) {
        difference += pow((double)got[i] - (double)want[i], 2);
        square += pow((double)want[i], 2);
    }
    const double error = sqrt(difference / square);
    printf("%-10s %6d numbers, relative difference %.2e, allowed %.0e\n", what, count, error,
           allowed);
    return !(error <= allowed);
}

int main(void) {
    static result cpu, emu, half;
    models m = {0};
    if (open_models(&m) != CHL_OK || step(&m, chl_device_cpu(), CHL_F32, &cpu) != CHL_OK ||
        step(&m, chl_device_emu(), CHL_F32, &emu) != CHL_OK ||
        step(&m, chl_device_emu(), CHL_BF16, &half) != CHL_OK) {
        fprintf(stderr, "FAIL: %s\n", chl_error());
        return 1;
    }
    int bad = check("picture", emu.picture, cpu.picture, 16 * 16 * 3, 2e-5);
    bad += check("embedding", emu.embedding, cpu.embedding, EMBED, 2e-5);
    bad += check("loss", &emu.loss, &cpu.loss, 1, 1e-5);
    bad += check("gradient", emu.gradient, cpu.gradient, cpu.numbers, 2e-4);
    /* Adam's first step is the gradient's sign: only where it is not near zero */
    bad += check("edited", emu.edited, cpu.edited, cpu.numbers, 1e-3);
    puts("in bf16");
    bad += check("picture", half.picture, cpu.picture, 16 * 16 * 3, 4e-2);
    bad += check("embedding", half.embedding, cpu.embedding, EMBED, 4e-2);
    bad += check("loss", &half.loss, &cpu.loss, 1, 1e-2);
    bad += check_half("gradient", half.gradient, cpu.gradient, cpu.numbers, 4e-2);
    chl_params_free(m.generator);
    chl_params_free(m.clip);
    return bad != 0;
}
