// Times the ops over a chunk of fp32 logits [256, 49152], the vocabulary of SmolLM2. Takes no arguments. Must
// not include an op body: ops come from the table.
#include "bench/arguments.h"
#include "bench/bodies.h"
#include "bench/operands.h"

namespace attune::bench {

void head(const Context& context) {
    expect_no_arguments(context);
    constexpr int64_t kRows = 256, kVocabulary = 49152;
    Operands operands(context);
    const Mat logits = operands.matrix(DType::F32, kRows, kVocabulary, 3);
    const Mat reference = operands.matrix(DType::F32, kRows, kVocabulary, 3);
    const std::vector<int32_t> targets(kRows, 7);
    const std::vector<float> weight(kRows, 0.5f);
    std::vector<float> a(kRows), b(kRows), c(kRows);
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    const auto row = [](const char* op, double bytes) {
        return Row{.op = op, .shape = "256x49152", .bytes = bytes};
    };
    time_row(context, row("head_stats", bytes_of(logits)), [&] {
        return ops.head_stats({a.data(), b.data(), c.data(), nullptr, nullptr}, logits, targets.data(), 1,
                              stream);
    });
    time_row(context, row("head_kl", 2 * bytes_of(logits)),
             [&] { return ops.head_kl(a.data(), b.data(), logits, reference, 1, stream); });
    // In place: read and written.
    time_row(context, row("head_gradient", 2 * bytes_of(logits)), [&] {
        return ops.head_gradient(logits, ConstMat(), targets.data(),
                                 {weight.data(), nullptr, nullptr, nullptr}, 1, stream);
    });
}

}  // namespace attune::bench
