// Losses of K scores of one prompt and the order that was given to them (semantics: reward model), for scores
// of a head as for s = beta d of log-probs. Header-only, for host and device; allocates nothing.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "loss/logistic_formula.h"

namespace attune {

struct Ranking {
    const int32_t* ranks;  // [count] 1 best, equal = tie
    int32_t count;         // K
    int32_t placed;        // items that have a place; the others are unordered below them. At most K
};

// Memory for one ranking at a time.
struct ListwiseSpace {
    int32_t* order;   // [K]
    double* subsets;  // [3 * 2^g], g the largest number of tied items
};

// Value; ds [K] +=. s [K].
using ListwiseFunction = double (*)(double* ds, const double* s, const Ranking& ranking,
                                    const ListwiseSpace& space);

// Exact sums over the orders of tied items take 2^g steps.
constexpr int32_t kLargestTie = 12;

inline double log_add(double a, double b) {
    const double high = a > b ? a : b;
    const double low = a > b ? b : a;
    return std::isinf(low) ? high : high + std::log1p(std::exp(low - high));
}

// log of the sum of e^s over order[first, last); -infinity of none.
inline double log_sum(const double* s, const int32_t* order, int32_t first, int32_t last) {
    double high = -std::numeric_limits<double>::infinity();
    for (int32_t i = first; i < last; ++i) high = s[order[i]] > high ? s[order[i]] : high;
    if (first >= last) return high;
    double sum = 0;
    for (int32_t i = first; i < last; ++i) sum += std::exp(s[order[i]] - high);
    return high + std::log(sum);
}

// ds += scale * exp(s - log_pool) over order[first, last).
inline void add_shares(double* ds, const double* s, const int32_t* order, int32_t first, int32_t last,
                       double log_pool, double scale) {
    for (int32_t i = first; i < last; ++i) ds[order[i]] += scale * std::exp(s[order[i]] - log_pool);
}

// Items by rank, equal ones by position.
inline void sort_by_rank(int32_t* order, const Ranking& ranking) {
    for (int32_t i = 0; i < ranking.count; ++i) {
        int32_t at = i;
        for (; at > 0 && ranking.ranks[order[at - 1]] > ranking.ranks[i]; --at) order[at] = order[at - 1];
        order[at] = i;
    }
}

// Where the items that are tied with order[first] end.
inline int32_t tie_end(const int32_t* order, const Ranking& ranking, int32_t first) {
    int32_t end = first + 1;
    while (end < ranking.count && ranking.ranks[order[end]] == ranking.ranks[order[first]]) ++end;
    return end;
}

// One place of a ranking: the tied items order[first, end), chosen from the pool order[first, K).
struct Place {
    const int32_t* order;
    int32_t first;
    int32_t end;
    int32_t count;  // K
};

using PlaceFunction = double (*)(double* ds, const double* s, const Place& place, double* subsets);

// The sum over places from the best down to the last one that counts. A pool of one has no loss.
inline double plackett_luce(PlaceFunction loss, double* ds, const double* s, const Ranking& ranking,
                            const ListwiseSpace& space) {
    sort_by_rank(space.order, ranking);
    double value = 0;
    for (int32_t first = 0; first < ranking.placed && first < ranking.count - 1;) {
        const int32_t end = tie_end(space.order, ranking, first);
        value += loss(ds, s, {space.order, first, end, ranking.count}, space.subsets);
        first = end;
    }
    return value;
}

// Every tied item against the whole pool: sum over them of lse(pool) - s_i.
inline double breslow_place(double* ds, const double* s, const Place& place, double* /*subsets*/) {
    const double log_pool = log_sum(s, place.order, place.first, place.count);
    const double tied = place.end - place.first;
    add_shares(ds, s, place.order, place.first, place.count, log_pool, tied);
    double value = tied * log_pool;
    for (int32_t i = place.first; i < place.end; ++i) {
        value -= s[place.order[i]];
        ds[place.order[i]] -= 1;
    }
    return value;
}

// log_pools[subset] = log of the sum of e^s over the subset of the tied items and all items below them.
inline void subset_pools(double* log_pools, const double* s, const Place& place) {
    log_pools[0] = log_sum(s, place.order, place.end, place.count);
    const uint32_t subsets = uint32_t{1} << (place.end - place.first);
    for (uint32_t subset = 1; subset < subsets; ++subset)
        log_pools[subset] =
            log_add(log_pools[subset & (subset - 1)], s[place.order[place.first + std::countr_zero(subset)]]);
}

// ds += scale * share of each item in the pool of a subset of the tied items.
inline void add_subset_shares(double* ds, const double* s, const Place& place, uint32_t subset,
                              double log_pool, double scale) {
    for (uint32_t left = subset; left != 0; left &= left - 1) {
        const int32_t item = place.order[place.first + std::countr_zero(left)];
        ds[item] += scale * std::exp(s[item] - log_pool);
    }
    add_shares(ds, s, place.order, place.end, place.count, log_pool, scale);
}

// Mean over the orders of the tied items of the negative log-likelihood. Each subset of n of them is what is
// left in 1 / C(g, n) of the orders.
inline double average_place(double* ds, const double* s, const Place& place, double* subsets) {
    const int32_t tied = place.end - place.first;
    subset_pools(subsets, s, place);
    double share[kLargestTie + 1];  // 1 / C(g, n)
    share[0] = 1;
    for (int32_t n = 1; n <= tied; ++n) share[n] = share[n - 1] * n / (tied - n + 1);
    double value = 0;
    for (uint32_t subset = 1; subset < uint32_t{1} << tied; ++subset) {
        const double scale = share[std::popcount(subset)];
        value += scale * subsets[subset];
        add_subset_shares(ds, s, place, subset, subsets[subset], scale);
    }
    for (int32_t i = place.first; i < place.end; ++i) {
        value -= s[place.order[i]];
        ds[place.order[i]] -= 1;
    }
    return value;
}

// -log of the summed probability of the orders of the tied items. f(S), the probability of the orders of the
// subset S that is left: f(S) = sum over i in S of e^{s_i} / pool(S) * f(S without i), f(none) = 1.
inline double marginal_place(double* ds, const double* s, const Place& place, double* subsets) {
    const uint32_t count = uint32_t{1} << (place.end - place.first);
    double* log_pools = subsets;
    double* log_f = subsets + count;
    double* adjoint = subsets + 2 * count;  // d log f(all) / d log f(S)
    subset_pools(log_pools, s, place);
    log_f[0] = 0;
    for (uint32_t subset = 1; subset < count; ++subset) {
        double sum = -std::numeric_limits<double>::infinity();
        for (uint32_t left = subset; left != 0; left &= left - 1) {
            const double score = s[place.order[place.first + std::countr_zero(left)]];
            sum = log_add(sum, score + log_f[subset & ~(left & (~left + 1))]);
        }
        log_f[subset] = sum - log_pools[subset];
        adjoint[subset] = 0;
    }
    adjoint[0] = 0;
    adjoint[count - 1] = 1;
    for (uint32_t subset = count - 1; subset > 0; --subset) {
        add_subset_shares(ds, s, place, subset, log_pools[subset], adjoint[subset]);
        for (uint32_t left = subset; left != 0; left &= left - 1) {
            const int32_t item = place.order[place.first + std::countr_zero(left)];
            const uint32_t rest = subset & ~(left & (~left + 1));
            const double share = std::exp(s[item] + log_f[rest] - log_f[subset] - log_pools[subset]);
            ds[item] -= adjoint[subset] * share;
            adjoint[rest] += adjoint[subset] * share;
        }
    }
    return -log_f[count - 1];
}

inline double plackett_luce_breslow(double* ds, const double* s, const Ranking& ranking,
                                    const ListwiseSpace& space) {
    return plackett_luce(breslow_place, ds, s, ranking, space);
}

inline double plackett_luce_average(double* ds, const double* s, const Ranking& ranking,
                                    const ListwiseSpace& space) {
    return plackett_luce(average_place, ds, s, ranking, space);
}

inline double plackett_luce_marginal(double* ds, const double* s, const Ranking& ranking,
                                     const ListwiseSpace& space) {
    return plackett_luce(marginal_place, ds, s, ranking, space);
}

// (1 / P) sum over the P pairs that count of Bradley-Terry's loss; a tied pair has the label tie_label, or
// none when that is below 0. Without pairs there is no loss.
inline double all_pairs(double* ds, const double* s, const Ranking& ranking, double tie_label) {
    int64_t pairs = 0;
    for (int32_t i = 0; i < ranking.count; ++i)
        for (int32_t j = 0; j < i; ++j) pairs += ranking.ranks[i] != ranking.ranks[j] || tie_label >= 0;
    if (pairs == 0) return 0;
    const double share = 1 / static_cast<double>(pairs);
    double value = 0;
    for (int32_t i = 0; i < ranking.count; ++i)
        for (int32_t j = 0; j < i; ++j) {
            const int32_t order = ranking.ranks[j] - ranking.ranks[i];
            if (order == 0 && tie_label < 0) continue;
            const double label = order > 0 ? 1 : order < 0 ? 0 : tie_label;
            const LogisticLoss pair = logistic_loss(s[i] - s[j], label);
            value += share * pair.value;
            ds[i] += share * pair.slope;
            ds[j] -= share * pair.slope;
        }
    return value;
}

inline double all_pairs_half(double* ds, const double* s, const Ranking& ranking,
                             const ListwiseSpace& /*space*/) {
    return all_pairs(ds, s, ranking, 0.5);
}

inline double all_pairs_drop(double* ds, const double* s, const Ranking& ranking,
                             const ListwiseSpace& /*space*/) {
    return all_pairs(ds, s, ranking, -1);
}

// lse(s) - s_best, best the one of rank 1.
inline double best_of_k(double* ds, const double* s, const Ranking& ranking, const ListwiseSpace& space) {
    int32_t best = 0;
    for (int32_t i = 0; i < ranking.count; ++i) {
        space.order[i] = i;
        if (ranking.ranks[i] == 1) best = i;
    }
    const double log_pool = log_sum(s, space.order, 0, ranking.count);
    add_shares(ds, s, space.order, 0, ranking.count, log_pool, 1);
    ds[best] -= 1;
    return log_pool - s[best];
}

}  // namespace attune
