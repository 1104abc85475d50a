// Inputs and outputs of benchmarks: aligned memory as a model's arena has it, filled with random numbers
// around zero, never with zeros. Must not use an op.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "bench/bench.h"
#include "bench/random.h"
#include "core/ops.h"
#include "core/scratch.h"

namespace attune::bench {

// Deviation 1, bell-shaped: the sum of four uniform numbers. Cheaper than a normal one, and as good for
// timing.
inline float bell(Random& random) {
    const uint64_t bits = random.bits();
    const auto sum =
        static_cast<double>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    return static_cast<float>((sum / 65536.0 - 2.0) * std::sqrt(3.0));
}

// Numbers repeat after a prime count: drawing every one would take longer than what is timed.
inline void fill_random(void* data, DType dtype, int64_t count, float deviation, uint64_t seed) {
    constexpr int64_t kDrawn = 262139;
    Random random(seed);
    const int64_t drawn = std::min(count, kDrawn), size = dtype_size(dtype);
    auto* bytes = static_cast<std::byte*>(data);
    for (int64_t i = 0; i < drawn; ++i) {
        const float value = deviation * bell(random);
        if (dtype == DType::F32)
            static_cast<float*>(data)[i] = value;
        else
            static_cast<bf16_t*>(data)[i] = float_to_bf16(value);
    }
    for (int64_t i = drawn; i < count; i += drawn)
        std::memcpy(bytes + i * size, bytes, static_cast<size_t>(std::min(drawn, count - i) * size));
}

// Memory for the operands of one shape, in the order in which they are made. The next shape takes the same
// pieces: touching new pages would take longer than what is timed.
class Operands {
  public:
    explicit Operands(const Context& context) : memory_(context.operands) {}

    void* random(DType dtype, int64_t count, float deviation) {
        void* data = memory_->slot(taken_, static_cast<size_t>(count * dtype_size(dtype)));
        fill_random(data, dtype, count, deviation, static_cast<uint64_t>(++taken_));
        return data;
    }
    // [count] fp32
    float* floats(int64_t count, float deviation = 1) {
        return static_cast<float*>(random(DType::F32, count, deviation));
    }
    // Activations [rows, cols] or their gradient.
    Mat matrix(DType dtype, int64_t rows, int64_t cols, float deviation = 1) {
        return {random(dtype, rows * cols, deviation), dtype, rows, cols, cols};
    }
    // A parameter in panels; the padding holds numbers too, which changes no time.
    Weight weight(DType dtype, int64_t N, int64_t K) {
        return {random(dtype, layout_elements(Layout::Panels, N, K), 1), dtype, Layout::Panels, N, K};
    }
    WeightGrad gradient(int64_t N, int64_t K) {
        return {floats(layout_elements(Layout::Panels, N, K)), Layout::Panels, N, K};
    }

  private:
    Scratch* memory_;
    int taken_ = 0;
};

inline double bytes_of(ConstMat x) {
    return static_cast<double>(x.rows * x.cols * dtype_size(x.dtype));
}
inline double bytes_of(const Weight& w) {
    return static_cast<double>(w.N * w.K * dtype_size(w.dtype));
}
inline double bytes_of(const WeightGrad& dw) {
    return static_cast<double>(dw.N * dw.K) * sizeof(float);
}

}  // namespace attune::bench
