// Holds a loss's options against the batch and against each other before anything is computed. Must not
// compute a loss.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "loss/check_policy.h"
#include "loss/check_values.h"
#include "loss/loss.h"
#include "loss/ranked_group.h"

namespace attune {

namespace {

void check_group_sizes(const PackedBatch& batch, int64_t low, int64_t high, const char* what) {
    for (size_t g = 0; g < batch.groups.size(); ++g)
        require(batch.groups[g].count >= low && batch.groups[g].count <= high, Code::Shape, "groups[", g,
                "]: expected ", what, " but got ", batch.groups[g].count, " completions.");
}

constexpr int64_t kMany = int64_t{1} << 31;
constexpr const char* kPair = "a pair (chosen, rejected)";

void check_beta(double beta) {
    require(beta > 0 && std::isfinite(beta), Code::Option, "Expected beta above 0 but received ", beta,
            ". Typical: 0.1.");
}

void check_reference(const std::vector<double>& reference, const PackedBatch& batch, const char* name) {
    require(!reference.empty() || batch.completions.empty(), Code::Shape,
            "reference log-probs: expected one sum per completion (", batch.completions.size(),
            "), as the loss ", name, " compares with a reference, but got none.");
    check_size(reference, batch.completions.size(), "reference log-probs", "completion", false);
    check_range(reference, "reference log-probs", -kAny, kAny, "a finite sum");
}

void check_ranking(const RankingOptions& ranking, const PackedBatch& batch) {
    const ListwiseEntry& entry = *ranking.entry;
    const bool best = std::string_view(entry.form) == "best-of-k";
    check_group_sizes(batch, 2, kMany, "a ranking of at least 2");
    check_size(ranking.ranks, batch.completions.size(), "ranks", "completion", false);
    check_size(ranking.placed, batch.groups.size(), "placed", "group", true);
    for (size_t c = 0; c < ranking.ranks.size(); ++c)
        require(ranking.ranks[c] >= 1, Code::Option, "ranks[", c,
                "]: expected a rank from 1 (best) but received ", ranking.ranks[c], ".");
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const Group& group = batch.groups[g];
        const auto ranks = ranking.ranks.begin() + group.first;
        const int32_t placed = ranking.placed.empty() ? 0 : ranking.placed[g];
        require(placed >= 0 && placed <= group.count, Code::Option, "placed[", g, "]: expected 0 to ",
                group.count, " items with a place but received ", placed, ".");
        require(placed == 0 || entry.places, Code::Option, "placed[", g, "]: expected none, as ", entry.form,
                " compares all items, but received ", placed, ". Use plackett-luce.");
        if (best) {
            const auto ones = std::count(ranks, ranks + group.count, 1);
            require(ones == 1, Code::Option, "groups[", g, "]: expected one item of rank 1 for ", entry.form,
                    " but found ", ones, ".");
            continue;
        }
        for (int32_t i = 0; i < group.count && placed > 0; ++i) {
            const auto better =
                std::count_if(ranks, ranks + group.count, [&](int32_t r) { return r < ranks[i]; });
            const auto to = better + std::count(ranks, ranks + group.count, ranks[i]);
            require(better >= placed || to <= placed, Code::Option, "placed[", g, "]: expected ", placed,
                    " places to end between two ranks but items of rank ", ranks[i], " take places ",
                    better + 1, " to ", to, ".");
        }
        const int64_t tie =
            RankedGroup::largest_tie(ranking, static_cast<int64_t>(g), group.first, group.count);
        require(entry.largest_tie == 0 || tie <= entry.largest_tie, Code::Option, "groups[", g,
                "]: expected at most ", entry.largest_tie, " items of equal rank with ties ", entry.ties,
                ", which sums over their orders, but found ", tie, ". Use ties breslow.");
    }
}

void check_smoothing(const PairwiseOptions& options) {
    const double e = options.label_smoothing;
    require(e >= 0 && e < 0.5, Code::Option, "Expected label smoothing in [0, 0.5) but received ", e, ".");
    bool used = e == 0;
    for (const PairwiseTerm& term : options.terms) {
        const PairwiseEntry& entry = *term.entry;
        require(e == 0 || entry.smoothing != Smoothing::Refused, Code::Option,
                "Expected no label smoothing, as the loss ", entry.name,
                " has no place for it, but received ", e, ".");
        require(e > 0 || entry.smoothing != Smoothing::Needed, Code::Option,
                "Expected label smoothing above 0, which the loss ", entry.name,
                " needs, but received 0. Typical: 0.001.");
        used = used || entry.smoothing != Smoothing::Ignored;
    }
    require(used, Code::Option,
            "Expected no label smoothing, as no loss given has a place for it, but received ", e, ".");
}

void check_parameters(const PairwiseOptions& options) {
    check_beta(options.beta);
    check_number("alpha", options.alpha, -kAny, "a number");
    check_number("simpoGamma", options.simpo_gamma, -kAny, "a number");
    check_number("orpoLambda", options.orpo_lambda, 0, "a weight >= 0");
    require(options.discopop_temperature > 0 && std::isfinite(options.discopop_temperature), Code::Option,
            "Expected discopopTemperature above 0 but received ", options.discopop_temperature,
            ". Typical: 0.05.");
    if (options.nll_weight) check_number("nllWeight", *options.nll_weight, 0, "a weight >= 0");
    require(!options.terms.empty(), Code::Option, "Expected at least one loss in terms but received none.");
    for (const PairwiseTerm& term : options.terms)
        require(term.weight >= 0 && std::isfinite(term.weight), Code::Option, "Expected the weight of ",
                term.entry->name, " to be >= 0 but received ", term.weight, ".");
}

// What one term needs or has no place for.
void check_term(const PairwiseOptions& options, const PairwiseEntry& entry,
                const std::vector<double>& weights, const PackedBatch& batch) {
    if (entry.reference) check_reference(options.reference, batch, entry.name);
    // A loss without a comparison lets the others' pass.
    const bool compares = entry.smoothing != Smoothing::Ignored;
    for (size_t g = 0; g < options.labels.size() && !entry.soft_labels && compares; ++g)
        require(options.labels[g] == 1, Code::Option, "labels[", g, "]: expected 1, as the loss ", entry.name,
                " has no place for soft labels, but received ", options.labels[g], ".");
    for (size_t g = 0; g < weights.size() && !entry.weights; ++g)
        require(weights[g] == 1, Code::Option, "weights[", g, "]: expected 1, as the loss ", entry.name,
                " compares over all pairs of an update, but received ", weights[g], ".");
    const bool reverse_kl = options.divergence == nullptr || options.divergence->score == reverse_kl_score;
    require(entry.divergence || reverse_kl || !compares, Code::Option,
            "Expected divergence reverse_kl, as the loss ", entry.name,
            " has no place for another, but received ", reverse_kl ? "" : options.divergence->name, ".");
    const double nll = entry.nll == NllPart::ByWeight ? options.nll_weight.value_or(entry.nll_weight) : 1;
    require(entry.nll == NllPart::None || nll == 0 || options.chosen_targets > 0, Code::Option,
            "Expected chosenTargets above 0, the targets of all chosen sides of the update, which the loss ",
            entry.name, " needs, but received ", options.chosen_targets, ".");
    if (entry.match == nullptr) return;
    require(!options.matches.empty() || batch.completions.empty(), Code::Option,
            "Expected matches (from matchUpdate), which the loss ", entry.name, " needs, but received none.");
    check_size(options.matches, batch.completions.size(), "matches", "completion", false);
    check_range(options.matches, "matches", -kAny, kAny, "a finite number");
}

void check_family(const NllOptions&, const LossOptions&, const PackedBatch&, int64_t) {}

void check_family(const PairwiseOptions& options, const LossOptions& loss, const PackedBatch& batch,
                  int64_t) {
    check_group_sizes(batch, 2, 2, kPair);
    check_parameters(options);
    check_size(options.labels, batch.groups.size(), "labels", "pair", true);
    check_range(options.labels, "labels", 0, 1, "P(chosen better) in [0, 1]");
    check_size(options.reference, batch.completions.size(), "reference log-probs", "completion", true);
    check_smoothing(options);
    MatchFunction match = nullptr;
    bool weighs_nll = false;
    for (const PairwiseTerm& term : options.terms) {
        check_term(options, *term.entry, loss.weights, batch);
        require(match == nullptr || term.entry->match == nullptr || match == term.entry->match, Code::Option,
                "Expected one loss that sorts over the update but received two with different matches.");
        if (term.entry->match != nullptr) match = term.entry->match;
        weighs_nll = weighs_nll || term.entry->nll == NllPart::ByWeight;
    }
    require(weighs_nll || !options.nll_weight, Code::Option,
            "Expected no nllWeight, as no loss given weighs the chosen side's likelihood, but received ",
            options.nll_weight.value_or(0), ".");
}

void check_family(const ListwiseOptions& options, const LossOptions&, const PackedBatch& batch, int64_t) {
    check_beta(options.beta);
    check_ranking(options.ranking, batch);
    check_reference(options.reference, batch, options.ranking.entry->form);
}

void check_family(const UnpairedOptions& options, const LossOptions&, const PackedBatch& batch, int64_t) {
    check_group_sizes(batch, 1, 1, "a single completion");
    check_beta(options.beta);
    check_number("baseline", options.baseline, -kAny, "a number");
    check_number("desirableWeight", options.desirable_weight, 0, "a weight >= 0");
    check_number("undesirableWeight", options.undesirable_weight, 0, "a weight >= 0");
    check_size(options.labels, batch.groups.size(), "labels", "completion", false);
    for (size_t g = 0; g < options.labels.size(); ++g)
        require(options.labels[g] == 0 || options.labels[g] == 1, Code::Option, "labels[", g,
                "]: expected 1 (desirable) or 0 (undesirable) but received ", options.labels[g], ".");
    check_reference(options.reference, batch, options.entry->name);
}

// Listed pairs stay within their group; without a list every group is one pair.
int64_t check_pairs(const ScoreOptions& options, const PackedBatch& batch) {
    if (options.pairs.empty() && options.pair_counts.empty()) {
        check_group_sizes(batch, 2, 2, kPair);
        return static_cast<int64_t>(batch.groups.size());
    }
    check_size(options.pair_counts, batch.groups.size(), "pairCounts", "group", false);
    int64_t pair = 0;
    for (size_t g = 0; g < batch.groups.size(); ++g) {
        const Group& group = batch.groups[g];
        require(options.pair_counts[g] >= 0, Code::Shape, "pairCounts[", g, "]: expected 0 or more but got ",
                options.pair_counts[g], ".");
        const int64_t end = pair + options.pair_counts[g];
        require(2 * end <= static_cast<int64_t>(options.pairs.size()), Code::Shape, "pairs: expected ",
                2 * end, " completions up to group ", g, " but got ", options.pairs.size(), ".");
        for (; pair < end; ++pair) {
            const int32_t a = options.pairs[static_cast<size_t>(2 * pair)];
            const int32_t b = options.pairs[static_cast<size_t>(2 * pair + 1)];
            const auto inside = [&](int32_t c) { return c >= group.first && c < group.first + group.count; };
            require(inside(a) && inside(b) && a != b, Code::Shape, "pairs[", pair,
                    "]: expected two different completions of group ", g, ", ", group.first, " to ",
                    group.first + group.count - 1, ", but got ", a, " and ", b, ".");
        }
    }
    require(2 * pair == static_cast<int64_t>(options.pairs.size()), Code::Shape, "pairs: expected ", 2 * pair,
            " completions, two per pair of pairCounts, but got ", options.pairs.size(), ".");
    return pair;
}

void check_tie_model(const ScoreOptions& options) {
    for (size_t g = 0; g < options.labels.size(); ++g)
        require(options.labels[g] == 0 || options.labels[g] == 0.5 || options.labels[g] == 1, Code::Option,
                "labels[", g, "]: expected 1 (first better), 0.5 (tie) or 0 (second better) but received ",
                options.labels[g], ".");
    const bool positive = options.entry->loss == rao_kupper_scores;
    require(std::isfinite(options.tie_parameter) && (!positive || options.tie_parameter > 0), Code::Option,
            "Expected tieParameter of ", options.entry->form, " to be ", positive ? "above 0" : "a number",
            " but received ", options.tie_parameter, ".");
}

void check_pair_scores(const ScoreOptions& options, const PackedBatch& batch) {
    const bool tie_model = options.entry->tie_parameter;
    require(!tie_model || (options.pairs.empty() && options.pair_counts.empty()), Code::Option,
            "Expected no list of pairs for ", options.entry->form, ": each group is one pair.");
    const auto pairs = static_cast<size_t>(check_pairs(options, batch));
    check_size(options.labels, pairs, "labels", "pair", !tie_model);
    check_range(options.labels, "labels", 0, 1, "P(first better) in [0, 1]");
    if (tie_model) return check_tie_model(options);
    check_size(options.margins, pairs, "margins", "pair", true);
    check_range(options.margins, "margins", -kAny, kAny, "a finite margin");
    check_size(options.pair_weights, pairs, "pairWeights", "pair", true);
    check_weights(options.pair_weights, "pairWeights");
    check_number("centring", options.centring, 0, "a weight >= 0");
}

void check_family(const ScoreOptions& options, const LossOptions&, const PackedBatch& batch, int64_t heads) {
    require(heads >= 1, Code::Option, "Expected a model with score heads for a loss of scores.");
    for (size_t c = 0; c < batch.completions.size(); ++c)
        require(batch.completions[c].count == 1, Code::Shape, "completions[", c,
                "]: a score is read at one target (the last token) but got ", batch.completions[c].count,
                ".");
    check_size(options.head_weights, batch.groups.size() * static_cast<size_t>(heads), "headWeights",
               "group and head", true);
    check_weights(options.head_weights, "headWeights");
    if (options.entry->groups == ScoreGroups::Pairs) return check_pair_scores(options, batch);
    if (options.entry->groups == ScoreGroups::Lists) return check_ranking(options.ranking, batch);
    check_group_sizes(batch, 1, 1, "a single completion");
    check_size(options.ratings, batch.completions.size(), "ratings", "completion", false);
    check_range(options.ratings, "ratings", -kAny, kAny, "a finite rating");
}

void check_family(const PolicyOptions& options, const LossOptions&, const PackedBatch& batch, int64_t) {
    check_policy(options, batch);
}

void check_family(const ValueOptions& options, const LossOptions&, const PackedBatch& batch, int64_t heads) {
    check_value(options, batch, heads);
}

}  // namespace

void check_loss(const LossOptions& options, const PackedBatch& batch, int64_t heads) {
    require(options.normaliser > 0 && std::isfinite(options.normaliser), Code::Option,
            "Expected a loss normaliser above 0 but received ", options.normaliser,
            ". It counts the targets or groups of the whole update.");
    require(batch.targets.empty() || !batch.completions.empty(), Code::Shape,
            "completions: expected to cover ", batch.targets.size(),
            " targets but there are none. A loss needs its targets in completions and groups.");
    check_size(options.weights, batch.groups.size(), "weights", "group", true);
    check_range(options.weights, "weights", -kAny, kAny, "a finite weight");
    std::visit([&](const auto& family) { check_family(family, options, batch, heads); }, options.family);
}

}  // namespace attune
