/* One builder per forward op. Shapes stand beside each; [..., C] is any leading shape.
 * All follow one rule: the first error sticks to the graph, CHL_NONE flows through.
 * The formulas are the contract: tests/reference/<op>.c holds each once more in double precision.
 */
#ifndef CHL_CORE_BUILD_H
#define CHL_CORE_BUILD_H
#include "graph/graph.h"

/* --- elementwise: graph/ops/elementwise.c, kernels/cpu/{sum,add_bias,mul,activation,...}.c -----
 */
/* y = bias + sum_i c[i] x[i]; 1 <= count <= 8, same shapes. */
chl_tensor chl_sum(chl_graph *g, float bias, int count, const float *c, const chl_tensor *x);
chl_tensor chl_add(chl_graph *g, chl_tensor a, chl_tensor b);
chl_tensor chl_scale(chl_graph *g, chl_tensor x, float c);
/* y = x + b, b's shape is the tail of x's: bias [C], position embedding [T,C] ... */
chl_tensor chl_add_bias(chl_graph *g, chl_tensor x, chl_tensor b);
chl_tensor chl_mul(chl_graph *g, chl_tensor a, chl_tensor b);
/* GELU is the erf form; QUICK_GELU x*sigmoid(1.702x) [CLIP]; SINE for |x| < 1000; slope only for
 * LEAKY_RELU. */
chl_tensor chl_activate(chl_graph *g, chl_tensor x, chl_activation kind, float slope);
/* y = x * exp(min(log_scale[0], most)): CLIP's logit scale. */
chl_tensor chl_scale_by(chl_graph *g, chl_tensor x, chl_tensor log_scale, float most);
/* Into the graph's precision for activations, and back to float32; x itself where nothing is to be
 * done. A network enters where its wide activations begin and leaves before norms of embeddings and
 * losses. */
chl_tensor chl_to_compute_type(chl_graph *g, chl_tensor x);
chl_tensor chl_to_float32(chl_graph *g, chl_tensor x);
/* a constant of which all numbers are `value` */
chl_tensor chl_filled(chl_graph *g, chl_desc desc, float value);
/* mean of everything, [1] */
chl_tensor chl_mean(chl_graph *g, chl_tensor x);
/* Stochastic depth: row n of x [N,...] is zeroed with probability `rate`, else scaled by
 * 1/(1-rate). Philox key (step.seed, purpose), counter (step.index, first sample + n). */
chl_tensor chl_drop_path(chl_graph *g, chl_tensor x, float rate, uint32_t purpose);

/* --- per channel: graph/ops/channel.c ----------------------------------------------------------
 */
/* y = clamp(x, lowest, highest) * mul[C] + add[C]; x [...,C]; mul, add are constants. */
chl_tensor chl_channel_affine(chl_graph *g, chl_tensor x, chl_tensor mul, chl_tensor add,
                              float lowest, float highest);
/* y[n,...,c] = x[n,...,c] * s[n,c] */
chl_tensor chl_channel_scale(chl_graph *g, chl_tensor x, chl_tensor s);
/* x > 0 ? x : slope[c] * x */
chl_tensor chl_prelu(chl_graph *g, chl_tensor x, chl_tensor slope);
/* (x - mean[c]) / sqrt(var[c] + eps) * gamma[c] + beta[c] */
chl_tensor chl_batch_norm(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                          chl_tensor mean, chl_tensor var, float eps);
/* The same with the batch's own mean and biased variance, which come out as [C] each; of several
 * ranks those of the joined batch. */
chl_tensor chl_batch_norm_train(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta,
                                float eps, chl_tensor *mean, chl_tensor *var);

/* --- pooling: graph/ops/pool.c -----------------------------------------------------------------
 */
/* [N,...,C] -> [N,C], mean over all between */
chl_tensor chl_mean_pool(chl_graph *g, chl_tensor x);
/* x [N,H,W,C]; kernel 1 with stride s = sub-sampling (IR-SE50's shortcut). Padding is -inf. */
chl_tensor chl_max_pool(chl_graph *g, chl_tensor x, int kernel, int stride, int pad);

/* --- linear: graph/ops/linear.c ----------------------------------------------------------------
 */
/* y [...,O] = gain * x [...,I] w[O,I]^T + bias_gain * b[O]; b may be CHL_NONE. */
chl_tensor chl_linear(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b);
chl_tensor chl_linear_gain(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, float gain,
                           float bias_gain);

/* The same with w packed beforehand for the kernel, which is what the two above do themselves with
 * frozen weights where it pays. */
chl_tensor chl_linear_packed(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, float gain,
                             float bias_gain);

/* --- normalisation: graph/ops/norm.c -----------------------------------------------------------
 */
/* over the last axis, biased variance */
chl_tensor chl_layer_norm(chl_graph *g, chl_tensor x, chl_tensor gamma, chl_tensor beta, float eps);
/* L2: x / max(|x|, eps). RMS: x / sqrt(mean(x^2) + eps) (StyleGAN2's normalised z). Rows [...,C].
 */
chl_tensor chl_row_norm(chl_graph *g, chl_tensor x, chl_norm kind, float eps);

/* --- attention: graph/ops/attention.c ----------------------------------------------------------
 */
/* qkv [N,T,3C] (q, k, v in that order, heads contiguous inside each) -> [N,T,C];
 * softmax(q k^T / sqrt(C/heads)) v, causal: key index <= query index. */
chl_tensor chl_attention(chl_graph *g, chl_tensor qkv, int heads, bool causal);
/* Swin's (shifted) window attention without materialised windows [Liu et al. 2021, Eq. 4]:
 * qkv [N,H,W,3C], bias table [(2*window-1)^2, heads], H and W multiples of window. shift > 0: the
 * map is rolled by -shift, windows attend under the mask (-100 between regions), and rolled back.
 * -> [N,H,W,C] */
chl_tensor chl_window_attention(chl_graph *g, chl_tensor qkv, chl_tensor bias, int heads,
                                int window, int shift);

/* --- tokens: graph/ops/token.c -----------------------------------------------------------------
 */
/* [N,H,W,C] -> [N,H/2,W/2,4C], blocks in Swin's order (0,0),(1,0),(0,1),(1,1) as (row, column) */
chl_tensor chl_patch_merge(chl_graph *g, chl_tensor x);
/* ids int32 [N,T], table [V,C] -> [N,T,C] */
chl_tensor chl_embedding(chl_graph *g, chl_tensor ids, chl_tensor table);
/* [N,T,C], token [C] -> [N,T+1,C] with the token first */
chl_tensor chl_prepend_token(chl_graph *g, chl_tensor x, chl_tensor token);
/* [N,T,C] -> [N,C]: token `index` of all, or index[n] int32 [N] of each */
chl_tensor chl_select(chl_graph *g, chl_tensor x, int index);
chl_tensor chl_select_each(chl_graph *g, chl_tensor x, chl_tensor index);
/* x [N,C] -> [N,tokens,C]: token `index`, all others 0 */
chl_tensor chl_place_token(chl_graph *g, chl_tensor x, int tokens, int index);
/* x [...] -> [n,...] */
chl_tensor chl_repeat(chl_graph *g, chl_tensor x, int n);

/* --- convolution: graph/ops/conv.c -------------------------------------------------------------
 */
/* x [N,H,W,I], w [O,I,K,K] (upstream's order), b [O] or CHL_NONE -> [N,H',W',O]. Zero padding. */
chl_tensor chl_conv(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor b, int stride, int pad);

/* --- StyleGAN2 [Karras et al. 2020]: graph/ops/modconv.c ---------------------------------------
 */
typedef struct chl_modconv {
    bool up;     /* stride-2 transposed convolution (kernel not flipped), then FIR [1,3,3,1] x 4 */
    float gain;  /* on the weight: 1 (ada) or 1/sqrt(fan_in) (rosinality) */
    float eps;   /* of the demodulation, on the weights as they are with `gain` applied: 1e-8 */
    float slope; /* leaky ReLU; 0.2 */
    float act_gain; /* sqrt(2) */
    float clamp;    /* 0 = none */
} chl_modconv;
/* y = clamp(act_gain * lrelu(d[n,o] * conv(x * s, w) + strength * noise + b)),
 * d = rsqrt(sum_i s[n,i]^2 q[o,i] + eps), q = gain^2 sum_k w^2. 3x3, padding 1.
 * x [N,H,W,I], w [O,I,3,3], s [N,I], noise [H',W'] or [N,H',W'], strength [1], b [O] ->
 * [N,H',W',O]. noise and strength come together or not at all (CHL_NONE). */
chl_tensor chl_modulated_conv(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor s,
                              chl_tensor noise, chl_tensor strength, chl_tensor b,
                              const chl_modconv *settings);
/* The demodulation by itself: w [O,I,K,K] -> q [O,I], q = sum_k w^2; and s [N,I], q [O,I] ->
 * d [N,O], d = rsqrt(gain^2 sum_i s[n,i]^2 q[o,i] + eps). */
chl_tensor chl_weight_square(chl_graph *g, chl_tensor w);
chl_tensor chl_demodulate(chl_graph *g, chl_tensor s, chl_tensor q, float gain, float eps);
/* y = clamp(gain * conv1x1(x * s, w) + b); w [3,I] -> [N,H,W,3]; no demodulation */
chl_tensor chl_to_rgb(chl_graph *g, chl_tensor x, chl_tensor w, chl_tensor s, chl_tensor b,
                      float gain, float clamp);
/* x [N,H,W,C] -> [N,2H,2W,C]: zero insertion and FIR [1,3,3,1] with gain 4; plus residual (or NONE)
 */
chl_tensor chl_upsample_fir(chl_graph *g, chl_tensor x, chl_tensor residual);

/* --- StyleGAN3 [Karras et al. 2021]: graph/ops/filtered_lrelu.c ---------------------------------
 */
typedef struct chl_filtered {
    int up, down;      /* rates */
    int before, after; /* zeros around the up-sampled map, on both axes; may be negative */
    float gain, slope; /* sqrt(2), 0.2 */
    float clamp;       /* 0 = none */
} chl_filtered;
/* x [N,H,W,C] -> y [N,H',W',C]: z = x + b with up - 1 zeros between the pixels and more around them,
 * convolved with up_filter [T] on both axes, times up^2; v = clamp(gain lrelu(z)); v convolved with
 * down_filter [D] on both axes, or [D,D] where it is not separable; every down-th pixel. With
 * M = up H + before + after - T + 1, H' = (M - D) / down + 1, rounded down. A filter that is CHL_NONE
 * is the number 1. No gradient into the filters. */
chl_tensor chl_filtered_lrelu(chl_graph *g, chl_tensor x, chl_tensor b, chl_tensor up_filter,
                              chl_tensor down_filter, const chl_filtered *settings);

/* --- between ranks: graph/ops/collective.c -----------------------------------------------------
 * x itself where the graph's device has no communicator. All ranks must build the same graph. The
 * gradients are those of the sum of all ranks' losses. */
/* This rank's number and how many there are: 0 of 1 without a communicator. */
int chl_rank_of(const chl_graph *g);
int chl_ranks_of(const chl_graph *g);
/* x [N,...] of each rank -> [ranks*N,...] in the order of the ranks */
chl_tensor chl_all_gather(chl_graph *g, chl_tensor x);
/* the sum over the ranks */
chl_tensor chl_all_reduce(chl_graph *g, chl_tensor x);
/* The same, beside the nodes between the one that completes x and the first that reads the result,
 * where the device has queues beside the default one (graph/beside.c). */
chl_tensor chl_all_reduce_beside(chl_graph *g, chl_tensor x);

/* --- resampling: graph/ops/resize.c ------------------------------------------------------------
 */
chl_tensor chl_resize(chl_graph *g, chl_tensor x, chl_filter filter, int out_h, int out_w);
/* of the window [y, y+h) x [x0, x0+w) only */
chl_tensor chl_resize_window(chl_graph *g, chl_tensor x, chl_filter filter, int out_h, int out_w,
                             int y, int x0, int h, int w);

/* --- losses: graph/ops/loss.c; means over rows come out as [1] ---------------------------------
 */
/* -mean_i log softmax(logits[i,:])[i + offset]; logits [N,M] */
chl_tensor chl_cross_entropy(chl_graph *g, chl_tensor logits, int offset);
/* mean_i KL(softmax(p[i,:]/tau) || softmax(q[i,:]/tau)), METHOD Eq. 9-12; gradient into q only */
chl_tensor chl_kl_divergence(chl_graph *g, chl_tensor p, chl_tensor q, float tau);
/* a, b [N,D] -> [N] */
chl_tensor chl_row_dot(chl_graph *g, chl_tensor a, chl_tensor b);
/* w, source [N,L,D], g [N,L] -> [N]: L * sum_l softmax(g)_l |w_l - source_l|^2 (Eq. 16-17), or
 * without g (CHL_NONE) sum_l |w_l - source_l|^2. No gradient into source. */
chl_tensor chl_latent_distance(chl_graph *g, chl_tensor w, chl_tensor source, chl_tensor mask);
/* a, b [N,...] -> [N]: mean |a-b| or mean (a-b)^2. Gradient into a only. */
chl_tensor chl_pixel_loss(chl_graph *g, chl_tensor a, chl_tensor b, chl_pixel kind);

/* --- optimisers: graph/ops/optimiser.c ---------------------------------------------------------
 */
typedef struct chl_adam_settings {
    float beta1, beta2, eps, decay;
    bool decoupled;   /* AdamW */
    float rate_scale; /* times step.rate */
} chl_adam_settings;
/* Adam [Kingma & Ba 2015] with bias correction at t = step.index + 1, rate = step.rate *
 * rate_scale. Updates the trainable `param` in place; its moments are new persistent tensors. */
void chl_adam(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_adam_settings *settings);
/* The same in two calls, for a parameter that several nodes update, each in a segment of its own
 * that is run with the index of that update. */
typedef struct chl_moments {
    chl_tensor m, v; /* "<name>.adam_m", "<name>.adam_v": trainable, 0 at first */
} chl_moments;
chl_moments chl_adam_moments(chl_graph *g, chl_tensor param);
void chl_adam_with(chl_graph *g, chl_tensor param, chl_moments moments, chl_tensor grad,
                   const chl_adam_settings *settings);
typedef struct chl_sgd_settings {
    float momentum, decay; /* the decay is part of the gradient: g + decay * param */
    float rate_scale;      /* times step.rate */
} chl_sgd_settings;
/* Gradient descent with momentum [Polyak 1964] as torch.optim.SGD has it, without dampening:
 * m = momentum * m + g, param -= rate * m, m at first 0. */
void chl_sgd(chl_graph *g, chl_tensor param, chl_tensor grad, const chl_sgd_settings *settings);
/* average = d * average + (1 - d) * x, in the trainable tensor `average`; d = decay, or with
 * warm-up min(decay, (1 + t) / (10 + t)) at t = step.index, so that what it started from is soon
 * forgotten.
 */
void chl_ema(chl_graph *g, chl_tensor average, chl_tensor x, float decay, bool warm_up);
/* The running average of a trainable parameter, with warm-up: a new trainable tensor
 * "<name>.average" that starts at the parameter's own initial value. */
chl_tensor chl_average(chl_graph *g, chl_tensor param, float decay);
/* The same with a decay that changes from run to run: 1 - exp(log_fresh[0]), log_fresh <= 0. */
chl_tensor chl_average_by(chl_graph *g, chl_tensor param, chl_tensor log_fresh);

/* --- sound: graph/ops/log_mel.c ----------------------------------------------------------------
 */
typedef struct chl_mel_settings {
    int rate, fft, hop, bands; /* 44100, 2048, 512, 128 */
    bool reflect;              /* padding at the ends: reflect (compatible) or zeros */
    bool absolute;   /* reference level: full scale, or the clip's own maximum (compatible) */
    float floor_db;  /* 80; 0: decibels above the reference, as they are */
    float min_power; /* 1e-10 */
} chl_mel_settings;
/* Full scale is the mel power of a sine of amplitude 1 in the band and at the bin where it is
 * largest: max over (band, k) of (fft/4)^2 (F[band,k] + (F[band,k-1] + F[band,k+1]) / 4), F the
 * filter bank, for a Hann window spreads a sine over three bins. y = clamp(1 + dB / floor_db, 0,
 * 1), dB above the reference: in both modes the floor lies floor_db below the reference. */
/* wave [N,S] -> [N, bands, 1 + S/hop], in [0,1] (METHOD section 1): librosa's melspectrogram +
 * power_to_db / 80 + 1. The maximum and the floor are per clip. */
chl_tensor chl_log_mel(chl_graph *g, chl_tensor wave, const chl_mel_settings *settings);
#endif
