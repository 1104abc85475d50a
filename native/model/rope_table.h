// Cosines and sines of rotary positions, computed in double and kept as fp32 in the backend's memory; grows
// with the largest position asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor_memory.h"
#include "model/config.h"

namespace attune {

// [D/2] radians per position; none of a model with learned positions.
std::vector<double> rope_frequencies(const ModelConfig& config);

class RopeTable {
  public:
    explicit RopeTable(const ModelConfig& config);
    // Makes positions [0, count) available, and some more so that it grows rarely. Throws Code::Memory.
    void grow(int64_t count, const Ops& ops, Stream& stream);
    const float* cosine() const { return memory_.floats(); }           // [positions, D/2]
    const float* sine() const { return memory_.floats() + values(); }  // [positions, D/2]

  private:
    int64_t values() const { return positions_ * static_cast<int64_t>(frequencies_.size()); }

    std::vector<double> frequencies_;
    int64_t most_positions_;  // of the model
    int64_t positions_ = 0;
    TensorMemory memory_;  // cosines, then sines
};

}  // namespace attune
