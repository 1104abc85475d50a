// Prints the rows of a benchmark as JSON lines. Rates come from the median and, as `gflops` and `gbps`, from
// the fastest call, which is what other programs report. Must not know a benchmark.
#include "tool/bench_command.h"

#include <algorithm>
#include <cstdio>
#include <thread>

#include "bench/bench.h"
#include "core/backend.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "tool/device_tables.h"

namespace attune::tool {

namespace {

constexpr double kSeconds = 0.5;

void print_rate(const char* name, double amount, double median, double least) {
    if (amount > 0)
        std::printf(R"(,"%s_median":%.2f,"%s":%.2f)", name, 1e-6 * amount / median, name,
                    1e-6 * amount / least);
}

void print_row(const bench::Row& row, int threads) {
    std::vector<double> times = row.ms;
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2], least = times[0];
    std::printf(R"({"op":"%s","shape":"%s","dtype":"%s","isa":"%s","threads":%d,"calls":%zu)", row.op.c_str(),
                row.shape.c_str(), dtype_name(row.dtype), row.isa.c_str(), threads, times.size());
    std::printf(R"(,"median_ms":%.4f,"min_ms":%.4f)", median, least);
    print_rate("gflops", row.flop, median, least);
    print_rate("gbps", row.bytes, median, least);
    if (row.extra_bytes > 0) std::printf(R"(,"extra_mb":%.1f)", 1e-6 * row.extra_bytes);
    std::printf("}\n");
    std::fflush(stdout);
}

}  // namespace

void run_bench(const std::string& isa, int threads, const std::vector<std::string>& words) {
    const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    const int count = threads > 0 ? threads : processors;
    ThreadPool pool(count);
    Scratch scratch;
    Stream stream;
    stream.pool = &pool;
    stream.scratch = &scratch;
    const DeviceTable* device = isa == "simt" || isa == "cuda" ? device_table() : nullptr;
    const bool on_device = device != nullptr && device->name == isa;
    const bench::Context context{.ops = on_device ? *device->ops : cpu_ops(isa),
                                 .stream = on_device ? device->stream : &stream,
                                 .threads = count,
                                 .seconds = kSeconds,
                                 .arguments = {words.begin() + 1, words.end()},
                                 .report = [&](const bench::Row& row) { print_row(row, count); }};
    bench::run_benchmark(words.front(), context);
}

}  // namespace attune::tool
