// Times attention at the shapes of a 135M-parameter model and the head ops over its vocabulary; one JSON line
// per op. GFLOP/s count only the (query, key) pairs that exist. Must not include an op body: ops come from
// the table.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "tool/bench.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

struct Shape {
    const char* name;
    int64_t H, G, D;
    std::vector<Segment> segments;

    int64_t rows() const { return segments.back().start + int64_t{segments.back().length}; }
    double pairs() const {
        double sum = 0;
        for (const Segment& segment : segments) {
            const double length = segment.length;
            const double prefix =
                segment.prefix < 0 ? 0 : segments[static_cast<size_t>(segment.prefix)].length;
            sum += length * prefix + length * (length + 1) / 2;
        }
        return sum;
    }
};

// `documents` prompts, each with `branches` completions.
std::vector<Segment> branched(int32_t documents, int32_t prompt, int32_t branches, int32_t completion) {
    std::vector<Segment> segments;
    int32_t start = 0;
    for (int32_t document = 0; document < documents; ++document) {
        const auto root = static_cast<int32_t>(segments.size());
        segments.push_back({start, prompt, -1});
        start += prompt;
        for (int32_t branch = 0; branch < branches; ++branch, start += completion)
            segments.push_back({start, completion, root});
    }
    return segments;
}

void report(const BenchContext& context, const char* op, const char* shape, DType dtype, const Timing& timing,
            const char* unit, double amount) {
    std::printf(R"({"bench":"attention","op":"%s","shape":"%s","dtype":"%s","isa":"%s","threads":%d,)", op,
                shape, dtype_name(dtype), context.ops.name, context.threads);
    std::printf(R"("ms":%.3f,"min_ms":%.3f,"%s":%.1f})", timing.median_ms, timing.min_ms, unit,
                amount / timing.median_ms * 1e-6);
    std::printf("\n");
    std::fflush(stdout);
}

void bench_shape(const BenchContext& context, const Shape& shape, DType dtype) {
    const int64_t T = shape.rows(), width = (shape.H + 2 * shape.G) * shape.D;
    TestMatrix qkv(dtype, T, width), out(dtype, T, shape.H * shape.D);
    TestMatrix dout(DType::F32, T, shape.H * shape.D), dqkv(DType::F32, T, width);
    std::vector<float> lse(static_cast<size_t>(shape.H * T));
    Random random(1);
    qkv.randomise(random);
    dout.randomise(random);
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.D)));
    const AttentionDims dims{shape.H,
                             shape.G,
                             shape.D,
                             scale,
                             0,
                             shape.segments.data(),
                             static_cast<int64_t>(shape.segments.size())};
    const double flop = 4 * static_cast<double>(shape.D * shape.H) * shape.pairs();
    const Timing forward = measure(
        [&] { context.ops.attention_forward(out.mat(), lse.data(), qkv.view(), dims, context.stream); });
    report(context, "attention_forward", shape.name, dtype, forward, "gflop_s", flop);
    const Timing backward = measure([&] {
        context.ops.attention_backward(dqkv.mat(), dout.view(), out.view(), lse.data(), qkv.view(), dims,
                                       context.stream);
    });
    report(context, "attention_backward", shape.name, dtype, backward, "gflop_s", 2.5 * flop);
}

// Arguments: fp32 or bf16; none = both.
bool asks_for(const BenchContext& context, DType dtype) {
    const auto& names = context.arguments;
    return names.empty() || std::find(names.begin(), names.end(), dtype_name(dtype)) != names.end();
}

void bench_attention(const BenchContext& context) {
    const Shape shapes[] = {{"1024 H9 G3 D64", 9, 3, 64, branched(1, 1024, 0, 0)},
                            {"16 x (80 + 2 x 70) H9 G3 D64", 9, 3, 64, branched(16, 80, 2, 70)},
                            {"1024 H12 G12 D64", 12, 12, 64, branched(1, 1024, 0, 0)},
                            {"256 + 32 x 1 H9 G3 D64", 9, 3, 64, branched(1, 256, 32, 1)}};
    for (const DType dtype : {DType::F32, DType::BF16})
        if (asks_for(context, dtype))
            for (const Shape& shape : shapes) bench_shape(context, shape, dtype);
}

void bench_head(const BenchContext& context) {
    constexpr int64_t kRows = 256, kVocabulary = 49152;
    TestMatrix logits(DType::F32, kRows, kVocabulary), reference(DType::F32, kRows, kVocabulary);
    Random random(1);
    logits.randomise(random, 3);
    reference.randomise(random, 3);
    const std::vector<int32_t> targets(kRows, 7);
    const std::vector<float> weight(kRows, 0.5f);
    std::vector<float> a(kRows), b(kRows), c(kRows);
    const Ops& ops = context.ops;
    const double bytes = 4.0 * kRows * kVocabulary;
    const char* shape = "256 x 49152";
    const Timing stats = measure([&] {
        ops.head_stats({a.data(), b.data(), c.data(), nullptr, nullptr}, logits.view(), targets.data(), 1,
                       context.stream);
    });
    report(context, "head_stats", shape, DType::F32, stats, "gb_s", bytes);
    const Timing divergence =
        measure([&] { ops.head_kl(a.data(), b.data(), logits.view(), reference.view(), 1, context.stream); });
    report(context, "head_kl", shape, DType::F32, divergence, "gb_s", 2 * bytes);
    const Timing gradient = measure([&] {
        ops.head_gradient(logits.mat(), ConstMat(), targets.data(),
                          {weight.data(), nullptr, nullptr, nullptr}, 1, context.stream);
    });
    report(context, "head_gradient", shape, DType::F32, gradient, "gb_s", 2 * bytes);
}

const RegisterBench attention("attention", bench_attention);
const RegisterBench head("head", bench_head);

}  // namespace

}  // namespace attune::tool
