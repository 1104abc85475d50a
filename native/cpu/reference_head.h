// Statistics, divergences and gradients over rows of logits in plain double precision. The specification of
// head.h; must not include it. One row at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace attune::reference {

struct HeadRow {
    std::vector<double> logp;  // [V] log of the probabilities at the temperature
    double logsumexp = 0;      // of logits / temperature
    double entropy = 0;
    double mean_logit = 0;
    int32_t argmax = 0;
};

inline HeadRow head_stats(const std::vector<double>& logits, double temperature) {
    HeadRow row;
    for (size_t v = 1; v < logits.size(); ++v)
        if (logits[v] > logits[static_cast<size_t>(row.argmax)]) row.argmax = static_cast<int32_t>(v);
    const double high = logits[static_cast<size_t>(row.argmax)] / temperature;
    double sum = 0;
    for (const double x : logits) {
        sum += std::exp(x / temperature - high);
        row.mean_logit += x / static_cast<double>(logits.size());
    }
    row.logsumexp = high + std::log(sum);
    for (const double x : logits) {
        row.logp.push_back(x / temperature - row.logsumexp);
        row.entropy -= std::exp(row.logp.back()) * row.logp.back();
    }
    return row;
}

// KL(p||q) of the policy's p and the reference's q; the reverse one by exchanging the arguments.
inline double head_kl(const std::vector<double>& logits, const std::vector<double>& reference,
                      double temperature) {
    const HeadRow p = head_stats(logits, temperature), q = head_stats(reference, temperature);
    double sum = 0;
    for (size_t v = 0; v < logits.size(); ++v) sum += std::exp(p.logp[v]) * (p.logp[v] - q.logp[v]);
    return sum;
}

struct HeadRowWeights {
    double logprob = 0, entropy = 0, kl = 0, reverse_kl = 0;
};

// w logp(target) + e H(p) + c KL(p||q) + u KL(q||p)
inline double head_objective(const std::vector<double>& logits, const std::vector<double>& reference,
                             int32_t target, const HeadRowWeights& weights, double temperature) {
    const HeadRow p = head_stats(logits, temperature);
    return weights.logprob * p.logp[static_cast<size_t>(target)] + weights.entropy * p.entropy +
           weights.kl * head_kl(logits, reference, temperature) +
           weights.reverse_kl * head_kl(reference, logits, temperature);
}

// dlogits[V] = gradient of head_objective (formula in core/ops.h)
inline std::vector<double> head_gradient(const std::vector<double>& logits,
                                         const std::vector<double>& reference, int32_t target,
                                         const HeadRowWeights& weights, double temperature) {
    const HeadRow p = head_stats(logits, temperature), q = head_stats(reference, temperature);
    const double kl = head_kl(logits, reference, temperature);
    std::vector<double> gradient;
    for (size_t v = 0; v < logits.size(); ++v) {
        const double at = std::exp(p.logp[v]);
        const double hit = static_cast<int64_t>(v) == target ? 1.0 : 0.0;
        gradient.push_back((weights.logprob * (hit - at) - weights.entropy * at * (p.logp[v] + p.entropy) +
                            weights.kl * at * (p.logp[v] - q.logp[v] - kl) +
                            weights.reverse_kl * (at - std::exp(q.logp[v]))) /
                           temperature);
    }
    return gradient;
}

}  // namespace attune::reference
