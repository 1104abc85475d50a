// Losses over packed targets: value and gradient with respect to log-probs or scores, nothing else.
// Knows nothing of models. The formulas per token, pair or list are in *_formula.h, shared with fused
// kernels.
#pragma once

#include <cstdint>

#include "core/batch.h"
#include "core/target_span.h"
#include "loss/loss_options.h"
#include "loss/loss_space.h"

namespace attune {

// Throws Code::Shape or Code::Option when the options do not fit the batch or each other. heads: scores of
// each completion, for losses on scores.
void check_loss(const LossOptions& options, const PackedBatch& batch, int64_t heads = 1);

// True for losses of scores or values, false for losses of log-probs.
bool is_score_loss(const LossOptions& options);

// True when every target's gradient is known without the other targets of its group.
bool independent_targets(const LossOptions& options);

// True when the loss has a term of the targets' entropies.
bool has_entropy_term(const LossOptions& options);

// What divides the logits before log-probs and entropies are taken.
double loss_temperature(const LossOptions& options);

// Groups [first_group, first_group + groups) of the batch. targets: those of these groups, from the first
// group's first one; their derivatives (=) are those of the divided loss. group_losses (=) [groups],
// undivided.
void logprob_loss(double* group_losses, const TargetSpan& targets, const LossOptions& options,
                  const PackedBatch& batch, int64_t first_group, int64_t groups, LossSpace& space);

// A loss of independent targets over targets [first, first+count) alone, for chunks that cut a group; adds to
// group_losses of the groups touched.
void target_loss(double* all_group_losses, const TargetSpan& targets, const LossOptions& options,
                 const PackedBatch& batch, int64_t first, int64_t count);

// scores [completions, heads] -> group_losses (=) [groups], undivided; dscores (=) [completions, heads] and
// tie_gradient (=) of the divided loss, the latter with respect to the tie parameter. A group's loss is the
// mean over heads of head weight * loss.
void score_loss(double* group_losses, double* dscores, double* tie_gradient, const double* scores,
                int64_t heads, const LossOptions& options, const PackedBatch& batch, LossSpace& space);

}  // namespace attune
