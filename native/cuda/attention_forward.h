// Flash attention, forward: a block per tile of queries, key/value head and kOutColumns of the result, online
// softmax over tiles of keys.
// The same kernel for packed segments and for decode steps, whose rows have the same bits: what a row gets
// does not depend on the other rows of its tile.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/attention_keys.h"
#include "cuda/attention_tile.h"
#include "cuda/gemm.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr float kNothingSeen = -1e30f;  // finite, so that exp(high - new) is no NaN

template <class T, int kWidth>
struct ForwardShared {
    static constexpr int kRows = kTileRows<T, kWidth>;
    WordOf<T> queries[kTileWords<T, kWidth, kRows>];
    union {
        WordOf<T> keys[kTileWords<T, kWidth, kRows>];
        WordOf<T> values[kTileWords<T, kRows, kOutColumns<kWidth>>];
    };
    float held[kHeldFloats<T, kRows>];
};

// Of a lane's two rows (r and r + 8 of its warp).
struct RunningSoftmax {
    float high[2] = {kNothingSeen, kNothingSeen};
    float sum[2] = {0, 0};  // over the lane's own columns
};

// scores[16][kRows] become probabilities relative to the new maximum; what was summed before is rescaled.
template <int kColumns, int kRows>
__device__ inline void soften(float (&scores)[kRows / 8][4], RunningSoftmax& state,
                              float (&output)[kColumns / 8][4]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float most = -__builtin_inff();
#pragma unroll
        for (int x = 0; x < kRows / 8; ++x)
            most = fmaxf(most, fmaxf(scores[x][2 * half], scores[x][2 * half + 1]));
        const float high = fmaxf(state.high[half], row_max(most));
        const float factor = expf(state.high[half] - high);
        state.high[half] = high;
        state.sum[half] *= factor;
#pragma unroll
        for (int x = 0; x < kColumns / 8; ++x) {
            output[x][2 * half] *= factor;
            output[x][2 * half + 1] *= factor;
        }
#pragma unroll
        for (int x = 0; x < kRows / 8; ++x)
#pragma unroll
            for (int i = 2 * half; i < 2 * half + 2; ++i) {
                scores[x][i] = expf(scores[x][i] - high);
                state.sum[half] += scores[x][i];
            }
    }
}

// out[row, head] =, lse[head, T] =
template <class T, int kWidth, class Keys>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    attention_kernel(AnyView out, float* lse, Keys keys, const QueryTile* tiles) {
    constexpr int kRows = kTileRows<T, kWidth>;
    auto& shared = *shared_memory<ForwardShared<T, kWidth>>();
    const HeadSizes& sizes = keys.sizes;
    const QueryTile tile = tiles[blockIdx.x];
    constexpr int kColumns = kOutColumns<kWidth>;
    const int64_t g = blockIdx.y, column0 = int64_t{blockIdx.z} * kColumns;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row0 = warp * kWarpRows, r = lane / 4, p = lane % 4;
    const auto query_of = [&](int row) { return (tile.first + row) / sizes.repeat; };
    const auto head_of = [&](int row) { return g * sizes.repeat + (tile.first + row) % sizes.repeat; };
    fill_tile<T, kWidth, kRows>(shared.queries, [&](int d, int row) {
        if (row >= tile.rows || d >= sizes.D) return 0.0f;
        return keys.query(keys.query_row(tile.segment, query_of(row)), head_of(row), d);
    });
    const int64_t first_position = keys.query_position(tile.segment, query_of(0));
    const int64_t last_position = keys.query_position(tile.segment, query_of(tile.rows - 1));
    const bool active = row0 < tile.rows;
    int64_t positions[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = row0 + r + 8 * half;
        positions[half] = row < tile.rows ? keys.query_position(tile.segment, query_of(row)) : -1;
    }
    RunningSoftmax state;
    float output[kColumns / 8][4] = {};
    for (int run = 0; run < 2; ++run) {
        const int64_t length = keys.length(tile.segment, run);
        const int64_t offset = run == 0 ? 0 : keys.length(tile.segment, 0);
        for (int64_t first = 0; first < length; first += kRows) {
            const int64_t count = length - first < kRows ? length - first : kRows;
            if (offset + first > last_position) break;
            if (!meets(first_position, last_position, offset + first, count, sizes.window)) continue;
            __syncthreads();
            fill_tile<T, kWidth, kRows>(shared.keys, [&](int d, int j) {
                return j < count && d < sizes.D ? keys.key(tile.segment, run, g, first + j, d) : 0.0f;
            });
            __syncthreads();
            float scores[kRows / 8][4] = {};
            if (active) {
                TileProduct<T, kWidth, kRows, kRows>::run(scores, shared.queries, row0, shared.keys);
#pragma unroll
                for (int x = 0; x < kRows / 8; ++x)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        const int64_t j = first + 8 * x + 2 * p + i % 2;
                        const bool seen = j < length && sees(positions[i / 2], offset + j, sizes.window);
                        scores[x][i] = seen ? scores[x][i] * sizes.scale : -__builtin_inff();
                    }
                soften<kColumns, kRows>(scores, state, output);
            }
            __syncthreads();
            fill_tile<T, kRows, kColumns>(shared.values, [&](int j, int d) {
                return j < count && column0 + d < sizes.D
                           ? keys.value(tile.segment, run, g, first + j, column0 + d)
                           : 0.0f;
            });
            __syncthreads();
            if (active)
                TileProduct<T, kRows, kColumns, kRows>::run_held(output, scores, shared.values,
                                                                 shared.held + warp * kHeldOfWarp<T, kRows>);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float sum = row_sum(state.sum[half]);
        const int row = row0 + r + 8 * half;
        if (row >= tile.rows) continue;
        const int64_t place = keys.query_row(tile.segment, query_of(row)), head = head_of(row);
#pragma unroll
        for (int x = 0; x < kColumns / 8; ++x)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const int64_t d = column0 + 8 * x + 2 * p + i;
                if (d < sizes.D) out.set(place, head * sizes.D + d, output[x][2 * half + i] / sum);
            }
        if (p == 0 && column0 == 0) lse[head * sizes.T + place] = state.high[half] + logf(sum);
    }
}

}  // namespace attune::gpu
