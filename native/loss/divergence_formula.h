// What replaces the log-ratio d = log policy - log reference under an f-divergence other than the reverse KL
// (f-DPO, Wang et al. 2023, arXiv 2309.16240): a score s(d). Header-only, for host and device.
#pragma once

#include <cmath>

#include "loss/logistic_formula.h"

namespace attune {

struct RatioScore {
    double value;
    double slope;  // ds/dd
};

inline RatioScore reverse_kl_score(double ratio, double /*alpha*/) {
    return {ratio, 1};
}

// s = -e^-d
inline RatioScore forward_kl_score(double ratio, double /*alpha*/) {
    const double power = std::exp(-ratio);
    return {-power, power};
}

// s = log sigmoid(d)
inline RatioScore js_divergence_score(double ratio, double /*alpha*/) {
    return {-softplus(-ratio), sigmoid(-ratio)};
}

constexpr double kLargestExponent = 80;

// s = e^((a-1) d) / (a-1), the exponent capped; s = d for a = 1, its limit but for a constant.
inline RatioScore alpha_divergence_score(double ratio, double alpha) {
    const double order = alpha - 1;
    if (std::fabs(order) < 1e-6) return {ratio, 1};
    const double exponent = order * ratio;
    if (exponent > kLargestExponent) return {std::exp(kLargestExponent) / order, 0};
    const double power = std::exp(exponent);
    return {power / order, power};
}

}  // namespace attune
