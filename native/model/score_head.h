// Values of the score heads w [K,C] of a reward model: how they start, and how they are scaled. Knows no
// passes and no files.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/ops.h"
#include "model/spec.h"

namespace attune {

// How heads start that no file holds.
struct ScoreDraw {
    bool normal = true;  // N(0, 1 / (C + 1)) (Stiennon et al. 2020); else zero
    uint64_t seed = 0;
};

// data (=): every head's row is a function of seed and its number, so that the first of K is the one of 1.
void draw_score_heads(void* data, DType dtype, const TensorSpec& heads, const ScoreDraw& draw, const Ops& ops,
                      Stream& stream);

// Row k of data times factors[k], [K].
void scale_score_heads(void* data, DType dtype, const TensorSpec& heads, const std::vector<double>& factors,
                       const Ops& ops, Stream& stream);

}  // namespace attune
