// The losses by name: what computes each, what it needs, and a line that describes it. One table per family;
// whoever lists or checks losses walks these. Knows neither batches nor options.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "loss/divergence_formula.h"
#include "loss/listwise_formula.h"
#include "loss/pairwise_formula.h"
#include "loss/policy_formula.h"
#include "loss/score_formula.h"
#include "loss/unpaired_formula.h"

namespace attune {

// How label smoothing e counts.
enum class Smoothing {
    Refused,
    Ignored,  // no comparison to smooth: allowed beside another loss that takes it
    Label,    // p <- p (1 - e) + (1 - p) e
    Own,      // a part of the formula
    Needed,   // as Label, but above 0: the formula has no value at p = 1
};

// The chosen side's token-mean negative log-likelihood as a part of the loss.
enum class NllPart { None, Always, ByWeight };

// What the losses that sort over a whole update compare each side with: matches (=) [pairs, 2] of
// logprobs and reference [pairs, 2].
using MatchFunction = void (*)(double* matches, const double* logprobs, const double* reference,
                               int64_t pairs);

struct PairwiseEntry {
    const char* name;
    PairLoss (*loss)(const Pair& pair, const PairParameters& parameters);
    bool reference;    // needs reference log-probs
    bool soft_labels;  // has a place for labels other than 1
    Smoothing smoothing;
    bool divergence;  // the log-ratio may be replaced by a divergence's score
    NllPart nll;
    double nll_weight;    // of ByWeight: where none is given
    MatchFunction match;  // null: a pair's loss knows its own pair only
    bool weights;         // has a place for weights of pairs
    const char* description;
};

struct DivergenceEntry {
    const char* name;
    RatioScore (*score)(double ratio, double alpha);
    const char* description;
};

// A form of listwise loss with one treatment of ties. The first entry of a form is its default.
struct ListwiseEntry {
    const char* form;
    const char* ties;  // empty: the form knows no ties
    ListwiseFunction loss;
    bool places;          // has a place for rankings of the first items only
    int64_t largest_tie;  // items of equal rank that it can take; 0: any number
    const char* description;
};

struct UnpairedEntry {
    const char* name;
    RatioLoss (*loss)(double ratio, bool desirable, double beta, double baseline);
    const char* description;
};

struct PolicyEntry {
    const char* form;
    PolicyFunction loss;
    bool clips;      // has a range that the ratio is clipped to
    bool needs_cap;  // else a cap is optional
    const char* description;
};

// What one importance ratio is taken of: exp of the sum, or of the mean, of a completion's log-ratios, else
// of each target's own.
enum class RatioOf { Token, Sum, Mean };

struct RatioEntry {
    const char* name;
    RatioOf of;
    const char* description;
};

struct KlPenaltyEntry {
    const char* name;
    KlPenaltyFunction penalty;
    const char* description;
};

enum class ScoreGroups { Pairs, Lists, Single };

struct ScoreEntry {
    const char* form;  // of a listwise form: its own name
    ScoreGroups groups;
    ScoreFunction loss;
    bool tie_parameter;
    const char* description;
};

std::span<const PairwiseEntry> pairwise_losses();
std::span<const DivergenceEntry> divergences();
std::span<const ListwiseEntry> listwise_losses();
std::span<const UnpairedEntry> unpaired_losses();
std::span<const PolicyEntry> policy_losses();
std::span<const RatioEntry> policy_ratios();
std::span<const KlPenaltyEntry> kl_penalties();
std::span<const ScoreEntry> score_losses();

// By name; throw Code::Option naming those there are.
const PairwiseEntry& pairwise_loss(const std::string& name);
const DivergenceEntry& divergence(const std::string& name);
// ties empty: the form's default.
const ListwiseEntry& listwise_loss(const std::string& form, const std::string& ties);
const UnpairedEntry& unpaired_loss(const std::string& name);
const PolicyEntry& policy_loss(const std::string& form);
const RatioEntry& policy_ratio(const std::string& name);
const KlPenaltyEntry& kl_penalty(const std::string& name);
const ScoreEntry& score_loss_form(const std::string& form);

}  // namespace attune
