// What one pass of the trunk works with, and views of columns. Private to trunk*.cpp.
#pragma once

#include "model/trunk.h"

namespace attune {

struct Trunk::Pass {
    const Weights& weights;
    const PackedBatch& batch;
    Stream& stream;
    TrunkRole role;
    Gradients* gradients = nullptr;  // of the base; null = frozen, or a forward pass

    float* vector_gradient(const TensorSpec* tensor) const {
        return gradients == nullptr ? nullptr : gradients->vector(tensor);
    }
};

inline Mat columns(const Mat& m, int64_t first, int64_t count) {
    auto* at = static_cast<std::byte*>(m.data) + first * dtype_size(m.dtype);
    return {at, m.dtype, m.rows, count, m.stride};
}

// The same memory with fewer columns, tightly packed.
inline Mat narrowed(const Mat& m, int64_t cols) {
    return {m.data, m.dtype, m.rows, cols, cols};
}

}  // namespace attune
