// Times the language-model head with its loss and all gradients, and the final norm before it, as a training
// step does it: a row per shape TxCxV and dtype, with what it holds beside weights and gradients. Without
// arguments at the shapes of GPT-2 124M and SmolLM2-135M in both dtypes. Counts 6 T C V operations: logits,
// gradients of states and of the matrix.
#include <algorithm>

#include "bench/arguments.h"
#include "bench/bodies.h"
#include "bench/operands.h"
#include "bench/resident.h"
#include "core/scratch.h"
#include "model/head.h"

namespace attune::bench {

namespace {

using Shape = std::array<int64_t, 3>;  // T, C, V

ModelConfig config_of(const Shape& shape) {
    ModelConfig config;
    config.vocabulary = shape[2];
    config.width = shape[1];
    config.layers = 1;
    config.heads = config.kv_heads = 1;
    config.head_width = 64;
    config.mlp_width = 64;
    config.max_positions = shape[0];
    config.tied = true;
    return config;
}

// One document whose every token is a target, each a group of its own.
PackedBatch batch_of(const Shape& shape) {
    const auto T = static_cast<int32_t>(shape[0]);
    PackedBatch batch;
    Random random(1);
    batch.segments = {{0, T, -1}};
    for (int32_t row = 0; row < T; ++row) {
        const auto token = static_cast<int32_t>(random.below(shape[2]));
        batch.tokens.push_back(token);
        batch.positions.push_back(row);
        batch.targets.push_back({row, token});
        batch.completions.push_back({row, 1});
        batch.groups.push_back({row, 1});
    }
    return batch;
}

void time_shape(const Context& context, const Shape& shape, DType dtype) {
    const int64_t T = shape[0], C = shape[1], V = shape[2];
    const ModelConfig config = config_of(shape);
    const ModelSpec spec = model_spec(config);
    const Weights weights(spec, dtype, context.ops, *context.stream);
    fill_random(weights.matrices.data(), dtype, spec.matrix_elements, 0.02f, 2, context);
    check(context.ops.fill(weights.vectors.floats(), 1.0f, spec.vector_elements, context.stream), "fill");
    Gradients gradients(spec, context.ops, *context.stream);
    gradients.settled(*context.stream);  // touched before what the head holds is measured
    Operands operands(context);
    const Mat states = operands.matrix(dtype, T, C), dx = operands.matrix(DType::F32, T, C);
    const PackedBatch batch = batch_of(shape);
    // Its own scratch memory, which counts too.
    Scratch scratch;
    Stream stream = *context.stream;
    stream.scratch = &scratch;
    const int64_t before = resident_bytes();
    reset_resident_peak();
    Head head(context.ops, config, spec, dtype);
    HeadLoss loss;
    const float weight = -1.0f / static_cast<float>(T);
    loss.targets = [&](int64_t, int64_t count, const TargetSpan& targets) {
        std::fill(targets.d_logprobs, targets.d_logprobs + count, weight);
    };
    TargetStats stats;
    const auto step = [&] {
        gradients.clear(stream);
        check(context.ops.fill(static_cast<float*>(dx.data), 0, T * C, &stream), "fill");
        head.gather(weights, states, batch, HeadKind::Tokens, stream);
        head.train(stats, weights, &gradients, batch, loss, stream);
        head.scatter(dx, weights, &gradients, stream);
        return Status::Ok;
    };
    step();
    const auto extra = static_cast<double>(resident_peak() - before);
    const double flop = 6 * static_cast<double>(T) * static_cast<double>(C) * static_cast<double>(V);
    time_row(
        context,
        {.op = "fused_head", .shape = shape_text(shape), .dtype = dtype, .flop = flop, .extra_bytes = extra},
        step);
}

}  // namespace

void fused_head(const Context& context) {
    const Arguments arguments = arguments_of(context);
    std::vector<Shape> shapes;
    for (const std::string& text : arguments.rest) shapes.push_back(sizes_from(text, "TxCxV"));
    if (shapes.empty()) shapes = {{256, 768, 50257}, {1024, 576, 49152}};
    for (const DType dtype : arguments.dtypes)
        for (const Shape& shape : shapes) time_shape(context, shape, dtype);
}

}  // namespace attune::bench
