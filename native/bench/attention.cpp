// Times attention, forward and backward, at the shapes of small models over packed segments. Operations count
// only the (query, key) pairs that exist. Must not include an op body: ops come from the table.
#include <algorithm>
#include <cmath>

#include "bench/arguments.h"
#include "bench/bodies.h"
#include "bench/operands.h"

namespace attune::bench {

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

std::vector<Shape> all_shapes() {
    return {{"1024 H9 G3 D64", 9, 3, 64, branched(1, 1024, 0, 0)},
            {"16 x (80 + 2 x 70) H9 G3 D64", 9, 3, 64, branched(16, 80, 2, 70)},
            {"1024 H12 G12 D64", 12, 12, 64, branched(1, 1024, 0, 0)},
            {"256 + 32 x 1 H9 G3 D64", 9, 3, 64, branched(1, 256, 32, 1)}};
}

void time_shape(const Context& context, const Shape& shape, DType dtype) {
    const Ops& ops = context.ops;
    Stream* stream = context.stream;
    const int64_t T = shape.rows(), width = (shape.H + 2 * shape.G) * shape.D;
    Operands operands(context);
    const Mat qkv = operands.matrix(dtype, T, width), out = operands.matrix(dtype, T, shape.H * shape.D);
    const Mat dout = operands.matrix(DType::F32, T, shape.H * shape.D);
    const Mat dqkv = operands.matrix(DType::F32, T, width);
    float* lse = operands.floats(shape.H * T);
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.D)));
    const AttentionDims dims{shape.H,
                             shape.G,
                             shape.D,
                             scale,
                             0,
                             shape.segments.data(),
                             static_cast<int64_t>(shape.segments.size())};
    // A multiplication of queries by keys and one of weights by values; backward there are five of these.
    const double flop = 4 * static_cast<double>(shape.D * shape.H) * shape.pairs();
    const auto row = [&](const char* op, double operations, double bytes) {
        return Row{.op = op, .shape = shape.name, .dtype = dtype, .flop = operations, .bytes = bytes};
    };
    time_row(context, row("attention_forward", flop, bytes_of(qkv) + bytes_of(out)),
             [&] { return ops.attention_forward(out, lse, qkv, dims, stream); });
    const double backward_bytes = bytes_of(qkv) + bytes_of(out) + bytes_of(dout) + bytes_of(dqkv);
    time_row(context, row("attention_backward", 2.5 * flop, backward_bytes),
             [&] { return ops.attention_backward(dqkv, dout, out, lse, qkv, dims, stream); });
}

}  // namespace

void attention(const Context& context) {
    const Arguments arguments = arguments_of(context);
    const std::vector<Shape> shapes = all_shapes();
    std::vector<std::string> names;
    for (const Shape& shape : shapes) names.push_back(shape.name);
    names = chosen_names(arguments.rest, names);
    for (const DType dtype : arguments.dtypes)
        for (const Shape& shape : shapes)
            if (std::find(names.begin(), names.end(), shape.name) != names.end())
                time_shape(context, shape, dtype);
}

}  // namespace attune::bench
