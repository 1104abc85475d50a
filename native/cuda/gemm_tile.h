// The two GEMM kernels that run on every GPU, whatever the operands: C[i, j] = sum over l of A(i, l) B(j, l),
// in bf16 by tensor cores (mma.sync, sm_80) and in fp32 by ordinary multiply-adds (no TF32). A block makes
// one tile of C; the next tiles of A and B are on their way while it computes. Each output adds over l in
// ascending order, whatever the number of rows. Knows no op.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/gemm_operands.h"
#include "cuda/gpu.h"
#include "cuda/matrix.h"

namespace attune::gpu {

// Tiles of C in the order of blocks: kGroup rows of tiles together, column by column, so that blocks that run
// at the same time share operands in the second-level cache.
struct TileOrder {
    static constexpr int64_t kGroup = 8;
    int64_t rows, columns;  // tiles

    __device__ void place(int64_t index, int64_t& row, int64_t& column) const {
        const int64_t group = index / (kGroup * columns), first = group * kGroup;
        const int64_t height = rows - first < kGroup ? rows - first : kGroup;
        const int64_t within = index - first * columns;
        row = first + within % height;
        column = within / height;
    }
};

template <class Tile, class A, class B>
TileOrder tile_order(const A& a, const B& b) {
    return {(a.outer + Tile::kRows - 1) / Tile::kRows, (b.outer + Tile::kCols - 1) / Tile::kCols};
}

// A tile of kRows x kCols of C, by kWarps warps in a grid of kWarpRows rows. Per step of 64 depths the large
// one reads 32 KiB into shared memory for 2 * 128 * 128 * 64 operations: 64 per byte.
template <int kRows_, int kCols_, int kWarps, int kWarpRows, int kStages_>
struct PairTile {
    static constexpr int kRows = kRows_, kCols = kCols_, kDepth = kSlabColumns, kStages = kStages_;
    static constexpr int kThreadCount = kWarps * kWarp;
    static constexpr int kWarpCols = kWarps / kWarpRows;
    static constexpr int kHigh = kRows / kWarpRows / 16;  // mma tiles of a warp
    static constexpr int kWide = kCols / kWarpCols / 8;
    static constexpr int kBytesA = kRows * kSlabRowBytes, kBytesB = kCols * kSlabRowBytes;
    static constexpr size_t kShared = size_t{kStages} * (kBytesA + kBytesB);
    static_assert(kHigh >= 1 && kWide >= 2 && kWide % 2 == 0 && kStages >= 3);
};
using LargePairTile = PairTile<128, 128, 8, 2, 3>;
using FlatPairTile = PairTile<32, 32, 4, 2, 6>;

// sum[kHigh][kWide] += the products of a stage
template <class Tile, class A, class B>
__device__ inline void multiply_pairs(float (&sum)[Tile::kHigh][Tile::kWide][4], const std::byte* a,
                                      const std::byte* b) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int i0 = warp / Tile::kWarpCols * 16 * Tile::kHigh, j0 = warp % Tile::kWarpCols * 8 * Tile::kWide;
#pragma unroll
    for (int l = 0; l < Tile::kDepth; l += 16) {
        uint32_t right[Tile::kWide / 2][4];
#pragma unroll
        for (int x = 0; x < Tile::kWide / 2; ++x) load_right<B>(right[x], b, j0 + 16 * x, l);
#pragma unroll
        for (int y = 0; y < Tile::kHigh; ++y) {
            uint32_t left[4];
            load_left<A>(left, a, i0 + 16 * y, l);
#pragma unroll
            for (int x = 0; x < Tile::kWide; ++x) {
                const uint32_t pair[2] = {right[x / 2][x % 2 * 2], right[x / 2][x % 2 * 2 + 1]};
                mma_bf16(sum[y][x], left, pair);
            }
        }
    }
}

// store(i, j, value, next): C[i, j] and C[i, j + 1]; j is even. Outside of C nothing is stored.
template <class Tile, class A, class B, class Store>
__global__ void __launch_bounds__(Tile::kThreadCount, 1)
    gemm_pairs_kernel(A a, B b, Store store, TileOrder order) {
    auto* shared = shared_memory<std::byte>();
    int64_t row, column;
    order.place(blockIdx.x, row, column);
    const int64_t i0 = row * Tile::kRows, j0 = column * Tile::kCols;
    const int64_t steps = (a.depth + Tile::kDepth - 1) / Tile::kDepth;
    constexpr int kStageBytes = Tile::kBytesA + Tile::kBytesB;
    const auto fill = [&](int64_t step) {
        if (step < steps) {
            std::byte* stage = shared + step % Tile::kStages * kStageBytes;
            fill_slabs<Tile::kRows, Tile::kThreadCount>(stage, a, i0, step * Tile::kDepth);
            fill_slabs<Tile::kCols, Tile::kThreadCount>(stage + Tile::kBytesA, b, j0, step * Tile::kDepth);
        }
        commit_copies();  // or groups would no longer count stages
    };
    for (int64_t step = 0; step < Tile::kStages - 1; ++step) fill(step);
    float sum[Tile::kHigh][Tile::kWide][4] = {};
    for (int64_t step = 0; step < steps; ++step) {
        wait_for_copies<Tile::kStages - 2>();
        __syncthreads();
        fill(step + Tile::kStages - 1);
        const std::byte* stage = shared + step % Tile::kStages * kStageBytes;
        multiply_pairs<Tile, A, B>(sum, stage, stage + Tile::kBytesA);
    }
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t i1 = i0 + warp / Tile::kWarpCols * 16 * Tile::kHigh + lane / 4;
    const int64_t j1 = j0 + warp % Tile::kWarpCols * 8 * Tile::kWide + lane % 4 * 2;
#pragma unroll
    for (int y = 0; y < Tile::kHigh; ++y)
#pragma unroll
        for (int x = 0; x < Tile::kWide; ++x) {
            store(i1 + 16 * y, j1 + 8 * x, sum[y][x][0], sum[y][x][1]);
            store(i1 + 16 * y + 8, j1 + 8 * x, sum[y][x][2], sum[y][x][3]);
        }
}

// A tile of kRows x kCols of C by 256 threads in a grid of 16 x 16: kHigh x 8 outputs each.
template <int kRows_>
struct FloatTile {
    static constexpr int kRows = kRows_, kCols = 128, kDepth = 16;
    static constexpr int kHigh = kRows / 16, kWide = kCols / 16;
    static constexpr int kStrideA = kRows + 2, kStrideB = kCols + 2;
    static constexpr int kFloatsA = kDepth * kStrideA, kFloatsB = kDepth * kStrideB;
    static constexpr size_t kShared = 2 * (kFloatsA + kFloatsB) * sizeof(float);
};
using LargeFloatTile = FloatTile<128>;
using FlatFloatTile = FloatTile<32>;

// sum[kHigh][kWide] += the products of a stage. Rows and columns of a thread lie in pairs, 32 apart:
// neighbouring threads read side by side.
template <class Tile>
__device__ inline void multiply_floats(float (&sum)[Tile::kHigh][Tile::kWide], const float* a,
                                       const float* b) {
    a += static_cast<int>(threadIdx.x) / 16 * 2;
    b += static_cast<int>(threadIdx.x) % 16 * 2;
#pragma unroll
    for (int step = 0; step < Tile::kDepth; ++step) {
        float x[Tile::kHigh], y[Tile::kWide];
#pragma unroll
        for (int i = 0; i < Tile::kHigh; ++i) x[i] = a[step * Tile::kStrideA + i / 2 * 32 + i % 2];
#pragma unroll
        for (int j = 0; j < Tile::kWide; ++j) y[j] = b[step * Tile::kStrideB + j / 2 * 32 + j % 2];
#pragma unroll
        for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
            for (int j = 0; j < Tile::kWide; ++j) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
    }
}

template <class Tile, class A, class B, class Store>
__global__ void __launch_bounds__(kThreads, 1) gemm_floats_kernel(A a, B b, Store store, TileOrder order) {
    auto* shared = shared_memory<float>();
    int64_t row, column;
    order.place(blockIdx.x, row, column);
    const int64_t i0 = row * Tile::kRows, j0 = column * Tile::kCols;
    float values_a[kFoursOf<Tile::kRows, Tile::kDepth>][4], values_b[kFoursOf<Tile::kCols, Tile::kDepth>][4];
    float sum[Tile::kHigh][Tile::kWide] = {};
    const auto fetch = [&](int64_t l) {
        fetch_floats<Tile::kRows, Tile::kDepth>(values_a, a, i0, l);
        fetch_floats<Tile::kCols, Tile::kDepth>(values_b, b, j0, l);
    };
    const auto put = [&](int buffer) {
        float* at = shared + buffer * (Tile::kFloatsA + Tile::kFloatsB);
        put_floats<A, Tile::kRows, Tile::kDepth, Tile::kStrideA>(at, values_a);
        put_floats<B, Tile::kCols, Tile::kDepth, Tile::kStrideB>(at + Tile::kFloatsA, values_b);
    };
    fetch(0);
    put(0);
    int buffer = 0;
    for (int64_t l = 0; l < a.depth; l += Tile::kDepth, buffer ^= 1) {
        __syncthreads();
        const bool more = l + Tile::kDepth < a.depth;
        if (more) fetch(l + Tile::kDepth);
        const float* at = shared + buffer * (Tile::kFloatsA + Tile::kFloatsB);
        multiply_floats<Tile>(sum, at, at + Tile::kFloatsA);
        if (more) put(buffer ^ 1);
    }
    const int64_t i1 = i0 + threadIdx.x / 16 * 2, j1 = j0 + threadIdx.x % 16 * 2;
#pragma unroll
    for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
        for (int j = 0; j < Tile::kWide; j += 2)
            store(i1 + i / 2 * 32 + i % 2, j1 + j / 2 * 32, sum[i][j], sum[i][j + 1]);
}

// C of a.outer x b.outer: in bf16 or fp32, with tiles that fit the number of rows. The result does not depend
// on the tile.
constexpr int64_t kFewRows = 32;

template <class A, class B, class Store>
Status gemm_pairs(const char* name, const A& a, const B& b, const Store& store, void* queue) {
    const auto run = [&](auto tile) {
        using Tile = decltype(tile);
        const TileOrder order = tile_order<Tile>(a, b);
        return launch(name, gemm_pairs_kernel<Tile, A, B, Store>,
                      {static_cast<unsigned>(order.rows * order.columns)}, Tile::kThreadCount, Tile::kShared,
                      queue, a, b, store, order);
    };
    if constexpr (A::kAlongDepth && B::kAlongDepth)
        if (a.outer <= kFewRows) return run(FlatPairTile{});
    return run(LargePairTile{});
}

template <class A, class B, class Store>
Status gemm_floats(const char* name, const A& a, const B& b, const Store& store, void* queue) {
    const auto run = [&](auto tile) {
        using Tile = decltype(tile);
        const TileOrder order = tile_order<Tile>(a, b);
        return launch(name, gemm_floats_kernel<Tile, A, B, Store>,
                      {static_cast<unsigned>(order.rows * order.columns)}, kThreads, Tile::kShared, queue, a,
                      b, store, order);
    };
    return a.outer <= kFewRows ? run(FlatFloatTile{}) : run(LargeFloatTile{});
}

}  // namespace attune::gpu
