// Sums of e^z over chunks of a row, kept from the pass that sums all of it: what a token is drawn with in id
// order without reading the row again, but for the chunk that the token lies in. Knows no filters.
#pragma once

#include <cstdint>

#include "cuda/gpu.h"
#include "cuda/softmax_row.h"

namespace attune::gpu {

constexpr int kMostChunks = 64;
constexpr int kWarps = static_cast<int>(kThreads) / kWarp;

// Shared memory: of each warp the sum relative to a maximum of its own.
struct ChunkSums {
    double sums[kMostChunks][kWarps];
    float highs[kMostChunks][kWarps];
    double totals[kMostChunks];
};

__device__ inline int64_t chunk_ids(int64_t n) {
    const int64_t stretches = (n + kStretch - 1) / kStretch;
    return (stretches + kMostChunks - 1) / kMostChunks * kStretch;
}

// row_sums(), and what each chunk adds to the total. The total's bits are the same: a chunk's part is what
// the thread's running sum has grown by.
__device__ inline RowSums row_sums_in_chunks(RunningSums& own, const float* x, int64_t n, RowSlots& slots,
                                             float least, ChunkSums& chunks) {
    const int64_t ids = chunk_ids(n);
    double before = 0;
    float before_high = -kInfinity;
    return row_sums(own, x, n, slots, least, [&](int64_t stretch) {
        const int64_t end = stretch + kStretch;
        if (end % ids != 0 && end < n) return;
        const float high = warp_max(own.high);
        double part = own.total;
        if (before_high > -kInfinity)
            part -= before * static_cast<double>(expf(shifted(before_high, own.high, own.inverse)));
        if (own.high > -kInfinity) part *= static_cast<double>(expf(shifted(own.high, high, own.inverse)));
        part = warp_sum(part);
        if (threadIdx.x % kWarp == 0) {
            const auto chunk = stretch / ids, warp = int64_t{threadIdx.x} / kWarp;
            chunks.sums[chunk][warp] = part > 0 ? part : 0;
            chunks.highs[chunk][warp] = high;
        }
        before = own.total;
        before_high = own.high;
    });
}

// Where the sum over ids passes `aim`: the chunk, and what lies before it.
struct ChunkStart {
    int64_t first;
    double before;
};
// Behind a barrier after row_sums_in_chunks(); all threads get the same.
__device__ inline ChunkStart find_chunk(ChunkSums& chunks, int64_t n, float high, float inverse, double aim) {
    const int64_t ids = chunk_ids(n);
    const int count = static_cast<int>((n + ids - 1) / ids);
    for (int chunk = static_cast<int>(threadIdx.x); chunk < count; chunk += static_cast<int>(kThreads)) {
        double total = 0;
        for (int warp = 0; warp < kWarps; ++warp)
            total += chunks.sums[chunk][warp] *
                     static_cast<double>(expf(shifted(chunks.highs[chunk][warp], high, inverse)));
        chunks.totals[chunk] = total;
    }
    __syncthreads();
    ChunkStart start{0, 0};
    for (int chunk = 0; chunk + 1 < count; ++chunk) {
        const double next = start.before + chunks.totals[chunk];
        if (next > aim) break;
        start = {start.first + ids, next};
    }
    return start;
}

}  // namespace attune::gpu
