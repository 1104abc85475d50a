// Losses of a policy on samples of an earlier one, by the ratio of their probabilities, and estimates of the
// KL to a reference as penalties; each with its gradient (semantics: PPO, GRPO). Header-only, for host and
// device; knows neither batches nor what a ratio is taken of.
#pragma once

#include <cmath>
#include <limits>

#include "loss/kl_estimate_formula.h"

namespace attune {

// One ratio: of a token, or of a whole completion.
struct PolicySample {
    double logprob;    // under the policy; of a completion the sum or the mean over its tokens
    double log_ratio;  // logprob - the same under the policy that the ratio is taken to
    double advantage;
};

struct PolicyClip {
    double low = 0.2;  // the ratio is clipped to [1 - low, 1 + high]
    double high = 0.2;
    double cap = std::numeric_limits<double>::infinity();  // of the ratio that is not clipped
};

struct PolicyTerm {
    double value;
    double d_logprob;
    double ratio;
    bool clipped;       // the term is another one than the ratio alone would give
    bool clipped_low;   // the (capped) ratio is below the range and the advantage negative
    bool clipped_high;  // above it and positive
};

using PolicyFunction = PolicyTerm (*)(const PolicySample& sample, const PolicyClip& clip);

// Log-ratios are cut here, far beyond any that a trainer goes on with: a ratio and its square stay numbers.
constexpr double kLargestLogRatio = 80;

struct ImportanceRatio {
    double value;
    double slope;  // by the log-prob
};

inline ImportanceRatio importance_ratio(double log_ratio) {
    if (log_ratio > kLargestLogRatio) return {std::exp(kLargestLogRatio), 0};
    const double ratio = std::exp(log_ratio);
    return {ratio, ratio};
}

// max(-A min(rho, cap), -A clip(rho, 1 - low, 1 + high)): PPO (Schulman et al. 2017, arXiv 1707.06347); two
// ranges as in DAPO (arXiv 2503.14476), the cap as in two-sided clipping (INTELLECT-2, arXiv 2505.07291).
inline PolicyTerm clip_term(const PolicySample& sample, const PolicyClip& clip) {
    const ImportanceRatio ratio = importance_ratio(sample.log_ratio);
    const double low = 1 - clip.low, high = 1 + clip.high, advantage = sample.advantage;
    const bool over = ratio.value > clip.cap, inside = ratio.value >= low && ratio.value <= high;
    const double capped = over ? clip.cap : ratio.value;
    const double within = ratio.value < low ? low : ratio.value > high ? high : ratio.value;
    const double plain = -advantage * capped, bounded = -advantage * within;
    const bool clipped = bounded > plain;
    const double slope = clipped ? (inside ? ratio.slope : 0) : (over ? 0 : ratio.slope);
    return {clipped ? bounded : plain, -advantage * slope, ratio.value, clipped,
            capped < low && advantage<0, capped> high && advantage > 0};
}

// -sg(min(rho, cap)) A log-prob (CISPO, MiniMax-M1, arXiv 2506.13585): the ratio is a constant.
inline PolicyTerm cispo_term(const PolicySample& sample, const PolicyClip& clip) {
    const double ratio = importance_ratio(sample.log_ratio).value;
    const bool over = ratio > clip.cap;
    const double slope = -(over ? clip.cap : ratio) * sample.advantage;
    return {slope * sample.logprob, slope, ratio, over, false, over && sample.advantage > 0};
}

// A sample that was stale when the update began has its term multiplied by sg min(exp(start - old), 2).
constexpr double kLargestStaleness = 2;

inline double staleness_weight(double start_minus_old) {
    const double ratio = std::exp(start_minus_old);
    return ratio > kLargestStaleness ? kLargestStaleness : ratio;
}

// An estimate of KL(policy || reference) from a sampled token, with its derivative by the log-prob.
struct KlPenaltyTerm {
    double value;
    double slope;
};

using KlPenaltyFunction = KlPenaltyTerm (*)(double logprob, double reference);

inline KlPenaltyTerm k1_penalty(double logprob, double reference) {
    return {kl_estimate(logprob, reference).k1, 1};
}

inline KlPenaltyTerm k2_penalty(double logprob, double reference) {
    const KlEstimate estimate = kl_estimate(logprob, reference);
    return {estimate.k2, estimate.k1};
}

inline KlPenaltyTerm k3_penalty(double logprob, double reference) {
    const KlEstimate estimate = kl_estimate(logprob, reference);
    return {estimate.k3, estimate.d_k3};
}

}  // namespace attune
