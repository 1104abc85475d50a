// exp, log, tanh and sigmoid of every vector type against double precision, in units of the last place, over
// floats of all sizes.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tool/check.h"

namespace attune::tool {

namespace {

struct Function {
    const char* name;
    Elementary f;
    double (*exact)(double x);
    double bar;  // ulp
};

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

const Function kFunctions[] = {
    {"exp", Elementary::Exp, [](double x) { return std::exp(x); }, 2},
    {"log", Elementary::Log, [](double x) { return std::log(x); }, 2},
    {"tanh", Elementary::Tanh, [](double x) { return std::tanh(x); }, 2},
    {"sigmoid", Elementary::Sigmoid, sigmoid, 2.5},
};

// Finite floats of both signs, spread evenly over their bit patterns: all exponents, and mantissas of no
// pattern.
std::vector<float> spread_floats() {
    constexpr uint32_t kStep = 6007;  // prime
    std::vector<float> values;
    for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += kStep) {
        const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
        if (std::isfinite(value)) values.push_back(value);
    }
    return values;
}

// Distance in units of the last place of `exact`. What no normal float is must be 0 or infinity, or nearly
// so.
double ulps(float got, double exact) {
    constexpr double kLeast = std::numeric_limits<float>::min(), kMost = std::numeric_limits<float>::max();
    constexpr double kFar = std::numeric_limits<double>::infinity();
    if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : kFar;
    if (std::isinf(exact)) return static_cast<double>(got) == exact ? 0 : kFar;
    const double size = std::abs(exact), value = static_cast<double>(got);
    if (size < 1.01 * kLeast && std::abs(value) <= 1.01 * kLeast) return 0;
    if (size > 0.99999 * kMost && std::isinf(value)) return 0;
    const int exponent = std::ilogb(std::max(size, kLeast));
    return std::abs(value - exact) / std::ldexp(1, exponent - 23);
}

void check_elementary(Checks& checks) {
    const std::vector<float> x = spread_floats();
    std::vector<float> y(x.size());
    for (const Function& function : kFunctions) {
        const std::string name = std::string("elementary ") + function.name;
        checks.expect_ok(name, checks.ops().elementary(y.data(), x.data(), static_cast<int64_t>(x.size()),
                                                       function.f, checks.stream()));
        double most = 0;
        float where = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            const double distance = ulps(y[i], function.exact(static_cast<double>(x[i])));
            if (!(distance <= most)) {
                most = distance;
                where = x[i];
            }
        }
        checks.expect(name + " within its bar", most <= function.bar,
                      std::to_string(most) + " ulp at " + std::to_string(where));
        // The bar can fail: three places away.
        float moved = static_cast<float>(function.exact(0.7));
        for (int i = 0; i < 3; ++i) moved = std::nextafter(moved, 10.0f);
        checks.expect(name + " bar trips", ulps(moved, function.exact(0.7)) > 2.4);
    }
}

const Register elementary("elementary", Runs::PerIsa, check_elementary);

}  // namespace

}  // namespace attune::tool
