// Sorts the pairs of an update and hands each the pair of equal rank on the other list. Must not compute a
// loss.
#include "loss/match_update.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "loss/loss_tables.h"

namespace attune {

namespace {

// The pairs in ascending order of a value each has; ties by position.
template <class Value>
std::vector<int64_t> order_by(int64_t pairs, Value value) {
    std::vector<int64_t> order(static_cast<size_t>(pairs));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return value(a) < value(b); });
    return order;
}

}  // namespace

// The reference log-probs of the pair whose reference difference has the rank of this pair's difference.
void match_references(double* matches, const double* logprobs, const double* reference, int64_t pairs) {
    const auto difference = [](const double* sums) {
        return [sums](int64_t pair) { return sums[2 * pair] - sums[2 * pair + 1]; };
    };
    const std::vector<int64_t> own = order_by(pairs, difference(logprobs));
    const std::vector<int64_t> other = order_by(pairs, difference(reference));
    for (size_t rank = 0; rank < own.size(); ++rank) {
        matches[2 * own[rank]] = reference[2 * other[rank]];
        matches[2 * own[rank] + 1] = reference[2 * other[rank] + 1];
    }
}

// Of each side the log-ratio of equal rank among the other sides.
void match_ratios(double* matches, const double* logprobs, const double* reference, int64_t pairs) {
    const auto ratio = [&](int64_t side) {
        return [=](int64_t pair) { return logprobs[2 * pair + side] - reference[2 * pair + side]; };
    };
    const std::vector<int64_t> chosen = order_by(pairs, ratio(0));
    const std::vector<int64_t> rejected = order_by(pairs, ratio(1));
    for (size_t rank = 0; rank < chosen.size(); ++rank) {
        matches[2 * chosen[rank]] = ratio(1)(rejected[rank]);
        matches[2 * rejected[rank] + 1] = ratio(0)(chosen[rank]);
    }
}

std::vector<double> match_update(const std::string& name, const std::vector<double>& logprobs,
                                 const std::vector<double>& reference) {
    const MatchFunction match = pairwise_loss(name).match;
    require(match != nullptr, Code::Option, "Expected a loss that sorts over the update but received \"",
            name, "\", which needs no matches.");
    require(logprobs.size() == reference.size() && logprobs.size() % 2 == 0, Code::Shape,
            "Expected log-probs and reference log-probs of both sides of every pair but received ",
            logprobs.size(), " and ", reference.size(), " numbers.");
    for (size_t i = 0; i < logprobs.size(); ++i)
        require(std::isfinite(logprobs[i]) && std::isfinite(reference[i]), Code::NotFinite,
                "Expected finite log-probs to sort but received ", logprobs[i], " and ", reference[i],
                " for completion ", i, ".");
    std::vector<double> matches(logprobs.size());
    match(matches.data(), logprobs.data(), reference.data(), static_cast<int64_t>(logprobs.size() / 2));
    return matches;
}

}  // namespace attune
