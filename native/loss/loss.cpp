// Applies the formulas of losses of log-probs to packed batches. Must not know models or ops.
#include "loss/loss.h"

#include <algorithm>

#include "core/error.h"
#include "loss/nll_formula.h"
#include "loss/packed_sums.h"
#include "loss/policy_loss.h"
#include "loss/ranked_group.h"

namespace attune {

namespace {

int64_t first_target(const PackedBatch& batch, int64_t group) {
    // A group without completions may stand behind the last one.
    const auto first = static_cast<size_t>(batch.groups[static_cast<size_t>(group)].first);
    return first < batch.completions.size() ? batch.completions[first].first
                                            : static_cast<int64_t>(batch.targets.size());
}

// One group of a batch, what its gradient is multiplied with (its weight over the normaliser), and memory.
struct PackedGroup {
    const PackedSums& sums;
    int64_t index;
    int64_t first;  // completion
    int64_t count;
    double scale;
    double normaliser;
    LossSpace& space;
};

// Losses whose targets stand alone, each times the weight of its completion. index: in the batch.
struct LoneTarget {
    int64_t completion;
    int64_t index;
    double logprob;
    double entropy;
};

TokenLoss token_loss(const NllOptions&, const LoneTarget& target) {
    return nll_token(target.logprob);
}

TokenLoss token_loss(const PolicyOptions& options, const LoneTarget& target) {
    return policy_token(options, target.completion, target.index, target.logprob, target.entropy);
}

// Targets [first, end) of a completion, of a span that begins with target `offset`. Each is added to the
// group's loss by itself, so that the sum is the same however a batch was cut.
template <class Family>
void lone_targets(double* loss, const Family& family, const TargetSpan& span, int64_t offset,
                  int64_t completion, int64_t first, int64_t end, double scale) {
    for (int64_t target = first; target < end; ++target) {
        const int64_t i = target - offset;
        const TokenLoss token = token_loss(family, {completion, target, span.logprobs[i], span.entropies[i]});
        *loss += token.value;
        span.d_logprobs[i] = static_cast<float>(token.d_logprob * scale);
        if (span.d_entropies != nullptr) span.d_entropies[i] = static_cast<float>(token.d_entropy * scale);
    }
}

template <class Family>
double lone_group(const Family& family, const PackedGroup& group) {
    double loss = 0;
    for (int64_t c = group.first; c < group.first + group.count; ++c) {
        const Completion& completion = group.sums.completion(c);
        lone_targets(&loss, family, group.sums.span, group.sums.offset, c, completion.first,
                     completion.first + completion.count, group.scale);
    }
    return loss;
}

double group_loss(const NllOptions& options, const PackedGroup& group) {
    return lone_group(options, group);
}

double group_loss(const PolicyOptions& options, const PackedGroup& group) {
    if (options.ratio->of == RatioOf::Token) return lone_group(options, group);
    double loss = 0;
    for (int64_t c = group.first; c < group.first + group.count; ++c)
        loss += policy_completion(options, group.sums, c, group.scale);
    return loss;
}

PairSide side_of(const PairwiseOptions& options, const PackedGroup& group, int64_t completion) {
    PairSide side;
    side.logprob = group.sums.sum(completion);
    side.tokens = std::max<double>(1, group.sums.completion(completion).count);
    side.ratio = side.logprob - value_or(options.reference, completion, 0);
    side.match = value_or(options.matches, completion, 0);
    const RatioScore score = options.divergence == nullptr
                                 ? reverse_kl_score(side.ratio, options.alpha)
                                 : options.divergence->score(side.ratio, options.alpha);
    side.score = score.value;
    side.score_slope = score.slope;
    return side;
}

double nll_weight(const PairwiseOptions& options, const PairwiseEntry& entry) {
    if (entry.nll == NllPart::None) return 0;
    return entry.nll == NllPart::ByWeight ? options.nll_weight.value_or(entry.nll_weight) : entry.nll_weight;
}

// A term and the chosen side's negative log-likelihood, a mean over all chosen targets of the update: times
// the normaliser, as the sum over groups is divided by that.
PairLoss term_loss(const PairwiseOptions& options, const PairwiseEntry& entry, Pair pair, double label,
                   double normaliser) {
    const bool smooth = entry.smoothing == Smoothing::Label || entry.smoothing == Smoothing::Needed;
    pair.label = smooth ? smoothed(label, options.label_smoothing) : label;
    PairLoss loss =
        entry.loss(pair, {options.beta, options.label_smoothing, options.ipo_mean, options.simpo_gamma,
                          options.discopop_temperature, options.orpo_lambda});
    const double weight = nll_weight(options, entry);
    if (weight == 0) return loss;
    const double per_target = weight * normaliser / static_cast<double>(options.chosen_targets);
    loss.value -= per_target * pair.chosen.logprob;
    loss.d_chosen -= per_target;
    return loss;
}

double group_loss(const PairwiseOptions& options, const PackedGroup& group) {
    const Pair pair{side_of(options, group, group.first), side_of(options, group, group.first + 1), 1};
    const double label = value_or(options.labels, group.index, 1);
    PairLoss total{0, 0, 0};
    for (const PairwiseTerm& term : options.terms) {
        const PairLoss loss = term_loss(options, *term.entry, pair, label, group.normaliser);
        total.value += term.weight * loss.value;
        total.d_chosen += term.weight * loss.d_chosen;
        total.d_rejected += term.weight * loss.d_rejected;
    }
    group.sums.spread(group.first, total.d_chosen * group.scale);
    group.sums.spread(group.first + 1, total.d_rejected * group.scale);
    return total.value;
}

double group_loss(const ListwiseOptions& options, const PackedGroup& group) {
    std::vector<double>& scores = group.space.scores;
    std::vector<double>& dscores = group.space.slopes;
    scores.resize(static_cast<size_t>(group.count));
    dscores.assign(static_cast<size_t>(group.count), 0);
    for (int64_t c = 0; c < group.count; ++c)
        scores[static_cast<size_t>(c)] = options.beta * (group.sums.sum(group.first + c) -
                                                         value_or(options.reference, group.first + c, 0));
    const RankedGroup ranked(options.ranking, group.index, group.first, group.count, group.space);
    const double loss =
        options.ranking.entry->loss(dscores.data(), scores.data(), ranked.ranking(), ranked.space());
    for (int64_t c = 0; c < group.count; ++c)
        group.sums.spread(group.first + c, options.beta * dscores[static_cast<size_t>(c)] * group.scale);
    return loss;
}

double group_loss(const UnpairedOptions& options, const PackedGroup& group) {
    const bool desirable = value_or(options.labels, group.index, 1) == 1;
    const double ratio = group.sums.sum(group.first) - value_or(options.reference, group.first, 0);
    const RatioLoss loss = options.entry->loss(ratio, desirable, options.beta, options.baseline);
    const double weight = desirable ? options.desirable_weight : options.undesirable_weight;
    group.sums.spread(group.first, weight * loss.slope * group.scale);
    return weight * loss.value;
}

double group_loss(const ScoreOptions&, const PackedGroup&) {
    raise(Code::Internal, "A loss of scores was given log-probs.");
}

double group_loss(const ValueOptions&, const PackedGroup&) {
    raise(Code::Internal, "A loss of values was given log-probs.");
}

const PolicyOptions* policy_of(const LossOptions& options) {
    return std::get_if<PolicyOptions>(&options.family);
}

}  // namespace

bool is_score_loss(const LossOptions& options) {
    return std::holds_alternative<ScoreOptions>(options.family) ||
           std::holds_alternative<ValueOptions>(options.family);
}

bool independent_targets(const LossOptions& options) {
    const PolicyOptions* policy = policy_of(options);
    return std::holds_alternative<NllOptions>(options.family) ||
           (policy != nullptr && policy->ratio->of == RatioOf::Token);
}

bool has_entropy_term(const LossOptions& options) {
    const PolicyOptions* policy = policy_of(options);
    return policy != nullptr && policy->entropy_weight != 0;
}

double loss_temperature(const LossOptions& options) {
    const PolicyOptions* policy = policy_of(options);
    return policy == nullptr ? 1 : policy->temperature;
}

void logprob_loss(double* group_losses, const TargetSpan& targets, const LossOptions& options,
                  const PackedBatch& batch, int64_t first_group, int64_t groups, LossSpace& space) {
    if (groups == 0) return;
    const PackedSums sums{batch, targets, first_target(batch, first_group)};
    std::visit(
        [&](const auto& family) {
            for (int64_t g = first_group; g < first_group + groups; ++g) {
                const Group& group = batch.groups[static_cast<size_t>(g)];
                const double scale = value_or(options.weights, g, 1) / options.normaliser;
                group_losses[g - first_group] =
                    group_loss(family, {sums, g, group.first, group.count, scale, options.normaliser, space});
            }
        },
        options.family);
}

namespace {

template <class Family>
void each_lone_target(double* all_group_losses, const TargetSpan& targets, const Family& family,
                      const LossOptions& options, const PackedBatch& batch, int64_t first, int64_t count) {
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const double scale = value_or(options.weights, static_cast<int64_t>(g), 1) / options.normaliser;
        for (int64_t c = batch.groups[g].first; c < batch.groups[g].first + batch.groups[g].count; ++c) {
            const Completion& completion = batch.completions[static_cast<size_t>(c)];
            const int64_t begin = std::max<int64_t>(completion.first, first);
            const int64_t end = std::min(int64_t{completion.first} + completion.count, first + count);
            lone_targets(all_group_losses + g, family, targets, first, c, begin, end, scale);
        }
    }
}

}  // namespace

void target_loss(double* all_group_losses, const TargetSpan& targets, const LossOptions& options,
                 const PackedBatch& batch, int64_t first, int64_t count) {
    const auto apply = [&](const auto& family) {
        each_lone_target(all_group_losses, targets, family, options, batch, first, count);
    };
    if (const PolicyOptions* policy = policy_of(options)) return apply(*policy);
    apply(std::get<NllOptions>(options.family));
}

}  // namespace attune
