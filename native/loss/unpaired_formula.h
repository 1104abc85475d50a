// Losses of single completions judged desirable or undesirable, from their log-ratio d to the reference
// (semantics: direct alignment). Header-only, for host and device.
#pragma once

#include "loss/logistic_formula.h"

namespace attune {

struct RatioLoss {
    double value;
    double slope;  // derivative with respect to d
};

// 1 - sigmoid(z), z = beta (d - z0), or beta (z0 - d) when undesirable; z0 is a constant of the update
// (KTO, Ethayarajh et al. 2024, arXiv 2402.01306).
inline RatioLoss kto_loss(double ratio, bool desirable, double beta, double baseline) {
    const double sign = desirable ? 1 : -1;
    const double z = sign * beta * (ratio - baseline);
    return {sigmoid(-z), -sign * beta * sigmoid(z) * sigmoid(-z)};
}

// The same against 0 (arXiv 2408.06266).
inline RatioLoss apo_zero_unpaired_loss(double ratio, bool desirable, double beta, double /*baseline*/) {
    return kto_loss(ratio, desirable, beta, 0);
}

// -log sigmoid(beta d - delta), or of its negative when undesirable (BCO, arXiv 2404.04656).
inline RatioLoss bco_loss(double ratio, bool desirable, double beta, double baseline) {
    const double sign = desirable ? 1 : -1;
    const double z = sign * (beta * ratio - baseline);
    return {softplus(-z), -sign * beta * sigmoid(-z)};
}

}  // namespace attune
