// Softmax over one row by one block: what the head's statistics, its gradient and the sampler share, so that
// their log-probs are the same bits. Knows no op.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// Takes the place of -infinity, so that 0 * log 0 is 0 and not NaN.
constexpr float kLogFloor = -1e30f;
constexpr float kInfinity = __builtin_inff();

// With z = (x - high) / temperature.
struct RowSums {
    float high;       // maximum; NaN poisons `logits` instead
    double total;     // sum of e^z
    double weighted;  // sum of z e^z
    double logits;    // sum of x
    int32_t argmax;   // lowest id of the maximum

    // Softmax is defined: no NaN, no +infinity, not everything -infinity.
    __device__ bool defined() const { return high < kInfinity && high > -kInfinity && logits == logits; }
    __device__ double log_total() const { return log(total); }
    __device__ double entropy() const { return log(total) - weighted / total; }
    __device__ double logprob(float x, float temperature) const {
        return (static_cast<double>(x) - static_cast<double>(high)) / static_cast<double>(temperature) -
               log(total);
    }
};

// Shared memory of row_sums(), one slot per warp.
struct RowSlots {
    double doubles[kThreads / kWarp];
    float floats[kThreads / kWarp];
    int32_t integers[kThreads / kWarp];
};

struct Larger {
    __device__ float operator()(float a, float b) const { return b > a ? b : a; }
};
struct Lower {
    __device__ int32_t operator()(int32_t a, int32_t b) const { return b < a ? b : a; }
};

__device__ inline float shifted(float x, float high, float inverse) {
    return fmaxf((x - high) * inverse, kLogFloor);
}

// A thread's part, in one pass: sums are rescaled when a larger logit comes.
struct RunningSums {
    static constexpr int kTerms = 4;  // that are added in fp32 before they join a double
    float high = -kInfinity;
    int32_t argmax = INT32_MAX;
    double total = 0, weighted = 0, logits = 0;
    float inverse;

    __device__ explicit RunningSums(float inverse_temperature) : inverse(inverse_temperature) {}

    __device__ void rescale(float to) {
        if (high == -kInfinity || high == to) return;
        const float z = shifted(high, to, inverse);
        const auto factor = static_cast<double>(expf(z));
        weighted = (weighted + total * static_cast<double>(z)) * factor;
        total *= factor;
    }
    // values[count] of ids from `first` on
    __device__ void add(const float (&values)[kTerms], int count, int64_t first) {
        float most = high, sum = 0;
        for (int i = 0; i < kTerms && i < count; ++i) {
            sum += values[i];
            if (values[i] > most) {
                most = values[i];
                argmax = static_cast<int32_t>(first + i);
            }
        }
        logits += static_cast<double>(sum);
        rescale(most);
        high = most;
        if (most == -kInfinity) return;
        float powers = 0, products = 0;
        for (int i = 0; i < kTerms && i < count; ++i) {
            const float z = shifted(values[i], most, inverse), power = expf(z);
            powers += power;
            products = fmaf(z, power, products);
        }
        total += static_cast<double>(powers);
        weighted += static_cast<double>(products);
    }
};

constexpr int64_t kRowTile = int64_t{kThreads} * RunningSums::kTerms;
constexpr int kTilesAhead = 4;  // that are on their way before the first is added
constexpr int64_t kStretch = kTilesAhead * kRowTile;

// x[first..first + 3], whatever lies behind n as 0. The order of sums does not depend on how rows lie.
__device__ inline void load_four(float (&values)[RunningSums::kTerms], const float* x, int64_t first,
                                 int64_t n, bool wide) {
    constexpr int kTerms = RunningSums::kTerms;
    if (wide && first + kTerms <= n) return load_numbers<kTerms>(values, x + first);
    for (int i = 0; i < kTerms; ++i) values[i] = first + i < n ? x[first + i] : 0.0f;
}

// visit(values, count, first) for every four ids of the thread, ascending, by all threads (count is not above
// 0 behind the row's end); then end(stretch) after each kStretch ids of the row.
template <class Visit, class End>
__device__ inline void each_four(const float* x, int64_t n, const Visit& visit, const End& end) {
    constexpr int kTerms = RunningSums::kTerms;
    const bool wide = reinterpret_cast<uintptr_t>(x) % 16 == 0;
    for (int64_t stretch = 0; stretch < n; stretch += kStretch) {
        const int64_t first = stretch + int64_t{threadIdx.x} * kTerms;
        float values[kTilesAhead][kTerms];
#pragma unroll
        for (int tile = 0; tile < kTilesAhead; ++tile)
            load_four(values[tile], x, first + tile * kRowTile, n, wide);
#pragma unroll
        for (int tile = 0; tile < kTilesAhead; ++tile) {
            const int64_t at = first + tile * kRowTile, left = n - at;
            visit(values[tile], static_cast<int>(left < kTerms ? left : kTerms), at);
        }
        end(stretch);
    }
}

// All threads of the block get the sums of x[n], of those x >= least alone. `own` are the thread's, which
// end() sees.
template <class End>
__device__ inline RowSums row_sums(RunningSums& own, const float* x, int64_t n, RowSlots& slots, float least,
                                   const End& end) {
    constexpr int kTerms = RunningSums::kTerms;
    each_four(
        x, n,
        [&](float(&values)[kTerms], int count, int64_t first) {
            for (int i = 0; i < kTerms; ++i)
                if (values[i] < least) values[i] = -kInfinity;
            own.add(values, count, first);
        },
        end);
    RowSums sums{};
    sums.high = block_combine(own.high, slots.floats, Larger{});
    sums.argmax = block_combine(own.high == sums.high ? own.argmax : INT32_MAX, slots.integers, Lower{});
    if (sums.argmax == INT32_MAX) sums.argmax = 0;
    RunningSums scaled = own;
    scaled.rescale(sums.high);
    sums.total = block_sum(scaled.total, slots.doubles);
    sums.weighted = block_sum(scaled.weighted, slots.doubles);
    sums.logits = block_sum(scaled.logits, slots.doubles);
    return sums;
}
__device__ inline RowSums row_sums(const float* x, int64_t n, float inverse, RowSlots& slots) {
    RunningSums own(inverse);
    return row_sums(own, x, n, slots, -kInfinity, [](int64_t) {});
}

}  // namespace attune::gpu
