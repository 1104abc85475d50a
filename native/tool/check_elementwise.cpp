// Rotary embedding, SwiGLU, GELU, copy and add against the double-precision reference; the reference against
// finite differences. Must not include an op body: ops come from the table.
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cpu/reference_rows.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using reference::Doubles;

constexpr DType kDTypes[] = {DType::F32, DType::BF16};
constexpr int64_t kColumns[] = {1, 3, 7, 15, 16, 17, 31, 33, 64, 131, 1536};

std::string label(const char* op, DType dtype, int64_t cols) {
    return std::string(op) + " " + dtype_name(dtype) + " " + std::to_string(cols);
}

// A few roundings in fp32; in bf16 the one of the stored result.
double map_bar(DType dtype) {
    return dtype == DType::F32 ? bar_of(dtype, 4, 1) : bar_of(dtype, 0.5, 1);
}

// ---- rope

void check_rope_shape(Checks& checks, DType dtype, int64_t heads, int64_t D) {
    const std::string name = label("rope", dtype, heads * D) + "/" + std::to_string(D);
    Random random(3);
    const int64_t rows = 37, positions_known = 50;
    std::vector<int32_t> positions;
    for (int64_t row = 0; row < rows; ++row)
        positions.push_back(static_cast<int32_t>(random.below(positions_known)));
    std::vector<float> cosine, sine;
    for (int64_t i = 0; i < positions_known * D / 2; ++i) {
        const double angle = 6.28 * random.uniform();
        cosine.push_back(static_cast<float>(std::cos(angle)));
        sine.push_back(static_cast<float>(std::sin(angle)));
    }
    TestMatrix x(dtype, rows, heads * D + 5, 3);  // five columns that are not turned
    x.randomise(random);
    for (const int32_t direction : {1, -1}) {
        Doubles want = x.values();
        reference::rope(want, static_cast<size_t>(heads * D + 5), positions, to_doubles(cosine),
                        to_doubles(sine), static_cast<size_t>(heads), static_cast<size_t>(D), direction);
        const auto got = same_for_threads(checks, name, [&](Stream* stream) {
            TestMatrix turned = x;
            checks.expect_ok(name, checks.ops().rope(turned.mat(), positions.data(), cosine.data(),
                                                     sine.data(), heads, D, direction, stream));
            checks.expect(name + " writes inside x only", turned.guards_intact());
            return turned.values();
        });
        checks.expect_close(name, got, want, map_bar(dtype));
        checks.expect_trips(name, got, want, map_bar(dtype));
        checks.expect(name + " leaves the other columns", got.back() == x.values().back());
    }
}

void check_rope(Checks& checks) {
    for (const DType dtype : kDTypes)
        for (const auto& [heads, D] : {std::array<int64_t, 2>{1, 2}, {3, 12}, {2, 34}, {12, 64}, {1, 128}})
            check_rope_shape(checks, dtype, heads, D);
    TestMatrix x(DType::F32, 1, 6);
    const int32_t position = 0;
    const float one = 1;
    checks.expect("rope refuses an odd head width", checks.ops().rope(x.mat(), &position, &one, &one, 2, 3, 1,
                                                                      checks.stream()) == Status::Shape);
    checks.expect(
        "rope refuses more heads than columns",
        checks.ops().rope(x.mat(), &position, &one, &one, 4, 2, 1, checks.stream()) == Status::Shape);
}

// ---- activations

void check_swiglu_shape(Checks& checks, DType dtype, int64_t F) {
    const int64_t rows = F > 1000 ? 9 : 21;
    const std::string name = label("swiglu", dtype, F);
    Random random(7);
    TestMatrix gate_up(dtype, rows, 2 * F, 3), dh(DType::F32, rows, F, 1);
    gate_up.randomise(random, 3);
    dh.randomise(random);
    const Doubles want = reference::swiglu_forward(gate_up.values(), static_cast<size_t>(F));
    const auto run = [&](Stream* stream, ConstMat in) {
        TestMatrix h(dtype, in.rows, F, 2);
        checks.expect_ok(name, checks.ops().swiglu_forward(h.mat(), in, stream));
        checks.expect(name + " writes inside h only", h.guards_intact());
        return h.values();
    };
    const auto got =
        same_for_threads(checks, name, [&](Stream* stream) { return run(stream, gate_up.view()); });
    checks.expect_close(name, got, want, map_bar(dtype));
    checks.expect_trips(name, got, want, map_bar(dtype));
    checks.expect_same(name + " row alone", run(checks.stream(), gate_up.view(rows - 1, 1)),
                       slice(got, static_cast<size_t>((rows - 1) * F), static_cast<size_t>(F)));

    const Doubles back = reference::swiglu_backward(dh.values(), gate_up.values(), static_cast<size_t>(F));
    const auto gradient = same_for_threads(checks, name + " backward", [&](Stream* stream) {
        TestMatrix dgate_up(DType::F32, rows, 2 * F, 4);
        checks.expect_ok(name,
                         checks.ops().swiglu_backward(dgate_up.mat(), dh.view(), gate_up.view(), stream));
        checks.expect(name + " backward writes inside only", dgate_up.guards_intact());
        return dgate_up.values();
    });
    checks.expect_close(name + " backward", gradient, back, map_bar(DType::F32));
    checks.expect_trips(name + " backward", gradient, back, map_bar(DType::F32));
}

// Values at which sigmoids saturate or overflow when they are written carelessly.
constexpr double kExtremes[] = {0,   -0.0, 1e-30, -1e-30, 20,    -20,    88,
                                -88, 100,  -100,  1000,   -1000, 0.6249, 0.6251};

void check_swiglu(Checks& checks) {
    for (const DType dtype : kDTypes)
        for (const int64_t F : kColumns) check_swiglu_shape(checks, dtype, F);
    const auto count = static_cast<int64_t>(std::size(kExtremes));
    TestMatrix gate_up(DType::F32, 1, 2 * count), h(DType::F32, 1, count), dgate_up(DType::F32, 1, 2 * count);
    TestMatrix dh(DType::F32, 1, count);
    gate_up.assign([&](int64_t, int64_t c) { return c < count ? kExtremes[c] : 1.5; });
    dh.assign([](int64_t, int64_t) { return 1; });
    checks.expect_ok("swiglu", checks.ops().swiglu_forward(h.mat(), gate_up.view(), checks.stream()));
    checks.expect_each("swiglu of extreme gates", h.values(),
                       reference::swiglu_forward(gate_up.values(), static_cast<size_t>(count)),
                       4 * kEpsilonF32);
    checks.expect_ok(
        "swiglu", checks.ops().swiglu_backward(dgate_up.mat(), dh.view(), gate_up.view(), checks.stream()));
    checks.expect_each("swiglu backward of extreme gates", dgate_up.values(),
                       reference::swiglu_backward(dh.values(), gate_up.values(), static_cast<size_t>(count)),
                       4 * kEpsilonF32);
    checks.expect("swiglu refuses a gate_up of other width",
                  checks.ops().swiglu_forward(h.mat(), h.view(), checks.stream()) == Status::Shape);
}

Doubles mapped(const Doubles& x, double (*f)(double)) {
    Doubles out;
    for (const double value : x) out.push_back(f(value));
    return out;
}

void check_gelu_shape(Checks& checks, DType dtype, int64_t cols) {
    const int64_t rows = 13;
    const std::string name = label("gelu", dtype, cols);
    Random random(9);
    TestMatrix x(dtype, rows, cols, 1), dy(DType::F32, rows, cols, 2);
    x.randomise(random, 2);
    dy.randomise(random);
    const Doubles want = mapped(x.values(), reference::gelu_tanh);
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix y(dtype, rows, cols, 3);
        checks.expect_ok(name, checks.ops().gelu_forward(y.mat(), x.view(), stream));
        checks.expect(name + " writes inside y only", y.guards_intact());
        return y.values();
    });
    checks.expect_close(name, got, want, map_bar(dtype));
    checks.expect_trips(name, got, want, map_bar(dtype));
    Doubles back = mapped(x.values(), reference::gelu_tanh_derivative);
    const Doubles upstream = dy.values();
    for (size_t i = 0; i < back.size(); ++i) back[i] *= upstream[i];
    const auto gradient = same_for_threads(checks, name + " backward", [&](Stream* stream) {
        TestMatrix dx(DType::F32, rows, cols, 3);
        checks.expect_ok(name, checks.ops().gelu_backward(dx.mat(), dy.view(), x.view(), stream));
        checks.expect(name + " backward writes inside only", dx.guards_intact());
        return dx.values();
    });
    checks.expect_close(name + " backward", gradient, back, map_bar(DType::F32));
    checks.expect_trips(name + " backward", gradient, back, map_bar(DType::F32));
}

void check_gelu(Checks& checks) {
    for (const DType dtype : kDTypes)
        for (const int64_t cols : kColumns) check_gelu_shape(checks, dtype, cols);
    // A sweep over the whole range, value by value
    const int64_t count = 40001;
    TestMatrix x(DType::F32, 1, count), y(DType::F32, 1, count), one(DType::F32, 1, count),
        dx(DType::F32, 1, count);
    x.assign([](int64_t, int64_t c) { return static_cast<double>(c - 20000) * 1e-3; });
    for (size_t i = 0; i < std::size(kExtremes); ++i) x.set(0, static_cast<int64_t>(i), kExtremes[i]);
    one.assign([](int64_t, int64_t) { return 1; });
    checks.expect_ok("gelu", checks.ops().gelu_forward(y.mat(), x.view(), checks.stream()));
    checks.expect_each("gelu over [-20, 20]", y.values(), mapped(x.values(), reference::gelu_tanh),
                       4 * kEpsilonF32);
    checks.expect_ok("gelu", checks.ops().gelu_backward(dx.mat(), one.view(), x.view(), checks.stream()));
    checks.expect_each("gelu backward over [-20, 20]", dx.values(),
                       mapped(x.values(), reference::gelu_tanh_derivative), 6 * kEpsilonF32);
}

// ---- copy and add: exact

double stored(double value, DType dtype) {
    double result;
    float word = 0;
    write_element(&word, dtype, 0, value);
    result = read_element(&word, dtype, 0);
    return result;
}

void check_copy_shape(Checks& checks, DType to, DType from, int64_t cols) {
    const std::string name = label("copy to", to, cols) + " from " + dtype_name(from);
    Random random(11);
    const int64_t rows = 19;
    TestMatrix x(from, rows, cols, 2), start(to, rows, cols);
    x.randomise(random);
    start.randomise(random);
    const Doubles values = x.values();
    Doubles copied, added;
    for (size_t i = 0; i < values.size(); ++i) {
        copied.push_back(stored(values[i], to));
        const float sum = static_cast<float>(start.values()[i]) + static_cast<float>(values[i]);
        added.push_back(stored(static_cast<double>(sum), to));
    }
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix y(to, rows, cols, 3);
        checks.expect_ok(name, checks.ops().copy(y.mat(), x.view(), stream));
        checks.expect(name + " writes inside y only", y.guards_intact());
        return y.values();
    });
    checks.expect_same(name, got, copied);
    const auto sum = same_for_threads(checks, name + " (add)", [&](Stream* stream) {
        TestMatrix y(to, rows, cols, 3);
        y.assign([&](int64_t r, int64_t c) { return start.at(r, c); });
        checks.expect_ok(name, checks.ops().add(y.mat(), x.view(), stream));
        checks.expect(name + " (add) writes inside y only", y.guards_intact());
        return y.values();
    });
    checks.expect_same(name + " (add)", sum, added);
}

void check_copy(Checks& checks) {
    for (const DType to : kDTypes)
        for (const DType from : kDTypes)
            for (const int64_t cols : {1, 15, 16, 17, 33, 576}) check_copy_shape(checks, to, from, cols);
    // Ties go to even, the largest finite float overflows to infinity, subnormals, NaN and infinities
    // survive.
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> special = {1.00390625f,   1.01171875f, -1.00390625f,
                                        3.4028235e38f, 1e-40f,      -0.0f,
                                        infinity,      -infinity,   std::bit_cast<float>(0x7f800001u)};
    std::vector<bf16_t> got(special.size());
    const auto n = static_cast<int64_t>(special.size());
    checks.expect_ok("copy", checks.ops().copy({got.data(), DType::BF16, 1, n, n},
                                               {special.data(), DType::F32, 1, n, n}, checks.stream()));
    const std::vector<bf16_t> want = {0x3f80, 0x3f82, 0xbf80, 0x7f80, 0x0001, 0x8000, 0x7f80, 0xff80};
    checks.expect_same("copy rounds special values to bf16", got.data(), want.data(),
                       static_cast<int64_t>(want.size() * 2));
    checks.expect("copy keeps NaN", std::isnan(bf16_to_float(got.back())));
    TestMatrix a(DType::F32, 2, 3), b(DType::F32, 3, 3);
    checks.expect("copy refuses other rows",
                  checks.ops().copy(a.mat(), b.view(), checks.stream()) == Status::Shape);
}

// ---- the reference itself

void check_elementwise_reference(Checks& checks) {
    Random random(13);
    const auto draw = [&](int64_t n) { return to_doubles(random_floats(random, n)); };
    const auto weighted = [](const Doubles& y, const Doubles& c) {
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += y[i] * c[i];
        return sum;
    };
    const Doubles gate_up = draw(30), c = draw(15);
    checks.expect_gradient(
        "reference swiglu", [&](const Doubles& at) { return weighted(reference::swiglu_forward(at, 5), c); },
        gate_up, reference::swiglu_backward(c, gate_up, 5));
    const Doubles x = draw(15);
    Doubles dx = mapped(x, reference::gelu_tanh_derivative);
    for (size_t i = 0; i < dx.size(); ++i) dx[i] *= c[i];
    checks.expect_gradient(
        "reference gelu", [&](const Doubles& at) { return weighted(mapped(at, reference::gelu_tanh), c); }, x,
        dx);
    // The backward of a rotation is the rotation by the opposite angle.
    const std::vector<int32_t> positions = {1, 0, 1};
    const Doubles cosine = {std::cos(0.3), std::cos(1.9), std::cos(2.5), std::cos(0.7)};
    const Doubles sine = {std::sin(0.3), std::sin(1.9), std::sin(2.5), std::sin(0.7)};
    Doubles turned = c;
    reference::rope(turned, 5, positions, cosine, sine, 1, 4, -1);
    checks.expect_gradient(
        "reference rope",
        [&](const Doubles& at) {
            Doubles y = at;
            reference::rope(y, 5, positions, cosine, sine, 1, 4, 1);
            return weighted(y, c);
        },
        x, turned);
}

const Register rope("rope", Runs::PerIsa, check_rope);
const Register swiglu("swiglu", Runs::PerIsa, check_swiglu);
const Register gelu("gelu", Runs::PerIsa, check_gelu);
const Register copy("copy", Runs::PerIsa, check_copy);
const Register elementwise_reference("elementwise_reference", Runs::Once, check_elementwise_reference);

}  // namespace

}  // namespace attune::tool
