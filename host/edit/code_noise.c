/* Noise around the codes of an edit, as the projector of StyleGAN2 has it [Karras et al. 2020, released
 * code: w_noise_scale]: each step looks at the picture of w + sigma C^(1/2) u instead of that of w. Early
 * steps so follow what the pictures around the code have in common, not the one way down that the source
 * happens to have, and events that lie beyond a small hill are found (docs/evaluation.md#edits). sigma falls
 * by a square to 0 at three quarters of the steps: the last quarter is exact. */
#include "base/random.h"
#include "edit/edit_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RAMP 0.75f /* share of the steps that have noise [Karras et al. 2020] */

/* --- draws of codes --------------------------------------------------------------------------- */
void chl_code_draw(const chl_code_draws *d, uint64_t number, float spread, float *u, float *move) {
    for (int i = 0; i < d->latent; i++) {
        const chl_philox word = chl_random(d->seed, d->purpose, number, (uint64_t)i);
        const float radius = sqrtf(-2 * logf(1 - chl_uniform(word.word[0])));
        u[i] = spread * radius * cosf(6.28318531f * chl_uniform(word.word[1]));
    }
    for (int i = 0; i < d->latent; i++) {
        double sum = d->root ? 0 : (double)u[i];
        for (int j = 0; d->root && j < d->latent; j++)
            sum += (double)d->root[(size_t)i * (size_t)d->latent + (size_t)j] * (double)u[j];
        move[i] = (float)sum;
    }
}

/* --- noise of a step -------------------------------------------------------------------------- */
float chl_code_noise_at(float amount, int index, int steps) {
    const float left = 1 - ((float)index + 0.5f) / (float)steps / RAMP;
    return left > 0 ? amount * left * left : 0;
}

chl_status chl_code_noise_write(void *owner, int index) {
    const chl_code_noise *noise = owner;
    const chl_edit_options *o = noise->options;
    const chl_code_draws draws = {.latent = noise->latent,
                                  .root = noise->root,
                                  .seed = o->seed,
                                  .purpose = CHL_CODE_NOISE_PURPOSE};
    const size_t latent = (size_t)noise->latent, rows = (size_t)noise->rows,
                 all = (size_t)noise->n * rows;
    float *codes = calloc((all + 2) * latent, sizeof *codes);
    if (!codes)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for noise around %d codes", noise->n);
    float *const u = codes + all * latent, *const move = u + latent;
    const float spread = chl_code_noise_at((float)o->code_noise, index, o->steps);
    if (spread > 0) chl_code_draw(&draws, (uint64_t)index, spread, u, move);
    for (size_t row = 0; spread > 0 && row < all; row++)
        if (!o->rows || o->rows[row % rows])
            memcpy(codes + row * latent, move, sizeof *move * latent);
    const chl_status status = chl_write(noise->graph, noise->input, codes);
    free(codes);
    return status;
}
