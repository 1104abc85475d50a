// Bradley-Terry loss of one pair of scores with margin, soft label and centring (semantics: reward model).
// Header-only, for host and device.
#pragma once

#include "loss/logistic_formula.h"
#include "loss/pairwise_formula.h"

namespace attune {

// z = r_c - r_r - margin;  value = w (p sp(-z) + (1 - p) sp(z)) + c (r_c + r_r)^2.
inline PairLoss bradley_terry_pair(double chosen, double rejected, double margin, double label, double weight,
                                   double centring) {
    const LogisticLoss loss = logistic_loss(chosen - rejected - margin, label);
    const double sum = chosen + rejected;
    const double centre = 2 * centring * sum;
    return {weight * loss.value + centring * sum * sum, weight * loss.slope + centre,
            -weight * loss.slope + centre};
}

}  // namespace attune
