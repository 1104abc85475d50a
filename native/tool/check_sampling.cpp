// The sampling op against its double-precision reference: which tokens are kept, which one is drawn, and the
// log-probs; promises about bits and ties. Must not look inside the op.
#include <string>
#include <vector>

#include "cpu/reference_sampling.h"
#include "tool/check.h"
#include "tool/check_data.h"

namespace attune::tool {

namespace {

using Doubles = std::vector<double>;

// Log-probs err by a few roundings of their own size, as head_stats' do.
constexpr double kLogprobBar = 6 * kEpsilonF32;
// An edge of the cumulative distribution is a sum of fp32 powers.
constexpr double kEdge = 1e-5;

struct Drawn {
    std::vector<int32_t> token;
    std::vector<float> logprob, model_logprob;

    explicit Drawn(size_t rows) : token(rows, -7), logprob(rows, 7.0f), model_logprob(rows, 7.0f) {}
    Samples pointers() { return {token.data(), logprob.data(), model_logprob.data()}; }
    Doubles all() const {
        Doubles result(token.begin(), token.end());
        append(result, logprob);
        append(result, model_logprob);
        return result;
    }
};

// `rows` draws from the same logits, the uniforms evenly spread.
struct Draws {
    TestMatrix logits;
    std::vector<int32_t> seen;
    std::vector<SampleRow> rows;

    Draws(int64_t count, const Doubles& values, std::vector<int32_t> ids)
        : logits(DType::F32, count, static_cast<int64_t>(values.size()), 3), seen(std::move(ids)) {
        logits.assign([&](int64_t, int64_t v) { return values[static_cast<size_t>(v)]; });
        for (int64_t i = 0; i < count; ++i)
            rows.push_back({static_cast<float>(i) / static_cast<float>(count), seen.data(),
                            static_cast<int64_t>(seen.size())});
    }
    Drawn draw(Checks& checks, const SampleSettings& settings, int threads = 2) const {
        Drawn drawn(rows.size());
        TestMatrix copy = logits;  // the op may change them
        checks.expect_ok("sample", checks.ops().sample(drawn.pointers(), copy.mat(), rows.data(), settings,
                                                       checks.stream(threads)));
        checks.expect("sample guards", copy.guards_intact());
        return drawn;
    }
};

Doubles random_logits(int64_t n, double scale, uint64_t seed) {
    Random random(seed);
    Doubles values;
    for (int64_t v = 0; v < n; ++v)
        values.push_back(static_cast<double>(static_cast<float>(scale * random.normal())));
    return values;
}

// Every draw lies in its token's part of the reference's cumulative distribution.
void compare(Checks& checks, const std::string& name, const Draws& draws, const Doubles& logits,
             const SampleSettings& settings) {
    const Drawn drawn = draws.draw(checks, settings);
    const reference::Drawing want = reference::drawing(logits, draws.seen, settings);
    Doubles logprob, model;
    bool inside = true;
    for (size_t i = 0; i < draws.rows.size(); ++i) {
        const auto token = static_cast<size_t>(drawn.token[i]);
        if (drawn.token[i] < 0 || token >= logits.size())
            return checks.expect(name, false, "token out of range");
        double below = 0;
        for (size_t v = 0; v < token; ++v) below += want.probabilities[v];
        const double u = static_cast<double>(draws.rows[i].uniform);
        inside = inside && want.probabilities[token] > 0 && u >= below - kEdge &&
                 u <= below + want.probabilities[token] + kEdge;
        logprob.push_back(std::log(want.probabilities[token]));
        model.push_back(want.model[token]);
    }
    checks.expect(name + " tokens", inside);
    checks.expect_each(name + " logprob", to_doubles(drawn.logprob), logprob, kLogprobBar);
    checks.expect_trips(name + " logprob", to_doubles(drawn.logprob), logprob, kLogprobBar);
    checks.expect_each(name + " model logprob", to_doubles(drawn.model_logprob), model, kLogprobBar);
}

SampleSettings settings_of(int64_t vocabulary, float temperature) {
    SampleSettings settings;
    settings.temperature = temperature;
    settings.vocabulary = vocabulary;
    return settings;
}

void check_filters(Checks& checks) {
    for (const int64_t n : {1, 7, 16, 129, 513, 2051}) {
        const Doubles logits = random_logits(n, 2.5, static_cast<uint64_t>(n));
        const std::vector<int32_t> seen =
            n > 100 ? std::vector<int32_t>{0, 3, 57, static_cast<int32_t>(n - 1)} : std::vector<int32_t>{0};
        const Draws draws(64, logits, seen), unseen(64, logits, {});
        for (const float temperature : {1.0f, 0.6f}) {
            const std::string name =
                "sample V=" + std::to_string(n) + " T=" + (temperature < 1 ? "0.6" : "1");
            SampleSettings s = settings_of(n, temperature);
            compare(checks, name + " plain", unseen, logits, s);
            for (const int64_t k : {1, 5, 40}) {
                s = settings_of(n, temperature);
                s.top_k = k;
                compare(checks, name + " top-k " + std::to_string(k), unseen, logits, s);
            }
            for (const float p : {0.05f, 0.5f, 0.93f}) {
                s = settings_of(n, temperature);
                s.top_p = p;
                compare(checks, name + " top-p " + std::to_string(p), unseen, logits, s);
            }
            s = settings_of(n, temperature);
            s.min_p = 0.07f;
            compare(checks, name + " min-p", unseen, logits, s);
            s = settings_of(n, temperature);
            s.penalty = 1.3f;
            compare(checks, name + " penalty", draws, logits, s);
            s.top_k = 30;
            s.top_p = 0.9f;
            s.min_p = 0.02f;
            s.vocabulary = (n + 1) / 2;
            compare(checks, name + " all", draws, logits, s);
        }
    }
}

// Rows of more ids than a kernel keeps at hand: nearly flat ones, of which filters keep thousands, and long
// ones.
void check_large(Checks& checks) {
    const Doubles flat = random_logits(9001, 0.1, 21), wide = random_logits(270001, 2, 22);
    const Draws few(5, flat, {4, 8000}), two(2, wide, {});
    SampleSettings s = settings_of(9001, 1);
    s.top_p = 0.9f;
    compare(checks, "sample flat, top-p", few, flat, s);
    s.top_k = 6000;
    s.min_p = 0.7f;
    compare(checks, "sample flat, all filters", few, flat, s);
    s = settings_of(9001, 0.8f);
    s.top_k = 300;
    s.penalty = 1.5f;
    compare(checks, "sample flat, top-k", few, flat, s);
    s = settings_of(270001, 1.3f);
    compare(checks, "sample of many", two, wide, s);
    s.top_k = 50;
    s.top_p = 0.9f;
    compare(checks, "sample of many, filtered", two, wide, s);
}

// Unfiltered: head_stats' bits, at the temperature.
void check_bits(Checks& checks) {
    for (const int64_t n : {1, 17, 512, 1031, 49152}) {
        const Draws draws(n > 2000 ? 5 : 33, random_logits(n, 3, 11), {});
        for (const float temperature : {1.0f, 0.7f, 0.0f}) {
            const Drawn drawn = draws.draw(checks, settings_of(n, temperature));
            std::vector<float> want(draws.rows.size());
            std::vector<int32_t> argmax(draws.rows.size());
            HeadStats stats;
            stats.logprob = want.data();
            stats.argmax = argmax.data();
            checks.expect_ok("head_stats",
                             checks.ops().head_stats(stats, draws.logits.view(), drawn.token.data(),
                                                     temperature == 0 ? 1 : temperature, checks.stream()));
            const std::string name = "sample V=" + std::to_string(n) + " T=" + std::to_string(temperature);
            checks.expect_same(name + " logprob = head_stats", to_doubles(drawn.logprob), to_doubles(want));
            checks.expect_same(name + " model logprob = head_stats", to_doubles(drawn.model_logprob),
                               to_doubles(want));
            if (temperature == 0) checks.expect(name + " greedy token = argmax", drawn.token == argmax);
            checks.expect_same(name + " with 1 thread",
                               draws.draw(checks, settings_of(n, temperature), 1).all(), drawn.all());
        }
    }
}

// Equal logits stay or go together; the lowest id wins when greedy.
void check_ties(Checks& checks) {
    const Doubles logits{1, 3, 3, 0, 3, -2, 1, 3};
    const Draws draws(256, logits, {});
    const auto drawn_ids = [&](const SampleSettings& settings) {
        std::vector<bool> found(logits.size());
        for (const int32_t token : draws.draw(checks, settings).token)
            found[static_cast<size_t>(token)] = true;
        return found;
    };
    const std::vector<bool> threes{false, true, true, false, true, false, false, true};
    SampleSettings s = settings_of(8, 1);
    s.top_k = 2;
    checks.expect("sample top-k keeps ties", drawn_ids(s) == threes);
    s = settings_of(8, 1);
    s.top_p = 0.1f;
    checks.expect("sample top-p keeps ties", drawn_ids(s) == threes);
    bool lowest = true;
    for (const int32_t token : draws.draw(checks, settings_of(8, 0)).token) lowest = lowest && token == 1;
    checks.expect("sample greedy takes the lowest of equals", lowest);
    const Draws penalised(4, logits, {1});
    s = settings_of(8, 0);
    s.penalty = 1.5f;
    bool second = true;
    for (const int32_t token : penalised.draw(checks, s).token) second = second && token == 2;
    checks.expect("sample greedy sees the penalty", second);
}

void check_special(Checks& checks) {
    const double infinity = std::numeric_limits<double>::infinity();
    const Draws hole(16, {-infinity, 0, -infinity, 0}, {});
    bool finite = true;
    for (const int32_t token : hole.draw(checks, settings_of(4, 1)).token) finite = finite && token % 2 == 1;
    checks.expect("sample never draws a logit of minus infinity", finite);
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), infinity}) {
        const Draws broken(3, {0, bad, 1}, {});
        bool refused = true;
        for (const int32_t token : broken.draw(checks, settings_of(3, 1)).token)
            refused = refused && token == -1;
        checks.expect("sample marks logits that are no distribution", refused);
    }
    const Draws nothing(3, {-infinity, -infinity, 1}, {});
    bool refused = true;
    for (const int32_t token : nothing.draw(checks, settings_of(2, 1)).token)
        refused = refused && token == -1;
    checks.expect("sample marks a vocabulary without any mass", refused);
}

void check_sampling(Checks& checks) {
    check_filters(checks);
    check_large(checks);
    check_bits(checks);
    check_ties(checks);
    check_special(checks);
}

const Register sampling("sampling", Runs::PerIsa, check_sampling);

}  // namespace

}  // namespace attune::tool
