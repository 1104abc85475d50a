// Log-probs of packed targets as sums per completion and back: in double and in target order, so that results
// do not depend on how a batch was cut. Private to loss/.
#pragma once

#include <cstdint>
#include <vector>

#include "core/batch.h"
#include "core/target_span.h"

namespace attune {

inline double value_or(const std::vector<double>& values, int64_t index, double otherwise) {
    return values.empty() ? otherwise : values[static_cast<size_t>(index)];
}

// The targets of some groups, as a chunk of the head holds them: the span begins with target `offset`.
struct PackedSums {
    const PackedBatch& batch;
    TargetSpan span;
    int64_t offset;

    const Completion& completion(int64_t index) const {
        return batch.completions[static_cast<size_t>(index)];
    }
    double sum(int64_t index) const {
        double total = 0;
        for (int64_t t = 0; t < completion(index).count; ++t)
            total += span.logprobs[completion(index).first + t - offset];
        return total;
    }
    // Every target of the completion has the derivative by the sum.
    void spread(int64_t index, double derivative) const {
        for (int64_t t = 0; t < completion(index).count; ++t)
            span.d_logprobs[completion(index).first + t - offset] = static_cast<float>(derivative);
    }
};

}  // namespace attune
