// Bradley-Terry loss of one pair of scores with margin, soft label and centring (semantics: reward model).
// Header-only, for host and device.
#pragma once

#include "loss/dpo_formula.h"

namespace attune {

// z = r_c - r_r - margin;  value = p sp(-z) + (1 - p) sp(z) + c (r_c + r_r)^2.
inline PairLoss bradley_terry_pair(double chosen, double rejected, double margin, double label,
                                   double centring) {
    const double z = chosen - rejected - margin;
    const double slope = sigmoid(z) - label;
    const double sum = chosen + rejected;
    const double centre = 2 * centring * sum;
    return {label * softplus(-z) + (1 - label) * softplus(z) + centring * sum * sum, slope + centre,
            -slope + centre};
}

}  // namespace attune
