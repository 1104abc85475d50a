// Drawing from a row of logits in plain double precision, by sorting. The specification of sampling.h; must
// not include it. One row at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/ops.h"

namespace attune::reference {

// Probabilities [V] of what is drawn; 0 where a filter took a token away.
struct Drawing {
    std::vector<double> probabilities;
    std::vector<double> model;  // [V] log-probs at the temperature, before penalty and filters
};

inline std::vector<double> softmax_of(const std::vector<double>& x, const std::vector<bool>& kept, double T) {
    double high = -1e300, sum = 0;
    for (size_t v = 0; v < x.size(); ++v)
        if (kept[v]) high = std::max(high, x[v]);
    std::vector<double> p;
    for (size_t v = 0; v < x.size(); ++v) p.push_back(kept[v] ? std::exp((x[v] - high) / T) : 0.0);
    for (const double value : p) sum += value;
    for (double& value : p) value /= sum;
    return p;
}

inline Drawing drawing(std::vector<double> x, const std::vector<int32_t>& seen, const SampleSettings& s) {
    const bool greedy = s.temperature == 0;
    const double T = greedy ? 1.0 : static_cast<double>(s.temperature);
    Drawing result;
    std::vector<bool> kept(x.size(), true);
    for (const double p : softmax_of(x, kept, T)) result.model.push_back(std::log(p));
    // Rounded to fp32 as the logits themselves are.
    const double penalty = static_cast<double>(s.penalty);
    for (const int32_t id : seen) {
        double& logit = x[static_cast<size_t>(id)];
        logit = static_cast<double>(static_cast<float>(logit > 0 ? logit / penalty : logit * penalty));
    }
    for (size_t v = static_cast<size_t>(s.vocabulary); v < x.size(); ++v) kept[v] = false;
    const auto keep_if = [&](const std::function<bool(size_t)>& wanted) {
        std::vector<bool> next(kept);
        for (size_t v = 0; v < x.size(); ++v) next[v] = kept[v] && wanted(v);
        kept = next;
    };
    if (!greedy && s.top_k > 0 && s.top_k < s.vocabulary) {
        std::vector<double> sorted(x.begin(), x.begin() + s.vocabulary);
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const double least = sorted[static_cast<size_t>(s.top_k) - 1];
        keep_if([&](size_t v) { return x[v] >= least; });
    }
    if (!greedy && s.top_p < 1) {
        const std::vector<double> p = softmax_of(x, kept, T);
        keep_if([&](size_t v) {
            double likelier = 0;
            for (size_t other = 0; other < x.size(); ++other)
                if (kept[other] && x[other] > x[v]) likelier += p[other];
            return likelier < static_cast<double>(s.top_p);
        });
    }
    if (!greedy && s.min_p > 0) {
        const std::vector<double> p = softmax_of(x, kept, T);
        const double most = *std::max_element(p.begin(), p.end());
        keep_if([&](size_t v) { return p[v] >= static_cast<double>(s.min_p) * most; });
    }
    result.probabilities = softmax_of(x, kept, T);
    return result;
}

}  // namespace attune::reference
