// Pairs of scores whose ties are outcomes of their own, with a learned parameter eta (semantics: reward
// model). Header-only, for host and device.
#pragma once

#include <cmath>

#include "loss/logistic_formula.h"

namespace attune {

struct TieModelLoss {
    double value;
    double slope;  // derivative with respect to D = r_a - r_b
    double d_eta;
};

// outcome 1: a is better, 0.5: a tie, 0: b is better. theta = e^eta, eta > 0 (Rao and Kupper 1967):
// a wins sp(eta - D);  tie sp(eta - D) + sp(eta + D) - log(e^{2 eta} - 1).
inline TieModelLoss rao_kupper_loss(double difference, double outcome, double eta) {
    const double a = eta - difference, b = eta + difference;
    if (outcome == 1) return {softplus(a), -sigmoid(a), sigmoid(a)};
    if (outcome == 0) return {softplus(b), sigmoid(b), sigmoid(b)};
    const double rest = -std::expm1(-2 * eta);  // 1 - e^{-2 eta}
    return {softplus(a) + softplus(b) - (2 * eta + std::log(rest)), sigmoid(b) - sigmoid(a),
            sigmoid(a) + sigmoid(b) - 2 / rest};
}

// Z = e^{D/2} + e^{-D/2} + nu, nu = e^eta (Davidson 1970): log Z - (D/2, -D/2 or eta).
inline TieModelLoss davidson_loss(double difference, double outcome, double eta) {
    const double half = std::fabs(difference) / 2;
    const double high = half > eta ? half : eta;
    const double log_z =
        high + std::log(std::exp(half - high) + std::exp(-half - high) + std::exp(eta - high));
    const double a = std::exp(difference / 2 - log_z), b = std::exp(-difference / 2 - log_z);
    const double tie = std::exp(eta - log_z);
    if (outcome == 1) return {log_z - difference / 2, (a - b - 1) / 2, tie};
    if (outcome == 0) return {log_z + difference / 2, (a - b + 1) / 2, tie};
    return {log_z - eta, (a - b) / 2, tie - 1};
}

}  // namespace attune
