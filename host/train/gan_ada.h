/* Adaptive discriminator augmentation [Karras et al. 2020a, section 3.1]: p rises while the discriminator
 * tells more than a share of the data set's pictures from painted ones, and falls otherwise.
 *
 *     r = mean sign(D(x)) over four steps;   p += sign(r - target) * pictures / (1000 kimg), at least 0
 *
 * p is a state of the graph, moved there. A step uses the p of four steps before it, whatever the device:
 * so batches can be made ahead, and a resumed run has what it needs in two states. */
#ifndef CHL_TRAIN_GAN_ADA_H
#define CHL_TRAIN_GAN_ADA_H
#include "train/trainer.h"

#define CHL_ADA_INTERVAL 4
#define CHL_ADA_TERM "augment_p" /* of stats.jsonl */

typedef struct chl_gan_ada {
    float fixed;      /* p of every step; 0: adaptive */
    float history[2]; /* p after update number k, at k % 2; the host's */
    chl_tensor p, before, excess;
} chl_gan_ada;

/* In the segment that computes `scores` [n,1] of the data set's pictures. */
void chl_gan_ada_watch(chl_trainer *t, chl_gan_ada *ada, chl_tensor scores);
/* Appends the phase that moves p, and its line in the log. */
void chl_gan_ada_phase(chl_trainer *t, const chl_gan_ada *ada);
/* Before step `index` is the first; after step `index`, which has left p. */
chl_status chl_gan_ada_start(const chl_trainer *t, chl_gan_ada *ada, int64_t index);
void chl_gan_ada_finished(chl_gan_ada *ada, int64_t index, float p);
/* For step `index`, whose last four but three are finished. */
float chl_gan_ada_p(const chl_gan_ada *ada, int64_t index);
#endif
