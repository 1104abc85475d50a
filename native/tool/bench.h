// How a benchmark registers with the runner and times itself. Includes core only.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/stream.h"

namespace attune::tool {

struct BenchContext {
    const Ops& ops;
    Stream* stream;
    int threads;
    std::vector<std::string> arguments;  // what follows the benchmark's name
};

// At namespace scope of a bench_<name>.cpp:  const RegisterBench gemm("gemm", bench_gemm);
struct RegisterBench {
    RegisterBench(const char* name, void (*body)(const BenchContext&));
};

struct Timing {
    double median_ms;
    double min_ms;
};

// One untimed call, then at least three and as many as fit into `seconds`.
template <class Body>
Timing measure(Body&& body, double seconds = 0.5) {
    using Clock = std::chrono::steady_clock;
    body();
    std::vector<double> times;
    const auto start = Clock::now();
    while (times.size() < 3 || std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
        const auto before = Clock::now();
        body();
        times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - before).count());
    }
    std::sort(times.begin(), times.end());
    return {times[times.size() / 2], times[0]};
}

}  // namespace attune::tool
