// Comparing, counting and registering for the check runner. Must not know any op.
#include "tool/check.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace attune::tool {

namespace {

// Filled by static objects of the check files before main starts, read-only afterwards.
std::vector<Family>& registry() {
    static std::vector<Family> list;
    return list;
}

double norm(std::span<const double> x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    return std::sqrt(sum);
}

std::string comparison(double error, double bar) {
    char text[80];
    std::snprintf(text, sizeof text, "error %.3g, bar %.3g", error, bar);
    return text;
}

}  // namespace

struct Checks::Engine {
    explicit Engine(int threads) : pool(threads) {
        stream.pool = &pool;
        stream.scratch = &scratch;
        scratch.poison();
    }
    ThreadPool pool;
    Scratch scratch;
    Stream stream;
};

double relative_error(std::span<const double> got, std::span<const double> want) {
    if (got.size() != want.size()) return std::numeric_limits<double>::quiet_NaN();
    double difference = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        if (!std::isfinite(got[i])) return std::numeric_limits<double>::quiet_NaN();
        difference += (got[i] - want[i]) * (got[i] - want[i]);
    }
    const double size = norm(want);
    return size > 0 ? std::sqrt(difference) / size : std::sqrt(difference);
}

double largest_error(std::span<const double> got, std::span<const double> want) {
    if (got.size() != want.size()) return std::numeric_limits<double>::quiet_NaN();
    double largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        const double error = std::abs(got[i] - want[i]) / std::max(1.0, std::abs(want[i]));
        if (!std::isfinite(error)) return std::numeric_limits<double>::quiet_NaN();
        largest = std::max(largest, error);
    }
    return largest;
}

Stream* Checks::stream(int threads) {
    std::shared_ptr<Engine>& engine = engines_[threads];
    if (!engine) engine = std::make_shared<Engine>(threads);
    return &engine->stream;
}

void Checks::expect(const std::string& name, bool ok, const std::string& detail) {
    if (ok) {
        ++passed_;
        return;
    }
    ++failed_;
    const char* isa = ops_ == nullptr ? "" : ops_->name;
    std::printf("FAILED %s%s%s%s%s\n", isa, *isa ? " " : "", name.c_str(), detail.empty() ? "" : ": ",
                detail.c_str());
}

namespace {
std::string (*failure_of_device)() = nullptr;
}

void Checks::explain(std::string (*failure)()) {
    failure_of_device = failure;
}

void Checks::expect_ok(const std::string& name, Status status) {
    const bool ok = status == Status::Ok;
    const std::string reason = ok || failure_of_device == nullptr ? "" : ": " + failure_of_device();
    expect(name, ok, "status " + std::to_string(static_cast<int>(status)) + reason);
}

void Checks::expect_close(const std::string& name, std::span<const double> got, std::span<const double> want,
                          double bar) {
    const double error = relative_error(got, want);
    expect(name, error <= bar, comparison(error, bar));
}

void Checks::expect_each(const std::string& name, std::span<const double> got, std::span<const double> want,
                         double bar) {
    const double error = largest_error(got, want);
    expect(name, error <= bar, comparison(error, bar));
}

void Checks::expect_same(const std::string& name, const void* got, const void* want, int64_t bytes) {
    const auto* a = static_cast<const unsigned char*>(got);
    const auto* b = static_cast<const unsigned char*>(want);
    const int64_t at = std::mismatch(a, a + bytes, b).first - a;
    expect(name, at == bytes,
           "bytes differ from byte " + std::to_string(at) + " of " + std::to_string(bytes));
}

void Checks::expect_same(const std::string& name, std::span<const double> got, std::span<const double> want) {
    if (got.size() != want.size()) return expect(name, false, "lengths differ");
    expect_same(name, got.data(), want.data(), static_cast<int64_t>(got.size_bytes()));
}

void Checks::expect_trips(const std::string& name, std::span<const double> got, std::span<const double> want,
                          double bar) {
    std::vector<double> moved(got.begin(), got.end());
    if (moved.empty()) return expect(name, false, "nothing to move");
    const auto largest = std::max_element(moved.begin(), moved.end(),
                                          [](double a, double b) { return std::abs(a) < std::abs(b); });
    const double size = norm(want);
    *largest += 4 * bar * (size > 0 ? size : 1);
    const double error = relative_error(moved, want);
    expect(name + " (planted error)", !(error <= bar), comparison(error, bar));
}

void Checks::expect_gradient(const std::string& name,
                             const std::function<double(const std::vector<double>&)>& f,
                             const std::vector<double>& x, const std::vector<double>& gradient) {
    if (gradient.size() != x.size() || x.empty()) return expect(name, false, "lengths differ");
    Random random(4711);
    double worst = 0;
    for (int trial = 0; trial < 3; ++trial) {
        std::vector<double> plus = x, minus = x, direction(x.size());
        double analytic = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            direction[i] = random.normal();
            analytic += direction[i] * gradient[i];
        }
        const double largest = std::abs(*std::max_element(
            x.begin(), x.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
        const double h = 6e-6 * std::max(1.0, largest) / norm(direction);
        for (size_t i = 0; i < x.size(); ++i) {
            plus[i] += h * direction[i];
            minus[i] -= h * direction[i];
        }
        const double numeric = (f(plus) - f(minus)) / (2 * h);
        // A direction that happens to be nearly orthogonal to the gradient is measured against the typical
        // size.
        const double typical = norm(gradient) * norm(direction) / std::sqrt(static_cast<double>(x.size()));
        const double error = std::abs(numeric - analytic) / std::max({std::abs(analytic), typical, 1e-300});
        worst = std::isnan(error) ? error : std::max(worst, error);
        if (std::isnan(error)) break;
    }
    expect(name, worst < 1e-7, comparison(worst, 1e-7));
}

std::vector<Family> families() {
    std::vector<Family> list = registry();
    std::sort(list.begin(), list.end(), [](const Family& a, const Family& b) { return a.name < b.name; });
    return list;
}

Register::Register(const char* name, Runs runs, void (*body)(Checks&)) {
    registry().push_back({name, runs, body});
}

}  // namespace attune::tool
