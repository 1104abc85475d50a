// Every entry of every table of losses in double against finite differences, relative 1e-7, on random and on
// awkward inputs; and values that can be written in two ways. Runs once: no op is involved.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "loss/loss_tables.h"
#include "loss/match_update.h"
#include "tool/check.h"
#include "tool/check_derivative.h"

namespace attune::tool {

namespace {

// ---- pairs

struct PairCase {
    const PairwiseEntry& entry;
    const DivergenceEntry& divergence;
    PairParameters parameters;
    double alpha;
    Vector reference;  // [pairs, 2]
    Vector tokens;     // [pairs, 2]
    Vector labels;     // [pairs]
};

PairSide side_of(const PairCase& given, const Vector& x, const Vector& matches, size_t i) {
    const double ratio = x[i] - given.reference[i];
    const RatioScore score = given.divergence.score(ratio, given.alpha);
    return {x[i], given.tokens[i], ratio, score.value, score.slope, matches.empty() ? 0 : matches[i]};
}

// The sum over the pairs of an update; x [pairs, 2].
Loss pairs_loss(const PairCase& given) {
    return [given](const Vector& x, Vector* gradient) {
        Vector matches(given.entry.match == nullptr ? 0 : x.size());
        if (given.entry.match != nullptr)
            given.entry.match(matches.data(), x.data(), given.reference.data(),
                              static_cast<int64_t>(x.size() / 2));
        double value = 0;
        for (size_t pair = 0; pair < x.size() / 2; ++pair) {
            const Pair one{side_of(given, x, matches, 2 * pair), side_of(given, x, matches, 2 * pair + 1),
                           given.labels[pair]};
            const PairLoss loss = given.entry.loss(one, given.parameters);
            value += loss.value;
            if (gradient == nullptr) continue;
            (*gradient)[2 * pair] += loss.d_chosen;
            (*gradient)[2 * pair + 1] += loss.d_rejected;
        }
        return value;
    };
}

PairCase random_pairs(const PairwiseEntry& entry, const DivergenceEntry& divergence, size_t pairs,
                      Random& random) {
    const double beta = random.below(2) == 0 ? 0.1 : 0.5;
    const double smoothing = entry.smoothing == Smoothing::Own ? 0.2 * random.uniform() : 0;
    PairCase given{entry,
                   divergence,
                   {beta, smoothing, random.below(2) == 0, 0.7, 0.4, 0.3},
                   random.below(2) == 0 ? 0.5 : 1.3,
                   {},
                   {},
                   {}};
    for (size_t i = 0; i < 2 * pairs; ++i) {
        given.reference.push_back(-20 + 5 * random.normal());
        given.tokens.push_back(static_cast<double>(1 + random.below(12)));
    }
    for (size_t i = 0; i < pairs; ++i) {
        const double label = entry.soft_labels ? random.uniform() : 1;
        given.labels.push_back(entry.smoothing == Smoothing::Needed ? smoothed(label, 0.01) : label);
    }
    return given;
}

void check_pairwise(Checks& checks) {
    Random random(1);
    for (const PairwiseEntry& entry : pairwise_losses()) {
        // Its own part is nothing: the likelihood of the chosen side is added by what applies it.
        if (entry.loss == sft_pair) continue;
        for (const DivergenceEntry& divergence : divergences()) {
            if (!entry.divergence && divergence.score != reverse_kl_score) continue;
            const std::string name = std::string("loss ") + entry.name + ", " + divergence.name;
            for (int trial = 0; trial < 6; ++trial) {
                const PairCase given = random_pairs(entry, divergence, 4, random);
                Vector x;
                for (const double reference : given.reference)
                    x.push_back(std::min(reference + 1.5 * random.normal(), -0.2));
                expect_derivative(checks, name, pairs_loss(given), x);
            }
            const double far = divergence.score == reverse_kl_score ? 700 : 5;
            for (const double chosen : {-far, 0.0, far})
                for (const double rejected : {-far, 0.0, far}) {
                    PairCase given = random_pairs(entry, divergence, 1, random);
                    given.reference = {-900, -900};
                    given.tokens = {3, 7};
                    expect_awkward(checks, name + " far away", pairs_loss(given),
                                   {-900 + chosen, -900 + rejected});
                }
        }
    }
}

void check_divergences(Checks& checks) {
    Random random(2);
    for (const DivergenceEntry& entry : divergences())
        for (const double alpha : {0.5, 0.2, 1.0, 1.7})
            for (int trial = 0; trial < 4; ++trial) {
                const Loss loss = [&](const Vector& x, Vector* gradient) {
                    const RatioScore score = entry.score(x[0], alpha);
                    if (gradient != nullptr) (*gradient)[0] += score.slope;
                    return score.value;
                };
                expect_derivative(checks, std::string("divergence ") + entry.name, loss,
                                  {2 * random.normal()});
            }
    checks.expect("alpha divergence is capped",
                  alpha_divergence_score(-1000, 0.5).value == alpha_divergence_score(-2000, 0.5).value &&
                      alpha_divergence_score(-1000, 0.5).slope == 0);
}

// ---- lists

struct ListCase {
    const ListwiseEntry& entry;
    std::vector<int32_t> ranks;
    int32_t placed;
};

Loss list_loss(const ListCase& given) {
    return [given](const Vector& x, Vector* gradient) {
        std::vector<int32_t> order(x.size());
        Vector subsets(size_t{3} << kLargestTie), unused(x.size());
        const Ranking ranking{given.ranks.data(), static_cast<int32_t>(x.size()), given.placed};
        return given.entry.loss(gradient == nullptr ? unused.data() : gradient->data(), x.data(), ranking,
                                {order.data(), subsets.data()});
    };
}

std::vector<int32_t> random_ranks(const ListwiseEntry& entry, int32_t count, int32_t levels, Random& random) {
    std::vector<int32_t> ranks;
    for (int32_t i = 0; i < count; ++i)
        ranks.push_back(*entry.ties == '\0' ? 2 : static_cast<int32_t>(1 + random.below(levels)));
    if (*entry.ties == '\0') ranks[static_cast<size_t>(random.below(count))] = 1;
    return ranks;
}

void check_listwise(Checks& checks) {
    Random random(3);
    for (const ListwiseEntry& entry : listwise_losses()) {
        const std::string name = std::string("loss ") + entry.form + " " + entry.ties;
        for (int32_t count = 2; count <= 6; ++count) {
            for (int trial = 0; trial < 5; ++trial) {
                // As many ranks as items, and few of them.
                const int32_t levels = trial < 3 ? 2 * count : 2;
                ListCase given{entry, random_ranks(entry, count, levels, random), count};
                // A form without a loss of nothing but ties has none to differentiate.
                if (*entry.ties != '\0') given.ranks[0] = 1, given.ranks[1] = 2;
                Vector x;
                for (int32_t i = 0; i < count; ++i) x.push_back(1.5 * random.normal());
                expect_derivative(checks, name, list_loss(given), x);
                expect_awkward(checks, name + " equal scores", list_loss(given),
                               Vector(static_cast<size_t>(count), 0.25));
                for (double& score : x) score *= 300;
                expect_awkward(checks, name + " far away", list_loss(given), x);
                if (!entry.places) continue;
                std::iota(given.ranks.begin(), given.ranks.end(), 1);
                given.placed = static_cast<int32_t>(1 + random.below(count));
                for (double& score : x) score /= 300;
                expect_derivative(checks, name + " first places", list_loss(given), x);
            }
        }
        if (entry.largest_tie == 0) continue;
        ListCase given{entry, std::vector<int32_t>(static_cast<size_t>(entry.largest_tie) + 2, 1), 0};
        given.ranks.back() = 2;
        given.ranks.front() = 3;
        given.placed = static_cast<int32_t>(given.ranks.size());
        Vector x;
        for (size_t i = 0; i < given.ranks.size(); ++i) x.push_back(random.normal());
        expect_derivative(checks, name + " largest tie", list_loss(given), x);
    }
}

// The sums over subsets against every order of the tied items, written as a ranking without ties.
void check_tied_orders(Checks& checks) {
    Random random(5);
    const ListwiseEntry& plain = listwise_loss("plackett-luce", "breslow");
    for (int32_t count = 2; count <= 6; ++count) {
        Vector x;
        for (int32_t i = 0; i < count; ++i) x.push_back(1.5 * random.normal());
        // The last of them is below the tie, and of all of them every item is tied.
        for (const int32_t tied : {count - 1, count}) {
            std::vector<int32_t> order(static_cast<size_t>(count));
            std::iota(order.begin(), order.end(), 1);
            std::vector<int32_t> ranks = order;
            std::fill(ranks.begin(), ranks.begin() + tied, 1);
            double loss = 0, probability = 0, orders = 0;
            do {
                const double value = list_loss({plain, order, count})(x, nullptr);
                loss += value;
                probability += std::exp(-value);
                ++orders;
            } while (std::next_permutation(order.begin(), order.begin() + tied));
            const auto value = [&](const char* ties) {
                return list_loss({listwise_loss("plackett-luce", ties), ranks, count})(x, nullptr);
            };
            const std::string name = std::to_string(tied) + " tied of " + std::to_string(count);
            checks.expect(name + ": average", std::fabs(value("average") - loss / orders) < 1e-12 * orders);
            checks.expect(name + ": marginal", std::fabs(value("marginal") + std::log(probability)) < 1e-12);
            if (tied == count)
                checks.expect(name + ": all orders together are certain", std::fabs(probability - 1) < 1e-12);
        }
    }
}

// ---- single answers and scores

void check_unpaired(Checks& checks) {
    Random random(6);
    for (const UnpairedEntry& entry : unpaired_losses())
        for (const bool desirable : {true, false}) {
            const std::string name = std::string("loss ") + entry.name;
            const Loss loss = [&](const Vector& x, Vector* gradient) {
                const RatioLoss found = entry.loss(x[0], desirable, 0.3, 0.7);
                if (gradient != nullptr) (*gradient)[0] += found.slope;
                return found.value;
            };
            for (int trial = 0; trial < 8; ++trial)
                expect_derivative(checks, name, loss, {3 * random.normal()});
            for (const double far : {-700.0, 700.0}) expect_awkward(checks, name + " far away", loss, {far});
        }
}

// x [scores, eta]
Loss score_group_loss(const ScoreEntry& entry, const ScoreGroup& group) {
    return [&entry, group](const Vector& x, Vector* gradient) {
        ScoreGroup one = group;
        one.scores = x.data();
        one.tie_parameter = x.back();
        Vector slopes(x.size());
        const double value = entry.loss(slopes.data(), &slopes.back(), one);
        for (size_t i = 0; gradient != nullptr && i < x.size(); ++i) (*gradient)[i] += slopes[i];
        return value;
    };
}

struct ScoreInputs {
    std::vector<int32_t> pairs;
    Vector labels, margins, weights;
    std::vector<int32_t> ranks, order;
    Vector subsets;
    ScoreGroup group{};
};

void fill_inputs(ScoreInputs& in, const ScoreEntry& entry, int32_t count, int trial, Random& random) {
    const int32_t pairs = entry.tie_parameter ? 1 : count - 1;
    for (int32_t i = 0; i < pairs; ++i) {
        in.pairs.insert(in.pairs.end(), {i, i + 1});
        in.labels.push_back(entry.tie_parameter ? 0.5 * (trial % 3) : random.uniform());
        in.margins.push_back(random.uniform());
        in.weights.push_back(2 * random.uniform());
    }
    in.order.resize(static_cast<size_t>(count));
    in.subsets.resize(size_t{3} << kLargestTie);
    in.group.count = count;
    in.group.pairs = in.pairs.data();
    in.group.pair_count = pairs;
    in.group.labels = in.labels.data();
    in.group.margins = in.margins.data();
    in.group.weights = in.weights.data();
    in.group.centring = 0.1;
    in.group.rating = 0.3;
    in.group.space = {in.order.data(), in.subsets.data()};
}

void check_score_entry(Checks& checks, const ScoreEntry& entry, const ListwiseEntry* list, Random& random) {
    for (int trial = 0; trial < 12; ++trial) {
        const int32_t most = entry.tie_parameter ? 2 : 6;
        const auto count =
            static_cast<int32_t>(entry.groups == ScoreGroups::Single ? 1 : 2 + random.below(most - 1));
        ScoreInputs in;
        fill_inputs(in, entry, count, trial, random);
        if (list != nullptr) {
            in.ranks = random_ranks(*list, count, 3, random);
            if (*list->ties != '\0') in.ranks[0] = 1, in.ranks[1] = 2;
            in.group.listwise = list->loss;
            in.group.ranking = {in.ranks.data(), count, count};
        }
        Vector x;
        for (int32_t i = 0; i < count; ++i) x.push_back(1.5 * random.normal());
        x.push_back(0.2 + random.uniform());
        const Loss loss = score_group_loss(entry, in.group);
        expect_derivative(checks, std::string("scores ") + entry.form, loss, x);
        for (int32_t i = 0; i < count; ++i) x[static_cast<size_t>(i)] *= 200;
        expect_awkward(checks, std::string("scores ") + entry.form + " far away", loss, x);
    }
}

void check_scores(Checks& checks) {
    Random random(7);
    for (const ScoreEntry& entry : score_losses()) {
        if (entry.groups != ScoreGroups::Lists) {
            check_score_entry(checks, entry, nullptr, random);
            continue;
        }
        for (const ListwiseEntry& list : listwise_losses())
            if (std::string(entry.form) == list.form) check_score_entry(checks, entry, &list, random);
    }
    for (const double difference : {-40.0, -1.0, 0.0, 3.0})
        for (const double eta : {0.1, 2.0}) {
            double rao_kupper = 0, davidson = 0;
            for (const double outcome : {1.0, 0.5, 0.0}) {
                rao_kupper += std::exp(-rao_kupper_loss(difference, outcome, eta).value);
                davidson += std::exp(-davidson_loss(difference, outcome, eta).value);
            }
            checks.expect("tie models' outcomes are certain together",
                          std::fabs(rao_kupper - 1) < 1e-12 && std::fabs(davidson - 1) < 1e-12);
        }
}

// ---- updates

void check_matches(Checks& checks) {
    // Differences 3, 1, 1 of the policy and 0, 5, 2 of the reference; equal ones keep their order.
    const Vector logprobs{-1, -4, -2, -3, -5, -6}, reference{-9, -9, -1, -6, -2, -4};
    checks.expect_same("aot matches references by rank", match_update("aot", logprobs, reference),
                       Vector{-1, -6, -9, -9, -2, -4});
    // d: chosen 8, -1, -3; rejected 5, 3, -2.
    checks.expect_same("aot_unpaired matches ratios by rank",
                       match_update("aot_unpaired", logprobs, reference), Vector{5, 8, 3, -1, -2, -3});
    checks.expect_same("equal ratios are matched in order",
                       match_update("aot_unpaired", Vector{-1, -2, -1, -2}, Vector{-1, -2, -1, -2}),
                       Vector{0, 0, 0, 0});
}

void check_losses(Checks& checks) {
    check_pairwise(checks);
    check_divergences(checks);
    check_listwise(checks);
    check_tied_orders(checks);
    check_unpaired(checks);
    check_scores(checks);
    check_matches(checks);
}

const Register losses("losses", Runs::Once, check_losses);

}  // namespace

}  // namespace attune::tool
