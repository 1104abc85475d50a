// Applies the formulas of a policy's losses to packed targets. Must not know models or ops.
#include "loss/policy_loss.h"

#include "loss/policy_sums.h"

namespace attune {

namespace {

double at(const std::vector<double>& values, int64_t index) {
    return values[static_cast<size_t>(index)];
}

// Under the policy that the ratio is taken to.
double base_logprob(const PolicyOptions& options, int64_t target) {
    return at(options.start_logprobs.empty() ? options.old_logprobs : options.start_logprobs, target);
}

double start_minus_old(const PolicyOptions& options, int64_t target) {
    return options.start_logprobs.empty()
               ? 0
               : at(options.start_logprobs, target) - at(options.old_logprobs, target);
}

PolicyTerm token_term(const PolicyOptions& options, int64_t target, double logprob) {
    const double log_ratio = logprob - base_logprob(options, target);
    return options.entry->loss({logprob, log_ratio, at(options.advantages, target)}, options.clip);
}

double token_staleness(const PolicyOptions& options, int64_t target) {
    return options.start_logprobs.empty() ? 1 : staleness_weight(start_minus_old(options, target));
}

// The one ratio of a completion with targets.
struct CompletionTerm {
    PolicyTerm term;
    double staleness;
    double times;      // how often the term counts
    double d_logprob;  // of what counts, by each target's log-prob
};

CompletionTerm completion_term(const PolicyOptions& options, const PackedSums& sums, int64_t completion) {
    const Completion& targets = sums.completion(completion);
    double logprob = 0, log_ratio = 0, stale = 0;
    for (int64_t t = targets.first; t < targets.first + targets.count; ++t) {
        const double own = sums.span.logprobs[t - sums.offset];
        logprob += own;
        log_ratio += own - base_logprob(options, t);
        stale += start_minus_old(options, t);
    }
    // A mean's term counts for each target, so that every way to divide by tokens applies to it.
    const double times = options.ratio->of == RatioOf::Mean ? targets.count : 1;
    const PolicyTerm term = options.entry->loss(
        {logprob / times, log_ratio / times, at(options.advantages, completion)}, options.clip);
    const double staleness = options.start_logprobs.empty() ? 1 : staleness_weight(stale / times);
    return {term, staleness, times, staleness * term.d_logprob};
}

// What a target has of its own whatever the ratio is of: the KL penalty and the entropy's bonus.
TokenLoss own_terms(const PolicyOptions& options, int64_t target, double logprob, double entropy) {
    TokenLoss loss{0, 0, 0};
    if (options.kl_weight != 0) {
        const KlPenaltyTerm kl = options.kl->penalty(logprob, at(options.reference_logprobs, target));
        loss.value += options.kl_weight * kl.value;
        loss.d_logprob += options.kl_weight * kl.slope;
    }
    if (options.entropy_weight != 0) {
        loss.value -= options.entropy_weight * entropy;
        loss.d_entropy -= options.entropy_weight;
    }
    return loss;
}

// A weight of 0 silences whatever it weighs, numbers or not.
TokenLoss weighed(double weight, const TokenLoss& loss) {
    if (weight == 0) return {0, 0, 0};
    return {weight * loss.value, weight * loss.d_logprob, weight * loss.d_entropy};
}

void add_ratio(PolicySums& sums, const PolicyTerm& term) {
    sums.ratios += 1;
    sums.ratio += term.ratio;
    sums.ratio_squared += term.ratio * term.ratio;
    sums.clipped += term.clipped ? 1 : 0;
    sums.clipped_low += term.clipped_low ? 1 : 0;
    sums.clipped_high += term.clipped_high ? 1 : 0;
}

void add_target(PolicySums& sums, const PolicyOptions& options, int64_t target, double logprob,
                double entropy) {
    const double log_ratio = logprob - base_logprob(options, target);
    sums.count += 1;
    sums.approx_kl += log_ratio * log_ratio / 2;
    sums.k1 -= log_ratio;
    sums.entropy += entropy;
    if (!options.reference_logprobs.empty())
        sums.kl += options.kl->penalty(logprob, at(options.reference_logprobs, target)).value;
}

}  // namespace

TokenLoss policy_token(const PolicyOptions& options, int64_t completion, int64_t target, double logprob,
                       double entropy) {
    const PolicyTerm term = token_term(options, target, logprob);
    const double staleness = token_staleness(options, target);
    TokenLoss loss = own_terms(options, target, logprob, entropy);
    loss.value += staleness * term.value;
    loss.d_logprob += staleness * term.d_logprob;
    return weighed(value_or(options.completion_weights, completion, 1), loss);
}

double policy_completion(const PolicyOptions& options, const PackedSums& sums, int64_t completion,
                         double scale) {
    const Completion& targets = sums.completion(completion);
    if (targets.count == 0) return 0;
    const CompletionTerm of_all = completion_term(options, sums, completion);
    const double weight = value_or(options.completion_weights, completion, 1);
    TokenLoss whole{of_all.staleness * of_all.times * of_all.term.value, 0, 0};
    double loss = weighed(weight, whole).value;
    for (int64_t t = targets.first; t < targets.first + targets.count; ++t) {
        const int64_t i = t - sums.offset;
        TokenLoss own = own_terms(options, t, sums.span.logprobs[i], sums.span.entropies[i]);
        own.d_logprob += of_all.d_logprob;
        own = weighed(weight, own);
        loss += own.value;
        sums.span.d_logprobs[i] = static_cast<float>(own.d_logprob * scale);
        if (sums.span.d_entropies != nullptr)
            sums.span.d_entropies[i] = static_cast<float>(own.d_entropy * scale);
    }
    return loss;
}

PolicySums policy_sums(const PolicyOptions& options, const PackedBatch& batch, const float* logprobs,
                       const float* entropies) {
    PolicySums result;
    const PackedSums sums{batch, {logprobs, entropies, nullptr, nullptr}, 0};
    for (size_t c = 0; c < batch.completions.size(); ++c) {
        const Completion& targets = batch.completions[c];
        if (options.ratio->of != RatioOf::Token && targets.count > 0)
            add_ratio(result, completion_term(options, sums, static_cast<int64_t>(c)).term);
        for (int64_t t = targets.first; t < targets.first + targets.count; ++t) {
            add_target(result, options, t, logprobs[t], entropies[t]);
            if (options.ratio->of == RatioOf::Token) add_ratio(result, token_term(options, t, logprobs[t]));
        }
    }
    return result;
}

}  // namespace attune
