// Draws tokens from rows of fp32 logits. Filters are thresholds on the logits, found by radix descent over
// their bits instead of sorting the vocabulary. Templates on the vector type only; included after a vec_*.h,
// behind head.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/ops.h"
#include "core/scratch.h"
#include "core/threads.h"
#include "cpu/head.h"
#include "cpu/vec_math.h"

namespace attune {
namespace {

// Buckets of one level of the descent: 11, 11 and 10 bits of an ordered key.
inline constexpr int kLevelBits[3] = {11, 11, 10};
inline constexpr int64_t kBuckets = 1 << 11;

// What a worker keeps of one row.
struct SampleWork {
    float* powers;    // [V] e^z of the kept tokens, 0 of the others
    double* blocks;   // [ceil(V / kHeadBlock)] sums of powers
    double* buckets;  // [kBuckets]
    float* saved;     // [most seen] logits before the penalty
};

// A softmax over a row: log p(v) = (x[v] - high) / T - log_total.
struct Softmax {
    float high;
    double temperature;
    double log_total;

    float logprob(float x) const {
        return static_cast<float>((static_cast<double>(x) - static_cast<double>(high)) / temperature -
                                  log_total);
    }
};

// Ascending as the floats are.
inline uint32_t ordered_key(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
inline float from_ordered_key(uint32_t key) {
    return std::bit_cast<float>(key >> 31 != 0 ? key & 0x7fffffffu : ~key);
}

// The largest t so that the weights of {x >= t} add up to `wanted`; at least the smallest x with a weight.
// Sums go over the ids in order, bucket by bucket from the largest logits down.
template <class Weigh>
float threshold_of(const float* x, int64_t n, double wanted, double* buckets, const Weigh& weigh) {
    uint32_t prefix = 0, known = 0;  // bits of the key found so far, and their mask
    double above = 0;                // weight of all larger keys
    int shift = 32;
    for (const int bits : kLevelBits) {
        shift -= bits;
        std::fill(buckets, buckets + kBuckets, 0.0);
        const uint32_t mask = (1u << bits) - 1;
        for (int64_t v = 0; v < n; ++v) {
            const uint32_t key = ordered_key(x[v]);
            if ((key & known) == prefix) buckets[key >> shift & mask] += weigh(v);
        }
        int64_t found = -1;
        double reached = above;
        for (int64_t bucket = mask; bucket >= 0; --bucket) {
            if (buckets[bucket] <= 0) continue;
            above = reached;
            reached += buckets[bucket];
            found = bucket;
            if (reached >= wanted) break;
        }
        if (found < 0) return -std::numeric_limits<float>::infinity();
        prefix |= static_cast<uint32_t>(found) << shift;
        known |= mask << shift;
    }
    return from_ordered_key(prefix);
}

// powers[n] = e^z where x >= least, else 0, and their sums by block; returns the sum of all.
template <class V>
double fill_powers(const SampleWork& work, const float* x, int64_t n, float high, float inverse,
                   float least) {
    const V floor = V::set(least);
    double sum = 0;
    int64_t block = 0;
    V total = V::zero();
    each_shifted<V>(
        x, n, high, inverse,
        [&](V z, int64_t j, int64_t count) {
            const V at = count == V::kLanes ? V::load(x + j) : V::load(x + j, count);
            const V power = V::select(at >= floor, vec_exp(z), V::zero());
            total = total + power;
            count == V::kLanes ? power.store(work.powers + j) : power.store(work.powers + j, count);
        },
        [&] {
            work.blocks[block] = total.reduce_add_double();
            sum += work.blocks[block++];
            total = V::zero();
        });
    return sum;
}

// The least logit that top-k, top-p and min-p keep together. powers hold e^z of the whole row.
inline float least_kept(const SampleWork& work, const float* x, int64_t n, float high,
                        const SampleSettings& settings, double total) {
    float least = -std::numeric_limits<float>::infinity();
    if (settings.top_k > 0 && settings.top_k < n)
        least = threshold_of(x, n, static_cast<double>(settings.top_k), work.buckets,
                             [](int64_t) { return 1.0; });
    if (settings.top_p < 1) {
        const auto weigh = [&](int64_t v) {
            return x[v] >= least ? static_cast<double>(work.powers[v]) : 0.0;
        };
        double mass = total;
        if (settings.top_k > 0 && settings.top_k < n) {
            mass = 0;
            for (int64_t v = 0; v < n; ++v) mass += weigh(v);
        }
        least = std::max(least,
                         threshold_of(x, n, static_cast<double>(settings.top_p) * mass, work.buckets, weigh));
    }
    if (settings.min_p > 0) {
        const double reach =
            std::log(static_cast<double>(settings.min_p)) * static_cast<double>(settings.temperature);
        least = std::max(least, static_cast<float>(static_cast<double>(high) + reach));
    }
    return std::min(least, high);
}

// The first id at which the powers, added in id order, pass `aim`. Rounding can keep the sum from getting
// there: then the last id with any power.
template <class V>
int32_t draw_token(const SampleWork& work, int64_t n, double aim) {
    double sum = 0;
    int64_t last = 0;  // the last block with any weight that was not passed
    const int64_t blocks = (n + kHeadBlock<V> - 1) / kHeadBlock<V>;
    for (int64_t block = 0; block < blocks; ++block) {
        if (work.blocks[block] <= 0) continue;
        last = block;
        if (sum + work.blocks[block] > aim) break;
        sum += work.blocks[block];
    }
    int64_t token = last * kHeadBlock<V>;
    for (int64_t v = token; v < std::min(n, (last + 1) * kHeadBlock<V>); ++v) {
        if (work.powers[v] <= 0) continue;
        token = v;
        sum += static_cast<double>(work.powers[v]);
        if (sum > aim) break;
    }
    return static_cast<int32_t>(token);
}

// Logits of tokens seen before move away from being drawn again; the old ones are kept.
inline void penalise(float* x, const SampleRow& row, float penalty, float* saved) {
    for (int64_t i = 0; i < row.seen_count; ++i) {
        float& logit = x[row.seen[i]];
        saved[i] = logit;
        logit = logit > 0 ? logit / penalty : logit * penalty;
    }
}

inline float logit_before_penalty(const float* x, const SampleRow& row, const float* saved, int32_t token) {
    for (int64_t i = 0; i < row.seen_count; ++i)
        if (row.seen[i] == token) return saved[i];
    return x[token];
}

inline int32_t lowest_argmax(const float* x, int64_t first, float high) {
    while (x[first] != high) ++first;
    return static_cast<int32_t>(first);
}

template <class V>
void sample_row(const Samples& out, float* x, int64_t n, const SampleRow& row, const SampleSettings& settings,
                const SampleWork& work, int64_t index) {
    const bool greedy = settings.temperature == 0;
    const float T = greedy ? 1.0f : settings.temperature;
    const bool penalised = settings.penalty != 1.0f && row.seen_count > 0;
    constexpr float kAll = -std::numeric_limits<float>::infinity();
    out.token[index] = -1;
    out.logprob[index] = out.model_logprob[index] = std::numeric_limits<float>::quiet_NaN();
    HeadPeak peak = head_peak<V>(x, n);
    if (!peak.defined()) return;
    double total = fill_powers<V>(work, x, n, peak.high, 1.0f / T, kAll);
    const Softmax model{peak.high, static_cast<double>(T), std::log(total)};
    if (penalised) penalise(x, row, settings.penalty, work.saved);
    const int64_t ids = settings.vocabulary;
    if (penalised || ids < n) {
        peak = head_peak<V>(x, ids);
        if (!peak.defined()) return;
        total = fill_powers<V>(work, x, ids, peak.high, 1.0f / T, kAll);
    }
    int32_t token = 0;
    if (greedy) {
        token = lowest_argmax(x, peak.block, peak.high);
    } else {
        const float least = least_kept(work, x, ids, peak.high, settings, total);
        if (least > kAll) total = fill_powers<V>(work, x, ids, peak.high, 1.0f / T, least);
        token = draw_token<V>(work, ids, static_cast<double>(row.uniform) * total);
    }
    const Softmax drawn{peak.high, static_cast<double>(T), std::log(total)};
    out.token[index] = token;
    out.logprob[index] = drawn.logprob(x[token]);
    out.model_logprob[index] =
        model.logprob(penalised ? logit_before_penalty(x, row, work.saved, token) : x[token]);
}

inline bool sample_fits(const Mat& logits, const SampleRow* rows, const SampleSettings& settings) {
    const bool numbers = settings.temperature >= 0 && settings.top_k >= 0 && settings.top_p > 0 &&
                         settings.min_p >= 0 && settings.min_p <= 1 && settings.penalty > 0;
    if (!numbers || logits.dtype != DType::F32 || settings.vocabulary <= 0 ||
        settings.vocabulary > logits.cols)
        return false;
    for (int64_t row = 0; row < logits.rows; ++row)
        for (int64_t i = 0; i < rows[row].seen_count; ++i)
            if (rows[row].seen[i] < 0 || rows[row].seen[i] >= logits.cols) return false;
    return true;
}

template <class V>
Status sample(Samples out, Mat logits, const SampleRow* rows, SampleSettings settings, Stream* stream) {
    if (!sample_fits(logits, rows, settings)) return Status::Shape;
    const int64_t n = logits.cols;
    const int64_t blocks = (n + kHeadBlock<V> - 1) / kHeadBlock<V>;
    int64_t seen = 0;
    for (int64_t row = 0; row < logits.rows; ++row) seen = std::max(seen, rows[row].seen_count);
    const auto doubles = static_cast<size_t>((blocks + kBuckets) * 8);
    const size_t bytes = (doubles + static_cast<size_t>(n + seen) * 4 + 63) / 64 * 64;
    auto* memory = static_cast<std::byte*>(
        stream->scratch->try_slot(0, static_cast<size_t>(stream->pool->threads()) * bytes));
    if (memory == nullptr) return Status::Memory;
    stream->pool->parallel(logits.rows, [&](int64_t row, int worker) {
        auto* at = memory + static_cast<size_t>(worker) * bytes;
        SampleWork work{};
        work.blocks = reinterpret_cast<double*>(at);
        work.buckets = work.blocks + blocks;
        work.powers = reinterpret_cast<float*>(at + doubles);
        work.saved = work.powers + n;
        sample_row<V>(out, static_cast<float*>(logits.data) + row * logits.stride, n, rows[row], settings,
                      work, row);
    });
    return Status::Ok;
}

}  // namespace
}  // namespace attune
