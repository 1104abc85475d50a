// Products of a warp with tiles in shared memory: bf16 by tensor cores, fp32 by ordinary multiply-adds. A
// warp makes kHigh strips of 16 rows. Knows neither segments nor masks.
//
// Results lie as those of mma: of 8 columns, lane l (r = l / 4, p = l % 4) holds (r, 2p), (r, 2p + 1),
// (r + 8, 2p), (r + 8, 2p + 1). The left factor is a tile by rows, a tile by depth ("turned": its rows run
// along the depth), or results of an earlier product; the right one a tile by its columns' numbers or turned.
// An element adds over the depth in ascending order, whatever the tiles.
//
// What a step of 16 along the depth reads of shared memory in bf16: 512 bytes for each strip of the left
// factor, 32 for each column of the right one, for 512 multiply-adds of each strip and column. So two strips
// read half as much for a product as one.
#pragma once

#include <cstdint>

#include "cuda/attention_tile.h"
#include "cuda/gpu.h"

namespace attune::gpu {

constexpr int kStrip = 16;  // rows

__device__ inline unsigned lane_row() {
    return threadIdx.x % kWarp / 4;
}

// ---- left factors. lane(): what of its places in shared memory is the lane's own.

template <class Tile>
struct LeftRows {
    const Tile& tile;
    int row0;

    __device__ unsigned lane() const {
        if (sizeof(typename Tile::Number) == 4) return Tile::chunk_at(row0 + lane_row(), 0);
        return Tile::chunk_at(row0 + threadIdx.x % 16, threadIdx.x % kWarp / 16);
    }
    __device__ void fragment(uint32_t (&out)[4], unsigned lane, int high, int step) const {
        load_matrices(out, tile.from_lane(lane, kStrip * high, 2 * step));
    }
    __device__ float number(unsigned lane, int high, int half, int depth) const {
        return tile.from_lane(lane, kStrip * high + 8 * half, depth / 4)[depth % 4];
    }
};

template <class Tile>
struct LeftTurned {
    const Tile& tile;
    int row0;

    __device__ unsigned lane() const {
        const unsigned first = row0 / Tile::kChunk;
        if (sizeof(typename Tile::Number) == 4)
            return Tile::chunk_at(0, first + lane_row() / 4) + lane_row() % 4;
        return Tile::chunk_at(threadIdx.x % 8 + threadIdx.x % kWarp / 16 * 8, first + threadIdx.x / 8 % 2);
    }
    __device__ void fragment(uint32_t (&out)[4], unsigned lane, int high, int step) const {
        load_matrices_turned(out, tile.from_lane(lane, 16 * step, kStrip / Tile::kChunk * high));
    }
    __device__ float number(unsigned lane, int high, int half, int depth) const {
        return *tile.from_lane(lane, depth, (kStrip * high + 8 * half) / Tile::kChunk);
    }
};

// Results of a product, columns become the depth; rounded where tiles are of bf16.
template <int kHigh, int kWide>
struct LeftHeld {
    const float (&held)[kHigh][kWide][4];

    __device__ unsigned lane() const { return 0; }
    __device__ void fragment(uint32_t (&out)[4], unsigned, int high, int step) const {
        const float(&first)[4] = held[high][2 * step], (&second)[4] = held[high][2 * step + 1];
        out[0] = pack_pair(first[0], first[1]), out[1] = pack_pair(first[2], first[3]);
        out[2] = pack_pair(second[0], second[1]), out[3] = pack_pair(second[2], second[3]);
    }
    __device__ float number(unsigned, int high, int half, int depth) const {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        return __shfl_sync(kAll, held[high][depth / 8][2 * half + depth % 2], lane / 4 * 4 + depth % 8 / 2);
    }
};

// Fragments of a tile by rows that stay in registers.
template <int kHigh, int kSteps>
struct LeftKept {
    uint32_t words[kHigh][kSteps][4];

    template <class Left>
    __device__ void keep(const Left& left) {
#pragma unroll
        for (int high = 0; high < kHigh; ++high)
#pragma unroll
            for (int step = 0; step < kSteps; ++step)
                left.fragment(words[high][step], left.lane(), high, step);
    }
    __device__ unsigned lane() const {
        return 0;
    }
    __device__ void fragment(uint32_t (&out)[4], unsigned, int high, int step) const {
#pragma unroll
        for (int i = 0; i < 4; ++i) out[i] = words[high][step][i];
    }
};

// ---- right factors: columns from `column0` on

template <class Tile>
struct RightRows {
    const Tile& tile;
    int column0 = 0;

    __device__ unsigned lane() const {
        if (sizeof(typename Tile::Number) == 4) return Tile::chunk_at(column0 + 2 * (threadIdx.x % 4), 0);
        return Tile::chunk_at(column0 + threadIdx.x % 8 + threadIdx.x % kWarp / 16 * 8, threadIdx.x / 8 % 2);
    }
    // Of columns [16 pair, 16 pair + 8) the first two words, of the next eight the others.
    __device__ void fragment(uint32_t (&out)[4], unsigned lane, int pair, int step) const {
        load_matrices(out, tile.from_lane(lane, 16 * pair, 2 * step));
    }
    // Of column 8 wide + 2p + next, four along the depth.
    __device__ void numbers(float (&out)[4], unsigned lane, int wide, int next, int chunk) const {
        static_assert(Tile::kPanel == 8);
        const unsigned row = 8 * wide + next;
        load_numbers<4>(out, tile.from_lane(lane, row, chunk));
    }
};

template <class Tile>
struct RightTurned {
    const Tile& tile;
    int column0 = 0;

    __device__ unsigned lane() const {
        const unsigned first = column0 / Tile::kChunk, p = threadIdx.x % 4;
        if (sizeof(typename Tile::Number) == 4) return Tile::chunk_at(0, first + p / 2) + 2 * p % 4;
        return Tile::chunk_at(threadIdx.x % 16, first + threadIdx.x % kWarp / 16);
    }
    __device__ void fragment(uint32_t (&out)[4], unsigned lane, int pair, int step) const {
        load_matrices_turned(out, tile.from_lane(lane, 16 * step, 16 / Tile::kChunk * pair));
    }
    __device__ void numbers(float (&out)[2], unsigned lane, int wide, int depth) const {
        load_numbers<2>(out, tile.from_lane(lane, depth, 8 / Tile::kChunk * wide));
    }
};

template <int kHigh, int kWide>
LeftHeld(const float (&)[kHigh][kWide][4]) -> LeftHeld<kHigh, kWide>;
template <class Tile>
LeftRows(const Tile&, int) -> LeftRows<Tile>;
template <class Tile>
LeftTurned(const Tile&, int) -> LeftTurned<Tile>;
template <class Tile>
RightRows(const Tile&, int = 0) -> RightRows<Tile>;
template <class Tile>
RightTurned(const Tile&, int = 0) -> RightTurned<Tile>;

// ---- sum[kHigh][kWide] += left x right over kDepth

template <int kDepth, int kHigh, int kWide, class Left, class Right>
__device__ inline void multiply_pairs(float (&sum)[kHigh][kWide][4], const Left& left, const Right& right) {
    static_assert(kDepth % 16 == 0 && kWide % 2 == 0);
    // Addresses are made anew from these two: a register for each would be kept through all loops outside.
    const unsigned left_lane = computed_here(left.lane()), right_lane = computed_here(right.lane());
#pragma unroll
    for (int step = 0; step < kDepth / 16; ++step) {
        uint32_t a[kHigh][4];
#pragma unroll
        for (int high = 0; high < kHigh; ++high) left.fragment(a[high], left_lane, high, step);
#pragma unroll
        for (int pair = 0; pair < kWide / 2; ++pair) {
            uint32_t b[4];
            right.fragment(b, right_lane, pair, step);
            const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
#pragma unroll
            for (int high = 0; high < kHigh; ++high) {
                mma_bf16(sum[high][2 * pair], a[high], first);
                mma_bf16(sum[high][2 * pair + 1], a[high], second);
            }
        }
    }
}

// Both factors have their depth along the row: four numbers are read at once.
template <int kDepth, int kHigh, int kWide, class A, class B>
__device__ inline void multiply_floats(float (&sum)[kHigh][kWide][4], const LeftRows<A>& left,
                                       const RightRows<B>& right) {
    const unsigned left_lane = computed_here(left.lane()), right_lane = computed_here(right.lane());
#pragma unroll 1
    for (int chunk = 0; chunk < kDepth / 4; ++chunk) {
        float a[kHigh][2][4];
#pragma unroll
        for (int i = 0; i < 2 * kHigh; ++i)
            load_numbers<4>(a[i / 2][i % 2], left.tile.from_lane(left_lane, 8 * i, chunk));
#pragma unroll
        for (int x = 0; x < kWide; ++x)
#pragma unroll
            for (int next = 0; next < 2; ++next) {
                float b[4];
                right.numbers(b, right_lane, x, next, chunk);
#pragma unroll
                for (int i = 0; i < 2 * kHigh; ++i)
#pragma unroll
                    for (int l = 0; l < 4; ++l) {
                        float& total = sum[i / 2][x][2 * (i % 2) + next];
                        total = fmaf(a[i / 2][i % 2][l], b[l], total);
                    }
            }
    }
}

template <int kHigh, int kWide, class Left, class Right>
__device__ inline void multiply_step(float (&sum)[kHigh][kWide][4], const Left& left, const Right& right,
                                     unsigned left_lane, unsigned right_lane, int depth) {
    float a[kHigh][2];
#pragma unroll
    for (int i = 0; i < 2 * kHigh; ++i) a[i / 2][i % 2] = left.number(left_lane, i / 2, i % 2, depth);
#pragma unroll
    for (int x = 0; x < kWide; ++x) {
        float b[2];
        right.numbers(b, right_lane, x, depth);
#pragma unroll
        for (int high = 0; high < kHigh; ++high)
#pragma unroll
            for (int i = 0; i < 4; ++i) sum[high][x][i] = fmaf(a[high][i / 2], b[i % 2], sum[high][x][i]);
    }
}
template <int kDepth, int kHigh, int kWide, class Left, class B>
__device__ inline void multiply_floats(float (&sum)[kHigh][kWide][4], const Left& left,
                                       const RightTurned<B>& right) {
    const unsigned left_lane = computed_here(left.lane()), right_lane = computed_here(right.lane());
#pragma unroll 1
    for (int depth = 0; depth < kDepth; ++depth)
        multiply_step(sum, left, right, left_lane, right_lane, depth);
}
// What is held in registers has no number at run time.
template <int kDepth, int kHigh, int kWide, int kHeld, class B>
__device__ inline void multiply_floats(float (&sum)[kHigh][kWide][4], const LeftHeld<kHigh, kHeld>& left,
                                       const RightTurned<B>& right) {
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth)
        multiply_step(sum, left, right, 0, computed_here(right.lane()), depth);
}

template <class T, int kDepth, int kHigh, int kWide, class Left, class Right>
__device__ inline void multiply(float (&sum)[kHigh][kWide][4], const Left& left, const Right& right) {
    if constexpr (sizeof(T) == 4)
        multiply_floats<kDepth>(sum, left, right);
    else
        multiply_pairs<kDepth>(sum, left, right);
}

// Over the lanes that hold a row.
__device__ inline float row_sum(float value) {
    value += __shfl_xor_sync(kAll, value, 1);
    return value + __shfl_xor_sync(kAll, value, 2);
}
__device__ inline float row_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(kAll, value, 1));
    return fmaxf(value, __shfl_xor_sync(kAll, value, 2));
}

// 2^x for probabilities that become T.
constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
template <class T>
__device__ inline float power_of_two(float x) {
    return sizeof(T) == 4 ? exp2f(x) : quick_exp2(x);
}

}  // namespace attune::gpu
