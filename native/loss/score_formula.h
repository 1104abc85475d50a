// Losses of the scores that one head gives the completions of one group (semantics: reward model).
// Header-only, for host and device; allocates nothing.
#pragma once

#include <cstdint>

#include "loss/bradley_terry_formula.h"
#include "loss/listwise_formula.h"
#include "loss/tie_model_formula.h"

namespace attune {

// What a form needs is set, the rest is null or 0.
struct ScoreGroup {
    const double* scores;  // [count]
    int32_t count;
    const int32_t* pairs;  // [pair_count, 2] items of the group, the better one first
    int32_t pair_count;
    const double* labels;   // [pair_count] P(first better), or a tie model's outcomes; null = 1
    const double* margins;  // [pair_count]; null = 0
    const double* weights;  // [pair_count]; null = 1
    double centring;        // coefficient of (r_c + r_r)^2
    double rating;          // standardised
    double tie_parameter;   // eta
    ListwiseFunction listwise;
    Ranking ranking;
    ListwiseSpace space;
};

// Value; dscores [count] += and d_tie += the derivatives.
using ScoreFunction = double (*)(double* dscores, double* d_tie, const ScoreGroup& group);

// The mean over the group's pairs; none of no pairs.
inline double bradley_terry_scores(double* dscores, double* /*d_tie*/, const ScoreGroup& group) {
    double value = 0;
    for (int32_t i = 0; i < group.pair_count; ++i) {
        const int32_t chosen = group.pairs[2 * i], rejected = group.pairs[2 * i + 1];
        const double margin = group.margins == nullptr ? 0 : group.margins[i];
        const double label = group.labels == nullptr ? 1 : group.labels[i];
        const double weight = group.weights == nullptr ? 1 : group.weights[i];
        const double share = 1.0 / group.pair_count;
        const PairLoss pair = bradley_terry_pair(group.scores[chosen], group.scores[rejected], margin, label,
                                                 weight, group.centring);
        value += share * pair.value;
        dscores[chosen] += share * pair.d_chosen;
        dscores[rejected] += share * pair.d_rejected;
    }
    return value;
}

inline double listwise_scores(double* dscores, double* /*d_tie*/, const ScoreGroup& group) {
    return group.listwise(dscores, group.scores, group.ranking, group.space);
}

// (r - s)^2
inline double rating_scores(double* dscores, double* /*d_tie*/, const ScoreGroup& group) {
    const double error = group.scores[0] - group.rating;
    dscores[0] += 2 * error;
    return error * error;
}

inline double add_tie_model(double* dscores, double* d_tie, const TieModelLoss& loss) {
    dscores[0] += loss.slope;
    dscores[1] -= loss.slope;
    *d_tie += loss.d_eta;
    return loss.value;
}

inline double rao_kupper_scores(double* dscores, double* d_tie, const ScoreGroup& group) {
    const double difference = group.scores[0] - group.scores[1];
    return add_tie_model(dscores, d_tie, rao_kupper_loss(difference, group.labels[0], group.tie_parameter));
}

inline double davidson_scores(double* dscores, double* d_tie, const ScoreGroup& group) {
    const double difference = group.scores[0] - group.scores[1];
    return add_tie_model(dscores, d_tie, davidson_loss(difference, group.labels[0], group.tie_parameter));
}

}  // namespace attune
