// Squared error of a value estimate, bounded by the estimate of the rollout (semantics: PPO). Header-only,
// for host and device.
#pragma once

#include <limits>

namespace attune {

struct ValueTerm {
    double value;
    double slope;  // by the estimate
    bool clipped;  // the clipped square is strictly larger
};

// 0.5 max((V - R)^2, (clip(V, old - range, old + range) - R)^2); range infinite: not clipped.
inline ValueTerm value_term(double estimate, double result, double old, double range) {
    const double low = old - range, high = old + range;
    const double within = estimate < low ? low : estimate > high ? high : estimate;
    const double plain = estimate - result, bounded = within - result;
    if (bounded * bounded > plain * plain) return {0.5 * bounded * bounded, 0, true};
    return {0.5 * plain * plain, plain, false};
}

}  // namespace attune
