// The tables of losses and looking names up in them. Data only: no formula, no batch.
#include "loss/loss_tables.h"

#include <array>
#include <sstream>

#include "core/error.h"
#include "loss/match_update.h"

namespace attune {

namespace {

constexpr bool kReference = true, kNoReference = false;
constexpr bool kSoft = true, kHard = false;
constexpr bool kDivergence = true, kPlain = false;
constexpr bool kWeights = true, kNoWeights = false;

constexpr std::array kPairwise = {
    PairwiseEntry{"sigmoid", sigmoid_pair, kReference, kSoft, Smoothing::Label, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "DPO: log loss of the reward margin beta D"},
    PairwiseEntry{"ipo", ipo_pair, kReference, kSoft, Smoothing::Label, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "IPO: squared distance of the log-ratios' gap from 1 / (2 beta)"},
    PairwiseEntry{"hinge", hinge_pair, kReference, kHard, Smoothing::Refused, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "hinge of the reward margin: max(0, 1 - beta D)"},
    PairwiseEntry{"robust", robust_pair, kReference, kSoft, Smoothing::Own, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "DPO made unbiased for labels that are wrong with probability e"},
    PairwiseEntry{"exo_pair", exo_pair, kReference, kSoft, Smoothing::Needed, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "EXO: reverse KL from the model's choice to the smoothed label"},
    PairwiseEntry{"nca_pair", nca_pair, kReference, kHard, Smoothing::Refused, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "NCA: raises the chosen reward itself, not only the margin"},
    PairwiseEntry{"bco_pair", bco_pair, kReference, kHard, Smoothing::Refused, kDivergence, NllPart::None, 0,
                  nullptr, kWeights, "BCO on pairs: a binary classifier of each side by its reward"},
    PairwiseEntry{"sppo_hard", sppo_hard_pair, kReference, kHard, Smoothing::Refused, kDivergence,
                  NllPart::None, 0, nullptr, kWeights,
                  "SPPO: squared distance of each side's log-ratio from +-1 / (2 beta)"},
    PairwiseEntry{"aot", aot_pair, kNoReference, kHard, Smoothing::Label, kPlain, NllPart::None, 0,
                  match_references, kNoWeights, "AOT: the update's sorted margins over the reference's"},
    PairwiseEntry{"aot_unpaired", aot_unpaired_pair, kReference, kHard, Smoothing::Label, kPlain,
                  NllPart::None, 0, match_ratios, kNoWeights,
                  "AOT: the update's sorted chosen rewards over its sorted rejected ones"},
    PairwiseEntry{"apo_zero", apo_zero_pair, kReference, kHard, Smoothing::Refused, kPlain, NllPart::None, 0,
                  nullptr, kWeights, "APO: chosen up, rejected down; for answers better than the model's"},
    PairwiseEntry{"apo_down", apo_down_pair, kReference, kHard, Smoothing::Refused, kDivergence,
                  NllPart::None, 0, nullptr, kWeights,
                  "APO: both down, rejected further; for answers worse than the model's"},
    PairwiseEntry{"discopop", discopop_pair, kReference, kHard, Smoothing::Refused, kDivergence,
                  NllPart::None, 0, nullptr, kWeights,
                  "DiscoPOP: a gate between the log loss and the exponential loss of beta D"},
    PairwiseEntry{"sft", sft_pair, kNoReference, kHard, Smoothing::Ignored, kPlain, NllPart::Always, 1,
                  nullptr, kWeights, "token-mean negative log-likelihood of the chosen side, for mixtures"},
    PairwiseEntry{"sigmoid_norm", sigmoid_norm_pair, kReference, kSoft, Smoothing::Label, kDivergence,
                  NllPart::None, 0, nullptr, kWeights, "DPO with log-ratios per token"},
    PairwiseEntry{"simpo", simpo_pair, kNoReference, kSoft, Smoothing::Label, kPlain, NllPart::ByWeight, 0,
                  nullptr, kWeights, "SimPO: log loss of the gap of mean log-probs over a margin"},
    PairwiseEntry{"cpo", cpo_pair, kNoReference, kSoft, Smoothing::Label, kPlain, NllPart::ByWeight, 1,
                  nullptr, kWeights, "CPO: log loss of the gap of log-probs, and the chosen side's NLL"},
    PairwiseEntry{"orpo", orpo_pair, kNoReference, kHard, Smoothing::Refused, kPlain, NllPart::Always, 1,
                  nullptr, kWeights, "ORPO: the chosen side's NLL and the log loss of the odds ratio"},
};

constexpr std::array kDivergences = {
    DivergenceEntry{"reverse_kl", reverse_kl_score, "s = d"},
    DivergenceEntry{"forward_kl", forward_kl_score, "s = -e^-d"},
    DivergenceEntry{"js_divergence", js_divergence_score, "s = log sigmoid(d)"},
    DivergenceEntry{"alpha_divergence", alpha_divergence_score,
                    "s = e^((a-1) d) / (a-1), exponent at most 80"},
};

constexpr std::array kListwise = {
    ListwiseEntry{"plackett-luce", "breslow", plackett_luce_breslow, true, 0,
                  "choices from the best down; tied items share a pool"},
    ListwiseEntry{"plackett-luce", "average", plackett_luce_average, true, kLargestTie,
                  "choices from the best down; mean loss over the orders of tied items"},
    ListwiseEntry{"plackett-luce", "marginal", plackett_luce_marginal, true, kLargestTie,
                  "choices from the best down; summed probability of the orders of tied items"},
    ListwiseEntry{"all-pairs", "half", all_pairs_half, false, 0,
                  "mean Bradley-Terry loss of all pairs; a tie has the label 0.5"},
    ListwiseEntry{"all-pairs", "drop", all_pairs_drop, false, 0,
                  "mean Bradley-Terry loss of all pairs; a tie is left out"},
    ListwiseEntry{"best-of-k", "", best_of_k, false, 0, "softmax cross-entropy of the best item"},
};

constexpr std::array kUnpaired = {
    UnpairedEntry{"kto", kto_loss, "KTO: value of the reward against a baseline of the update"},
    UnpairedEntry{"apo_zero_unpaired", apo_zero_unpaired_loss, "APO: desirable up, undesirable down"},
    UnpairedEntry{"bco", bco_loss, "BCO: a binary classifier by the reward over a given delta"},
};

constexpr std::array kPolicy = {
    PolicyEntry{"clip", clip_term, true, false,
                "PPO: the ratio times the advantage, no further than a range around 1"},
    PolicyEntry{"cispo", cispo_term, false, true,
                "CISPO: the log-prob times the advantage, weighed by the capped ratio"},
};

constexpr std::array kRatios = {
    RatioEntry{"token", RatioOf::Token, "of each token"},
    RatioEntry{"sequence", RatioOf::Sum, "RLOO: of the whole completion, one term for it"},
    RatioEntry{"sequence-mean", RatioOf::Mean,
               "GSPO: geometric mean over the completion's tokens, a term for each"},
};

constexpr std::array kKlPenalties = {
    KlPenaltyEntry{"k1", k1_penalty, "the log-ratio d: unbiased, of either sign"},
    KlPenaltyEntry{"k2", k2_penalty, "d^2 / 2: never negative"},
    KlPenaltyEntry{"k3", k3_penalty, "e^-d - 1 + d: unbiased and never negative"},
};

constexpr std::array kScores = {
    ScoreEntry{"bradley-terry", ScoreGroups::Pairs, bradley_terry_scores, false,
               "log loss of the difference of a pair, with margin, soft label and centring"},
    ScoreEntry{"plackett-luce", ScoreGroups::Lists, listwise_scores, false,
               "likelihood of a ranking as choices from the best down"},
    ScoreEntry{"all-pairs", ScoreGroups::Lists, listwise_scores, false,
               "mean Bradley-Terry loss of all pairs of a ranking"},
    ScoreEntry{"best-of-k", ScoreGroups::Lists, listwise_scores, false,
               "softmax cross-entropy of the best item"},
    ScoreEntry{"rating", ScoreGroups::Single, rating_scores, false,
               "squared distance from a standardised rating"},
    ScoreEntry{"rao-kupper", ScoreGroups::Pairs, rao_kupper_scores, true,
               "pairs with ties as an outcome within a threshold"},
    ScoreEntry{"davidson", ScoreGroups::Pairs, davidson_scores, true,
               "pairs with ties as an outcome of their own weight"},
};

// Entries of a table by one of their fields.
template <class Entry>
const Entry& find(std::span<const Entry> table, const char* what, const char* Entry::*field,
                  const std::string& name) {
    for (const Entry& entry : table)
        if (name == entry.*field) return entry;
    std::ostringstream names;
    const char* last = "";
    for (const Entry& entry : table) {
        if (std::string(last) == entry.*field) continue;
        names << (*last == '\0' ? "" : ", ") << entry.*field;
        last = entry.*field;
    }
    raise(Code::Option, "Expected ", what, " to be one of ", names.str(), " but received \"", name, "\".");
}

}  // namespace

std::span<const PairwiseEntry> pairwise_losses() {
    return kPairwise;
}
std::span<const DivergenceEntry> divergences() {
    return kDivergences;
}
std::span<const ListwiseEntry> listwise_losses() {
    return kListwise;
}
std::span<const UnpairedEntry> unpaired_losses() {
    return kUnpaired;
}
std::span<const PolicyEntry> policy_losses() {
    return kPolicy;
}
std::span<const RatioEntry> policy_ratios() {
    return kRatios;
}
std::span<const KlPenaltyEntry> kl_penalties() {
    return kKlPenalties;
}
std::span<const ScoreEntry> score_losses() {
    return kScores;
}

const PairwiseEntry& pairwise_loss(const std::string& name) {
    return find(pairwise_losses(), "a pairwise loss", &PairwiseEntry::name, name);
}

const DivergenceEntry& divergence(const std::string& name) {
    return find(divergences(), "divergence", &DivergenceEntry::name, name);
}

const ListwiseEntry& listwise_loss(const std::string& form, const std::string& ties) {
    const ListwiseEntry& first = find(listwise_losses(), "a listwise form", &ListwiseEntry::form, form);
    if (ties.empty()) return first;
    std::ostringstream names;
    for (const ListwiseEntry& entry : listwise_losses()) {
        if (form != entry.form) continue;
        if (ties == entry.ties) return entry;
        names << (names.tellp() > 0 ? " or " : "") << (*entry.ties == '\0' ? "absent" : entry.ties);
    }
    raise(Code::Option, "Expected ties of ", form, " to be ", names.str(), " but received \"", ties, "\".");
}

const UnpairedEntry& unpaired_loss(const std::string& name) {
    return find(unpaired_losses(), "an unpaired loss", &UnpairedEntry::name, name);
}

const PolicyEntry& policy_loss(const std::string& form) {
    return find(policy_losses(), "the form of a policy's loss", &PolicyEntry::form, form);
}

const RatioEntry& policy_ratio(const std::string& name) {
    return find(policy_ratios(), "ratio", &RatioEntry::name, name);
}

const KlPenaltyEntry& kl_penalty(const std::string& name) {
    return find(kl_penalties(), "klForm", &KlPenaltyEntry::name, name);
}

const ScoreEntry& score_loss_form(const std::string& form) {
    return find(score_losses(), "the form of a loss of scores", &ScoreEntry::form, form);
}

}  // namespace attune
