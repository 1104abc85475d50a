// Cosines and sines of rotary positions, computed in double and kept as fp32; grows with the largest position
// asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"

namespace attune {

class RopeTable {
  public:
    explicit RopeTable(const ModelConfig& config);
    // Makes positions [0, count) available.
    void grow(int64_t count);
    // Takes the memory of positions [0, count), so that growing up to there takes none.
    void reserve(int64_t count);
    const float* cosine() const { return cosine_.data(); }  // [positions, D/2]
    const float* sine() const { return sine_.data(); }

  private:
    std::vector<double> frequencies_;  // [D/2] radians per position
    std::vector<float> cosine_;
    std::vector<float> sine_;
    int64_t positions_ = 0;
};

}  // namespace attune
