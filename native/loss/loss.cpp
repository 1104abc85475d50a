// Applies the formulas to packed batches: sums per completion in double and in target order, so results do
// not depend on how a batch was cut. Must not know models or ops.
#include "loss/loss.h"

#include "core/error.h"
#include "loss/bradley_terry_formula.h"
#include "loss/dpo_formula.h"
#include "loss/nll_formula.h"

namespace attune {

namespace {

double at_or(const std::vector<double>& values, int64_t index, double otherwise) {
    return values.empty() ? otherwise : values[static_cast<size_t>(index)];
}

void check_size(const std::vector<double>& values, size_t wanted, const char* name, const char* of,
                bool may_be_empty) {
    require(values.size() == wanted || (may_be_empty && values.empty()), Code::Shape, name, ": expected ",
            wanted, " values (one per ", of, ") but got ", values.size(), ".");
}

int64_t first_target(const PackedBatch& batch, int64_t group) {
    // A group without completions may stand behind the last one.
    const auto first = static_cast<size_t>(batch.groups[static_cast<size_t>(group)].first);
    return first < batch.completions.size() ? batch.completions[first].first
                                            : static_cast<int64_t>(batch.targets.size());
}

double sum_logprobs(const float* logprobs, const Completion& completion, int64_t offset) {
    double sum = 0;
    for (int32_t t = 0; t < completion.count; ++t) sum += logprobs[completion.first + t - offset];
    return sum;
}

void spread(float* dlogprobs, const Completion& completion, int64_t offset, double value) {
    for (int32_t t = 0; t < completion.count; ++t)
        dlogprobs[completion.first + t - offset] = static_cast<float>(value);
}

void nll_group(double* loss, float* dlogprobs, const float* logprobs, double scale, const PackedBatch& batch,
               const Group& group, int64_t offset) {
    *loss = 0;
    for (int32_t c = 0; c < group.count; ++c) {
        const Completion& completion = batch.completions[static_cast<size_t>(group.first + c)];
        for (int32_t t = 0; t < completion.count; ++t) {
            const int64_t i = completion.first + t - offset;
            const TokenLoss token = nll_token(logprobs[i]);
            *loss += token.value;
            dlogprobs[i] = static_cast<float>(token.d_logprob * scale);
        }
    }
}

}  // namespace

void check_loss(const LossOptions& options, const PackedBatch& batch) {
    require(options.normaliser > 0, Code::Option, "Expected a loss normaliser above 0 but received ",
            options.normaliser, ". It counts the targets or pairs of the whole update.");
    require(batch.targets.empty() || !batch.completions.empty(), Code::Shape,
            "completions: expected to cover ", batch.targets.size(),
            " targets but there are none. A loss needs its targets in completions and groups.");
    check_size(options.weights, batch.groups.size(), "weights", "group", true);
    check_size(options.labels, batch.groups.size(), "labels", "pair", true);
    check_size(options.margins, batch.groups.size(), "margins", "pair", true);
    if (options.kind == LossKind::Nll) return;
    for (size_t g = 0; g < batch.groups.size(); ++g)
        require(batch.groups[g].count == 2, Code::Shape, "groups[", g,
                "]: expected a pair (chosen, rejected) but got ", batch.groups[g].count, " completions.");
    if (options.kind == LossKind::BradleyTerry) {
        for (size_t c = 0; c < batch.completions.size(); ++c)
            require(batch.completions[c].count == 1, Code::Shape, "completions[", c,
                    "]: a score is read at one target (the last token) but got ", batch.completions[c].count,
                    ".");
        return;
    }
    require(options.beta > 0, Code::Option, "Expected beta above 0 but received ", options.beta,
            ". Typical: 0.1.");
    require(options.label_smoothing >= 0 && options.label_smoothing < 0.5, Code::Option,
            "Expected label smoothing in [0, 0.5) but received ", options.label_smoothing, ".");
    check_size(options.reference, batch.completions.size(), "reference log-probs", "completion", false);
}

bool independent_targets(LossKind kind) {
    return kind == LossKind::Nll;
}

void logprob_loss(double* group_losses, float* dlogprobs, const float* logprobs, const LossOptions& options,
                  const PackedBatch& batch, int64_t first_group, int64_t groups) {
    if (groups == 0) return;
    const int64_t offset = first_target(batch, first_group);
    for (int64_t g = first_group; g < first_group + groups; ++g) {
        const Group& group = batch.groups[static_cast<size_t>(g)];
        const double scale = at_or(options.weights, g, 1) / options.normaliser;
        double* loss = group_losses + (g - first_group);
        if (options.kind == LossKind::Nll) {
            nll_group(loss, dlogprobs, logprobs, scale, batch, group, offset);
            continue;
        }
        const Completion& chosen = batch.completions[static_cast<size_t>(group.first)];
        const Completion& rejected = batch.completions[static_cast<size_t>(group.first + 1)];
        const double* reference = options.reference.data() + group.first;
        const PairLoss pair = dpo_pair(
            sum_logprobs(logprobs, chosen, offset), sum_logprobs(logprobs, rejected, offset), reference[0],
            reference[1], options.beta, smoothed(at_or(options.labels, g, 1), options.label_smoothing));
        *loss = pair.value;
        spread(dlogprobs, chosen, offset, pair.d_chosen * scale);
        spread(dlogprobs, rejected, offset, pair.d_rejected * scale);
    }
}

void target_loss(double* all_group_losses, float* dlogprobs, const float* logprobs,
                 const LossOptions& options, const PackedBatch& batch, int64_t first, int64_t count) {
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const double scale = at_or(options.weights, static_cast<int64_t>(g), 1) / options.normaliser;
        for (int32_t c = 0; c < batch.groups[g].count; ++c) {
            const Completion& completion = batch.completions[static_cast<size_t>(batch.groups[g].first + c)];
            const int64_t begin = completion.first > first ? completion.first : first;
            const int64_t completion_end = int64_t{completion.first} + completion.count;
            const int64_t end = completion_end < first + count ? completion_end : first + count;
            for (int64_t t = begin; t < end; ++t) {
                const TokenLoss token = nll_token(logprobs[t - first]);
                all_group_losses[g] += token.value;
                dlogprobs[t - first] = static_cast<float>(token.d_logprob * scale);
            }
        }
    }
}

void score_loss(double* group_losses, double* dscores, const double* scores, const LossOptions& options,
                const PackedBatch& batch) {
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const auto index = static_cast<int64_t>(g);
        const double scale = at_or(options.weights, index, 1) / options.normaliser;
        const int32_t first = batch.groups[g].first;
        const PairLoss pair =
            bradley_terry_pair(scores[first], scores[first + 1], at_or(options.margins, index, 0),
                               at_or(options.labels, index, 1), options.centring);
        group_losses[g] = pair.value;
        dscores[first] = pair.d_chosen * scale;
        dscores[first + 1] = pair.d_rejected * scale;
    }
}

}  // namespace attune
