// What this machine can do at most: multiply-adds per second in registers for each instruction set, and bytes
// per second read from memory. Shares that other benchmarks show refer to these figures. Takes no arguments
// and uses no op.
#include <cstring>

#include "bench/arguments.h"
#include "bench/arithmetic.h"
#include "bench/bodies.h"
#include "core/backend.h"
#include "core/scratch.h"
#include "core/threads.h"

namespace attune::bench {

namespace {

bool runs_here(const char* isa) {
    for (const IsaInfo& info : list_isas())
        if (info.name == isa) return info.runnable;
    return false;
}

void time_arithmetic(const Context& context) {
    for (const Arithmetic& loop : arithmetic()) {
        if (!runs_here(loop.isa)) continue;
        volatile float sink = 0;
        const double flop = loop.flop_per_round * static_cast<double>(kRounds) * context.threads;
        time_row(context, {.op = "peak_arithmetic", .dtype = loop.dtype, .isa = loop.isa, .flop = flop}, [&] {
            context.stream->pool->parallel(context.threads, [&](int64_t, int) { sink = loop.run(); });
            return Status::Ok;
        });
    }
}

// Sum of the 64-bit words of a block, read as four streams with prefetch.
uint64_t read_block(const uint64_t* block, int64_t words) {
    constexpr int64_t kLine = 8, kAhead = 128;
    const int64_t stream = words / 4;
    uint64_t sums[kLine] = {};
    for (int64_t i = 0; i < stream; i += kLine) {
        for (int64_t s = 0; s < 4; ++s) {
            const uint64_t* line = block + s * stream + i;
            __builtin_prefetch(line + kAhead);
            for (int64_t j = 0; j < kLine; ++j) sums[j] += line[j];
        }
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    return total;
}

void time_reading(const Context& context) {
    constexpr int64_t kBlocks = 256, kWords = (1 << 20) / 8;  // 256 blocks of 1 MiB
    constexpr size_t kBytes = static_cast<size_t>(kBlocks * kWords) * 8;
    const AlignedBytes memory = allocate_aligned(kBytes);
    std::memset(memory.get(), 1, kBytes);
    const auto* words = reinterpret_cast<const uint64_t*>(memory.get());
    volatile uint64_t sink = 0;
    time_row(context, {.op = "peak_read", .shape = "256 MiB", .bytes = static_cast<double>(kBytes)}, [&] {
        context.stream->pool->parallel(
            kBlocks, [&](int64_t block, int) { sink = read_block(words + block * kWords, kWords); });
        return Status::Ok;
    });
}

}  // namespace

void peak(const Context& context) {
    expect_no_arguments(context);
    time_arithmetic(context);
    time_reading(context);
}

}  // namespace attune::bench
