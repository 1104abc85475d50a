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
    const Matrix x(dtype, M, K, 1), y(dtype, M, N, 3);
    const Panels w(dtype, N, K, 2);
    const Matrix dy(DType::F32, M, N, 4), dx(DType::F32, M, K, 5);
    const Panels dw(DType::F32, N, K, 6);
    const double flop = 2 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
    const auto row = [&](const char* op, double bytes) {
        return Row{.op = op, .shape = shape_text(shape), .dtype = dtype, .flop = flop, .bytes = bytes};
    };
    time_row(context, row("linear_forward", x.bytes() + w.bytes() + y.bytes()),
             [&] { return ops.linear_forward(y.mat(), x.mat(), w.weight(), nullptr, stream); });
    time_row(context, row("linear_backward_input", dy.bytes() + w.bytes() + dx.bytes()),
             [&] { return ops.linear_backward_input(dx.mat(), dy.mat(), w.weight(), 0, stream); });
    // The gradient is added to: read and written.
    time_row(context, row("linear_backward_weight", dy.bytes() + x.bytes() + 2 * dw.bytes()),
             [&] { return ops.linear_backward_weight(dw.gradient(), nullptr, dy.mat(), x.mat(), stream); });
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
