// The check runner's core: checks register by name, compare numbers against a bar, and are counted.
// Includes core and the random numbers of bench; knows nothing of an op, of how inputs are built
// (check_data.h) or of the command line (main.cpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/random.h"
#include "core/ops.h"
#include "core/scratch.h"
#include "core/stream.h"
#include "core/threads.h"

namespace attune::tool {

using bench::Random;

// The distance from 1 to the next number; one rounding is at most half of it.
constexpr double kEpsilonF32 = 0x1p-23;
constexpr double kEpsilonBf16 = 0x1p-7;
constexpr double epsilon_of(DType dtype) {
    return dtype == DType::F32 ? kEpsilonF32 : kEpsilonBf16;
}

// The bar of a comparison: k * eps(dtype) * sqrt(n), n the number of terms that an output adds up.
inline double bar_of(DType dtype, double k, int64_t n) {
    return k * epsilon_of(dtype) * std::sqrt(static_cast<double>(n));
}

// ||got - want|| / ||want|| (the absolute norm where want is all zero); NaN when any element of got is not
// finite or the lengths differ, so that no bar accepts it.
double relative_error(std::span<const double> got, std::span<const double> want);

// max |got - want| / max(1, |want|), element by element; NaN as above.
double largest_error(std::span<const double> got, std::span<const double> want);

// One run of checks over one ops table.
class Checks {
  public:
    explicit Checks(const Ops* table) : ops_(table) {}
    Checks(const Checks&) = delete;
    Checks& operator=(const Checks&) = delete;

    const Ops& ops() const { return *ops_; }
    // A stream with its own pool of `threads` threads and its own scratch memory, kept for the whole run.
    Stream* stream(int threads = 2);

    void expect(const std::string& name, bool ok, const std::string& detail = "");
    void expect_ok(const std::string& name, Status status);
    // What the device says of a status that is not Ok, for every run of checks.
    static void explain(std::string (*failure)());
    // relative_error(got, want) <= bar
    void expect_close(const std::string& name, std::span<const double> got, std::span<const double> want,
                      double bar);
    // largest_error(got, want) <= bar
    void expect_each(const std::string& name, std::span<const double> got, std::span<const double> want,
                     double bar);
    // The same bits.
    void expect_same(const std::string& name, const void* got, const void* want, int64_t bytes);
    void expect_same(const std::string& name, std::span<const double> got, std::span<const double> want);
    // The comparison of expect_close must fail once one element of got is moved: its largest, by 4 bars of
    // the whole norm. Shows that the bar can fail.
    void expect_trips(const std::string& name, std::span<const double> got, std::span<const double> want,
                      double bar);
    // `gradient` of the double-precision `f` at x against central differences along three random directions
    // (h = 6e-6 max(1, |x|)); relative error < 1e-7.
    void expect_gradient(const std::string& name, const std::function<double(const std::vector<double>&)>& f,
                         const std::vector<double>& x, const std::vector<double>& gradient);

    int64_t passed() const { return passed_; }
    int64_t failed() const { return failed_; }

  private:
    struct Engine;
    const Ops* ops_;
    std::map<int, std::shared_ptr<Engine>> engines_;
    int64_t passed_ = 0;
    int64_t failed_ = 0;
};

// A named set of checks. PerIsa runs once for every chosen ops table, PerCpuIsa for those of the CPU,
// PerDevice for those of a device; Once does not look at checks.ops().
enum class Runs { PerIsa, PerCpuIsa, PerDevice, Once };
struct Family {
    std::string name;
    Runs runs;
    void (*body)(Checks& checks);
};

// All registered families, ordered by name.
std::vector<Family> families();

// At namespace scope of a check_<family>.cpp:  const Register rmsnorm("rmsnorm", Runs::PerIsa,
// check_rmsnorm);
struct Register {
    Register(const char* name, Runs runs, void (*body)(Checks&));
};

}  // namespace attune::tool
