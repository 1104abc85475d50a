// The head ops against their double-precision reference, the reference against finite differences, and
// extreme logits: equal, far apart, minus infinity, NaN. Must not look inside the ops.
#include <algorithm>
#include <string>
#include <vector>

#include "cpu/reference_head.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How the rows of a problem are filled.
enum class Kind { Ordinary, Equal, Spread, Offset };

struct Problem {
    TestMatrix logits, reference;
    std::vector<int32_t> targets;
    std::vector<float> w, e, c, u;

    Problem(int64_t rows, int64_t cols, Kind kind, uint64_t seed = 3)
        : logits(DType::F32, rows, cols, 3), reference(DType::F32, rows, cols, 1) {
        Random random(seed);
        const auto fill = [&](TestMatrix& matrix) {
            const double offset = kind == Kind::Offset ? 80 : 0;
            matrix.assign([&](int64_t, int64_t) {
                if (kind == Kind::Equal) return 1.25;
                if (kind == Kind::Spread)
                    return random.below(2) == 0 ? 80 - random.uniform() : random.uniform() - 80;
                return offset + 3 * random.normal();
            });
        };
        fill(logits);
        fill(reference);
        for (int64_t row = 0; row < rows; ++row) targets.push_back(static_cast<int32_t>(random.below(cols)));
        w = random_floats(random, rows);
        e = random_floats(random, rows, 0.1);
        c = random_floats(random, rows, 0.5);
        u = random_floats(random, rows, 0.5);
    }

    int64_t rows() const { return logits.rows(); }
    Doubles row(const TestMatrix& matrix, int64_t index) const {
        Doubles result;
        for (int64_t v = 0; v < matrix.cols(); ++v) result.push_back(matrix.at(index, v));
        return result;
    }
    HeadWeights weights() const { return {w.data(), e.data(), c.data(), u.data()}; }
};

struct Stats {
    std::vector<float> logprob, logsumexp, entropy, mean_logit;
    std::vector<int32_t> argmax;

    explicit Stats(int64_t rows)
        : logprob(poisoned(rows)),
          logsumexp(poisoned(rows)),
          entropy(poisoned(rows)),
          mean_logit(poisoned(rows)),
          argmax(static_cast<size_t>(rows), -7) {}
    HeadStats pointers() {
        return {logprob.data(), logsumexp.data(), entropy.data(), mean_logit.data(), argmax.data()};
    }
    Doubles all() const {
        Doubles result;
        for (const auto* list : {&logprob, &logsumexp, &entropy, &mean_logit})
            for (const float value : *list) result.push_back(static_cast<double>(value));
        result.insert(result.end(), argmax.begin(), argmax.end());
        return result;
    }
};

// Values err by a few roundings of their own size: sums over the vocabulary are done in blocks and then in
// double.
constexpr double kStatsBar = 6 * kEpsilonF32;
// A divergence is a difference of log-probs, each as exact as above.
constexpr double kDivergenceBar = 16 * kEpsilonF32;
// A gradient is p times sums of a few such values, of size 20 here.
constexpr double kGradientBar = 24 * kEpsilonF32;

void compare_stats(Checks& checks, const std::string& name, Problem& problem, float temperature) {
    const auto T = static_cast<double>(temperature);
    Stats got(problem.rows());
    checks.expect_ok(name, checks.ops().head_stats(got.pointers(), problem.logits.view(),
                                                   problem.targets.data(), temperature, checks.stream()));
    Doubles logprob, logsumexp, entropy, mean_logit;
    bool argmax = true;
    for (int64_t i = 0; i < problem.rows(); ++i) {
        const auto row = static_cast<size_t>(i);
        const reference::HeadRow want = reference::head_stats(problem.row(problem.logits, i), T);
        logprob.push_back(want.logp[static_cast<size_t>(problem.targets[row])]);
        logsumexp.push_back(want.logsumexp);
        entropy.push_back(want.entropy);
        mean_logit.push_back(want.mean_logit);
        argmax = argmax && got.argmax[row] == want.argmax;
    }
    checks.expect_each(name + " logprob", to_doubles(got.logprob), logprob, kStatsBar);
    checks.expect_trips(name + " logprob", to_doubles(got.logprob), logprob, kStatsBar);
    checks.expect_each(name + " logsumexp", to_doubles(got.logsumexp), logsumexp, kStatsBar);
    checks.expect_each(name + " entropy", to_doubles(got.entropy), entropy, kStatsBar);
    // a sum errs by roundings of its terms
    const Doubles values = problem.logits.values();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double largest = std::max({1.0, -*low, *high});
    checks.expect_each(name + " mean logit", to_doubles(got.mean_logit), mean_logit, kEpsilonF32 * largest);
    checks.expect(name + " argmax", argmax);
}

void compare_divergences(Checks& checks, const std::string& name, Problem& problem, float temperature) {
    const auto T = static_cast<double>(temperature);
    std::vector<float> kl = poisoned(problem.rows()), reverse = poisoned(problem.rows());
    checks.expect_ok(name, checks.ops().head_kl(kl.data(), reverse.data(), problem.logits.view(),
                                                problem.reference.view(), temperature, checks.stream()));
    Doubles want, want_reverse;
    for (int64_t i = 0; i < problem.rows(); ++i) {
        const Doubles p = problem.row(problem.logits, i), q = problem.row(problem.reference, i);
        want.push_back(reference::head_kl(p, q, T));
        want_reverse.push_back(reference::head_kl(q, p, T));
    }
    checks.expect_each(name + " kl", to_doubles(kl), want, kDivergenceBar);
    checks.expect_each(name + " reverse kl", to_doubles(reverse), want_reverse, kDivergenceBar);
}

// `parts`: which weights are given, as bits w e c u.
void compare_gradient(Checks& checks, const std::string& name, const Problem& base, float temperature,
                      unsigned parts) {
    Problem problem = base;
    HeadWeights weights = problem.weights();
    if (!(parts & 8u)) weights.logprob = nullptr;
    if (!(parts & 4u)) weights.entropy = nullptr;
    if (!(parts & 2u)) weights.kl = nullptr;
    if (!(parts & 1u)) weights.reverse_kl = nullptr;
    const ConstMat reference = parts & 3u ? problem.reference.view() : ConstMat();
    checks.expect_ok(name, checks.ops().head_gradient(problem.logits.mat(), reference, problem.targets.data(),
                                                      weights, temperature, checks.stream()));
    Doubles want;
    const auto at = [](const float* list, int64_t i) {
        return list == nullptr ? 0.0 : static_cast<double>(list[i]);
    };
    for (int64_t i = 0; i < problem.rows(); ++i) {
        const Doubles row = reference::head_gradient(
            base.row(base.logits, i), base.row(base.reference, i), base.targets[static_cast<size_t>(i)],
            {at(weights.logprob, i), at(weights.entropy, i), at(weights.kl, i), at(weights.reverse_kl, i)},
            static_cast<double>(temperature));
        want.insert(want.end(), row.begin(), row.end());
    }
    // Equal logits have an entropy gradient of zero: only its absolute size says something.
    const bool zero = std::all_of(want.begin(), want.end(), [](double g) { return std::abs(g) < 1e-12; });
    if (!zero) checks.expect_close(name, problem.logits.values(), want, kGradientBar);
    checks.expect_each(name + " each", problem.logits.values(), want, kGradientBar);
    checks.expect_trips(name, problem.logits.values(), want, kGradientBar);
    checks.expect(name + " guards", problem.logits.guards_intact());
}

void check_against_reference(Checks& checks) {
    const std::pair<Kind, const char*> kinds[] = {{Kind::Ordinary, "ordinary"},
                                                  {Kind::Equal, "equal"},
                                                  {Kind::Spread, "+-80"},
                                                  {Kind::Offset, "offset 80"}};
    for (const auto& [kind, kind_name] : kinds)
        for (const int64_t cols : {1, 2, 15, 16, 17, 37, 511, 512, 513, 1031, 49152}) {
            if (cols > 2000 && kind != Kind::Ordinary) continue;
            Problem problem(cols > 2000 ? 2 : 5, cols, kind);
            for (const float temperature : {1.0f, 0.7f}) {
                const std::string name = std::string("head ") + kind_name + " V=" + std::to_string(cols) +
                                         " T=" + (temperature < 1 ? "0.7" : "1");
                compare_stats(checks, name + " stats", problem, temperature);
                compare_divergences(checks, name, problem, temperature);
                for (const unsigned parts : {8u, 4u, 2u, 1u, 10u, 15u})
                    compare_gradient(checks, name + " gradient " + std::to_string(parts), problem,
                                     temperature, parts);
            }
        }
}

// log p(target) over the vocabulary of SmolLM2, as an absolute error.
void check_logprob_error(Checks& checks) {
    Problem problem(16, 49152, Kind::Ordinary, 99);
    Stats got(16);
    checks.expect_ok("head logprob", checks.ops().head_stats(got.pointers(), problem.logits.view(),
                                                             problem.targets.data(), 1.0f, checks.stream()));
    double worst = 0;
    for (int64_t i = 0; i < 16; ++i) {
        const reference::HeadRow want = reference::head_stats(problem.row(problem.logits, i), 1);
        const double logprob = want.logp[static_cast<size_t>(problem.targets[static_cast<size_t>(i)])];
        worst = std::max(worst, std::abs(static_cast<double>(got.logprob[static_cast<size_t>(i)]) - logprob));
    }
    checks.expect("head logprob error below 5e-6 at V=49152", worst < 5e-6,
                  std::to_string(worst * 1e6) + "e-6");
}

void check_special_logits(Checks& checks) {
    const auto logprobs = [&](const Doubles& logits, int32_t target) {
        TestMatrix row(DType::F32, 1, static_cast<int64_t>(logits.size()), 2);
        row.assign([&](int64_t, int64_t v) { return logits[static_cast<size_t>(v)]; });
        Stats got(1);
        checks.expect_ok("head special",
                         checks.ops().head_stats(got.pointers(), row.view(), &target, 1.0f, checks.stream()));
        return got;
    };
    Doubles logits(41, 0.5);
    logits[7] = logits[23] = 2;
    checks.expect("head argmax is the lowest of equal logits", logprobs(logits, 0).argmax[0] == 7);
    logits[3] = -kInfinity;
    const Stats masked = logprobs(logits, 7);
    const double others = std::log(38 * std::exp(-1.5) + 2);
    checks.expect_each("head logprob beside a logit of -infinity", to_doubles(masked.logprob),
                       Doubles{-others}, kStatsBar);
    checks.expect("head entropy beside a logit of -infinity is finite", std::isfinite(masked.entropy[0]));
    checks.expect("head logprob of a logit of -infinity", logprobs(logits, 3).logprob[0] == -INFINITY);
    for (const double bad : {kNaN, kInfinity}) {
        for (const size_t at : {size_t{0}, size_t{20}, size_t{40}}) {
            Doubles broken = logits;
            broken[at] = bad;
            const Stats stats = logprobs(broken, 7);
            checks.expect("head NaN or infinite logits give NaN",
                          std::isnan(stats.logprob[0]) && std::isnan(stats.entropy[0]));
        }
    }
}

// A broken logit must reach the gradient's check for finite numbers, whichever terms are asked for.
void check_broken_gradients(Checks& checks) {
    for (const bool only_logprob : {true, false}) {
        Problem problem(2, 37, Kind::Ordinary);
        problem.logits.set(0, 36, kNaN);
        HeadWeights weights = problem.weights();
        if (only_logprob) weights.entropy = weights.kl = weights.reverse_kl = nullptr;
        checks.expect_ok("head gradient of NaN",
                         checks.ops().head_gradient(problem.logits.mat(), problem.reference.view(),
                                                    problem.targets.data(), weights, 1.0f, checks.stream()));
        const Doubles broken = problem.row(problem.logits, 0), whole = problem.row(problem.logits, 1);
        checks.expect("head a NaN logit makes its row's gradient NaN",
                      std::all_of(broken.begin(), broken.end(), [](double g) { return std::isnan(g); }));
        checks.expect("head a NaN logit leaves the other rows finite",
                      std::all_of(whole.begin(), whole.end(), [](double g) { return std::isfinite(g); }));
    }
}

void check_exact_zeros(Checks& checks) {
    Problem problem(3, 37, Kind::Ordinary);
    std::vector<float> kl = poisoned(3), reverse = poisoned(3);
    checks.expect_ok("head kl", checks.ops().head_kl(kl.data(), reverse.data(), problem.logits.view(),
                                                     problem.logits.view(), 0.7f, checks.stream()));
    checks.expect_same("head KL(p||p) is zero", to_doubles(kl), Doubles{0, 0, 0});
    checks.expect_same("head reverse KL(p||p) is zero", to_doubles(reverse), Doubles{0, 0, 0});

    problem.w[1] = problem.e[1] = problem.c[1] = problem.u[1] = 0;
    problem.logits.set(1, 5, kNaN);
    checks.expect_ok(
        "head ignored row",
        checks.ops().head_gradient(problem.logits.mat(), problem.reference.view(), problem.targets.data(),
                                   problem.weights(), 1.0f, checks.stream()));
    checks.expect_same("head a row of weight zero has gradient zero, whatever its logits",
                       problem.row(problem.logits, 1), Doubles(37, 0));
    checks.expect("head other rows have gradients",
                  problem.logits.at(0, 0) != 0 && problem.logits.at(2, 0) != 0);
}

void check_rows_and_threads(Checks& checks) {
    const Problem base(7, 1031, Kind::Ordinary);
    const auto run = [&](int threads) {
        Problem problem = base;
        Stats stats(7);
        std::vector<float> kl = poisoned(7), reverse = poisoned(7);
        Stream* stream = checks.stream(threads);
        checks.expect_ok("head stats", checks.ops().head_stats(stats.pointers(), problem.logits.view(),
                                                               problem.targets.data(), 0.7f, stream));
        checks.expect_ok("head kl", checks.ops().head_kl(kl.data(), reverse.data(), problem.logits.view(),
                                                         problem.reference.view(), 0.7f, stream));
        checks.expect_ok("head gradient",
                         checks.ops().head_gradient(problem.logits.mat(), problem.reference.view(),
                                                    problem.targets.data(), problem.weights(), 0.7f, stream));
        Doubles all = stats.all();
        for (const auto& list : {to_doubles(kl), to_doubles(reverse), problem.logits.values()})
            all.insert(all.end(), list.begin(), list.end());
        return all;
    };
    const Doubles one = run(1);
    for (const int threads : {2, 3})
        checks.expect_same("head on 1 thread = on " + std::to_string(threads), run(threads), one);

    Stats together(7), alone(7);
    checks.expect_ok("head batch", checks.ops().head_stats(together.pointers(), base.logits.view(),
                                                           base.targets.data(), 0.7f, checks.stream()));
    for (size_t i = 0; i < 7; ++i) {
        const HeadStats all = alone.pointers();
        const HeadStats row{all.logprob + i, all.logsumexp + i, all.entropy + i, all.mean_logit + i,
                            all.argmax + i};
        checks.expect_ok("head row",
                         checks.ops().head_stats(row, base.logits.view(static_cast<int64_t>(i), 1),
                                                 base.targets.data() + i, 0.7f, checks.stream()));
    }
    checks.expect_same("head a row alone = in a batch", alone.all(), together.all());
}

void check_refusals(Checks& checks) {
    Problem problem(2, 9, Kind::Ordinary);
    const auto stats = [&](float temperature) {
        Stats got(2);
        return checks.ops().head_stats(got.pointers(), problem.logits.view(), problem.targets.data(),
                                       temperature, checks.stream());
    };
    const std::vector<int32_t> good = problem.targets;
    checks.expect("head takes what fits", stats(1) == Status::Ok);
    checks.expect("head refuses temperature 0", stats(0) == Status::Shape);
    problem.targets[1] = 9;
    checks.expect("head refuses a target outside the vocabulary", stats(1) == Status::Shape);
    problem.targets[1] = -1;
    checks.expect("head refuses a negative target", stats(1) == Status::Shape);
    const HeadWeights weights = problem.weights();
    checks.expect("head refuses divergence weights without a reference",
                  checks.ops().head_gradient(problem.logits.mat(), ConstMat(), good.data(), weights, 1.0f,
                                             checks.stream()) == Status::Shape);
    Problem other(2, 8, Kind::Ordinary);
    checks.expect("head refuses a reference of another vocabulary",
                  checks.ops().head_kl(nullptr, nullptr, problem.logits.view(), other.logits.view(), 1.0f,
                                       checks.stream()) == Status::Shape);
    Stats none(0);
    checks.expect("head takes no rows",
                  checks.ops().head_stats(none.pointers(), problem.logits.view(0, 0), nullptr, 1.0f,
                                          checks.stream()) == Status::Ok);
}

void check_head(Checks& checks) {
    check_against_reference(checks);
    check_logprob_error(checks);
    check_special_logits(checks);
    check_broken_gradients(checks);
    check_exact_zeros(checks);
    check_rows_and_threads(checks);
    check_refusals(checks);
}

void check_reference(Checks& checks) {
    Random random(5);
    const Doubles logits = to_doubles(random_floats(random, 37, 2));
    const Doubles other = to_doubles(random_floats(random, 37, 2));
    const reference::HeadRowWeights sets[] = {
        {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {0.7, -0.3, 0.2, 0.4}};
    for (const reference::HeadRowWeights& weights : sets)
        for (const double temperature : {1.0, 0.7})
            checks.expect_gradient(
                "reference head gradient",
                [&](const Doubles& x) {
                    return reference::head_objective(x, other, 4, weights, temperature);
                },
                logits, reference::head_gradient(logits, other, 4, weights, temperature));
}

const Register head("head", Runs::PerIsa, check_head);
const Register reference_head("reference head", Runs::Once, check_reference);

}  // namespace

}  // namespace attune::tool
