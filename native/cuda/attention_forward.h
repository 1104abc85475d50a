// Flash attention, forward: a block per tile of (query, head) pairs and key/value head, online softmax over
// tiles of keys, of which the next is on its way during the products of one. The same kernel for packed
// segments and for decode steps, whose rows have the same bits: what a row gets does not depend on the other
// rows of its tile.
//
// bf16, D = 128, per tile of 128 x 32: 2.1 MFLOP of tensor cores for 16 KiB of keys and values from memory or
// L2; shared memory is read 96 KiB (each of 4 warps: queries, keys and values, 8 each) and written 16.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/attention_keys.h"
#include "cuda/attention_product.h"
#include "cuda/attention_tile.h"
#include "cuda/gemm.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr float kNothingSeen = -1e30f;  // finite, so that the difference of two is no NaN

// Tiles for heads of up to kWidth: two strips of a warp while its results fit registers, and as many keys as
// keep shared memory below 99 KiB, which is what the smallest GPUs have.
template <class T, int kWidth_>
struct ForwardShape {
    static constexpr int kWidth = kWidth_, kThreads = 128, kWarps = kThreads / kWarp;
    static constexpr int kHigh = kWidth <= 128 ? 2 : 1;
    static constexpr int kRows = kWarps * kHigh * kStrip;
    static constexpr int kKeys = (kWidth == 64 ? 64 : 32) / (sizeof(T) == 2 ? 1 : kWidth == 256 ? 4 : 2);
    static constexpr int kBlocks = 2;  // of a multiprocessor
    // Fragments of queries stay in registers where there is room.
    static constexpr bool kKept = sizeof(T) == 2 && kWidth == 64;
};

template <class T, class Shape>
struct ForwardShared {
    Tile<T, Shape::kRows, Shape::kWidth> queries;
    struct Stage {
        Tile<T, Shape::kKeys, Shape::kWidth> keys, values;
    } stages[2];
};

// Of a lane's rows, r and r + 8 of each strip of its warp.
template <int kHigh>
struct RunningSoftmax {
    float high[kHigh][2];  // the largest score so far
    float sum[kHigh][2];   // over the lane's own columns, relative to it

    __device__ RunningSoftmax() {
        for (auto& strip : high) strip[0] = strip[1] = kNothingSeen;
        for (auto& strip : sum) strip[0] = strip[1] = 0;
    }
};

// scores become probabilities relative to the new maximum, 2^(rate (score - high)), and are added to the
// sums; what was summed before must be rescaled by factors, those of rows r and r + 8 of each strip.
template <class T, int kHigh, int kWide>
__device__ inline void soften_scores(float (&scores)[kHigh][kWide][4], RunningSoftmax<kHigh>& state,
                                     float (&factors)[kHigh][2], float rate) {
#pragma unroll
    for (int strip = 0; strip < kHigh; ++strip)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = -__builtin_inff();
#pragma unroll
            for (int x = 0; x < kWide; ++x)
                most = fmaxf(most, fmaxf(scores[strip][x][2 * half], scores[strip][x][2 * half + 1]));
            float &high = state.high[strip][half], &sum = state.sum[strip][half];
            const float before = high;
            high = fmaxf(before, row_max(most));
            factors[strip][half] = power_of_two<T>((before - high) * rate);
            sum *= factors[strip][half];
            const float base = high * rate;
#pragma unroll
            for (int x = 0; x < kWide; ++x)
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; ++i) {
                    scores[strip][x][i] = power_of_two<T>(fmaf(scores[strip][x][i], rate, -base));
                    sum += scores[strip][x][i];
                }
        }
}

template <int kHigh, int kOut>
__device__ inline void rescale(float (&output)[kHigh][kOut][4], const float (&factors)[kHigh][2]) {
#pragma unroll
    for (int strip = 0; strip < kHigh; ++strip)
#pragma unroll
        for (int x = 0; x < kOut; ++x)
#pragma unroll
            for (int i = 0; i < 4; ++i) output[strip][x][i] *= factors[strip][i / 2];
}

// A warp's rows of a tile of queries.
template <int kHigh>
struct WarpRows {
    Pairs pairs;
    int row0, rows;   // of the warp's first row; of the tile
    int position0;    // of the segment's query 0
    int first, last;  // positions of the warp's rows
    int window;

    __device__ WarpRows(const QueryTile& tile, const HeadSizes& sizes, int g, int base)
        : pairs(tile.first, sizes.repeat, g),
          row0(static_cast<int>(threadIdx.x) / kWarp * kHigh * kStrip),
          rows(tile.rows),
          position0(base),
          window(sizes.window) {
        const int end = row0 + kHigh * kStrip < rows ? row0 + kHigh * kStrip : rows;
        first = position0 + pairs.query(row0);
        last = position0 + pairs.query(end - 1);
    }
    __device__ bool meet(int key, int count) const {
        return row0 < rows && meets(first, last, key, count, window);
    }
    // Not every row sees every one of kKeys keys.
    template <int kKeys>
    __device__ bool must_mask(int key, int count) const {
        return count < kKeys || key + kKeys - 1 > first || last - key >= window;
    }
    template <int kWide>
    __device__ void mask(float (&scores)[kHigh][kWide][4], int key, int count) const {
        const int lane = static_cast<int>(threadIdx.x) % kWarp, r = lane / 4, p = lane % 4;
#pragma unroll
        for (int strip = 0; strip < kHigh; ++strip)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = row0 + kStrip * strip + 8 * half + r;
                const int position = row < rows ? position0 + pairs.query(row) - key : -1;
                const int most = position < count ? position : count - 1;  // the last key that it sees
#pragma unroll
                for (int x = 0; x < kWide; ++x)
#pragma unroll
                    for (int i = 0; i < 2; ++i) {
                        const int j = 8 * x + 2 * p + i;
                        if (j > most || position - j >= window)
                            scores[strip][x][2 * half + i] = -__builtin_inff();
                    }
            }
    }
};

// The left factor of a warp's scores.
template <class Shape, class Queries>
__device__ inline auto warp_queries(const Queries& tile, int row0) {
    const LeftRows<Queries> rows{tile, row0};
    if constexpr (Shape::kKept) {
        LeftKept<Shape::kHigh, Shape::kWidth / 16> kept;
        wait_for_copies<0>();
        __syncthreads();
        kept.keep(rows);
        return kept;
    } else {
        return rows;
    }
}

// Two neighbouring numbers of a row, the first of even number in its head; behind `columns` nothing.
__device__ inline void store_pair(const AnyView& out, int64_t row, int64_t head_column, int column,
                                  int columns, float first, float second) {
    const int64_t at = row * out.stride + head_column + column;
    const size_t pair = 2 * (out.dtype == DType::F32 ? sizeof(float) : sizeof(bf16_t));
    const bool whole = column + 1 < columns &&
                       (reinterpret_cast<size_t>(out.data) + static_cast<size_t>(at) * pair / 2) % pair == 0;
    if (whole && out.dtype == DType::F32)
        store_numbers<2>(static_cast<float*>(out.data) + at, {first, second});
    else if (whole)
        store_numbers<2>(static_cast<bf16_t*>(out.data) + at, {first, second});
    else {
        if (column < columns) out.set(row, head_column + column, first);
        if (column + 1 < columns) out.set(row, head_column + column + 1, second);
    }
}

// out[row, head] =, lse[head, T] =
template <int kHigh, int kOut, class Keys>
__device__ inline void store_results(const AnyView& out, float* lse, const Keys& keys, int segment,
                                     const WarpRows<kHigh>& own, const RunningSoftmax<kHigh>& state,
                                     const float (&output)[kHigh][kOut][4], float rate) {
    const HeadSizes& sizes = keys.sizes;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, r = lane / 4, p = lane % 4;
#pragma unroll
    for (int strip = 0; strip < kHigh; ++strip)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float sum = row_sum(state.sum[strip][half]);
            const int row = own.row0 + kStrip * strip + 8 * half + r;
            if (row >= own.rows) continue;
            const int head = own.pairs.head(row);
            const int64_t place = keys.query_row(segment, own.pairs.query(row));
            const float inverse = 1.0f / sum;
#pragma unroll
            for (int x = 0; x < kOut; ++x)
                store_pair(out, place, int64_t{head} * sizes.D, 8 * x + 2 * p, sizes.D,
                           output[strip][x][2 * half] * inverse, output[strip][x][2 * half + 1] * inverse);
            if (p == 0) lse[head * sizes.T + place] = (state.high[strip][half] * rate + log2f(sum)) * kLn2;
        }
}

template <class T, int kWidth, class Keys>
__global__ void __launch_bounds__(ForwardShape<T, kWidth>::kThreads, (ForwardShape<T, kWidth>::kBlocks))
    attention_kernel(AnyView out, float* lse, Keys keys, const QueryTile* tiles) {
    using Shape = ForwardShape<T, kWidth>;
    constexpr int kHigh = Shape::kHigh, kKeys = Shape::kKeys, kThreads = Shape::kThreads;
    auto& shared = *shared_memory<ForwardShared<T, Shape>>();
    const QueryTile tile = tiles[blockIdx.x];
    const HeadSizes& sizes = keys.sizes;
    const int g = static_cast<int>(blockIdx.y), position0 = keys.position0(tile.segment);
    const WarpRows<kHigh> own(tile, sizes, g, position0);
    KeyWalk<Keys, kKeys> walk(keys, tile.segment, g, position0 + own.pairs.query(0),
                              position0 + own.pairs.query(tile.rows - 1));
    copy_tile<kThreads>(shared.queries, tile.rows, sizes.D, [&](int row) {
        return keys.query(keys.query_row(tile.segment, own.pairs.query(row)), own.pairs.head(row));
    });
    const auto fetch = [&](int stage) {
        walk.from.template copy_keys<kThreads>(shared.stages[stage].keys, walk.first);
        walk.from.template copy_values<kThreads>(shared.stages[stage].values, walk.first);
    };
    fetch(0);
    commit_copies();
    const auto queries = warp_queries<Shape>(shared.queries, own.row0);
    const float rate = sizes.scale * kLog2E;
    RunningSoftmax<kHigh> state;
    float output[kHigh][kWidth / 8][4] = {};
    for (int stage = 0; walk.more(); stage ^= 1) {
        const auto& stages = shared.stages[stage];
        const int key = walk.position(), count = walk.count();
        walk.advance();
        wait_for_copies<0>();
        __syncthreads();
        if (walk.more()) fetch(stage ^ 1);
        commit_copies();
        if (!own.meet(key, count)) continue;
        float scores[kHigh][kKeys / 8][4] = {};
        multiply<T, kWidth>(scores, queries, RightRows{stages.keys});
        if (own.template must_mask<kKeys>(key, count)) own.mask(scores, key, count);
        float factors[kHigh][2];
        soften_scores<T>(scores, state, factors, rate);
        rescale(output, factors);
        multiply<T, kKeys>(output, LeftHeld{scores}, RightTurned{stages.values});
    }
    store_results(out, lse, keys, tile.segment, own, state, output, rate);
}

}  // namespace attune::gpu
