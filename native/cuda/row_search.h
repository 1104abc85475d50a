// The few ids of a row that a filter may keep, in shared memory, and searches for thresholds among them: by
// the bits of an ordered key, two at a time, with sums of weights in a fixed order. Knows no settings.
#pragma once

#include <cstdint>

#include "cuda/gpu.h"
#include "cuda/softmax_row.h"

namespace attune::gpu {

// Ascending as the floats are.
__device__ inline uint32_t ordered_key(float x) {
    const uint32_t bits = float_to_bits(x);
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
__device__ inline float from_ordered_key(uint32_t key) {
    return bits_to_float(key >> 31 != 0 ? key & 0x7fffffffu : ~key);
}

// Of each warp a list of its own, ids ascending.
constexpr int kMostOfWarp = 512;
struct Candidates {
    int32_t ids[kThreads / kWarp][kMostOfWarp];
    float values[kThreads / kWarp][kMostOfWarp];
};

// Places a warp's ids with x >= cut behind `count` others; gives the new count, which may be more than there
// is room for.
struct Collector {
    Candidates& list;
    float cut;
    int count = 0;

    __device__ void add(const float (&values)[RunningSums::kTerms], int terms, int64_t first) {
        constexpr int kTerms = RunningSums::kTerms;
        int own = 0;
        for (int i = 0; i < kTerms; ++i) own += i < terms && values[i] >= cut;
        if (__ballot_sync(kAll, own > 0) == 0) return;
        const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
        int upto = own;  // of this lane and those before
        for (int distance = 1; distance < kWarp; distance *= 2) {
            const int other = __shfl_up_sync(kAll, upto, static_cast<unsigned>(distance));
            if (lane >= distance) upto += other;
        }
        int place = count + upto - own;
        for (int i = 0; i < kTerms; ++i) {
            if (!(i < terms && values[i] >= cut)) continue;
            if (place < kMostOfWarp) {
                list.ids[warp][place] = static_cast<int32_t>(first + i);
                list.values[warp][place] = values[i];
            }
            ++place;
        }
        count += __shfl_sync(kAll, upto, kWarp - 1);
    }
};

// What a search looks at: visit(value, id) for all that is the thread's.
struct ListSource {
    const Candidates& list;
    int count;  // of the thread's warp
    float low;  // of all

    __device__ bool any() const { return count > 0; }
    template <class Visit>
    __device__ void each(const Visit& visit) const {
        const int warp = static_cast<int>(threadIdx.x) / kWarp;
        for (int i = static_cast<int>(threadIdx.x) % kWarp; i < count; i += kWarp)
            visit(list.values[warp][i], list.ids[warp][i]);
    }
};
struct RowSource {
    const float* x;
    int64_t n;
    float low = -kInfinity;

    __device__ static bool any() { return true; }
    template <class Visit>
    __device__ void each(const Visit& visit) const {
        constexpr int kTerms = RunningSums::kTerms;
        each_four(
            x, n,
            [&](const float(&values)[kTerms], int terms, int64_t first) {
                for (int i = 0; i < kTerms; ++i)
                    if (i < terms) visit(values[i], static_cast<int32_t>(first + i));
            },
            [](int64_t) {});
    }
};
struct OwnSource {
    float value;

    __device__ static bool any() { return true; }
    template <class Visit>
    __device__ void each(const Visit& visit) const {
        visit(value, 0);
    }
};

struct SearchSlots {
    double sums[3][kThreads / kWarp];
};

// Keys that a search meets: their upper bits are the same.
struct KeyRange {
    uint32_t low, high;
};

// The largest key so that enough(sum of the weights of all with at least that key): the range's common bits
// and zeros where there is none. key(value, id), weigh(value, id). All threads get it.
template <class Source, class Key, class Weigh, class Enough>
__device__ inline uint32_t largest_key(const Source& source, KeyRange range, SearchSlots& slots,
                                       const Key& key, const Weigh& weigh, const Enough& enough) {
    constexpr int kWarps = static_cast<int>(kThreads) / kWarp;
    int shift = 30;
    while (shift >= 0 && ((range.low ^ range.high) >> shift) == 0) shift -= 2;
    uint32_t found = shift == 30 ? 0 : range.high & ~((4u << shift) - 1);
    if (shift < 0) found = range.high;
    for (; shift >= 0; shift -= 2) {
        double sums[3] = {};
        source.each([&](float value, int32_t id) {
            const uint32_t at = key(value, id);
            if (at < (found | 1u << shift)) return;
            const double weight = weigh(value, id);
#pragma unroll
            for (uint32_t i = 0; i < 3; ++i) sums[i] += at >= (found | (i + 1) << shift) ? weight : 0.0;
        });
#pragma unroll
        for (int i = 0; i < 3; ++i) {
            const double sum = source.any() ? warp_sum(sums[i]) : 0.0;
            if (threadIdx.x % kWarp == 0) slots.sums[i][threadIdx.x / kWarp] = sum;
        }
        __syncthreads();
        uint32_t digit = 0;
#pragma unroll
        for (uint32_t i = 0; i < 3; ++i) {
            double sum = 0;
            for (int warp = 0; warp < kWarps; ++warp) sum += slots.sums[i][warp];
            if (enough(sum)) digit = i + 1;
        }
        __syncthreads();
        found |= digit << shift;
    }
    return found;
}

// The largest t so that enough(sum of the weights of all values >= t); where there is none, below them all.
// Values lie in [low, high].
template <class Source, class Weigh, class Enough>
__device__ inline float threshold_of(const Source& source, float low, float high, SearchSlots& slots,
                                     const Weigh& weigh, const Enough& enough) {
    const uint32_t least = ordered_key(-kInfinity);
    const uint32_t key = largest_key(
        source, {ordered_key(low), ordered_key(high)}, slots,
        [](float value, int32_t) { return ordered_key(value); },
        [&](float value, int32_t) { return weigh(value); }, enough);
    return from_ordered_key(key < least ? least : key);
}

template <class Source, class Weigh>
__device__ inline double weight_of(const Source& source, RowSlots& slots, const Weigh& weigh) {
    double sum = 0;
    source.each([&](float value, int32_t) { sum += weigh(value); });
    return block_sum(sum, slots.doubles);
}

// The lowest of ids below n at which the weights, added in id order, pass `aim`.
template <class Source, class Weigh>
__device__ inline int32_t first_beyond(const Source& source, int64_t n, SearchSlots& slots,
                                       const Weigh& weigh, double aim) {
    const uint32_t key = largest_key(
        source, {~static_cast<uint32_t>(n), ~0u}, slots,
        [](float, int32_t id) { return ~static_cast<uint32_t>(id); },
        [&](float value, int32_t) { return weigh(value); }, [&](double sum) { return sum > aim; });
    return static_cast<int32_t>(~key);
}

}  // namespace attune::gpu
