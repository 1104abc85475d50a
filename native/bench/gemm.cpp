// Times linear_forward, linear_backward_input and linear_backward_weight: a row per shape MxNxK, dtype and
// op. Without arguments at the shapes of SmolLM2-135M in both dtypes. Must not include an op body: ops come
// from the table.
#include "bench/arguments.h"
#include "bench/bodies.h"
#include "bench/operands.h"

namespace attune::bench {

namespace {

using Shape = std::array<int64_t, 3>;  // M, N, K
const std::vector<Shape> kShapes = {{1024, 1536, 576}, {1024, 576, 1536}, {1024, 49152, 576},
                                    {1024, 576, 576},  {256, 768, 768},   {64, 1536, 576},
                                    {8, 49152, 576},   {1, 49152, 576}};

// Activations and weights in one dtype, gradients fp32.
void time_shape(const Context& context, const Shape& shape, DType dtype) {
    const int64_t M = shape[0], N = shape[1], K = shape[2];
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    Operands operands(context);
    const Mat x = operands.matrix(dtype, M, K), y = operands.matrix(dtype, M, N);
    const Weight w = operands.weight(dtype, N, K);
    const Mat dy = operands.matrix(DType::F32, M, N), dx = operands.matrix(DType::F32, M, K);
    const WeightGrad dw = operands.gradient(N, K);
    const double flop = 2 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
    const auto row = [&](const char* op, double bytes) {
        return Row{.op = op, .shape = shape_text(shape), .dtype = dtype, .flop = flop, .bytes = bytes};
    };
    time_row(context, row("linear_forward", bytes_of(x) + bytes_of(w) + bytes_of(y)),
             [&] { return ops.linear_forward(y, x, w, nullptr, stream); });
    time_row(context, row("linear_backward_input", bytes_of(dy) + bytes_of(w) + bytes_of(dx)),
             [&] { return ops.linear_backward_input(dx, dy, w, 0, stream); });
    // The gradient is added to: read and written.
    time_row(context, row("linear_backward_weight", bytes_of(dy) + bytes_of(x) + 2 * bytes_of(dw)),
             [&] { return ops.linear_backward_weight(dw, nullptr, dy, x, 1, stream); });
}

}  // namespace

void gemm(const Context& context) {
    const Arguments arguments = arguments_of(context);
    std::vector<Shape> shapes;
    for (const std::string& text : arguments.rest) shapes.push_back(sizes_from(text, "MxNxK"));
    for (const DType dtype : arguments.dtypes)
        for (const Shape& shape : shapes.empty() ? kShapes : shapes) time_shape(context, shape, dtype);
}

}  // namespace attune::bench
