// Activations and their derivatives at one number.
#pragma once
#include "cuda/lib/body.h"

namespace activation {
constexpr float QUICK = 1.702f; // x sigmoid(1.702 x) [Hendrycks & Gimpel 2016], CLIP's choice

__device__ inline float sigmoid(float x) {
    return __fdividef(1.0f, 1.0f + __expf(-x));
}

// The normal distribution: density phi(x), and Phi(-t) = exp(-t^2/2) M(s), s = 1/(1 + 0.3 t), t =
// |x|, as on the CPU: one exponential serves GELU and its derivative, and the lower tail keeps its
// relative accuracy. M was fitted for the smallest relative error on t in [0, 13.5] (3.4e-9).
__device__ inline float gauss_cdf(float x, float &phi) {
    const float density = __expf(-0.5f * x * x);
    const float s = __fdividef(1.0f, fabsf(x) * 0.3f + 1.0f);
    float m = -0.0205946155f;
    m = m * s + 0.112273239f;
    m = m * s - 0.22781685f;
    m = m * s + 0.191233188f;
    m = m * s - 0.0789442435f;
    m = m * s + 0.0958871767f;
    m = m * s + 0.0784876421f;
    m = m * s + 0.110213302f;
    m = m * s + 0.119574629f;
    m = m * s + 0.119686544f;
    const float tail = m * s * density;
    phi = density * 0.398942280f;
    return x > 0 ? 1.0f - tail : tail;
}

template <chl_activation KIND> __device__ inline float value(float x, float slope) {
    float phi;
    if constexpr (KIND == CHL_LEAKY_RELU) return x > 0 ? x : x * slope;
    if constexpr (KIND == CHL_GELU) return x * gauss_cdf(x, phi);
    if constexpr (KIND == CHL_QUICK_GELU) return x * sigmoid(QUICK * x);
    if constexpr (KIND == CHL_SINE) return sinf(x);
    return sigmoid(x);
}
template <chl_activation KIND> __device__ inline float derivative(float x, float slope) {
    if constexpr (KIND == CHL_LEAKY_RELU) return x > 0 ? 1.0f : slope;
    if constexpr (KIND == CHL_GELU) {
        float phi;
        const float cdf = gauss_cdf(x, phi);
        return cdf + x * phi;
    }
    if constexpr (KIND == CHL_SINE) return cosf(x);
    const float s = sigmoid(KIND == CHL_QUICK_GELU ? QUICK * x : x);
    if constexpr (KIND == CHL_QUICK_GELU) return s + QUICK * x * s * (1.0f - s);
    return s * (1.0f - s);
}
} // namespace activation
