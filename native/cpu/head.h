// Rows of fp32 logits: log-prob, entropy, divergences, argmax, and the gradient of a loss in place.
// Reads a row two or three times; while it is in the cache that costs less than the exponentials.
// Templates on the vector type only; must not include a vec_*.h, which are chosen by the translation unit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/ops.h"
#include "core/threads.h"
#include "cpu/rows_io.h"
#include "cpu/vec_math.h"

namespace attune {

// Terms added in float lanes before they join a double: keeps log-sum-exp over a vocabulary within 1e-6.
template <class V>
constexpr int64_t kHeadBlock = 32 * V::kLanes;
// Takes the place of -infinity, so that 0 * log 0 is 0 and not NaN.
constexpr float kHeadFloor = -1e30f;

// Structs with functions are per translation unit, as the vector types are.
namespace {

// First look at a row x[V].
struct HeadPeak {
    float high;     // maximum; NaN poisons `sum` instead
    double sum;     // of all logits
    int64_t block;  // start of the first block that holds the maximum

    // Softmax is defined: no NaN, no +infinity, not everything -infinity.
    bool defined() const {
        constexpr float kInfinity = std::numeric_limits<float>::infinity();
        return high < kInfinity && high > -kInfinity && sum == sum;
    }
};

// With z relative to the maximum and divided by the temperature.
struct HeadSums {
    double total;     // sum of e^z
    double weighted;  // sum of z e^z

    double log_total() const { return std::log(total); }
    double entropy() const { return log_total() - weighted / total; }
};

// Both distributions of a row and their divergences.
struct HeadPair {
    HeadPeak p_peak, q_peak;
    double p_total, q_total;  // sum of e^z
    double p_gap;             // mean under p of z - z of the reference
    double kl, reverse_kl;    // KL(p||q), KL(q||p)
};

}  // namespace

template <class V>
HeadPeak head_peak(const float* x, int64_t n) {
    const V nothing = V::set(-std::numeric_limits<float>::infinity());
    HeadPeak peak{-std::numeric_limits<float>::infinity(), 0, 0};
    for (int64_t block = 0; block < n; block += kHeadBlock<V>) {
        const int64_t end = block + kHeadBlock<V> < n ? block + kHeadBlock<V> : n;
        V most = nothing, sum = V::zero();
        int64_t j = block;
        for (; j + V::kLanes <= end; j += V::kLanes) {
            const V value = V::load(x + j);
            most = V::max(most, value);
            sum = sum + value;
        }
        if (j < end) {
            const V value = V::load(x + j, end - j);
            most = V::max(most, V::select(V::Mask::first(end - j), value, nothing));
            sum = sum + value;
        }
        peak.sum += sum.reduce_add_double();
        const float high = most.reduce_max();
        if (high > peak.high) {
            peak.high = high;
            peak.block = block;
        }
    }
    return peak;
}

template <class V>
inline V head_shifted(V x, V high, V inverse) {
    return V::max((x - high) * inverse, V::set(kHeadFloor));
}

// Calls body(z, j, count) over a row, block by block, with z = max((x - high) / temperature, floor) and the
// floor behind the row's end; then done() after each block.
template <class V, class Body, class Done>
inline void each_shifted(const float* x, int64_t n, float high, float inverse, Body&& body, Done&& done) {
    const V shift = V::set(high), factor = V::set(inverse);
    for (int64_t block = 0; block < n; block += kHeadBlock<V>) {
        const int64_t end = block + kHeadBlock<V> < n ? block + kHeadBlock<V> : n;
        int64_t j = block;
        for (; j + V::kLanes <= end; j += V::kLanes)
            body(head_shifted(load_ahead<V>(x + j, n, Whole{}), shift, factor), j, V::kLanes);
        if (j < end) {
            const V z = head_shifted(V::load(x + j, end - j), shift, factor);
            body(V::select(V::Mask::first(end - j), z, V::set(kHeadFloor)), j, end - j);
        }
        done();
    }
}

template <class V>
HeadSums head_sums(const float* x, int64_t n, float high, float inverse) {
    HeadSums sums{0, 0};
    V total = V::zero(), weighted = V::zero();
    each_shifted<V>(
        x, n, high, inverse,
        [&](V z, int64_t, int64_t) {
            const V power = vec_exp(z);
            total = total + power;
            weighted = V::fma(z, power, weighted);
        },
        [&] {
            sums.total += total.reduce_add_double();
            sums.weighted += weighted.reduce_add_double();
            total = weighted = V::zero();
        });
    return sums;
}

template <class V>
HeadPair head_pair(const float* x, const float* y, int64_t n, float inverse) {
    HeadPair pair{head_peak<V>(x, n), head_peak<V>(y, n), 0, 0, 0, 0, 0};
    if (!pair.p_peak.defined() || !pair.q_peak.defined()) {
        pair.kl = pair.reverse_kl = std::numeric_limits<double>::quiet_NaN();
        return pair;
    }
    const V q_high = V::set(pair.q_peak.high), factor = V::set(inverse), floor = V::set(kHeadFloor);
    double p_mean = 0, q_mean = 0;  // sums of e^z (z - z of the other)
    V p_total = V::zero(), q_total = V::zero(), p_gap = V::zero(), q_gap = V::zero();
    each_shifted<V>(
        x, n, pair.p_peak.high, inverse,
        [&](V zp, int64_t j, int64_t count) {
            V zq = head_shifted(count == V::kLanes ? V::load(y + j) : V::load(y + j, count), q_high, factor);
            if (count < V::kLanes) zq = V::select(V::Mask::first(count), zq, floor);
            const V p = vec_exp(zp), q = vec_exp(zq), gap = zp - zq;
            p_total = p_total + p;
            q_total = q_total + q;
            p_gap = V::fma(p, gap, p_gap);
            q_gap = V::fnma(q, gap, q_gap);
        },
        [&] {
            pair.p_total += p_total.reduce_add_double();
            pair.q_total += q_total.reduce_add_double();
            p_mean += p_gap.reduce_add_double();
            q_mean += q_gap.reduce_add_double();
            p_total = q_total = p_gap = q_gap = V::zero();
        });
    const double difference = std::log(pair.q_total) - std::log(pair.p_total);
    pair.p_gap = p_mean / pair.p_total;
    pair.kl = pair.p_gap + difference;
    pair.reverse_kl = q_mean / pair.q_total - difference;
    return pair;
}

template <class V>
void head_stats_row(const HeadStats& out, const float* x, int64_t n, const int32_t* targets,
                    float temperature, int64_t row) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const HeadPeak peak = head_peak<V>(x, n);
    if (out.mean_logit != nullptr)
        out.mean_logit[row] = static_cast<float>(peak.sum / static_cast<double>(n));
    if (out.argmax != nullptr) {
        int64_t best = peak.block;
        while (best + 1 < n && x[best] != peak.high) ++best;
        out.argmax[row] = static_cast<int32_t>(best);
    }
    if (out.logprob == nullptr && out.logsumexp == nullptr && out.entropy == nullptr) return;
    const double T = static_cast<double>(temperature), high = static_cast<double>(peak.high);
    const bool defined = peak.defined();
    const HeadSums sums = defined ? head_sums<V>(x, n, peak.high, 1.0f / temperature) : HeadSums{nan, nan};
    if (out.logsumexp != nullptr)
        out.logsumexp[row] = static_cast<float>(defined ? high / T + sums.log_total() : nan);
    if (out.entropy != nullptr) out.entropy[row] = static_cast<float>(sums.entropy());
    if (out.logprob != nullptr) {
        const double target = static_cast<double>(x[targets[row]]);
        out.logprob[row] = static_cast<float>(defined ? (target - high) / T - sums.log_total() : nan);
    }
}

template <class V>
void head_fill(float* x, int64_t n, float value) {
    for (int64_t j = 0; j < n; ++j) x[j] = value;
}

// x = w/T (1[target] - p): the exponentials are stored on the way and then only scaled.
template <class V>
void head_logprob_gradient(float* x, int64_t n, int32_t target, float w, float temperature) {
    const HeadPeak peak = head_peak<V>(x, n);
    if (!peak.defined()) return head_fill<V>(x, n, std::numeric_limits<float>::quiet_NaN());
    double sum = 0;
    V total = V::zero();
    each_shifted<V>(
        x, n, peak.high, 1.0f / temperature,
        [&](V z, int64_t j, int64_t count) {
            const V power = vec_exp(z);
            total = total + power;
            if (count == V::kLanes)
                power.store(x + j);
            else
                power.store(x + j, count);
        },
        [&] {
            sum += total.reduce_add_double();
            total = V::zero();
        });
    const double weight = static_cast<double>(w) / static_cast<double>(temperature);
    const V factor = V::set(static_cast<float>(-weight / sum));
    int64_t j = 0;
    for (; j + V::kLanes <= n; j += V::kLanes) (V::load(x + j) * factor).store(x + j);
    if (j < n) (V::load(x + j, n - j) * factor).store(x + j, n - j);
    x[target] += static_cast<float>(weight);
}

// Weights of one row: w, e, c, u of the formula in core/ops.h.
struct HeadRowWeights {
    float w, e, c, u;
};

// x = { p (u - w - e (log p + H) + c (log p - log q - KL)) - u q + w 1[target] } / T;  y null when c = u = 0.
// log p + H = z - mean z and log p - log q - KL = gap - mean gap: the large constants cancel before they
// round.
template <class V>
void head_full_gradient(float* x, const float* y, int64_t n, int32_t target, HeadRowWeights weights,
                        float temperature) {
    const float inverse = 1.0f / temperature;
    HeadPair pair{};
    if (y != nullptr)
        pair = head_pair<V>(x, y, n, inverse);
    else
        pair.p_peak = head_peak<V>(x, n);
    if (!pair.p_peak.defined() || !pair.q_peak.defined())
        return head_fill<V>(x, n, std::numeric_limits<float>::quiet_NaN());
    const bool reads_p = weights.e != 0.0f || y == nullptr;
    const HeadSums sums = reads_p ? head_sums<V>(x, n, pair.p_peak.high, inverse) : HeadSums{pair.p_total, 0};
    const double T = static_cast<double>(temperature);
    const V base =
        V::set(static_cast<float>((static_cast<double>(weights.u) - static_cast<double>(weights.w)) / T));
    const V z_mean = V::set(static_cast<float>(sums.weighted / sums.total));
    const V z_slope = V::set(static_cast<float>(static_cast<double>(weights.e) / T));
    const V gap_mean = V::set(static_cast<float>(pair.p_gap));
    const V gap_slope = V::set(static_cast<float>(static_cast<double>(weights.c) / T));
    const V p_scale = V::set(static_cast<float>(1 / sums.total));
    const V q_scale =
        V::set(y == nullptr ? 0.0f : static_cast<float>(static_cast<double>(weights.u) / T / pair.q_total));
    const V q_high = V::set(pair.q_peak.high), factor = V::set(inverse);
    each_shifted<V>(
        x, n, pair.p_peak.high, inverse,
        [&](V zp, int64_t j, int64_t count) {
            V inner = V::fnma(z_slope, zp - z_mean, base), rest = V::zero();
            if (y != nullptr) {
                const V zq =
                    head_shifted(count == V::kLanes ? V::load(y + j) : V::load(y + j, count), q_high, factor);
                inner = V::fma(gap_slope, zp - zq - gap_mean, inner);
                rest = vec_exp(zq) * q_scale;
            }
            const V gradient = V::fma(vec_exp(zp) * p_scale, inner, V::zero() - rest);
            if (count == V::kLanes)
                gradient.store(x + j);
            else
                gradient.store(x + j, count);
        },
        [] {});
    x[target] += static_cast<float>(static_cast<double>(weights.w) / T);
}

template <class V>
void head_gradient_row(float* x, const float* y, int64_t n, int32_t target, HeadRowWeights weights,
                       float temperature) {
    const bool reads_q = weights.c != 0.0f || weights.u != 0.0f;
    if (reads_q || weights.e != 0.0f)
        head_full_gradient<V>(x, reads_q ? y : nullptr, n, target, weights, temperature);
    else if (weights.w != 0.0f)
        head_logprob_gradient<V>(x, n, target, weights.w, temperature);
    else
        head_fill<V>(x, n, 0.0f);
}

// Calls body(row) for every row. Short rows share a task, and some long ones, as a row asks for the next one.
template <class V, class Body>
void each_head_row(int64_t rows, int64_t V_size, Stream* stream, Body&& body) {
    const int64_t share = rows / (int64_t{4} * stream->pool->threads());
    const int64_t together =
        std::max(std::clamp(share, int64_t{1}, int64_t{4}), 8192 / std::max<int64_t>(1, V_size));
    parallel_blocks(stream, rows, together, [&](int64_t first, int64_t count) {
        for (int64_t row = first; row < first + count; ++row) body(row);
    });
}

template <class V>
bool head_fits(const ConstMat& logits, const int32_t* targets, float temperature) {
    if (logits.dtype != DType::F32 || !(temperature > 0.0f)) return false;
    if (logits.rows > 0 && logits.cols <= 0) return false;
    for (int64_t row = 0; targets != nullptr && row < logits.rows; ++row)
        if (targets[row] < 0 || targets[row] >= logits.cols) return false;
    return true;
}

template <class V>
bool head_matches(const ConstMat& logits, const ConstMat& reference) {
    return reference.dtype == DType::F32 && reference.rows == logits.rows && reference.cols == logits.cols &&
           (logits.rows == 0 || reference.data != nullptr);
}

template <class V>
Status head_stats(HeadStats out, ConstMat logits, const int32_t* targets, float temperature, Stream* stream) {
    if (!head_fits<V>(logits, out.logprob == nullptr ? nullptr : targets, temperature)) return Status::Shape;
    if (out.logprob != nullptr && targets == nullptr && logits.rows > 0) return Status::Shape;
    each_head_row<V>(logits.rows, logits.cols, stream, [&](int64_t row) {
        const float* x = static_cast<const float*>(logits.data) + row * logits.stride;
        head_stats_row<V>(out, x, logits.cols, targets, temperature, row);
    });
    return Status::Ok;
}

template <class V>
Status head_kl(float* kl, float* reverse_kl, ConstMat logits, ConstMat reference_logits, float temperature,
               Stream* stream) {
    if (!head_fits<V>(logits, nullptr, temperature) || !head_matches<V>(logits, reference_logits))
        return Status::Shape;
    each_head_row<V>(logits.rows, logits.cols, stream, [&](int64_t row) {
        const float* x = static_cast<const float*>(logits.data) + row * logits.stride;
        const float* y = static_cast<const float*>(reference_logits.data) + row * reference_logits.stride;
        const HeadPair pair = head_pair<V>(x, y, logits.cols, 1.0f / temperature);
        if (kl != nullptr) kl[row] = static_cast<float>(pair.kl);
        if (reverse_kl != nullptr) reverse_kl[row] = static_cast<float>(pair.reverse_kl);
    });
    return Status::Ok;
}

template <class V>
Status head_gradient(Mat logits, ConstMat reference_logits, const int32_t* targets, HeadWeights weights,
                     float temperature, Stream* stream) {
    if (!head_fits<V>(logits, targets, temperature) || (targets == nullptr && logits.rows > 0))
        return Status::Shape;
    const bool reads_q = weights.kl != nullptr || weights.reverse_kl != nullptr;
    if (reads_q && !head_matches<V>(logits, reference_logits)) return Status::Shape;
    const auto weight = [](const float* list, int64_t row) { return list == nullptr ? 0.0f : list[row]; };
    each_head_row<V>(logits.rows, logits.cols, stream, [&](int64_t row) {
        float* x = static_cast<float*>(logits.data) + row * logits.stride;
        const float* y =
            reads_q ? static_cast<const float*>(reference_logits.data) + row * reference_logits.stride
                    : nullptr;
        const HeadRowWeights own{weight(weights.logprob, row), weight(weights.entropy, row),
                                 weight(weights.kl, row), weight(weights.reverse_kl, row)};
        head_gradient_row<V>(x, y, logits.cols, targets[row], own, temperature);
    });
    return Status::Ok;
}

template <class V>
void fill_head(Ops& ops) {
    ops.head_stats = head_stats<V>;
    ops.head_kl = head_kl<V>;
    ops.head_gradient = head_gradient<V>;
}

}  // namespace attune
