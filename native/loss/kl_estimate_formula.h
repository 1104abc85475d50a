// Estimators of KL(policy || reference) from one sampled token's log-probs (Schulman, "Approximating KL
// divergence"), with their derivatives with respect to the policy's log-prob. Header-only, for host and
// device.
#pragma once

#include <cmath>

namespace attune {

struct KlEstimate {
    double k1;    // d = logprob - reference;  dk1 = 1
    double k2;    // d^2 / 2;  dk2 = d
    double k3;    // e^-d - 1 + d, never negative
    double d_k3;  // 1 - e^-d
};

inline KlEstimate kl_estimate(double logprob, double reference) {
    const double d = logprob - reference;
    const double tail = std::expm1(-d);
    return {d, d * d / 2, tail + d, -tail};
}

}  // namespace attune
