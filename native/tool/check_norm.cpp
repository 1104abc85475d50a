// RMSNorm and LayerNorm against the double-precision reference, and the reference against finite differences.
// Must not include an op body: ops come from the table.
#include <string>
#include <vector>

#include "cpu/reference_rows.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using reference::Doubles;

constexpr float kEpsilon = 1e-5f;

struct Shape {
    int64_t rows, groups, C, gap;
};
// One, primes, a vector and a block of rows +-1, heads, wide rows that are summed in several blocks.
const std::vector<Shape> kShapes = {{1, 1, 1, 0},    {3, 1, 7, 2},   {5, 1, 15, 0},  {2, 1, 16, 3},
                                    {31, 1, 17, 1},  {32, 3, 12, 5}, {33, 9, 64, 7}, {65, 1, 576, 0},
                                    {2, 1, 1031, 1}, {3, 1, 8192, 0}};

std::string label(const char* op, const Shape& s, DType dtype) {
    return std::string(op) + " " + dtype_name(dtype) + " " + std::to_string(s.rows) + "x" +
           std::to_string(s.groups) + "x" + std::to_string(s.C);
}

// fp32: the relative error of a norm's output stays below 1e-6 whatever its width; bf16: half a unit of
// rounding.
double forward_bar(DType dtype) {
    return dtype == DType::F32 ? 1e-6 : bar_of(dtype, 0.5, 1);
}

struct NormInputs {
    NormInputs(const Shape& s, DType dtype)
        : random(17),
          x(dtype, s.rows, s.groups * s.C, s.gap),
          dy(DType::F32, s.rows, s.groups * s.C, s.gap),
          w(random_floats(random, s.C, 0.3, 1)),
          b(random_floats(random, s.C)) {
        x.randomise(random);
        dy.randomise(random);
    }
    Random random;
    TestMatrix x, dy;
    std::vector<float> w, b;
};

// One op's outputs in one run: y (or dx) and the statistics (or weight gradients) behind it.
void check_rmsnorm_forward(Checks& checks, const Shape& s, DType dtype) {
    const std::string name = label("rmsnorm_forward", s, dtype);
    const NormInputs in(s, dtype);
    TestMatrix y(dtype, s.rows, s.groups * s.C, s.gap + 1);
    const auto run = [&](Stream* stream, ConstMat x) {
        y.poison();
        std::vector<float> rstd = poisoned(x.rows * s.groups);
        const Mat out{y.data(), dtype, x.rows, x.cols, y.mat().stride};
        checks.expect_ok(
            name, checks.ops().rmsnorm_forward(out, rstd.data(), x, in.w.data(), s.groups, kEpsilon, stream));
        std::vector<double> all = slice(y.values(), 0, static_cast<size_t>(x.rows * x.cols));
        append(all, rstd);
        return all;
    };
    const auto got = same_for_threads(checks, name, [&](Stream* stream) { return run(stream, in.x.view()); });
    Doubles want, rstd;
    reference::rmsnorm_forward(want, rstd, in.x.values(), to_doubles(in.w), static_cast<double>(kEpsilon));
    const auto values = slice(got, 0, want.size());
    checks.expect_close(name + " y", values, want, forward_bar(dtype));
    checks.expect_trips(name + " y", values, want, forward_bar(dtype));
    checks.expect_close(name + " rstd", slice(got, want.size(), rstd.size()), rstd, 1e-6);
    checks.expect(name + " writes inside y only", y.guards_intact());
    const auto width = static_cast<size_t>(s.groups * s.C);
    const auto alone = run(checks.stream(2), in.x.view(s.rows - 1, 1));
    checks.expect_same(name + " row alone", slice(alone, 0, width),
                       slice(values, values.size() - width, width));
}

void check_rmsnorm_backward(Checks& checks, const Shape& s, DType dtype, bool accumulate) {
    const std::string name = label("rmsnorm_backward", s, dtype) + (accumulate ? " +=" : " =");
    NormInputs in(s, dtype);
    Doubles y, rstd64, dx_want, dw_want;
    reference::rmsnorm_forward(y, rstd64, in.x.values(), to_doubles(in.w), static_cast<double>(kEpsilon));
    const std::vector<float> rstd(rstd64.begin(), rstd64.end());
    TestMatrix start(DType::F32, s.rows, s.groups * s.C);
    start.randomise(in.random);
    const std::vector<float> dw_start = random_floats(in.random, s.C);
    dx_want = accumulate ? start.values() : Doubles(y.size());
    dw_want = to_doubles(dw_start);
    reference::rmsnorm_backward(dx_want, dw_want, in.dy.values(), in.x.values(), to_doubles(rstd),
                                to_doubles(in.w));
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix dx(DType::F32, s.rows, s.groups * s.C, s.gap);
        if (accumulate) dx.assign([&](int64_t r, int64_t c) { return start.at(r, c); });
        std::vector<float> dw = dw_start;
        checks.expect_ok(
            name, checks.ops().rmsnorm_backward(dx.mat(), dw.data(), in.dy.view(), in.x.view(), rstd.data(),
                                                in.w.data(), s.groups, accumulate, stream));
        checks.expect(name + " writes inside dx only", dx.guards_intact());
        std::vector<double> all = dx.values();
        append(all, dw);
        return all;
    });
    const auto dx = slice(got, 0, dx_want.size()), dw = slice(got, dx_want.size(), dw_want.size());
    // One column is its own norm: the exact dx is nearly zero and what remains is the rounding of n and rstd.
    if (s.C > 1) {
        checks.expect_close(name + " dx", dx, dx_want, bar_of(DType::F32, 4, 1));
        checks.expect_trips(name + " dx", dx, dx_want, bar_of(DType::F32, 4, 1));
    }
    checks.expect_close(name + " dw", dw, dw_want, bar_of(DType::F32, 1, s.rows * s.groups));
    checks.expect_trips(name + " dw", dw, dw_want, bar_of(DType::F32, 1, s.rows * s.groups));
}

void check_layernorm_forward(Checks& checks, const Shape& s, DType dtype) {
    const std::string name = label("layernorm_forward", s, dtype);
    const NormInputs in(s, dtype);
    TestMatrix y(dtype, s.rows, s.C, s.gap + 1);
    const auto run = [&](Stream* stream, ConstMat x) {
        y.poison();
        std::vector<float> mean = poisoned(x.rows), rstd = poisoned(x.rows);
        const Mat out{y.data(), dtype, x.rows, x.cols, y.mat().stride};
        checks.expect_ok(name, checks.ops().layernorm_forward(out, mean.data(), rstd.data(), x, in.w.data(),
                                                              in.b.data(), kEpsilon, stream));
        std::vector<double> all = slice(y.values(), 0, static_cast<size_t>(x.rows * x.cols));
        append(all, mean);
        append(all, rstd);
        return all;
    };
    const auto got = same_for_threads(checks, name, [&](Stream* stream) { return run(stream, in.x.view()); });
    Doubles want, mean, rstd;
    reference::layernorm_forward(want, mean, rstd, in.x.values(), to_doubles(in.w), to_doubles(in.b),
                                 static_cast<double>(kEpsilon));
    const auto values = slice(got, 0, want.size());
    checks.expect_close(name + " y", values, want, forward_bar(dtype));
    checks.expect_trips(name + " y", values, want, forward_bar(dtype));
    checks.expect_each(name + " mean", slice(got, want.size(), mean.size()), mean, 1e-6);
    checks.expect_close(name + " rstd", slice(got, want.size() + mean.size(), rstd.size()), rstd, 1e-6);
    checks.expect(name + " writes inside y only", y.guards_intact());
    const auto width = static_cast<size_t>(s.C);
    const auto alone = run(checks.stream(2), in.x.view(s.rows - 1, 1));
    checks.expect_same(name + " row alone", slice(alone, 0, width),
                       slice(values, values.size() - width, width));
}

void check_layernorm_backward(Checks& checks, const Shape& s, DType dtype, bool accumulate) {
    const std::string name = label("layernorm_backward", s, dtype) + (accumulate ? " +=" : " =");
    NormInputs in(s, dtype);
    Doubles y, mean64, rstd64, dx_want;
    reference::layernorm_forward(y, mean64, rstd64, in.x.values(), to_doubles(in.w), to_doubles(in.b),
                                 static_cast<double>(kEpsilon));
    const std::vector<float> mean(mean64.begin(), mean64.end()), rstd(rstd64.begin(), rstd64.end());
    TestMatrix start(DType::F32, s.rows, s.C);
    start.randomise(in.random);
    const std::vector<float> dw_start = random_floats(in.random, s.C),
                             db_start = random_floats(in.random, s.C);
    dx_want = accumulate ? start.values() : Doubles(y.size());
    Doubles dw_want = to_doubles(dw_start), db_want = to_doubles(db_start);
    reference::layernorm_backward(dx_want, dw_want, db_want, in.dy.values(), in.x.values(), to_doubles(mean),
                                  to_doubles(rstd), to_doubles(in.w));
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix dx(DType::F32, s.rows, s.C, s.gap);
        if (accumulate) dx.assign([&](int64_t r, int64_t c) { return start.at(r, c); });
        std::vector<float> dw = dw_start, db = db_start;
        checks.expect_ok(
            name, checks.ops().layernorm_backward(dx.mat(), dw.data(), db.data(), in.dy.view(), in.x.view(),
                                                  mean.data(), rstd.data(), in.w.data(), accumulate, stream));
        checks.expect(name + " writes inside dx only", dx.guards_intact());
        std::vector<double> all = dx.values();
        append(all, dw);
        append(all, db);
        return all;
    });
    const size_t n = dx_want.size(), C = dw_want.size();
    const double bar = bar_of(DType::F32, 1, s.rows);
    // One column is its own mean: the exact dx is zero and what remains is the rounding of x - mean.
    if (s.C > 1) {
        checks.expect_close(name + " dx", slice(got, 0, n), dx_want, bar_of(DType::F32, 4, 1));
        checks.expect_trips(name + " dx", slice(got, 0, n), dx_want, bar_of(DType::F32, 4, 1));
    }
    checks.expect_close(name + " dw", slice(got, n, C), dw_want, bar);
    checks.expect_close(name + " db", slice(got, n + C, C), db_want, bar);
    checks.expect_trips(name + " dw", slice(got, n, C), dw_want, bar);
    checks.expect_trips(name + " db", slice(got, n + C, C), db_want, bar);
}

void check_rmsnorm(Checks& checks) {
    for (const Shape& shape : kShapes)
        for (const DType dtype : {DType::F32, DType::BF16}) {
            check_rmsnorm_forward(checks, shape, dtype);
            for (const bool accumulate : {false, true})
                check_rmsnorm_backward(checks, shape, dtype, accumulate);
        }
    // dx in place of dy, no weight gradient: what the trunk asks for when weights are frozen
    const Shape s{5, 2, 19, 0};
    NormInputs in(s, DType::F32);
    const std::vector<float> rstd(10, 0.7f);
    TestMatrix apart(DType::F32, 5, 38);
    const Ops& ops = checks.ops();
    Stream* stream = checks.stream();
    checks.expect_ok("rmsnorm_backward", ops.rmsnorm_backward(apart.mat(), nullptr, in.dy.view(), in.x.view(),
                                                              rstd.data(), in.w.data(), 2, 0, stream));
    checks.expect_ok("rmsnorm_backward", ops.rmsnorm_backward(in.dy.mat(), nullptr, in.dy.view(), in.x.view(),
                                                              rstd.data(), in.w.data(), 2, 0, stream));
    checks.expect_same("rmsnorm_backward in place", in.dy.values(), apart.values());
    float none = 0;
    checks.expect("rmsnorm_forward refuses groups that do not divide",
                  ops.rmsnorm_forward(apart.mat(), &none, in.x.view(), in.w.data(), 3, kEpsilon, stream) ==
                      Status::Shape);
    checks.expect_ok("rmsnorm_forward of no rows",
                     ops.rmsnorm_forward({nullptr, DType::F32, 0, 38, 38}, nullptr,
                                         {nullptr, DType::F32, 0, 38, 38}, in.w.data(), 2, kEpsilon, stream));
}

void check_layernorm(Checks& checks) {
    for (const Shape& shape : kShapes)
        for (const DType dtype : {DType::F32, DType::BF16}) {
            const Shape whole{shape.rows, 1, shape.groups * shape.C, shape.gap};
            check_layernorm_forward(checks, whole, dtype);
            for (const bool accumulate : {false, true})
                check_layernorm_backward(checks, whole, dtype, accumulate);
        }
    TestMatrix x(DType::F32, 2, 4), y(DType::F32, 2, 5);
    float none[2] = {};
    checks.expect("layernorm_forward refuses other columns",
                  checks.ops().layernorm_forward(y.mat(), none, none, x.view(), none, none, kEpsilon,
                                                 checks.stream()) == Status::Shape);
}

// The reference's gradients of sum(y * c), by each input.
void check_norm_reference(Checks& checks) {
    Random random(5);
    const auto draw = [&](int64_t n) { return to_doubles(random_floats(random, n)); };
    const auto weighted = [](const Doubles& y, const Doubles& c) {
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += y[i] * c[i];
        return sum;
    };
    const Doubles x = draw(21), w = draw(7), b = draw(7), c = draw(21);
    Doubles y, mean, rstd, dx(21), dw(7), db(7);
    reference::rmsnorm_forward(y, rstd, x, w, 1e-3);
    reference::rmsnorm_backward(dx, dw, c, x, rstd, w);
    const auto rms = [&](const Doubles& at_x, const Doubles& at_w) {
        Doubles out, statistics;
        reference::rmsnorm_forward(out, statistics, at_x, at_w, 1e-3);
        return weighted(out, c);
    };
    checks.expect_gradient(
        "reference rmsnorm dx", [&](const Doubles& at) { return rms(at, w); }, x, dx);
    checks.expect_gradient(
        "reference rmsnorm dw", [&](const Doubles& at) { return rms(x, at); }, w, dw);

    dx.assign(21, 0);
    dw.assign(7, 0);
    reference::layernorm_forward(y, mean, rstd, x, w, b, 1e-3);
    reference::layernorm_backward(dx, dw, db, c, x, mean, rstd, w);
    const auto layer = [&](const Doubles& at_x, const Doubles& at_w, const Doubles& at_b) {
        Doubles out, centre, scale;
        reference::layernorm_forward(out, centre, scale, at_x, at_w, at_b, 1e-3);
        return weighted(out, c);
    };
    checks.expect_gradient(
        "reference layernorm dx", [&](const Doubles& at) { return layer(at, w, b); }, x, dx);
    checks.expect_gradient(
        "reference layernorm dw", [&](const Doubles& at) { return layer(x, at, b); }, w, dw);
    checks.expect_gradient(
        "reference layernorm db", [&](const Doubles& at) { return layer(x, w, at); }, b, db);
}

const Register rmsnorm("rmsnorm", Runs::PerIsa, check_rmsnorm);
const Register layernorm("layernorm", Runs::PerIsa, check_layernorm);
const Register norm_reference("norm_reference", Runs::Once, check_norm_reference);

}  // namespace

}  // namespace attune::tool
