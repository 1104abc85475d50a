// What a benchmark is: it times ops of one table and hands out a row per op and shape. Must not know an op,
// nor who prints the rows: the plain runner does, and the addon.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/stream.h"
#include "core/tensor_memory.h"

namespace attune::bench {

struct Row {
    std::string op{};
    std::string shape{};
    DType dtype = DType::F32;
    std::string isa{};         // the instruction set that computed
    std::vector<double> ms{};  // of each call, in order
    double flop = 0;           // of one call; 0: it is not counted
    double bytes = 0;          // that one call must read and write at least; 0: they are not counted
    double extra_bytes = 0;    // held beside the operands; 0: not counted
};

struct Context {
    const Ops& ops;
    Stream* stream;
    int threads;
    double seconds;                      // each row is timed at least so long, and for three calls
    std::vector<std::string> arguments;  // what follows the benchmark's name
    std::function<void(const Row&)> report;
    std::vector<TensorMemory>* operands = nullptr;  // run_benchmark's: what one shape has used the next gets
};

struct Benchmark {
    const char* name;
    const char* what;  // one line: what it times and which arguments it takes
    void (*body)(const Context&);
};

// All of them, the peaks first.
std::span<const Benchmark> benchmarks();

// Throws Code::Option for an unknown name or argument, Code::Aborted when the stream was cancelled, and what
// ops report.
void run_benchmark(const std::string& name, const Context& context);

// Calls `body` once untimed, then for the context's time; reports `row` with the milliseconds of each call
// until it is complete.
void time_row(const Context& context, Row row, const std::function<Status()>& body);

}  // namespace attune::bench
