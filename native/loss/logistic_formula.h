// The logistic function, its log and the log loss made of it, safe at any size. Header-only, for host and
// device.
#pragma once

#include <cmath>

namespace attune {

// log(1 + e^z) = max(z, 0) + log1p(e^-|z|) = -log sigmoid(-z)
inline double softplus(double z) {
    return (z > 0 ? z : 0) + std::log1p(std::exp(-std::fabs(z)));
}

inline double sigmoid(double z) {
    const double e = std::exp(-std::fabs(z));
    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

struct LogisticLoss {
    double value;
    double slope;  // derivative with respect to z
};

// p sp(-z) + (1 - p) sp(z): the loss of the claim "first is better" with odds e^z when it is with probability
// p.
inline LogisticLoss logistic_loss(double z, double p) {
    return {p * softplus(-z) + (1 - p) * softplus(z), (1 - p) * sigmoid(z) - p * sigmoid(-z)};
}

// label p = P(first better); smoothing e: p <- p (1 - e) + (1 - p) e.
inline double smoothed(double label, double smoothing) {
    return label * (1 - smoothing) + (1 - label) * smoothing;
}

}  // namespace attune
