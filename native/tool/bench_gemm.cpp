// Times linear_forward, linear_backward_input and linear_backward_weight; one JSON line per shape, dtype and
// op. Arguments: fp32, bf16, or MxNxK shapes; none = the shapes of SmolLM2-135M in both dtypes. Random data,
// never zeros. Must not include an op body: ops come from the table.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/error.h"
#include "core/scratch.h"
#include "tool/bench.h"
#include "tool/check.h"

namespace attune::tool {

namespace {

struct Shape {
    int64_t M, N, K;
};
const std::vector<Shape> kShapes = {{1024, 1536, 576}, {1024, 576, 1536}, {1024, 49152, 576},
                                    {1024, 576, 576},  {256, 768, 768},   {64, 1536, 576},
                                    {8, 49152, 576},   {1, 49152, 576}};

// n random values around zero in the given dtype.
AlignedBytes random_values(int64_t n, DType dtype, uint64_t seed) {
    AlignedBytes memory = allocate_aligned(static_cast<size_t>(n * dtype_size(dtype)));
    Random random(seed);
    for (int64_t i = 0; i < n; ++i) {
        const auto value = static_cast<float>(random.uniform() - 0.5);
        if (dtype == DType::F32) {
            std::memcpy(memory.get() + i * 4, &value, 4);
        } else {
            const bf16_t half = float_to_bf16(value);
            std::memcpy(memory.get() + i * 2, &half, 2);
        }
    }
    return memory;
}

// Operands of the three ops; activations and weights in one dtype, gradients fp32.
struct Operands {
    Operands(const Shape& shape, DType type)
        : s(shape),
          dtype(type),
          x(random_values(s.M * s.K, dtype, 1)),
          w(random_values(layout_elements(Layout::Panels, s.N, s.K), dtype, 2)),
          y(random_values(s.M * s.N, dtype, 3)),
          dy(random_values(s.M * s.N, DType::F32, 4)),
          dx(random_values(s.M * s.K, DType::F32, 5)),
          dw(random_values(layout_elements(Layout::Panels, s.N, s.K), DType::F32, 6)) {}

    Mat activations(const AlignedBytes& memory, int64_t cols, DType type) const {
        return {memory.get(), type, s.M, cols, cols};
    }
    Status forward(const Ops& ops, Stream* stream) const {
        return ops.linear_forward(activations(y, s.N, dtype), activations(x, s.K, dtype), weight(), nullptr,
                                  stream);
    }
    Status backward_input(const Ops& ops, Stream* stream) const {
        return ops.linear_backward_input(activations(dx, s.K, DType::F32), activations(dy, s.N, DType::F32),
                                         weight(), 0, stream);
    }
    Status backward_weight(const Ops& ops, Stream* stream) const {
        const WeightGrad gradient{reinterpret_cast<float*>(dw.get()), Layout::Panels, s.N, s.K};
        return ops.linear_backward_weight(gradient, nullptr, activations(dy, s.N, DType::F32),
                                          activations(x, s.K, dtype), stream);
    }
    Weight weight() const { return {w.get(), dtype, Layout::Panels, s.N, s.K}; }

    Shape s;
    DType dtype;
    AlignedBytes x, w, y, dy, dx, dw;
};

void report(const BenchContext& context, const char* op, const Operands& operands, const Timing& timing) {
    const Shape& s = operands.s;
    const double flop = 2e-6 * static_cast<double>(s.M) * static_cast<double>(s.N) * static_cast<double>(s.K);
    const double bytes = 1e-6 * static_cast<double>(s.N * s.K * dtype_size(operands.dtype));
    std::printf(
        "{\"op\":\"%s\",\"isa\":\"%s\",\"threads\":%d,\"dtype\":\"%s\",\"M\":%lld,\"N\":%lld,\"K\":%lld,"
        "\"median_ms\":%.4f,\"min_ms\":%.4f,\"gflops_median\":%.1f,\"gflops\":%.1f,\"weight_gbps\":%.1f}\n",
        op, context.ops.name, context.threads, dtype_name(operands.dtype), static_cast<long long>(s.M),
        static_cast<long long>(s.N), static_cast<long long>(s.K), timing.median_ms, timing.min_ms,
        flop / timing.median_ms, flop / timing.min_ms, bytes / timing.min_ms);
    std::fflush(stdout);
}

void time_shape(const BenchContext& context, const Shape& shape, DType dtype) {
    using Method = Status (Operands::*)(const Ops&, Stream*) const;
    struct Entry {
        const char* name;
        Method method;
    };
    const Operands operands(shape, dtype);
    for (const Entry& entry : {Entry{"linear_forward", &Operands::forward},
                               Entry{"linear_backward_input", &Operands::backward_input},
                               Entry{"linear_backward_weight", &Operands::backward_weight}}) {
        const Timing timing =
            measure([&] { check((operands.*entry.method)(context.ops, context.stream), entry.name); });
        report(context, entry.name, operands, timing);
    }
}

void bench_gemm(const BenchContext& context) {
    std::vector<Shape> shapes;
    std::vector<DType> dtypes;
    for (const std::string& argument : context.arguments) {
        long long m, n, k;
        if (argument == "fp32" || argument == "bf16") {
            dtypes.push_back(argument == "fp32" ? DType::F32 : DType::BF16);
        } else {
            require(
                std::sscanf(argument.c_str(), "%lldx%lldx%lld", &m, &n, &k) == 3 && m > 0 && n > 0 && k > 0,
                Code::Option, "Expected fp32, bf16 or a shape MxNxK but received \"", argument, "\".");
            shapes.push_back({m, n, k});
        }
    }
    if (shapes.empty()) shapes = kShapes;
    if (dtypes.empty()) dtypes = {DType::F32, DType::BF16};
    for (const DType dtype : dtypes)
        for (const Shape& shape : shapes) time_shape(context, shape, dtype);
}

const RegisterBench gemm("gemm", bench_gemm);

}  // namespace

}  // namespace attune::tool
