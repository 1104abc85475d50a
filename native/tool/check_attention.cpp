// Attention against its double-precision reference, the reference against finite differences, and the
// promises about bits: packing, shared prefixes and thread counts change nothing. Must not look inside the
// op.
#include <string>
#include <vector>

#include "cpu/reference_attention.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

struct Shape {
    int64_t H, G, D, window;
};

// Segments from (length, prefix) pairs.
struct Layout {
    std::vector<Segment> segments;

    Layout(std::initializer_list<std::pair<int32_t, int32_t>> parts) {
        for (const auto& [length, prefix] : parts) append(length, prefix);
    }
    void append(int32_t length, int32_t prefix) {
        segments.push_back({static_cast<int32_t>(rows()), length, prefix});
    }
    int64_t rows() const {
        return segments.empty() ? 0 : segments.back().start + int64_t{segments.back().length};
    }
    AttentionDims dims(const Shape& shape) const {
        const double width = static_cast<double>(shape.D);
        return {shape.H,
                shape.G,
                shape.D,
                static_cast<float>(1 / std::sqrt(width)),
                shape.window,
                segments.data(),
                static_cast<int64_t>(segments.size())};
    }
};

// What lies between rows: odd numbers of elements, or whole chunks of 16 bytes, which some ops copy at once.
struct Gaps {
    int64_t qkv = 3, out = 5, dout = 1, dqkv = 7;
};
constexpr Gaps kWholeChunks{8, 8, 4, 4};

// All tensors of one call, with gaps between rows, outputs NaN.
struct Problem {
    Layout layout;
    AttentionDims dims;
    TestMatrix qkv, out, dout, dqkv;
    std::vector<float> lse;

    Problem(const Layout& cut, const Shape& shape, DType dtype, double scale = 1, uint64_t seed = 7,
            const Gaps& gaps = {})
        : layout(cut),
          dims(layout.dims(shape)),
          qkv(dtype, layout.rows(), (shape.H + 2 * shape.G) * shape.D, gaps.qkv),
          out(dtype, layout.rows(), shape.H * shape.D, gaps.out),
          dout(DType::F32, layout.rows(), shape.H * shape.D, gaps.dout),
          dqkv(DType::F32, layout.rows(), (shape.H + 2 * shape.G) * shape.D, gaps.dqkv),
          lse(poisoned(shape.H * layout.rows())) {
        Random random(seed);
        qkv.randomise(random, scale);
        dout.randomise(random);
    }
    Problem(const Problem&) = delete;
    Problem& operator=(const Problem&) = delete;

    int64_t rows() const { return layout.rows(); }
    Status forward(Checks& checks, int threads = 2) {
        return checks.ops().attention_forward(out.mat(), lse.data(), qkv.view(), dims,
                                              checks.stream(threads));
    }
    Status backward(Checks& checks, int threads = 2) {
        return checks.ops().attention_backward(dqkv.mat(), dout.view(), out.view(), lse.data(), qkv.view(),
                                               dims, checks.stream(threads));
    }
    // out and lse of one row, for comparisons of bits
    Doubles row(int64_t index) const {
        Doubles result;
        for (int64_t c = 0; c < out.cols(); ++c) result.push_back(out.at(index, c));
        for (int64_t h = 0; h < dims.H; ++h)
            result.push_back(static_cast<double>(lse[static_cast<size_t>(h * rows() + index)]));
        return result;
    }
    Doubles all_rows(int64_t first, int64_t count) const {
        Doubles result;
        for (int64_t i = first; i < first + count; ++i) {
            const Doubles one = row(i);
            result.insert(result.end(), one.begin(), one.end());
        }
        return result;
    }
};

void copy_row(TestMatrix& to, int64_t to_row, const TestMatrix& from, int64_t from_row) {
    for (int64_t c = 0; c < to.cols(); ++c) to.set(to_row, c, from.at(from_row, c));
}

struct Case {
    const char* name;
    Shape shape;
    Layout layout;
    double scale = 1;
    Gaps gaps = {};
};

std::vector<Case> cases() {
    return {
        {"one row", {1, 1, 1, 0}, {{1, -1}}},
        {"rows of one segment each", {3, 1, 5, 0}, {{1, -1}, {1, 0}, {1, 0}, {1, -1}}},
        {"prime sizes", {3, 3, 13, 0}, {{7, -1}, {11, 0}, {5, -1}, {3, 2}, {2, 2}}},
        {"SmolLM2 heads", {9, 3, 64, 0}, {{37, -1}, {29, 0}, {31, 0}}},
        {"one below a tile", {2, 1, 16, 0}, {{63, -1}, {63, 0}}},
        {"whole tiles", {2, 1, 16, 0}, {{64, -1}, {64, 0}, {128, -1}}},
        {"one above a tile", {2, 1, 12, 0}, {{65, -1}, {65, 0}, {129, -1}}},
        {"many query ranges", {4, 4, 24, 0}, {{413, -1}}},
        {"many gradient tasks",
         {4, 2, 8, 0},
         {{150, -1}, {230, 0}, {60, -1}, {10, 0}, {9, 0}, {90, 2}, {300, 0}}},
        {"sixteen heads on one", {16, 1, 10, 0}, {{33, -1}, {20, 0}}},
        {"wide heads", {2, 1, 128, 0}, {{70, -1}, {21, 0}}},
        {"heads wider than two strips", {1, 1, 200, 0}, {{19, -1}, {21, 0}}},
        {"window of one", {2, 1, 16, 1}, {{70, -1}, {9, 0}}},
        {"window below a tile", {2, 2, 20, 17}, {{100, -1}, {81, 0}, {7, 0}}},
        {"window above a tile", {6, 2, 16, 90}, {{150, -1}, {230, 0}, {30, 0}}},
        {"window over many tasks", {4, 2, 8, 200}, {{500, -1}, {300, 0}}},
        // Few enough values that one (query, key) pair too few shows; an odd number of heads on one cuts
        // pairs of rows.
        {"window of one, many heads on one", {13, 1, 9, 1}, {{40, -1}, {9, 0}}},
        {"window of five, many heads on one", {13, 1, 9, 5}, {{40, -1}, {9, 0}}},
        {"window of three, eleven heads on one", {22, 2, 7, 3}, {{30, -1}, {9, 0}}},
        {"sharp probabilities", {2, 1, 32, 0}, {{90, -1}, {40, 0}}, 6},
        // Lengths around tiles of 16, 32, 64 and 128, of keys and of (query, head) pairs.
        {"whole chunks, 64", {6, 2, 64, 0}, {{43, -1}, {65, 0}, {1, 0}, {128, -1}}, 1, kWholeChunks},
        {"whole chunks, 64, window", {2, 2, 64, 40}, {{127, -1}, {33, 0}, {64, 0}}, 1, kWholeChunks},
        {"whole chunks, 80", {4, 2, 80, 33}, {{31, -1}, {65, 0}, {17, -1}}, 1, kWholeChunks},
        {"whole chunks, 128", {3, 1, 128, 0}, {{43, -1}, {33, 0}, {16, 0}}, 1, kWholeChunks},
        {"whole chunks, 256", {2, 1, 256, 0}, {{33, -1}, {17, 0}}, 1, kWholeChunks},
        {"odd gaps, 80", {2, 1, 80, 0}, {{32, -1}, {15, 0}}},
        {"odd gaps, 256", {2, 2, 256, 9}, {{17, -1}, {16, 0}}},
    };
}

// fp32: an output is a mean of values under probabilities whose exponents carry the error of a score (D
// terms). bf16: inputs are exact, so the output is only rounded once; gradients see the rounding of `out`.
double forward_bar(DType dtype, const Case& one) {
    return dtype == DType::F32 ? bar_of(dtype, 2 * one.scale * one.scale, one.shape.D)
                               : bar_of(dtype, 0.5, 1);
}
double backward_bar(DType dtype, const Case& one) {
    return dtype == DType::F32 ? bar_of(dtype, 4 * one.scale * one.scale, one.shape.D) : bar_of(dtype, 1, 1);
}

void compare_with_reference(Checks& checks, const Case& one, DType dtype) {
    const std::string name = std::string("attention ") + one.name + " " + dtype_name(dtype);
    Problem problem(one.layout, one.shape, dtype, one.scale, 7, one.gaps);
    const Doubles qkv = problem.qkv.values();
    Doubles out, lse, dqkv;
    reference::attention_forward(out, lse, qkv, problem.dims, problem.rows());
    reference::attention_backward(dqkv, problem.dout.values(), qkv, problem.dims, problem.rows());

    checks.expect_ok(name + " forward", problem.forward(checks));
    checks.expect_close(name + " out", problem.out.values(), out, forward_bar(dtype, one));
    checks.expect_trips(name + " out", problem.out.values(), out, forward_bar(dtype, one));
    // An lse errs by the error of its largest score.
    const double lse_bar = bar_of(DType::F32, 2 * one.scale, one.shape.D);
    checks.expect_each(name + " lse", to_doubles(problem.lse), lse, lse_bar);
    checks.expect_ok(name + " backward", problem.backward(checks));
    checks.expect_close(name + " dqkv", problem.dqkv.values(), dqkv, backward_bar(dtype, one));
    checks.expect_trips(name + " dqkv", problem.dqkv.values(), dqkv, backward_bar(dtype, one));
    checks.expect(name + " guards", problem.out.guards_intact() && problem.dqkv.guards_intact());
}

// Each third of dqkv on its own, so that a small part cannot hide behind a large one.
void compare_parts(Checks& checks, DType dtype) {
    const Shape shape{6, 2, 24, 0};
    const std::string name = std::string("attention ") + dtype_name(dtype) + " ";
    Problem problem({{90, -1}, {70, 0}, {33, 0}}, shape, dtype);
    Doubles dqkv;
    reference::attention_backward(dqkv, problem.dout.values(), problem.qkv.values(), problem.dims,
                                  problem.rows());
    checks.expect_ok(name + "parts forward", problem.forward(checks));
    checks.expect_ok(name + "parts backward", problem.backward(checks));
    const int64_t bounds[] = {0, 6 * 24, 8 * 24, 10 * 24};
    const char* names[] = {"dq", "dk", "dv"};
    const double bar = dtype == DType::F32 ? bar_of(dtype, 4, 24) : bar_of(dtype, 1, 1);
    for (int part = 0; part < 3; ++part) {
        Doubles got, want;
        for (int64_t row = 0; row < problem.rows(); ++row)
            for (int64_t c = bounds[part]; c < bounds[part + 1]; ++c) {
                got.push_back(problem.dqkv.at(row, c));
                want.push_back(dqkv[static_cast<size_t>(row * 10 * 24 + c)]);
            }
        checks.expect_close(name + names[part], got, want, bar);
    }
}

// Segments of a batch are compared with the same segments in a batch of their own.
void check_packing(Checks& checks, DType dtype, int64_t window) {
    const Shape shape{6, 2, 20, window};
    const std::string suffix = std::string(" ") + dtype_name(dtype) + " window " + std::to_string(window);
    Problem packed({{70, -1}, {3, -1}, {65, 0}, {9, 1}, {130, 0}, {1, 1}}, shape, dtype);
    checks.expect_ok("attention packed" + suffix, packed.forward(checks));

    // document 0 alone, its prompt repeated for each branch: rows 0..69 | 73..137 | 147..276 of the batch
    Problem repeated({{70, -1}, {65, 0}, {70, -1}, {130, 2}}, shape, dtype);
    for (int64_t i = 0; i < 70; ++i) {
        copy_row(repeated.qkv, i, packed.qkv, i);
        copy_row(repeated.qkv, 135 + i, packed.qkv, i);
    }
    for (int64_t i = 0; i < 65; ++i) copy_row(repeated.qkv, 70 + i, packed.qkv, 73 + i);
    for (int64_t i = 0; i < 130; ++i) copy_row(repeated.qkv, 205 + i, packed.qkv, 147 + i);
    checks.expect_ok("attention repeated" + suffix, repeated.forward(checks));
    checks.expect_same("attention prompt alone = packed" + suffix, repeated.all_rows(0, 70),
                       packed.all_rows(0, 70));
    checks.expect_same("attention first branch, shared = repeated prompt" + suffix, repeated.all_rows(70, 65),
                       packed.all_rows(73, 65));
    checks.expect_same("attention second branch, shared = repeated prompt" + suffix,
                       repeated.all_rows(205, 130), packed.all_rows(147, 130));

    // A shorter branch: its rows do not depend on the rows behind it, nor on the query range they fall into.
    Problem shorter({{70, -1}, {37, 0}}, shape, dtype);
    for (int64_t i = 0; i < 70; ++i) copy_row(shorter.qkv, i, packed.qkv, i);
    for (int64_t i = 0; i < 37; ++i) copy_row(shorter.qkv, 70 + i, packed.qkv, 147 + i);
    checks.expect_ok("attention shorter" + suffix, shorter.forward(checks));
    checks.expect_same("attention rows = rows of a longer segment" + suffix, shorter.all_rows(70, 37),
                       packed.all_rows(147, 37));
}

// Gradients of a shared prompt are the sums of those of its copies.
void check_shared_gradients(Checks& checks, DType dtype) {
    const Shape shape{6, 2, 20, 0};
    Problem shared({{70, -1}, {65, 0}, {130, 0}}, shape, dtype);
    Problem repeated({{70, -1}, {65, 0}, {70, -1}, {130, 2}}, shape, dtype);
    const auto source = [](int64_t row) { return row < 135 ? row : row < 205 ? row - 135 : row - 70; };
    for (int64_t row = 0; row < 335; ++row) {
        copy_row(repeated.qkv, row, shared.qkv, source(row));
        copy_row(repeated.dout, row, shared.dout, source(row));
    }
    // the second copy of the prompt gets no gradient of its own
    for (int64_t row = 135; row < 205; ++row)
        for (int64_t c = 0; c < repeated.dout.cols(); ++c) repeated.dout.set(row, c, 0);
    for (Problem* problem : {&shared, &repeated}) {
        checks.expect_ok("attention shared gradients forward", problem->forward(checks));
        checks.expect_ok("attention shared gradients backward", problem->backward(checks));
    }
    Doubles want(static_cast<size_t>(shared.rows() * shared.dqkv.cols()), 0);
    for (int64_t row = 0; row < 335; ++row)
        for (int64_t c = 0; c < shared.dqkv.cols(); ++c)
            want[static_cast<size_t>(source(row) * shared.dqkv.cols() + c)] += repeated.dqkv.at(row, c);
    const std::string name = std::string("attention ") + dtype_name(dtype);
    checks.expect_close(name + " gradients, shared = sum of repeated prompts", shared.dqkv.values(), want,
                        1e-6);
}

void check_threads(Checks& checks, DType dtype) {
    const Shape shape{6, 2, 16, 100};
    const Layout layout{{150, -1}, {230, 0}, {60, -1}, {90, 2}, {300, 0}};
    Problem one(layout, shape, dtype);
    checks.expect_ok("attention 1 thread", one.forward(checks, 1));
    checks.expect_ok("attention 1 thread", one.backward(checks, 1));
    for (const int threads : {2, 3}) {
        Problem more(layout, shape, dtype);
        const std::string name = std::string("attention ") + dtype_name(dtype) + " on 1 thread = on " +
                                 std::to_string(threads) + ", ";
        checks.expect_ok(name + "forward", more.forward(checks, threads));
        checks.expect_ok(name + "backward", more.backward(checks, threads));
        checks.expect_same(name + "out", more.all_rows(0, more.rows()), one.all_rows(0, one.rows()));
        checks.expect_same(name + "dqkv", more.dqkv.values(), one.dqkv.values());
    }
}

// Where rows lie changes no bit.
void check_gaps(Checks& checks, DType dtype) {
    const Shape shape{6, 2, 24, 0};
    const Layout layout{{70, -1}, {65, 0}, {9, -1}};
    Problem odd(layout, shape, dtype), whole(layout, shape, dtype, 1, 7, kWholeChunks);
    for (Problem* problem : {&odd, &whole}) {
        checks.expect_ok("attention gaps forward", problem->forward(checks));
        checks.expect_ok("attention gaps backward", problem->backward(checks));
    }
    const std::string name = std::string("attention ") + dtype_name(dtype) + " odd gaps = whole chunks, ";
    checks.expect_same(name + "out", whole.all_rows(0, whole.rows()), odd.all_rows(0, odd.rows()));
    checks.expect_same(name + "dqkv", whole.dqkv.values(), odd.dqkv.values());
}

void check_window_reaching_everything(Checks& checks) {
    const Layout layout{{70, -1}, {65, 0}};
    Problem open(layout, {2, 1, 16, 0}, DType::F32), wide(layout, {2, 1, 16, 135}, DType::F32);
    for (Problem* problem : {&open, &wide}) {
        checks.expect_ok("attention window forward", problem->forward(checks));
        checks.expect_ok("attention window backward", problem->backward(checks));
    }
    checks.expect_same("attention a window as long as the rows = no window", wide.all_rows(0, 135),
                       open.all_rows(0, 135));
    checks.expect_close("attention gradients under such a window", wide.dqkv.values(), open.dqkv.values(),
                        bar_of(DType::F32, 4, 16));
}

// Scores near 80 in size must neither overflow nor lose the smaller ones.
void check_large_scores(Checks& checks) {
    const Layout layout{{66, -1}, {5, 0}};
    Problem problem(layout, {1, 1, 4, 0}, DType::F32);
    for (int64_t row = 0; row < problem.rows(); ++row) {
        problem.qkv.set(row, 0, 2);
        problem.qkv.set(row, 4, row % 3 == 0 ? 80 : row % 3 == 1 ? -80 : 79.5);
    }
    Doubles out, lse;
    reference::attention_forward(out, lse, problem.qkv.values(), problem.dims, problem.rows());
    checks.expect_ok("attention scores of 80", problem.forward(checks));
    checks.expect_close("attention scores of 80 out", problem.out.values(), out, bar_of(DType::F32, 80, 4));
    checks.expect_each("attention scores of 80 lse", to_doubles(problem.lse), lse, bar_of(DType::F32, 2, 4));
}

void check_refusals(Checks& checks) {
    const auto status = [&](const Layout& layout, const Shape& shape, int64_t rows) {
        Problem fits({{6, -1}}, {2, 1, 4, 0}, DType::F32);
        AttentionDims dims = layout.dims(shape);
        ConstMat qkv = fits.qkv.view();
        qkv.rows = rows;
        Mat out = fits.out.mat();
        out.rows = rows;
        return checks.ops().attention_forward(out, fits.lse.data(), qkv, dims, checks.stream());
    };
    const Shape shape{2, 1, 4, 0};
    checks.expect("attention takes what fits", status({{4, -1}, {2, 0}}, shape, 6) == Status::Ok);
    checks.expect("attention refuses a chained prefix",
                  status({{2, -1}, {2, 0}, {2, 1}}, shape, 6) == Status::Shape);
    checks.expect("attention refuses a later prefix", status({{2, 1}, {4, -1}}, shape, 6) == Status::Shape);
    checks.expect("attention refuses uncovered rows", status({{5, -1}}, shape, 6) == Status::Shape);
    checks.expect("attention refuses an empty segment", status({{6, -1}, {0, 0}}, shape, 6) == Status::Shape);
    checks.expect("attention refuses heads that do not divide",
                  status({{6, -1}}, {3, 2, 4, 0}, 6) == Status::Shape);
    checks.expect("attention refuses another head width",
                  status({{6, -1}}, {2, 1, 5, 0}, 6) == Status::Shape);
    for (const float scale : {0.0f, -1.0f}) {
        Problem problem({{6, -1}}, shape, DType::F32);
        problem.dims.scale = scale;
        checks.expect(
            "attention refuses a scale of " + std::to_string(scale),
            checks.ops().attention_forward(problem.out.mat(), problem.lse.data(), problem.qkv.view(),
                                           problem.dims, checks.stream()) == Status::Shape);
    }
    checks.expect("attention takes no rows", status({}, shape, 0) == Status::Ok);
}

void check_attention(Checks& checks) {
    for (const DType dtype : {DType::F32, DType::BF16}) {
        for (const Case& one : cases()) compare_with_reference(checks, one, dtype);
        for (const int64_t window : {0, 50}) check_packing(checks, dtype, window);
        check_threads(checks, dtype);
        check_gaps(checks, dtype);
        compare_parts(checks, dtype);
        check_shared_gradients(checks, dtype);
    }
    check_window_reaching_everything(checks);
    check_large_scores(checks);
    check_refusals(checks);
}

void check_reference(Checks& checks) {
    for (const int64_t window : {0, 4}) {
        const Layout layout{{5, -1}, {3, 0}, {2, -1}, {4, 0}, {1, 2}};
        const AttentionDims dims = layout.dims({4, 2, 3, window});
        const int64_t T = layout.rows();
        Random random(11);
        const Doubles qkv = to_doubles(random_floats(random, T * 8 * 3));
        const Doubles dout = to_doubles(random_floats(random, T * 4 * 3));
        Doubles dqkv;
        reference::attention_backward(dqkv, dout, qkv, dims, T);
        const auto loss = [&](const Doubles& x) {
            Doubles out, lse;
            reference::attention_forward(out, lse, x, dims, T);
            double sum = 0;
            for (size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
            return sum;
        };
        checks.expect_gradient("reference attention window " + std::to_string(window), loss, qkv, dqkv);
    }
}

const Register attention("attention", Runs::PerIsa, check_attention);
const Register reference_attention("reference attention", Runs::Once, check_reference);

}  // namespace

}  // namespace attune::tool
