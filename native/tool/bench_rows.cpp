// Times the row ops, embedding and optimiser at the shapes of a 135M-parameter model and prints one JSON line
// per op: milliseconds and GB/s of the bytes that must move. Must not include an op body: ops come from the
// table.
#include <cstdio>
#include <vector>

#include "tool/bench.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

constexpr int64_t kRows = 4096, kWidth = 576, kHidden = 1536, kVocabulary = 49152, kFlat = int64_t{1} << 24;

template <class Body>
void report(const BenchContext& context, const char* op, DType dtype, int64_t bytes, Body&& body) {
    const Timing timing = measure(body, 0.3);
    std::printf(R"({"bench":"rows","op":"%s","dtype":"%s","isa":"%s","threads":%d,)", op, dtype_name(dtype),
                context.ops.name, context.threads);
    std::printf(R"("ms":%.4f,"min_ms":%.4f,"gb_s":%.2f})", timing.median_ms, timing.min_ms,
                static_cast<double>(bytes) / timing.median_ms * 1e-6);
    std::printf("\n");
    std::fflush(stdout);
}

void bench_norms(const BenchContext& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Random random(1);
    TestMatrix x(dtype, kRows, kWidth), y(dtype, kRows, kWidth);
    TestMatrix dy(DType::F32, kRows, kWidth), dx(DType::F32, kRows, kWidth);
    x.randomise(random);
    dy.randomise(random);
    const std::vector<float> w = random_floats(random, kWidth), b = random_floats(random, kWidth);
    std::vector<float> mean(kRows), rstd(kRows), dw(kWidth), db(kWidth);
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    report(context, "rmsnorm_forward", dtype, elements * 2 * size,
           [&] { ops.rmsnorm_forward(y.mat(), rstd.data(), x.view(), w.data(), 1, 1e-5f, stream); });
    report(context, "rmsnorm_backward", dtype, elements * (size + 8), [&] {
        ops.rmsnorm_backward(dx.mat(), dw.data(), dy.view(), x.view(), rstd.data(), w.data(), 1, 0, stream);
    });
    report(context, "layernorm_forward", dtype, elements * 2 * size, [&] {
        ops.layernorm_forward(y.mat(), mean.data(), rstd.data(), x.view(), w.data(), b.data(), 1e-5f, stream);
    });
    report(context, "layernorm_backward", dtype, elements * (size + 8), [&] {
        ops.layernorm_backward(dx.mat(), dw.data(), db.data(), dy.view(), x.view(), mean.data(), rstd.data(),
                               w.data(), 0, stream);
    });
    report(context, "add", dtype, elements * 3 * size, [&] { ops.add(y.mat(), x.view(), stream); });
    std::vector<int32_t> positions(kRows);
    const std::vector<float> angles = random_floats(random, kRows * 32);
    for (int64_t row = 0; row < kRows; ++row) positions[static_cast<size_t>(row)] = static_cast<int32_t>(row);
    report(context, "rope", dtype, elements * 2 * size,
           [&] { ops.rope(x.mat(), positions.data(), angles.data(), angles.data(), 9, 64, 1, stream); });
}

void bench_activations(const BenchContext& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Random random(2);
    TestMatrix gate_up(dtype, kRows, 2 * kHidden), h(dtype, kRows, kHidden);
    TestMatrix dh(DType::F32, kRows, kHidden), dgate_up(DType::F32, kRows, 2 * kHidden);
    gate_up.randomise(random);
    dh.randomise(random);
    const ConstMat gate{gate_up.data(), dtype, kRows, kHidden, 2 * kHidden};
    const int64_t elements = kRows * kHidden, size = dtype_size(dtype);
    report(context, "swiglu_forward", dtype, elements * 3 * size,
           [&] { ops.swiglu_forward(h.mat(), gate_up.view(), stream); });
    report(context, "swiglu_backward", dtype, elements * (2 * size + 12),
           [&] { ops.swiglu_backward(dgate_up.mat(), dh.view(), gate_up.view(), stream); });
    report(context, "gelu_forward", dtype, elements * 2 * size,
           [&] { ops.gelu_forward(h.mat(), gate, stream); });
    report(context, "gelu_backward", dtype, elements * (size + 8),
           [&] { ops.gelu_backward(dh.mat(), dh.view(), gate, stream); });
}

void bench_embedding(const BenchContext& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Random random(3);
    TestWeight table(dtype, Layout::Panels, kVocabulary, kWidth),
        dtable(DType::F32, Layout::Panels, kVocabulary, kWidth);
    TestMatrix x(dtype, kRows, kWidth), dx(DType::F32, kRows, kWidth);
    dx.randomise(random);
    std::vector<int32_t> tokens;
    for (int64_t row = 0; row < kRows; ++row)
        tokens.push_back(static_cast<int32_t>(random.below(kVocabulary)));
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    report(context, "embedding_forward", dtype, elements * 2 * size,
           [&] { ops.embedding_forward(x.mat(), tokens.data(), table.weight(), nullptr, {}, stream); });
    report(context, "embedding_backward", dtype, elements * 12,
           [&] { ops.embedding_backward(dtable.gradient(), dx.view(), tokens.data(), stream); });
}

void bench_optimizer(const BenchContext& context) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Random random(4);
    std::vector<float> parameter = random_floats(random, kFlat), m(kFlat), v(kFlat, 1e-4f);
    const std::vector<float> gradient = random_floats(random, kFlat);
    std::vector<bf16_t> compute(kFlat);
    const AdamW settings{1e-5f, 0.9f, 0.999f, 1e-8f, 0, 0.1f, 0.001f, 1};
    report(context, "adamw", DType::F32, kFlat * 28, [&] {
        ops.adamw(parameter.data(), nullptr, m.data(), v.data(), gradient.data(), kFlat, Layout::Panels,
                  settings, stream);
    });
    report(context, "adamw", DType::BF16, kFlat * 30, [&] {
        ops.adamw(parameter.data(), compute.data(), m.data(), v.data(), gradient.data(), kFlat,
                  Layout::Panels, settings, stream);
    });
    double sum = 0;
    report(context, "sum_squares", DType::F32, kFlat * 4,
           [&] { ops.sum_squares(&sum, gradient.data(), kFlat, stream); });
    int64_t index = 0;
    report(context, "find_not_finite", DType::F32, kFlat * 4,
           [&] { ops.find_not_finite(&index, gradient.data(), kFlat, stream); });
    report(context, "fill", DType::F32, kFlat * 4, [&] { ops.fill(m.data(), 0, kFlat, stream); });
}

void bench_rows(const BenchContext& context) {
    for (const DType dtype : {DType::F32, DType::BF16}) {
        bench_norms(context, dtype);
        bench_activations(context, dtype);
        bench_embedding(context, dtype);
    }
    bench_optimizer(context);
}

const RegisterBench rows("rows", bench_rows);

}  // namespace

}  // namespace attune::tool
