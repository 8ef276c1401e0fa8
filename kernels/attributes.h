/* The parameters of an op besides its tensors: one plain struct per family, in one union. Included
 * by ops.h only. Valid C11 and C++17. */
#ifndef CHL_ATTRIBUTES_H
#define CHL_ATTRIBUTES_H

typedef enum chl_activation {
    CHL_LEAKY_RELU,
    CHL_GELU,
    CHL_QUICK_GELU,
    CHL_SIGMOID,
    CHL_SINE
} chl_activation;
typedef enum chl_norm { CHL_NORM_L2, CHL_NORM_RMS } chl_norm;
typedef enum chl_pixel { CHL_PIXEL_L1, CHL_PIXEL_L2 } chl_pixel;

/* Resampling filters, each a separable linear map with half-pixel centres (except where named). */
typedef enum chl_filter {
    CHL_FILTER_NEAREST,       /* floor((i + 0.5) * in / out), as torch 'nearest-exact' */
    CHL_FILTER_BILINEAR,      /* no antialiasing: cv2.resize, torch align_corners=False */
    CHL_FILTER_BILINEAR_ENDS, /* torch align_corners=True */
    CHL_FILTER_BICUBIC,       /* a = -0.75, no antialiasing: torch */
    CHL_FILTER_BICUBIC_PIL,   /* a = -0.5, antialiased: PIL, torch antialias=True */
    CHL_FILTER_AREA,          /* integer bins: torch adaptive_avg_pool2d, mode='area' */
    CHL_FILTER_BOX            /* exact fractional box: nearest x k followed by average pooling */
} chl_filter;

typedef struct chl_conv_attributes {
    int32_t kernel, stride, pad; /* square; stride of the forward map */
    int32_t up;            /* 1: modulated convolution with x2 up-sampling and FIR [1,3,3,1] */
    int32_t n, h, w, i, o; /* of the forward op: input [n,h,w,i], output channels o */
    int32_t backward;      /* conv_pack: 1 = for the data gradient */
    float gain;            /* multiplies the weight (StyleGAN2's run-time scale); 1 otherwise */
    float slope, act_gain; /* modconv: leaky ReLU slope, then gain; slope 1 = linear */
    float clamp;           /* modconv, torgb: |y| <= clamp afterwards; 0 = none */
} chl_conv_attributes;

typedef union chl_attributes {
    chl_desc like; /* shape of the output where no input determines it */
    struct {
        float bias, c[CHL_MAX_IN];
    } sum;
    struct {
        chl_activation kind;
        float slope; /* leaky ReLU; 0 = ReLU */
    } activation;
    struct {
        float max_log_scale; /* upper bound of the log scale */
    } scale_by;
    struct {
        float gain, bias_gain; /* y = gain * x W^T + bias_gain * b */
    } linear;
    struct {
        float lowest, highest;
    } channel_affine;
    struct {
        float eps;
        chl_norm kind;
    } norm;
    struct {
        int32_t heads, causal;
        int32_t window, shift; /* window_attention only */
    } attention;
    struct {
        int32_t kernel, stride, pad;
    } pool;
    struct {
        int32_t index, n; /* select_token: the index where it is not an input; repeat: n copies */
        chl_desc like;    /* backward: shape of x */
    } token;
    chl_conv_attributes conv;
    struct {
        float eps, gain;
    } demodulate;
    struct {
        int32_t up, down;      /* rates */
        int32_t before, after; /* zeros around the up-sampled map, on both axes; may be negative */
        float gain, slope;     /* of the leaky ReLU */
        float clamp;           /* |value| <= clamp after it; 0 = none */
        int32_t push;          /* backward: 0 = v is dy, 1 = v is a change of x */
    } filtered;
    struct {
        chl_filter filter;
        int32_t out_h, out_w;
        int32_t y, x, h, w; /* source window, in input pixels */
        int32_t in_h, in_w; /* whole input */
    } resize;
    struct {
        int32_t offset;  /* cross_entropy: row i's class is i + offset */
        float tau;       /* kl_divergence */
        chl_pixel pixel; /* pixel_loss */
    } loss;
    struct {
        float beta1, beta2, eps, decay, rate_scale;
        int32_t decoupled; /* 1 = AdamW */
    } adam;
    struct {
        float momentum, decay, rate_scale;
    } sgd;
    struct {
        float decay;
        int32_t warm_up; /* 1: the decay grows from 0.1 to `decay` over the first steps */
    } ema;
    struct {
        float rate;
        uint32_t purpose; /* Philox key besides the seed: one number per use in a network */
        int32_t first;    /* row 0 is the sample of this number: a rank has a part of the batch */
    } drop;
    struct {
        int32_t ranks; /* 1 or more; without a communicator 1 */
    } collective;
    struct {
        int32_t fft, hop, bands;
        int32_t reflect;           /* 1 = reflect padding (librosa 0.8), 0 = zeros */
        int32_t absolute;          /* 1 = full-scale reference, 0 = the clip's own maximum */
        float floor_db, min_power; /* 80 dB, 1e-10: powers below it count as it */
    } mel;
} chl_attributes;
#endif
