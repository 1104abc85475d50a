// Inputs and outputs for checks: matrices with guarded gaps and an odd alignment, and parameters in either
// layout, built by plain loops from the contract in core/ops.h. Must not use an op.
#pragma once

#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/ops.h"
#include "tool/check.h"

namespace attune::tool {

inline double read_element(const void* data, DType dtype, int64_t index) {
    if (dtype == DType::F32) {
        float value;
        std::memcpy(&value, static_cast<const std::byte*>(data) + index * 4, 4);
        return static_cast<double>(value);
    }
    bf16_t value;
    std::memcpy(&value, static_cast<const std::byte*>(data) + index * 2, 2);
    return static_cast<double>(bf16_to_float(value));
}

inline void write_element(void* data, DType dtype, int64_t index, double value) {
    if (dtype == DType::F32) {
        const auto stored = static_cast<float>(value);
        std::memcpy(static_cast<std::byte*>(data) + index * 4, &stored, 4);
    } else {
        const bf16_t stored = float_to_bf16(static_cast<float>(value));
        std::memcpy(static_cast<std::byte*>(data) + index * 2, &stored, 2);
    }
}

// Rows x cols with `gap` unused elements after each row. Starts NaN; gaps and both ends hold a pattern that
// no op may change and that is NaN too, so that none may compute with it. The data is aligned to its element
// only, or every row of it to 16 bytes.
class TestMatrix {
  public:
    TestMatrix(DType dtype, int64_t rows, int64_t cols, int64_t gap = 0)
        : TestMatrix(dtype, rows, cols, cols + gap, kGuard) {}
    static TestMatrix aligned(DType dtype, int64_t rows, int64_t cols) {
        return {dtype, rows, cols, (cols + 15) / 8 * 8, kAlignedGuard};
    }

    int64_t rows() const { return rows_; }
    int64_t cols() const { return cols_; }
    void* data() { return memory_.data() + guard_; }
    const void* data() const { return memory_.data() + guard_; }
    Mat mat() { return {data(), dtype_, rows_, cols_, stride_}; }
    ConstMat view() const { return {data(), dtype_, rows_, cols_, stride_}; }
    // Rows [first, first + count) as an input of their own.
    ConstMat view(int64_t first, int64_t count) const {
        return {memory_.data() + guard_ + first * stride_ * dtype_size(dtype_), dtype_, count, cols_,
                stride_};
    }

    double at(int64_t row, int64_t col) const { return read_element(data(), dtype_, row * stride_ + col); }
    void set(int64_t row, int64_t col, double value) {
        write_element(data(), dtype_, row * stride_ + col, value);
    }

    void poison() {
        assign([](int64_t, int64_t) { return std::numeric_limits<double>::quiet_NaN(); });
    }
    void randomise(Random& random, double scale = 1) {
        assign([&](int64_t, int64_t) { return scale * random.normal(); });
    }
    template <class Value>
    void assign(Value&& value) {
        for (int64_t row = 0; row < rows_; ++row)
            for (int64_t col = 0; col < cols_; ++col) set(row, col, value(row, col));
    }
    // [rows * cols], as stored (rounded to the dtype)
    std::vector<double> values() const {
        std::vector<double> out;
        out.reserve(static_cast<size_t>(rows_ * cols_));
        for (int64_t row = 0; row < rows_; ++row)
            for (int64_t col = 0; col < cols_; ++col) out.push_back(at(row, col));
        return out;
    }
    bool guards_intact() const {
        for (size_t i = 0; i < memory_.size(); ++i) {
            const int64_t offset = static_cast<int64_t>(i) - guard_;
            const bool inside = offset >= 0 && offset < rows_ * stride_ * dtype_size(dtype_);
            if (inside && offset / dtype_size(dtype_) % stride_ < cols_) continue;
            if (memory_[i] != kPattern) return false;
        }
        return true;
    }

  private:
    TestMatrix(DType dtype, int64_t rows, int64_t cols, int64_t stride, int64_t guard)
        : dtype_(dtype),
          rows_(rows),
          cols_(cols),
          stride_(stride),
          guard_(guard),
          memory_(static_cast<size_t>(2 * guard + rows * stride * dtype_size(dtype)), kPattern) {
        poison();
    }

    static constexpr int64_t kGuard = 100;  // bytes; no multiple of 8, so vectors are never aligned
    static constexpr int64_t kAlignedGuard = 128;
    static constexpr std::byte kPattern{0xFF};
    DType dtype_;
    int64_t rows_, cols_, stride_, guard_;
    std::vector<std::byte> memory_;
};

// Index of element (n, k) of an N x K parameter.
inline int64_t weight_index(Layout layout, DType dtype, int64_t K, int64_t n, int64_t k) {
    if (layout == Layout::Rows) return n * K + k;
    const int64_t panel = n / kPanel * even(K) * kPanel;
    return dtype == DType::F32 ? panel + k * kPanel + n % kPanel
                               : panel + k / 2 * 64 + n % kPanel * 2 + k % 2;
}

// A parameter (or its gradient) with 64-byte alignment, as the model's buffers have. Padding is zero.
class TestWeight {
  public:
    TestWeight(DType dtype, Layout layout, int64_t N, int64_t K)
        : dtype_(dtype),
          layout_(layout),
          N_(N),
          K_(K),
          memory_(allocate_aligned(static_cast<size_t>(bytes() + 64))) {
        std::memset(memory_.get(), 0, static_cast<size_t>(bytes() + 64));
    }

    int64_t elements() const { return layout_elements(layout_, N_, K_); }
    int64_t bytes() const { return elements() * dtype_size(dtype_); }
    void* data() { return memory_.get(); }
    const void* data() const { return memory_.get(); }
    Weight weight() const { return {data(), dtype_, layout_, N_, K_}; }
    WeightGrad gradient() { return {static_cast<float*>(data()), layout_, N_, K_}; }

    double at(int64_t n, int64_t k) const {
        return read_element(data(), dtype_, weight_index(layout_, dtype_, K_, n, k));
    }
    void set(int64_t n, int64_t k, double value) {
        write_element(data(), dtype_, weight_index(layout_, dtype_, K_, n, k), value);
    }
    void randomise(Random& random, double scale = 1) {
        for (int64_t n = 0; n < N_; ++n)
            for (int64_t k = 0; k < K_; ++k) set(n, k, scale * random.normal());
    }
    // [N * K] row-major, as stored
    std::vector<double> values() const {
        std::vector<double> out;
        for (int64_t n = 0; n < N_; ++n)
            for (int64_t k = 0; k < K_; ++k) out.push_back(at(n, k));
        return out;
    }
    // Every stored element that belongs to no (n, k) is still zero.
    bool padding_is_zero() const {
        std::vector<bool> used(static_cast<size_t>(elements()));
        for (int64_t n = 0; n < N_; ++n)
            for (int64_t k = 0; k < K_; ++k)
                used[static_cast<size_t>(weight_index(layout_, dtype_, K_, n, k))] = true;
        for (int64_t i = 0; i < elements(); ++i)
            if (!used[static_cast<size_t>(i)] && read_element(data(), dtype_, i) != 0) return false;
        return true;
    }

  private:
    DType dtype_;
    Layout layout_;
    int64_t N_, K_;
    AlignedBytes memory_;
};

// A flat fp32 buffer [n] that starts NaN.
inline std::vector<float> poisoned(int64_t n) {
    return std::vector<float>(static_cast<size_t>(n), std::numeric_limits<float>::quiet_NaN());
}
inline std::vector<float> random_floats(Random& random, int64_t n, double scale = 1, double offset = 0) {
    std::vector<float> out(static_cast<size_t>(n));
    for (float& value : out) value = static_cast<float>(offset + scale * random.normal());
    return out;
}
// run(stream) computes an op anew and returns its results; they must be the same bits with 1, 2 and 3
// threads.
template <class Run>
std::vector<double> same_for_threads(Checks& checks, const std::string& name, Run&& run) {
    const std::vector<double> one = run(checks.stream(1));
    for (const int threads : {2, 3})
        checks.expect_same(name + " with " + std::to_string(threads) + " threads",
                           run(checks.stream(threads)), one);
    return one;
}

inline void append(std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
}
inline void append(std::vector<double>& all, const std::vector<float>& more) {
    all.insert(all.end(), more.begin(), more.end());
}
// Elements [first, first + count) of what same_for_threads returned.
inline std::vector<double> slice(const std::vector<double>& all, size_t first, size_t count) {
    const auto from = all.begin() + static_cast<int64_t>(first);
    return {from, from + static_cast<int64_t>(count)};
}
inline std::vector<double> to_doubles(std::span<const float> x) {
    return {x.begin(), x.end()};
}

}  // namespace attune::tool
