// Linear maps with a low-rank term against the double-precision reference, and the reference against finite
// differences. Must not include an op body: ops come from the table.
#include <string>
#include <vector>

#include "cpu/reference_lowrank.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using reference::LinearShape;
using reference::LowRankTerm;
using Doubles = std::vector<double>;

// A shape, a rank, and the rows that have factors.
struct TermShape {
    LinearShape s;
    int64_t rank;
    std::vector<LowRankPart> parts;
};

// One part that is all (one output); parts that meet at a panel's border, within a panel, with a gap
// between and around them; ranks of one, odd, above a tile's rows, above a panel; several slabs of n and of
// rows; many micropanels.
const std::vector<TermShape> kShapes = {
    {{5, 1, 9}, 3, {{0, 1}}},
    {{7, 64, 40}, 4, {{0, 64}}},
    {{13, 96, 41}, 3, {{0, 32}, {32, 32}, {64, 32}}},
    {{25, 112, 70}, 16, {{0, 48}, {48, 24}, {72, 40}}},
    {{12, 100, 33}, 5, {{10, 20}, {55, 45}}},
    {{37, 70, 257}, 40, {{0, 35}, {35, 35}}},
    {{300, 130, 64}, 16, {{0, 130}}},
    {{150, 2200, 48}, 8, {{0, 1100}, {1100, 1100}}},
    {{210, 33, 5001}, 2, {{0, 33}}},
    {{860, 7, 5001}, 2, {{0, 7}}},
};

struct Types {
    DType y, x, w;
};
const std::vector<Types> kTypes = {{DType::F32, DType::F32, DType::F32},
                                   {DType::BF16, DType::BF16, DType::BF16},
                                   {DType::F32, DType::F32, DType::BF16}};

// Sums in fp32: 0.5 eps sqrt(n). A rounding to bf16 (of the output, or of dy and B where the processor
// multiplies bf16 pairs): 0.5 eps.
double bar_for(DType dtype, int64_t n) {
    return dtype == DType::F32 ? bar_of(DType::F32, 0.5, n) : bar_of(DType::BF16, 0.5, 1);
}

struct Case {
    Case(const TermShape& shape, const Types& types)
        : t(shape),
          types_(types),
          random(47),
          x(types.x, t.s.M, t.s.K, 3),
          residual(types.y, t.s.M, t.s.N, 1),
          dy(DType::F32, t.s.M, t.s.N, 2),
          w(types.w, Layout::Panels, t.s.N, t.s.K),
          a(DType::F32, Layout::Panels, R(), t.s.K),
          b(DType::F32, Layout::Panels, t.s.N, t.rank) {
        for (TestMatrix* m : {&x, &residual, &dy}) m->randomise(random);
        w.randomise(random, 0.3);
        a.randomise(random, 0.3);
        b.randomise(random, 0.3);
        bias = random_floats(random, t.s.N);
        term = {a.weight(), b.weight(), t.parts.data(), static_cast<int64_t>(t.parts.size()), t.rank, 1.7f};
        want_term = {a.values(), b.values(), t.parts, t.rank, static_cast<double>(term.scale)};
    }
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;

    int64_t R() const { return static_cast<int64_t>(t.parts.size()) * t.rank; }
    size_t h_size() const { return static_cast<size_t>(t.s.M * R()); }

    // y of rows [first, first + count), then h of them
    Doubles forward(Checks& checks, const std::string& name, Stream* stream, int64_t first,
                    int64_t count) const {
        TestMatrix y(types_.y, count, t.s.N, 1), h(DType::F32, count, R(), 2);
        Epilogue epilogue;
        epilogue.bias = bias.data();
        epilogue.residual = residual.view(first, count);
        checks.expect_ok(name, checks.ops().lowrank_forward(y.mat(), h.mat(), x.view(first, count),
                                                            w.weight(), &term, &epilogue, stream));
        checks.expect(name + " writes inside y and h only", y.guards_intact() && h.guards_intact());
        Doubles all = y.values();
        append(all, h.values());
        return all;
    }

    void want_forward(Doubles& y, Doubles& h) const {
        Doubles before;
        reference::LinearEpilogue epilogue;
        epilogue.bias = to_doubles(bias);
        epilogue.residual = residual.values();
        reference::linear_forward(y, before, x.values(), w.values(), epilogue, t.s);
        reference::lowrank_forward(y, h, x.values(), want_term, t.s);
    }

    TermShape t;
    Types types_;
    Random random;
    TestMatrix x, residual, dy;
    TestWeight w, a, b;
    std::vector<float> bias;
    LowRank term;
    LowRankTerm want_term;
};

std::string label(const char* op, const Case& one) {
    return std::string(op) + " " + std::to_string(one.t.s.M) + "x" + std::to_string(one.t.s.N) + "x" +
           std::to_string(one.t.s.K) + " rank " + std::to_string(one.t.rank) + " parts " +
           std::to_string(one.t.parts.size()) + " " + dtype_name(one.types_.x) + "," +
           dtype_name(one.types_.w);
}

void check_close(Checks& checks, const std::string& name, const Doubles& got, const Doubles& want,
                 double bar) {
    checks.expect_close(name, got, want, bar);
    checks.expect_trips(name, got, want, bar);
}

void check_forward(Checks& checks, const Case& one) {
    const std::string name = label("lowrank_forward", one);
    const auto& s = one.t.s;
    const auto got = same_for_threads(
        checks, name, [&](Stream* stream) { return one.forward(checks, name, stream, 0, s.M); });
    Doubles y, h;
    one.want_forward(y, h);
    check_close(checks, name + " y", slice(got, 0, y.size()), y, bar_for(one.types_.y, s.K + one.t.rank));
    check_close(checks, name + " h", slice(got, y.size(), h.size()), h, bar_for(DType::F32, s.K));
    for (const int64_t count : {int64_t{1}, s.M / 2}) {
        if (count < 1) continue;
        const auto part = one.forward(checks, name, checks.stream(2), s.M - count, count);
        const auto size = static_cast<size_t>(count * s.N);
        checks.expect_same(name + " last " + std::to_string(count) + " rows", slice(part, 0, size),
                           slice(got, static_cast<size_t>((s.M - count) * s.N), size));
    }
}

void check_backward_input(Checks& checks, const Case& one) {
    const std::string name = label("lowrank_backward_input", one);
    const auto& s = one.t.s;
    Doubles dx_want(static_cast<size_t>(s.M * s.K)), dh_want;
    reference::linear_backward_input(dx_want, one.dy.values(), one.w.values(), s);
    reference::lowrank_backward_input(dx_want, dh_want, one.dy.values(), one.want_term, s);
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix dx(DType::F32, s.M, s.K, 1), dh(DType::F32, s.M, one.R(), 3);
        checks.expect_ok(name, checks.ops().lowrank_backward_input(dx.mat(), dh.mat(), one.dy.view(),
                                                                   one.w.weight(), &one.term, stream));
        checks.expect(name + " writes inside dx and dh only", dx.guards_intact() && dh.guards_intact());
        Doubles all = dx.values();
        append(all, dh.values());
        return all;
    });
    const auto dh = slice(got, dx_want.size(), dh_want.size());
    check_close(checks, name + " dx", slice(got, 0, dx_want.size()), dx_want,
                bar_for(one.types_.w, s.N + one.R()));
    check_close(checks, name + " dh", dh, dh_want, bar_for(one.types_.w, s.N));
    TestMatrix alone(DType::F32, s.M, one.R());
    checks.expect_ok(name, checks.ops().lowrank_backward_input(Mat{}, alone.mat(), one.dy.view(),
                                                               one.w.weight(), &one.term, checks.stream(2)));
    checks.expect_same(name + " dh alone", alone.values(), dh);
}

void check_backward_weight(Checks& checks, const Case& one) {
    const std::string name = label("lowrank_backward_weight", one);
    const auto& s = one.t.s;
    TestMatrix h(DType::F32, s.M, one.R(), 1), dh(DType::F32, s.M, one.R());
    Random random(53);
    h.randomise(random);
    dh.randomise(random);
    TestWeight a_start(DType::F32, Layout::Panels, one.R(), s.K),
        b_start(DType::F32, Layout::Panels, s.N, one.t.rank);
    a_start.randomise(random);
    b_start.randomise(random);
    Doubles da_want = a_start.values(), db_want = b_start.values();
    reference::lowrank_backward_weight(da_want, db_want, one.dy.values(), dh.values(), one.x.values(),
                                       h.values(), one.want_term, s);
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestWeight da(DType::F32, Layout::Panels, one.R(), s.K),
            db(DType::F32, Layout::Panels, s.N, one.t.rank);
        for (int64_t r = 0; r < one.R(); ++r)
            for (int64_t k = 0; k < s.K; ++k) da.set(r, k, a_start.at(r, k));
        for (int64_t n = 0; n < s.N; ++n)
            for (int64_t j = 0; j < one.t.rank; ++j) db.set(n, j, b_start.at(n, j));
        checks.expect_ok(
            name, checks.ops().lowrank_backward_weight(da.gradient(), db.gradient(), one.dy.view(), dh.view(),
                                                       one.x.view(), h.view(), &one.term, stream));
        checks.expect(name + " leaves the padding zero", da.padding_is_zero() && db.padding_is_zero());
        Doubles all = da.values();
        append(all, db.values());
        return all;
    });
    check_close(checks, name + " da", slice(got, 0, da_want.size()), da_want, bar_for(one.types_.x, s.M));
    check_close(checks, name + " db", slice(got, da_want.size(), db_want.size()), db_want,
                bar_for(one.types_.x, s.M));
}

template <void (*check)(Checks&, const Case&)>
void check_all(Checks& checks) {
    for (const TermShape& shape : kShapes)
        for (const Types& types : kTypes) check(checks, Case(shape, types));
}

void check_shapes(Checks& checks) {
    const Case one(kShapes[2], kTypes[0]);
    const auto& s = one.t.s;
    TestMatrix y(DType::F32, s.M, s.N), h(DType::F32, s.M, one.R()), dx(DType::F32, s.M, s.K);
    const auto forward = [&](const LowRank& term) {
        return checks.ops().lowrank_forward(y.mat(), h.mat(), one.x.view(), one.w.weight(), &term, nullptr,
                                            checks.stream(1));
    };
    const auto refuses = [&](const char* what, Status status) {
        checks.expect(std::string("lowrank refuses ") + what, status == Status::Shape);
    };
    LowRank term = one.term;
    term.rank = 2;
    refuses("another rank than the factors'", forward(term));
    const std::vector<LowRankPart> beyond{{0, 32}, {32, 32}, {64, 33}}, crossing{{0, 33}, {32, 32}, {64, 32}};
    term = one.term;
    term.parts = beyond.data();
    refuses("parts beyond the map", forward(term));
    term.parts = crossing.data();
    refuses("parts that overlap", forward(term));
    term = one.term;
    term.a = one.w.weight();
    refuses("a factor of another shape", forward(term));
    refuses("a narrow dh", checks.ops().lowrank_backward_input(dx.mat(), dx.mat(), one.dy.view(),
                                                               one.w.weight(), &one.term, checks.stream(1)));
}

// f = sum of c y: dx, da and db against central differences.
void check_reference(Checks& checks) {
    const Case one(TermShape{{4, 9, 5}, 2, {{0, 4}, {5, 3}}}, kTypes[0]);
    const auto& s = one.t.s;
    const Doubles c = one.dy.values();
    const auto value = [&](const Doubles& x, const LowRankTerm& term) {
        Doubles y(static_cast<size_t>(s.M * s.N)), h;
        reference::lowrank_forward(y, h, x, term, s);
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += c[i] * y[i];
        return sum;
    };
    const Doubles x = one.x.values();
    const LowRankTerm& term = one.want_term;
    Doubles y(static_cast<size_t>(s.M * s.N)), h, dx(x.size()), dh, da(term.a.size()), db(term.b.size());
    reference::lowrank_forward(y, h, x, term, s);
    reference::lowrank_backward_input(dx, dh, c, term, s);
    reference::lowrank_backward_weight(da, db, c, dh, x, h, term, s);
    const auto with = [&](Doubles LowRankTerm::*factor, const Doubles& at) {
        LowRankTerm changed = term;
        changed.*factor = at;
        return value(x, changed);
    };
    checks.expect_gradient(
        "reference lowrank dx", [&](const Doubles& at) { return value(at, term); }, x, dx);
    checks.expect_gradient(
        "reference lowrank da", [&](const Doubles& at) { return with(&LowRankTerm::a, at); }, term.a, da);
    checks.expect_gradient(
        "reference lowrank db", [&](const Doubles& at) { return with(&LowRankTerm::b, at); }, term.b, db);
}

const Register forward("lowrank_forward", Runs::PerIsa, check_all<check_forward>);
const Register backward_input("lowrank_backward_input", Runs::PerIsa, check_all<check_backward_input>);
const Register backward_weight("lowrank_backward_weight", Runs::PerIsa, check_all<check_backward_weight>);
const Register shapes("lowrank_shapes", Runs::PerIsa, check_shapes);
const Register gradients("lowrank_reference", Runs::Once, check_reference);

}  // namespace

}  // namespace attune::tool
