// Linear maps against the double-precision reference, and the reference against finite differences.
// Must not include an op body: ops come from the table.
#include <string>
#include <vector>

#include "cpu/reference_gemm.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using reference::LinearEpilogue;
using reference::LinearShape;
using Doubles = std::vector<double>;

// One, primes, register tiles (6 and 12 rows, 32 columns) and depth blocks (256) -1, 0, +1; then more
// micropanels than a row block, several slabs of n, of rows with a long depth, and of rows and panels in the
// weight gradient; where the input gradient reads W where it lies, more panels of rows than go together and
// several slabs.
const std::vector<LinearShape> kShapes = {
    {1, 1, 1},      {3, 7, 5},      {5, 31, 16},      {6, 32, 17},     {7, 33, 255},    {11, 64, 256},
    {12, 65, 257},  {13, 96, 2},    {25, 13, 513},    {37, 130, 520},  {211, 97, 300},  {4, 2100, 41},
    {470, 5, 9001}, {2100, 40, 19}, {2081, 1060, 17}, {300, 290, 610}, {40, 2100, 300},
};
constexpr size_t kSmallShapes = 10;  // the first ones go through every combination
// Rows that begin at multiples of 16 bytes: tiles of 32, 64, 128 and 256 rows or columns and steps of 64
// depths, -1, 0 and more, and several tiles of each.
const std::vector<LinearShape> kAlignedShapes = {
    {1, 64, 64}, {31, 40, 72}, {33, 130, 64}, {64, 128, 8}, {129, 257, 200}, {300, 520, 136},
};

struct Types {
    DType y, x, w;
};
const std::vector<Types> kTypes = {{DType::F32, DType::F32, DType::F32},
                                   {DType::BF16, DType::BF16, DType::BF16},
                                   {DType::F32, DType::BF16, DType::BF16},
                                   {DType::F32, DType::F32, DType::BF16},
                                   {DType::BF16, DType::BF16, DType::F32}};

std::string label(const char* op, const LinearShape& s, DType a, DType b) {
    return std::string(op) + " " + std::to_string(s.M) + "x" + std::to_string(s.N) + "x" +
           std::to_string(s.K) + " " + dtype_name(a) + "," + dtype_name(b);
}

// Sums of n products in fp32: 0.5 eps sqrt(n). In bf16 the output is rounded once: 0.5 eps.
double forward_bar(DType y, int64_t n) {
    return y == DType::F32 ? bar_of(DType::F32, 0.5, n) : bar_of(DType::BF16, 0.5, 1);
}
// Gradients are fp32. Where the processor multiplies bf16 pairs, dy is rounded to bf16 first: 0.5 eps of one
// rounding.
double backward_bar(DType operand, int64_t n) {
    return operand == DType::F32 ? bar_of(DType::F32, 0.5, n) : bar_of(DType::BF16, 0.5, 1);
}

TestWeight random_weight(Random& random, DType dtype, const LinearShape& s) {
    TestWeight w(dtype, Layout::Panels, s.N, s.K);
    w.randomise(random, 0.3);
    return w;
}
// gap kAligned: none, and aligned rows.
constexpr int64_t kAligned = -1;
TestMatrix matrix(DType dtype, int64_t rows, int64_t cols, int64_t gap) {
    return gap == kAligned ? TestMatrix::aligned(dtype, rows, cols) : TestMatrix(dtype, rows, cols, gap);
}
TestMatrix random_matrix(Random& random, DType dtype, int64_t rows, int64_t cols, int64_t gap) {
    TestMatrix m = matrix(dtype, rows, cols, gap);
    m.randomise(random);
    return m;
}

enum class Extras { None, Bias, Gelu, Residual, All };

// One forward case: inputs, and a run of the op on rows [first, first + count).
struct ForwardCase {
    ForwardCase(const LinearShape& shape, const Types& types, Extras extras, bool aligned)
        : s(shape),
          t(types),
          gap(aligned ? kAligned : 1),
          random(23),
          x(random_matrix(random, t.x, s.M, s.K, aligned ? kAligned : 3)),
          w(random_weight(random, t.w, s)),
          residual(random_matrix(random, t.y, s.M, s.N, aligned ? kAligned : 2)),
          bias(random_floats(random, s.N)) {
        with_bias = extras == Extras::Bias || extras == Extras::All;
        gelu = extras == Extras::Gelu || extras == Extras::All;
        with_residual = extras == Extras::Residual || extras == Extras::All;
    }

    // y, then the kept values before the activation
    Doubles run(Checks& checks, const std::string& name, Stream* stream, int64_t first, int64_t count) const {
        TestMatrix y = matrix(t.y, count, s.N, gap), before = matrix(t.y, count, s.N, gap);
        Epilogue epilogue;
        epilogue.bias = with_bias ? bias.data() : nullptr;
        epilogue.activation = gelu ? Activation::GeluTanh : Activation::None;
        if (gelu) epilogue.before_activation = before.mat();
        if (with_residual) epilogue.residual = residual.view(first, count);
        const bool plain = !with_bias && !gelu && !with_residual;
        const Status status = checks.ops().linear_forward(y.mat(), x.view(first, count), w.weight(),
                                                          plain ? nullptr : &epilogue, stream);
        checks.expect_ok(name, status);
        checks.expect(name + " writes inside y only", y.guards_intact() && before.guards_intact());
        Doubles all = y.values();
        if (gelu) append(all, before.values());
        return all;
    }

    Doubles want() const {
        LinearEpilogue epilogue;
        if (with_bias) epilogue.bias = to_doubles(bias);
        if (with_residual) epilogue.residual = residual.values();
        epilogue.gelu = gelu;
        Doubles y, before;
        reference::linear_forward(y, before, x.values(), w.values(), epilogue, s);
        if (gelu) append(y, before);
        return y;
    }

    LinearShape s;
    Types t;
    int64_t gap;  // of outputs
    Random random;
    TestMatrix x;
    TestWeight w;
    TestMatrix residual;
    std::vector<float> bias;
    bool with_bias, gelu, with_residual;
};

// A row has the same bits whatever rows stand around it: alone, in a few, shifted to another place of the
// tile. run(stream, first, count) gives rows [first, first + count) of all[rows][width].
template <class Run>
void expect_same_rows(Checks& checks, const std::string& name, const Doubles& all, int64_t rows,
                      int64_t width, const Run& run) {
    for (const int64_t count : {int64_t{1}, int64_t{4}, rows / 2}) {
        if (count < 1 || count > rows) continue;
        const auto part = run(checks.stream(2), rows - count, count);
        const auto size = static_cast<size_t>(count * width);
        checks.expect_same(name + " last " + std::to_string(count) + " rows", slice(part, 0, size),
                           slice(all, static_cast<size_t>((rows - count) * width), size));
    }
}

void check_forward(Checks& checks, const LinearShape& s, const Types& t, Extras extras,
                   bool aligned = false) {
    const std::string name = label("linear_forward", s, t.x, t.w) + "->" + dtype_name(t.y) + " extras " +
                             std::to_string(static_cast<int>(extras)) + (aligned ? " aligned" : "");
    const ForwardCase one(s, t, extras, aligned);
    const auto got =
        same_for_threads(checks, name, [&](Stream* stream) { return one.run(checks, name, stream, 0, s.M); });
    const auto want = one.want();
    checks.expect_close(name, got, want, forward_bar(t.y, s.K));
    checks.expect_trips(name, got, want, forward_bar(t.y, s.K));
    expect_same_rows(checks, name, got, s.M, s.N, [&](Stream* stream, int64_t first, int64_t count) {
        return one.run(checks, name, stream, first, count);
    });
}

void check_linear_forward(Checks& checks) {
    for (size_t i = 0; i < kShapes.size(); ++i)
        for (const Types& types : kTypes)
            if (i < kSmallShapes || (types.x == types.w && types.y == types.x))
                check_forward(checks, kShapes[i], types, i % 2 == 0 ? Extras::None : Extras::All);
    // Several slabs of widened panels, where bf16 has no arithmetic of its own.
    check_forward(checks, {130, 260, 8300}, kTypes[1], Extras::None);
    for (const Extras extras : {Extras::Bias, Extras::Gelu, Extras::Residual, Extras::All})
        for (const Types& types : {kTypes[0], kTypes[1]}) check_forward(checks, {14, 70, 40}, types, extras);
    for (const LinearShape& shape : kAlignedShapes)
        for (const Types& types : kTypes)
            check_forward(checks, shape, types, shape.M % 2 == 0 ? Extras::None : Extras::All, true);
}

void check_backward_input(Checks& checks, const LinearShape& s, DType dy_type, DType w_type, bool accumulate,
                          bool aligned = false) {
    const std::string name = label("linear_backward_input", s, dy_type, w_type) +
                             (accumulate ? " +=" : " =") + (aligned ? " aligned" : "");
    Random random(29);
    const TestMatrix dy = random_matrix(random, dy_type, s.M, s.N, aligned ? kAligned : 2);
    const TestWeight w = random_weight(random, w_type, s);
    const TestMatrix start = random_matrix(random, DType::F32, s.M, s.K, 0);
    Doubles want = accumulate ? start.values() : Doubles(static_cast<size_t>(s.M * s.K));
    reference::linear_backward_input(want, dy.values(), w.values(), s);
    const auto run = [&](Stream* stream, int64_t first, int64_t count) {
        TestMatrix dx = matrix(DType::F32, count, s.K, aligned ? kAligned : 3);
        if (accumulate) dx.assign([&](int64_t r, int64_t c) { return start.at(first + r, c); });
        checks.expect_ok(name, checks.ops().linear_backward_input(dx.mat(), dy.view(first, count), w.weight(),
                                                                  accumulate, stream));
        checks.expect(name + " writes inside dx only", dx.guards_intact());
        return dx.values();
    };
    const auto got = same_for_threads(checks, name, [&](Stream* stream) { return run(stream, 0, s.M); });
    checks.expect_close(name, got, want, backward_bar(w_type, s.N));
    checks.expect_trips(name, got, want, backward_bar(w_type, s.N));
    expect_same_rows(checks, name, got, s.M, s.K, run);
}

void check_linear_backward_input(Checks& checks) {
    for (size_t i = 0; i < kShapes.size(); ++i) {
        for (const DType w : {DType::F32, DType::BF16})
            check_backward_input(checks, kShapes[i], DType::F32, w, i % 2 == 1);
        if (i < kSmallShapes) check_backward_input(checks, kShapes[i], DType::BF16, DType::BF16, i % 2 == 0);
    }
    for (const LinearShape& shape : kAlignedShapes) {
        for (const DType w : {DType::F32, DType::BF16})
            check_backward_input(checks, shape, DType::F32, w, shape.M % 2 == 1, true);
        check_backward_input(checks, shape, DType::BF16, DType::BF16, shape.M % 2 == 0, true);
    }
}

void check_backward_weight(Checks& checks, const LinearShape& s, DType dy_type, DType x_type, bool accumulate,
                           bool aligned = false) {
    const std::string name = label("linear_backward_weight", s, dy_type, x_type) +
                             (accumulate ? " +=" : " =") + (aligned ? " aligned" : "");
    Random random(31);
    const TestMatrix dy = random_matrix(random, dy_type, s.M, s.N, aligned ? kAligned : 2);
    const TestMatrix x = random_matrix(random, x_type, s.M, s.K, aligned ? kAligned : 1);
    TestWeight start(DType::F32, Layout::Panels, s.N, s.K);
    start.randomise(random);
    const std::vector<float> bias = random_floats(random, s.N);
    Doubles dw_want = accumulate ? start.values() : Doubles(static_cast<size_t>(s.N * s.K));
    Doubles dbias_want = to_doubles(bias);
    reference::linear_backward_weight(dw_want, dbias_want, dy.values(), x.values(), s);
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestWeight dw(DType::F32, Layout::Panels, s.N, s.K);
        for (int64_t n = 0; n < s.N; ++n)
            for (int64_t k = 0; k < s.K; ++k) dw.set(n, k, start.at(n, k));
        std::vector<float> dbias = bias;
        checks.expect_ok(name, checks.ops().linear_backward_weight(dw.gradient(), dbias.data(), dy.view(),
                                                                   x.view(), accumulate, stream));
        checks.expect(name + " leaves the padding zero", dw.padding_is_zero());
        Doubles all = dw.values();
        append(all, dbias);
        return all;
    });
    const auto dw = slice(got, 0, dw_want.size()), dbias = slice(got, dw_want.size(), dbias_want.size());
    checks.expect_close(name + " dw", dw, dw_want, backward_bar(x_type, s.M));
    checks.expect_trips(name + " dw", dw, dw_want, backward_bar(x_type, s.M));
    checks.expect_close(name + " dbias", dbias, dbias_want, bar_of(DType::F32, 0.5, s.M));
    checks.expect_trips(name + " dbias", dbias, dbias_want, bar_of(DType::F32, 0.5, s.M));
}

void check_linear_backward_weight(Checks& checks) {
    for (size_t i = 0; i < kShapes.size(); ++i) {
        for (const DType x : {DType::F32, DType::BF16})
            check_backward_weight(checks, kShapes[i], DType::F32, x, i % 2 == 1);
        if (i < kSmallShapes) check_backward_weight(checks, kShapes[i], DType::BF16, DType::BF16, i % 2 == 0);
    }
    for (const LinearShape& shape : kAlignedShapes) {
        for (const DType x : {DType::F32, DType::BF16})
            check_backward_weight(checks, shape, DType::F32, x, shape.M % 2 == 1, true);
        check_backward_weight(checks, shape, DType::BF16, DType::BF16, shape.M % 2 == 0, true);
    }
}

// What does not fit is refused and no row is no work.
void check_linear_shapes(Checks& checks) {
    Random random(37);
    const LinearShape s{4, 5, 6};
    const TestMatrix x = random_matrix(random, DType::F32, s.M, s.K, 0);
    const TestMatrix dy = random_matrix(random, DType::F32, s.M, s.N, 0);
    TestMatrix y(DType::F32, s.M, s.N), dx(DType::F32, s.M, s.K), narrow(DType::F32, s.M, 1),
        half(DType::BF16, s.M, s.K);
    TestWeight w = random_weight(random, DType::F32, s);
    const Ops& ops = checks.ops();
    Stream* stream = checks.stream(2);
    const auto refuses = [&](const char* what, Status status) {
        checks.expect(std::string("linear refuses ") + what, status == Status::Shape);
    };
    refuses("a narrow y", ops.linear_forward(narrow.mat(), x.view(), w.weight(), nullptr, stream));
    refuses("a narrow x", ops.linear_forward(y.mat(), dy.view(), w.weight(), nullptr, stream));
    refuses("fewer rows of x", ops.linear_forward(y.mat(), x.view(0, 2), w.weight(), nullptr, stream));
    Weight rows = w.weight();
    rows.layout = Layout::Rows;
    refuses("weights in rows", ops.linear_forward(y.mat(), x.view(), rows, nullptr, stream));
    refuses("a narrow dx", ops.linear_backward_input(narrow.mat(), dy.view(), w.weight(), 0, stream));
    refuses("a bf16 dx", ops.linear_backward_input(half.mat(), dy.view(), w.weight(), 0, stream));
    refuses("a wrong dy", ops.linear_backward_weight(w.gradient(), nullptr, x.view(), x.view(), 1, stream));
    const Mat none{y.data(), DType::F32, 0, s.N, s.N};
    checks.expect_ok("linear_forward of no rows",
                     ops.linear_forward(none, x.view(0, 0), w.weight(), nullptr, stream));
    const Mat none_dx{dx.data(), DType::F32, 0, s.K, s.K};
    checks.expect_ok("linear_backward_input of no rows",
                     ops.linear_backward_input(none_dx, dy.view(0, 0), w.weight(), 0, stream));
    const Doubles before = w.values();
    checks.expect_ok(
        "linear_backward_weight of no rows",
        ops.linear_backward_weight(w.gradient(), nullptr, dy.view(0, 0), x.view(0, 0), 1, stream));
    checks.expect_same("linear_backward_weight of no rows adds nothing", w.values(), before);
    checks.expect_ok(
        "linear_backward_weight = of no rows",
        ops.linear_backward_weight(w.gradient(), nullptr, dy.view(0, 0), x.view(0, 0), 0, stream));
    checks.expect_same("linear_backward_weight = of no rows is zero", w.values(), Doubles(before.size()));
}

Doubles random_doubles(Random& random, int64_t n) {
    Doubles out(static_cast<size_t>(n));
    for (double& value : out) value = random.normal();
    return out;
}

// f = sum of c y, with y from the reference: dx, dw and dbias against central differences.
void check_reference(Checks& checks) {
    const LinearShape s{5, 7, 6};
    Random random(41);
    const Doubles x = random_doubles(random, s.M * s.K), w = random_doubles(random, s.N * s.K);
    const Doubles bias = random_doubles(random, s.N), c = random_doubles(random, s.M * s.N);
    const auto value = [&](const Doubles& at_x, const Doubles& at_w, const Doubles& at_bias) {
        LinearEpilogue epilogue;
        epilogue.bias = at_bias;
        Doubles y, before;
        reference::linear_forward(y, before, at_x, at_w, epilogue, s);
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += c[i] * y[i];
        return sum;
    };
    Doubles dx(x.size()), dw(w.size()), dbias(bias.size());
    reference::linear_backward_input(dx, c, w, s);
    reference::linear_backward_weight(dw, dbias, c, x, s);
    checks.expect_gradient(
        "reference linear dx", [&](const Doubles& at) { return value(at, w, bias); }, x, dx);
    checks.expect_gradient(
        "reference linear dw", [&](const Doubles& at) { return value(x, at, bias); }, w, dw);
    checks.expect_gradient(
        "reference linear dbias", [&](const Doubles& at) { return value(x, w, at); }, bias, dbias);
}

const Register forward("linear_forward", Runs::PerIsa, check_linear_forward);
const Register backward_input("linear_backward_input", Runs::PerIsa, check_linear_backward_input);
const Register backward_weight("linear_backward_weight", Runs::PerIsa, check_linear_backward_weight);
const Register shapes("linear_shapes", Runs::PerIsa, check_linear_shapes);
const Register gradients("linear_reference", Runs::Once, check_reference);

}  // namespace

}  // namespace attune::tool
