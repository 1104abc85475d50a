// Bias corrections and the clipping factor in double, handed to the kernel as floats.
#include "optim/adamw.h"

#include <cmath>

#include "core/backend.h"
#include "core/error.h"

namespace attune {

void check_adamw(const AdamWOptions& o) {
    const auto in_unit = [](double value, const char* name) {
        require(value >= 0 && value < 1, Code::Option, "Expected ", name, " in [0, 1) but received ", value,
                ".");
    };
    const auto at_least_zero = [](double value, const char* name) {
        require(std::isfinite(value) && value >= 0, Code::Option, "Expected ", name, " >= 0 but received ",
                value, ".");
    };
    at_least_zero(o.learning_rate, "a learning rate");
    in_unit(o.beta1, "beta1");
    in_unit(o.beta2, "beta2");
    at_least_zero(o.epsilon, "epsilon");
    at_least_zero(o.weight_decay, "weight decay");
    at_least_zero(o.max_grad_norm, "a maximal gradient norm");
}

double gradient_norm(const Ops& ops, const float* x, int64_t n, Stream& stream) {
    double sum = 0;
    check(ops.sum_squares(&sum, x, n, &stream), "sum_squares");
    return std::sqrt(sum);
}

AdamW adamw_step(const AdamWOptions& o, int64_t t, double norm) {
    // The kernel works with float betas: corrections must be those of the same numbers (0.999f for 0.999
    // would cost 1e-5 of v).
    const auto power = static_cast<double>(t);
    const auto as_float = [](double beta) { return static_cast<double>(static_cast<float>(beta)); };
    const double scale = o.max_grad_norm > 0 ? std::fmin(1.0, o.max_grad_norm / (norm + 1e-6)) : 1.0;
    AdamW step;
    step.learning_rate = static_cast<float>(o.learning_rate);
    step.beta1 = static_cast<float>(o.beta1);
    step.beta2 = static_cast<float>(o.beta2);
    step.epsilon = static_cast<float>(o.epsilon);
    step.weight_decay = static_cast<float>(o.weight_decay);
    step.correction1 = static_cast<float>(1 - std::pow(as_float(o.beta1), power));
    step.correction2 = static_cast<float>(1 - std::pow(as_float(o.beta2), power));
    step.gradient_scale = static_cast<float>(scale);
    return step;
}

}  // namespace attune
