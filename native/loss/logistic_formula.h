// The logistic function and its log, safe at any size. Header-only, for host and device.
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

}  // namespace attune
