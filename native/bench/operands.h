// Inputs and outputs of benchmarks: aligned memory as a model's arena has it, filled with random numbers
// around zero, never with zeros. Must not use an op.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "bench/bench.h"
#include "bench/random.h"
#include "core/backend.h"
#include "core/ops.h"

namespace attune::bench {

// Deviation 1, bell-shaped: the sum of four uniform numbers. Cheaper than a normal one, and as good for
// timing.
inline float bell(Random& random) {
    const uint64_t bits = random.bits();
    const auto sum =
        static_cast<double>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    return static_cast<float>((sum / 65536.0 - 2.0) * std::sqrt(3.0));
}

// data[count] = random numbers. They repeat after a prime count: drawing every one would take longer than
// what is timed.
inline void fill_random(void* data, DType dtype, int64_t count, float deviation, uint64_t seed,
                        const Context& context) {
    constexpr int64_t kDrawn = 262139;
    Random random(seed);
    const int64_t drawn = std::min(count, kDrawn), size = dtype_size(dtype);
    std::vector<std::byte> numbers(static_cast<size_t>(drawn * size));
    for (int64_t i = 0; i < drawn; ++i) {
        const float value = deviation * bell(random);
        if (dtype == DType::F32)
            reinterpret_cast<float*>(numbers.data())[i] = value;
        else
            reinterpret_cast<bf16_t*>(numbers.data())[i] = float_to_bf16(value);
    }
    for (int64_t i = 0; i < count; i += drawn)
        check(context.ops.memory_write(static_cast<std::byte*>(data) + i * size, numbers.data(),
                                       std::min(drawn, count - i) * size, context.stream),
              "memory_write");
}

// Memory for the operands of one shape, in the order in which they are made. The next shape takes the same
// pieces: touching new pages would take longer than what is timed.
class Operands {
  public:
    explicit Operands(const Context& context) : context_(context) {}

    void* random(DType dtype, int64_t count, float deviation) {
        std::vector<TensorMemory>& memory = *context_.operands;
        if (memory.size() <= taken_) memory.resize(taken_ + 1);
        memory[taken_].grow(context_.ops, *context_.stream, static_cast<size_t>(count * dtype_size(dtype)));
        void* data = memory[taken_].data();
        fill_random(data, dtype, count, deviation, static_cast<uint64_t>(++taken_), context_);
        return data;
    }
    // [count] fp32, all of them `value`
    float* filled(int64_t count, float value) {
        float* data = floats(count);
        check(context_.ops.fill(data, value, count, context_.stream), "fill");
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
    const Context& context_;
    size_t taken_ = 0;
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
