// A minimal harness: CHECK counts what failed and says where; dies() expects a kernel to be
// refused.
#pragma once
#include "cuda/lib/simt.h"
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace test {
inline int failures = 0, checks = 0;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        test::checks++;                                                                            \
        if (!(condition)) {                                                                        \
            test::failures++;                                                                      \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);         \
        }                                                                                          \
    } while (0)

// Runs `f` in a child and is true where it aborted with a message that holds `words`.
bool dies(const std::function<void()> &f, const char *words);

// The same small numbers everywhere (splitmix64), exact in bf16: eighths between -1 and 1.
class Numbers {
  public:
    explicit Numbers(uint64_t seed) : state_(seed) {}
    float next() {
        uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return static_cast<float>(static_cast<int>((z >> 40) % 17) - 8) / 8.0f;
    }
    std::vector<float> floats(size_t n) {
        std::vector<float> v(n);
        for (float &x : v) x = next();
        return v;
    }
    std::vector<__nv_bfloat16> halves(size_t n) {
        std::vector<__nv_bfloat16> v(n);
        for (__nv_bfloat16 &x : v) x = __float2bfloat16(next());
        return v;
    }

  private:
    uint64_t state_;
};

void core();
void intrinsics();
void tensor();
void kernels();
void hopper();
void short_offsets();
} // namespace test
