// Times the row ops, embedding and optimiser at the shapes of a 135M-parameter model; what counts are the
// bytes that must move. Arguments: dtypes and groups of ops. Must not include an op body: ops come from the
// table.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "bench/arguments.h"
#include "bench/bodies.h"
#include "bench/operands.h"

namespace attune::bench {

namespace {

constexpr int64_t kRows = 4096, kWidth = 576, kHidden = 1536, kVocabulary = 49152, kFlat = int64_t{1} << 24;

Row row_of(const char* op, const char* shape, DType dtype, int64_t bytes) {
    return {.op = op, .shape = shape, .dtype = dtype, .bytes = static_cast<double>(bytes)};
}

void norms(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Operands operands(context);
    const Mat x = operands.matrix(dtype, kRows, kWidth), y = operands.matrix(dtype, kRows, kWidth);
    const Mat dy = operands.matrix(DType::F32, kRows, kWidth),
              dx = operands.matrix(DType::F32, kRows, kWidth);
    const float *w = operands.floats(kWidth), *b = operands.floats(kWidth);
    float *mean = operands.floats(kRows), *rstd = operands.floats(kRows);
    float *dw = operands.floats(kWidth), *db = operands.floats(kWidth);
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x576", dtype, bytes); };
    time_row(context, row("rmsnorm_forward", elements * 2 * size),
             [&] { return ops.rmsnorm_forward(y, rstd, x, w, 1, 1e-5f, stream); });
    time_row(context, row("rmsnorm_backward", elements * (size + 8)),
             [&] { return ops.rmsnorm_backward(dx, dw, dy, x, rstd, w, 1, 0, stream); });
    time_row(context, row("layernorm_forward", elements * 2 * size),
             [&] { return ops.layernorm_forward(y, mean, rstd, x, w, b, 1e-5f, stream); });
    time_row(context, row("layernorm_backward", elements * (size + 8)),
             [&] { return ops.layernorm_backward(dx, dw, db, dy, x, mean, rstd, w, 0, stream); });
    time_row(context, row("add", elements * 3 * size), [&] { return ops.add(y, x, stream); });
    // Rotations keep lengths: over many calls in place other numbers would vanish or grow beyond all bounds.
    float *cosine = operands.floats(kRows * 32), *sine = operands.floats(kRows * 32);
    std::vector<float> cosines(kRows * 32), sines(kRows * 32);
    for (size_t i = 0; i < sines.size(); ++i) {
        cosines[i] = std::cos(static_cast<float>(i));
        sines[i] = std::sin(static_cast<float>(i));
    }
    write_floats(cosine, cosines.data(), kRows * 32, ops, *stream);
    write_floats(sine, sines.data(), kRows * 32, ops, *stream);
    std::vector<int32_t> positions(kRows);
    std::iota(positions.begin(), positions.end(), 0);
    time_row(context, row("rope", elements * 2 * size),
             [&] { return ops.rope(x, positions.data(), cosine, sine, 9, 64, 1, stream); });
}

void activations(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Operands operands(context);
    const Mat gate_up = operands.matrix(dtype, kRows, 2 * kHidden),
              h = operands.matrix(dtype, kRows, kHidden);
    const Mat dh = operands.matrix(DType::F32, kRows, kHidden);
    const Mat dgate_up = operands.matrix(DType::F32, kRows, 2 * kHidden);
    const Mat dgate = operands.matrix(DType::F32, kRows, kHidden);
    const ConstMat gate(gate_up.data, dtype, kRows, kHidden, 2 * kHidden);
    const int64_t elements = kRows * kHidden, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x1536", dtype, bytes); };
    time_row(context, row("swiglu_forward", elements * 3 * size),
             [&] { return ops.swiglu_forward(h, gate_up, stream); });
    time_row(context, row("swiglu_backward", elements * (2 * size + 12)),
             [&] { return ops.swiglu_backward(dgate_up, dh, gate_up, stream); });
    time_row(context, row("gelu_forward", elements * 2 * size),
             [&] { return ops.gelu_forward(h, gate, stream); });
    time_row(context, row("gelu_backward", elements * (size + 8)),
             [&] { return ops.gelu_backward(dgate, dh, gate, stream); });
}

void embedding(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Operands operands(context);
    const Weight table = operands.weight(dtype, kVocabulary, kWidth);
    const WeightGrad dtable = operands.gradient(kVocabulary, kWidth);
    const Mat x = operands.matrix(dtype, kRows, kWidth), dx = operands.matrix(DType::F32, kRows, kWidth);
    Random random(5);
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < kRows; ++i) tokens.push_back(static_cast<int32_t>(random.below(kVocabulary)));
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x576", dtype, bytes); };
    time_row(context, row("embedding_forward", elements * 2 * size),
             [&] { return ops.embedding_forward(x, tokens.data(), table, nullptr, {}, stream); });
    time_row(context, row("embedding_backward", elements * 12),
             [&] { return ops.embedding_backward(dtable, dx, tokens.data(), stream); });
}

void optimizer(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Operands operands(context);
    float *parameter = operands.floats(kFlat), *gradient = operands.floats(kFlat);
    // Of squares: never negative.
    float *m = operands.floats(kFlat), *v = operands.filled(kFlat, 1e-4f);
    auto* compute = dtype == DType::BF16 ? static_cast<bf16_t*>(operands.random(dtype, kFlat, 1)) : nullptr;
    const AdamW settings{1e-5f, 0.9f, 0.999f, 1e-8f, 0, 0.1f, 0.001f, 1};
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "2^24", dtype, bytes); };
    time_row(context, row("adamw", kFlat * (dtype == DType::BF16 ? 30 : 28)), [&] {
        return ops.adamw(parameter, compute, m, v, gradient, kFlat, Layout::Panels, settings, stream);
    });
    // The rest knows one number format alone.
    if (dtype == DType::BF16) return;
    double sum = 0;
    time_row(context, row("sum_squares", kFlat * 4),
             [&] { return ops.sum_squares(&sum, gradient, kFlat, stream); });
    int64_t index = 0;
    time_row(context, row("find_not_finite", kFlat * 4),
             [&] { return ops.find_not_finite(&index, gradient, kFlat, stream); });
    time_row(context, row("fill", kFlat * 4), [&] { return ops.fill(m, 0, kFlat, stream); });
}

}  // namespace

void rows(const Context& context) {
    const Arguments arguments = arguments_of(context);
    for (const std::string& group :
         chosen_names(arguments.rest, {"norms", "activations", "embedding", "optimizer"}))
        for (const DType dtype : arguments.dtypes) {
            if (group == "norms") norms(context, dtype);
            if (group == "activations") activations(context, dtype);
            if (group == "embedding") embedding(context, dtype);
            if (group == "optimizer") optimizer(context, dtype);
        }
}

}  // namespace attune::bench
