// Import, export and conversion of parameters in both layouts and dtypes, against plain loops over the
// contract's index formulas. Exact: a value is either copied or rounded once. Must not include an op body:
// ops come from the table.
#include <cstring>
#include <string>
#include <vector>

#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

struct Shape {
    int64_t N, K;
};
const std::vector<Shape> kShapes = {{1, 1},   {3, 5},   {31, 7},   {32, 8},  {33, 9},
                                    {64, 15}, {97, 64}, {70, 131}, {5, 9000}};

std::string label(const char* op, const Shape& s, DType dtype, Layout layout) {
    return std::string(op) + " " + std::to_string(s.N) + "x" + std::to_string(s.K) + " " + dtype_name(dtype) +
           (layout == Layout::Panels ? " panels" : " rows");
}

void poison(TestWeight& w) {
    std::memset(w.data(), 0xff, static_cast<size_t>(w.bytes()));
}

// Row ranges that together cover [0, N): whole, and cut where no panel and no quad of rows ends.
std::vector<std::vector<int64_t>> cuts(int64_t N) {
    std::vector<std::vector<int64_t>> all = {{0, N}};
    if (N > 30) all.push_back({0, 7, 8, 30, N});
    return all;
}

void check_import(Checks& checks, const Shape& s, DType dtype, Layout layout) {
    Random random(43);
    const std::vector<float> source = random_floats(random, s.N * s.K);
    TestWeight want(dtype, layout, s.N, s.K);
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t k = 0; k < s.K; ++k)
            want.set(n, k, static_cast<double>(source[static_cast<size_t>(n * s.K + k)]));
    for (const auto& cut : cuts(s.N)) {
        const std::string name =
            label("weight_import", s, dtype, layout) + " in " + std::to_string(cut.size() - 1) + " parts";
        for (const int threads : {1, 2, 3}) {
            TestWeight got(dtype, layout, s.N, s.K);
            poison(got);
            for (size_t i = 0; i + 1 < cut.size(); ++i)
                checks.expect_ok(name, checks.ops().weight_import(
                                           got.data(), dtype, layout, s.N, s.K, cut[i], cut[i + 1] - cut[i],
                                           source.data() + cut[i] * s.K, checks.stream(threads)));
            checks.expect_same(name, got.data(), want.data(), got.bytes());
        }
    }
}

void check_export(Checks& checks, const Shape& s, DType dtype, Layout layout) {
    Random random(47);
    TestWeight w(dtype, layout, s.N, s.K);
    w.randomise(random);
    for (const auto& cut : cuts(s.N)) {
        const std::string name =
            label("weight_export", s, dtype, layout) + " in " + std::to_string(cut.size() - 1) + " parts";
        std::vector<float> got = poisoned(s.N * s.K + 1);
        const uint32_t guard = std::bit_cast<uint32_t>(got.back());
        for (size_t i = 0; i + 1 < cut.size(); ++i)
            checks.expect_ok(name, checks.ops().weight_export(got.data() + cut[i] * s.K, w.weight(), cut[i],
                                                              cut[i + 1] - cut[i], checks.stream(2)));
        checks.expect(name + " writes inside target only", std::bit_cast<uint32_t>(got.back()) == guard);
        got.pop_back();
        checks.expect_same(name, to_doubles(got), w.values());
    }
}

void check_convert(Checks& checks, const Shape& s, DType dtype, Layout layout) {
    const std::string name = label("weight_convert", s, dtype, layout);
    Random random(53);
    TestWeight source(DType::F32, layout, s.N, s.K);
    source.randomise(random);
    TestWeight want(dtype, layout, s.N, s.K);
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t k = 0; k < s.K; ++k) want.set(n, k, source.at(n, k));
    TestWeight got(dtype, layout, s.N, s.K);
    poison(got);
    checks.expect_ok(
        name, checks.ops().weight_convert(got.data(), dtype, static_cast<const float*>(source.data()), layout,
                                          s.N, s.K, checks.stream(2)));
    checks.expect_same(name, got.data(), want.data(), got.bytes());
}

void check_weights(Checks& checks) {
    for (const Shape& shape : kShapes)
        for (const DType dtype : {DType::F32, DType::BF16})
            for (const Layout layout : {Layout::Panels, Layout::Rows}) {
                check_import(checks, shape, dtype, layout);
                check_export(checks, shape, dtype, layout);
                check_convert(checks, shape, dtype, layout);
            }
    float value = 0;
    Stream* stream = checks.stream(2);
    checks.expect("weight_import refuses rows beyond N",
                  checks.ops().weight_import(&value, DType::F32, Layout::Rows, 2, 1, 1, 2, &value, stream) ==
                      Status::Shape);
    checks.expect("weight_export refuses a negative row",
                  checks.ops().weight_export(&value, {&value, DType::F32, Layout::Rows, 1, 1}, -1, 1,
                                             stream) == Status::Shape);
}

const Register weights("weights", Runs::PerIsa, check_weights);

}  // namespace

}  // namespace attune::tool
