// What this machine can do at most: multiply-adds per second in registers for each instruction set, and bytes
// per second read from memory. Shares that other benchmarks show refer to these figures. Takes no arguments
// and uses no op.
#include <atomic>
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
        std::atomic<float> sink = 0;
        const double flop = loop.flop_per_round * static_cast<double>(kRounds) * context.threads;
        time_row(context, {.op = "peak_arithmetic", .dtype = loop.dtype, .isa = loop.isa, .flop = flop}, [&] {
            context.stream->pool->parallel(
                context.threads, [&](int64_t, int) { sink.store(loop.run(), std::memory_order_relaxed); });
            return Status::Ok;
        });
    }
}

// Sum of the 64-bit words of a block, read as so many streams with prefetch.
template <int64_t kStreams>
uint64_t read_block(const uint64_t* block, int64_t words) {
    constexpr int64_t kLine = 8, kAhead = 32 * kLine;
    uint64_t sums[kLine] = {};
    const int64_t stream = words / kStreams;
    for (int64_t i = 0; i < stream; i += kLine) {
        for (int64_t s = 0; s < kStreams; ++s) {
            const uint64_t* line = block + s * stream + i;
            __builtin_prefetch(line + kAhead);
            for (int64_t j = 0; j < kLine; ++j) sums[j] += line[j];
        }
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    return total;
}

// Which number of streams is the fastest differs from processor to processor: the peak is the best row.
void time_reading(const Context& context) {
    constexpr int64_t kBlocks = 256, kWords = (1 << 20) / 8;  // 256 blocks of 1 MiB
    constexpr size_t kBytes = static_cast<size_t>(kBlocks * kWords) * 8;
    const AlignedBytes memory = allocate_aligned(kBytes);
    std::memset(memory.get(), 1, kBytes);
    const auto* words = reinterpret_cast<const uint64_t*>(memory.get());
    std::atomic<uint64_t> sink = 0;
    const auto time = [&](const char* shape, uint64_t (*read)(const uint64_t*, int64_t)) {
        time_row(context, {.op = "peak_read", .shape = shape, .bytes = static_cast<double>(kBytes)}, [&] {
            context.stream->pool->parallel(kBlocks, [&](int64_t block, int) {
                sink.store(read(words + block * kWords, kWords), std::memory_order_relaxed);
            });
            return Status::Ok;
        });
    };
    time("256 MiB, 1 stream", read_block<1>);
    time("256 MiB, 2 streams", read_block<2>);
    time("256 MiB, 4 streams", read_block<4>);
}

}  // namespace

void peak(const Context& context) {
    expect_no_arguments(context);
    time_arithmetic(context);
    time_reading(context);
}

}  // namespace attune::bench
