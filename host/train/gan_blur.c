#include "train/gan_blur.h"
#include <math.h>
#include <stdlib.h>

#define CUT 3     /* sigmas */
#define FADE 6.25 /* thousands of pictures, times the batch: 200 with upstream's 32 */

void chl_gan_blur_build(chl_trainer *t, chl_gan_blur *out) {
    const chl_train_options *o = t->options;
    *out = (chl_gan_blur){.sigma = (double)o->blur_sigma};
    out->reach = (int)floor(CUT * out->sigma);
    out->pictures = 1000 * (o->blur_kimg > 0 ? (double)o->blur_kimg : FADE * o->batch);
    if (out->reach == 0) return;
    const int taps = 2 * out->reach + 1;
    out->filter = chl_input(t->graph, "blur", chl_f32(1, taps));
    out->taps = chl_trainer_memory(t, taps, sizeof *out->taps);
}

chl_tensor chl_gan_blur_nodes(chl_graph *g, const chl_gan_blur *blur, chl_tensor pictures) {
    if (blur->reach == 0) return pictures;
    const chl_filtered settings = {
        .up = 1, .down = 1, .before = blur->reach, .after = blur->reach, .gain = 1, .slope = 1};
    const chl_tensor zero = chl_filled(g, chl_f32(1, 3), 0);
    return chl_filtered_lrelu(g, pictures, zero, CHL_NONE, blur->filter, &settings);
}

chl_status chl_gan_blur_feed(chl_trainer *t, const chl_gan_blur *blur, int64_t index) {
    const double seen = (double)t->options->batch * (double)index;
    const double sigma = blur->sigma * fmax(1 - seen / blur->pictures, 0);
    const int reach = (int)floor(CUT * sigma);
    double sum = 1;
    if (blur->reach == 0) return CHL_OK;
    for (int i = 1; i <= reach; i++) sum += 2 * exp2(-(i / sigma) * (i / sigma));
    for (int i = -blur->reach; i <= blur->reach; i++) {
        double tap = i == 0;
        if (i != 0 && abs(i) <= reach) tap = exp2(-(i / sigma) * (i / sigma));
        blur->taps[blur->reach + i] = (float)(tap / sum);
    }
    return chl_trainer_write(t, blur->filter, blur->taps);
}
