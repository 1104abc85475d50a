// AdamW and the sum of squares in plain double precision: the specification of optimizer.h, which it must not
// include.
#pragma once

#include <cmath>
#include <vector>

namespace attune::reference {

struct AdamW {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    double correction1, correction2;  // 1 - beta^t
    double gradient_scale;
};

// Decoupled decay (Loshchilov & Hutter 2019), in this order: decay, moments, step.
// parameter[n], m[n], v[n] updated in place
inline void adamw(std::vector<double>& parameter, std::vector<double>& m, std::vector<double>& v,
                  const std::vector<double>& gradient, const AdamW& s) {
    for (size_t i = 0; i < parameter.size(); ++i) {
        const double g = gradient[i] * s.gradient_scale;
        parameter[i] *= 1 - s.learning_rate * s.weight_decay;
        m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
        parameter[i] -=
            s.learning_rate * (m[i] / s.correction1) / (std::sqrt(v[i] / s.correction2) + s.epsilon);
    }
}

inline double sum_squares(const std::vector<double>& x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    return sum;
}

}  // namespace attune::reference
