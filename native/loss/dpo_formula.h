// Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) of one pair of summed log-probs,
// with a soft label (cDPO). Header-only, for host and device; knows neither batches nor tokens.
#pragma once

#include "loss/logistic_formula.h"

namespace attune {

struct PairLoss {
    double value;
    double d_chosen;    // derivative with respect to the chosen side's summed log-prob (or score)
    double d_rejected;  // the same for the rejected side
};

// label p = P(chosen better); smoothing e: p <- p (1 - e) + (1 - p) e.
inline double smoothed(double label, double smoothing) {
    return label * (1 - smoothing) + (1 - label) * smoothing;
}

// D = (chosen - reference_chosen) - (rejected - reference_rejected);  value = p sp(-beta D) + (1 - p) sp(beta
// D); dD = -beta (p - sigmoid(beta D)).
inline PairLoss dpo_pair(double chosen, double rejected, double reference_chosen, double reference_rejected,
                         double beta, double label) {
    const double z = beta * ((chosen - reference_chosen) - (rejected - reference_rejected));
    const double slope = -beta * (label - sigmoid(z));
    return {label * softplus(-z) + (1 - label) * softplus(z), slope, -slope};
}

}  // namespace attune
