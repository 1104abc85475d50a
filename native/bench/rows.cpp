// Times the row ops, embedding and optimiser at the shapes of a 135M-parameter model; what counts are the
// bytes that must move. Arguments: dtypes and groups of ops. Must not include an op body: ops come from the
// table.
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
    const Matrix x(dtype, kRows, kWidth, 1), y(dtype, kRows, kWidth, 2);
    const Matrix dy(DType::F32, kRows, kWidth, 3), dx(DType::F32, kRows, kWidth, 4);
    const std::vector<float> w = random_floats(kWidth, 1, 5), b = random_floats(kWidth, 1, 6);
    std::vector<float> mean(kRows), rstd(kRows), dw(kWidth), db(kWidth);
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x576", dtype, bytes); };
    time_row(context, row("rmsnorm_forward", elements * 2 * size),
             [&] { return ops.rmsnorm_forward(y.mat(), rstd.data(), x.mat(), w.data(), 1, 1e-5f, stream); });
    time_row(context, row("rmsnorm_backward", elements * (size + 8)), [&] {
        return ops.rmsnorm_backward(dx.mat(), dw.data(), dy.mat(), x.mat(), rstd.data(), w.data(), 1, 0,
                                    stream);
    });
    time_row(context, row("layernorm_forward", elements * 2 * size), [&] {
        return ops.layernorm_forward(y.mat(), mean.data(), rstd.data(), x.mat(), w.data(), b.data(), 1e-5f,
                                     stream);
    });
    time_row(context, row("layernorm_backward", elements * (size + 8)), [&] {
        return ops.layernorm_backward(dx.mat(), dw.data(), db.data(), dy.mat(), x.mat(), mean.data(),
                                      rstd.data(), w.data(), 0, stream);
    });
    time_row(context, row("add", elements * 3 * size), [&] { return ops.add(y.mat(), x.mat(), stream); });
    std::vector<int32_t> positions(kRows);
    const std::vector<float> angles = random_floats(kRows * 32, 0.5f, 7);
    for (int64_t i = 0; i < kRows; ++i) positions[static_cast<size_t>(i)] = static_cast<int32_t>(i);
    time_row(context, row("rope", elements * 2 * size), [&] {
        return ops.rope(x.mat(), positions.data(), angles.data(), angles.data(), 9, 64, 1, stream);
    });
}

void activations(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    const Matrix gate_up(dtype, kRows, 2 * kHidden, 1), h(dtype, kRows, kHidden, 2);
    const Matrix dh(DType::F32, kRows, kHidden, 3), dgate_up(DType::F32, kRows, 2 * kHidden, 4);
    const Matrix dgate(DType::F32, kRows, kHidden, 5);
    const ConstMat gate = gate_up.left(kHidden);
    const int64_t elements = kRows * kHidden, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x1536", dtype, bytes); };
    time_row(context, row("swiglu_forward", elements * 3 * size),
             [&] { return ops.swiglu_forward(h.mat(), gate_up.mat(), stream); });
    time_row(context, row("swiglu_backward", elements * (2 * size + 12)),
             [&] { return ops.swiglu_backward(dgate_up.mat(), dh.mat(), gate_up.mat(), stream); });
    time_row(context, row("gelu_forward", elements * 2 * size),
             [&] { return ops.gelu_forward(h.mat(), gate, stream); });
    time_row(context, row("gelu_backward", elements * (size + 8)),
             [&] { return ops.gelu_backward(dgate.mat(), dh.mat(), gate, stream); });
}

void embedding(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    const Panels table(dtype, kVocabulary, kWidth, 1), dtable(DType::F32, kVocabulary, kWidth, 2);
    const Matrix x(dtype, kRows, kWidth, 3), dx(DType::F32, kRows, kWidth, 4);
    Random random(5);
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < kRows; ++i) tokens.push_back(static_cast<int32_t>(random.below(kVocabulary)));
    const int64_t elements = kRows * kWidth, size = dtype_size(dtype);
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "4096x576", dtype, bytes); };
    time_row(context, row("embedding_forward", elements * 2 * size), [&] {
        return ops.embedding_forward(x.mat(), tokens.data(), table.weight(), nullptr, {}, stream);
    });
    time_row(context, row("embedding_backward", elements * 12),
             [&] { return ops.embedding_backward(dtable.gradient(), dx.mat(), tokens.data(), stream); });
}

void optimizer(const Context& context, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    std::vector<float> parameter = random_floats(kFlat, 1, 1), m(kFlat), v(kFlat, 1e-4f);
    const std::vector<float> gradient = random_floats(kFlat, 1, 2);
    std::vector<bf16_t> compute(dtype == DType::BF16 ? kFlat : 0);
    const AdamW settings{1e-5f, 0.9f, 0.999f, 1e-8f, 0, 0.1f, 0.001f, 1};
    const auto row = [&](const char* op, int64_t bytes) { return row_of(op, "2^24", dtype, bytes); };
    time_row(context, row("adamw", kFlat * (dtype == DType::BF16 ? 30 : 28)), [&] {
        return ops.adamw(parameter.data(), compute.empty() ? nullptr : compute.data(), m.data(), v.data(),
                         gradient.data(), kFlat, Layout::Panels, settings, stream);
    });
    // The rest knows one number format alone.
    if (dtype == DType::BF16) return;
    double sum = 0;
    time_row(context, row("sum_squares", kFlat * 4),
             [&] { return ops.sum_squares(&sum, gradient.data(), kFlat, stream); });
    int64_t index = 0;
    time_row(context, row("find_not_finite", kFlat * 4),
             [&] { return ops.find_not_finite(&index, gradient.data(), kFlat, stream); });
    time_row(context, row("fill", kFlat * 4), [&] { return ops.fill(m.data(), 0, kFlat, stream); });
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
