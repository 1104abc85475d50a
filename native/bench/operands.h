// Inputs and outputs of benchmarks: aligned memory as a model's arena has it, filled with random numbers
// around zero, never with zeros. Must not use an op.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

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

inline AlignedBytes random_values(DType dtype, int64_t count, float deviation, uint64_t seed) {
    AlignedBytes memory = allocate_aligned(static_cast<size_t>(count * dtype_size(dtype)));
    fill_random(memory.get(), dtype, count, deviation, seed);
    return memory;
}

inline std::vector<float> random_floats(int64_t count, float deviation, uint64_t seed) {
    std::vector<float> values(static_cast<size_t>(count));
    fill_random(values.data(), DType::F32, count, deviation, seed);
    return values;
}

// Activations [rows, cols] or their gradient.
class Matrix {
  public:
    Matrix(DType dtype, int64_t rows, int64_t cols, uint64_t seed, float deviation = 1)
        : dtype_(dtype),
          rows_(rows),
          cols_(cols),
          memory_(random_values(dtype, rows * cols, deviation, seed)) {}

    Mat mat() const { return {memory_.get(), dtype_, rows_, cols_, cols_}; }
    // The first `cols` columns of every row.
    ConstMat left(int64_t cols) const { return {memory_.get(), dtype_, rows_, cols, cols_}; }
    double bytes() const { return static_cast<double>(rows_ * cols_ * dtype_size(dtype_)); }

  private:
    DType dtype_;
    int64_t rows_, cols_;
    AlignedBytes memory_;
};

// A parameter or its gradient in panels; the padding holds numbers too, which changes no time.
class Panels {
  public:
    Panels(DType dtype, int64_t N, int64_t K, uint64_t seed, float deviation = 1)
        : dtype_(dtype),
          N_(N),
          K_(K),
          memory_(random_values(dtype, layout_elements(Layout::Panels, N, K), deviation, seed)) {}

    Weight weight() const { return {memory_.get(), dtype_, Layout::Panels, N_, K_}; }
    WeightGrad gradient() const { return {reinterpret_cast<float*>(memory_.get()), Layout::Panels, N_, K_}; }
    double bytes() const { return static_cast<double>(N_ * K_ * dtype_size(dtype_)); }

  private:
    DType dtype_;
    int64_t N_, K_;
    AlignedBytes memory_;
};

}  // namespace attune::bench
