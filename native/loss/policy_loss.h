// A policy's loss of packed targets. Private to loss/.
#pragma once

#include <cstdint>

#include "loss/loss_options.h"
#include "loss/nll_formula.h"
#include "loss/packed_sums.h"

namespace attune {

// Loss of one target whose ratio is its own, and its derivatives, times the completion's weight. completion
// and target count from the batch's first.
TokenLoss policy_token(const PolicyOptions& options, int64_t completion, int64_t target, double logprob,
                       double entropy);

// The same of a completion that has one ratio: returns its loss; the derivatives (=) are multiplied by scale.
double policy_completion(const PolicyOptions& options, const PackedSums& sums, int64_t completion,
                         double scale);

}  // namespace attune
