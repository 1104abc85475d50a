// What attention's kernels are made of: tiles in shared memory, and products of a warp's 16 rows with them,
// in bf16 by tensor cores and in fp32 by ordinary multiply-adds. Knows neither segments nor masks.
//
// A tile lies by depth: fp32 [depth][kTileStride], bf16 as pairs along the depth [depth / 2][kTileStride] of
// 32 bits. A warp's results lie as those of mma: of 8 columns, lane l (r = l / 4, p = l % 4) holds (r, 2p),
// (r, 2p + 1), (r + 8, 2p), (r + 8, 2p + 1).
#pragma once

#include <cstdint>

#include "core/ops.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int kAttentionThreads = 128;

// Rows of a tile of queries or of keys, for heads of up to `width`: as many as shared memory holds.
constexpr int tile_rows(DType dtype, int64_t width) {
    return dtype == DType::F32 && width > 128 ? 32 : 64;
}
// Columns of a result that a block makes, and queries that a tile of keys meets at once: more would not fit
// registers.
template <int kWidth>
inline constexpr int kOutColumns = kWidth < 128 ? kWidth : 128;
template <class T, int kWidth>
inline constexpr int kTileRows = tile_rows(sizeof(T) == 4 ? DType::F32 : DType::BF16, kWidth);

constexpr int kWarpRows = 16;

// A tile whose columns number kCols: words of one depth, 8 modulo 32.
template <int kCols>
inline constexpr int kTileStride = (kCols + 31) / 32 * 32 + 8;

template <class T>
struct TileWord;
template <>
struct TileWord<float> {
    using Type = float;
    static constexpr int kDepth = 1;  // numbers along the depth of a word
};
template <>
struct TileWord<bf16_t> {
    using Type = uint32_t;
    static constexpr int kDepth = 2;
};
template <class T>
using WordOf = typename TileWord<T>::Type;

// Words of a tile of kDepth x kCols.
template <class T, int kDepth, int kCols>
inline constexpr int kTileWords = kDepth / TileWord<T>::kDepth * kTileStride<kCols>;

// tile(depth, column) = value(depth, column), by all threads of the block.
template <class T, int kDepth, int kCols, class Value>
__device__ inline void fill_tile(WordOf<T>* tile, const Value& value) {
    constexpr int kRows = kDepth / TileWord<T>::kDepth;
    for (int index = static_cast<int>(threadIdx.x); index < kRows * kCols; index += kAttentionThreads) {
        const int row = index / kCols, col = index % kCols;
        if constexpr (sizeof(T) == 4)
            tile[row * kTileStride<kCols> + col] = value(row, col);
        else
            tile[row * kTileStride<kCols> + col] = pack_pair(value(2 * row, col), value(2 * row + 1, col));
    }
}

// sum[kCols / 8] += (16 rows of a from `row` on) b over kDepth, both tiles by depth, a of kRows columns.
template <class T, int kDepth, int kCols, int kRows>
struct TileProduct;

template <int kDepth, int kCols, int kRows>
struct TileProduct<bf16_t, kDepth, kCols, kRows> {
    __device__ static void run(float (&sum)[kCols / 8][4], const uint32_t* a, int row, const uint32_t* b) {
        constexpr int kStrideA = kTileStride<kRows>, kStrideB = kTileStride<kCols>;
        const int lane = static_cast<int>(threadIdx.x) % kWarp, r = lane / 4, p = lane % 4;
        for (int pair = 0; pair < kDepth / 2; pair += 8) {
            const uint32_t* from = a + (pair + p) * kStrideA + row + r;
            const uint32_t left[4] = {from[0], from[8], from[4 * kStrideA], from[4 * kStrideA + 8]};
#pragma unroll
            for (int x = 0; x < kCols / 8; ++x) {
                const uint32_t* at = b + (pair + p) * kStrideB + 8 * x + r;
                const uint32_t right[2] = {at[0], at[4 * kStrideB]};
                mma_bf16(sum[x], left, right);
            }
        }
    }
    // The rows of a are held as a product's results, [16][kDepth]; rounded to bf16.
    __device__ static void run_held(float (&sum)[kCols / 8][4], const float (&a)[kDepth / 8][4],
                                    const uint32_t* b, float*) {
        constexpr int kStrideB = kTileStride<kCols>;
        const int lane = static_cast<int>(threadIdx.x) % kWarp, r = lane / 4, p = lane % 4;
#pragma unroll
        for (int y = 0; y < kDepth / 16; ++y) {
            const uint32_t left[4] = {
                pack_pair(a[2 * y][0], a[2 * y][1]), pack_pair(a[2 * y][2], a[2 * y][3]),
                pack_pair(a[2 * y + 1][0], a[2 * y + 1][1]), pack_pair(a[2 * y + 1][2], a[2 * y + 1][3])};
#pragma unroll
            for (int x = 0; x < kCols / 8; ++x) {
                const uint32_t* at = b + (8 * y + p) * kStrideB + 8 * x + r;
                const uint32_t right[2] = {at[0], at[4 * kStrideB]};
                mma_bf16(sum[x], left, right);
            }
        }
    }
};

template <int kDepth, int kCols, int kRows>
struct TileProduct<float, kDepth, kCols, kRows> {
    __device__ static void add(float (&sum)[kCols / 8][4], float upper, float lower, const float* b) {
        const int p = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
        for (int x = 0; x < kCols / 8; ++x) {
            const float left = b[8 * x + 2 * p], right = b[8 * x + 2 * p + 1];
            sum[x][0] = fmaf(upper, left, sum[x][0]);
            sum[x][1] = fmaf(upper, right, sum[x][1]);
            sum[x][2] = fmaf(lower, left, sum[x][2]);
            sum[x][3] = fmaf(lower, right, sum[x][3]);
        }
    }
    __device__ static void run(float (&sum)[kCols / 8][4], const float* a, int row, const float* b) {
        const int r = static_cast<int>(threadIdx.x) % kWarp / 4;
#pragma unroll 2
        for (int l = 0; l < kDepth; ++l) {
            const float* from = a + l * kTileStride<kRows> + row + r;
            add(sum, from[0], from[8], b + l * kTileStride<kCols>);
        }
    }
    // `own`: shared memory of the warp, [kDepth][kWarpRows + 1].
    __device__ static void run_held(float (&sum)[kCols / 8][4], const float (&a)[kDepth / 8][4],
                                    const float* b, float* own) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp, r = lane / 4, p = lane % 4;
        constexpr int kStride = kWarpRows + 1;
        __syncwarp();
#pragma unroll
        for (int y = 0; y < kDepth / 8; ++y)
#pragma unroll
            for (int i = 0; i < 4; ++i) own[(8 * y + 2 * p + i % 2) * kStride + r + i / 2 * 8] = a[y][i];
        __syncwarp();
#pragma unroll 2
        for (int l = 0; l < kDepth; ++l)
            add(sum, own[l * kStride + r], own[l * kStride + r + 8], b + l * kTileStride<kCols>);
    }
};

template <class T, int kWidth>
inline constexpr int kQueriesAtOnce = kWidth > 64 ? 32 : kTileRows<T, kWidth>;

// Floats of run_held()'s own memory, of a warp and of all, where it needs some.
template <class T, int kDepth>
inline constexpr int kHeldOfWarp = sizeof(T) == 4 ? kDepth * (kWarpRows + 1) : 0;
template <class T, int kDepth>
inline constexpr int kHeldFloats = kAttentionThreads / kWarp * kHeldOfWarp<T, kDepth> + 1;

// Over the lanes that hold a row.
__device__ inline float row_sum(float value) {
    value += __shfl_xor_sync(kAll, value, 1);
    return value + __shfl_xor_sync(kAll, value, 2);
}
__device__ inline float row_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(kAll, value, 1));
    return fmaxf(value, __shfl_xor_sync(kAll, value, 2));
}

}  // namespace attune::gpu
