// Losses of one pair (chosen, rejected) of summed log-probs, each with its gradient (semantics: direct
// alignment). Header-only, for host and device; knows neither batches nor tokens.
#pragma once

#include <cmath>

#include "loss/logistic_formula.h"

namespace attune {

struct PairLoss {
    double value;
    double d_chosen;    // derivative with respect to the chosen side's summed log-prob (or score)
    double d_rejected;  // the same for the rejected side
};

// One side. Without a reference ratio = logprob.
struct PairSide {
    double logprob;      // summed over the completion
    double tokens;       // n, at least 1
    double ratio;        // d = logprob - reference
    double score;        // s(d) of the divergence
    double score_slope;  // ds/dd
    double match;        // what a loss over a sorted update compares this side with
};

struct Pair {
    PairSide chosen;
    PairSide rejected;
    double label;  // p = P(chosen better), smoothed where smoothing acts on it
};

struct PairParameters {
    double beta;
    double smoothing;  // e, of the losses whose formula has it
    bool ipo_mean;     // ipo: d / n
    double simpo_gamma;
    double discopop_temperature;
    double orpo_lambda;
};

// Of a loss of D = s_c - s_r: its slope in D, spread over both sides.
inline PairLoss of_difference(const Pair& pair, double value, double slope) {
    return {value, slope * pair.chosen.score_slope, -slope * pair.rejected.score_slope};
}

inline double score_difference(const Pair& pair) {
    return pair.chosen.score - pair.rejected.score;
}

// p sp(-beta D) + (1 - p) sp(beta D): DPO (Rafailov et al. 2023, arXiv 2305.18290), with p < 1 conservative
// DPO.
inline PairLoss sigmoid_pair(const Pair& pair, const PairParameters& by) {
    const LogisticLoss loss = logistic_loss(by.beta * score_difference(pair), pair.label);
    return of_difference(pair, loss.value, by.beta * loss.slope);
}

// (h - (2p - 1) / (2 beta))^2, h = D, or s_c / n_c - s_r / n_r (arXiv 2310.12036).
inline PairLoss ipo_pair(const Pair& pair, const PairParameters& by) {
    const double chosen = by.ipo_mean ? pair.chosen.tokens : 1;
    const double rejected = by.ipo_mean ? pair.rejected.tokens : 1;
    const double gap = pair.chosen.score / chosen - pair.rejected.score / rejected;
    const double error = gap - (2 * pair.label - 1) / (2 * by.beta);
    return {error * error, 2 * error / chosen * pair.chosen.score_slope,
            -2 * error / rejected * pair.rejected.score_slope};
}

// max(0, 1 - beta D)
inline PairLoss hinge_pair(const Pair& pair, const PairParameters& by) {
    const double room = 1 - by.beta * score_difference(pair);
    return of_difference(pair, room > 0 ? room : 0, room > 0 ? -by.beta : 0);
}

// ((p - e) sp(-beta D) + (1 - p - e) sp(beta D)) / (1 - 2e): p = 1 gives arXiv 2403.00409. The label is not
// smoothed: e is the share of judgements that are flipped.
inline PairLoss robust_pair(const Pair& pair, const PairParameters& by) {
    const double z = by.beta * score_difference(pair);
    const double rest = 1 - 2 * by.smoothing;
    const double better = (pair.label - by.smoothing) / rest;
    const double worse = (1 - pair.label - by.smoothing) / rest;
    return of_difference(pair, better * softplus(-z) + worse * softplus(z),
                         by.beta * (worse * sigmoid(z) - better * sigmoid(-z)));
}

// q log(q / p) + (1 - q) log((1 - q) / (1 - p)), q = sigmoid(beta D), p strictly between 0 and 1 by smoothing
// (arXiv 2402.00856)
inline PairLoss exo_pair(const Pair& pair, const PairParameters& by) {
    const double z = by.beta * score_difference(pair);
    const double q = sigmoid(z), rest = sigmoid(-z);
    const double log_p = std::log(pair.label), log_rest = std::log(1 - pair.label);
    const double value = q * (-softplus(-z) - log_p) + rest * (-softplus(z) - log_rest);
    return of_difference(pair, value, by.beta * q * rest * (z - (log_p - log_rest)));
}

// sp(-beta s_c) + sp(beta s_c) / 2 + sp(beta s_r) / 2 (arXiv 2402.05369)
inline PairLoss nca_pair(const Pair& pair, const PairParameters& by) {
    const double c = by.beta * pair.chosen.score, r = by.beta * pair.rejected.score;
    return {softplus(-c) + softplus(c) / 2 + softplus(r) / 2,
            by.beta * (sigmoid(c) / 2 - sigmoid(-c)) * pair.chosen.score_slope,
            by.beta * sigmoid(r) / 2 * pair.rejected.score_slope};
}

// sp(-beta s_c) + sp(beta s_r) (arXiv 2404.04656)
inline PairLoss bco_pair(const Pair& pair, const PairParameters& by) {
    const double c = by.beta * pair.chosen.score, r = by.beta * pair.rejected.score;
    return {softplus(-c) + softplus(r), -by.beta * sigmoid(-c) * pair.chosen.score_slope,
            by.beta * sigmoid(r) * pair.rejected.score_slope};
}

// (s_c - 1/(2 beta))^2 + (s_r + 1/(2 beta))^2 (arXiv 2405.00675)
inline PairLoss sppo_hard_pair(const Pair& pair, const PairParameters& by) {
    const double c = pair.chosen.score - 0.5 / by.beta, r = pair.rejected.score + 0.5 / by.beta;
    return {c * c + r * r, 2 * c * pair.chosen.score_slope, 2 * r * pair.rejected.score_slope};
}

// sigmoid(-beta d_c) + sigmoid(beta d_r): the chosen side up, the rejected one down (arXiv 2408.06266)
inline PairLoss apo_zero_pair(const Pair& pair, const PairParameters& by) {
    const double c = by.beta * pair.chosen.ratio, r = by.beta * pair.rejected.ratio;
    return {sigmoid(-c) + sigmoid(r), -by.beta * sigmoid(c) * sigmoid(-c),
            by.beta * sigmoid(r) * sigmoid(-r)};
}

// sigmoid(beta d_c) + sigmoid(-beta D): both down, the rejected one further (arXiv 2408.06266)
inline PairLoss apo_down_pair(const Pair& pair, const PairParameters& by) {
    const double c = by.beta * pair.chosen.ratio, z = by.beta * score_difference(pair);
    PairLoss loss = of_difference(pair, sigmoid(c) + sigmoid(-z), -by.beta * sigmoid(z) * sigmoid(-z));
    loss.d_chosen += by.beta * sigmoid(c) * sigmoid(-c);
    return loss;
}

// z = beta D, gate g = sigmoid(z / t): (1 - g) sp(-z) + g e^-z (arXiv 2406.08414). Below z = 0 the gate
// closes faster than e^-z grows as long as t < 1; their product is formed in the exponent.
inline PairLoss discopop_pair(const Pair& pair, const PairParameters& by) {
    const double t = by.discopop_temperature;
    const double z = by.beta * score_difference(pair);
    const double gate = sigmoid(z / t), rest = sigmoid(-z / t);
    const double gated = std::exp(-z - softplus(-z / t));  // g e^-z
    const double value = rest * softplus(-z) + gated;
    const double slope = -gate * rest / t * softplus(-z) - rest * sigmoid(-z) + gated * (rest / t - 1);
    return of_difference(pair, value, by.beta * slope);
}

// DPO's loss of (lp_c - m_c) - (lp_r - m_r): m are the reference log-probs whose difference has the same rank
// in the update as this pair's (arXiv 2406.05882).
inline PairLoss aot_pair(const Pair& pair, const PairParameters& by) {
    const double gap =
        (pair.chosen.logprob - pair.chosen.match) - (pair.rejected.logprob - pair.rejected.match);
    const LogisticLoss loss = logistic_loss(by.beta * gap, pair.label);
    return {loss.value, by.beta * loss.slope, -by.beta * loss.slope};
}

// DPO's loss of sorted d_c - sorted d_r: m_c is the d_r of the same rank as d_c, m_r the d_c of the same rank
// as d_r. The value of a rank is counted with its chosen side, so that the pairs of an update sum to the
// loss.
inline PairLoss aot_unpaired_pair(const Pair& pair, const PairParameters& by) {
    const LogisticLoss chosen = logistic_loss(by.beta * (pair.chosen.ratio - pair.chosen.match), pair.label);
    const LogisticLoss rejected =
        logistic_loss(by.beta * (pair.rejected.match - pair.rejected.ratio), pair.label);
    return {chosen.value, by.beta * chosen.slope, -by.beta * rejected.slope};
}

// A mixture's part that only has the chosen side's negative log-likelihood, which is added for it.
inline PairLoss sft_pair(const Pair& /*pair*/, const PairParameters& /*by*/) {
    return {0, 0, 0};
}

// DPO's loss of s_c / n_c - s_r / n_r.
inline PairLoss sigmoid_norm_pair(const Pair& pair, const PairParameters& by) {
    const PairSide &c = pair.chosen, &r = pair.rejected;
    const LogisticLoss loss = logistic_loss(by.beta * (c.score / c.tokens - r.score / r.tokens), pair.label);
    return {loss.value, by.beta * loss.slope / c.tokens * c.score_slope,
            -by.beta * loss.slope / r.tokens * r.score_slope};
}

// DPO's loss of beta (lp_c / n_c - lp_r / n_r) - gamma (arXiv 2405.14734)
inline PairLoss simpo_pair(const Pair& pair, const PairParameters& by) {
    const PairSide &c = pair.chosen, &r = pair.rejected;
    const double gap = by.beta * (c.logprob / c.tokens - r.logprob / r.tokens) - by.simpo_gamma;
    const LogisticLoss loss = logistic_loss(gap, pair.label);
    return {loss.value, by.beta * loss.slope / c.tokens, -by.beta * loss.slope / r.tokens};
}

// DPO's loss of beta (lp_c - lp_r) (arXiv 2401.08417)
inline PairLoss cpo_pair(const Pair& pair, const PairParameters& by) {
    const LogisticLoss loss =
        logistic_loss(by.beta * (pair.chosen.logprob - pair.rejected.logprob), pair.label);
    return {loss.value, by.beta * loss.slope, -by.beta * loss.slope};
}

// log(1 - e^x) for x < 0, exact at both ends.
inline double log_one_minus_exp(double x) {
    constexpr double kLogTwo = 0.69314718055994530942;
    return x > -kLogTwo ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x));
}

constexpr double kLargestMeanLogprob = -1e-6;

struct LogOdds {
    double value;
    double slope;  // derivative with respect to the summed log-prob
};

// o = m - log(1 - e^m), m = logprob / n clamped below 0; do/dm = 1 / (1 - e^m), none where it is clamped.
inline LogOdds log_odds(const PairSide& side) {
    const double mean = side.logprob / side.tokens;
    const double m = mean < kLargestMeanLogprob ? mean : kLargestMeanLogprob;
    return {m - log_one_minus_exp(m), mean <= kLargestMeanLogprob ? -1 / std::expm1(m) / side.tokens : 0};
}

// lambda sp(-(o_c - o_r)) (arXiv 2403.07691)
inline PairLoss orpo_pair(const Pair& pair, const PairParameters& by) {
    const LogOdds chosen = log_odds(pair.chosen), rejected = log_odds(pair.rejected);
    const double z = chosen.value - rejected.value;
    const double slope = -by.orpo_lambda * sigmoid(-z);
    return {by.orpo_lambda * softplus(-z), slope * chosen.slope, -slope * rejected.slope};
}

}  // namespace attune
