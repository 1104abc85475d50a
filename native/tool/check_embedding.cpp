// Rows by index: gather, scatter-add, embedding lookup and gradient, in both layouts and dtypes. These move
// or add numbers in a stated order, so most comparisons are exact. Must not include an op body: ops come from
// the table.
#include <string>
#include <vector>

#include "cpu/reference_rows.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using reference::Doubles;

constexpr DType kDTypes[] = {DType::F32, DType::BF16};
constexpr Layout kLayouts[] = {Layout::Panels, Layout::Rows};

// Repeats on purpose: with few rows to choose from every one of them comes several times.
std::vector<int32_t> draw_rows(Random& random, int64_t count, int64_t limit) {
    std::vector<int32_t> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(static_cast<int32_t>(random.below(limit)));
    rows.front() = static_cast<int32_t>(limit - 1);
    return rows;
}

double stored(double value, DType dtype) {
    float word = 0;
    write_element(&word, dtype, 0, value);
    return read_element(&word, dtype, 0);
}

// What adding row by row in storage precision gives: the contract is this order, so the bits must agree.
void add_in_order(Doubles& sums, DType dtype, const Doubles& y, const std::vector<int32_t>& rows, size_t C) {
    for (size_t n = 0; n < rows.size(); ++n)
        for (size_t c = 0; c < C; ++c) {
            double& sum = sums[static_cast<size_t>(rows[n]) * C + c];
            const float added = static_cast<float>(sum) + static_cast<float>(y[n * C + c]);
            sum = stored(static_cast<double>(added), dtype);
        }
}

void check_gather_shape(Checks& checks, DType to, DType from, int64_t C) {
    const std::string name =
        std::string("gather_rows ") + dtype_name(to) + " from " + dtype_name(from) + " " + std::to_string(C);
    Random random(21);
    TestMatrix x(from, 11, C, 3), start(to, 11, C);
    x.randomise(random);
    start.randomise(random);
    const auto rows = draw_rows(random, 29, 11);
    Doubles want;
    for (const int32_t row : rows)
        for (int64_t c = 0; c < C; ++c) want.push_back(stored(x.at(row, c), to));
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestMatrix y(to, 29, C, 1);
        checks.expect_ok(name, checks.ops().gather_rows(y.mat(), x.view(), rows.data(), stream));
        checks.expect(name + " writes inside y only", y.guards_intact());
        return y.values();
    });
    checks.expect_same(name, got, want);

    const std::string scatter = "scatter_add_rows (after " + name + ")";
    TestMatrix y(from, 29, C, 2);
    y.randomise(random);
    Doubles sums = start.values();
    add_in_order(sums, to, y.values(), rows, static_cast<size_t>(C));
    const auto added = same_for_threads(checks, scatter, [&](Stream* stream) {
        TestMatrix target(to, 11, C, 4);
        target.assign([&](int64_t r, int64_t c) { return start.at(r, c); });
        checks.expect_ok(scatter, checks.ops().scatter_add_rows(target.mat(), y.view(), rows.data(), stream));
        checks.expect(scatter + " writes inside x only", target.guards_intact());
        return target.values();
    });
    checks.expect_same(scatter, added, sums);
}

void check_gather(Checks& checks) {
    for (const DType to : kDTypes)
        for (const DType from : kDTypes)
            for (const int64_t C : {1, 15, 16, 33, 64, 65, 200}) check_gather_shape(checks, to, from, C);
    TestMatrix x(DType::F32, 3, 4), y(DType::F32, 2, 4);
    const int32_t beyond[] = {0, 3}, negative[] = {-1, 0};
    checks.expect("gather_rows refuses a row beyond the matrix",
                  checks.ops().gather_rows(y.mat(), x.view(), beyond, checks.stream()) == Status::Shape);
    checks.expect(
        "scatter_add_rows refuses a negative row",
        checks.ops().scatter_add_rows(x.mat(), y.view(), negative, checks.stream()) == Status::Shape);
}

struct TableShape {
    int64_t N, C;
};
const std::vector<TableShape> kTables = {{1, 1}, {31, 7}, {32, 64}, {33, 65}, {97, 129}, {70, 576}};

void check_lookup(Checks& checks, DType dtype, DType table_dtype, Layout layout, TableShape s,
                  bool positioned) {
    const std::string name = std::string("embedding_forward ") + dtype_name(dtype) + " from " +
                             dtype_name(table_dtype) + (layout == Layout::Rows ? " rows " : " panels ") +
                             std::to_string(s.N) + "x" + std::to_string(s.C) +
                             (positioned ? " with positions" : "");
    Random random(23);
    TestWeight table(table_dtype, layout, s.N, s.C), shift(table_dtype, layout, 40, s.C);
    table.randomise(random);
    shift.randomise(random);
    const auto tokens = draw_rows(random, 45, s.N), positions = draw_rows(random, 45, 40);
    Doubles want = reference::embedding_forward(
        tokens, table.values(), positions, positioned ? shift.values() : Doubles{}, static_cast<size_t>(s.C));
    // The sum of two stored values, rounded to float and then to the output: nothing else is allowed to
    // happen.
    for (double& value : want) value = stored(static_cast<double>(static_cast<float>(value)), dtype);
    const auto run = [&](Stream* stream, size_t first, int64_t count) {
        TestMatrix x(dtype, count, s.C, 3);
        checks.expect_ok(name,
                         checks.ops().embedding_forward(x.mat(), tokens.data() + first, table.weight(),
                                                        positioned ? positions.data() + first : nullptr,
                                                        positioned ? shift.weight() : Weight{}, stream));
        checks.expect(name + " writes inside x only", x.guards_intact());
        return x.values();
    };
    const auto got = same_for_threads(checks, name, [&](Stream* stream) { return run(stream, 0, 45); });
    checks.expect_same(name, got, want);
    checks.expect_same(name + " row alone", run(checks.stream(), 44, 1),
                       slice(want, static_cast<size_t>(44 * s.C), static_cast<size_t>(s.C)));
}

void check_lookup_gradient(Checks& checks, Layout layout, TableShape s) {
    const std::string name = std::string("embedding_backward") +
                             (layout == Layout::Rows ? " rows " : " panels ") + std::to_string(s.N) + "x" +
                             std::to_string(s.C);
    Random random(29);
    TestMatrix dx(DType::F32, 300, s.C, 3);
    dx.randomise(random);
    const auto tokens = draw_rows(random, 300, s.N);
    TestWeight start(DType::F32, layout, s.N, s.C);
    start.randomise(random);
    Doubles exact = start.values(), want = start.values();
    add_in_order(exact, DType::F32, dx.values(), tokens, static_cast<size_t>(s.C));
    reference::add_rows(want, dx.values(), tokens, static_cast<size_t>(s.C));
    const auto got = same_for_threads(checks, name, [&](Stream* stream) {
        TestWeight dtable(DType::F32, layout, s.N, s.C);
        std::memcpy(dtable.data(), start.data(), static_cast<size_t>(start.bytes()));
        checks.expect_ok(
            name, checks.ops().embedding_backward(dtable.gradient(), dx.view(), tokens.data(), stream));
        checks.expect(name + " leaves the padding zero", dtable.padding_is_zero());
        return dtable.values();
    });
    const double bar = bar_of(DType::F32, 1, 300 / s.N + 1);
    checks.expect_close(name, got, want, bar);
    checks.expect_trips(name, got, want, bar);
    checks.expect_same(name + " adds in row order", got, exact);
}

void check_embedding(Checks& checks) {
    for (const Layout layout : kLayouts)
        for (const TableShape& shape : kTables) {
            check_lookup_gradient(checks, layout, shape);
            for (const DType dtype : kDTypes)
                for (const DType table : kDTypes)
                    for (const bool positioned : {false, true})
                        check_lookup(checks, dtype, table, layout, shape, positioned);
        }
    TestWeight table(DType::F32, Layout::Panels, 5, 4);
    TestMatrix x(DType::F32, 1, 4), narrow(DType::F32, 1, 3);
    const int32_t beyond = 5, token = 4;
    const Ops& ops = checks.ops();
    checks.expect("embedding_forward refuses a token beyond the table",
                  ops.embedding_forward(x.mat(), &beyond, table.weight(), nullptr, {}, checks.stream()) ==
                      Status::Shape);
    checks.expect("embedding_forward refuses another width",
                  ops.embedding_forward(narrow.mat(), &token, table.weight(), nullptr, {}, checks.stream()) ==
                      Status::Shape);
    checks.expect(
        "embedding_backward refuses a token beyond the table",
        ops.embedding_backward(table.gradient(), x.view(), &beyond, checks.stream()) == Status::Shape);
}

const Register gather("gather", Runs::PerIsa, check_gather);
const Register embedding("embedding", Runs::PerIsa, check_embedding);

}  // namespace

}  // namespace attune::tool
