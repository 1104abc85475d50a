// Losses over packed targets: value and gradient with respect to log-probs or scores, nothing else.
// Knows nothing of models. The formulas per token or pair are in *_formula.h, shared with fused kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "core/batch.h"

namespace attune {

enum class LossKind { Nll, Dpo, BradleyTerry };

// A loss is sum(weight * group loss) / normaliser, with the normaliser counted over the whole update.
struct LossOptions {
    LossKind kind = LossKind::Nll;
    double normaliser = 1;          // Nll: targets of the update; Dpo, BradleyTerry: pairs of the update
    double beta = 0.1;              // Dpo
    double label_smoothing = 0;     // Dpo
    double centring = 0;            // BradleyTerry: coefficient of (r_c + r_r)^2
    std::vector<double> weights;    // [groups] or empty = 1
    std::vector<double> labels;     // [groups] P(chosen better), or empty = 1
    std::vector<double> margins;    // [groups] BradleyTerry, or empty = 0
    std::vector<double> reference;  // [completions] Dpo: summed log-probs under the reference
};

// Throws Code::Shape or Code::Option when the options do not fit the batch (pairs where pairs are needed,
// sizes, ranges).
void check_loss(const LossOptions& options, const PackedBatch& batch);

// True when every target's gradient is known without the other targets of its group.
bool independent_targets(LossKind kind);

// Groups [first_group, first_group + groups) of the batch: logprobs [targets of these groups] starting at the
// first group's first target; dlogprobs (=) the gradient of the divided loss; group_losses (=) [groups],
// undivided.
void logprob_loss(double* group_losses, float* dlogprobs, const float* logprobs, const LossOptions& options,
                  const PackedBatch& batch, int64_t first_group, int64_t groups);

// Nll over targets [first, first+count) alone, for chunks that cut a group; adds to group_losses of the
// groups touched.
void target_loss(double* all_group_losses, float* dlogprobs, const float* logprobs,
                 const LossOptions& options, const PackedBatch& batch, int64_t first, int64_t count);

// scores [completions] -> dscores (=) [completions], group_losses (=) [groups].
void score_loss(double* group_losses, double* dscores, const double* scores, const LossOptions& options,
                const PackedBatch& batch);

}  // namespace attune
