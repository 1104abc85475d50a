// Losses of policies and values in double against finite differences, relative 1e-7: every entry of their
// tables, at both signs of the advantage and on both sides of every bound; and what a step tells of its
// ratios. Runs once: no op is involved.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "loss/loss.h"
#include "loss/loss_tables.h"
#include "loss/policy_sums.h"
#include "loss/value_formula.h"
#include "tool/check.h"
#include "tool/check_derivative.h"

namespace attune::tool {

namespace {

constexpr double kOld = -3;

// A token's term by its log-prob. Of CISPO the ratio is a constant, that of the place the derivative is taken
// at.
Loss term_loss(const PolicyEntry& entry, double advantage, const PolicyClip& clip, double at) {
    const bool constant = !entry.clips;
    return [&entry, advantage, clip, at, constant](const Vector& x, Vector* gradient) {
        const double log_ratio = (constant ? at : x[0]) - kOld;
        const PolicyTerm term = entry.loss({x[0], log_ratio, advantage}, clip);
        if (gradient != nullptr) (*gradient)[0] += term.d_logprob;
        return term.value;
    };
}

// Far enough from every bound for differences.
bool near_bound(double log_ratio, const PolicyClip& clip) {
    const double ratio = std::exp(log_ratio);
    for (const double bound : {1 - clip.low, 1 + clip.high, clip.cap})
        if (std::fabs(ratio - bound) < 1e-2) return true;
    return false;
}

void check_terms(Checks& checks) {
    Random random(11);
    const PolicyClip ranges[] = {{0.2, 0.2}, {0.1, 0.28}, {0.2, 0.2, 1.5}, {0.2, 0.2, 0.95}};
    for (const PolicyEntry& entry : policy_losses())
        for (const PolicyClip& clip : ranges)
            for (int trial = 0; trial < 16; ++trial) {
                const double log_ratio = 0.5 * random.normal();
                if (near_bound(log_ratio, clip)) continue;
                const double advantage = trial % 2 == 0 ? 1.5 : -0.7;
                const double at = kOld + log_ratio;
                const Loss loss = term_loss(entry, advantage, clip, at);
                const PolicyTerm term = entry.loss({at, log_ratio, advantage}, clip);
                const std::string name = std::string("policy ") + entry.form;
                // Where the bound holds the derivative is 0, whose error has no size to be measured by.
                if (term.d_logprob == 0)
                    checks.expect(
                        name + ": bounded is constant",
                        loss({at + 1e-3}, nullptr) == term.value && loss({at - 1e-3}, nullptr) == term.value);
                else
                    expect_derivative(checks, name, loss, {at});
            }
}

void check_bounds(Checks& checks) {
    const PolicyClip clip{0.2, 0.3, 2};
    const PolicyEntry& ppo = policy_loss("clip");
    const auto term = [&](double ratio, double advantage) {
        return ppo.loss({0, std::log(ratio), advantage}, clip);
    };
    checks.expect("a ratio above the range gains nothing more",
                  term(1.5, 1).value == -1.3 && term(1.5, 1).d_logprob == 0 && term(1.5, 1).clipped_high);
    checks.expect("a ratio below the range loses nothing more",
                  term(0.5, -1).value == 0.8 && term(0.5, -1).d_logprob == 0 && term(0.5, -1).clipped_low);
    checks.expect("a bad ratio is not bounded from above but by the cap",
                  std::fabs(term(1.5, -1).value - 1.5) < 1e-15 && !term(1.5, -1).clipped &&
                      term(3, -1).value == 2 && term(3, -1).d_logprob == 0);
    checks.expect("a ratio of 1 gives -A and its slope",
                  term(1, 0.4).value == -0.4 && term(1, 0.4).d_logprob == -0.4 && !term(1, 0.4).clipped);
    const PolicyTerm none = ppo.loss({0, 5000, 0}, clip);
    checks.expect("no advantage is no loss, however far the ratio", none.value == 0 && none.d_logprob == 0);
    const PolicyTerm far = ppo.loss({0, 5000, -1}, {});
    checks.expect("a ratio out of all bounds stays a number",
                  std::isfinite(far.value) && far.d_logprob == 0 && std::isfinite(far.ratio * far.ratio));
    for (const PolicyEntry& entry : policy_losses())
        checks.expect(std::string("policy ") + entry.form + ": NaN is not hidden by a bound",
                      std::isnan(entry.loss({NAN, NAN, 1}, {0.2, 0.2, 2}).value));
}

void check_penalties(Checks& checks) {
    Random random(12);
    for (const KlPenaltyEntry& entry : kl_penalties())
        for (int trial = 0; trial < 8; ++trial) {
            const double reference = -3 + random.normal();
            const Loss loss = [&](const Vector& x, Vector* gradient) {
                const KlPenaltyTerm term = entry.penalty(x[0], reference);
                if (gradient != nullptr) (*gradient)[0] += term.slope;
                return term.value;
            };
            expect_derivative(checks, std::string("penalty ") + entry.name, loss,
                              {reference + 0.3 + std::fabs(random.normal())});
        }
    checks.expect("staleness is a ratio of at most 2", staleness_weight(0) == 1 &&
                                                           staleness_weight(std::log(1.5)) < 1.5001 &&
                                                           staleness_weight(5) == 2);
}

// ---- completions: two groups of two completions, of 3, 2, 0 and 4 targets

PackedBatch ragged_batch() {
    PackedBatch batch;
    batch.targets.resize(9);
    batch.completions = {{0, 3}, {3, 2}, {5, 0}, {5, 4}};
    batch.groups = {{0, 2}, {2, 2}};
    return batch;
}

PolicyOptions ragged_options(const PolicyEntry& entry, const RatioEntry& ratio, const KlPenaltyEntry& kl,
                             Random& random) {
    PolicyOptions options;
    options.entry = &entry;
    options.ratio = &ratio;
    options.kl = &kl;
    options.clip = {0.2, 0.3, 5};
    options.kl_weight = 0.1;
    options.entropy_weight = 0.05;
    options.completion_weights = {0.5, 2, 1, 0.25};
    const size_t advantages = ratio.of == RatioOf::Token ? 9 : 4;
    for (size_t i = 0; i < advantages; ++i) options.advantages.push_back(random.normal());
    for (size_t t = 0; t < 9; ++t) {
        options.old_logprobs.push_back(-2 + 0.3 * random.normal());
        options.start_logprobs.push_back(options.old_logprobs[t] + 0.2 * random.normal());
        options.reference_logprobs.push_back(options.old_logprobs[t] + 0.3 * random.normal());
    }
    return options;
}

struct Applied {
    double loss = 0;
    std::vector<float> d_logprobs, d_entropies;
};

Applied apply(const LossOptions& options, const PackedBatch& batch, const std::vector<float>& logprobs,
              const std::vector<float>& entropies) {
    const size_t targets = logprobs.size();
    Applied result{0, std::vector<float>(targets, NAN), std::vector<float>(targets, NAN)};
    Vector losses(batch.groups.size(), NAN);
    LossSpace space;
    logprob_loss(losses.data(),
                 {logprobs.data(), entropies.data(), result.d_logprobs.data(), result.d_entropies.data()},
                 options, batch, 0, static_cast<int64_t>(losses.size()), space);
    for (size_t g = 0; g < losses.size(); ++g)
        result.loss += losses[g] * (options.weights.empty() ? 1 : options.weights[g]) / options.normaliser;
    return result;
}

// Through float log-probs, so by steps of 2^-10, which they hold exactly, between bounds.
double slope_error(const LossOptions& options, const PackedBatch& batch, const std::vector<float>& logprobs,
                   const std::vector<float>& entropies) {
    const Applied here = apply(options, batch, logprobs, entropies);
    double worst = 0;
    for (size_t t = 0; t < logprobs.size(); ++t) {
        const auto at = [&](const std::vector<float>& list, double places, bool entropy) {
            std::vector<float> moved = list;
            moved[t] += static_cast<float>(places * 0x1p-10);
            return entropy ? apply(options, batch, logprobs, moved).loss
                           : apply(options, batch, moved, entropies).loss;
        };
        for (const bool entropy : {false, true}) {
            const std::vector<float>& list = entropy ? entropies : logprobs;
            const double near = at(list, 1, entropy) - at(list, -1, entropy);
            const double far = at(list, 2, entropy) - at(list, -2, entropy);
            const double numeric = (8 * near - far) / (12 * 0x1p-10);
            worst = std::max(worst, std::fabs(numeric - static_cast<double>(entropy ? here.d_entropies[t]
                                                                                    : here.d_logprobs[t])));
        }
    }
    return worst;
}

// On a grid that floats hold, away from every bound.
std::vector<float> ragged_logprobs(const PolicyOptions& options, Random& random) {
    std::vector<float> logprobs;
    for (size_t t = 0; t < 9; ++t) {
        const double base = options.start_logprobs[t];
        const double offsets[] = {0.02, -0.05, 0.6, -0.5};
        const double wanted = base + offsets[(t + static_cast<size_t>(random.below(2))) % 4];
        logprobs.push_back(static_cast<float>(std::round(wanted * 1024) / 1024));
    }
    return logprobs;
}

void check_packed(Checks& checks) {
    Random random(13);
    const PackedBatch batch = ragged_batch();
    for (const RatioEntry& ratio : policy_ratios())
        for (const KlPenaltyEntry& kl : kl_penalties()) {
            // Of CISPO the loss is no function whose differences the gradient is.
            LossOptions options;
            options.normaliser = 7;
            options.weights = {1, 0.5};
            const PolicyOptions policy = ragged_options(policy_loss("clip"), ratio, kl, random);
            options.family = policy;
            const std::vector<float> logprobs = ragged_logprobs(policy, random), entropies(9, 1.25f);
            const std::string name = std::string("policy by ") + ratio.name + ", " + kl.name;
            const double error = slope_error(options, batch, logprobs, entropies);
            checks.expect(name, error < 1e-6, "error " + std::to_string(error));
            options.normaliser = 7.07;
            const Applied scaled = apply(options, batch, logprobs, entropies);
            options.normaliser = 7;
            const Applied right = apply(options, batch, logprobs, entropies);
            checks.expect(name + ": 1 % is seen", std::fabs(scaled.loss - right.loss) > 1e-6);
        }
}

void check_silence(Checks& checks) {
    Random random(14);
    const PackedBatch batch = ragged_batch();
    for (const PolicyEntry& entry : policy_losses())
        for (const RatioEntry& ratio : policy_ratios()) {
            PolicyOptions policy = ragged_options(entry, ratio, kl_penalty("k3"), random);
            policy.completion_weights = {1, 0, 1, 0};
            std::vector<float> logprobs = ragged_logprobs(policy, random), entropies(9, 1.0f);
            LossOptions options;
            options.family = policy;
            const double loss = apply(options, batch, logprobs, entropies).loss;
            for (const size_t t : {3, 4, 5, 8}) logprobs[t] = NAN, entropies[t] = NAN;
            const Applied silent = apply(options, batch, logprobs, entropies);
            bool zero = true;
            for (const size_t t : {3, 4, 5, 6, 7, 8})
                zero = zero && silent.d_logprobs[t] == 0 && silent.d_entropies[t] == 0;
            const std::string name = std::string("policy ") + entry.form + " by " + ratio.name;
            checks.expect(name + ": a weight of 0 leaves nothing", zero && silent.loss == loss);
        }
}

// The batch's second completion has doubled its tokens' probabilities, the others' are as they were.
void check_sums(Checks& checks) {
    Random random(16);
    const PackedBatch batch = ragged_batch();
    const std::vector<float> entropies(9, 0.5f);
    for (const RatioEntry& ratio : policy_ratios()) {
        PolicyOptions policy = ragged_options(policy_loss("clip"), ratio, kl_penalty("k1"), random);
        policy.clip = {};
        policy.start_logprobs.clear();
        std::fill(policy.advantages.begin(), policy.advantages.end(), 1.0);
        std::vector<float> logprobs(9, -1.0f);
        const double twice = std::log(2);
        for (size_t t = 0; t < 9; ++t) {
            policy.old_logprobs[t] = t == 3 || t == 4 ? -1 - twice : -1;
            policy.reference_logprobs[t] = -1.5;
        }
        const bool of_targets = ratio.of == RatioOf::Token;
        const double ratios = of_targets ? 9 : 3;  // a completion without targets has none
        const double moved = of_targets ? 2 : 1, large = ratio.of == RatioOf::Sum ? 4 : 2;
        const PolicySums sums = policy_sums(policy, batch, logprobs.data(), entropies.data());
        checks.expect_each(
            std::string("sums by ") + ratio.name,
            Vector{sums.count, sums.ratios, sums.ratio, sums.ratio_squared, sums.clipped, sums.clipped_low,
                   sums.clipped_high, sums.approx_kl, sums.k1, sums.kl, sums.entropy},
            Vector{9, ratios, ratios + moved * (large - 1), ratios + moved * (large * large - 1), moved, 0,
                   moved, twice * twice, -2 * twice, 4.5, 4.5},
            1e-12);
    }
}

void check_values(Checks& checks) {
    Random random(15);
    for (const double range : {0.2, std::numeric_limits<double>::infinity()})
        for (int trial = 0; trial < 32; ++trial) {
            const double result = random.normal(), old = random.normal();
            const double estimate = old + 0.5 * random.normal();
            if (std::fabs(std::fabs(estimate - old) - range) < 1e-2) continue;
            const ValueTerm term = value_term(estimate, result, old, range);
            const Loss loss = [&](const Vector& x, Vector* gradient) {
                const ValueTerm there = value_term(x[0], result, old, range);
                if (gradient != nullptr) (*gradient)[0] += there.slope;
                return there.value;
            };
            if (term.clipped)
                checks.expect("a clipped value is constant", loss({estimate + 1e-3}, nullptr) == term.value);
            else
                expect_derivative(checks, "value", loss, {estimate});
        }
    // Of equal squares the unclipped one counts.
    checks.expect("a value at equal distances is not clipped",
                  !value_term(1, 0.5, -1, 1).clipped && value_term(1, 0.5, -1, 1).slope == 0.5);
}

void check_policy_losses(Checks& checks) {
    check_terms(checks);
    check_bounds(checks);
    check_penalties(checks);
    check_packed(checks);
    check_silence(checks);
    check_sums(checks);
    check_values(checks);
}

const Register policy_losses_family("policy-losses", Runs::Once, check_policy_losses);

}  // namespace

}  // namespace attune::tool
