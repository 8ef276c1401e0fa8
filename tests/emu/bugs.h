// A case of the planted-bug matrix.
#pragma once
#include "emu_test.h"
#include <memory>

namespace bugs {
struct Case {
    const char *name, *noticed_by;
    bool (*runs_right)();
};

// on the heap, so that AddressSanitizer knows its end; 16-byte aligned as GPU memory is
class Buffer {
  public:
    explicit Buffer(size_t n)
        : data_(static_cast<float *>(std::aligned_alloc(16, n * sizeof(float)))) {
        std::fill(data_.get(), data_.get() + n, 0.0f);
    }
    float *data() { return data_.get(); }
    bool begins_with_ones(size_t n) const {
        for (size_t i = 0; i < n; i++)
            if (data_.get()[i] != 1.0f) return false;
        return true;
    }

  private:
    struct Free {
        void operator()(float *p) const { std::free(p); }
    };
    std::unique_ptr<float, Free> data_;
};
} // namespace bugs
