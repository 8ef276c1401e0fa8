// y = f(x) for leaky ReLU, GELU (erf form), quick GELU and sigmoid, and dx = dy f'(x). 4 bytes
// (bf16) an element forward, 6 backward; GELU takes some 25 instructions, at which memory still
// binds.
#include "body.h"

namespace {
constexpr float QUICK = 1.702f; // x sigmoid(1.702 x) [Hendrycks & Gimpel 2016], CLIP's choice

__device__ float sigmoid(float x) {
    return __fdividef(1.0f, 1.0f + __expf(-x));
}

// The normal distribution: density phi(x), and Phi(-t) = exp(-t^2/2) M(s), s = 1/(1 + 0.3 t), t =
// |x|, as on the CPU: one exponential serves GELU and its derivative, and the lower tail keeps its
// relative accuracy. M was fitted for least relative error on t in [0, 13.5] (3.4e-9).
__device__ float gauss_cdf(float x, float &phi) {
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

template <chl_activation KIND> __device__ float value(float x, float slope) {
    float phi;
    if constexpr (KIND == CHL_LEAKY_RELU) return x > 0 ? x : x * slope;
    if constexpr (KIND == CHL_GELU) return x * gauss_cdf(x, phi);
    if constexpr (KIND == CHL_QUICK_GELU) return x * sigmoid(QUICK * x);
    return sigmoid(x);
}
template <chl_activation KIND> __device__ float derivative(float x, float slope) {
    if constexpr (KIND == CHL_LEAKY_RELU) return x > 0 ? 1.0f : slope;
    if constexpr (KIND == CHL_GELU) {
        float phi;
        const float cdf = gauss_cdf(x, phi);
        return cdf + x * phi;
    }
    const float s = sigmoid(KIND == CHL_QUICK_GELU ? QUICK * x : x);
    if constexpr (KIND == CHL_QUICK_GELU) return s + QUICK * x * s * (1.0f - s);
    return s * (1.0f - s);
}

template <class T, chl_activation KIND> struct activated {
    const T *x;
    T *y;
    float slope;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        chl::load(x + i, v);
        for (int e = 0; e < N; e++) v[e] = value<KIND>(v[e], slope);
        chl::store(y + i, v, add);
    }
};
template <class T, chl_activation KIND> struct differentiated {
    const T *dy, *x;
    T *dx;
    float slope;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float v[N], d[N];
        chl::load(x + i, v);
        chl::load(dy + i, d);
        for (int e = 0; e < N; e++) d[e] *= derivative<KIND>(v[e], slope);
        chl::store(dx + i, d, add);
    }
};

template <class T, chl_activation KIND> chl_status forward_kind(const chl_call *call) {
    return chl::each<T>(call, chl_count(&call->out_desc[0]),
                        activated<T, KIND>{chl::in<T>(call, 0), chl::out<T>(call, 0),
                                           call->attr.activation.slope, chl::adds(call, 0)});
}
template <class T, chl_activation KIND> chl_status backward_kind(const chl_call *call) {
    return chl::each<T>(call, chl_count(&call->out_desc[0]),
                        differentiated<T, KIND>{chl::in<T>(call, 0), chl::in<T>(call, 1),
                                                chl::out<T>(call, 0), call->attr.activation.slope,
                                                chl::adds(call, 0)});
}

chl_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        switch (call->attr.activation.kind) {
        case CHL_LEAKY_RELU:
            return forward_kind<T, CHL_LEAKY_RELU>(call);
        case CHL_GELU:
            return forward_kind<T, CHL_GELU>(call);
        case CHL_QUICK_GELU:
            return forward_kind<T, CHL_QUICK_GELU>(call);
        default:
            return forward_kind<T, CHL_SIGMOID>(call);
        }
    });
}

chl_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        switch (call->attr.activation.kind) {
        case CHL_LEAKY_RELU:
            return backward_kind<T, CHL_LEAKY_RELU>(call);
        case CHL_GELU:
            return backward_kind<T, CHL_GELU>(call);
        case CHL_QUICK_GELU:
            return backward_kind<T, CHL_QUICK_GELU>(call);
        default:
            return backward_kind<T, CHL_SIGMOID>(call);
        }
    });
}
} // namespace

const chl_body chl_cuda_activation = {forward, nullptr, nullptr};
const chl_body chl_cuda_activation_dx = {backward, nullptr, nullptr};
