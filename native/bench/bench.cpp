// Runs benchmarks by name and times what they measure. The clock is the wall's: other work on the machine
// shows.
#include "bench/bench.h"

#include <chrono>
#include <utility>

#include "bench/bodies.h"
#include "core/backend.h"
#include "core/error.h"

namespace attune::bench {

namespace {

constexpr Benchmark kBenchmarks[] = {
    {"peak", "multiply-adds per second of each instruction set, bytes per second read from memory", peak},
    {"gemm", "linear maps, forward and both gradients [fp32|bf16] [MxNxK]", gemm},
    {"attention", "attention over packed segments, forward and backward [fp32|bf16] [SHAPE]", attention},
    {"head", "statistics, divergence and gradient of logits over a vocabulary", head},
    {"fused_head", "the LM head with its loss and gradients, as a training step does it [fp32|bf16] [TxCxV]",
     fused_head},
    {"rows", "norms, activations, embedding and optimiser [fp32|bf16] [GROUP]", rows},
};

constexpr size_t kLeastCalls = 3;

void expect_not_cancelled(const Stream& stream) {
    require(stream.cancelled == nullptr || !stream.cancelled->load(std::memory_order_relaxed), Code::Aborted,
            "The benchmark was cancelled.");
}

}  // namespace

std::span<const Benchmark> benchmarks() {
    return kBenchmarks;
}

void run_benchmark(const std::string& name, const Context& context) {
    std::vector<TensorMemory> operands;
    Context own = context;
    own.operands = &operands;
    std::string known;
    for (const Benchmark& benchmark : kBenchmarks) {
        if (name == benchmark.name) return benchmark.body(own);
        known += (known.empty() ? "" : ", ") + std::string(benchmark.name);
    }
    raise(Code::Option, "Unknown benchmark \"", name, "\". Expected one of: ", known, ".");
}

void time_row(const Context& context, Row row, const std::function<Status()>& body) {
    using Clock = std::chrono::steady_clock;
    if (row.isa.empty()) row.isa = context.ops.name;
    const auto call = [&] {
        expect_not_cancelled(*context.stream);
        check(body(), row.op.c_str());
        check(context.ops.finish(context.stream), row.op.c_str());
    };
    call();
    const auto start = Clock::now();
    while (row.ms.size() < kLeastCalls ||
           std::chrono::duration<double>(Clock::now() - start).count() < context.seconds) {
        const auto before = Clock::now();
        call();
        row.ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - before).count());
    }
    context.report(row);
}

}  // namespace attune::bench
