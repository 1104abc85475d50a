// Formulas in double against finite differences, relative 1e-7. Knows no formula.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tool/check.h"

namespace attune::tool {

using Vector = std::vector<double>;
// Value at x; the gradient is added to *gradient when it is not null.
using Loss = std::function<double(const Vector& x, Vector* gradient)>;

constexpr double kBar = 1e-7;
constexpr double kStep = 1e-4;

inline double moved(const Loss& loss, const Vector& x, const Vector& direction, double step) {
    Vector there = x;
    for (size_t i = 0; i < x.size(); ++i) there[i] += step * direction[i];
    return loss(there, nullptr);
}

// Largest error of scale * gradient along random directions, over the larger of the derivative and its
// typical size; differences of fourth order. Where the inputs are awkward, what the differences themselves
// cannot resolve is taken off.
inline double gradient_error(const Loss& loss, const Vector& x, double scale, bool awkward) {
    Random random(4711);
    Vector gradient(x.size(), 0);
    const double value = loss(x, &gradient);
    const double size =
        std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0));
    double largest = std::fabs(value);
    for (const double one : x) largest = std::max(largest, std::fabs(one));
    const double resolution = awkward ? 64 * 2.3e-16 * largest / kStep : 0;
    double worst = std::isfinite(value) ? 0 : value;
    for (int trial = 0; trial < 4; ++trial) {
        Vector direction(x.size());
        for (double& d : direction) d = random.normal();
        const double length =
            std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0));
        for (double& d : direction) d /= length;
        const double near = moved(loss, x, direction, kStep) - moved(loss, x, direction, -kStep);
        const double far = moved(loss, x, direction, 2 * kStep) - moved(loss, x, direction, -2 * kStep);
        const double numeric = (8 * near - far) / (12 * kStep);
        const double analytic =
            scale * std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
        const double typical = size / std::sqrt(static_cast<double>(x.size()));
        const double error = std::max(0.0, std::fabs(numeric - analytic) - resolution) /
                             std::max({std::fabs(analytic), typical, 1e-300});
        worst = std::isnan(error) || std::isnan(worst) ? std::nan("") : std::max(worst, error);
    }
    return worst;
}

inline void expect_derivative(Checks& checks, const std::string& name, const Loss& loss, const Vector& x) {
    const double error = gradient_error(loss, x, 1, false);
    checks.expect(name, error < kBar, "error " + std::to_string(error / kBar) + " bars");
    const double wrong = gradient_error(loss, x, 1.01, false);
    checks.expect(name + ": a gradient off by 1 % is seen", !(wrong < kBar));
}

inline void expect_awkward(Checks& checks, const std::string& name, const Loss& loss, const Vector& x) {
    const double error = gradient_error(loss, x, 1, true);
    checks.expect(name, error < kBar, "error " + std::to_string(error / kBar) + " bars");
}

}  // namespace attune::tool
