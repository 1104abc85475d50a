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

    __device__ void rescale(float to, float inverse) {
        if (high == -kInfinity || high == to) return;
        const float z = shifted(high, to, inverse);
        const auto factor = static_cast<double>(expf(z));
        weighted = (weighted + total * static_cast<double>(z)) * factor;
        total *= factor;
    }
    // values[count] of ids from `first` on, `step` apart
    __device__ void add(const float (&values)[kTerms], int count, int64_t first, int64_t step,
                        float inverse) {
        float most = high, sum = 0;
        for (int i = 0; i < count; ++i) {
            sum += values[i];
            if (values[i] > most) {
                most = values[i];
                argmax = static_cast<int32_t>(first + i * step);
            }
        }
        logits += static_cast<double>(sum);
        rescale(most, inverse);
        high = most;
        if (most == -kInfinity) return;
        float powers = 0, products = 0;
        for (int i = 0; i < count; ++i) {
            const float z = shifted(values[i], most, inverse), power = expf(z);
            powers += power;
            products = fmaf(z, power, products);
        }
        total += static_cast<double>(powers);
        weighted += static_cast<double>(products);
    }
};

// All threads of the block get the sums of x[n], those x >= least alone (logits and argmax of all).
__device__ inline RowSums row_sums(const float* x, int64_t n, float inverse, RowSlots& slots,
                                   float least = -kInfinity) {
    RunningSums own;
    constexpr int kTerms = RunningSums::kTerms;
    for (int64_t first = threadIdx.x; first < n; first += int64_t{kTerms} * kThreads) {
        float values[kTerms];
        int count = 0;
        for (; count < kTerms && first + count * int64_t{kThreads} < n; ++count) {
            const float value = x[first + count * int64_t{kThreads}];
            values[count] = value >= least || value != value ? value : -kInfinity;
        }
        own.add(values, count, first, kThreads, inverse);
    }
    RowSums sums{};
    sums.high = block_combine(own.high, slots.floats, Larger{});
    sums.argmax = block_combine(own.high == sums.high ? own.argmax : INT32_MAX, slots.integers, Lower{});
    if (sums.argmax == INT32_MAX) sums.argmax = 0;
    own.rescale(sums.high, inverse);
    sums.total = block_sum(own.total, slots.doubles);
    sums.weighted = block_sum(own.weighted, slots.doubles);
    sums.logits = block_sum(own.logits, slots.doubles);
    return sums;
}

}  // namespace attune::gpu
