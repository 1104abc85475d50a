// What a loss is, as plain data: the options of lib/engine/loss-spec.ts, one struct per family.
// Knows neither models nor how the options were given.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <variant>
#include <vector>

#include "loss/loss_tables.h"

namespace attune {

// Negative log-likelihood of every target.
struct NllOptions {};

struct PairwiseTerm {
    const PairwiseEntry* entry = nullptr;
    double weight = 1;
};

// A sum of weighted losses of pairs (completion 0 chosen, 1 rejected) under log-probs.
struct PairwiseOptions {
    std::vector<PairwiseTerm> terms;
    double beta = 0.1;
    double label_smoothing = 0;
    const DivergenceEntry* divergence = nullptr;  // null: reverse KL
    double alpha = 0.5;                           // of the alpha divergence
    bool ipo_mean = true;                         // ipo: log-ratios per token
    double simpo_gamma = 1;
    double discopop_temperature = 0.05;
    double orpo_lambda = 0.1;
    std::optional<double> nll_weight;  // cpo, simpo; else what their entry says
    int64_t chosen_targets = 0;        // of the whole update; 0: not given
    std::vector<double> labels;        // [groups] P(chosen better), or empty = 1
    std::vector<double> reference;     // [completions] summed log-probs under the reference
    std::vector<double> matches;       // [completions] from match_update()
};

// A ranking of the completions of a group.
struct RankingOptions {
    const ListwiseEntry* entry = nullptr;
    std::vector<int32_t> ranks;   // [completions] 1 best, equal = tie; best of K: 1 for the best
    std::vector<int32_t> placed;  // [groups] items that have a place (0: all), or empty = all
};

// Rankings under log-probs: scores s = beta d.
struct ListwiseOptions {
    RankingOptions ranking;
    double beta = 0.1;
    std::vector<double> reference;  // [completions]
};

// Single judged completions.
struct UnpairedOptions {
    const UnpairedEntry* entry = nullptr;
    double beta = 0.1;
    double baseline = 0;  // kto: z0; bco: delta
    double desirable_weight = 1;
    double undesirable_weight = 1;
    std::vector<double> labels;     // [groups] 1 desirable, 0 undesirable
    std::vector<double> reference;  // [completions]
};

// Losses of scores, each completion scored at one target by every head.
struct ScoreOptions {
    const ScoreEntry* entry = nullptr;
    std::vector<double> head_weights;  // [groups, heads], or empty = 1

    std::vector<int32_t> pairs;        // [pairs, 2] completions of the batch
    std::vector<int32_t> pair_counts;  // [groups] empty: every group is one pair
    std::vector<double> labels;        // [pairs] P(first better), or empty = 1; of a tie model its outcomes
    std::vector<double> margins;       // [pairs], or empty = 0
    std::vector<double> pair_weights;  // [pairs] of each comparison, not of the centring, or empty = 1
    double centring = 0;               // coefficient of (r_c + r_r)^2
    RankingOptions ranking;            // where entry is a listwise form
    std::vector<double> ratings;       // [completions] standardised
    double tie_parameter = 0;          // eta
};

// A policy on samples of an earlier one. Per target: the ratio's term, a penalty on an estimate of the KL to
// a reference, a bonus on the entropy; of the ratio of a whole completion one term, or one per target.
struct PolicyOptions {
    const PolicyEntry* entry = nullptr;
    const RatioEntry* ratio = nullptr;
    PolicyClip clip;
    std::vector<double> advantages;          // [targets], or [completions] where those have the ratios
    std::vector<double> old_logprobs;        // [targets] of the policy that sampled
    std::vector<double> start_logprobs;      // [targets] when the update began, or empty = old
    std::vector<double> reference_logprobs;  // [targets], or empty
    const KlPenaltyEntry* kl = nullptr;
    double kl_weight = 0;
    double entropy_weight = 0;
    double temperature = 1;                  // of all log-probs and the entropy
    std::vector<double> completion_weights;  // [completions], or empty = 1
};

// Squared error of the values that one score head gives the targets.
struct ValueOptions {
    std::vector<double> returns;     // [targets]
    std::vector<double> old_values;  // [targets], or empty where nothing is clipped
    double clip = std::numeric_limits<double>::infinity();
    double bias = 0;                         // added to the head's scores
    std::vector<double> completion_weights;  // [completions], or empty = 1
};

// A loss is sum(weight * group loss) / normaliser, with the normaliser counted over the whole update.
struct LossOptions {
    double normaliser = 1;        // groups of the update; of losses per target what their sum is divided by
    std::vector<double> weights;  // [groups] or empty = 1
    std::variant<NllOptions, PairwiseOptions, ListwiseOptions, UnpairedOptions, ScoreOptions, PolicyOptions,
                 ValueOptions>
        family;
};

}  // namespace attune
