// Times the language-model head with its loss and all gradients, and the final norm before it, as a training
// step does it: one JSON line per shape and dtype, with what it holds beside weights and gradients.
// Arguments: fp32, bf16, or TxCxV shapes; none = those of GPT-2 124M and SmolLM2-135M in both dtypes. The op
// counts 6 T C V: logits, states' and matrix' gradients.
#include <cstdio>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/head.h"
#include "tool/bench.h"
#include "tool/check.h"

namespace attune::tool {

namespace {

struct Shape {
    int64_t T, C, V;
};

ModelConfig config_of(const Shape& shape) {
    ModelConfig config;
    config.vocabulary = shape.V;
    config.width = shape.C;
    config.layers = 1;
    config.heads = config.kv_heads = 1;
    config.head_width = 64;
    config.mlp_width = 64;
    config.max_positions = shape.T;
    config.tied = true;
    return config;
}

// One document whose every token is a target, each a group of its own.
PackedBatch batch_of(const Shape& shape) {
    PackedBatch batch;
    Random random(1);
    batch.segments = {{0, static_cast<int32_t>(shape.T), -1}};
    for (int32_t row = 0; row < shape.T; ++row) {
        const auto token = static_cast<int32_t>(random.below(shape.V));
        batch.tokens.push_back(token);
        batch.positions.push_back(row);
        batch.targets.push_back({row, token});
        batch.completions.push_back({row, 1});
        batch.groups.push_back({row, 1});
    }
    return batch;
}

void fill_normal(void* data, DType dtype, int64_t count, double deviation, uint64_t seed) {
    Random random(seed);
    for (int64_t i = 0; i < count; ++i) {
        const auto value = static_cast<float>(deviation * random.normal());
        if (dtype == DType::F32)
            static_cast<float*>(data)[i] = value;
        else
            static_cast<bf16_t*>(data)[i] = float_to_bf16(value);
    }
}

void time_shape(const BenchContext& context, const Shape& shape, DType dtype) {
    const ModelConfig config = config_of(shape);
    const ModelSpec spec = model_spec(config);
    const Weights weights(spec, dtype);
    fill_normal(weights.matrices.get(), dtype, spec.matrix_elements, 0.02, 2);
    auto* vectors = reinterpret_cast<float*>(weights.vectors.get());
    std::fill(vectors, vectors + spec.vector_elements, 1.0f);
    const FlatTensors gradients(spec);
    std::fill(gradients.data(), gradients.data() + FlatTensors::elements(spec), 0.0f);
    const AlignedBytes states = allocate_aligned(static_cast<size_t>(shape.T * shape.C * dtype_size(dtype)));
    fill_normal(states.get(), dtype, shape.T * shape.C, 1, 3);
    const AlignedBytes d_states = allocate_aligned(static_cast<size_t>(shape.T * shape.C) * sizeof(float));
    const PackedBatch batch = batch_of(shape);
    Head head(context.ops, config, spec, dtype);
    HeadLoss loss;
    const float weight = -1.0f / static_cast<float>(shape.T);
    loss.targets = [&](int64_t, int64_t count, const TargetSpan& targets) {
        std::fill(targets.d_logprobs, targets.d_logprobs + count, weight);
    };
    const ConstMat x{states.get(), dtype, shape.T, shape.C, shape.C};
    const Mat dx{d_states.get(), DType::F32, shape.T, shape.C, shape.C};
    TargetStats stats;
    const Timing timing = measure([&] {
        std::fill(static_cast<float*>(dx.data), static_cast<float*>(dx.data) + shape.T * shape.C, 0.0f);
        head.gather(weights, x, batch, HeadKind::Tokens, *context.stream);
        head.train(stats, weights, &gradients, batch, loss, *context.stream);
        head.scatter(dx, weights, &gradients, *context.stream);
    });
    const double flop =
        6e-6 * static_cast<double>(shape.T) * static_cast<double>(shape.C) * static_cast<double>(shape.V);
    std::printf(R"({"op":"fused_head","isa":"%s","threads":%d,"dtype":"%s","T":%lld,"C":%lld,"V":%lld,)"
                R"("median_ms":%.3f,"min_ms":%.3f,"gflops_median":%.1f,"gflops":%.1f,"extra_mb":%.1f})",
                context.ops.name, context.threads, dtype_name(dtype), static_cast<long long>(shape.T),
                static_cast<long long>(shape.C), static_cast<long long>(shape.V), timing.median_ms,
                timing.min_ms, flop / timing.median_ms, flop / timing.min_ms,
                1e-6 * static_cast<double>(head.allocated_bytes()));
    std::printf("\n");
    std::fflush(stdout);
}

void bench_fused_head(const BenchContext& context) {
    std::vector<Shape> shapes;
    std::vector<DType> dtypes;
    for (const std::string& argument : context.arguments) {
        long long t, c, v;
        if (argument == "fp32" || argument == "bf16") {
            dtypes.push_back(argument == "fp32" ? DType::F32 : DType::BF16);
        } else {
            require(
                std::sscanf(argument.c_str(), "%lldx%lldx%lld", &t, &c, &v) == 3 && t > 0 && c > 0 && v > 0,
                Code::Option, "Expected fp32, bf16 or a shape TxCxV but received \"", argument, "\".");
            shapes.push_back({t, c, v});
        }
    }
    if (shapes.empty()) shapes = {{256, 768, 50257}, {1024, 576, 49152}};
    if (dtypes.empty()) dtypes = {DType::F32, DType::BF16};
    for (const DType dtype : dtypes)
        for (const Shape& shape : shapes) time_shape(context, shape, dtype);
}

const RegisterBench fused_head("fused_head", bench_fused_head);

}  // namespace

}  // namespace attune::tool
