// AdamW, sum of squares, fill and the search for values that are not finite, against the double-precision
// reference. Must not include an op body: ops come from the table.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "cpu/reference_optimizer.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

constexpr int64_t kSizes[] = {1, 15, 16, 17, 63, 64, 65, 1000, 65535, 65536, 65537, 200003};

AdamW settings_at(int step) {
    AdamW s{};
    s.learning_rate = 3e-3f;
    s.beta1 = 0.9f;
    s.beta2 = 0.99f;
    s.epsilon = 1e-8f;
    s.weight_decay = 0.1f;
    s.correction1 = static_cast<float>(1 - std::pow(static_cast<double>(s.beta1), step));
    s.correction2 = static_cast<float>(1 - std::pow(static_cast<double>(s.beta2), step));
    s.gradient_scale = 0.5f;
    return s;
}

reference::AdamW widened(const AdamW& s) {
    const auto wide = [](float x) { return static_cast<double>(x); };
    return {wide(s.learning_rate), wide(s.beta1),       wide(s.beta2),       wide(s.epsilon),
            wide(s.weight_decay),  wide(s.correction1), wide(s.correction2), wide(s.gradient_scale)};
}

// Five steps with fresh gradients, from moments of zero.
void check_adamw_flat(Checks& checks, int64_t n) {
    const std::string name = "adamw " + std::to_string(n);
    Random random(31);
    const std::vector<float> start = random_floats(random, n);
    std::vector<std::vector<float>> gradients;
    for (int step = 0; step < 5; ++step) gradients.push_back(random_floats(random, n, 0.01 * (step + 1)));
    const auto size = static_cast<size_t>(n);
    Doubles parameter = to_doubles(start), m(size), v(size);
    for (int step = 0; step < 5; ++step)
        reference::adamw(parameter, m, v, to_doubles(gradients[static_cast<size_t>(step)]),
                         widened(settings_at(step + 1)));
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        std::vector<float> p = start, first(size), second(size);
        std::vector<bf16_t> compute(size, 0x7fc0);
        for (int step = 0; step < 5; ++step)
            checks.expect_ok(
                name, checks.ops().adamw(p.data(), step % 2 == 0 ? compute.data() : nullptr, first.data(),
                                         second.data(), gradients[static_cast<size_t>(step)].data(), n,
                                         Layout::Rows, settings_at(step + 1), stream));
        bool rounded = true;
        for (size_t i = 0; i < size; ++i) rounded = rounded && compute[i] == float_to_bf16(p[i]);
        checks.expect(name + " writes the bf16 copy", rounded);
        Doubles all = to_doubles(p);
        append(all, first);
        append(all, second);
        return all;
    });
    const double bar = bar_of(DType::F32, 1, 5);  // a handful of roundings in each of five steps
    checks.expect_close(name + " parameter", slice(got, 0, size), parameter, bar);
    checks.expect_close(name + " m", slice(got, size, size), m, bar);
    checks.expect_close(name + " v", slice(got, 2 * size, size), v, bar);
    checks.expect_trips(name + " parameter", slice(got, 0, size), parameter, bar);
    checks.expect_trips(name + " m", slice(got, size, size), m, bar);
    checks.expect_trips(name + " v", slice(got, 2 * size, size), v, bar);
    // The step itself, without the parameter it is taken from
    Doubles moved, want;
    for (size_t i = 0; i < size; ++i) {
        moved.push_back(got[i] - static_cast<double>(start[i]));
        want.push_back(parameter[i] - static_cast<double>(start[i]));
    }
    checks.expect_close(name + " change", moved, want, 1e-4);
}

// The bf16 copy of a parameter in panels interleaves pairs of k rows; the padding stays zero.
void check_adamw_panels(Checks& checks, int64_t N, int64_t K) {
    const std::string name = "adamw panels " + std::to_string(N) + "x" + std::to_string(K);
    Random random(37);
    TestWeight parameter(DType::F32, Layout::Panels, N, K), gradient(DType::F32, Layout::Panels, N, K);
    TestWeight m(DType::F32, Layout::Panels, N, K), v(DType::F32, Layout::Panels, N, K);
    TestWeight compute(DType::BF16, Layout::Panels, N, K);
    parameter.randomise(random);
    gradient.randomise(random);
    std::memset(compute.data(), 0x7f, static_cast<size_t>(compute.bytes()));
    const int64_t n = parameter.elements();
    Doubles want = parameter.values(), m_want(want.size()), v_want(want.size());
    reference::adamw(want, m_want, v_want, gradient.values(), widened(settings_at(1)));
    checks.expect_ok(
        name, checks.ops().adamw(static_cast<float*>(parameter.data()), static_cast<bf16_t*>(compute.data()),
                                 static_cast<float*>(m.data()), static_cast<float*>(v.data()),
                                 static_cast<float*>(gradient.data()), n, Layout::Panels, settings_at(1),
                                 checks.stream()));
    checks.expect_close(name, parameter.values(), want, bar_of(DType::F32, 2, 1));
    Doubles rounded;
    for (const double value : parameter.values())
        rounded.push_back(static_cast<double>(bf16_to_float(float_to_bf16(static_cast<float>(value)))));
    checks.expect_same(name + " writes the interleaved bf16 copy", compute.values(), rounded);
    checks.expect(name + " keeps the padding zero", parameter.padding_is_zero() && m.padding_is_zero() &&
                                                        v.padding_is_zero() && compute.padding_is_zero());
}

void check_adamw(Checks& checks) {
    for (const int64_t n : kSizes) check_adamw_flat(checks, n);
    for (const auto& [N, K] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {32, 2}, {33, 7}, {45, 576}, {700, 33}})
        check_adamw_panels(checks, N, K);
    std::vector<float> x(65);
    std::vector<bf16_t> compute(65);
    checks.expect("adamw refuses half a pair of panel rows",
                  checks.ops().adamw(x.data(), compute.data(), x.data(), x.data(), x.data(), 65,
                                     Layout::Panels, settings_at(1), checks.stream()) == Status::Shape);
    checks.expect_ok("adamw of nothing", checks.ops().adamw(nullptr, nullptr, nullptr, nullptr, nullptr, 0,
                                                            Layout::Rows, settings_at(1), checks.stream()));
}

void check_sum_squares(Checks& checks) {
    for (const int64_t n : kSizes) {
        Random random(41);
        const std::vector<float> x = random_floats(random, n, 1, 0.5);
        const std::string name = "sum_squares " + std::to_string(n);
        const auto got = same_for_threads(checks, name, [&](Stream* stream) {
            double sum = std::numeric_limits<double>::quiet_NaN();
            checks.expect_ok(name, checks.ops().sum_squares(&sum, x.data(), n, stream));
            return Doubles{sum};
        });
        checks.expect_close(name, got, Doubles{reference::sum_squares(to_doubles(x))}, 1e-13);
    }
    // Squares that no float holds
    const std::vector<float> wide = {1e25f, 1e-25f, -1e25f};
    double sum = 0;
    checks.expect_ok("sum_squares", checks.ops().sum_squares(&sum, wide.data(), 3, checks.stream()));
    checks.expect_close("sum_squares beyond the range of floats", Doubles{sum}, Doubles{2e50}, 1e-6);
    checks.expect_ok("sum_squares", checks.ops().sum_squares(&sum, nullptr, 0, checks.stream()));
    checks.expect("sum_squares of nothing is 0", sum == 0);
}

void check_scan(Checks& checks) {
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                         std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
    for (const int64_t n : kSizes) {
        const std::string name = "find_not_finite " + std::to_string(n);
        const auto index = [&](const std::vector<float>& x, int threads) {
            int64_t at = -2;
            checks.expect_ok(name, checks.ops().find_not_finite(&at, x.data(), n, checks.stream(threads)));
            return at;
        };
        std::vector<float> x(static_cast<size_t>(n), std::numeric_limits<float>::max());
        checks.expect(name + " accepts the largest floats", index(x, 2) == -1);
        for (const int64_t at : {int64_t{0}, n / 3, n / 2, n - 1}) {
            std::vector<float> y = x;
            y[static_cast<size_t>(at)] = bad[at % 4];
            checks.expect(name + " finds it at " + std::to_string(at),
                          index(y, 1) == at && index(y, 2) == at);
            y[static_cast<size_t>(n - 1)] = bad[0];
            checks.expect(name + " finds the first at " + std::to_string(at), index(y, 3) == at);
        }
        std::vector<float> filled = poisoned(n + 1);
        checks.expect_ok("fill", checks.ops().fill(filled.data(), 2.5f, n, checks.stream()));
        bool equal = true;
        for (int64_t i = 0; i < n; ++i) equal = equal && filled[static_cast<size_t>(i)] == 2.5f;
        checks.expect("fill " + std::to_string(n), equal && std::isnan(filled.back()));
    }
}

const Register adamw("adamw", Runs::PerIsa, check_adamw);
const Register sum_squares("sum_squares", Runs::PerIsa, check_sum_squares);
const Register scan("scan", Runs::PerIsa, check_scan);

}  // namespace

}  // namespace attune::tool
