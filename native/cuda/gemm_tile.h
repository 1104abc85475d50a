// The two GEMM kernels, whatever the operands: C[i, j] = sum over l of A(i, l) B(j, l), in bf16 by tensor
// cores (mma.sync, sm_80) and in fp32 by ordinary multiply-adds (no TF32). A block makes one tile of C; the
// next tiles of A and B are on their way to registers while it computes. Each output adds over l in ascending
// order, whatever the number of rows. Knows no op.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/gemm_operands.h"
#include "cuda/gpu.h"

namespace attune::gpu {

// A tile of kRows x kCols of C, by 8 warps in a grid of kWarpRows x (8 / kWarpRows).
template <int kRows_, int kCols_, int kWarpRows>
struct PairTile {
    static constexpr int kRows = kRows_, kCols = kCols_, kDepth = 32;
    static constexpr int kWarpCols = static_cast<int>(kThreads) / kWarp / kWarpRows;
    static constexpr int kHigh = kRows / kWarpRows / 16;  // mma tiles of a warp
    static constexpr int kWide = kCols / kWarpCols / 8;
    // Words of a pair row in shared memory: 8 modulo 32, so that the lanes of a fragment meet every bank
    // once.
    static constexpr int kStrideA = (kRows + 31) / 32 * 32 + 8, kStrideB = (kCols + 31) / 32 * 32 + 8;
    static constexpr int kWordsA = kDepth / 2 * kStrideA, kWordsB = kDepth / 2 * kStrideB;
    static constexpr size_t kShared = 2 * (kWordsA + kWordsB) * sizeof(uint32_t);
    static_assert(kHigh >= 1 && kWide >= 1);
};
using LargePairTile = PairTile<128, 128, 2>;
using FlatPairTile = PairTile<32, 128, 1>;

// sum[kHigh][kWide] += the tile's products
template <class Tile>
__device__ inline void multiply_pairs(float (&sum)[Tile::kHigh][Tile::kWide][4], const uint32_t* a,
                                      const uint32_t* b) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int r = lane / 4, p = lane % 4;
    a += warp / Tile::kWarpCols * (Tile::kRows / (static_cast<int>(kThreads) / kWarp / Tile::kWarpCols)) + r;
    b += warp % Tile::kWarpCols * (Tile::kCols / Tile::kWarpCols) + r;
#pragma unroll
    for (int pair = 0; pair < Tile::kDepth / 2; pair += 8) {
        uint32_t right[Tile::kWide][2];
#pragma unroll
        for (int x = 0; x < Tile::kWide; ++x) {
            right[x][0] = b[(pair + p) * Tile::kStrideB + 8 * x];
            right[x][1] = b[(pair + p + 4) * Tile::kStrideB + 8 * x];
        }
#pragma unroll
        for (int y = 0; y < Tile::kHigh; ++y) {
            const uint32_t left[4] = {
                a[(pair + p) * Tile::kStrideA + 16 * y], a[(pair + p) * Tile::kStrideA + 16 * y + 8],
                a[(pair + p + 4) * Tile::kStrideA + 16 * y], a[(pair + p + 4) * Tile::kStrideA + 16 * y + 8]};
#pragma unroll
            for (int x = 0; x < Tile::kWide; ++x) mma_bf16(sum[y][x], left, right[x]);
        }
    }
}

// store(i, j, value, next): C[i, j] and C[i, j + 1]; j is even. Outside of C nothing is stored.
template <class Tile, class A, class B, class Store>
__global__ void __launch_bounds__(kThreads) gemm_pairs_kernel(A a, B b, Store store) {
    auto* shared = shared_memory<uint32_t>();
    const int64_t i0 = int64_t{blockIdx.y} * Tile::kRows, j0 = int64_t{blockIdx.x} * Tile::kCols;
    const int64_t depth = a.depth;
    uint32_t words_a[kPairWords<Tile::kRows, Tile::kDepth>], words_b[kPairWords<Tile::kCols, Tile::kDepth>];
    float sum[Tile::kHigh][Tile::kWide][4] = {};
    const auto fetch = [&](int64_t l) {
        fetch_pairs<Tile::kRows, Tile::kDepth>(words_a, a, i0, l);
        fetch_pairs<Tile::kCols, Tile::kDepth>(words_b, b, j0, l);
    };
    const auto put = [&](int buffer) {
        uint32_t* at = shared + buffer * (Tile::kWordsA + Tile::kWordsB);
        put_pairs<A, Tile::kRows, Tile::kDepth, Tile::kStrideA>(at, words_a);
        put_pairs<B, Tile::kCols, Tile::kDepth, Tile::kStrideB>(at + Tile::kWordsA, words_b);
    };
    fetch(0);
    put(0);
    int buffer = 0;
    for (int64_t l = 0; l < depth; l += Tile::kDepth, buffer ^= 1) {
        __syncthreads();
        const bool more = l + Tile::kDepth < depth;
        if (more) fetch(l + Tile::kDepth);
        const uint32_t* at = shared + buffer * (Tile::kWordsA + Tile::kWordsB);
        multiply_pairs<Tile>(sum, at, at + Tile::kWordsA);
        if (more) put(buffer ^ 1);
    }
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    constexpr int kWarpRows = static_cast<int>(kThreads) / kWarp / Tile::kWarpCols;
    const int64_t i1 = i0 + warp / Tile::kWarpCols * (Tile::kRows / kWarpRows) + lane / 4;
    const int64_t j1 = j0 + warp % Tile::kWarpCols * (Tile::kCols / Tile::kWarpCols) + lane % 4 * 2;
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
    static constexpr int kStrideA = kRows + 4, kStrideB = kCols + 4;
    static constexpr int kFloatsA = kDepth * kStrideA, kFloatsB = kDepth * kStrideB;
    static constexpr size_t kShared = 2 * (kFloatsA + kFloatsB) * sizeof(float);
};
using LargeFloatTile = FloatTile<128>;
using FlatFloatTile = FloatTile<32>;

template <class Tile, class A, class B, class Store>
__global__ void __launch_bounds__(kThreads) gemm_floats_kernel(A a, B b, Store store) {
    auto* shared = shared_memory<float>();
    const int64_t i0 = int64_t{blockIdx.y} * Tile::kRows, j0 = int64_t{blockIdx.x} * Tile::kCols;
    const int64_t depth = a.depth;
    const int row = static_cast<int>(threadIdx.x) / 16, col = static_cast<int>(threadIdx.x) % 16;
    float values_a[kFloatsOf<Tile::kRows, Tile::kDepth>], values_b[kFloatsOf<Tile::kCols, Tile::kDepth>];
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
    for (int64_t l = 0; l < depth; l += Tile::kDepth, buffer ^= 1) {
        __syncthreads();
        const bool more = l + Tile::kDepth < depth;
        if (more) fetch(l + Tile::kDepth);
        const float* left = shared + buffer * (Tile::kFloatsA + Tile::kFloatsB);
        const float* right = left + Tile::kFloatsA;
#pragma unroll
        for (int step = 0; step < Tile::kDepth; ++step) {
            float x[Tile::kHigh], y[Tile::kWide];
            // Rows and columns of a thread lie in pairs, 32 apart: neighbouring threads read side by side.
#pragma unroll
            for (int i = 0; i < Tile::kHigh; ++i)
                x[i] = left[step * Tile::kStrideA + i / 2 * 32 + 2 * row + i % 2];
#pragma unroll
            for (int j = 0; j < Tile::kWide; ++j)
                y[j] = right[step * Tile::kStrideB + j / 2 * 32 + 2 * col + j % 2];
#pragma unroll
            for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
                for (int j = 0; j < Tile::kWide; ++j) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
        }
        if (more) put(buffer ^ 1);
    }
#pragma unroll
    for (int i = 0; i < Tile::kHigh; ++i)
#pragma unroll
        for (int j = 0; j < Tile::kWide; j += 2)
            store(i0 + i / 2 * 32 + 2 * row + i % 2, j0 + j / 2 * 32 + 2 * col, sum[i][j], sum[i][j + 1]);
}

// C of a.outer x b.outer: in bf16 or fp32, with tiles that fit the number of rows. The result does not depend
// on the tile.
constexpr int64_t kFewRows = 32;

template <class A, class B, class Store>
Status gemm_pairs(const char* name, const A& a, const B& b, const Store& store, void* queue) {
    const auto run = [&](auto tile) {
        using Tile = decltype(tile);
        const Grid grid{static_cast<unsigned>((b.outer + Tile::kCols - 1) / Tile::kCols),
                        static_cast<unsigned>((a.outer + Tile::kRows - 1) / Tile::kRows)};
        return launch(name, gemm_pairs_kernel<Tile, A, B, Store>, grid, kThreads, Tile::kShared, queue, a, b,
                      store);
    };
    return a.outer <= kFewRows ? run(FlatPairTile{}) : run(LargePairTile{});
}

template <class A, class B, class Store>
Status gemm_floats(const char* name, const A& a, const B& b, const Store& store, void* queue) {
    const auto run = [&](auto tile) {
        using Tile = decltype(tile);
        const Grid grid{static_cast<unsigned>((b.outer + Tile::kCols - 1) / Tile::kCols),
                        static_cast<unsigned>((a.outer + Tile::kRows - 1) / Tile::kRows)};
        return launch(name, gemm_floats_kernel<Tile, A, B, Store>, grid, kThreads, Tile::kShared, queue, a, b,
                      store);
    };
    return a.outer <= kFewRows ? run(FlatFloatTile{}) : run(LargeFloatTile{});
}

}  // namespace attune::gpu
